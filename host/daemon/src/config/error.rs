//! Why a configuration cannot be used.

use std::path::PathBuf;

/// Why a configuration cannot be used, in a sentence that names the file, the line and what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read, or is not UTF-8.
    #[error("configuration {} cannot be read: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {problem}", file.display())]
    Invalid {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// The key, what is wrong with it, and what is allowed.
        problem: String,
    },
}
