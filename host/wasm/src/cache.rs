//! Compiled code on disk, so that a start does not compile every plugin again.
//!
//! A file is named for the component's digest and for everything in the engine that the code depends on. Loading
//! compiled code means running it, so the folder must be the daemon's alone: nothing that an operator or a plugin
//! author drops anywhere is ever loaded as compiled code.
//!
//! That a component was too dear to compile is kept there too, with the limits of then, so that it costs one compilation
//! and not one at each start. What was not used for longest goes when the folder holds too much.

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use wasmtime::Engine;
use wasmtime::component::Component;

const CHECKSUM_BYTES: usize = 32;
/// What the folder may hold.
const FOLDER_MAX_BYTES: u64 = 1 << 30;
const CODE: &str = "compiled";
const REFUSED: &str = "refused";

/// What the cache knows of a component.
pub(crate) enum Found {
    Code(Component),
    /// It was too dear under the limits that hold, as the end of a sentence about it.
    TooDear(String),
}

/// What the cache knows of a component, under these limits. Trouble with the cache is logged and costs a compilation.
pub(crate) fn find(engine: &Engine, cache: Option<&Path>, digest: &str, limits: &str) -> Option<Found> {
    let cache = cache?;
    if let Err(error) = prepare(cache) {
        tracing::warn!(folder = %cache.display(), "compiled plugins are not kept: {error:#}");
        return None;
    }
    let file = file_of(engine, cache, digest, CODE);
    let found = load(engine, &file).unwrap_or_else(|error| {
        tracing::warn!(file = %file.display(), "compiled code is not usable, compiling again: {error:#}");
        None
    });
    let Some(found) = found else {
        let refused = fs::read_to_string(file_of(engine, cache, digest, REFUSED)).ok()?;
        let (under, why) = refused.split_once('\n')?;
        return (under == limits).then(|| Found::TooDear(why.to_owned()));
    };
    // The time of its last use is what decides when it goes; without it, it goes a little earlier.
    let _ = fs::File::options().append(true).open(&file).and_then(|file| file.set_modified(SystemTime::now()));
    Some(Found::Code(found))
}

/// Keeps that a component was too dear under these limits.
pub(crate) fn refuse(engine: &Engine, cache: Option<&Path>, digest: &str, limits: &str, why: &str) {
    write(engine, cache, digest, REFUSED, &[limits.as_bytes(), b"\n", why.as_bytes()]);
}

/// Compiles a component in this process.
pub(crate) fn compile(engine: &Engine, cache: Option<&Path>, digest: &str, wasm: &[u8]) -> anyhow::Result<Component> {
    let component = Component::new(engine, wasm)?;
    if cache.is_some() {
        match component.serialize() {
            Ok(code) => keep(engine, cache, digest, &code),
            Err(error) => tracing::warn!("compiled code is not kept: {error:#}"),
        }
    }
    Ok(component)
}

/// Takes what the daemon's own compiler gave.
pub(crate) fn take(engine: &Engine, cache: Option<&Path>, digest: &str, code: &[u8]) -> anyhow::Result<Component> {
    let component = deserialize(engine, code)?;
    keep(engine, cache, digest, code);
    Ok(component)
}

/// Keeps code for the next start.
fn keep(engine: &Engine, cache: Option<&Path>, digest: &str, code: &[u8]) {
    write(engine, cache, digest, CODE, &[Sha256::digest(code).as_slice(), code]);
}

/// [`find`] has said what is wrong with a folder that cannot be used.
fn write(engine: &Engine, cache: Option<&Path>, digest: &str, end: &str, parts: &[&[u8]]) {
    let Some(cache) = cache.filter(|cache| prepare(cache).is_ok()) else { return };
    let file = file_of(engine, cache, digest, end);
    let stored = store(&file, parts).and_then(|()| trim(cache, FOLDER_MAX_BYTES));
    if let Err(error) = stored {
        tracing::warn!(file = %file.display(), %error, "what a plugin was compiled to is not kept");
    }
}

fn file_of(engine: &Engine, cache: &Path, digest: &str, end: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    cache.join(format!("{digest}-{:016x}.{end}", hasher.finish()))
}

/// The code in the cache, if it is there and whole.
fn load(engine: &Engine, file: &Path) -> anyhow::Result<Option<Component>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (checksum, code) = bytes.split_at_checked(CHECKSUM_BYTES).context("it is cut off")?;
    ensure!(checksum == Sha256::digest(code).as_slice(), "its checksum does not fit");
    deserialize(engine, code).map(Some)
}

#[allow(unsafe_code, reason = "deserializing compiled code is unsafe by nature; see the safety comment")]
fn deserialize(engine: &Engine, code: &[u8]) -> anyhow::Result<Component> {
    // SAFETY: the bytes must be what `Component::serialize` gave. They come from this program, run once more as the
    // compiler, or from a folder that `prepare` found to be owned and writable by this process's user alone, where only
    // `store` writes, and their checksum fits.
    Ok(unsafe { Component::deserialize(engine, code) }?)
}

/// Writes beside and renames, so that no reader ever meets half a file.
fn store(file: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let beside = file.with_extension(format!("{}.writing", mine()));
    let written = fs::File::create(&beside)
        .and_then(|mut writing| parts.iter().try_for_each(|part| writing.write_all(part)))
        .and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // A full disk must not become fuller with each try.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name that no other thread and no other process has for a file just now.
fn mine() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Removes what was not used for longest, until the rest is small enough. What a killed process left half written is
/// among it.
fn trim(cache: &Path, max_bytes: u64) -> io::Result<()> {
    let mut held = Vec::new();
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        // Another process may have removed it.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            held.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    held.sort_unstable();
    let mut bytes: u64 = held.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, size, file) in held {
        if bytes <= max_bytes {
            break;
        }
        match fs::remove_file(file) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        bytes -= size;
    }
    Ok(())
}

/// Makes the folder, or makes sure that nobody else can write to it.
#[cfg(unix)]
fn prepare(cache: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    if !cache.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(cache)?;
    }
    let folder = fs::symlink_metadata(cache)?;
    if !folder.is_dir() {
        bail!("it is not a folder");
    }
    let mode = folder.mode() & 0o777;
    ensure!(mode & 0o077 == 0, "others may use the folder (mode {mode:o}); make it the daemon's own: chmod 700");
    let probe = cache.join(format!("{}.probe", mine()));
    fs::write(&probe, b"")?;
    let owner = fs::metadata(&probe).map(|probe| probe.uid());
    fs::remove_file(&probe)?;
    ensure!(owner? == folder.uid(), "the folder belongs to another user; make it the daemon's own: chown");
    Ok(())
}

/// Makes the folder. Its access rights are what its parent gives it.
#[cfg(not(unix))]
fn prepare(cache: &Path) -> anyhow::Result<()> {
    if !cache.exists() {
        fs::create_dir_all(cache)?;
    }
    ensure!(cache.is_dir(), "it is not a folder");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    /// Takes a component from the cache, or compiles it.
    fn open(engine: &Engine, cache: &Path, digest: &str) -> Component {
        match find(engine, Some(cache), digest, "limits") {
            Some(Found::Code(component)) => component,
            _ => compile(engine, Some(cache), digest, EMPTY).unwrap(),
        }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn code_is_kept_and_a_damaged_file_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("a/b");
        let engine = Engine::default();
        open(&engine, &cache, "d1");
        let [file] = files(&cache).try_into().unwrap();
        assert!(load(&engine, &file).unwrap().is_some());

        let whole = fs::read(&file).unwrap();
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        for damaged in [&whole[..whole.len() - 1], &whole[..10], b"", &other] {
            fs::write(&file, damaged).unwrap();
            assert!(load(&engine, &file).is_err());
            open(&engine, &cache, "d1");
            assert_eq!(fs::read(&file).unwrap(), whole);
        }
        open(&engine, &cache, "d2");
        assert_eq!(files(&cache).len(), 2);
    }

    #[test]
    fn what_was_too_dear_is_not_tried_again_under_the_same_limits() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, engine) = (folder.path().join("cache"), Engine::default());
        refuse(&engine, Some(&cache), "d1", "1 ms", "takes more than 1 ms");
        let found = |digest, limits| match find(&engine, Some(&cache), digest, limits) {
            Some(Found::TooDear(why)) => Some(why),
            _ => None,
        };
        assert_eq!(found("d1", "1 ms").as_deref(), Some("takes more than 1 ms"));
        assert_eq!(found("d1", "2 ms"), None);
        assert_eq!(found("d2", "1 ms"), None);
    }

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, engine) = (folder.path().join("cache"), Engine::default());
        for (digest, age_s) in [("d1", 30), ("d2", 20), ("d3", 10)] {
            open(&engine, &cache, digest);
            let file = fs::File::options().append(true).open(file_of(&engine, &cache, digest, CODE)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s)).unwrap();
        }
        open(&engine, &cache, "d1");
        let held = |digest| file_of(&engine, &cache, digest, CODE).exists();
        let one = fs::metadata(file_of(&engine, &cache, "d1", CODE)).unwrap().len();
        trim(&cache, one * 2).unwrap();
        assert_eq!([held("d1"), held("d2"), held("d3")], [true, false, true], "it was used again");
        trim(&cache, 0).unwrap();
        assert_eq!(files(&cache).len(), 0);
    }

    #[test]
    fn several_threads_keep_code_in_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        std::thread::scope(|scope| {
            let keep = || prepare(&cache).is_ok() && store(&cache.join("d.compiled"), &[b"code"]).is_ok();
            let kept = (0..8).map(|_| scope.spawn(move || (0..200).all(|_| keep())));
            assert!(kept.collect::<Vec<_>>().into_iter().all(|thread| thread.join().unwrap()));
        });
        assert_eq!(files(&cache), [cache.join("d.compiled")]);
    }

    #[test]
    fn what_could_not_be_kept_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("d.compiled");
        fs::create_dir(&taken).unwrap();
        assert!(store(&taken, &[b"code"]).is_err());
        assert_eq!(files(folder.path()), [taken]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        prepare(&cache).unwrap();
        assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(prepare(&cache).unwrap_err().to_string().contains("chmod 700"));
        open(&Engine::default(), &cache, "d");
        assert!(files(&cache).is_empty());
    }
}
