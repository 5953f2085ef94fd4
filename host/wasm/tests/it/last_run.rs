//! A start after another run: what served comes first, and what its file holds by then is looked at like any change.

use crate::guests::{scripted, variant, with};
use crate::versions::{Open, put};
use crate::world::patient;
use dragoman_wasm::{LoadStep, PluginFolder, Runtime, RuntimeOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of plugins with the record of what served in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.0.path().join("plugins")).unwrap();
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("plugins").join(name)
    }

    fn kept(&self) -> PathBuf {
        self.0.path().join("kept")
    }

    /// A run begins.
    async fn run(&self) -> PluginFolder {
        self.run_with(|_| {}).await
    }

    /// The same with other options.
    async fn run_with(&self, change: impl FnOnce(&mut RuntimeOptions)) -> PluginFolder {
        let mut options = RuntimeOptions { kept_dir: Some(self.kept()), older_versions_max: 1, ..patient() };
        change(&mut options);
        PluginFolder::open(Runtime::new(options).unwrap(), self.0.path().join("plugins"), BTreeMap::new())
            .await
            .unwrap()
    }

    /// A run in which that file serves, and its end.
    async fn ran_with(&self, name: &str, wasm: &[u8]) -> String {
        std::fs::write(self.file(name), wasm).unwrap();
        let folder = self.run().await;
        folder.recall(Vec::new()).await;
        folder.recovered().await;
        serving(&folder).unwrap()
    }
}

/// The digest of what serves.
fn serving(folder: &PluginFolder) -> Option<String> {
    folder.catalog().get("scripted").map(|plugin| plugin.digest().to_owned())
}

fn refused(folder: &PluginFolder) -> Vec<(String, LoadStep)> {
    let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
    folder.catalog().refused.iter().map(|refused| (name(&refused.file), refused.step)).collect()
}

#[tokio::test]
async fn a_file_that_is_refused_at_a_start_has_the_version_behind_it_that_served_before() {
    let place = Place::new();
    let good = place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.file("scripted.wasm"), b"\0asm, or not").unwrap();
    for start in 1..=2 {
        let folder = place.run().await;
        assert_eq!(serving(&folder), Some(good.clone()), "start {start}");
        assert_eq!(refused(&folder), [("scripted.wasm".to_owned(), LoadStep::Component)]);
        assert!(folder.catalog().refused[0].reason.ends_with("still serves)"), "{:?}", folder.catalog().refused);
        assert_eq!(folder.catalog().get("scripted").unwrap().file(), place.file("scripted.wasm"));
        assert_eq!(folder.recall(vec![("scripted".into(), good.clone())]).await, []);
        folder.recovered().await;
        assert_eq!(folder.catalog().older.len(), 0, "what serves is not recalled beside itself");
    }
    // The file is mended, and then removed while nothing runs.
    let mended = place.ran_with("scripted.wasm", &variant(scripted(), 1)).await;
    assert_ne!(mended, good);
    std::fs::remove_file(place.file("scripted.wasm")).unwrap();
    assert_eq!(serving(&place.run().await), None, "who removes a file means it");
}

#[tokio::test]
async fn a_file_that_is_as_it_was_is_no_new_version_after_a_start() {
    let place = Place::new();
    let good = place.ran_with("scripted.wasm", &scripted()).await;
    let folder = place.run().await;
    let open = Open::attached_to(&folder);
    open.leaves_unread("cannot go on with execution e1");
    folder.recovered().await;
    assert_eq!((serving(&folder), open.checks(), refused(&folder)), (Some(good), 0, vec![]));
    assert_eq!(folder.catalog().older.len(), 0);
}

#[tokio::test]
async fn a_file_that_was_replaced_while_nothing_ran_must_go_on_with_what_is_open() {
    let place = Place::new();
    let first = place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.file("scripted.wasm"), variant(scripted(), 1)).unwrap();
    let folder = place.run().await;
    let open = Open::attached_to(&folder);
    open.leaves_unread("cannot go on with execution e1");
    folder.rescan().await;
    assert_eq!((serving(&folder), open.checks()), (Some(first.clone()), 0), "nobody knows yet what is open");
    folder.recall(Vec::new()).await;
    folder.recovered().await;
    assert_eq!((serving(&folder), open.checks()), (Some(first.clone()), 1));
    assert_eq!(refused(&folder), [("scripted.wasm".to_owned(), LoadStep::Contexts)]);
    drop(folder);

    let folder = place.run().await;
    let open = Open::attached_to(&folder);
    folder.recall(Vec::new()).await;
    folder.recovered().await;
    assert_eq!((open.checks(), refused(&folder)), (1, vec![]));
    assert_ne!(serving(&folder), Some(first));
}

/// Names sort before it, and it calls itself what another is called.
#[tokio::test]
async fn a_name_belongs_to_the_file_that_had_it_before_the_restart() {
    let place = Place::new();
    let owner = place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.file("a-claimant.wasm"), variant(scripted(), 1)).unwrap();
    let folder = place.run().await;
    folder.recall(Vec::new()).await;
    folder.recovered().await;
    assert_eq!(serving(&folder), Some(owner));
    assert_eq!(refused(&folder), [("a-claimant.wasm".to_owned(), LoadStep::Claims)]);
    drop(folder);

    // Without the record nobody can tell, and names decide.
    std::fs::write(place.kept().join("serving.json"), b"{").unwrap();
    let folder = place.run().await;
    assert_eq!(refused(&folder), [("scripted.wasm".to_owned(), LoadStep::Claims)]);
    assert!(serving(&folder).is_some());
}

/// It is not waited for, and what is new is loaded before it.
#[tokio::test]
async fn what_served_and_takes_long_to_load_keeps_its_name() {
    let place = Place::new();
    let owner = place.ran_with("scripted.wasm", &scripted()).await;
    // It was compiled elsewhere.
    let cache_dir = || Some(place.0.path().join("compiled"));
    let elsewhere = Place::new();
    std::fs::write(elsewhere.file("a-claimant.wasm"), variant(scripted(), 1)).unwrap();
    elsewhere.run_with(|options| options.cache_dir = cache_dir()).await;
    std::fs::copy(elsewhere.file("a-claimant.wasm"), place.file("a-claimant.wasm")).unwrap();
    let folder = place.run_with(|options| (options.start_wait_ms, options.cache_dir) = (0, cache_dir())).await;
    let open = Open::attached_to(&folder);
    open.leaves_unread("cannot go on with execution e1");
    folder.recall(Vec::new()).await;
    folder.recovered().await;
    folder.rescan().await;
    assert_eq!((serving(&folder), open.checks()), (Some(owner), 0), "it is no new version");
    assert_eq!(refused(&folder), [("a-claimant.wasm".to_owned(), LoadStep::Claims)]);
}

/// Two files change places: what they hold goes on under the other name, while nothing runs and while something does.
#[tokio::test]
async fn two_files_that_were_swapped_serve_on() {
    let place = Place::new();
    let twin = with(scripted(), &[("scripted", "twin-two")]);
    std::fs::write(place.file("twin.wasm"), &twin).unwrap();
    place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.file("twin.wasm"), scripted()).unwrap();
    std::fs::write(place.file("scripted.wasm"), &twin).unwrap();
    let folder = place.run().await;
    folder.recovered().await;
    let of = |folder: &PluginFolder, plugin: &str| folder.catalog().get(plugin).unwrap().file().to_owned();
    assert_eq!(refused(&folder), []);
    assert_eq!(
        (of(&folder, "scripted"), of(&folder, "twin-two")),
        (place.file("twin.wasm"), place.file("scripted.wasm"))
    );

    std::fs::write(place.file("twin.wasm"), &twin).unwrap();
    std::fs::write(place.file("scripted.wasm"), scripted()).unwrap();
    folder.rescan().await;
    assert_eq!(refused(&folder), []);
    assert_eq!(
        (of(&folder, "twin-two"), of(&folder, "scripted")),
        (place.file("twin.wasm"), place.file("scripted.wasm"))
    );
}

/// A mistake in the configuration, which is mended at the next start.
#[tokio::test]
async fn what_cannot_serve_in_one_run_serves_again_in_the_next() {
    let place = Place::new();
    let good = place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.file("scripted.wasm"), &scripted()[..64]).unwrap();
    let folder = place.run_with(|options| options.grants = dragoman_wasm::Grants::new()).await;
    folder.recovered().await;
    assert_eq!(serving(&folder), None, "it is granted nothing");
    drop(folder);
    let folder = place.run().await;
    folder.recovered().await;
    assert_eq!(serving(&folder), Some(good));
}

#[tokio::test]
async fn where_the_copy_is_lost_too_nothing_serves_for_a_file_that_is_refused() {
    let place = Place::new();
    let good = place.ran_with("scripted.wasm", &scripted()).await;
    std::fs::write(place.kept().join(format!("{good}.wasm")), b"damaged").unwrap();
    std::fs::write(place.file("scripted.wasm"), &scripted()[..64]).unwrap();
    let folder = place.run().await;
    assert_eq!(serving(&folder), None);
    assert_eq!(refused(&folder), [("scripted.wasm".to_owned(), LoadStep::Component)]);
}

#[tokio::test]
async fn a_version_waits_while_commands_hold_as_many_older_ones_as_there_may_be() {
    let place = Place::new();
    let first = place.ran_with("scripted.wasm", &scripted()).await;
    let folder = place.run().await;
    folder.recall(Vec::new()).await;
    folder.recovered().await;
    let open = Open::attached_to(&folder);
    open.need(Some(&first));
    let second = put(&folder, &place.file("scripted.wasm"), &variant(scripted(), 1)).await;
    let second = second.get("scripted").unwrap().digest().to_owned();
    put(&folder, &place.file("scripted.wasm"), &variant(scripted(), 2)).await;
    assert_eq!(
        (serving(&folder), refused(&folder)),
        (Some(second), vec![("scripted.wasm".to_owned(), LoadStep::Older)])
    );
    assert!(folder.catalog().refused[0].reason.contains("dragoman plugin release scripted"));
    // What served before the first is no older version beside itself.
    let back = put(&folder, &place.file("scripted.wasm"), &scripted()).await;
    assert_eq!((serving(&folder), &*back.refused), (Some(first), &[][..]));
}

/// A file stands where the copies would.
#[tokio::test]
async fn a_version_of_which_no_copy_can_be_kept_does_not_serve_before_one_is() {
    let place = Place::new();
    std::fs::write(place.kept(), b"no folder").unwrap();
    std::fs::write(place.file("scripted.wasm"), scripted()).unwrap();
    let folder = place.run().await;
    assert_eq!(serving(&folder), None);
    assert_eq!(refused(&folder), [("scripted.wasm".to_owned(), LoadStep::Keep)]);
    std::fs::remove_file(place.kept()).unwrap();
    folder.rescan().await;
    let digest = serving(&folder).unwrap();
    assert_eq!(refused(&folder), []);
    assert!(place.kept().join(format!("{digest}.wasm")).exists());
}
