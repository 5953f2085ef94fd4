//! `host`: clock, ids, settings and log of a plugin.

use crate::access::Import;
use crate::bindings::dragoman::gateway::{host, types};
use crate::state::State;
use tracing::Level;

impl types::Host for State {}

impl host::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.call.enter(Import::Now)?.now_ms)
    }

    fn new_id(&mut self) -> wasmtime::Result<String> {
        Ok(self.call.enter(Import::NewId)?.ids.next_id())
    }

    fn settings(&mut self) -> wasmtime::Result<String> {
        self.call.enter(Import::Settings)?;
        Ok(self.call.facts.settings.clone())
    }

    fn log(&mut self, severity: host::Severity, text: String) -> wasmtime::Result<()> {
        self.call.enter(Import::Log)?;
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
