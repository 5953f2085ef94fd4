//! Builds the guests once, and makes variations of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A dialect that does what its input says.
pub fn scripted() -> Vec<u8> {
    std::fs::read(built().join("scripted.wasm")).unwrap()
}

/// A handler of two steps.
pub fn stepper() -> Vec<u8> {
    std::fs::read(built().join("stepper.wasm")).unwrap()
}

/// A plugin that means harm: what its marks say, e.g. `("deed", "spin")` and `("place", "handler.start")`.
pub fn hostile(marks: &[(&str, &str)]) -> Vec<u8> {
    let mut wasm = std::fs::read(built().join("hostile.wasm")).unwrap();
    for (mark, value) in marks {
        let mark = format!("hostile-{mark}=");
        let text = format!("{mark}{value:40}");
        assert_eq!(text.len(), mark.len() + 40, "{text} does not fit into the guest");
        let at: Vec<_> = (0..wasm.len()).filter(|at| wasm[*at..].starts_with(mark.as_bytes())).collect();
        let [at] = at[..] else { panic!("the guest holds the text {mark} {} times", at.len()) };
        wasm[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    wasm
}

/// The component with some of its texts replaced by others of the same length.
pub fn with(mut wasm: Vec<u8>, replacements: &[(&str, &str)]) -> Vec<u8> {
    for (from, to) in replacements {
        assert_eq!(from.len(), to.len(), "{from} {to}");
        let places: Vec<_> = (0..wasm.len()).filter(|at| wasm[*at..].starts_with(from.as_bytes())).collect();
        assert!(!places.is_empty(), "the guest does not hold the text {from}");
        for at in places {
            wasm[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    wasm
}

/// The same component under another digest: with a custom section at its end.
pub fn variant(mut wasm: Vec<u8>, number: u8) -> Vec<u8> {
    let (name, content) = ("variant", [number]);
    let length = u8::try_from(1 + name.len() + content.len()).unwrap();
    wasm.extend([0, length, u8::try_from(name.len()).unwrap()]);
    wasm.extend_from_slice(name.as_bytes());
    wasm.extend_from_slice(&content);
    wasm
}

/// Where the built guests are.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let target = "wasm32-wasip2";
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    assert!(
        Path::new(libraries.trim()).is_dir(),
        "the tests of dragoman-wasm build plugins for {target}, which is not installed: rustup target add {target}"
    );
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    // What is set for the host's build, coverage for instance, is not meant for the guests'.
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", target, "--target-dir"])
        .arg(&target_dir)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests"))
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .unwrap();
    assert!(status.success(), "the guests in host/wasm/tests/guests do not build");
    target_dir.join(target).join("release")
}
