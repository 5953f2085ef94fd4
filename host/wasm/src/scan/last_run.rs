//! What the last run leaves to this one: which version served for which file, and the versions that its commands need.

use super::{Folder, Seen};
use crate::files::shown;
use crate::folder::LostVersion;
use crate::kept;
use crate::plugin::Plugin;
use crate::refusal::Again;
use crate::served::{Record, Served};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often a version is loaded again that could not be for now, after the first time, and how long before each.
const TRIES_MORE: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Folder {
    /// Reads what served when the last run ended.
    pub(super) async fn read_record(&mut self) {
        let Some(dir) = self.loader.runtime.0.options.kept_dir.clone() else { return };
        let folder = dir.display().to_string();
        let read = tokio::task::spawn_blocking(move || Record::read(&dir)).await;
        self.record = match read.map_err(std::io::Error::from).flatten() {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(%folder, %error, "what served in the last run cannot be read; the files are taken as they are");
                return;
            }
        };
    }

    /// Has every version serve again that served when the last run ended and whose file is still there. Where the file
    /// holds something else by now, that is looked at like any change, once the commands of the last run are known.
    pub(super) async fn serve_as_before(&mut self) {
        let before: Vec<(PathBuf, Served)> = self.files.keys().filter_map(|file| self.served_by(file)).collect();
        for (file, served) in before {
            let Some(seen) = self.files.get(&file) else { continue };
            // It is on its way already.
            if seen.loading.is_some() && seen.digest == served.digest {
                continue;
            }
            let newest = seen.newest.as_ref().and_then(|newest| newest.as_ref().ok().cloned());
            let serving = match newest.filter(|newest| served.is(newest)) {
                Some(newest) => Ok(newest),
                None => self.recall_one(&served, Some(&file)).await.map(Arc::new),
            };
            match serving {
                Ok(plugin) => {
                    if let Some(seen) = self.files.get_mut(&file) {
                        seen.serving = Some(plugin);
                    }
                }
                Err(why) => {
                    let (plugin, file) = (&served.plugin, shown(&file));
                    tracing::warn!(
                        plugin,
                        file,
                        "the version of {plugin} that served in the last run cannot serve now: {why}"
                    );
                }
            }
        }
    }

    /// Whether the newest contents of a file, if they are good, are not what served for it last.
    pub(super) fn is_new(&self, file: &Path) -> bool {
        let newest = self.files.get(file).and_then(|seen| seen.newest.as_ref()?.as_ref().ok());
        let served = self.record.of(&shown(file));
        !newest.is_some_and(|newest| served.is_some_and(|served| served.is(newest)))
    }

    /// The same, where something else served for it.
    pub(super) fn is_changed(&self, file: &Path) -> bool {
        self.is_new(file) && self.record.of(&shown(file)).is_some()
    }

    /// Whether something that served when the last run ended is still on its way: what is new must not take its name or its
    /// claims before it is there.
    pub(super) fn awaits_what_served(&self) -> bool {
        self.files.iter().any(|(file, seen)| {
            let served = self.record.of(&shown(file)).filter(|_| seen.serving.is_none());
            let is_loading = served.is_some_and(|served| seen.loading.is_some() && seen.digest == served.digest);
            // It could not be loaded for now.
            is_loading || (served.is_some() && seen.stamp.is_none() && seen.tries > 0)
        })
    }

    fn served_by(&self, file: &Path) -> Option<(PathBuf, Served)> {
        self.record.of(&shown(file)).map(|served| (file.to_owned(), served.clone()))
    }

    /// Writes down what serves now. Tells whether that is on the disk.
    pub(super) async fn remember(&mut self) -> bool {
        let Some(dir) = self.loader.runtime.0.options.kept_dir.clone() else { return true };
        let serving = |(file, seen): (&PathBuf, &'_ Seen)| Some((shown(file), seen.serving.clone()?));
        let serving: Vec<_> = self.files.iter().filter_map(serving).collect();
        let mut record: Record = serving.iter().map(|(file, plugin)| (file.clone(), &**plugin)).collect();
        // What cannot serve now may serve once somebody has mended what is in its way, as long as its file is there.
        for file in self.files.keys() {
            record.carry_over(&shown(file), &self.record);
        }
        if record == self.record {
            return true;
        }
        let folder = dir.display().to_string();
        let written = record.clone();
        let done = tokio::task::spawn_blocking(move || written.write(&dir)).await;
        match done.map_err(std::io::Error::from).flatten() {
            Ok(()) => self.record = record,
            Err(error) => {
                tracing::warn!(%folder, %error, "what serves cannot be written down for the next start; it is tried again");
                return false;
            }
        }
        true
    }

    /// Everything is known that the last run left open.
    pub(crate) fn recovered(&mut self) {
        if !std::mem::replace(&mut self.recovered, true) {
            self.loader.give_way();
        }
    }

    /// Takes back versions that commands of the last run need, from their copies. Tells which are lost.
    pub(crate) async fn recall(&mut self, needed: Vec<(String, String)>) -> Vec<LostVersion> {
        let mut lost = Vec::new();
        for (plugin, digest) in needed {
            let version = Served { plugin, digest };
            let mut serving = self.files.values().filter_map(|seen| seen.serving.as_ref());
            if serving.any(|held| version.is(held)) || self.older.all().any(|held| version.is(held)) {
                continue;
            }
            match self.recall_one(&version, None).await {
                Ok(recalled) => {
                    self.older.add(Arc::new(recalled));
                    self.untold = true;
                }
                Err(why) => lost.push(LostVersion { plugin: version.plugin, digest: version.digest, why }),
            }
        }
        lost
    }

    /// Loads a version from its copy, for that file of the folder or for none. The error is the end of a sentence.
    async fn recall_one(&self, version: &Served, file: Option<&Path>) -> Result<Plugin, String> {
        let dir = self.loader.runtime.0.options.kept_dir.clone().ok_or("no versions are kept")?;
        let copy = kept::file_of(&dir, &version.digest);
        let digest = version.digest.clone();
        let read = tokio::task::spawn_blocking(move || kept::recall(&dir, &digest)).await;
        let wasm = read.unwrap_or_else(|error| Err(format!("its copy could not be read: {error}")))?;
        let file = file.unwrap_or(&copy);
        let wasm: Arc<[u8]> = wasm.into();
        let mut tries = 0;
        let loaded = loop {
            let loaded = self.loader.load_only(file, &wasm, version.digest.clone()).await;
            // What the machine lacks for a moment must not cost commands their version.
            match loaded {
                Err(refusal) if refusal.again != Again::Never && tries < TRIES_MORE => tries += 1,
                loaded => break loaded,
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        };
        let plugin = loaded.map_err(|refusal| refusal.reason)?;
        match version.is(&plugin) {
            true => Ok(plugin),
            false => Err(format!("{} describes itself as `{}`", copy.display(), plugin.name())),
        }
    }
}
