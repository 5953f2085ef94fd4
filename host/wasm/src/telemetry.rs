//! What an operator sees of plugins: metrics, and the plugins' own log lines within their limits.

use crate::access::Export;
use crate::error::CallError;
use crate::one_line::one_line;
use crate::refusal::LoadStep;
use std::sync::Arc;
use std::time::Duration;
use tracing::Level;

/// Counts a call: `dragoman_plugin_calls_total`, `dragoman_plugin_call_seconds`, `dragoman_plugin_faults_total`.
pub(crate) fn called(plugin: &Arc<str>, export: Export, error: Option<&CallError>, took: Duration) {
    let (plugin, export) = (plugin.to_string(), export.name());
    let result = error.map_or("ok", CallError::code);
    metrics::counter!("dragoman_plugin_calls_total", "plugin" => plugin.clone(), "export" => export, "result" => result)
        .increment(1);
    metrics::histogram!("dragoman_plugin_call_seconds", "plugin" => plugin.clone(), "export" => export)
        .record(took.as_secs_f64());
    if let Some(error) = error.filter(|error| error.is_fault()) {
        metrics::counter!("dragoman_plugin_faults_total", "plugin" => plugin.clone(), "code" => error.code())
            .increment(1);
        tracing::warn!(plugin, export, code = error.code(), "{error}");
    }
}

/// Tells whether a plugin is in quarantine: `dragoman_plugin_quarantined`, and how often it came there:
/// `dragoman_plugin_quarantines_total`.
pub(crate) fn quarantined(plugin: &Arc<str>, is: bool) {
    metrics::gauge!("dragoman_plugin_quarantined", "plugin" => plugin.to_string()).set(f64::from(u8::from(is)));
    if is {
        metrics::counter!("dragoman_plugin_quarantines_total", "plugin" => plugin.to_string()).increment(1);
    }
}

/// Tells what the folder came to: `dragoman_plugins_loaded`, `dragoman_plugin_files_refused`,
/// `dragoman_plugin_versions_older`.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there are few files")]
pub(crate) fn folder(loaded: usize, refused: usize, older: usize) {
    metrics::gauge!("dragoman_plugins_loaded").set(loaded as f64);
    metrics::gauge!("dragoman_plugin_files_refused").set(refused as f64);
    metrics::gauge!("dragoman_plugin_versions_older").set(older as f64);
}

/// Counts a file that was refused: `dragoman_plugin_refusals_total`, by the step that it failed.
pub(crate) fn refused(step: LoadStep) {
    metrics::counter!("dragoman_plugin_refusals_total", "step" => step.word()).increment(1);
}

/// What one call may still log. What it may not is counted in `dragoman_plugin_log_lines_dropped_total` and told in
/// one line when the call is over, however it ends.
#[derive(Debug)]
pub(crate) struct LogBudget {
    plugin: Arc<str>,
    lines_left: u32,
    bytes_left: usize,
    dropped_lines: u64,
    dropped_bytes: usize,
}

impl LogBudget {
    pub(crate) fn new(plugin: Arc<str>, lines_left: u32, bytes_left: usize) -> Self {
        Self { plugin, lines_left, bytes_left, dropped_lines: 0, dropped_bytes: 0 }
    }

    /// Writes a line, as far as it may.
    pub(crate) fn line(&mut self, export: Export, level: Level, text: &str) {
        if self.lines_left == 0 || self.bytes_left == 0 {
            self.dropped_lines += 1;
            return;
        }
        self.lines_left -= 1;
        let end = (0..=text.len().min(self.bytes_left)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.bytes_left -= end;
        let text = one_line(text.get(..end).unwrap_or_default());
        let (plugin, export) = (&*self.plugin, export.name());
        match level {
            Level::ERROR => tracing::error!(target: "dragoman::plugin", plugin, export, "{text}"),
            Level::WARN => tracing::warn!(target: "dragoman::plugin", plugin, export, "{text}"),
            Level::INFO => tracing::info!(target: "dragoman::plugin", plugin, export, "{text}"),
            _ => tracing::debug!(target: "dragoman::plugin", plugin, export, "{text}"),
        }
    }

    /// Counts standard output that was not even kept.
    pub(crate) fn lost(&mut self, bytes: usize) {
        self.dropped_bytes += bytes;
    }
}

impl Drop for LogBudget {
    fn drop(&mut self) {
        let (plugin, lines, bytes) = (self.plugin.to_string(), self.dropped_lines, self.dropped_bytes);
        if lines == 0 && bytes == 0 {
            return;
        }
        tracing::warn!(
            plugin,
            lines,
            bytes,
            "plugin {plugin} logged {lines} lines and printed {bytes} bytes more than one call may; they are lost"
        );
        metrics::counter!("dragoman_plugin_log_lines_dropped_total", "plugin" => plugin).increment(lines);
    }
}
