//! Plugins are replaced, damaged, half written, removed and put back while commands are in flight.
//!
//! A dialect and a handler of three steps are swapped in turn. What is asserted: no command fails, each conversation ends
//! with the version of the handler that began it, a file that does not fit never serves, and nothing is held at the end.
//! `DRAGOMAN_RELOAD_SWAPS` says how many swaps; CONTRIBUTING.md has the command for the long form.

use anyhow::{Context, bail, ensure};
use dragoman_e2e::devices::{FLEETS_BOX, HUAWEI_BOX, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Admin, Fleets, World};
use dragoman_simulators::Behaviour;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

const SWAPS: usize = 10;
const DIALECT: &str = "emqx-fleets";
const HANDLER: &str = "lockbox";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_fails_while_plugins_are_replaced_damaged_removed_and_put_back() -> anyhow::Result<()> {
    let swaps = match std::env::var("DRAGOMAN_RELOAD_SWAPS") {
        Ok(text) => text.parse().context("DRAGOMAN_RELOAD_SWAPS is no number")?,
        Err(_) => SWAPS,
    };
    let mut world = World::start().await?;
    let folder = world.daemon.own_plugins()?;
    world.daemon.kill().await?;
    world.daemon.start_again().await?;
    let _devices = [
        world.thing(THERMOSTAT, Behaviour::Answer).await?,
        world.thing(FLEETS_BOX, Behaviour::Lockbox).await?,
        world.device(HUAWEI_BOX, Behaviour::Lockbox).await?,
    ];
    let (stop, stopped) = watch::channel(false);
    // Held by who gives a command while it is accepted; the dialect is removed when nobody does.
    let gate = Arc::new(Mutex::new(()));
    let load = |device: &'static str, action: &'static str, params: Value| {
        let (admin, fleets, gate) = (world.admin.clone(), world.fleets.clone(), gate.clone());
        tokio::spawn(command(admin, fleets, device, action, params, gate, stopped.clone()))
    };
    let mut loads = vec![
        load(THERMOSTAT, "setTemperature", json!({ "value": 21 })),
        load(FLEETS_BOX, "setLevel", json!({ "level": 7, "pin": "1234" })),
        load(HUAWEI_BOX, "setLevel", json!({ "level": 9, "pin": "1234" })),
    ];
    let mut swapped = Swapped::new(folder, &world.admin, gate)?;
    for number in 0..swaps {
        swapped.swap(number).await.with_context(|| format!("swap {number}:\n{}", world.daemon.log_tail()))?;
        if let Some(ended) = loads.iter().position(tokio::task::JoinHandle::is_finished) {
            let why = loads.swap_remove(ended).await.context("the load panicked")?.err();
            bail!("a command failed in swap {number}: {why:?}\n{}", world.daemon.log_tail());
        }
    }
    stop.send_replace(true);
    let mut versions = BTreeSet::new();
    for load in loads {
        let given = load.await.context("the load panicked")??;
        ensure!(given.commands > swaps, "only {} commands were given", given.commands);
        versions.extend(given.versions);
    }
    ensure!(versions.len() > swaps / 5, "of the handler only {versions:?} worked");
    wait::until("nothing older is held", SOON, || async {
        let plugins = world.admin.get("/v1/plugins").await?.expect(200)?;
        Ok((plugins["older"] == json!([])).then_some(()))
    })
    .await?;
    let kept = world.daemon.folder().join("data/plugins-kept");
    wait::until("only copies of what serves are kept", SOON, || async {
        let plugins = world.admin.get("/v1/plugins").await?.expect(200)?;
        let copies = fs::read_dir(&kept)?.filter_map(|file| Some(file.ok()?.path()));
        let copies = copies.filter(|file| file.extension().is_some_and(|end| end == "wasm")).count();
        Ok((Some(copies) == plugins["loaded"].as_array().map(Vec::len)).then_some(()))
    })
    .await
}

/// What one load came to.
struct Given {
    commands: usize,
    /// Digests of the handler.
    versions: BTreeSet<String>,
}

/// Gives one command after the other until it is told to stop. Fails where one does not succeed, or two versions of the
/// handler worked on one.
async fn command(
    admin: Admin,
    fleets: Fleets,
    device: &str,
    action: &str,
    params: Value,
    gate: Arc<Mutex<()>>,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Given> {
    let mut given = Given { commands: 0, versions: BTreeSet::new() };
    while !*stopped.borrow() {
        let turn = gate.lock().await;
        let id = fleets.accepted(device, action, &params, 60).await?;
        drop(turn);
        // By the operator's API: that of the dialect is not there while its plugin is removed.
        let ended = admin.ended(&id).await?;
        ensure!(ended["state"] == "SUCCEEDED", "{device}: {ended}");
        match &ended["plugins"][HANDLER] {
            Value::Null => {}
            Value::String(version) => {
                given.versions.insert(version.clone());
            }
            several => bail!("{device}: several versions of the handler worked on one command: {several}"),
        }
        given.commands += 1;
    }
    Ok(given)
}

/// The two plugins that are swapped.
struct Swapped<'a> {
    folder: PathBuf,
    admin: &'a Admin,
    gate: Arc<Mutex<()>>,
    /// As they were built.
    built: [(&'static str, Vec<u8>); 2],
}

impl<'a> Swapped<'a> {
    fn new(folder: PathBuf, admin: &'a Admin, gate: Arc<Mutex<()>>) -> anyhow::Result<Self> {
        let read = |name| fs::read(file_of(&folder, name)).context("reading a plugin");
        let built = [(HANDLER, read(HANDLER)?), (DIALECT, read(DIALECT)?)];
        Ok(Self { folder, admin, gate, built })
    }

    /// One kind of change after the other, of either plugin in turn.
    async fn swap(&mut self, number: usize) -> anyhow::Result<()> {
        let (name, wasm) = &self.built[number / 5 % 2];
        let file = file_of(&self.folder, name);
        let newer = variant(wasm, number);
        match number % 5 {
            0 => {
                rename_in(&file, &newer)?;
                self.serves(name, &newer).await
            }
            // Of another contract: refused, and what served serves.
            1 => {
                rename_in(&file, &of_another_contract(wasm))?;
                self.refuses(name, "contract").await
            }
            2 => {
                rename_in(&file, &corrupt(newer))?;
                self.refuses(name, "component").await
            }
            3 => {
                fs::write(&file, &newer[..newer.len() / 2])?;
                self.refuses(name, "component").await?;
                fs::write(&file, &newer)?;
                self.serves(name, &newer).await
            }
            _ => self.remove_and_put_back(name, &file, &newer).await,
        }
    }

    /// Removed while commands are in flight, which end; those that have yet to begin wait until it is back. While there is no
    /// dialect nobody gives commands: there is no one to take them.
    async fn remove_and_put_back(&self, name: &str, file: &Path, newer: &[u8]) -> anyhow::Result<()> {
        let _nobody_commands = match name {
            DIALECT => Some(self.gate.lock().await),
            _ => None,
        };
        fs::remove_file(file)?;
        let is_gone = |plugins: &Value| version(plugins, name).is_none();
        self.until(&format!("{name} is gone"), is_gone).await?;
        rename_in(file, newer)?;
        self.serves(name, newer).await
    }

    async fn serves(&self, name: &str, wasm: &[u8]) -> anyhow::Result<()> {
        let digest = format!("{:x}", Sha256::digest(wasm));
        let serves = |plugins: &Value| version(plugins, name) == Some(&digest) && plugins["refused"] == json!([]);
        self.until(&format!("{name} serves as {digest}"), serves).await
    }

    /// The file is refused for that step, and a version of the plugin serves.
    async fn refuses(&self, name: &str, step: &str) -> anyhow::Result<()> {
        let refused = |plugins: &Value| {
            let file = &plugins["refused"][0];
            let is_it = file["file"].as_str().is_some_and(|path| path.ends_with(&format!("{name}.wasm")));
            is_it && file["step"] == step && version(plugins, name).is_some()
        };
        self.until(&format!("{name} is refused for its {step}"), refused).await
    }

    async fn until(&self, what: &str, stands: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        wait::until(what, SOON, || async {
            let plugins = self.admin.get("/v1/plugins").await?.expect(200)?;
            Ok(stands(&plugins).then_some(()))
        })
        .await
    }
}

/// The digest of the version that serves.
fn version<'p>(plugins: &'p Value, name: &str) -> Option<&'p str> {
    let loaded = plugins["loaded"].as_array()?.iter().find(|plugin| plugin["name"] == name)?;
    loaded["digest"].as_str()
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}

/// As an operator should replace a file.
fn rename_in(file: &Path, wasm: &[u8]) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    fs::write(&beside, wasm).context("writing beside")?;
    fs::rename(&beside, file).context("renaming")
}

/// The same plugin under another digest: with a custom section at its end.
fn variant(wasm: &[u8], number: usize) -> Vec<u8> {
    let [low, high, ..] = number.to_le_bytes();
    [wasm, &[0, 4, 1, b'v', low, high]].concat()
}

fn of_another_contract(wasm: &[u8]) -> Vec<u8> {
    let (from, to) = (b"@0.1.0-draft", b"@9.1.0-draft");
    let mut other = wasm.to_vec();
    for at in 0..other.len().saturating_sub(from.len()) {
        if other[at..].starts_with(from) {
            other[at..at + to.len()].copy_from_slice(to);
        }
    }
    other
}

/// Cut off, and with something else behind the cut.
fn corrupt(mut wasm: Vec<u8>) -> Vec<u8> {
    wasm.truncate(wasm.len() * 3 / 4);
    wasm.extend([0xff; 64]);
    wasm
}
