//! The repository's own commands: build the plugins, run the demonstration, run every test, measure.

mod bench;
mod ci;
mod demo;
mod guests;
mod plugins;
mod process;
mod soak;
mod test;
mod tools;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Builds, shows and tests dragoman from a clean clone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start the gateway with one simulated device per dialect, send real commands, show every request and answer.
    Demo {
        /// End after the exchange instead of staying up; fails if any answer was wrong.
        #[arg(long)]
        once: bool,
    },
    /// Build the plugins into target/plugins.
    Plugins,
    /// Build the example handler of examples/dimmer in Rust, JavaScript and Python into target/guests.
    Guests,
    /// Run every test of the repository, after building and installing what they need.
    Test {
        /// Only tests whose name contains this text.
        filter: Option<String>,
    },
    /// Measure what a command costs, beside what people would use in place of a gateway. `--help` lists the options.
    #[command(disable_help_flag = true)]
    Bench {
        /// Options of the bench, e.g. `--quick --targets native-wal2,dragoman-mosquitto`; or `plugin-call`: what a call of a
        /// plugin costs, beside the same translation compiled natively.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Call plugins for half an hour and ten million times, and see that memory stands still and no instance slot is lost.
    Soak {
        /// How long, in minutes.
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// How many calls at least.
        #[arg(long, default_value_t = 10_000_000)]
        calls: u64,
        /// Only this guest: rust-fresh, javascript-pool or traps.
        #[arg(long)]
        guest: Option<String>,
        /// Write the figures to docs/soak.md.
        #[arg(long)]
        write_docs: bool,
    },
    /// What continuous integration runs: format, lints, every test, the demonstration.
    Ci,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Demo { once } => demo::run(&workspace, *once),
        Task::Plugins => plugins::build(&workspace),
        Task::Guests => guests::build(&workspace),
        Task::Test { filter } => test::run(&workspace, filter.as_deref()),
        Task::Bench { options } => return bench::run(&workspace, options),
        Task::Soak { minutes, calls, guest, write_docs } => {
            let (minutes, calls, write_docs) = (*minutes, *calls, *write_docs);
            soak::run(&workspace, &soak::Options { minutes, calls, guest: guest.clone(), write_docs })
        }
        Task::Ci => ci::run(&workspace),
    }?;
    Ok(ExitCode::SUCCESS)
}
