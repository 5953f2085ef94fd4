//! The dragoman daemon and its command line.

mod admin;
mod cli;
mod config;
mod credentials;
mod http;
mod outbound;
mod runtime;
mod serve;
mod tls;

/// Compiled code and bursts of commands take tens of MiB for a moment, on several threads. This allocator gives them back
/// to the system; the C library's keeps them for the life of the process.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
