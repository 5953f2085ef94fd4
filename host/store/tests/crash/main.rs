//! Power is cut at any write of the database, and whatever was not synced may be gone or torn. Then every append whose
//! commit was told is there, what else is there is the beginning of what was appended, and the file is whole.
//!
//! A process that is killed cannot show this: the system still has what it wrote. So the database runs on a disk in
//! memory (`disk.rs`) that knows what was synced.
//!
//! A seed fixes the workload, the place of each cut and what survives it. Which appends share a commit is up to the
//! threads, so a seed that failed fails again often, not always.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod disk;
mod model;
mod seed;
#[path = "../support/mod.rs"]
mod support;
mod vfs;

use disk::{Cut, Disk};
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Backend, Journal, JournalOptions, OpenError, Seq, Write};
use model::Model;
use rusqlite::{Connection, OpenFlags};
use seed::Seed;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often the power goes for one seed, each time on what the cut before left.
const LIVES: usize = 2;
const SEEDS: u64 = 100;
/// Appends in one life at most.
const APPENDS: u64 = 120;
/// The power goes at one of so many writes and syncs; with more, the life ends before.
const STEPS: u64 = 1_500;

/// What one seed is about.
struct Run {
    folder: String,
    seed: Seed,
    files: HashMap<String, Vec<u8>>,
    /// The content after every append so far, from the one the store was opened with.
    models: Vec<Model>,
}

/// What one cut came to.
struct Told {
    /// The last append that was told to be on the disk.
    acknowledged: u64,
    /// The last append that is there.
    kept: u64,
    /// The last append of all.
    appended: u64,
    /// Changes that were not synced.
    unsynced: usize,
}

fn path(folder: &str) -> String {
    format!("{folder}/store.db")
}

fn open(folder: &str) -> Result<SqliteBackend, OpenError> {
    let options = SqliteOptions {
        readers: 0,
        vfs: Some(vfs::NAME.to_owned()),
        // Little, so that the log is written back every few commits and pages are spilled from the cache.
        checkpoint_kib: 96,
        writer_cache_kib: 64,
        ..SqliteOptions::default()
    };
    SqliteBackend::open(path(folder), &options)
}

impl Run {
    fn new(name: &str, seed: u64) -> Self {
        Self {
            folder: format!("{name}-{seed}"),
            seed: Seed(seed),
            files: HashMap::new(),
            models: vec![Model::default()],
        }
    }

    /// Works until the power goes, and looks at what is left. An error says what is wrong with it.
    async fn life(&mut self, keeps_syncs: bool) -> Result<Told, String> {
        let left = 1 + self.seed.below(STEPS);
        let disk = Disk::new(std::mem::take(&mut self.files), left, Seed(self.seed.next()), keeps_syncs);
        vfs::plug(&self.folder, Arc::clone(&disk));
        // Where the power goes during recovery, there is no store to work with.
        if let Ok(store) = open(&self.folder) {
            let journal =
                Journal::start(Arc::new(store), JournalOptions { relaxed_sync_ms: 5, ..JournalOptions::default() })
                    .unwrap();
            self.work(&journal, &disk).await;
            drop(journal.close().await);
        }
        let Cut { files, acknowledged, unsynced } = disk.cut();
        self.files = files;
        let kept = self.inspect(acknowledged)?;
        let appended = self.models.last().map_or(0, |model| model.appends);
        self.models.retain(|model| model.appends == kept);
        Ok(Told { acknowledged, kept, appended, unsynced })
    }

    /// Appends, waits now and then, and notes what was told to be on the disk.
    async fn work(&mut self, journal: &Journal, disk: &Arc<Disk>) {
        disk.acknowledged.store(self.models[0].appends, Ordering::SeqCst);
        if journal.declare_indexes("globex", model::indexes()).await.is_err() {
            return;
        }
        for _ in 0..APPENDS {
            let mut model = self.models.last().unwrap().clone();
            let writes = model.next(&mut self.seed);
            let devices = writes.iter().any(|write| matches!(write, Write::Device(_)));
            let relaxed = self.seed.below(4) == 0 && !devices;
            let appended: Option<Seq> = match (devices, relaxed) {
                (true, _) => journal.append_checked(writes).await.ok(),
                (false, true) => journal.append_relaxed(writes).ok(),
                (false, false) => journal.append(writes).ok(),
            };
            let Some(seq) = appended else { return };
            let appends = model.appends;
            self.models.push(model);
            if relaxed || self.seed.below(3) == 0 {
                continue;
            }
            if journal.committed(seq).await.is_err() {
                return;
            }
            disk.acknowledged.store(appends, Ordering::SeqCst);
        }
    }

    /// Opens what is left on a disk that works, and compares. Tells how many appends are there.
    fn inspect(&mut self, acknowledged: u64) -> Result<u64, String> {
        let disk = Disk::new(self.files.clone(), u64::MAX, Seed(0), true);
        vfs::plug(&self.folder, Arc::clone(&disk));
        let store = open(&self.folder).map_err(|error| error.to_string())?;
        // The power may have gone before the index was there, or while it was built.
        while store.index_documents("globex", &model::indexes(), 1).map_err(|error| error.to_string())? {}
        let kept = model::appends_in(&store).map_err(|error| error.to_string())?;
        if kept < acknowledged {
            return Err(format!("append {acknowledged} was told to be on the disk, and {kept} are there"));
        }
        let Some(model) = self.models.iter().find(|model| model.appends == kept) else {
            return Err(format!("{kept} appends are there, which is none of the states there ever were"));
        };
        model::compare(&store, model).map_err(|what| format!("after {kept} appends: {what}"))?;
        drop(store);
        whole(&self.folder)?;
        Ok(kept)
    }
}

/// Whether SQLite finds the file whole.
fn whole(folder: &str) -> Result<(), String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path(folder), flags, vfs::NAME).map_err(|e| e.to_string())?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(|e| e.to_string())?;
    let checks = ["PRAGMA integrity_check", "SELECT group_concat(\"table\") FROM pragma_foreign_key_check"];
    for (check, fine) in checks.into_iter().zip([Some("ok"), None]) {
        let found: Option<String> = connection.query_row(check, [], |row| row.get(0)).map_err(|e| e.to_string())?;
        if found.as_deref() != fine {
            return Err(format!("{check}: {found:?}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn two_hundred_power_cuts_lose_nothing_that_was_told() {
    let mut cut_during_work = 0;
    let mut lost_something = 0;
    for seed in 1..=SEEDS {
        let mut run = Run::new("cut", seed);
        for life in 1..=LIVES {
            match run.life(true).await {
                Ok(told) => {
                    let Told { acknowledged, kept, appended, unsynced } = told;
                    println!(
                        "seed {seed}, cut {life}: {acknowledged} told, {kept} of {appended} kept, {unsynced} unsynced"
                    );
                    cut_during_work += u32::from(unsynced > 0);
                    lost_something += u32::from(kept < appended);
                }
                Err(wrong) => panic!("seed {seed}, cut {life}: {wrong}"),
            }
        }
    }
    // The test would be empty if the cuts fell where nothing can go wrong.
    assert!(cut_during_work > 100, "only {cut_during_work} cuts had something unsynced");
    assert!(lost_something > 30, "only {lost_something} cuts lost something");
}

/// The same on a disk that takes a sync for nothing: then the cuts must show it, or they could show nothing.
#[tokio::test]
async fn a_disk_that_does_not_sync_is_found_out() {
    let mut found_out = 0;
    for seed in 1..=20 {
        let mut run = Run::new("liar", seed);
        if let Err(wrong) = run.life(false).await {
            println!("seed {seed}: {wrong}");
            found_out += 1;
        }
    }
    assert!(found_out >= 10, "only {found_out} of 20");
}
