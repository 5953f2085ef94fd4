//! What the store keeps of those who connect: credentials and persistent MQTT sessions.

use dragoman_core::Json;
use std::sync::Arc;

/// How a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// The SHA-256 of a random token; found by it.
    Token,
    /// A PHC string of a password.
    Password,
    /// Encrypted bytes of a key that HMAC needs.
    Sealed,
}

/// One credential of one account. The store never looks into the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// The dialect it is for, or `admin`.
    pub dialect: Arc<str>,
    /// Unique per dialect.
    pub account: String,
    /// What `secret` is.
    pub kind: CredentialKind,
    /// Hash, PHC string or encrypted bytes.
    pub secret: Vec<u8>,
    /// What it may do, a JSON object.
    pub rights: Json,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
}

impl CredentialRecord {
    /// Whether it is a token with this hash. The hash is no secret, so the comparison need not take constant time.
    pub(crate) fn is_token(&self, hash: &[u8]) -> bool {
        self.kind == CredentialKind::Token && self.secret == hash
    }
}

/// The secret is left out, so that it reaches no log.
impl std::fmt::Debug for CredentialRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRecord")
            .field("dialect", &self.dialect)
            .field("account", &self.account)
            .field("kind", &self.kind)
            .field("rights", &self.rights)
            .field("created_ms", &self.created_ms)
            .finish_non_exhaustive()
    }
}

/// A persistent MQTT session: what a client subscribed to, kept over a restart of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSessionRecord {
    /// As in CONNECT.
    pub client_id: String,
    /// When it may be forgotten, in milliseconds since 1970.
    pub expires_ms: u64,
    /// JSON of the broker's, which alone reads it.
    pub body: Json,
}
