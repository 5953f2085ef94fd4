//! Why a credential was not accepted, made or read.

use dragoman_store::StoreError;
use std::path::PathBuf;

/// Why a check did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// It does not fit, or there is no such account; the two are not told apart.
    #[error("the credential does not fit")]
    Denied,
    /// It could not be checked now. The text is for the operator's log, not for the client.
    #[error("credentials cannot be checked now: {0}")]
    Unavailable(String),
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Why a credential was not made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The secret is too short or too long.
    #[error("the secret has {length} bytes; it needs {least} to {most}")]
    SecretLength {
        /// Of what was given.
        length: usize,
        /// Fewest bytes.
        least: usize,
        /// Most bytes.
        most: usize,
    },
    /// The account's name cannot be used.
    #[error("account {account:?} cannot be used: {why}")]
    BadAccount {
        /// As given.
        account: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The rights are not what a plugin can read.
    #[error("the rights cannot be used: {0}")]
    BadRights(String),
    /// The account has a credential.
    #[error("account {account} of {dialect} has a credential already; remove that one first")]
    Exists {
        /// Its dialect.
        dialect: String,
        /// Its name.
        account: String,
    },
    /// The same chosen secret belongs to another account, so that a token header could not tell them apart.
    #[error("this secret belongs to another account of {dialect} already; choose another")]
    SecretTaken {
        /// The dialect.
        dialect: String,
    },
    /// More secrets wait to be hashed than may.
    #[error("{0}; try again")]
    Busy(String),
    /// A key cannot be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be made or hashed.
    #[error("a secret could not be made: {0}")]
    Crypto(String),
}

/// Why a key cannot be encrypted or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// Keys were kept under a master key that is gone.
    #[error("the master key {} is missing; put back the one from the backup, keys of devices cannot be read without it", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than the owner can read or write it.
    #[error("the master key {} has mode {mode:04o}, so others can use it; run chmod 600 on it, and think about who may have read it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no master key.
    #[error("the master key {} has {length} bytes, not 32; put back the one from the backup", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Of the file.
        length: usize,
    },
    /// The system refuses.
    #[error("the master key {} cannot be {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `made`.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The record was changed, belongs to another account, or was encrypted under another master key.
    #[error(
        "the key of {dialect} account {account} cannot be decrypted: the master key is not the one it was kept under, or the record was changed; set the secret of the device again"
    )]
    Tampered {
        /// Of the account.
        dialect: String,
        /// Whose key.
        account: String,
    },
    /// No randomness.
    #[error("the system gives no random numbers: {0}")]
    NoRandomness(String),
}
