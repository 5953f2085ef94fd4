//! Where things are: the repository, its target directory, and what the tasks leave in it.

use crate::process;
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository this xtask was built from.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo, so that `CARGO_TARGET_DIR` and configuration files count.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("the xtask is not where it should be: two folders below the root of the repository")?
            .to_owned();
        let metadata = metadata(&root)?;
        let target = metadata
            .get("target_directory")
            .and_then(Value::as_str)
            .context("cargo metadata did not name the target directory")?;
        Ok(Self { target: PathBuf::from(target), root })
    }

    /// Folder of the repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the workspace of the plugins.
    pub(crate) fn plugin_sources(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// Where cargo builds the plugins.
    pub(crate) fn plugin_target(&self) -> PathBuf {
        self.target.join("plugins-build")
    }

    /// Where the finished components are.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.target.join("plugins")
    }

    /// Where the example handler is built in its languages, with the tools for that.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// The Python environment of the tests.
    pub(crate) fn venv(&self) -> PathBuf {
        self.target.join("venv")
    }

    /// Folder of the workspace of the bench.
    pub(crate) fn load(&self) -> PathBuf {
        self.root.join("tests/load")
    }

    /// Where the bench keeps its results and what it installs.
    pub(crate) fn bench_results(&self) -> PathBuf {
        self.target.join("bench")
    }

    /// Where the soaks leave their figures.
    pub(crate) fn soak_results(&self) -> PathBuf {
        self.target.join("soak")
    }

    /// The Python environment of the bench.
    pub(crate) fn bench_venv(&self) -> PathBuf {
        self.target.join("bench-venv")
    }

    /// Folder of the binaries of the release profile.
    pub(crate) fn released(&self) -> PathBuf {
        self.target.join("release")
    }

    /// A binary of the dev profile.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// A cargo command at the root of the repository.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = cargo(&self.root);
        command.args(arguments);
        command
    }

    /// A cargo command in the workspace of the bench, which shares the target directory of the repository and what is
    /// compiled there.
    pub(crate) fn load_cargo<'a>(&self, task: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = cargo(&self.load());
        command.arg(task).arg("--target-dir").arg(&self.target).args(arguments);
        command
    }

    /// A cargo command in the workspace of the plugins. What is set for the host's build (flags, target, target
    /// directory) must not reach a build for WebAssembly.
    pub(crate) fn plugin_cargo<'a>(&self, task: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = cargo(&self.plugin_sources());
        command.arg(task).arg("--target-dir").arg(self.plugin_target()).args(arguments);
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command
    }
}

/// `cargo metadata` of a workspace, without its dependencies.
pub(crate) fn metadata(folder: &Path) -> anyhow::Result<Value> {
    let mut command = cargo(folder);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let text = process::output(&mut command)?;
    serde_json::from_str(&text).context("cargo metadata did not print JSON")
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    // What `cargo xtask` is given about the xtask itself. Build scripts that look at these would run again, and all that
    // depends on them, whenever somebody builds once with and once without it.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(&name);
        }
    }
    command
}
