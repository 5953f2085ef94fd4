//! What stands in the folder, what of it serves, and what a look at the folder changes.

use crate::catalog::{Catalog, RefusedFile};
use crate::load::load;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::runtime::Runtime;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The folder as it was last seen.
pub(crate) struct Folder {
    runtime: Runtime,
    dir: PathBuf,
    options: BTreeMap<String, PluginOptions>,
    files: BTreeMap<PathBuf, Seen>,
}

/// One file as it was last seen.
#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    digest: String,
    /// What the newest contents came to.
    newest: Option<Result<Arc<Plugin>, String>>,
    /// What serves for this file: the newest contents, or the last good ones.
    serving: Option<Arc<Plugin>>,
}

/// What tells two states of a file apart without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// What one look came to.
pub(crate) struct Look {
    pub(crate) catalog: Catalog,
    /// Whether the catalogue differs from the one before.
    pub(crate) changed: bool,
    /// Whether a file was being written while it was read: look again soon.
    pub(crate) unsettled: bool,
}

impl Folder {
    pub(crate) fn new(runtime: Runtime, dir: PathBuf, options: BTreeMap<String, PluginOptions>) -> Self {
        Self { runtime, dir, options, files: BTreeMap::new() }
    }

    /// Looks at the folder: loads what is new or changed, drops what is gone.
    pub(crate) async fn look(&mut self) -> io::Result<Look> {
        let present = list(&self.dir)?;
        let before = self.catalog();
        self.files.retain(|file, _| present.contains_key(file));
        let mut unsettled = false;
        for (file, stamp) in present {
            let seen = self.files.entry(file.clone()).or_default();
            if seen.stamp == Some(stamp) {
                continue;
            }
            if is_compiled(&file) {
                seen.stamp = Some(stamp);
                seen.newest = Some(Err(refuse_compiled(&file)));
                continue;
            }
            let contents = read(&file, stamp, self.runtime.0.options.file_max_bytes).await;
            let wasm = match contents {
                Ok(Contents::Whole(wasm)) => wasm,
                Ok(Contents::Unsettled) => {
                    unsettled = true;
                    continue;
                }
                Err(reason) => {
                    (seen.stamp, seen.digest) = (Some(stamp), String::new());
                    seen.newest = Some(Err(reason));
                    continue;
                }
            };
            seen.stamp = Some(stamp);
            let digest = format!("{:x}", Sha256::digest(&wasm));
            if digest == seen.digest {
                continue;
            }
            seen.digest.clone_from(&digest);
            let loaded = load(&self.runtime, &file, wasm, digest, &self.options).await;
            seen.newest = Some(loaded.map(Arc::new));
        }
        self.settle();
        let catalog = self.catalog();
        let changed = !same(&before, &catalog);
        Ok(Look { catalog, changed, unsettled })
    }

    /// Lets every newest version serve that is in nobody's way. What serves already comes before what is new.
    fn settle(&mut self) {
        let names: Vec<_> = self.files.keys().cloned().collect();
        for file in names {
            let Some(newest) = self.files.get(&file).and_then(|seen| seen.newest.as_ref()?.as_ref().ok()).cloned()
            else {
                continue;
            };
            let free = self.conflict(&file, &newest).is_none();
            if let Some(seen) = self.files.get_mut(&file).filter(|_| free) {
                seen.serving = Some(newest);
            }
        }
    }

    /// Why a plugin cannot serve beside those of the other files.
    fn conflict(&self, file: &Path, plugin: &Plugin) -> Option<String> {
        let shown = shown(file);
        let others = self.files.iter().filter(|(other, _)| other.as_path() != file);
        others.filter_map(|(other, seen)| Some((self::shown(other), seen.serving.as_ref()?))).find_map(|(other, serving)| {
            if serving.name() == plugin.name() {
                return Some(format!(
                    "{shown} describes itself as `{}`, as {other} does, which was loaded first; rename one of them or \
                     remove one of the files",
                    plugin.name()
                ));
            }
            let claim = plugin.description.conflict(&serving.description)?;
            Some(format!(
                "{shown} (plugin `{}`) claims {claim} of plugin `{}` in {other}, which was loaded first; take the claim \
                 out of one of them or remove one of the files",
                plugin.name(),
                serving.name()
            ))
        })
    }

    fn catalog(&self) -> Catalog {
        let serving = self.files.values().filter_map(|seen| seen.serving.clone());
        let plugins = serving.map(|plugin| (Arc::clone(plugin.name()), plugin)).collect();
        let refused = self.files.iter().filter_map(|(file, seen)| {
            let reason = match seen.newest.as_ref()? {
                Err(reason) => reason.clone(),
                Ok(newest) => self.conflict(file, newest).filter(|_| !seen.serves(newest))?,
            };
            let kept = seen.serving.as_ref().map(|plugin| format!(" (version {} still serves)", plugin.version()));
            Some(RefusedFile { file: file.clone(), reason: reason + kept.as_deref().unwrap_or_default() })
        });
        Catalog { plugins, refused: refused.collect() }
    }
}

impl Seen {
    fn serves(&self, plugin: &Arc<Plugin>) -> bool {
        self.serving.as_ref().is_some_and(|serving| Arc::ptr_eq(serving, plugin))
    }
}

/// The files that may be plugins, in name order. Hidden files and other names are left alone.
fn list(dir: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.path();
        let hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden || !(is_compiled(&file) || file.extension().is_some_and(|end| end == "wasm")) {
            continue;
        }
        // A file may go between being listed and being looked at; it is then simply gone.
        if let Some(metadata) = fs::metadata(&file).ok().filter(Metadata::is_file) {
            files.insert(file, Stamp::from(&metadata));
        }
    }
    Ok(files)
}

enum Contents {
    Whole(Vec<u8>),
    /// It changed while it was read.
    Unsettled,
}

/// Reads a file whose size and time of change stay the same meanwhile.
async fn read(file: &Path, stamp: Stamp, max_bytes: u64) -> Result<Contents, String> {
    let shown = shown(file);
    if stamp.bytes > max_bytes {
        return Err(format!(
            "{shown} has {} bytes, but a plugin may have {max_bytes}; build it for size and strip it, or raise the limit",
            stamp.bytes
        ));
    }
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let wasm = fs::read(&file)?;
        let after = fs::metadata(&file)?;
        Ok::<_, io::Error>((wasm, Stamp::from(&after)))
    });
    match read.await {
        Ok(Ok((wasm, after))) if after == stamp && wasm.len() as u64 == stamp.bytes => Ok(Contents::Whole(wasm)),
        Ok(Ok(_)) => Ok(Contents::Unsettled),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::Unsettled),
        Ok(Err(error)) => Err(format!("{shown} cannot be read: {error}; give the gateway's user the right to read it")),
        Err(error) => Err(format!("{shown} cannot be read: {error}; copy it again")),
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

fn is_compiled(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "cwasm")
}

fn refuse_compiled(file: &Path) -> String {
    format!("{} is compiled code, which is never loaded from here; drop the .wasm it was made from", shown(file))
}

fn shown(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn same(one: &Catalog, two: &Catalog) -> bool {
    one.refused == two.refused
        && one.plugins.len() == two.plugins.len()
        && one.plugins.values().zip(two.plugins.values()).all(|(one, two)| Arc::ptr_eq(one, two))
}
