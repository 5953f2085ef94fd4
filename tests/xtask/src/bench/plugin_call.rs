//! `cargo xtask bench plugin-call`: what a call of a plugin costs, beside the same translation compiled natively.

use crate::plugins;
use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::{Context, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// The calls of a command's way, by the names of criterion's groups.
const CALLS: [&str; 3] = ["handle-request", "dispatch", "handle-message"];
/// What an instance for each call, and a kept one, may cost, in times of the native call.
const BARS: [(&str, f64); 2] = [("fresh", 15.0), ("pool", 4.0)];
/// The exit code where a bar is not met.
const NOT_MET: u8 = 2;

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
    process::run(command.args(options).env("DRAGOMAN_PLUGINS", workspace.plugins()).env("CRITERION_HOME", &results))?;

    println!("\n| call | instances | us (median) | native us | times native | at most | met |");
    println!("|---|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for call in CALLS {
        let native = median_ns(&results, call, "native")?;
        for (instances, bound) in BARS {
            let took = median_ns(&results, call, instances)?;
            let times = took / native;
            let met = if times <= bound { "yes" } else { "**no**" };
            let (took, native) = (took / 1000.0, native / 1000.0);
            println!("| {call} | {instances} | {took:.2} | {native:.2} | {times:.1} | {bound} | {met} |");
            if times > bound {
                missed.push(format!("{call}, {instances}: {times:.1} times the native call, at most {bound}"));
            }
        }
    }
    for bar in &missed {
        eprintln!("not met: {bar}");
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_MET) })
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
