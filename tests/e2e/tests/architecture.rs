//! The lines of the architecture that a compiler does not hold: who may depend on whom, and which words stand where.

use anyhow::Context;
use dragoman_e2e::paths::repository;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every crate of the host and those of ours that it may depend on.
const HOST: &[(&str, &[&str])] = &[
    ("dragoman-core", &[]),
    ("dragoman-store", &["dragoman-core"]),
    ("dragoman-wasm", &["dragoman-core"]),
    ("dragoman-mqtt", &["dragoman-core"]),
    ("dragoman", &["dragoman-core", "dragoman-store", "dragoman-wasm", "dragoman-mqtt"]),
];

/// Crates that a plugin may depend on of ours.
const SDKS: &[&str] = &["dragoman-plugin-sdk"];

/// Names of platforms. The host knows none, not even in its tests: whatever is particular to one is in a plugin.
const PLATFORMS: &[&str] = &[
    "huawei",
    "iotda",
    "fleets",
    "emqx",
    "connio",
    "csipio",
    "devicehive",
    "chirpstack",
    "lorawan",
    "the-things",
    "the things",
];

#[test]
fn crates_of_the_host_depend_only_on_what_they_may() -> anyhow::Result<()> {
    let found = dependencies(&repository())?;
    for (name, allowed) in HOST {
        let ours = found.get(*name).with_context(|| format!("there is no crate {name}"))?;
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert!(ours.is_subset(&allowed), "{name} depends on {ours:?}, but of ours it may only use {allowed:?}");
    }
    let known: BTreeSet<_> = HOST.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, ours) in &found {
        let outside_of_host = !known.contains(name);
        assert!(outside_of_host || ours.is_subset(&known), "{name} depends on {ours:?}, which is no crate of the host");
    }
    Ok(())
}

#[test]
fn plugins_depend_on_the_sdks_only() -> anyhow::Result<()> {
    for (name, ours) in dependencies(&repository().join("plugins"))? {
        for dependency in &ours {
            assert!(SDKS.contains(&dependency.as_str()), "plugin crate {name} depends on {dependency}");
        }
    }
    Ok(())
}

#[test]
fn the_host_names_no_platform() -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    for file in files(&repository().join("host"))? {
        let name = file.strip_prefix(repository())?.display().to_string();
        // What is no text has no words; a name of a platform in a file's own name counts too.
        let text = String::from_utf8_lossy(&fs::read(&file)?).to_lowercase();
        looked_at += 1;
        for (number, line) in std::iter::once(&*name.to_lowercase()).chain(text.lines()).enumerate() {
            if let Some(platform) = PLATFORMS.iter().find(|platform| line.contains(**platform)) {
                found.push(format!("{name}:{number}: {platform}"));
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} files were looked at, so nothing is shown");
    assert!(found.is_empty(), "the host must know no platform; a plugin does:\n{}", found.join("\n"));
    Ok(())
}

/// Of each crate of a workspace, the crates with a path that it depends on, development dependencies left out.
fn dependencies(workspace: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace)
        .output()
        .context("running cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    Ok(packages
        .iter()
        .map(|package| {
            let ours = package["dependencies"].as_array().into_iter().flatten();
            let ours = ours.filter(|dependency| dependency["path"].is_string() && dependency["kind"] != "dev");
            (text(&package["name"]), ours.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect())
}

/// Every file below a folder but what building left there.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path)?);
            }
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
