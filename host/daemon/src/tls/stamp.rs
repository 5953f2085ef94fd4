//! What tells one state of a listener's files from another without reading them.

use crate::config::TlsFiles;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device, inode, length, and the times of the last change of the content and of the file itself; none where there is no
/// file. Symbolic links are followed to the end.
type Stamp = Option<[i128; 5]>;

/// Of every file of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Stamp>);

impl Stamps {
    /// As they are now.
    pub(super) fn of(files: &TlsFiles) -> Self {
        let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
        Self(paths.into_iter().flatten().map(|path| stamp(path)).collect())
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some([
        i128::from(found.dev()),
        i128::from(found.ino()),
        i128::from(found.len()),
        nanoseconds(found.mtime(), found.mtime_nsec()),
        nanoseconds(found.ctime(), found.ctime_nsec()),
    ])
}
