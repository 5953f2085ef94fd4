//! Versions come and go while commands need them: what is replaced is held, kept, given back.

use crate::guests::{scripted, variant, with};
use crate::world::{patient, world};
use async_trait::async_trait;
use dragoman_wasm::{
    Catalog, InFlight, LoadStep, LostVersion, Plugin, PluginFolder, PluginOptions, Runtime, RuntimeOptions, Side,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// What somebody has open, as a test says.
#[derive(Default)]
pub struct Open {
    /// Digest of the version that is needed, and by how many.
    needed: Mutex<Option<String>>,
    /// What a new version cannot read.
    unread: Mutex<Option<String>>,
    checks: AtomicUsize,
    /// Whether the disk that has the commands is gone.
    disk_is_gone: AtomicBool,
}

#[async_trait]
impl InFlight for Open {
    fn needing(&self, _plugin: &str, digest: &str) -> usize {
        usize::from(self.needed.lock().unwrap().as_deref() == Some(digest))
    }

    async fn committed(&self) -> bool {
        !self.disk_is_gone.load(Ordering::Relaxed)
    }

    async fn check(&self, _next: &Arc<Plugin>) -> Result<(), String> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        self.unread.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Open {
    pub fn attached_to(folder: &PluginFolder) -> Arc<Self> {
        let open = Arc::new(Self::default());
        let weak: Weak<Self> = Arc::downgrade(&open);
        folder.attach(weak);
        open
    }

    pub fn need(&self, digest: Option<&str>) {
        *self.needed.lock().unwrap() = digest.map(str::to_owned);
    }

    /// From now on no new version can go on with what is open.
    pub fn leaves_unread(&self, why: &str) {
        *self.unread.lock().unwrap() = Some(why.to_owned());
    }

    /// How often a new version was asked.
    pub fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }
}

fn older(catalog: &Catalog) -> Vec<&str> {
    catalog.older.iter().map(|plugin| plugin.digest()).collect()
}

pub async fn put(folder: &PluginFolder, file: &Path, wasm: &[u8]) -> Arc<Catalog> {
    std::fs::write(file, wasm).unwrap();
    folder.rescan().await;
    folder.catalog()
}

#[tokio::test]
async fn a_version_that_was_replaced_is_held_while_it_is_needed_and_then_given_back() {
    let world = world(patient(), PluginOptions::default()).await;
    let open = Open::attached_to(&world.folder);
    let first = world.folder.catalog().get("scripted").unwrap().clone();
    let digest = first.digest().to_owned();
    open.need(Some(&digest));
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &variant(scripted(), 1)).await;
    assert_eq!(older(&catalog), [&*digest]);
    assert!(Arc::ptr_eq(catalog.version("scripted", &digest).unwrap(), &first));
    assert_ne!(catalog.get("scripted").unwrap().digest(), digest);
    drop(catalog);

    let gone = Arc::downgrade(&first);
    drop(first);
    open.need(None);
    world.folder.rescan().await;
    assert_eq!(older(&world.folder.catalog()), [&*digest], "somebody holds it, and may begin a command with it");
    open.need(Some(&digest));
    let (folder, _rest) = world.without_plugin();
    folder.rescan().await;
    assert_eq!(older(&folder.catalog()), [&*digest], "a command needs it");
    open.need(None);
    folder.rescan().await;
    assert_eq!(older(&folder.catalog()), Vec::<&str>::new());
    assert!(gone.upgrade().is_none(), "its code is unloaded");
}

#[tokio::test]
async fn a_removed_plugin_gets_no_new_work_and_goes_on_with_what_is_open() {
    let world = world(patient(), PluginOptions::default()).await;
    let open = Open::attached_to(&world.folder);
    open.need(Some(world.plugin.digest()));
    std::fs::remove_file(world.path("scripted.wasm")).unwrap();
    world.folder.rescan().await;
    let catalog = world.folder.catalog();
    assert!(catalog.get("scripted").is_none() && catalog.route("POST", "/scripted/a").is_none());
    let serving = |plugin: Option<&Arc<Plugin>>| plugin.is_some_and(|plugin| Arc::ptr_eq(plugin, &world.plugin));
    let heard = |catalog: &Catalog, topic, dialect| {
        let reader = catalog.reader(topic, dialect);
        reader.filter(|(_, plugin)| serving(Some(plugin))).map(|(side, _)| side)
    };
    for (topic, side) in [("scripted/d1/up", Side::Device), ("apps/scripted/a", Side::Application)] {
        assert_eq!(heard(&catalog, topic, Some("scripted")), Some(side), "an answer may come");
        assert_eq!(heard(&catalog, topic, Some("acme-things")), None, "nobody else is kept from it");
    }
    assert!(serving(catalog.for_open("scripted")));
    drop(catalog);
    // Another version takes over from the one that was removed.
    let catalog = put(&world.folder, &world.path("again.wasm"), &variant(scripted(), 1)).await;
    assert!(heard(&catalog, "scripted/d1/up", Some("scripted")).is_none() && !serving(catalog.for_open("scripted")));
    assert!(serving(catalog.version("scripted", world.plugin.digest())));
}

#[tokio::test]
async fn a_file_that_is_removed_and_copied_anew_was_never_gone() {
    let world = world(patient(), PluginOptions::default()).await;
    let (before, changes) = (world.folder.catalog(), world.folder.subscribe());
    for _ in 0..2 {
        std::fs::remove_file(world.path("scripted.wasm")).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let catalog = put(&world.folder, &world.path("scripted.wasm"), &scripted()).await;
        assert!(Arc::ptr_eq(&before, &catalog));
    }
    // Also where it is looked for meanwhile, and not found.
    std::fs::remove_file(world.path("scripted.wasm")).unwrap();
    let copied = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::fs::write(world.path("scripted.wasm"), scripted()).unwrap();
    };
    tokio::join!(world.folder.rescan(), copied);
    assert!(Arc::ptr_eq(&before, &world.folder.catalog()));
    assert!(!changes.has_changed().unwrap());
    // Under another name it is the same plugin, and takes over in one look.
    std::fs::rename(world.path("scripted.wasm"), world.path("renamed.wasm")).unwrap();
    let mut changes = world.folder.subscribe();
    world.folder.rescan().await;
    let seen = changes.borrow_and_update().clone();
    assert!(seen.refused.is_empty() && seen.get("scripted").unwrap().file().ends_with("renamed.wasm"));
}

#[tokio::test]
async fn a_file_that_is_being_written_is_left_alone_until_it_stands() {
    // A writer that had to wait for the processor for so long has shown nothing.
    while write_slowly().await > Duration::from_millis(250) {}
}

/// Writes a new version in parts over four times the time after which a file counts as settled, and tells the longest
/// time that nothing was written.
async fn write_slowly() -> Duration {
    let world = world(patient(), PluginOptions::default()).await;
    let newer = with(scripted(), &[("version-one", "version-two")]);
    let mut changes = world.folder.subscribe();
    let writing = {
        let (file, newer) = (world.path("scripted.wasm"), newer.clone());
        std::thread::spawn(move || {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            for part in 1..=24 {
                std::fs::write(&file, &newer[..newer.len() * part / 24]).unwrap();
                longest = longest.max(last.elapsed());
                last = Instant::now();
                std::thread::sleep(Duration::from_millis(50));
            }
            longest
        })
    };
    let mut refused = Vec::new();
    let changed = changes.wait_for(|catalog| {
        refused.extend(catalog.refused.clone());
        catalog.get("scripted").unwrap().version() == "version-two"
    });
    tokio::time::timeout(Duration::from_secs(60), changed).await.expect("it was not taken").unwrap();
    let longest = writing.join().unwrap();
    assert!(longest > Duration::from_millis(250) || refused.is_empty(), "a part was taken for the whole: {refused:?}");
    longest
}

#[tokio::test]
async fn a_half_written_file_is_refused_and_taken_once_it_is_whole() {
    let world = world(patient(), PluginOptions::default()).await;
    let newer = variant(scripted(), 1);
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &newer[..newer.len() / 2]).await;
    assert_eq!(catalog.refused.len(), 1);
    assert!(Arc::ptr_eq(catalog.get("scripted").unwrap(), &world.plugin));
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &newer).await;
    assert_eq!(catalog.refused, []);
    assert_ne!(catalog.get("scripted").unwrap().digest(), world.plugin.digest());
}

#[tokio::test]
async fn what_serves_is_put_back_over_a_broken_file_and_is_no_other_version() {
    let world = world(patient(), PluginOptions::default()).await;
    let open = Open::attached_to(&world.folder);
    open.need(Some(world.plugin.digest()));
    let catalog = put(&world.folder, &world.path("scripted.wasm"), b"hello").await;
    assert_eq!(catalog.refused.len(), 1);
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &scripted()).await;
    assert_eq!((catalog.refused.len(), older(&catalog)), (0, Vec::new()));
    assert!(Arc::ptr_eq(catalog.get("scripted").unwrap(), &world.plugin));
    assert_eq!(open.checks.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_version_that_cannot_go_on_with_what_is_open_does_not_serve() {
    let world = world(patient(), PluginOptions::default()).await;
    let open = Open::attached_to(&world.folder);
    *open.unread.lock().unwrap() = Some("cannot go on with execution e1".into());
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &variant(scripted(), 1)).await;
    assert!(Arc::ptr_eq(catalog.get("scripted").unwrap(), &world.plugin));
    let [refused] = &catalog.refused[..] else { panic!("{:?}", catalog.refused) };
    assert_eq!(refused.step, LoadStep::Contexts);
    assert_eq!(refused.reason, "scripted.wasm cannot go on with execution e1 (version version-one still serves)");
    assert_eq!(open.checks.load(Ordering::Relaxed), 1);
    // What serves already is not asked, nor what nothing served before.
    *open.unread.lock().unwrap() = None;
    let catalog = put(&world.folder, &world.path("scripted.wasm"), &variant(scripted(), 2)).await;
    assert_eq!((catalog.refused.len(), open.checks.load(Ordering::Relaxed)), (0, 2));
    let other = with(scripted(), &[("scripted", "secondly")]);
    put(&world.folder, &world.path("other.wasm"), &other).await;
    assert_eq!(open.checks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn every_refusal_names_the_step_that_the_file_failed() {
    let world = world(patient(), PluginOptions::default()).await;
    let secondly = with(scripted(), &[("scripted", "secondly")]);
    for (wasm, step) in [
        (b"hello".to_vec(), LoadStep::Component),
        (scripted()[..1000].to_vec(), LoadStep::Component),
        (with(secondly.clone(), &[("@0.1.0-draft", "@0.2.0-draft")]), LoadStep::Contract),
        (with(secondly.clone(), &[("handle-request", "handle-requesu")]), LoadStep::Contract),
        (with(secondly.clone(), &[("secondly", "trapping")]), LoadStep::Describe),
        (with(secondly.clone(), &[("secondly/+/up", "secondly/#/up")]), LoadStep::Describe),
        (with(secondly.clone(), &[("secondly/+/up", "scripted/+/up")]), LoadStep::Claims),
    ] {
        let catalog = put(&world.folder, &world.path("second.wasm"), &wasm).await;
        let steps: Vec<_> = catalog.refused.iter().map(|refused| refused.step).collect();
        assert_eq!(steps, [step]);
    }
    std::fs::write(world.path("second.cwasm"), b"").unwrap();
    let catalog = put(&world.folder, &world.path("second.wasm"), &secondly).await;
    assert_eq!(catalog.refused.iter().map(|refused| refused.step.word()).collect::<Vec<_>>(), ["file"]);
}

/// A folder with copies of what serves.
async fn keeping(dir: &Path) -> PluginFolder {
    let options = RuntimeOptions { kept_dir: Some(dir.join("kept")), ..patient() };
    let plugins = dir.join("plugins");
    PluginFolder::open(Runtime::new(options).unwrap(), plugins, BTreeMap::new()).await.unwrap()
}

fn copies(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("kept")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".wasm"));
    names.sort();
    names
}

#[tokio::test]
async fn versions_that_are_needed_are_there_again_after_a_start_and_others_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plugins/scripted.wasm");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, scripted()).unwrap();
    let folder = keeping(dir.path()).await;
    let first = folder.catalog().get("scripted").unwrap().digest().to_owned();
    assert_eq!(copies(dir.path()), [format!("{first}.wasm")], "kept before it is needed");
    let open = Open::attached_to(&folder);
    open.need(Some(&first));
    folder.recovered().await;
    let second = put(&folder, &file, &variant(scripted(), 1)).await.get("scripted").unwrap().digest().to_owned();
    drop(folder);

    // The file is replaced while nothing runs.
    std::fs::write(&file, variant(scripted(), 2)).unwrap();
    let folder = keeping(dir.path()).await;
    let open = Open::attached_to(&folder);
    open.need(Some(&first));
    open.disk_is_gone.store(true, Ordering::Relaxed);
    let needed = |digest: &str| ("scripted".to_owned(), digest.to_owned());
    let lost = folder.recall(vec![needed(&first), needed(&second)]).await;
    assert_eq!(lost, []);
    folder.recovered().await;
    let catalog = folder.catalog();
    let third = catalog.get("scripted").unwrap().digest().to_owned();
    assert_eq!(older(&catalog), [&*first, &*second]);
    assert!(![&first, &second].contains(&&third));
    folder.rescan().await;
    assert_eq!(older(&folder.catalog()), [&*first]);
    assert_eq!(copies(dir.path()).len(), 3, "that nobody needs {second} is not on the disk");
    open.disk_is_gone.store(false, Ordering::Relaxed);
    folder.rescan().await;
    let mut expected = vec![format!("{first}.wasm"), format!("{third}.wasm")];
    expected.sort();
    assert_eq!(copies(dir.path()), expected, "nobody needs {second}");
    drop((catalog, folder));

    // One copy was damaged, the other lost.
    std::fs::write(dir.path().join("kept").join(format!("{first}.wasm")), b"damaged").unwrap();
    let folder = keeping(dir.path()).await;
    let lost = folder.recall(vec![needed(&first), needed(&second)]).await;
    let [LostVersion { why: damaged, .. }, LostVersion { plugin, digest, why }] = &lost[..] else { panic!("{lost:?}") };
    assert!(damaged.contains("is damaged"), "{damaged}");
    assert_eq!((&**plugin, digest), ("scripted", &second));
    assert!(why.ends_with("is missing"), "{why}");
    assert_eq!(older(&folder.catalog()), Vec::<&str>::new());
}
