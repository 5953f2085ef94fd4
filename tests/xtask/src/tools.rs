//! What must be on the machine: found, installed by package name where that is possible, or told how to install.

use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target for which plugins are compiled.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// Checks the compiler against `rust-version`, and adds the target of the plugins.
pub(crate) fn check_toolchain(workspace: &Workspace) -> anyhow::Result<()> {
    let version = process::output(Command::new("rustc").arg("--version")).context("is Rust installed?")?;
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let found = version.split_whitespace().nth(1).unwrap_or_default();
    if numbers(found) < numbers(wanted) {
        bail!("rustc {found} is older than {wanted}, which this repository needs; run `rustup update stable`");
    }
    say(&format!("rustc {found}"));
    add_guest_target(workspace)
}

/// Adds the target of the plugins through rustup where it is missing.
fn add_guest_target(workspace: &Workspace) -> anyhow::Result<()> {
    if has_guest_target()? {
        return Ok(());
    }
    say(&format!("adding the target {GUEST_TARGET}"));
    let added =
        process::run(Command::new("rustup").args(["target", "add", GUEST_TARGET]).current_dir(workspace.root()));
    if added.is_err() || !has_guest_target()? {
        bail!(
            "the Rust target {GUEST_TARGET} is missing and rustup could not add it; run `rustup target add {GUEST_TARGET}`, \
             or install your distribution's standard library for that target, then try again"
        );
    }
    Ok(())
}

fn has_guest_target() -> anyhow::Result<bool> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(GUEST_TARGET).join("lib").is_dir())
}

/// Whether `cargo nextest` is there; it cannot be installed by package name, so `cargo test` stands in.
pub(crate) fn has_nextest() -> bool {
    process::succeeds(Command::new("cargo").args(["nextest", "--version"]))
}

/// The Python of the tests: an environment that has what `tests/requirements.txt` pins.
pub(crate) fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    environment("the tests", &workspace.venv(), &workspace.root().join("tests/requirements.txt"))
}

/// The Python of the bench: an environment that has what `tests/load/requirements.txt` pins.
pub(crate) fn bench_python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    environment("the bench", &workspace.bench_venv(), &workspace.load().join("requirements.txt"))
}

/// The Python of the example handler: an environment that makes components of Python.
pub(crate) fn guest_python(workspace: &Workspace, requirements: &Path) -> anyhow::Result<PathBuf> {
    environment("the Python guest", &workspace.guests().join("venv"), requirements)
}

/// What the `package-lock.json` of a folder pins, installed below the target directory. Made once, renewed when that file
/// changes.
pub(crate) fn node_modules(workspace: &Workspace, sources: &Path) -> anyhow::Result<PathBuf> {
    let folder = workspace.guests().join("node");
    let (modules, installed) = (folder.join("node_modules"), folder.join("package-lock.installed"));
    let lock = sources.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).with_context(|| format!("reading {}", lock.display()))?;
    if modules.is_dir() && fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(modules);
    }
    if !process::succeeds(Command::new("npm").arg("--version")) {
        install_packages(&["nodejs", "npm"])?;
    }
    say(&format!("installing what {} pins into {}", lock.display(), folder.display()));
    fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), folder.join(file)).with_context(|| format!("copying {file}"))?;
    }
    // `npm ci` refuses a lock file without those packages for other platforms that were never published.
    let mut command = Command::new("npm");
    command.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    process::run(command.current_dir(&folder))
        .with_context(|| format!("installing what {} pins; is an npm registry reachable?", lock.display()))?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))?;
    Ok(modules)
}

/// Made once, renewed when the file of its requirements changes.
fn environment(whose: &str, venv: &Path, requirements: &Path) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let python = venv.join("bin/python");
    let installed = venv.join("requirements.installed");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted)
        && process::succeeds(Command::new(&python).arg("--version"))
    {
        return Ok(python);
    }
    say(&format!("making the Python environment of {whose} in {}", venv.display()));
    make_venv(venv)?;
    process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))
        .with_context(|| {
            format!("installing what {} names; is a Python package index reachable?", requirements.display())
        })?;
    fs::write(&installed, wanted).with_context(|| format!("writing {}", installed.display()))?;
    Ok(python)
}

fn make_venv(venv: &Path) -> anyhow::Result<()> {
    let make = || process::succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv));
    if make() {
        return Ok(());
    }
    install_packages(&["python3", "python3-venv"])?;
    if make() {
        return Ok(());
    }
    bail!("`python3 -m venv {}` fails; run it to see why, mend that, and try again", venv.display())
}

/// Mosquitto's clients, which the tests run as a reader of a platform's page would.
pub(crate) fn mosquitto() -> anyhow::Result<()> {
    // Its help ends with an error, but it is there.
    match Command::new("mosquitto_sub").arg("--help").output() {
        Ok(_) => Ok(()),
        Err(_) => install_packages(&["mosquitto-clients"]),
    }
}

/// The broker, which Debian puts where not everybody's path leads.
pub(crate) fn mosquitto_broker() -> anyhow::Result<()> {
    match Path::new("/usr/sbin/mosquitto").exists() || Command::new("mosquitto").arg("-h").output().is_ok() {
        true => Ok(()),
        false => install_packages(&["mosquitto"]),
    }
}

/// Installs Debian packages where this process may; else says how.
fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    let how =
        format!("install the Debian packages {names} (`sudo apt-get install {names}`) or what your system calls them");
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{names} missing and this is no Debian: {how}, then try again");
    }
    if process::output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("{names} missing: {how}, then try again");
    }
    say(&format!("installing {names}"));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    process::run(apt().args(["--quiet", "update"]))
        .and_then(|()| {
            process::run(apt().args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(packages))
        })
        .with_context(|| how)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('-').next().unwrap_or_default().split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_compare_as_numbers() {
        for (older, newer) in [("1.95", "1.100.0"), ("1.95", "1.95.0"), ("1.94.9", "1.95"), ("1.95.0", "2.0.0-nightly")]
        {
            assert!(numbers(older) < numbers(newer), "{older} {newer}");
        }
    }
}
