//! Where the things are that `cargo xtask test` builds.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};

/// Said wherever something is missing.
const HOW: &str = "run `cargo xtask test`, which builds everything the end-to-end tests need";

/// Folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The daemon: `DRAGOMAN_BIN`, or the dev build beside the test that runs.
///
/// # Errors
/// When there is none.
pub fn daemon() -> anyhow::Result<PathBuf> {
    built("DRAGOMAN_BIN", "the daemon", || Ok(profile_folder()?.join("dragoman")))
}

/// A simulated device by the name of its binary: in `DRAGOMAN_SIMULATORS`, or the dev build beside the test that runs.
///
/// # Errors
/// When there is none.
pub fn simulator(name: &str) -> anyhow::Result<PathBuf> {
    let folder = built("DRAGOMAN_SIMULATORS", "the folder of the simulators", profile_folder)?;
    let path = folder.join(name);
    ensure!(path.exists(), "the simulator {name} is missing in {}: {HOW}", folder.display());
    Ok(path)
}

/// The folder of the plugins: `DRAGOMAN_PLUGINS`, or `plugins` in the target directory.
///
/// # Errors
/// When there is none.
pub fn plugins() -> anyhow::Result<PathBuf> {
    built("DRAGOMAN_PLUGINS", "the folder of built plugins", || Ok(profile_folder()?.join("../plugins")))
}

/// The folder of the example handler in its languages: `DRAGOMAN_GUESTS`, or `guests` in the target directory.
///
/// # Errors
/// When there is none.
pub fn guests() -> anyhow::Result<PathBuf> {
    built("DRAGOMAN_GUESTS", "the folder of the example handlers", || Ok(profile_folder()?.join("../guests")))
}

/// The Python that has the pinned clients: `DRAGOMAN_PYTHON`, or the environment in the target directory.
///
/// # Errors
/// When there is none.
pub fn python() -> anyhow::Result<PathBuf> {
    built("DRAGOMAN_PYTHON", "the Python environment of the tests", || Ok(profile_folder()?.join("../venv/bin/python")))
}

fn built(variable: &str, what: &str, beside: impl FnOnce() -> anyhow::Result<PathBuf>) -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => beside()?,
    };
    ensure!(path.exists(), "{what} is missing at {}: {HOW}", path.display());
    Ok(path)
}

/// `target/debug`: tests run from its folder `deps`.
pub(crate) fn profile_folder() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("asking for the path of the test")?;
    let folder = test.ancestors().nth(2).context("the test is not in a target directory")?;
    Ok(folder.to_owned())
}
