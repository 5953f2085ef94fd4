//! Builds the example handler of `examples/dimmer` in each of its languages, with the tools of that language.
//!
//! Tools come by pinned version into the target directory, never onto the machine. A component is built anew when one of
//! the files it is made of has changed.

use crate::process::{self, say};
use crate::tools::{self, GUEST_TARGET};
use crate::workspace::Workspace;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The world of `wit/` that the guests are built against.
const WORLD: &str = "command-handler";

/// Builds what has changed.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    say("building the example handler in Rust, JavaScript and Python");
    let guests = workspace.guests();
    fs::create_dir_all(&guests).with_context(|| format!("making the folder {}", guests.display()))?;
    rust(workspace)?;
    let sources = workspace.root().join("examples/dimmer");
    let (javascript, python) = (sources.join("javascript"), sources.join("python"));
    when_changed(workspace, "dimmer-javascript", &javascript, |out| from_javascript(workspace, &javascript, out))?;
    when_changed(workspace, "dimmer-python", &python, |out| from_python(workspace, &python, out))
}

/// Cargo knows itself what has changed. The dependencies are those of the plugins, compiled once for both.
fn rust(workspace: &Workspace) -> anyhow::Result<()> {
    tools::check_toolchain(workspace)?;
    let mut command = workspace.plugin_cargo("build", ["--release", "--locked", "--target", GUEST_TARGET]);
    command.current_dir(workspace.root().join("examples/dimmer/rust"));
    process::run(&mut command)?;
    let built = workspace.plugin_target().join(GUEST_TARGET).join("release/dimmer.wasm");
    put(&built, &workspace.guests().join("dimmer-rust.wasm"))
}

fn from_javascript(workspace: &Workspace, sources: &Path, out: &Path) -> anyhow::Result<()> {
    let modules = tools::node_modules(workspace, sources)?;
    let mut command = Command::new(modules.join(".bin/componentize-qjs"));
    command.arg("--wit").arg(workspace.root().join("wit")).args(["--world", WORLD, "--js", "dimmer.js"]);
    // The gateway's engine has no asynchronous functions of components.
    command.args(["--sync", "--stub-wasi", "--output"]).arg(out).current_dir(sources);
    process::run(&mut command)
}

fn from_python(workspace: &Workspace, sources: &Path, out: &Path) -> anyhow::Result<()> {
    let python = tools::guest_python(workspace, &sources.join("requirements.txt"))?;
    let mut command = Command::new(python.with_file_name("componentize-py"));
    command.arg("--wit-path").arg(workspace.root().join("wit")).args(["--world", WORLD, "componentize", "--stub-wasi"]);
    command.arg("--python-path").arg(sources).args(["app", "--output"]).arg(out);
    process::run(&mut command)
}

/// Builds a component unless it is there and was made of the same files.
fn when_changed(
    workspace: &Workspace,
    name: &str,
    sources: &Path,
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let out = workspace.guests().join(format!("{name}.wasm"));
    let (made, made_of) = (out.with_extension("made"), contents(&[workspace.root().join("wit"), sources.to_owned()])?);
    if out.exists() && fs::read_to_string(&made).is_ok_and(|last| last == made_of) {
        return Ok(());
    }
    // What is interrupted leaves nothing that looks finished.
    let partial = out.with_extension("partial");
    build(&partial)?;
    fs::rename(&partial, &out).with_context(|| format!("putting {} in its place", out.display()))?;
    fs::write(&made, made_of).with_context(|| format!("writing {}", made.display()))?;
    eprintln!("  {}", out.display());
    Ok(())
}

/// Everything that stands in the files of some folders, but not in theirs below.
fn contents(folders: &[PathBuf]) -> anyhow::Result<String> {
    let mut all = String::new();
    for folder in folders {
        let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
        let mut files: Vec<_> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            all += &format!("{}\n{text}\n", file.display());
        }
    }
    Ok(all)
}

fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copy = to.with_extension("copy");
    fs::copy(from, &copy)
        .and_then(|_| fs::rename(&copy, to))
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))
}
