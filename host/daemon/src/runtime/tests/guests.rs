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
