//! `cargo xtask bench plugin-call`: what a call of a plugin costs, beside the same translation compiled natively.

use crate::plugins;
use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::{Context, bail};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The calls of a command's way, by the names of criterion's groups.
const CALLS: [&str; 3] = ["handle-request", "dispatch", "handle-message"];
/// What an instance for each call, and a kept one, may cost, in times of the native call.
const BARS: [(&str, f64); 2] = [("fresh", 15.0), ("pool", 4.0)];
const NOT_MEASURED: &str = "not measured";
/// The exit code where a bar is not met.
const NOT_MET: u8 = 2;

/// The option with which the table becomes a document; the others are criterion's.
const WRITE_DOCS: &str = "--write-docs";

/// Measures with criterion in one run, prints the table, and judges it.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> anyhow::Result<ExitCode> {
    plugins::build(workspace)?;
    let results = workspace.bench_results().join("criterion");
    // What an earlier run left there must not be taken for this one's.
    if results.exists() {
        fs::remove_dir_all(&results).with_context(|| format!("removing {}", results.display()))?;
    }
    say("building and running the bench of the plugin call in release (the first time takes many minutes)");
    let mut command = workspace.load_cargo("bench", ["--package", "plugin-call", "--bench", "plugin_call", "--"]);
    process::run(
        command
            .args(options.iter().filter(|option| *option != WRITE_DOCS))
            .env("DRAGOMAN_PLUGINS", workspace.plugins())
            .env("CRITERION_HOME", &results),
    )?;

    let (table, missed) = judge(&results)?;
    println!("\n{table}");
    if options.iter().any(|option| option == WRITE_DOCS) {
        if table.contains(NOT_MEASURED) {
            bail!("{WRITE_DOCS} needs every call; leave criterion's filter away");
        }
        let file = workspace.root().join("docs/bench-plugin-call.md");
        fs::write(&file, document(&table)?).with_context(|| format!("writing {}", file.display()))?;
    }
    for bar in &missed {
        eprintln!("not met: {bar}");
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_MET) })
}

/// The table, in Markdown, and the bars that are not met.
fn judge(results: &Path) -> anyhow::Result<(String, Vec<String>)> {
    let mut table = "| call | instances | us (median) | native us | times native | at most | met |\n".to_owned();
    table.push_str("|---|---|---|---|---|---|---|\n");
    let mut missed = Vec::new();
    for call in CALLS {
        if !results.join(call).exists() {
            // A filter of criterion left it out.
            writeln!(table, "| {call} | | | | | | {NOT_MEASURED} |")?;
            continue;
        }
        let native = median_ns(results, call, "native")?;
        for (instances, bound) in BARS {
            let took = median_ns(results, call, instances)?;
            let times = took / native;
            let met = if times <= bound { "yes" } else { "**no**" };
            let (took, native) = (took / 1000.0, native / 1000.0);
            writeln!(table, "| {call} | {instances} | {took:.2} | {native:.2} | {times:.1} | {bound} | {met} |")?;
            if times > bound {
                missed.push(format!("{call}, {instances}: {times:.1} times the native call, at most {bound}"));
            }
        }
    }
    Ok((table, missed))
}

/// The table with what it was measured on.
fn document(table: &str) -> anyhow::Result<String> {
    let date = process::output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let rustc = process::output(Command::new("rustc").arg("--version"))?;
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    Ok(format!(
        "# What a call of a plugin costs\n\n\
         Written by `cargo xtask bench plugin-call --write-docs`; do not edit.\n\n\
         Three calls of a Huawei IoTDA command's way through the dialect: the application's request, the dispatch, the\n\
         device's answer. *Fresh*: through the gateway's runtime with its limits, imports and conversions, in a new instance\n\
         for each call. *Pool*: the same in a kept instance. *Native*: the same Rust code compiled for the machine, called\n\
         directly.\n\n\
         | | |\n|---|---|\n| date | {} |\n| processor | {} |\n| rustc | {} |\n\n{table}",
        date.trim(),
        model.trim_start_matches([' ', '\t', ':']),
        rustc.trim().trim_start_matches("rustc "),
    ))
}

/// What criterion measured, in nanoseconds a call.
fn median_ns(results: &Path, call: &str, instances: &str) -> anyhow::Result<f64> {
    let file = results.join(call).join(instances).join("new/estimates.json");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let estimates: Value = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    match estimates["median"]["point_estimate"].as_f64() {
        Some(median) if median > 0.0 => Ok(median),
        _ => bail!("{} has no median", file.display()),
    }
}
