//! The files of the folder as they stand: which there are, whether they have settled, and what they hold.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A file is looked at when it has stood as it is for this long.
pub(crate) const SETTLE: Duration = Duration::from_millis(300);

/// What tells two states of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Which file it is, and when anything about it changed: a file that was moved here may have size and time of another.
    identity: Identity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Identity {
    inode: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok(), identity: Identity::from(metadata) }
    }
}

#[cfg(unix)]
impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { inode: metadata.ino(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

#[cfg(not(unix))]
impl From<&Metadata> for Identity {
    fn from(_: &Metadata) -> Self {
        Self::default()
    }
}

/// A state of a file that has yet to settle, and since when it stands so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsettled {
    stamp: Stamp,
    since: Instant,
}

impl Unsettled {
    /// Whether a file has stood as it is for long enough: by its own time of change, as one that was renamed has, or
    /// because it was seen so before. Remembers what it has to remember for the next look.
    pub(crate) fn has_settled(seen: &mut Option<Self>, stamp: Stamp) -> bool {
        let age = stamp.modified.and_then(|modified| modified.elapsed().ok());
        let stands_since = match seen {
            Some(known) if known.stamp == stamp => known.since,
            _ => seen.insert(Self { stamp, since: Instant::now() }).since,
        };
        let settled = age.is_some_and(|age| age >= SETTLE) || stands_since.elapsed() >= SETTLE;
        if settled {
            *seen = None;
        }
        settled
    }
}

/// The files that may be plugins, in name order. Hidden files and other names are left alone.
pub(crate) fn list(dir: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
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

/// What reading a file came to.
pub(crate) enum Contents {
    Whole(Vec<u8>),
    /// It changed while it was read.
    Changed,
}

/// Reads a file whose size and time of change stay the same meanwhile. The error is a sentence.
pub(crate) async fn read(file: &Path, stamp: Stamp, max_bytes: u64) -> Result<Contents, String> {
    let shown = shown(file);
    if stamp.bytes > max_bytes {
        return Err(format!(
            "{shown} has {} bytes, but a plugin may have {max_bytes}; build it for size and strip it, or raise \
             plugins.file_max_bytes",
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
        Ok(Ok(_)) => Ok(Contents::Changed),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::Changed),
        Ok(Err(error)) => Err(format!("{shown} cannot be read: {error}; give the gateway's user the right to read it")),
        Err(error) => Err(format!("{shown} cannot be read: {error}; copy it again")),
    }
}

/// Whether it is compiled code, which is never loaded from the folder.
pub(crate) fn is_compiled(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "cwasm")
}

/// The file's name, as sentences name it.
pub(crate) fn shown(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stamp(bytes: u64, age: Duration) -> Stamp {
        Stamp { bytes, modified: SystemTime::now().checked_sub(age), identity: Identity::default() }
    }

    #[test]
    fn a_file_has_settled_by_its_own_time_or_when_it_was_seen_so_before() {
        let mut seen = None;
        assert!(Unsettled::has_settled(&mut seen, stamp(1, SETTLE * 2)), "it was renamed");
        let fresh = stamp(1, Duration::ZERO);
        assert!(!Unsettled::has_settled(&mut seen, fresh));
        assert!(!Unsettled::has_settled(&mut seen, fresh), "no time went by");

        // A file system whose clock is ahead: only what was seen counts.
        let ahead = Stamp { modified: Some(SystemTime::now() + Duration::from_secs(3600)), ..fresh };
        assert!(!Unsettled::has_settled(&mut seen, ahead));
        let since = Instant::now().checked_sub(SETTLE).unwrap();
        seen = Some(Unsettled { stamp: ahead, since });
        let grown = Stamp { bytes: 2, ..ahead };
        assert!(!Unsettled::has_settled(&mut seen, grown), "it is being written");
        seen = Some(Unsettled { stamp: grown, since });
        assert!(Unsettled::has_settled(&mut seen, grown));
    }
}
