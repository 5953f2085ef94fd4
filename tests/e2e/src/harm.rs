//! Hostile plugins: the guest of the tests of dragoman-wasm, built where those build it, and made into what a test wants.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room for the value of a mark.
const MARK_BYTES: usize = 40;

/// Builds the guests of the tests of dragoman-wasm, and gives the folder with the components.
///
/// # Errors
/// When they do not build.
pub fn build() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("asking for the path of the test")?;
    let target: PathBuf = test.ancestors().nth(3).context("the test is not in a target directory")?.join("tmp/guests");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host/wasm/tests/guests"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the guests in host/wasm/tests/guests do not build; they need the target wasm32-wasip2");
    Ok(target.join("wasm32-wasip2/release"))
}

/// The hostile guest with values of its marks, e.g. `("deed", "spin")` and `("place", "handler.start")`.
///
/// # Errors
/// When a value does not fit, or the guest does not have the mark.
pub fn hostile(built: &[u8], marks: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let mut wasm = built.to_vec();
    for (mark, value) in marks {
        ensure!(value.len() <= MARK_BYTES, "{value} does not fit into the guest");
        let mark = format!("hostile-{mark}=");
        let at = wasm.windows(mark.len()).position(|text| text == mark.as_bytes());
        let at = at.with_context(|| format!("the guest does not hold the text {mark}"))? + mark.len();
        let room = wasm.get_mut(at..at + MARK_BYTES).context("the guest is cut off")?;
        room.copy_from_slice(format!("{value:MARK_BYTES$}").as_bytes());
    }
    Ok(wasm)
}

/// The component with a text replaced by another of the same length, wherever it stands.
pub fn with_text(mut wasm: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "{from} {to}");
    let places: Vec<_> = (0..wasm.len()).filter(|at| wasm[*at..].starts_with(from.as_bytes())).collect();
    for at in places {
        wasm[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    wasm
}

/// A component with one module of so many functions that do nothing: small as a file, and dear to compile.
pub fn many_functions(count: u32) -> Vec<u8> {
    let functions = [number(count), vec![0; count as usize]].concat();
    let code = [number(count), [2, 0, 0x0b].repeat(count as usize)].concat();
    let module =
        [b"\0asm\x01\0\0\0".to_vec(), section(1, &[1, 0x60, 0, 0]), section(3, &functions), section(10, &code)];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], number(u32::try_from(content.len()).unwrap_or(u32::MAX)), content.to_vec()].concat()
}

/// In seven bits a byte, the lowest first.
fn number(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
