//! `cargo xtask soak`: millions of calls of the plugin runtime, each guest in a process of its own, all at once.

use crate::guests;
use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The tests of dragoman-wasm that are soaks, and what they call their guests.
const SOAKS: [(&str, &str); 3] = [
    ("rust-fresh", "soak::rust_in_fresh_instances"),
    ("javascript-pool", "soak::javascript_in_kept_instances"),
    ("traps", "soak::a_guest_that_traps_every_hundredth_call"),
];

/// What is wanted.
pub(crate) struct Options {
    pub(crate) minutes: u64,
    pub(crate) calls: u64,
    pub(crate) guest: Option<String>,
    pub(crate) write_docs: bool,
}

/// Builds, runs and prints; fails if a soak does.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let chosen: Vec<_> =
        SOAKS.into_iter().filter(|(guest, _)| options.guest.as_deref().is_none_or(|wanted| wanted == *guest)).collect();
    ensure!(!chosen.is_empty(), "there is no such guest; there are {}", SOAKS.map(|(guest, _)| guest).join(", "));
    ensure!(!options.write_docs || chosen.len() == SOAKS.len(), "--write-docs needs every guest; leave --guest away");
    guests::build(workspace)?;
    say("building the soak in release (the first time takes many minutes)");
    let program = build(workspace)?;
    let folder = workspace.soak_results();
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    say(&format!("{} guests, {} minutes and {} calls each", chosen.len(), options.minutes, options.calls));
    let mut running = Vec::new();
    for (guest, test) in chosen {
        let figures = folder.join(format!("{guest}.json"));
        // What an earlier run left must not be taken for this one's.
        let _ = fs::remove_file(&figures);
        running.push((guest, start(workspace, options, &program, test, &figures)?, figures));
    }
    let mut failed = Vec::new();
    let mut table =
        "| guest | calls | seconds | faults | second third | last third | growth |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (guest, mut child, figures) in running {
        let status = child.wait().with_context(|| format!("waiting for {guest}"))?;
        if !status.success() {
            failed.push(guest);
        }
        if figures.exists() {
            table.push_str(&row(&figures)?);
        }
    }
    println!("\n{table}");
    ensure!(failed.is_empty(), "these failed: {}", failed.join(", "));
    if options.write_docs {
        let file = workspace.root().join("docs/soak.md");
        fs::write(&file, document(&table)?).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Builds the tests of dragoman-wasm and gives their program.
fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let mut command = workspace.cargo(["test", "--release", "--package", "dragoman-wasm", "--test", "it", "--no-run"]);
    let messages =
        process::output(command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit()))?;
    let programs = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = programs.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    built.context("cargo named no program of the tests")
}

fn start(
    workspace: &Workspace,
    options: &Options,
    program: &Path,
    test: &str,
    figures: &Path,
) -> anyhow::Result<Child> {
    Command::new(program)
        .args(["--exact", test, "--nocapture"])
        .current_dir(workspace.root().join("host/wasm"))
        .env("DRAGOMAN_GUESTS", workspace.guests())
        .env("DRAGOMAN_SOAK_MINUTES", options.minutes.to_string())
        .env("DRAGOMAN_SOAK_CALLS", options.calls.to_string())
        .env("DRAGOMAN_SOAK_FIGURES", figures)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))
}

/// A line of the table, of what a soak wrote.
fn row(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let figures: Value = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    let number = |name: &str| match figures[name].as_f64() {
        Some(number) => Ok(number),
        None => bail!("{} has no {name}", file.display()),
    };
    let mib = |name: &str| Ok::<_, anyhow::Error>(number(name)? / 1024.0 / 1024.0);
    let mut row = String::new();
    writeln!(
        row,
        "| {} | {} | {} | {} | {:.1} MiB | {:.1} MiB | {:+.2} % |",
        figures["guest"].as_str().unwrap_or_default(),
        figures["calls"],
        figures["seconds"],
        figures["faults"],
        mib("second_third_bytes")?,
        mib("last_third_bytes")?,
        number("growth_percent")?,
    )?;
    Ok(row)
}

/// The table with what it was measured on.
fn document(table: &str) -> anyhow::Result<String> {
    let date = process::output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let rustc = process::output(Command::new("rustc").arg("--version"))?;
    Ok(format!(
        "# Millions of calls\n\n\
         Written by `cargo xtask soak --write-docs`; do not edit.\n\n\
         Each guest in a process of its own, all at once, four calls at a time through the gateway's runtime with its limits\n\
         and imports. *rust-fresh*: a dialect in Rust, a new instance for each call, which reads, writes, submits, publishes\n\
         and logs. *javascript-pool*: the handler of `examples/dimmer` in JavaScript, in two kept instances. *traps*: a guest in\n\
         two kept instances, each of which traps at its hundredth call. Memory is what the process has resident, as a mean\n\
         over the second and over the last third of the time; it may grow by 5 %. At the end every slot was taken at once and\n\
         given back, and no instance was left.\n\n\
         Measured {} with {}.\n\n{table}",
        date.trim(),
        rustc.trim(),
    ))
}
