//! Checks what clients present, and makes, changes and opens credentials.

use super::password::{Attempt, PasswordError, Passwords};
use super::sealing::Sealing;
use super::{CheckError, Records, SealError, VaultError, token};
use dragoman_store::{CredentialKind, CredentialRecord, Journal};
use std::path::Path;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Most bytes of a secret, presented or chosen.
const SECRET_MAX_BYTES: usize = 1_024;
/// Fewest bytes of a chosen secret.
const SECRET_MIN_BYTES: usize = 8;
/// Fewest bytes of a chosen secret that a token header may carry: it is found by a plain SHA-256, which is cheap to
/// guess against.
const TOKEN_MIN_BYTES: usize = 16;
/// Bytes of a key for HS256 (RFC 7518, section 3.2).
const KEY_ADVISED_BYTES: usize = 32;
const ACCOUNT_MAX_BYTES: usize = 256;
const RIGHTS_MAX_BYTES: usize = 16_384;
/// The scheme of what came in CONNECT.
const CONNECT: &str = "mqtt";
/// Accounts of devices begin with this.
const DEVICE_PREFIX: &str = "device/";

/// What a client presented. The secret is wiped when this is dropped.
pub(crate) struct Presented {
    scheme: String,
    account: Option<String>,
    secret: Zeroizing<Vec<u8>>,
}

impl Presented {
    /// The scheme is `basic`, `bearer`, the name of a header or `mqtt`; the account is that of Basic or the username
    /// of CONNECT.
    pub(crate) fn new(scheme: String, account: Option<String>, secret: Vec<u8>) -> Self {
        Self { scheme, account, secret: Zeroizing::new(secret) }
    }
}

/// The secret is left out, so that it reaches no log.
impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented")
            .field("scheme", &self.scheme)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The account.
    pub(crate) account: String,
    /// What the operator granted, a JSON object.
    pub(crate) rights: String,
}

/// A credential that was just made.
pub(crate) struct MadeToken {
    /// The secret, where none was chosen. It is not shown again.
    pub(crate) secret: Option<Zeroizing<String>>,
    /// What the operator should know about a chosen secret.
    pub(crate) warning: Option<&'static str>,
}

/// What the secret of a device is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceSecretKind {
    /// The device presents it. Kept hashed.
    Password,
    /// HMAC is computed with it. Kept encrypted.
    Key,
}

/// How the secret of an application is used, and so how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Random. Good by itself in a token header. Kept as its SHA-256.
    Token,
    /// Somebody's choice. Good only together with its account. Kept hashed with Argon2id.
    Password,
    /// The host computes with it for the dialect: it signs tokens (JWT) or checks an HMAC. Kept encrypted.
    Key,
}

/// Every credential of every dialect.
pub(crate) struct Vault {
    records: Arc<dyn Records>,
    passwords: Passwords,
    sealing: Sealing,
    /// Held from the look at what there is to the write, by those that look.
    writes: tokio::sync::Mutex<()>,
}

impl Vault {
    /// Over the store's credentials, with the master key in that folder. Takes as long as one password hash.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub(crate) fn open(data_dir: &Path, journal: Journal) -> Result<Self, VaultError> {
        Self::new(Arc::new(journal), data_dir)
    }

    /// The same over any records.
    pub(crate) fn new(records: Arc<dyn Records>, data_dir: &Path) -> Result<Self, VaultError> {
        let passwords = Passwords::new().map_err(|error| VaultError::Crypto(error.to_string()))?;
        Ok(Self { records, passwords, sealing: Sealing::new(data_dir), writes: tokio::sync::Mutex::new(()) })
    }

    /// Checks what was presented against `account`. Without one: against the account that Basic named, else finds the account
    /// that the token belongs to. The user name of CONNECT may name something that has many accounts, such as an
    /// application with many keys; so it counts as an account only where no token fits. A refusal for a named account
    /// takes as long as a wrong password, whether or not there is such an account.
    pub(crate) async fn check(
        &self,
        dialect: &str,
        account: Option<&str>,
        presented: &Presented,
    ) -> Result<Identity, CheckError> {
        let is_token = account.is_none() && (presented.account.is_none() || presented.scheme == CONNECT);
        if is_token && (1..=SECRET_MAX_BYTES).contains(&presented.secret.len()) {
            let record = self.records.by_token(dialect, &token::hash(&presented.secret)).await?;
            if record.is_some() {
                return identity(record);
            }
        }
        match account.or(presented.account.as_deref()) {
            Some(account) => self.check_password(dialect, account, &presented.secret).await,
            None => Err(CheckError::Denied),
        }
    }

    /// Checks a password that a platform puts into the body, where a plugin sees it. A refusal takes as long as a wrong
    /// password, whether or not there is such an account.
    pub(crate) async fn check_password(
        &self,
        dialect: &str,
        account: &str,
        password: &[u8],
    ) -> Result<Identity, CheckError> {
        if password.is_empty() || password.len() > SECRET_MAX_BYTES {
            return Err(CheckError::Denied);
        }
        let found = self.records.credential(dialect, account).await?;
        identity(self.fitting(found, password).await?)
    }

    async fn fitting(
        &self,
        record: Option<CredentialRecord>,
        secret: &[u8],
    ) -> Result<Option<CredentialRecord>, CheckError> {
        let Some(record) = record else {
            self.passwords.pretend(secret).await?;
            return Ok(None);
        };
        let fits: bool = match record.kind {
            CredentialKind::Password => {
                let attempt =
                    Attempt { dialect: &record.dialect, account: &record.account, stored: &record.secret, secret };
                let fits = self.passwords.check(attempt).await?;
                return Ok(fits.then_some(record));
            }
            CredentialKind::Token => token::hash(secret).ct_eq(&record.secret).into(),
            CredentialKind::Sealed => {
                let key = self.sealing.open(&record.dialect, &record.account, &record.secret)?;
                token::hash(secret).ct_eq(&token::hash(&key)).into()
            }
        };
        if !fits {
            self.passwords.pretend(secret).await?;
        }
        Ok(fits.then_some(record))
    }

    /// The key of an account in the clear, for the host's own HMAC; none where the account has no key.
    pub(crate) async fn secret(&self, dialect: &str, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, CheckError> {
        match self.records.credential(dialect, account).await? {
            Some(record) if record.kind == CredentialKind::Sealed => {
                Ok(Some(self.sealing.open(dialect, account, &record.secret)?))
            }
            _ => Ok(None),
        }
    }

    /// Makes the credential of an application. Without a chosen secret one is made that is shown once; of kind key it is
    /// base64 of 48 random bytes, so that it can be read as text and as base64. Without a kind a chosen secret of 16
    /// bytes or more is a token, a shorter one a password.
    pub(crate) async fn create_token(
        &self,
        dialect: &str,
        account: &str,
        rights: &str,
        kind: Option<TokenKind>,
        chosen: Option<&[u8]>,
        now_ms: u64,
    ) -> Result<MadeToken, VaultError> {
        check_account(account)?;
        check_rights(rights)?;
        let least = if kind == Some(TokenKind::Token) { TOKEN_MIN_BYTES } else { SECRET_MIN_BYTES };
        chosen.map_or(Ok(()), |secret| check_length(secret, least))?;
        let long_enough = chosen.is_none_or(|secret| secret.len() >= TOKEN_MIN_BYTES);
        let kind = kind.unwrap_or(if long_enough { TokenKind::Token } else { TokenKind::Password });
        let made = match (chosen, kind) {
            (Some(_), _) => None,
            (None, TokenKind::Key) => Some(token::make_key()),
            (None, TokenKind::Token | TokenKind::Password) => Some(token::make()),
        };
        let made = made.transpose().map_err(|error| VaultError::Crypto(error.to_string()))?;
        let secret = made.as_ref().map_or(chosen.unwrap_or_default(), |made| made.as_bytes());
        let _alone = self.writes.lock().await;
        if self.records.credential(dialect, account).await?.is_some() {
            return Err(VaultError::Exists { dialect: dialect.to_owned(), account: account.to_owned() });
        }
        let (stored_as, kept) = match kind {
            TokenKind::Token => {
                let hash = token::hash(secret);
                if self.records.by_token(dialect, &hash).await?.is_some() {
                    return Err(VaultError::SecretTaken { dialect: dialect.to_owned() });
                }
                (CredentialKind::Token, hash.to_vec())
            }
            TokenKind::Password => (CredentialKind::Password, self.passwords.hash(secret).await?.into_bytes()),
            TokenKind::Key => (CredentialKind::Sealed, self.sealing.seal(dialect, account, secret)?),
        };
        let warning = chosen.and_then(|chosen| warning(kind, chosen));
        self.records.put(record(dialect, account, stored_as, kept, rights, now_ms)).await?;
        Ok(MadeToken { secret: made, warning })
    }

    /// Sets the secret of a device in place of what it had.
    pub(crate) async fn set_device_secret(
        &self,
        dialect: &str,
        device: &str,
        kind: DeviceSecretKind,
        secret: &[u8],
        now_ms: u64,
    ) -> Result<(), VaultError> {
        check_length(secret, SECRET_MIN_BYTES)?;
        let account = device_account(device);
        let (kind, kept) = match kind {
            DeviceSecretKind::Password => (CredentialKind::Password, self.passwords.hash(secret).await?.into_bytes()),
            DeviceSecretKind::Key => (CredentialKind::Sealed, self.sealing.seal(dialect, &account, secret)?),
        };
        Ok(self.records.put(record(dialect, &account, kind, kept, "{}", now_ms)).await?)
    }

    /// The credentials of applications of a dialect, by account; those of devices are left out.
    pub(crate) async fn tokens(&self, dialect: &str) -> Result<Vec<CredentialRecord>, VaultError> {
        let mut records = self.records.of_dialect(dialect).await?;
        records.retain(|record| !record.account.starts_with(DEVICE_PREFIX));
        Ok(records)
    }

    /// What kind of secret a device has.
    pub(crate) async fn device_secret(
        &self,
        dialect: &str,
        device: &str,
    ) -> Result<Option<DeviceSecretKind>, VaultError> {
        let found = self.records.credential(dialect, &device_account(device)).await?;
        Ok(found.map(|record| match record.kind {
            CredentialKind::Sealed => DeviceSecretKind::Key,
            CredentialKind::Password | CredentialKind::Token => DeviceSecretKind::Password,
        }))
    }

    /// Forgets the credential of an account. Tells whether there was one.
    pub(crate) async fn remove(&self, dialect: &str, account: &str) -> Result<bool, VaultError> {
        let _alone = self.writes.lock().await;
        if self.records.credential(dialect, account).await?.is_none() {
            return Ok(false);
        }
        self.records.remove(dialect, account).await?;
        Ok(true)
    }

    #[cfg(test)]
    pub(super) fn passwords(&self) -> &Passwords {
        &self.passwords
    }
}

/// The account under which the secret of a device is kept.
pub(crate) fn device_account(device: &str) -> String {
    format!("{DEVICE_PREFIX}{device}")
}

fn record(
    dialect: &str,
    account: &str,
    kind: CredentialKind,
    secret: Vec<u8>,
    rights: &str,
    created_ms: u64,
) -> CredentialRecord {
    CredentialRecord {
        dialect: Arc::from(dialect),
        account: account.to_owned(),
        kind,
        secret,
        rights: rights.to_owned(),
        created_ms,
    }
}

/// What the operator should know about a secret of his choice.
fn warning(kind: TokenKind, chosen: &[u8]) -> Option<&'static str> {
    match kind {
        TokenKind::Token => Some(
            "the chosen secret is kept as a SHA-256, so that a token header can carry it; it must be random, a phrase \
             can be guessed",
        ),
        TokenKind::Password if chosen.len() < TOKEN_MIN_BYTES => Some(
            "the chosen secret has less than 16 characters, so it is good only together with its account (Basic, \
             MQTT), not in a token header",
        ),
        TokenKind::Key if chosen.len() < KEY_ADVISED_BYTES => Some(
            "the chosen key has less than 32 bytes, the least that is advised for HS256; who has a token that it signed \
             can guess against it",
        ),
        TokenKind::Password | TokenKind::Key => None,
    }
}

fn identity(found: Option<CredentialRecord>) -> Result<Identity, CheckError> {
    let record = found.ok_or(CheckError::Denied)?;
    Ok(Identity { account: record.account, rights: record.rights })
}

fn check_length(secret: &[u8], least: usize) -> Result<(), VaultError> {
    if (least..=SECRET_MAX_BYTES).contains(&secret.len()) {
        return Ok(());
    }
    Err(VaultError::SecretLength { length: secret.len(), least, most: SECRET_MAX_BYTES })
}

fn check_account(account: &str) -> Result<(), VaultError> {
    let bad = |why| Err(VaultError::BadAccount { account: account.to_owned(), why });
    match account {
        "" => bad("it is empty"),
        _ if account.len() > ACCOUNT_MAX_BYTES => bad("it is longer than 256 bytes"),
        _ if account.chars().any(char::is_control) => bad("it contains a control character"),
        _ if account.contains(':') => bad("it contains a colon, which ends the name in Basic authentication"),
        _ if account.starts_with(DEVICE_PREFIX) => bad("names that begin with device/ are those of devices"),
        _ => Ok(()),
    }
}

fn check_rights(rights: &str) -> Result<(), VaultError> {
    if rights.len() > RIGHTS_MAX_BYTES {
        return Err(VaultError::BadRights(format!("they are longer than {RIGHTS_MAX_BYTES} bytes")));
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(rights) {
        Ok(_) => Ok(()),
        Err(error) => Err(VaultError::BadRights(format!("they are not a JSON object ({error})"))),
    }
}

impl From<PasswordError> for CheckError {
    fn from(error: PasswordError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SealError> for CheckError {
    fn from(error: SealError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<PasswordError> for VaultError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy(error.to_string()),
            PasswordError::Broken(text) => Self::Crypto(text),
        }
    }
}
