//! `host`: clock, ids, settings and log of a plugin.

use crate::bindings::dragoman::gateway::{host, types};
use crate::export::Access;
use crate::state::State;
use tracing::Level;

impl types::Host for State {}

impl host::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.call.enter("host.now", Access::Own)?.now_ms)
    }

    fn new_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.call.enter("host.new-id", Access::Own)?.ids.next_id())
    }

    fn settings(&mut self) -> wasmtime::Result<String> {
        self.call.enter("host.settings", Access::Own)?;
        Ok(self.call.facts.settings.clone())
    }

    fn log(&mut self, severity: host::Severity, text: String) -> wasmtime::Result<()> {
        self.call.enter("host.log", Access::Own)?;
        let level = match severity {
            host::Severity::Debug => Level::DEBUG,
            host::Severity::Info => Level::INFO,
            host::Severity::Warn => Level::WARN,
            host::Severity::Error => Level::ERROR,
        };
        self.call.log.line(self.call.export, level, &text);
        Ok(())
    }
}
