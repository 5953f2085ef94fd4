//! A disk whose power can be cut: what was written and not synced may be lost, in whole or in part.
//!
//! Each file is what a power loss would leave of it for sure, plus the changes since its last sync, in order. At a cut
//! a seeded choice decides which sectors of which changes had reached the platter. Two things are simpler than on a
//! real disk: that a file exists is durable as soon as it was made (SQLite's own file system syncs the folder when it
//! makes the log), and so is its removal.

use crate::seed::Seed;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// What reaches the platter whole or not at all, in bytes.
const SECTOR: usize = 512;

pub struct Disk {
    inner: Mutex<Inner>,
    /// The last append that was told to be on the disk; set by the test, read at the cut.
    pub acknowledged: AtomicU64,
}

struct Inner {
    files: HashMap<String, Content>,
    /// Changes and syncs until the power goes.
    left: u64,
    seed: Seed,
    keeps_syncs: bool,
    after: Option<Cut>,
}

/// What a cut left.
pub struct Cut {
    pub files: HashMap<String, Vec<u8>>,
    /// [`Disk::acknowledged`] when the power went.
    pub acknowledged: u64,
    /// Changes that were not synced, over all files.
    pub unsynced: usize,
}

#[derive(Default)]
struct Content {
    /// As a reader sees it.
    now: Vec<u8>,
    /// As of the last sync.
    synced: Vec<u8>,
    since: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

impl Disk {
    /// A disk with these files, whose power goes at the `left`th change or sync. One that does not keep syncs takes
    /// them for nothing.
    pub fn new(files: HashMap<String, Vec<u8>>, left: u64, seed: Seed, keeps_syncs: bool) -> Arc<Self> {
        let files = files
            .into_iter()
            .map(|(name, bytes)| (name, Content { now: bytes.clone(), synced: bytes, since: Vec::new() }))
            .collect();
        Arc::new(Self {
            inner: Mutex::new(Inner { files, left, seed, keeps_syncs, after: None }),
            acknowledged: AtomicU64::new(0),
        })
    }

    /// What is left, cutting the power now if that was not done before.
    pub fn cut(&self) -> Cut {
        let mut inner = self.inner.lock().unwrap();
        match inner.after.take() {
            Some(cut) => cut,
            None => inner.cut(self.acknowledged.load(Ordering::SeqCst)),
        }
    }

    pub fn exists(&self, name: &str) -> io::Result<bool> {
        Ok(self.powered()?.files.contains_key(name))
    }

    pub fn create(&self, name: &str) -> io::Result<()> {
        self.step()?.files.entry(name.to_owned()).or_default();
        Ok(())
    }

    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.step()?.files.remove(name);
        Ok(())
    }

    pub fn size(&self, name: &str) -> io::Result<u64> {
        Ok(self.powered()?.content(name)?.now.len() as u64)
    }

    /// Fills the buffer; what is behind the end is zeros and an error.
    pub fn read(&self, name: &str, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut inner = self.powered()?;
        let bytes = &inner.content(name)?.now;
        let from = bytes.len().min(offset as usize);
        let there = &bytes[from..bytes.len().min(from + buffer.len())];
        let (filled, rest) = buffer.split_at_mut(there.len());
        filled.copy_from_slice(there);
        rest.fill(0);
        if rest.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub fn write(&self, name: &str, data: &[u8], offset: u64) -> io::Result<()> {
        self.step()?.change(name, Change::Write { offset: offset as usize, data: data.to_owned() })
    }

    pub fn resize(&self, name: &str, size: u64) -> io::Result<()> {
        self.step()?.change(name, Change::Resize(size as usize))
    }

    pub fn sync(&self, name: &str) -> io::Result<()> {
        let mut inner = self.step()?;
        if inner.keeps_syncs {
            let content = inner.content(name)?;
            content.synced.clone_from(&content.now);
            content.since.clear();
        }
        Ok(())
    }

    fn powered(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.inner.lock().unwrap();
        if inner.left == 0 { Err(io::Error::other("the power is gone")) } else { Ok(inner) }
    }

    /// Counts one change or sync. The one at which the power goes is not done.
    fn step(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.powered()?;
        inner.left -= 1;
        if inner.left == 0 {
            let cut = inner.cut(self.acknowledged.load(Ordering::SeqCst));
            inner.after = Some(cut);
            return Err(io::Error::other("the power is gone"));
        }
        Ok(inner)
    }
}

impl Inner {
    fn content(&mut self, name: &str) -> io::Result<&mut Content> {
        self.files.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, name: &str, change: Change) -> io::Result<()> {
        let content = self.content(name)?;
        apply(&mut content.now, &change);
        content.since.push(change);
        Ok(())
    }

    fn cut(&mut self, acknowledged: u64) -> Cut {
        self.left = 0;
        let mut names: Vec<String> = self.files.keys().cloned().collect();
        // In an order of their own, so that the seed alone decides.
        names.sort();
        let mut cut = Cut { files: HashMap::new(), acknowledged, unsynced: 0 };
        for name in names {
            let Some(content) = self.files.remove(&name) else { continue };
            cut.unsynced += content.since.len();
            cut.files.insert(name, survive(content, &mut self.seed));
        }
        cut
    }
}

/// What is left of a file: its synced bytes and a seeded part of what came after.
fn survive(content: Content, seed: &mut Seed) -> Vec<u8> {
    let mut bytes = content.synced;
    let count = content.since.len() as u64;
    match seed.below(4) {
        // Nothing had reached the platter, or everything.
        0 => {}
        1 => content.since.iter().for_each(|change| apply(&mut bytes, change)),
        // The first ones had, and a part of the next.
        2 => {
            let whole = seed.below(count + 1) as usize;
            for (place, change) in content.since.iter().enumerate() {
                match place.cmp(&whole) {
                    std::cmp::Ordering::Less => apply(&mut bytes, change),
                    std::cmp::Ordering::Equal => tear(&mut bytes, change, seed, 50),
                    std::cmp::Ordering::Greater => {}
                }
            }
        }
        // Any sectors had, in any order.
        _ => {
            let percent = [10, 50, 90][seed.below(3) as usize];
            content.since.iter().for_each(|change| tear(&mut bytes, change, seed, percent));
        }
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(size) => bytes.resize(*size, 0),
        Change::Write { offset, data } => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
    }
}

/// Applies each sector of a change with a chance.
fn tear(bytes: &mut Vec<u8>, change: &Change, seed: &mut Seed, percent: u64) {
    match change {
        Change::Resize(_) => {
            if seed.below(100) < percent {
                apply(bytes, change);
            }
        }
        Change::Write { offset, data } => {
            let mut from = 0;
            while from < data.len() {
                let until = data.len().min((offset + from) / SECTOR * SECTOR + SECTOR - offset);
                if seed.below(100) < percent {
                    apply(bytes, &Change::Write { offset: offset + from, data: data[from..until].to_owned() });
                }
                from = until;
            }
        }
    }
}
