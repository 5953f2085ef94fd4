//! Builds the plugins in their own workspace and puts the components where a gateway finds them.

use crate::process::{self, say};
use crate::tools::{self, GUEST_TARGET};
use crate::workspace::{Workspace, metadata};
use anyhow::{Context, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Builds every plugin and copies it to the plugin folder.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    tools::check_toolchain(workspace)?;
    say("building the plugins");
    let components = components(&metadata(&workspace.plugin_sources())?);
    if components.is_empty() {
        bail!("no crate under {} is a cdylib, so there is no plugin to build", workspace.plugin_sources().display());
    }
    let mut command = workspace.plugin_cargo("build", ["--release", "--target", GUEST_TARGET]);
    for component in &components {
        command.args(["--package", &component.package]);
    }
    process::run(&mut command)?;
    let built = workspace.plugin_target().join(GUEST_TARGET).join("release");
    fs::create_dir_all(workspace.plugins())
        .with_context(|| format!("making the folder {}", workspace.plugins().display()))?;
    for component in &components {
        let file = workspace.plugins().join(format!("{}.wasm", component.package));
        replace(&built.join(format!("{}.wasm", component.library)), &file)?;
        eprintln!("  {}", file.display());
    }
    Ok(())
}

/// A crate that becomes a component.
struct Component {
    package: String,
    /// Name of its library target, which is the file name that cargo gives it.
    library: String,
}

fn components(metadata: &Value) -> Vec<Component> {
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_component = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"));
            if let (true, Some(package), Some(library)) =
                (is_component, package["name"].as_str(), target["name"].as_str())
            {
                found.push(Component { package: package.to_owned(), library: library.replace('-', "_") });
            }
        }
    }
    found
}

/// Puts a file in the place of another in one step: a gateway that watches the folder never sees half of it.
fn replace(from: &Path, to: &Path) -> anyhow::Result<()> {
    if same_content(from, to) {
        return Ok(());
    }
    let partial = to.with_extension("partial");
    fs::copy(from, &partial)
        .and_then(|_| fs::rename(&partial, to))
        .with_context(|| format!("copying {} to {}", from.display(), to.display()))
}

fn same_content(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
