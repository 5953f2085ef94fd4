//! What stands in the folder, what of it serves, and what a look at the folder changes.
//!
//! A file goes through the steps of [`LoadStep`] aside, one file at a time, while what served before serves on. Where
//! several files want the same, what serves comes before what is new, also over a restart; among what is new, the files are
//! taken in the order of their names.

mod last_run;
mod loading;

use crate::catalog::{Catalog, REPLACED_WITHIN, RefusedFile};
use crate::files::{self, Contents, Stamp, Unsettled, shown};
use crate::folder::Asked;
use crate::kept;
use crate::older::Older;
use crate::options::PluginOptions;
use crate::plugin::Plugin;
use crate::refusal::{Again, LoadStep, Refusal};
use crate::runtime::Runtime;
use crate::served::Record;
use loading::{Loaded, Loader, Loading};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A file that is gone for this long is gone for good: one that is replaced by removing it and copying it anew is not.
const GONE_AFTER: Duration = Duration::from_secs(1);
/// How often a file is compiled whose compiler ended before its work was done; after that somebody has to touch it.
const TRIES_MAX: u32 = 3;
/// Before a version is asked again that could not go on with what is open: what it could not read may have ended.
const CHECK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The folder as it was last seen.
pub(crate) struct Folder {
    loader: Loader,
    dir: PathBuf,
    files: BTreeMap<PathBuf, Seen>,
    older: Older,
    /// When plugins went that were removed.
    gone: BTreeMap<Arc<str>, Instant>,
    /// Whether a file is being loaded, as the catalogue sees it.
    loads: Arc<AtomicBool>,
    asked: Asked,
    /// What serves, as it was written down last.
    record: Record,
    /// Nothing was looked at yet.
    first: bool,
    /// Whether everything is known that the last run left open: before that no copy may go that it may need.
    recovered: bool,
    /// Whether versions were taken back that no look has told of yet.
    untold: bool,
}

/// One file as it was last seen.
#[derive(Default)]
struct Seen {
    stamp: Option<Stamp>,
    unsettled: Option<Unsettled>,
    gone_since: Option<Instant>,
    digest: String,
    /// How often in a row they could not be loaded for now.
    tries: u32,
    /// The newest contents while they are loaded.
    loading: Option<Loading>,
    /// What the newest contents came to.
    newest: Option<Loaded>,
    /// Why the newest contents have to wait though they are good, and when that was looked at.
    held_back: Option<(Refusal, Instant)>,
    /// Whether somebody else had the name or a claim of the newest contents when they were looked at.
    contested: bool,
    /// What serves for this file: the newest contents, or the last good ones.
    serving: Option<Arc<Plugin>>,
}

/// What one look came to.
pub(crate) struct Look {
    pub(crate) catalog: Catalog,
    /// Whether the catalogue differs from the one before.
    pub(crate) changed: bool,
    /// Whether a file has yet to settle, or to be gone for good: look again soon.
    pub(crate) unsettled: bool,
}

impl Folder {
    pub(crate) fn new(runtime: Runtime, dir: PathBuf, options: BTreeMap<String, PluginOptions>, asked: Asked) -> Self {
        let (files, older, record, gone) = (BTreeMap::new(), Older::default(), Record::default(), BTreeMap::new());
        let loader = Loader::new(runtime, options);
        let loads = Arc::default();
        Self { loader, dir, files, older, gone, loads, asked, record, first: true, recovered: false, untold: false }
    }

    /// Looks at the folder: loads what is new or changed, drops what is gone and what nobody needs any more.
    pub(crate) async fn look(&mut self) -> io::Result<Look> {
        let present = files::list(&self.dir)?;
        let asked = self.asked.clone();
        let unloaded = self.older.unload(|plugin| asked.needing(plugin));
        let before = self.catalog();
        let mut unsettled = self.miss(&present);
        let first = std::mem::replace(&mut self.first, false);
        if first {
            self.read_record().await;
        }
        for (file, stamp) in present {
            unsettled |= self.take(&file, stamp, first).await;
        }
        if first {
            self.wait_for_the_first().await;
            self.serve_as_before().await;
            unsettled = self.is_loading();
        }
        self.settle().await;
        // A copy that the next start would look for must not go.
        if self.remember().await {
            self.forget_copies().await;
        }
        if !self.is_loading() {
            self.gone.retain(|_, gone| gone.elapsed() < REPLACED_WITHIN);
        }
        self.loads.store(self.is_loading(), Ordering::Relaxed);
        let catalog = self.catalog();
        let changed = unloaded || std::mem::take(&mut self.untold) || !catalog.same(&before);
        Ok(Look { catalog, changed, unsettled })
    }

    /// Whether a file is being loaded.
    pub(crate) fn is_loading(&self) -> bool {
        self.files.values().any(|seen| seen.loading.is_some())
    }

    /// Waits for as long as a file needs to settle, or until one that is being loaded is.
    pub(crate) async fn wait(&mut self) {
        let over = async {
            match self.files.values_mut().find_map(|seen| seen.loading.as_mut()) {
                Some(loading) => loading.wait().await,
                None => std::future::pending().await,
            }
        };
        // Which of them it was shows at the next look.
        let _ = tokio::time::timeout(files::SETTLE, over).await;
    }

    /// Whether versions are held that are not the newest.
    pub(crate) fn holds_older(&self) -> bool {
        !self.older.is_empty()
    }

    /// Notes which files are not there, and lets go of those that are gone for good. Tells whether some are not yet.
    fn miss(&mut self, present: &BTreeMap<PathBuf, Stamp>) -> bool {
        let mut waits = false;
        let (older, gone) = (&mut self.older, &mut self.gone);
        self.files.retain(|file, seen| {
            if present.contains_key(file) {
                seen.gone_since = None;
                return true;
            }
            seen.give_up_loading();
            let since = *seen.gone_since.get_or_insert_with(Instant::now);
            let held = seen.serving.is_some() && since.elapsed() < GONE_AFTER;
            waits |= held;
            if !held && let Some(serving) = seen.serving.take() {
                gone.insert(Arc::clone(serving.name()), Instant::now());
                older.add(serving);
            }
            held
        });
        waits
    }

    /// Loads a file if it is new or changed. Tells whether it has yet to settle.
    async fn take(&mut self, file: &Path, stamp: Stamp, first: bool) -> bool {
        let seen = self.files.entry(file.to_owned()).or_default();
        if seen.stamp == Some(stamp) {
            seen.unsettled = None;
            let Some(loading) = &mut seen.loading else { return false };
            return match loading.over().await {
                Some(loaded) => seen.loaded(loaded),
                None => true,
            };
        }
        seen.give_up_loading();
        // At a start what stands there is taken as it is: nobody waits for it to be copied to its end.
        if !first && !Unsettled::has_settled(&mut seen.unsettled, stamp) {
            return true;
        }
        let contents = match files::is_compiled(file) {
            true => Err(refuse_compiled(file)),
            false => files::read(file, stamp, self.loader.runtime.0.options.file_max_bytes).await,
        };
        let wasm: Arc<[u8]> = match contents {
            Ok(Contents::Whole(wasm)) => wasm.into(),
            Ok(Contents::Changed) => return true,
            Err(reason) => {
                (seen.stamp, seen.digest, seen.held_back) = (Some(stamp), String::new(), None);
                seen.newest = Some(Err(Refusal::new(LoadStep::File, reason)));
                return false;
            }
        };
        seen.stamp = Some(stamp);
        let digest = kept::digest_of(&wasm);
        if digest == seen.digest {
            return false;
        }
        seen.digest.clone_from(&digest);
        (seen.held_back, seen.contested) = (None, false);
        if let Some(serving) = seen.serving.clone().filter(|serving| serving.digest() == digest) {
            // What serves was put back over contents that were refused.
            seen.newest = Some(Ok(serving));
            return false;
        }
        // What was good before is not what stands there now. What was refused is shown until it is known what this is.
        seen.newest.take_if(|newest| newest.is_ok());
        seen.loading = Some(Loading::begin(&self.loader, file, wasm, digest));
        true
    }

    /// What stands in the folder at a start is waited for, but not for as long as it may take: one file that is dear must
    /// not keep the gateway from its work.
    async fn wait_for_the_first(&mut self) {
        let until = tokio::time::Instant::now() + Duration::from_millis(self.loader.runtime.0.options.start_wait_ms);
        for seen in self.files.values_mut() {
            let Some(loading) = &mut seen.loading else { continue };
            // What is not over then is taken when it is.
            let _ = tokio::time::timeout_at(until, loading.wait()).await;
            if let Some(loaded) = loading.over().await {
                seen.loaded(loaded);
            }
        }
    }

    /// Lets every newest version serve that is in nobody's way and can go on with what is open. What serves already
    /// comes before what is new.
    async fn settle(&mut self) {
        // What one gives up another may have.
        while self.settle_once().await {}
    }

    /// Tells whether any came to serve.
    async fn settle_once(&mut self) -> bool {
        let mut any = false;
        let mut names: Vec<_> = self.files.keys().cloned().collect();
        names.sort_by_cached_key(|file| self.is_new(file));
        for file in names {
            let Some(newest) = self.candidate(&file) else { continue };
            if self.conflict(&file, &newest).is_some() {
                if let Some(seen) = self.files.get_mut(&file) {
                    seen.contested = true;
                }
                continue;
            }
            if let Err(refusal) = self.check(&file, &newest).await {
                if let Some(seen) = self.files.get_mut(&file) {
                    seen.held_back = Some((refusal, Instant::now()));
                }
                continue;
            }
            self.serve(&file, &newest);
            any = true;
        }
        any
    }

    /// The newest contents of a file, where they are good, do not serve yet, and it is time to look at them.
    fn candidate(&self, file: &Path) -> Option<Arc<Plugin>> {
        let seen = self.files.get(file)?;
        let newest = seen.newest.as_ref()?.as_ref().ok()?;
        let held_back = seen.held_back.as_ref().is_some_and(|(_, looked_at)| looked_at.elapsed() < CHECK_AGAIN_AFTER);
        // Before the commands of the last run are known, nobody can say whether it goes on with them.
        let unknown = seen.serving.is_some() && self.is_changed(file) && !self.recovered;
        let waits = held_back || unknown || (self.is_new(file) && self.awaits_what_served());
        (!waits && seen.gone_since.is_none() && !seen.serves(newest)).then(|| Arc::clone(newest))
    }

    /// There must be room beside the versions that commands hold. And where a version of it serves that can stay, the new one
    /// must be able to go on with what that one left open.
    async fn check(&self, file: &Path, next: &Arc<Plugin>) -> Result<(), Refusal> {
        let mut serving = self.files.values().filter_map(|seen| seen.serving.as_ref());
        let one_serves = serving.any(|plugin| plugin.name() == next.name());
        // What served before the restart is no new version beside those that commands hold.
        if !one_serves && !self.is_new(file) {
            return Ok(());
        }
        let (shown, name, most) = (shown(file), next.name(), self.loader.runtime.0.options.older_versions_max);
        if self.older.all().filter(|older| older.name() == name && older.digest() != next.digest()).count() >= most {
            let reason = format!(
                "{shown} waits, because open commands hold {most} older versions of plugin `{name}` already, as many as \
                 plugins.older_versions_max allows; let them end, have them go over with `dragoman plugin release {name}`, \
                 or raise the limit"
            );
            return Err(Refusal::new(LoadStep::Older, reason));
        }
        if !one_serves {
            return Ok(());
        }
        let checked = self.asked.check(next).await;
        checked.map_err(|problem| Refusal::new(LoadStep::Contexts, format!("{shown} {problem}")))
    }

    /// From now on that version serves for its file, also where it served for one that is gone.
    fn serve(&mut self, file: &Path, newest: &Arc<Plugin>) {
        let others = self.files.iter_mut().filter(|(other, _)| other.as_path() != file);
        for (_, other) in others {
            self.older.extend(other.serving.take_if(|serving| serving.name() == newest.name()));
        }
        self.gone.remove(newest.name());
        if let Some(seen) = self.files.get_mut(file) {
            seen.held_back = None;
            self.older.extend(seen.serving.replace(Arc::clone(newest)));
        }
        self.older.remove(newest);
    }

    /// Why a plugin cannot serve beside those of the other files.
    fn conflict(&self, file: &Path, plugin: &Plugin) -> Option<String> {
        let contested = self.files.get(file).is_some_and(|seen| seen.contested);
        self.files.iter().filter(|(other, _)| other.as_path() != file).find_map(|(other, seen)| {
            let serving = seen.serving.as_ref()?;
            let same_name = serving.name() == plugin.name();
            // Two files that were swapped must not wait for each other: what that one holds now has another name.
            let newest = seen.newest.as_ref().and_then(|newest| newest.as_ref().ok());
            if newest.is_some_and(|newest| newest.name() != serving.name()) {
                return None;
            }
            // A file that was renamed takes over at once; one that waited for the name waits until it is free for good.
            if same_name && seen.gone_since.is_some() && !contested {
                return None;
            }
            contest(file, plugin, other, serving, same_name)
        })
    }

    /// Copies of versions that neither serve nor are needed go.
    async fn forget_copies(&self) {
        let Some(dir) = self.loader.runtime.0.options.kept_dir.clone().filter(|_| self.recovered) else { return };
        let newest = self.files.values().flat_map(|seen| {
            let newest = seen.newest.as_ref().and_then(|newest| newest.as_ref().ok());
            newest.into_iter().chain(&seen.serving)
        });
        let mut needed: BTreeSet<_> = newest.chain(self.older.all()).map(|plugin| plugin.digest().to_owned()).collect();
        // Their copies are written before they are done.
        let loading = self.files.values().filter(|seen| seen.loading.is_some());
        needed.extend(loading.map(|seen| seen.digest.clone()));
        needed.extend(self.record.digests().map(str::to_owned));
        // After a kill the record must not name a version that is gone.
        if !self.asked.committed().await {
            return;
        }
        let folder = dir.display().to_string();
        let done = tokio::task::spawn_blocking(move || kept::forget_others(&dir, &needed)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%folder, %error, "copies of plugins that nobody needs could not be removed; it is tried again");
        }
    }

    fn catalog(&self) -> Catalog {
        let serving = self.files.values().filter_map(|seen| seen.serving.clone());
        let plugins = serving.map(|plugin| (Arc::clone(plugin.name()), plugin)).collect();
        let refused = self.files.iter().filter_map(|(file, seen)| {
            let refusal = match seen.newest.as_ref()? {
                Err(refusal) => refusal.clone(),
                Ok(newest) if seen.serves(newest) => return None,
                Ok(newest) => match (&seen.held_back, self.conflict(file, newest)) {
                    (_, Some(reason)) => Refusal::new(LoadStep::Claims, reason),
                    (Some((refusal, _)), None) => refusal.clone(),
                    (None, None) => return None,
                },
            };
            let kept = seen.serving.as_ref().map(|plugin| format!(" (version {} still serves)", plugin.version()));
            let reason = refusal.reason + kept.as_deref().unwrap_or_default();
            Some(RefusedFile { file: file.clone(), step: refusal.step, reason })
        });
        let older = self.older.all().cloned().collect();
        Catalog { plugins, refused: refused.collect(), older, gone: self.gone.clone(), loads: Arc::clone(&self.loads) }
    }
}

impl Seen {
    /// What its contents came to. Tells whether they are to be looked at again at once.
    fn loaded(&mut self, loaded: Loaded) -> bool {
        self.loading = None;
        // Nobody has to touch a file for which the machine lacked something.
        let again = loaded.as_ref().err().map_or(Again::Never, |refusal| refusal.again);
        self.tries = if again == Again::Never { 0 } else { self.tries + 1 };
        let is_not_compiled = loaded.as_ref().is_err_and(|refusal| refusal.step == LoadStep::Component);
        let gives_up = is_not_compiled && self.tries >= TRIES_MAX;
        self.newest = Some(loaded);
        if again != Again::Never && !gives_up {
            (self.stamp, self.digest) = (None, String::new());
        }
        again == Again::Soon
    }

    /// Its contents are not there any more.
    fn give_up_loading(&mut self) {
        if self.loading.take().is_some() {
            (self.stamp, self.digest) = (None, String::new());
        }
    }

    fn serves(&self, plugin: &Arc<Plugin>) -> bool {
        self.serving.as_ref().is_some_and(|serving| Arc::ptr_eq(serving, plugin))
    }
}

fn refuse_compiled(file: &Path) -> String {
    format!("{} is compiled code, which is never loaded from here; drop the .wasm it was made from", shown(file))
}

/// What a plugin has in common with one that serves for another file.
fn contest(file: &Path, plugin: &Plugin, other: &Path, serving: &Plugin, same_name: bool) -> Option<String> {
    let (shown, other, name) = (shown(file), files::shown(other), plugin.name());
    if same_name {
        return Some(format!(
            "{shown} describes itself as `{name}`, as {other} does, which was loaded first; rename one of them or remove \
             one of the files"
        ));
    }
    let claim = plugin.description.conflict(&serving.description)?;
    Some(format!(
        "{shown} (plugin `{name}`) claims {claim} of plugin `{}` in {other}, which was loaded first; take the claim out of \
         one of them or remove one of the files",
        serving.name()
    ))
}
