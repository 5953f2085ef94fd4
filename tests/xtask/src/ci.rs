//! What continuous integration runs, each step as a person would run it, with the time it took.

use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::Context;
use std::process::Command;
use std::time::Instant;

/// Runs every step; ends at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let everything = ["--workspace", "--all-targets"];
    let mut times = Vec::new();
    for (name, mut command) in [
        ("format", workspace.cargo(["fmt", "--all", "--check"])),
        ("format of the plugins", {
            // `cargo fmt` knows no target directory, so this is no `plugin_cargo`.
            let mut command = workspace.cargo(["fmt", "--all", "--check"]);
            command.current_dir(workspace.plugin_sources());
            command
        }),
        ("format of the bench", {
            let mut command = workspace.cargo(["fmt", "--all", "--check"]);
            command.current_dir(workspace.load());
            command
        }),
        // The bench of the plugin call would compile wasmtime once more; a run of the bench builds it.
        (
            "lock file and programs of the bench",
            linted(workspace.load_cargo("check", ["--locked", "--quiet", "-p", "cmdbench", "--all-targets"])),
        ),
        ("build and lints", linted(workspace.cargo(["build"].into_iter().chain(everything)))),
        ("build and lints of the plugins", linted(workspace.plugin_cargo("build", everything))),
        ("tests", linted(workspace.cargo(["xtask", "test"]))),
        ("demonstration", linted(workspace.cargo(["xtask", "demo", "--once"]))),
    ] {
        times.push((name, timed(name, &mut command)?));
    }
    say("time each step took");
    for (name, seconds) in times {
        eprintln!("  {seconds:>5} s  {name}");
    }
    Ok(())
}

/// Has Clippy's driver compile our own crates, and fail at a warning. `cargo clippy` finds the same, but checks all
/// dependencies a second time beside the build of the tests: six minutes on two processors. Every step from here on must
/// say it, or our own crates are built twice.
fn linted(mut command: Command) -> Command {
    // `CLIPPY_ARGS` is how `cargo clippy` hands its arguments to the driver, this word between them.
    command
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    command
}

fn timed(name: &str, command: &mut Command) -> anyhow::Result<u64> {
    say(name);
    let begin = Instant::now();
    process::run(command).with_context(|| format!("the step \"{name}\""))?;
    let seconds = begin.elapsed().as_secs();
    say(&format!("{name}: {seconds} s"));
    Ok(seconds)
}
