//! The folder of plugins: files go in, are called, and go out again, and what came of it is compared.

use crate::corrupt::{Chance, corrupt};
use crate::guests::{Act, Came, Guest};
use anyhow::{Context, ensure};
use dragoman_e2e::metrics::Metrics;
use dragoman_e2e::{Admin, World, http, wait};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SEED: u64 = 0x00D1_A60B_A202_6112;
/// All files of a run are compiled one after the other, beside the load.
const LOADED_WITHIN: Duration = Duration::from_secs(300);
/// Plugins that serve beside the hostile ones.
const STEPS: [&str; 5] = ["component", "contract", "describe", "grants", "claims"];

pub(crate) struct Den {
    folder: PathBuf,
    admin: Admin,
    http: reqwest::Client,
    base: String,
}

impl Den {
    /// Gives the daemon a folder of its own, and starts it again with it.
    pub(crate) async fn new(world: &mut World) -> anyhow::Result<Self> {
        let folder = world.daemon.own_plugins()?;
        world.daemon.kill().await?;
        world.daemon.start_again().await?;
        let base = format!("http://{}", world.daemon.listeners().http);
        Ok(Self { folder, admin: world.admin.clone(), http: http::client()?, base })
    }

    /// Drops all of them in, calls each that serves, and takes them out.
    pub(crate) async fn meets(&self, world: &World, guests: &[Guest]) -> anyhow::Result<()> {
        for guest in guests {
            put(&self.file(&guest.name), &guest.wasm)?;
        }
        for guest in guests {
            let what = || format!("{}\n{}", guest.name, world.daemon.log_tail());
            self.stands(guest).await.with_context(what)?;
        }
        for guest in guests {
            let came = match guest.act {
                Act::Load(..) => Ok(()),
                Act::Command(came) => self.commanded(world, &guest.name, came).await,
                Act::Request(came) => self.requested(&guest.name, came).await,
            };
            came.with_context(|| format!("{}\n{}", guest.name, world.daemon.log_tail()))?;
        }
        self.empty(guests.iter().map(|guest| guest.name.clone())).await
    }

    /// Drops corruptions of a good handler in. Each is refused at a step, or was changed where nobody can tell and has the
    /// name of the good one, which serves on.
    pub(crate) async fn meets_corruptions(&self, built: &Path, count: usize) -> anyhow::Result<()> {
        let good = fs::read(built.join("stepper.wasm")).context("reading the good plugin")?;
        let mut chance = Chance(SEED);
        put(&self.file("a-good"), &good)?;
        self.until("the good plugin serves", |plugins| loaded(plugins, "stepper").is_some()).await?;
        let names: Vec<_> = (0..count).map(|number| format!("corrupt-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            put(&self.file(name), &corrupt(&good, number, &mut chance))?;
        }
        let plugins = self.until("every corruption is refused", |plugins| refused(plugins).len() == count).await?;
        for file in refused(&plugins) {
            let step = file["step"].as_str().unwrap_or_default();
            ensure!(STEPS.contains(&step), "{file}");
            ensure!(
                step != "claims" || reason(file).contains("describes itself as `stepper`, as a-good.wasm"),
                "{file}"
            );
        }
        ensure!(loaded(&plugins, "stepper").is_some_and(|good| ends_with(good, "a-good.wasm")), "{plugins}");
        self.empty(names.into_iter().chain(["a-good".to_owned()])).await
    }

    /// It serves, or is refused as it must be.
    async fn stands(&self, guest: &Guest) -> anyhow::Result<()> {
        let file = format!("{}.wasm", guest.name);
        let refusal = |plugins: &Value| refused(plugins).into_iter().find(|one| ends_with(one, &file)).cloned();
        let stands = |plugins: &Value| loaded(plugins, &guest.name).is_some() || refusal(plugins).is_some();
        let plugins = self.until("it is loaded or refused", stands).await?;
        match (guest.act, refusal(&plugins)) {
            (Act::Load(step, text), Some(refusal)) => {
                ensure!(refusal["step"] == step && reason(&refusal).contains(text), "refused otherwise: {refusal}");
            }
            (Act::Load(..), None) => anyhow::bail!("it serves"),
            (Act::Command(_) | Act::Request(_), refusal) => ensure!(refusal.is_none(), "refused: {refusal:?}"),
        }
        Ok(())
    }

    /// A command to the device whose handler it is: the answer in the words of the platform, the record, the metric.
    async fn commanded(&self, world: &World, name: &str, came: Came) -> anyhow::Result<()> {
        let before = self.admin.metrics().await?;
        let answer = world.huawei.command(name, "ON_OFF", &json!({ "value": 1 })).await?;
        let listed = self.admin.get(&format!("/v1/executions?device={name}&limit=1")).await?.expect(200)?;
        let id = listed["items"][0]["id"].as_str().with_context(|| format!("no execution: {listed}"))?.to_owned();
        let execution = self.admin.ended(&id).await?;
        let faults = |code: &'static str| self.faults(&before, name, code);
        match came {
            Came::Fault(code) => {
                let failed = answer.expect(500)?;
                ensure!(failed["error_code"] == "IOTDA.000001", "{failed}");
                ensure!(execution["state"] == "FAILED" && execution["reason"]["code"] == code, "{execution}");
                let text = execution["reason"]["text"].as_str().unwrap_or_default();
                ensure!(text.contains(&format!("plugin {name} ")) && text.contains("handler.start"), "{text}");
                ensure!(faults(code).await? == 1.0, "the fault was not counted once");
            }
            Came::Answer(text) => {
                answer.expect(200)?;
                ensure!(execution["state"] == "SUCCEEDED" && execution.to_string().contains(text), "{execution}");
                ensure!(faults("").await? == 0.0, "a fault was counted");
            }
        }
        Ok(())
    }

    /// A request to its route.
    async fn requested(&self, name: &str, came: Came) -> anyhow::Result<()> {
        let before = self.admin.metrics().await?;
        let answer = http::send(self.http.post(format!("{}/{name}/x", self.base)).body("x")).await?;
        let faults = |code: &'static str| self.faults(&before, name, code);
        match came {
            Came::Fault(code) => {
                ensure!((500..=504).contains(&answer.status), "answered {}: {}", answer.status, answer.text);
                ensure!(answer.text.len() < 1000, "the answer has {} bytes", answer.text.len());
                ensure!(faults(code).await? == 1.0, "the fault was not counted once");
                let done = self.admin.get("/v1/executions?device=d1&limit=1").await?;
                ensure!(!done.text.contains(name), "something of it was kept: {}", done.text);
            }
            Came::Answer(text) => {
                ensure!(answer.status == 200 && answer.text.contains(text), "{} {}", answer.status, answer.text);
                ensure!(faults("").await? == 0.0, "a fault was counted");
            }
        }
        Ok(())
    }

    /// How many faults of a plugin were counted since, with that code, or any.
    async fn faults(&self, before: &Metrics, plugin: &str, code: &str) -> anyhow::Result<f64> {
        let mut labels = vec![("plugin", plugin)];
        labels.extend((!code.is_empty()).then_some(("code", code)));
        let now = self.admin.metrics().await?;
        Ok(now.sum("dragoman_plugin_faults_total", &labels) - before.sum("dragoman_plugin_faults_total", &labels))
    }

    /// Takes files out and waits until nothing of them is left.
    async fn empty(&self, names: impl Iterator<Item = String>) -> anyhow::Result<()> {
        let names: Vec<_> = names.collect();
        for name in &names {
            fs::remove_file(self.file(name)).with_context(|| format!("removing {name}"))?;
        }
        let gone = |plugins: &Value| {
            let none = |list: &str| plugins[list] == json!([]);
            none("refused") && none("older") && names.iter().all(|name| loaded(plugins, name).is_none())
        };
        self.until("the folder is as it was", gone).await.map(drop)
    }

    async fn until(&self, what: &str, stands: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let seen = std::cell::RefCell::new(Value::Null);
        let stood = wait::until(what, LOADED_WITHIN, || async {
            let plugins = self.admin.get("/v1/plugins").await?.expect(200)?;
            seen.replace(plugins.clone());
            Ok(stands(&plugins).then_some(plugins))
        });
        stood.await.with_context(|| seen.borrow().to_string())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }
}

/// As an operator should: written beside, and renamed.
fn put(file: &Path, wasm: &[u8]) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    fs::write(&beside, wasm).context("writing beside")?;
    fs::rename(&beside, file).context("renaming")
}

fn loaded<'p>(plugins: &'p Value, name: &str) -> Option<&'p Value> {
    plugins["loaded"].as_array()?.iter().find(|plugin| plugin["name"] == name)
}

fn refused(plugins: &Value) -> Vec<&Value> {
    plugins["refused"].as_array().into_iter().flatten().collect()
}

fn reason(file: &Value) -> &str {
    file["reason"].as_str().unwrap_or_default()
}

fn ends_with(plugin: &Value, file: &str) -> bool {
    plugin["file"].as_str().is_some_and(|path| Path::new(path).ends_with(file))
}
