//! The folder of plugins, watched: the catalogue follows what stands in it.

use crate::catalog::Catalog;
use crate::options::PluginOptions;
use crate::runtime::Runtime;
use crate::scan::{Folder, Look};
use crate::telemetry;
use arc_swap::ArcSwap;
use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A file is looked at when nothing has happened to it for this long.
const SETTLE: Duration = Duration::from_millis(300);
/// The folder is looked at this often also when nothing was heard: some file systems tell nothing.
const RESCAN: Duration = Duration::from_secs(10);
/// Looks that may be asked for before the first of them begins.
const REQUESTS_MAX: usize = 16;

/// The plugins of one folder. Dropping it stops the watching; plugins that somebody holds go on.
pub struct PluginFolder {
    catalog: Arc<ArcSwap<Catalog>>,
    changes: watch::Receiver<Arc<Catalog>>,
    requests: mpsc::Sender<Request>,
    task: JoinHandle<()>,
}

/// Somebody wants a look at the folder, and may want to know when it is done.
type Request = Option<oneshot::Sender<()>>;

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
        let mut folder = Folder::new(runtime, dir.clone(), options);
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
        Ok(Self { catalog, changes, requests, task })
    }

    /// The plugins that serve now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Tells of every change. Holds the newest catalogue.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Catalog>> {
        self.changes.clone()
    }

    /// Looks at the folder now, without waiting for news of it, and returns when that look is done.
    pub async fn rescan(&self) {
        let (done, waiting) = oneshot::channel();
        if self.requests.send(Some(done)).await.is_ok() {
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
        let pause = if unsettled { SETTLE } else { RESCAN };
        let request = match tokio::time::timeout(pause, requests.recv()).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(_) => None,
        };
        match folder.look().await {
            Ok(look) => {
                unsettled = look.unsettled;
                publish.publish(look);
            }
            Err(error) => tracing::error!("the plugin folder cannot be read, what serves goes on: {error}"),
        }
        if let Some(done) = request {
            // Whoever asked may have stopped waiting.
            let _ = done.send(());
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
    let Catalog { plugins, refused } = &look.catalog;
    telemetry::folder(plugins.len(), refused.len());
    for (name, plugin) in plugins {
        let known = before.plugins.get(name).is_some_and(|earlier| Arc::ptr_eq(earlier, plugin));
        if !known {
            let (version, digest) = (plugin.version(), plugin.digest());
            tracing::info!(plugin = %name, version, digest, file = %plugin.file().display(), "plugin {name} serves");
        }
    }
    for name in before.plugins.keys().filter(|name| !plugins.contains_key(*name)) {
        tracing::info!(plugin = %name, "plugin {name} is gone");
    }
    for file in refused.iter().filter(|file| !before.refused.contains(file)) {
        tracing::error!(file = %file.file.display(), "plugin refused: {}", file.reason);
    }
}

/// Asks for a look when a file has settled. Without news from the file system the regular looks must do.
fn watch_folder(
    dir: &Path,
    requests: mpsc::Sender<Request>,
) -> Option<Debouncer<notify::RecommendedWatcher, RecommendedCache>> {
    let heard = move |_: DebounceEventResult| {
        // A full queue holds looks that have not begun, and any of them sees this change.
        let _ = requests.try_send(None);
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
