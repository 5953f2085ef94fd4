//! Copies of the versions that serve, by digest, so that commands on their way find theirs after a restart.
//!
//! A copy is written before its version serves, thus before any command can need it, and goes when the version is neither
//! the newest nor needed. What is read back must have the digest that it is named for: a damaged copy is a lost one.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const END: &str = "wasm";
const WRITING: &str = "writing";

/// SHA-256 in hex, as it names a version.
pub(crate) fn digest_of(wasm: &[u8]) -> String {
    format!("{:x}", Sha256::digest(wasm))
}

/// Where the copy of a version is.
pub(crate) fn file_of(folder: &Path, digest: &str) -> PathBuf {
    folder.join(digest).with_extension(END)
}

/// Keeps a version. No reader ever meets half a file.
pub(crate) fn keep(folder: &Path, digest: &str, wasm: &[u8]) -> io::Result<()> {
    let file = file_of(folder, digest);
    if recall(folder, digest).is_ok() {
        return Ok(());
    }
    write_whole(folder, &file, wasm)
}

/// Writes a file of a folder, which is made where it is not there: beside, brought to the disk and renamed, so that a kill
/// leaves what was there or what was to be. One at a time: two may be about the same file.
pub(crate) fn write_whole(folder: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    static WRITES: Mutex<()> = Mutex::new(());
    let _alone = WRITES.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir_all(folder)?;
    let beside = file.with_extension(WRITING);
    let mut writing = File::create(&beside)?;
    writing.write_all(bytes)?;
    writing.sync_all()?;
    fs::rename(&beside, file)?;
    // The name must be on the disk too.
    File::open(folder)?.sync_all()
}

/// The version that was kept. The error is the end of a sentence.
pub(crate) fn recall(folder: &Path, digest: &str) -> Result<Vec<u8>, String> {
    let file = file_of(folder, digest);
    let wasm = fs::read(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{} is missing", file.display()),
        _ => format!("{} cannot be read: {error}", file.display()),
    })?;
    match digest_of(&wasm) == digest {
        true => Ok(wasm),
        false => Err(format!("{} is damaged: its contents have another digest than its name", file.display())),
    }
}

/// Forgets every copy but these, and what a killed process left half written.
pub(crate) fn forget_others(folder: &Path, needed: &BTreeSet<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let file = entry?.path();
        let is_ours = file.extension().is_some_and(|end| end == END || end == WRITING);
        let digest = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        // One that is needed may be being written just now.
        if is_ours && !needed.contains(&digest) && is_digest(&digest) {
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// Other files are nobody's business here.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_version_is_kept_until_nobody_needs_it_and_a_damaged_copy_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("a/b");
        let (one, two) = (digest_of(b"one"), digest_of(b"two"));
        assert!(recall(&kept, &one).unwrap_err().ends_with("is missing"));
        forget_others(&kept, &BTreeSet::new()).unwrap();
        keep(&kept, &one, b"one").unwrap();
        keep(&kept, &two, b"two").unwrap();
        assert_eq!(recall(&kept, &one).unwrap(), b"one");

        fs::write(file_of(&kept, &one), b"on").unwrap();
        assert!(recall(&kept, &one).unwrap_err().contains("is damaged"));
        keep(&kept, &one, b"one").unwrap();
        assert_eq!(recall(&kept, &one).unwrap(), b"one", "a damaged copy is written again");

        fs::write(kept.join("notes.wasm"), b"of the operator").unwrap();
        fs::write(kept.join(format!("{two}.writing")), b"t").unwrap();
        forget_others(&kept, &BTreeSet::from([one.clone()])).unwrap();
        let mut left: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let mut expected = [format!("{one}.wasm"), "notes.wasm".to_owned()].map(std::ffi::OsString::from);
        expected.sort();
        assert_eq!(left, expected);
    }
}
