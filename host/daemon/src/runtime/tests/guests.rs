//! Builds the components of dragoman-wasm's tests, where that crate's own tests build them too.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts the scripted dialect and the handler of two steps into a plugin folder.
pub(super) fn install(folder: &Path) {
    let built = build();
    std::fs::create_dir_all(folder).unwrap();
    for name in ["scripted.wasm", "stepper.wasm"] {
        std::fs::copy(built.join(name), folder.join(name)).unwrap();
    }
}

/// Puts a second dialect beside them, the same under another name.
pub(super) fn install_twin(folder: &Path) {
    let mut wasm = std::fs::read(build().join("scripted.wasm")).unwrap();
    let (from, to) = (b"scripted", b"twin-two");
    // Its name, and the routes and topics that hold it.
    let places: Vec<_> = (0..wasm.len()).filter(|at| wasm[*at..].starts_with(from)).collect();
    for at in places {
        wasm[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(folder.join("twin.wasm"), wasm).unwrap();
}

/// Puts a dialect beside them that claims the topic on which the devices of the first speak.
pub(super) fn install_rival(folder: &Path) {
    install_twin(folder);
    let wasm = std::fs::read(folder.join("twin.wasm")).unwrap();
    std::fs::write(folder.join("twin.wasm"), with(wasm, b"twin-two/+/up", b"scripted/+/up")).unwrap();
}

/// Replaces a plugin's file by what `change` makes of the plugin as it was built.
pub(super) fn replace(folder: &Path, plugin: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let file = format!("{plugin}.wasm");
    let wasm = std::fs::read(build().join(&file)).unwrap();
    std::fs::write(folder.join(file), change(wasm)).unwrap();
}

pub(super) fn remove(folder: &Path, plugin: &str) {
    std::fs::remove_file(folder.join(format!("{plugin}.wasm"))).unwrap();
}

/// The same component under another digest: with a custom section at its end.
pub(super) fn variant(number: u8) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |mut wasm| {
        wasm.extend([0, 3, 1, b'v', number]);
        wasm
    }
}

/// The scripted dialect as another version of itself.
pub(super) fn version_two(wasm: Vec<u8>) -> Vec<u8> {
    with(wasm, b"version-one", b"version-two")
}

/// With a text replaced by another of the same length.
fn with(mut wasm: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = (0..wasm.len()).filter(|at| wasm[*at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "the guest does not hold that text");
    for at in places {
        wasm[at..at + to.len()].copy_from_slice(to);
    }
    wasm
}

/// Compiled code, shared by all tests, which run in processes of their own.
pub(super) fn compiled() -> PathBuf {
    scratch().join("compiled")
}

fn build() -> PathBuf {
    let (target, target_dir) = ("wasm32-wasip2", scratch().join("guests"));
    // What is set for the host's build, coverage for instance, is not meant for the guests'.
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", target, "--target-dir"])
        .arg(&target_dir)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wasm/tests/guests"))
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the guests in host/wasm/tests/guests do not build; they need a target: rustup target add {target}"
    );
    target_dir.join(target).join("release")
}

/// `tmp` of the target directory: tests run from `debug/deps` in it.
fn scratch() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("tmp")
}
