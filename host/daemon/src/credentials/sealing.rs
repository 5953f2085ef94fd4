//! Keys that HMAC needs in the clear, encrypted at rest under the master key.
//!
//! A sealed key is one byte of form (1), a nonce of 24 bytes, and the XChaCha20-Poly1305 ciphertext with its tag.
//! Dialect and account are associated data, so that a record cannot be moved to another account.

use super::SealError;
use crate::config::create_private;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORM: u8 = 1;

/// Encrypts and decrypts keys. The master key is read, or made, when it is needed first.
pub(super) struct Sealing {
    path: PathBuf,
    cipher: OnceLock<XChaCha20Poly1305>,
}

impl Sealing {
    /// Under the master key `master.key` of that folder.
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("master.key"), cipher: OnceLock::new() }
    }

    /// Encrypts a key of an account. Makes the master key where there is none.
    pub(super) fn seal(&self, dialect: &str, account: &str, key: &[u8]) -> Result<Vec<u8>, SealError> {
        let cipher = self.cipher(true)?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| SealError::NoRandomness(error.to_string()))?;
        let aad = associated(dialect, account);
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: key, aad: &aad })
            .map_err(|_| tampered(dialect, account))?;
        Ok([&[FORM], nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts the key of an account.
    pub(super) fn open(&self, dialect: &str, account: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let cipher = self.cipher(false)?;
        let (nonce, text) = sealed
            .split_first()
            .filter(|(form, _)| **form == FORM)
            .and_then(|(_, rest)| rest.split_at_checked(NONCE_BYTES))
            .ok_or_else(|| tampered(dialect, account))?;
        let aad = associated(dialect, account);
        cipher
            .decrypt(XNonce::from_slice(nonce), Payload { msg: text, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| tampered(dialect, account))
    }

    fn cipher(&self, make: bool) -> Result<&XChaCha20Poly1305, SealError> {
        if let Some(cipher) = self.cipher.get() {
            return Ok(cipher);
        }
        let key = match read(&self.path) {
            Err(SealError::Missing { .. }) if make => create(&self.path)?,
            other => other?,
        };
        let cipher = XChaCha20Poly1305::new((&*key).into());
        Ok(self.cipher.get_or_init(|| cipher))
    }
}

/// Dialect and account, so that no two pairs read the same.
fn associated(dialect: &str, account: &str) -> Vec<u8> {
    let length = u64::try_from(dialect.len()).unwrap_or(u64::MAX).to_be_bytes();
    [length.as_slice(), dialect.as_bytes(), account.as_bytes()].concat()
}

fn tampered(dialect: &str, account: &str) -> SealError {
    SealError::Tampered { dialect: dialect.to_owned(), account: account.to_owned() }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let failed = |source| SealError::Io { path: path.to_owned(), doing: "read", source };
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(SealError::Missing { path: path.to_owned() });
        }
        other => Zeroizing::new(other.map_err(failed)?),
    };
    let mode = mode(path).map_err(failed)?;
    if mode & 0o077 != 0 {
        return Err(SealError::OpenToOthers { path: path.to_owned(), mode });
    }
    let wrong = SealError::WrongLength { path: path.to_owned(), length: bytes.len() };
    <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map(Zeroizing::new).map_err(|_| wrong)
}

/// Makes a master key that is on the disk when this returns. A crash leaves either none or a whole one.
fn create(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let failed = |source| SealError::Io { path: path.to_owned(), doing: "made", source };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| SealError::NoRandomness(error.to_string()))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let draft = path.with_extension("key.new");
    // What an earlier crash left here was never used.
    if let Err(error) = std::fs::remove_file(&draft)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(failed(error));
    }
    let mut file = create_private(&draft).map_err(failed)?;
    file.write_all(key.as_slice()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)?;
    Ok(key)
}

fn mode(path: &Path) -> std::io::Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::Sealing;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn refusal(folder: &Path, act: impl FnOnce(&Sealing) -> Result<(), super::SealError>) -> String {
        let text = act(&Sealing::new(folder)).unwrap_err().to_string();
        text.replace(&folder.display().to_string(), "DATA")
    }

    #[test]
    fn a_key_comes_back_for_its_account_only() {
        let folder = tempfile::tempdir().unwrap();
        let sealing = Sealing::new(folder.path());
        let sealed = sealing.seal("initech-things", "device/d1", b"hmac key").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"hmac key"));
        assert_ne!(sealed, sealing.seal("initech-things", "device/d1", b"hmac key").unwrap(), "the nonce is new");
        // A restart reads the same master key.
        let sealing = Sealing::new(folder.path());
        assert_eq!(sealing.open("initech-things", "device/d1", &sealed).unwrap().as_slice(), b"hmac key");
        for (dialect, account) in
            [("initech-things", "device/d2"), ("initech-thing", "adevice/d1"), ("other", "device/d1")]
        {
            let error = sealing.open(dialect, account, &sealed).unwrap_err().to_string();
            let expected = format!(
                "the key of {dialect} account {account} cannot be decrypted: the master key is not the one it was kept \
                 under, or the record was changed; set the secret of the device again"
            );
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let sealing = Sealing::new(folder.path());
        let sealed = sealing.seal("d", "a", b"key").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(sealing.open("d", "a", &changed).is_err(), "byte {index}");
            assert!(sealing.open("d", "a", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn the_master_key_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = Sealing::new(folder.path()).seal("d", "a", b"key").unwrap();
        let path = folder.path().join("master.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap().len(), 32);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(
            refusal(folder.path(), |sealing| sealing.open("d", "a", &sealed).map(drop)),
            "the master key DATA/master.key has mode 0640, so others can use it; run chmod 600 on it, and think about \
             who may have read it"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [7; 31]).unwrap();
        let wrong_length = "the master key DATA/master.key has 31 bytes, not 32; put back the one from the backup";
        assert_eq!(refusal(folder.path(), |sealing| sealing.open("d", "a", &sealed).map(drop)), wrong_length);
        assert_eq!(refusal(folder.path(), |sealing| sealing.seal("d", "a", b"key").map(drop)), wrong_length);
        std::fs::write(&path, [7; 32]).unwrap();
        assert!(refusal(folder.path(), |sealing| sealing.open("d", "a", &sealed).map(drop)).contains("not the one"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            refusal(folder.path(), |sealing| sealing.open("d", "a", &sealed).map(drop)),
            "the master key DATA/master.key is missing; put back the one from the backup, keys of devices cannot be \
             read without it"
        );
        assert!(!path.exists(), "reading makes no new one");
    }

    #[test]
    fn what_a_crash_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("master.key.new"), "half").unwrap();
        assert!(Sealing::new(folder.path()).seal("d", "a", b"key").is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
