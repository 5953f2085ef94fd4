//! `dragoman`, the command line: the daemon itself, and a client of its admin API.
//!
//! [`args`] is what can be typed, one file for each noun does it, [`client`] speaks to the daemon, [`output`] prints,
//! [`failure`] is how a command ends that did not succeed.

mod args;
mod check;
mod client;
mod command;
mod dead_letter;
mod device;
mod execution;
mod failure;
mod input;
mod output;
mod plugin;
mod plugin_file;
mod serve;
mod target;
mod time;
mod token;

use args::{Cli, Verb};
use clap::Parser;
use failure::Failure;
use output::Output;
use std::process::ExitCode;

/// Runs what the command line asks for. Exit codes: 0 done, 1 refused or failed, 2 typed wrongly, 3 no daemon answers.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Where the answer cannot be written there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::new(cli.json);
    match dispatch(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

fn dispatch(cli: Cli, output: &Output) -> Result<(), Failure> {
    let file = cli.config.as_deref();
    match cli.verb {
        Verb::Serve => serve::run(file),
        Verb::Check => check::run(file, output),
        Verb::Device(args) => device::run(args.verb, &args.connection.open(file)?, output),
        Verb::Command(args) => command::run(args.verb, &args.connection.open(file)?, output),
        Verb::Execution(args) => execution::run(args.verb, &args.connection.open(file)?, output),
        Verb::Token(args) => token::run(args.verb, &args.connection.open(file)?, output),
        Verb::Plugin(args) => plugin::run(&args.verb, &args.connection, file, output),
        Verb::Target(args) => target::run(&args.verb, &args.connection.open(file)?, output),
        Verb::CompilePlugin { limits } => match dragoman_wasm::compile_for_parent(&limits) {
            0 => Ok(()),
            code => Err(Failure::Ended(code)),
        },
    }
}
