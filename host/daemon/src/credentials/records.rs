//! Where credentials are kept.

use dragoman_store::{CredentialRecord, Journal, StoreError, Write};
use std::sync::Arc;

/// Where credentials are kept. What was written is read at once, and on the disk when the write returns.
#[async_trait::async_trait]
pub(crate) trait Records: Send + Sync {
    /// The credential of an account.
    async fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError>;
    /// The token credential with this SHA-256.
    async fn by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError>;
    /// Every credential of a dialect, by account.
    async fn of_dialect(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError>;
    /// Keeps a credential in place of what the account had.
    async fn put(&self, record: CredentialRecord) -> Result<(), StoreError>;
    /// Forgets the credential of an account.
    async fn remove(&self, dialect: &str, account: &str) -> Result<(), StoreError>;
}

#[async_trait::async_trait]
impl Records for Journal {
    async fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError> {
        Journal::credential(self, dialect, account).await
    }

    async fn by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError> {
        self.credential_by_token(dialect, hash).await
    }

    async fn of_dialect(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        self.credentials(dialect).await
    }

    async fn put(&self, record: CredentialRecord) -> Result<(), StoreError> {
        let seq = self.append(vec![Write::Credential(record)])?;
        Ok(self.committed(seq).await?)
    }

    async fn remove(&self, dialect: &str, account: &str) -> Result<(), StoreError> {
        let gone = Write::CredentialRemove { dialect: Arc::from(dialect), account: account.to_owned() };
        let seq = self.append(vec![gone])?;
        Ok(self.committed(seq).await?)
    }
}
