//! Files that are loaded aside while what serves is looked after: one at a time, two at a start.

use crate::files::shown;
use crate::kept;
use crate::load::load;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::refusal::{Again, LoadStep, Refusal};
use crate::runtime::Runtime;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Files that are loaded at the same time at a start: one that is dear does not hold up the next. Beside commands it is
/// one, or the compilers would take from those what they need.
const AT_ONCE: usize = 2;

/// What the contents of a file came to.
pub(super) type Loaded = Result<Arc<Plugin>, Refusal>;

/// Makes plugins of files.
#[derive(Clone)]
pub(super) struct Loader {
    pub(super) runtime: Runtime,
    pub(super) options: Arc<BTreeMap<String, PluginOptions>>,
    turns: Arc<Semaphore>,
}

impl Loader {
    pub(super) fn new(runtime: Runtime, options: BTreeMap<String, PluginOptions>) -> Self {
        Self { runtime, options: Arc::new(options), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The start is over: from now on one file at a time.
    pub(super) fn give_way(&self) {
        let turns = Arc::clone(&self.turns);
        tokio::spawn(async move {
            // It is never closed.
            if let Ok(turn) = turns.acquire_owned().await {
                turn.forget();
            }
        });
    }

    /// Loads a version and keeps a copy of it.
    pub(super) async fn load(&self, file: &Path, wasm: Arc<[u8]>, digest: String) -> Loaded {
        // It is never closed.
        let turn = self.turns.acquire().await.ok();
        let plugin = self.load_only(file, &wasm, digest.clone()).await?;
        drop(turn);
        self.keep(file, digest, wasm).await?;
        Ok(Arc::new(plugin))
    }

    /// Loads a version of which there is a copy. It waits for no turn, because commands wait for it.
    pub(super) async fn load_only(&self, file: &Path, wasm: &Arc<[u8]>, digest: String) -> Result<Plugin, Refusal> {
        load(&self.runtime, file, wasm, digest, &self.options).await
    }

    /// Keeps a copy of a version before it serves, so that no command can come to need one that is nowhere kept.
    async fn keep(&self, file: &Path, digest: String, wasm: Arc<[u8]>) -> Result<(), Refusal> {
        let Some(dir) = self.runtime.0.options.kept_dir.clone() else { return Ok(()) };
        let folder = dir.display().to_string();
        let kept = tokio::task::spawn_blocking(move || kept::keep(&dir, &digest, &wasm)).await;
        let failed = |error: &dyn Display| {
            let shown = shown(file);
            let reason = format!(
                "{shown} cannot serve, because no copy of it can be kept in {folder} for the commands that it begins: \
                 {error}; make room there or let the gateway's user write there; it is tried again every few seconds"
            );
            Refusal::new(LoadStep::Keep, reason).again(Again::Later)
        };
        kept.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

/// Contents that are being loaded. Whoever drops it ends that, and the compiler with it.
pub(super) struct Loading {
    file: PathBuf,
    task: JoinHandle<Loaded>,
    loaded: Option<Loaded>,
}

impl Loading {
    pub(super) fn begin(loader: &Loader, file: &Path, wasm: Arc<[u8]>, digest: String) -> Self {
        let (loader, file) = (loader.clone(), file.to_owned());
        let loading = file.clone();
        let task = tokio::spawn(async move { loader.load(&loading, wasm, digest).await });
        Self { file, task, loaded: None }
    }

    /// Waits for the end. Nothing is lost where the waiting ends before.
    pub(super) async fn wait(&mut self) {
        if self.loaded.is_none() {
            let ended = (&mut self.task).await;
            self.loaded = Some(ended.unwrap_or_else(|error| {
                let reason = format!("{} could not be loaded: {error}; please report this", shown(&self.file));
                Err(Refusal::new(LoadStep::Component, reason))
            }));
        }
    }

    /// What it came to, once it is over.
    pub(super) async fn over(&mut self) -> Option<Loaded> {
        if self.task.is_finished() {
            self.wait().await;
        }
        self.loaded.take()
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.task.abort();
    }
}
