//! What continuous integration runs, each step as a person would run it, with the time it took.

use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::Context;
use std::process::Command;
use std::time::Instant;

/// Runs every step; ends at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let strict = ["--workspace", "--all-targets", "--", "--deny", "warnings"];
    let mut times = Vec::new();
    for (name, mut command) in [
        ("format", workspace.cargo(["fmt", "--all", "--check"])),
        ("format of the plugins", {
            // `cargo fmt` knows no target directory, so this is no `plugin_cargo`.
            let mut command = workspace.cargo(["fmt", "--all", "--check"]);
            command.current_dir(workspace.plugin_sources());
            command
        }),
        ("lints", workspace.cargo(["clippy"].into_iter().chain(strict))),
        ("lints of the plugins", workspace.plugin_cargo("clippy", strict)),
        ("tests", workspace.cargo(["xtask", "test"])),
        ("demonstration", workspace.cargo(["xtask", "demo", "--once"])),
    ] {
        times.push((name, timed(name, &mut command)?));
    }
    say("time each step took");
    for (name, seconds) in times {
        eprintln!("  {seconds:>5} s  {name}");
    }
    Ok(())
}

fn timed(name: &str, command: &mut Command) -> anyhow::Result<u64> {
    say(name);
    let begin = Instant::now();
    process::run(command).with_context(|| format!("the step \"{name}\""))?;
    let seconds = begin.elapsed().as_secs();
    say(&format!("{name}: {seconds} s"));
    Ok(seconds)
}
