//! Compiled code on disk, so that a start does not compile every plugin again.
//!
//! A file is named for the component's digest and for everything in the engine that the code depends on. Loading
//! compiled code means running it, so the folder must be the daemon's alone: nothing that an operator or a plugin
//! author drops anywhere is ever loaded as compiled code.

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const CHECKSUM_BYTES: usize = 32;

/// Compiles a component, or takes its code from the cache. Trouble with the cache is logged and costs a compilation.
pub(crate) fn compile(engine: &Engine, cache: Option<&Path>, digest: &str, wasm: &[u8]) -> anyhow::Result<Component> {
    let Some(cache) = cache else { return Ok(Component::new(engine, wasm)?) };
    let file = match prepare(cache) {
        Ok(()) => file_of(engine, cache, digest),
        Err(error) => {
            tracing::warn!(folder = %cache.display(), "compiled plugins are not kept: {error:#}");
            return Ok(Component::new(engine, wasm)?);
        }
    };
    match load(engine, &file) {
        Ok(Some(component)) => return Ok(component),
        Ok(None) => {}
        Err(error) => tracing::warn!(file = %file.display(), "compiled code is not usable, compiling again: {error:#}"),
    }
    let component = Component::new(engine, wasm)?;
    if let Err(error) = component.serialize().map_err(anyhow::Error::from).and_then(|code| store(&file, &code)) {
        tracing::warn!(file = %file.display(), "compiled code is not kept: {error:#}");
    }
    Ok(component)
}

fn file_of(engine: &Engine, cache: &Path, digest: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    cache.join(format!("{digest}-{:016x}.compiled", hasher.finish()))
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
    // SAFETY: the bytes must be what `Component::serialize` gave. They come from a folder that `prepare` found to be
    // owned and writable by this process's user alone, where only `store` writes, and their checksum fits.
    Ok(unsafe { Component::deserialize(engine, code) }?)
}

/// Writes beside and renames, so that no reader ever meets half a file.
fn store(file: &Path, code: &[u8]) -> anyhow::Result<()> {
    let beside = file.with_extension(format!("{}.writing", std::process::id()));
    let mut bytes = Sha256::digest(code).to_vec();
    bytes.extend_from_slice(code);
    fs::write(&beside, bytes)?;
    fs::rename(&beside, file)?;
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
    let probe = cache.join(format!("{}.probe", std::process::id()));
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

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn code_is_kept_and_a_damaged_file_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("a/b");
        let engine = Engine::default();
        compile(&engine, Some(&cache), "d1", EMPTY).unwrap();
        let [file] = files(&cache).try_into().unwrap();
        assert!(load(&engine, &file).unwrap().is_some());

        let whole = fs::read(&file).unwrap();
        for damaged in [&whole[..whole.len() - 1], &whole[..10], b""] {
            fs::write(&file, damaged).unwrap();
            assert!(load(&engine, &file).is_err());
            compile(&engine, Some(&cache), "d1", EMPTY).unwrap();
            assert_eq!(fs::read(&file).unwrap(), whole);
        }
        compile(&engine, Some(&cache), "d2", EMPTY).unwrap();
        assert_eq!(files(&cache).len(), 2);
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
        compile(&Engine::default(), Some(&cache), "d", EMPTY).unwrap();
        assert!(files(&cache).is_empty());
    }
}
