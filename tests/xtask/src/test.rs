//! Every test of the repository, after everything they need is built and installed.

use crate::process::{self, say};
use crate::workspace::Workspace;
use crate::{guests, plugins, tools};
use std::process::Command;

/// The tests that need the machine for themselves, as `.config/nextest.toml` and the file name say.
const FOOTPRINT: &str = "footprint";

/// Runs all tests, or those whose name contains the filter.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> anyhow::Result<()> {
    plugins::build(workspace)?;
    guests::build(workspace)?;
    let python = tools::python(workspace)?;
    tools::mosquitto()?;
    // Tests and binaries in one go: the features of shared dependencies are then the same for both, so nothing is
    // compiled twice, and the end-to-end tests find the daemon.
    say("building the gateway, the simulated devices and the tests");
    process::run(&mut workspace.cargo(["build", "--workspace", "--bins", "--tests"]))?;

    say("running the plugins' tests");
    process::run(workspace.plugin_cargo("test", ["--workspace"]).args(filter))?;
    if filter.is_none() {
        say("running the tests of the bench");
        process::run(Command::new(&python).current_dir(workspace.load()).args(["-B", "-m", "unittest", "--quiet"]))?;
    }
    say("running the examples in the documentation");
    process::run(workspace.cargo(["test", "--quiet", "--workspace", "--doc"]).args(filter))?;

    let with_environment = |mut command: Command| {
        command
            .env("DRAGOMAN_BIN", workspace.binary("dragoman"))
            .env("DRAGOMAN_PLUGINS", workspace.plugins())
            .env("DRAGOMAN_GUESTS", workspace.guests())
            .env("DRAGOMAN_PYTHON", &python);
        command
    };
    if !tools::has_nextest() {
        say("running the tests with `cargo test`, because cargo-nextest is not installed");
        let mut command = with_environment(workspace.cargo(["test", "--workspace", "--lib", "--bins", "--tests"]));
        return process::run(command.args(filter));
    }
    // A filter may name tests of the plugins or of the documentation only.
    let when_none = if filter.is_some() { "--no-tests=warn" } else { "--no-tests=fail" };
    say("running the tests of the gateway");
    let mut command = with_environment(workspace.cargo(["nextest", "run", "--workspace", "--no-fail-fast", when_none]));
    process::run(command.args(filter))?;
    say("measuring memory and start-up, alone on the machine");
    let mut command =
        with_environment(workspace.cargo(["nextest", "run", "--workspace", "--profile", FOOTPRINT, when_none]));
    process::run(command.args(filter))
}
