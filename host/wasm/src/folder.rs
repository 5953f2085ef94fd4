//! The folder of plugins, watched: the catalogue follows what stands in it.

use crate::catalog::{Catalog, RefusedFile};
use crate::files::SETTLE;
use crate::in_flight::InFlight;
use crate::one_line::one_line;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::refusal::LoadStep;
use crate::runtime::Runtime;
use crate::scan::{Folder, Look};
use crate::telemetry;
use arc_swap::ArcSwap;
use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// The folder is looked at this often also when nothing was heard: some file systems tell nothing.
const RESCAN: Duration = Duration::from_secs(10);
/// As often while versions are held that are not the newest: one that nobody needs any more is given back.
const RESCAN_HOLDING: Duration = Duration::from_secs(1);
/// Looks that one request for a look may lead to while files have yet to settle.
const LOOKS_MAX: usize = 20;
/// Looks that may be asked for before the first of them begins.
const REQUESTS_MAX: usize = 16;

/// The plugins of one folder. Dropping it stops the watching; plugins that somebody holds go on.
pub struct PluginFolder {
    catalog: Arc<ArcSwap<Catalog>>,
    changes: watch::Receiver<Arc<Catalog>>,
    requests: mpsc::Sender<Request>,
    asked: Asked,
    task: JoinHandle<()>,
}

/// What is wanted of the folder.
enum Request {
    /// Something happened in it.
    Look,
    /// Somebody waits until everything in it has settled and was looked at.
    LookNow(oneshot::Sender<()>),
    /// Commands of the last run need these versions, by name and digest.
    Recall(Vec<(String, String)>, oneshot::Sender<Vec<LostVersion>>),
    /// Everything that the last run left open is known.
    Recovered(oneshot::Sender<()>),
}

/// A version that a command needs and that is nowhere kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostVersion {
    /// Name of the plugin.
    pub plugin: String,
    /// Digest of the version.
    pub digest: String,
    /// Why, as the end of a sentence.
    pub why: String,
}

/// Who is asked about commands on their way, once somebody has said that it can be asked.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<OnceLock<Weak<dyn InFlight>>>);

impl Asked {
    fn in_flight(&self) -> Option<Arc<dyn InFlight>> {
        self.0.get().and_then(Weak::upgrade)
    }

    pub(crate) fn needing(&self, plugin: &Plugin) -> usize {
        self.in_flight().map_or(0, |asked| asked.needing(plugin.name(), plugin.digest()))
    }

    pub(crate) async fn committed(&self) -> bool {
        match self.in_flight() {
            Some(asked) => asked.committed().await,
            None => true,
        }
    }

    pub(crate) async fn check(&self, next: &Arc<Plugin>) -> Result<(), String> {
        match self.in_flight() {
            Some(asked) => asked.check(next).await,
            None => Ok(()),
        }
    }
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the plugin folder {dir} cannot be read: {source}; create it and let the gateway's user read it")]
pub struct FolderError {
    dir: PathBuf,
    source: io::Error,
}

impl PluginFolder {
    /// Loads every plugin of the folder, which is made when it is not there, and then follows its changes. `options`
    /// are by plugin name. Files that do not fit are in [`Catalog::refused`]; only a folder that cannot be read fails.
    pub async fn open(
        runtime: Runtime,
        dir: impl Into<PathBuf>,
        options: BTreeMap<String, PluginOptions>,
    ) -> Result<Self, FolderError> {
        let dir = dir.into();
        let failed = |source| FolderError { dir: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let (requests, incoming) = mpsc::channel(REQUESTS_MAX);
        // Watching begins before the first look, so that nothing falls between them.
        let watcher = watch_folder(&dir, requests.clone());
        let asked = Asked::default();
        let mut folder = Folder::new(runtime, dir.clone(), options, asked.clone());
        let look = folder.look().await.map_err(failed)?;
        let unsettled = look.unsettled;
        tell(&Catalog::default(), &look);
        let first = Arc::new(look.catalog);
        let catalog = Arc::new(ArcSwap::from(Arc::clone(&first)));
        let (sender, changes) = watch::channel(first);
        let publish = Publish { catalog: Arc::clone(&catalog), changes: sender };
        let task = tokio::spawn(async move {
            follow(folder, incoming, publish, unsettled).await;
            drop(watcher);
        });
        Ok(Self { catalog, changes, requests, asked, task })
    }

    /// The plugins that serve now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Tells of every change. Holds the newest catalogue.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Catalog>> {
        self.changes.clone()
    }

    /// Names who knows what is open. Once, before that is asked for with [`PluginFolder::recall`].
    pub fn attach(&self, in_flight: Weak<dyn InFlight>) {
        if self.asked.0.set(in_flight).is_err() {
            tracing::error!("the plugin folder was attached twice; this is a bug in the daemon, please report it");
        }
    }

    /// Takes back versions, by name and digest, that commands of the last run need and that are not the newest: from now
    /// on they are in [`Catalog::older`]. Tells which are lost.
    pub async fn recall(&self, needed: Vec<(String, String)>) -> Vec<LostVersion> {
        let (done, waiting) = oneshot::channel();
        if self.requests.send(Request::Recall(needed, done)).await.is_err() {
            return Vec::new();
        }
        waiting.await.unwrap_or_default()
    }

    /// Says that everything that the last run left open is known: from now on new versions can be asked about it, and copies
    /// that nobody needs may go.
    pub async fn recovered(&self) {
        let (done, waiting) = oneshot::channel();
        if self.requests.send(Request::Recovered(done)).await.is_ok() {
            // An error means that the task is over, and with it every look.
            let _ = waiting.await;
        }
    }

    /// Looks at the folder now, without waiting for news of it, and returns when everything in it has settled and was
    /// looked at; what never settles is not waited for.
    pub async fn rescan(&self) {
        let (done, waiting) = oneshot::channel();
        if self.requests.send(Request::LookNow(done)).await.is_ok() {
            // An error means that the task is over, and with it every look.
            let _ = waiting.await;
        }
    }
}

impl Drop for PluginFolder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Publish {
    catalog: Arc<ArcSwap<Catalog>>,
    changes: watch::Sender<Arc<Catalog>>,
}

/// Looks whenever something happened, somebody asks, or enough time went by.
async fn follow(mut folder: Folder, mut requests: mpsc::Receiver<Request>, publish: Publish, mut unsettled: bool) {
    loop {
        let pause = if folder.holds_older() { RESCAN_HOLDING } else { RESCAN };
        let request = tokio::select! {
            request = requests.recv() => Some(request),
            () = folder.wait(), if unsettled => None,
            () = tokio::time::sleep(pause) => None,
        };
        match request {
            Some(Some(Request::Look)) | None => unsettled = look(&mut folder, &publish).await,
            Some(Some(Request::LookNow(done))) => {
                unsettled = look(&mut folder, &publish).await;
                let mut looks = 1;
                while unsettled && looks < LOOKS_MAX {
                    // However long that takes: it ends when the file goes.
                    looks += usize::from(!folder.is_loading());
                    folder.wait().await;
                    unsettled = look(&mut folder, &publish).await;
                }
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
            Some(Some(Request::Recovered(done))) => {
                folder.recovered();
                unsettled = look(&mut folder, &publish).await;
                let _ = done.send(());
            }
            Some(Some(Request::Recall(needed, done))) => {
                let lost = folder.recall(needed).await;
                unsettled = look(&mut folder, &publish).await;
                let _ = done.send(lost);
            }
            Some(None) => return,
        }
    }
}

/// Tells whether something has yet to settle.
async fn look(folder: &mut Folder, publish: &Publish) -> bool {
    match folder.look().await {
        Ok(look) => {
            let unsettled = look.unsettled;
            publish.publish(look);
            unsettled
        }
        Err(error) => {
            tracing::error!("the plugin folder cannot be read, what serves goes on: {error}");
            false
        }
    }
}

impl Publish {
    fn publish(&self, look: Look) {
        if look.changed {
            tell(&self.catalog.load(), &look);
            let catalog = Arc::new(look.catalog);
            self.catalog.store(Arc::clone(&catalog));
            self.changes.send_replace(catalog);
        }
    }
}

/// Says in the log and the metrics what is different now.
fn tell(before: &Catalog, look: &Look) {
    let Catalog { plugins, refused, older, .. } = &look.catalog;
    telemetry::folder(plugins.len(), refused.len(), older.len());
    for (name, plugin) in plugins {
        let known = before.plugins.get(name).is_some_and(|earlier| Arc::ptr_eq(earlier, plugin));
        if !known {
            let (version, digest) = (plugin.version(), plugin.digest());
            tracing::info!(plugin = %name, version, digest, file = %shown(plugin.file()), "plugin {name} serves");
        }
    }
    for name in before.plugins.keys().filter(|name| !plugins.contains_key(*name)) {
        tracing::info!(plugin = %name, "plugin {name} is gone");
    }
    // What of the open commands cannot be read changes as they end, and is no news.
    let same = |one: &RefusedFile, other: &RefusedFile| {
        one.file == other.file
            && one.step == other.step
            && (one.step == LoadStep::Contexts || one.reason == other.reason)
    };
    for file in refused.iter().filter(|file| !before.refused.iter().any(|known| same(file, known))) {
        telemetry::refused(file.step);
        tracing::error!(file = %shown(&file.file), step = file.step.word(), "plugin refused: {}", file.reason);
    }
}

/// A path in the log, whatever it is made of.
fn shown(file: &Path) -> String {
    one_line(&file.to_string_lossy()).into_owned()
}

/// Asks for a look when a file has settled. Without news from the file system the regular looks must do.
fn watch_folder(
    dir: &Path,
    requests: mpsc::Sender<Request>,
) -> Option<Debouncer<notify::RecommendedWatcher, RecommendedCache>> {
    let heard = move |_: DebounceEventResult| {
        // A full queue holds looks that have not begun, and any of them sees this change.
        let _ = requests.try_send(Request::Look);
    };
    let watching = new_debouncer(SETTLE, None, heard).and_then(|mut debouncer| {
        debouncer.watch(dir, RecursiveMode::NonRecursive)?;
        Ok(debouncer)
    });
    watching
        .inspect_err(|error| {
            let seconds = RESCAN.as_secs();
            tracing::warn!(folder = %dir.display(), "no news of the plugin folder, it is read every {seconds} s: {error}");
        })
        .ok()
}
