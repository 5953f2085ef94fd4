//! Random secrets, and how they are found again.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every made secret begins with, so that people and scanners recognise one.
const PREFIX: &str = "dgt_";

/// A secret of 32 random bytes, 47 characters.
pub(super) fn make() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut random = Zeroizing::new([0_u8; 32]);
    getrandom::fill(random.as_mut_slice())?;
    let mut secret = Zeroizing::new(String::with_capacity(PREFIX.len() + 43));
    secret.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(random.as_slice(), &mut secret);
    Ok(secret)
}

/// A key of 48 random bytes in base64: 64 characters without padding.
pub(super) fn make_key() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut random = Zeroizing::new([0_u8; 48]);
    getrandom::fill(random.as_mut_slice())?;
    let mut key = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(random.as_slice(), &mut key);
    Ok(key)
}

/// What is kept of a token. One round is enough, because what is hashed cannot be guessed.
pub(super) fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}
