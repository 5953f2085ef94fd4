//! Credentials in memory, for tests.

use super::Records;
use dragoman_store::{CredentialKind, CredentialRecord, StoreError};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Records by dialect and account.
#[derive(Default)]
pub(crate) struct Kept(pub(super) Mutex<BTreeMap<(String, String), CredentialRecord>>);

#[async_trait::async_trait]
impl Records for Kept {
    async fn credential(&self, dialect: &str, account: &str) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(self.0.lock().unwrap().get(&(dialect.to_owned(), account.to_owned())).cloned())
    }
    async fn by_token(&self, dialect: &str, hash: &[u8]) -> Result<Option<CredentialRecord>, StoreError> {
        let kept = self.0.lock().unwrap();
        let mut tokens = kept.values().filter(|record| record.kind == CredentialKind::Token);
        Ok(tokens.find(|record| &*record.dialect == dialect && record.secret == hash).cloned())
    }
    async fn of_dialect(&self, dialect: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.values().filter(|record| &*record.dialect == dialect).cloned().collect())
    }
    async fn put(&self, record: CredentialRecord) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert((record.dialect.to_string(), record.account.clone()), record);
        Ok(())
    }
    async fn remove(&self, dialect: &str, account: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(&(dialect.to_owned(), account.to_owned()));
        Ok(())
    }
}
