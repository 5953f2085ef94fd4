//! The dragoman daemon and its command line.

mod admin;
mod cli;
mod config;
mod credentials;
mod http;
mod runtime;
mod serve;

fn main() -> std::process::ExitCode {
    cli::run()
}
