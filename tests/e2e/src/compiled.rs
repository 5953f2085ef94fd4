//! Compiled plugins, kept from one test's daemon for the next: compiling all of them takes most of the time of a short test.
//!
//! The daemon names them for what they were compiled from, and checks them; what does not fit is compiled again.

use crate::paths;
use anyhow::Context;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where the daemon keeps them below its data.
const OF_A_DAEMON: &str = "compiled";
/// The profile of nextest under which memory is measured, which a start that compiles uses more of.
const MEASURED: &str = "footprint";

/// Gives a daemon that has not started yet what others compiled.
pub(crate) fn give(data: &Path) -> anyhow::Result<()> {
    let shared = shared()?;
    if !shared.exists() || std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile == MEASURED) {
        return Ok(());
    }
    copy(&shared, &data.join(OF_A_DAEMON))
}

/// Keeps what a daemon that is ready has compiled.
pub(crate) fn keep(data: &Path) -> anyhow::Result<()> {
    copy(&data.join(OF_A_DAEMON), &shared()?)
}

fn shared() -> anyhow::Result<PathBuf> {
    Ok(paths::profile_folder()?.join("e2e-compiled"))
}

/// Copies what is not there yet. Other tests do the same at the same time.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    // The daemon takes them from no folder that others could write to.
    DirBuilder::new().recursive(true).mode(0o700).create(to).with_context(|| format!("making {}", to.display()))?;
    for file in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let name = file?.file_name();
        let is_whole = Path::new(&name).extension().is_some_and(|extension| extension == OF_A_DAEMON);
        let (from, to) = (from.join(&name), to.join(&name));
        if is_whole && !to.exists() {
            let beside = to.with_extension(format!("{}.copying", std::process::id()));
            fs::copy(&from, &beside).with_context(|| format!("copying {}", from.display()))?;
            fs::rename(&beside, &to).with_context(|| format!("writing {}", to.display()))?;
        }
    }
    Ok(())
}
