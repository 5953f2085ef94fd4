//! Who may do what: tokens of applications, passwords and keys of devices.
//!
//! ```text
//! Vault ─┬─ Records      where they are kept: the store's journal
//!        ├─ token        random secrets, found by their SHA-256
//!        ├─ Passwords    chosen secrets, Argon2id, bounded, with a memory of what was right
//!        └─ Sealing      keys that HMAC and JWT need, encrypted under the master key
//! ```
//!
//! An account of kind key is what a dialect names to `credentials.sign-jwt`, `verify-jwt` and `verify-mac`: a *signing key
//! account* is nobody's login but the key with which the host signs that dialect's tokens. Who replaces its key makes
//! every token invalid that was signed before.
//!
//! A secret is in the clear only while it is checked or handed to the host's HMAC; it is wiped afterwards and no error,
//! log line or `Debug` shows it.

mod error;
#[cfg(test)]
pub(crate) mod memory;
mod password;
mod records;
mod sealing;
#[cfg(test)]
mod tests;
mod token;
mod vault;
mod verified;

pub(crate) use error::{CheckError, SealError, VaultError};
pub(crate) use records::Records;
pub(crate) use vault::{DeviceSecretKind, Identity, Presented, TokenKind, Vault, device_account};
