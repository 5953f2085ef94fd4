//! The bench of `tests/load`: everything is built in release, what the peers need is installed, and it is run.

mod plugin_call;

use crate::process::{self, say};
use crate::workspace::Workspace;
use crate::{plugins, tools};
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What npm is told to install, and the programs that need it.
const PEERS: [&str; 5] = ["package.json", "package-lock.json", "make-flow.js", "node-diy.js", "settings.js"];

/// The first of the options that means another bench: that of the call of a plugin.
const PLUGIN_CALL: &str = "plugin-call";

/// Options of the bench that decide what must be installed.
const WRITE_DOCS: &str = "--write-docs";
const TARGETS: &str = "--targets";

/// Runs the bench with these options. Its exit code is the bench's: 1 where the figures do not count, 2 where a bar is
/// not met.
pub(crate) fn run(workspace: &Workspace, options: &[String]) -> anyhow::Result<ExitCode> {
    if let Some((_, rest)) = options.split_first().filter(|(first, _)| *first == PLUGIN_CALL) {
        return plugin_call::run(workspace, rest);
    }
    if options.iter().any(|option| option == "--help" || option == "-h") {
        let mut help = Command::new("python3");
        return process::exit_code(help.current_dir(workspace.load()).args(["-B", "-m", "bench", "--help"]));
    }
    plugins::build(workspace)?;
    say("building the gateway and the native programs of the bench in release (the first time takes many minutes)");
    // With a target of its own cargo would put the binaries elsewhere, and older ones would be measured.
    for mut build in [
        workspace.cargo(["build", "--release", "--package", "dragoman"]),
        workspace.load_cargo("build", ["--release", "--package", "cmdbench"]),
    ] {
        process::run(build.env_remove("CARGO_BUILD_TARGET"))?;
    }
    tools::mosquitto_broker()?;
    let peers = peers(workspace, needs_node(options))?;
    // Only the plot needs more than Python itself.
    let python = match options.iter().any(|option| option == WRITE_DOCS) {
        true => tools::bench_python(workspace)?,
        false => PathBuf::from("python3"),
    };

    say("measuring");
    let mut command = Command::new(python);
    command
        .current_dir(workspace.load())
        .args(["-B", "-m", "bench"])
        .arg("--binaries")
        .arg(workspace.released())
        .arg("--plugins")
        .arg(workspace.plugins())
        .arg("--peers")
        .arg(peers)
        .arg("--out")
        .arg(workspace.bench_results())
        .arg("--docs")
        .arg(workspace.root().join("docs"))
        .args(options);
    process::exit_code_also_when_ended(&mut command)
}

/// Whether one of the targets is a Node program.
fn needs_node(options: &[String]) -> bool {
    let mut targets = None;
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        if option == TARGETS {
            targets = rest.next().map(String::as_str);
        } else if let Some(value) = option.strip_prefix(TARGETS).and_then(|value| value.strip_prefix('=')) {
            targets = Some(value);
        }
    }
    targets.is_none_or(|targets| targets.split(',').any(|target| target.starts_with("node-")))
}

/// A folder with the Node programs and, where they are needed, the packages of `package-lock.json`, installed once for
/// each state of that file.
fn peers(workspace: &Workspace, with_packages: bool) -> anyhow::Result<PathBuf> {
    let (from, folder) = (workspace.load().join("peers"), workspace.bench_results().join("peers"));
    fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    for name in PEERS {
        fs::copy(from.join(name), folder.join(name)).with_context(|| format!("copying {name} of the peers"))?;
    }
    let installed = folder.join("installed");
    let wanted = read(&folder.join("package-lock.json"))?;
    if !with_packages || fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(folder);
    }
    say("installing Node-RED and MQTT.js");
    let npm = ["ci", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"];
    process::run(Command::new("npm").args(npm).current_dir(&folder))
        .context("installing the Node packages of the bench; are Node 18.5 or newer, npm and a package index there?")?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))?;
    Ok(folder)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::needs_node;

    #[test]
    fn node_is_installed_for_those_who_ask_for_it() {
        for (options, needed) in [
            (&["--fast"][..], true),
            (&["--targets", "native,node-red"], true),
            (&["--targets=node-diy"], true),
            (&["--targets", "native,dragoman-embedded", "--quick"], false),
            (&["--targets=native"], false),
        ] {
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            assert_eq!(needs_node(&options), needed, "{options:?}");
        }
    }
}
