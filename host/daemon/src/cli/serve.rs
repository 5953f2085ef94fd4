//! `dragoman serve`: logging and the async runtime around the daemon.

use super::failure::Failure;
use super::input;
use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal;
use std::path::Path;
use tracing_subscriber::EnvFilter;

/// Runs the daemon until it is told to stop.
pub(super) fn run(file: Option<&Path>) -> Result<(), Failure> {
    let config = input::configuration(file).map_err(|error| Failure::failed(error.to_string()))?;
    log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the system gives no threads: {error}")))?;
    runtime.block_on(crate::serve::run(config)).map_err(|error| Failure::failed(format!("{error:#}")))
}

/// Logs go to standard error, so that standard output carries the one line that says where the daemon listens.
fn log(config: &LogConfig) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(&config.filter)
        .map_err(|error| Failure::failed(format!("log.filter cannot be used: {error}")))?;
    // Colours are for a person at a terminal who did not say otherwise (no-color.org).
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let installed = match config.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    installed.map_err(|error| Failure::failed(format!("logging cannot start: {error}")))
}
