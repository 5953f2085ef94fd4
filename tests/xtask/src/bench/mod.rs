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
    process::run(&mut workspace.cargo(["build", "--release", "--package", "dragoman"]))?;
    process::run(&mut workspace.load_cargo("build", ["--release", "--package", "cmdbench"]))?;
    tools::mosquitto_broker()?;
    let peers = peers(workspace)?;
    let python = tools::bench_python(workspace)?;

    say("measuring");
    // Ctrl-C reaches the bench as well, which ends what it started; until then this process has to stay.
    ctrlc::set_handler(|| {}).context("waiting for Ctrl-C")?;
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
    process::exit_code(&mut command)
}

/// A folder with the Node programs and the packages of `package-lock.json`, installed once for each state of that file.
fn peers(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let (from, folder) = (workspace.load().join("peers"), workspace.bench_results().join("peers"));
    fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    for name in PEERS {
        fs::copy(from.join(name), folder.join(name)).with_context(|| format!("copying {name} of the peers"))?;
    }
    let installed = folder.join("installed");
    let wanted = read(&folder.join("package-lock.json"))?;
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
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
