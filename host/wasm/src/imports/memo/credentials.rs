//! Credentials that a call has had checked, and secrets that it has used.

use crate::context::Secret;
use crate::reads::{CheckError, Identity, ReadError};
use crate::state::Call;
use sha2::{Digest, Sha256};

impl Call {
    pub(in crate::imports) async fn check_presented(
        &mut self,
        account: Option<String>,
    ) -> Result<Identity, CheckError> {
        if let Some(known) = self.memo.checks.get(&account) {
            return known.clone();
        }
        let (host, plugin) = self.host().map_err(|error| CheckError::Internal(error.to_string()))?;
        let presented = self.context.as_ref().and_then(|context| context.presented.clone());
        let presented = presented.ok_or_else(|| CheckError::Denied("the client presented no credential".into()))?;
        let checked = self.hosted(host.check_presented(&plugin, &presented, account.as_deref())).await;
        self.memo.checks.insert(account, checked.clone());
        checked
    }

    pub(in crate::imports) async fn check_password(
        &mut self,
        account: String,
        password: Secret,
    ) -> Result<Identity, CheckError> {
        let key = (account, Sha256::digest(password.expose()).into());
        if let Some(known) = self.memo.passwords.get(&key) {
            return known.clone();
        }
        let (host, plugin) = self.host().map_err(|error| CheckError::Internal(error.to_string()))?;
        let checked = self.hosted(host.check_password(&plugin, &key.0, &password)).await;
        self.memo.passwords.insert(key, checked.clone());
        checked
    }

    pub(in crate::imports) async fn secret(&mut self, account: String) -> Result<Option<Secret>, ReadError> {
        if let Some(known) = self.memo.secrets.get(&account) {
            return Ok(known.clone());
        }
        let (host, plugin) = self.host()?;
        let found = self.hosted(host.secret(&plugin, &account)).await?;
        self.memo.secrets.insert(account, found.clone());
        Ok(found)
    }
}
