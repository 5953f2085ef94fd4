//! What a plugin reads: the applied state, which may be ahead of the disk.

use super::gateway::Gateway;
use crate::credentials;
use crate::outbound::EnqueueError;
use async_trait::async_trait;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Json, Session, SessionId, Subscription,
};
use dragoman_store::{DeviceRecord, DocumentRecord, StoreError};
use dragoman_wasm::{
    CheckError, CorrelationStatus, DeviceView, Document, HostReads, Identity, OutRequest, Page, Presented, ReadError,
    RequestError, Secret, Selection,
};
use std::sync::Arc;

/// How far `count` counts.
const COUNT_MAX: u64 = 100_000;
/// Open executions of one device that a dialect is shown.
const OPEN_MAX: usize = 1_000;

impl Gateway {
    /// A device as one plugin sees it: the record, who is connected now, and that plugin's profile.
    pub async fn device_view(&self, plugin: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, StoreError> {
        match self.engine.journal().device(id).await? {
            Some(record) => self.view_of(plugin, &record).await.map(Some),
            None => Ok(None),
        }
    }

    async fn view_of(&self, plugin: &str, record: &DeviceRecord) -> Result<Arc<DeviceView>, StoreError> {
        let profile = self.engine.journal().profile(&record.id, plugin).await?;
        let session = self.presence.session_of(record.parent.as_ref().unwrap_or(&record.id));
        let always = || self.is_always_present(&record.dialect);
        Ok(Arc::new(DeviceView {
            id: record.id.clone(),
            dialect: record.dialect.clone(),
            handler: record.handler.clone(),
            parent: record.parent.clone(),
            online: session.is_some() || always(),
            session: session.map(|session| session.id.clone()),
            aliases: record.aliases.clone(),
            labels: record.labels.clone(),
            revision: profile.as_ref().map_or(0, |profile| profile.revision),
            profile: profile.map(|profile| profile.json),
            created_ms: record.created_ms,
        }))
    }

    /// An execution, open or ended.
    pub async fn execution(&self, id: &ExecutionId) -> Result<Option<Arc<Execution>>, StoreError> {
        match self.engine.open_execution(id) {
            Some(open) => Ok(Some(open)),
            None => self.engine.journal().execution(id).await,
        }
    }
}

#[async_trait]
impl HostReads for Gateway {
    async fn device(&self, plugin: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        self.device_view(plugin, id).await.map_err(unavailable)
    }

    async fn resolve(&self, plugin: &str, namespace: &str, name: &str) -> Result<Option<Arc<DeviceView>>, ReadError> {
        let found = self.engine.journal().resolve(namespace, name).await.map_err(unavailable)?;
        match found {
            Some(record) => self.view_of(plugin, &record).await.map(Some).map_err(unavailable),
            None => Ok(None),
        }
    }

    async fn devices(
        &self,
        plugin: &str,
        labels: &Attributes,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        let records =
            self.engine.journal().devices(labels.clone(), after.cloned(), limit).await.map_err(unavailable)?;
        let mut views = Vec::with_capacity(records.len());
        for record in &records {
            views.push(self.view_of(plugin, record).await.map_err(unavailable)?);
        }
        Ok(views)
    }

    async fn execution(&self, _plugin: &str, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError> {
        Gateway::execution(self, id).await.map_err(unavailable)
    }

    async fn executions(
        &self,
        plugin: &str,
        what: &Selection,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        let mut selection = stored_selection(plugin, what);
        selection.after = after.map(str::to_owned);
        selection.limit = limit;
        let page = self.engine.journal().executions(selection).await.map_err(|error| match error {
            StoreError::BadCursor(_) => ReadError::Internal(error.to_string()),
            error => unavailable(error),
        })?;
        Ok(Page { items: page.items.into_iter().map(Arc::new).collect(), next: page.next })
    }

    async fn count(&self, plugin: &str, what: &Selection) -> Result<u64, ReadError> {
        self.engine.journal().count(stored_selection(plugin, what), COUNT_MAX).await.map_err(unavailable)
    }

    async fn count_devices(&self, _plugin: &str, labels: &Attributes) -> Result<u64, ReadError> {
        self.engine.journal().count_devices(labels.clone(), COUNT_MAX).await.map_err(unavailable)
    }

    async fn execution_by_alias(
        &self,
        plugin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        let found = self.engine.journal().by_alias(plugin, device, alias).await.map_err(unavailable)?;
        // What is open is newest in the machine.
        Ok(found.map(|stored| self.engine.open_execution(&stored.id).unwrap_or(stored)))
    }

    async fn open_executions(&self, _plugin: &str, device: &DeviceId) -> Result<Vec<Arc<Execution>>, ReadError> {
        Ok(self.engine.look(|machine| machine.open_of(device).into_iter().take(OPEN_MAX).cloned().collect()))
    }

    async fn document(&self, plugin: &str, collection: &str, key: &str) -> Result<Option<Arc<Document>>, ReadError> {
        let found = self.engine.journal().document(plugin, collection, key).await.map_err(unavailable)?;
        Ok(found.map(|record| document(&record)))
    }

    async fn documents(
        &self,
        plugin: &str,
        collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError> {
        let found =
            self.engine.journal().documents(plugin, collection, fields.clone(), after.map(str::to_owned), limit);
        Ok(found.await.map_err(of_documents)?.iter().map(document).collect())
    }

    async fn count_documents(&self, plugin: &str, collection: &str, fields: &Attributes) -> Result<u64, ReadError> {
        self.engine.journal().count_documents(plugin, collection, fields.clone(), COUNT_MAX).await.map_err(of_documents)
    }

    async fn next_number(&self, plugin: &str, counter: &str) -> Result<u64, ReadError> {
        self.numbers.next(&self.engine, plugin, counter).await.map_err(ReadError::Unavailable)
    }

    async fn session(&self, _plugin: &str, id: &SessionId) -> Result<Option<Arc<Session>>, ReadError> {
        Ok(self.broker().and_then(|broker| broker.session(id)))
    }

    async fn subscriptions(&self, _plugin: &str, id: &SessionId) -> Result<Vec<Subscription>, ReadError> {
        Ok(self.broker().map(|broker| broker.subscriptions(id)).unwrap_or_default())
    }

    async fn device_subscriptions(
        &self,
        _plugin: &str,
        device: &DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError> {
        Ok(self.broker().and_then(|broker| broker.device_subscriptions(device)))
    }

    async fn notes(&self, _plugin: &str, id: &SessionId) -> Result<Option<Json>, ReadError> {
        Ok(self.notes.get(id))
    }

    fn check_request(&self, plugin: &str, request: &OutRequest) -> Result<(), RequestError> {
        self.outbound.check(plugin, request.clone()).map_err(|error| {
            let text = error.to_string();
            match error {
                EnqueueError::UnknownTarget { .. } => RequestError::NotFound(text),
                EnqueueError::Invalid { .. } => RequestError::Invalid(text),
                EnqueueError::TooMany { .. } | EnqueueError::TooLarge { .. } => RequestError::Limit(text),
            }
        })
    }

    async fn check_password(&self, plugin: &str, account: &str, password: &Secret) -> Result<Identity, CheckError> {
        let checked = self.vault.check_password(plugin, account, password.expose()).await;
        identity(plugin, checked)
    }

    async fn correlation(&self, _plugin: &str, about: &Correlation) -> Result<CorrelationStatus, ReadError> {
        if self.engine.look(|machine| machine.by_correlation(about).is_some()) {
            return Ok(CorrelationStatus::Open);
        }
        let known = self.engine.journal().by_correlation(&about.reporter, &about.key).await.map_err(unavailable)?;
        Ok(if known.is_some() { CorrelationStatus::Ended } else { CorrelationStatus::Unknown })
    }

    async fn check_presented(
        &self,
        plugin: &str,
        presented: &Presented,
        account: Option<&str>,
    ) -> Result<Identity, CheckError> {
        let given = credentials::Presented::new(
            presented.scheme.clone(),
            presented.account.clone(),
            presented.secret.expose().to_vec(),
        );
        let checked = self.vault.check(plugin, account, &given).await;
        identity(plugin, checked)
    }

    async fn secret(&self, plugin: &str, account: &str) -> Result<Option<Secret>, ReadError> {
        let secret =
            self.vault.secret(plugin, account).await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        Ok(secret.map(|secret| Secret::new(secret.to_vec())))
    }
}

fn stored_selection(plugin: &str, what: &Selection) -> dragoman_store::Selection {
    dragoman_store::Selection {
        device: what.device.clone(),
        origin: Some(plugin.into()),
        states: what.states.clone(),
        labels: what.labels.clone(),
        newest_first: what.newest_first,
        since_ms: what.since_ms,
        before_ms: what.before_ms,
        after: None,
        limit: dragoman_store::PAGE_MAX,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be named in map_err")]
fn unavailable(error: StoreError) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

fn identity(
    plugin: &str,
    checked: Result<credentials::Identity, credentials::CheckError>,
) -> Result<Identity, CheckError> {
    match checked {
        Ok(identity) => Ok(Identity { account: identity.account, rights: identity.rights }),
        Err(credentials::CheckError::Denied) => {
            metrics::counter!("dragoman_credentials_denied_total", "dialect" => plugin.to_owned()).increment(1);
            Err(CheckError::Denied("the credential does not fit".into()))
        }
        Err(error @ credentials::CheckError::Unavailable(_)) => Err(CheckError::Unavailable(error.to_string())),
    }
}

fn document(record: &DocumentRecord) -> Arc<Document> {
    Arc::new(Document { key: record.key.clone(), value: record.json.clone(), revision: record.revision })
}

fn of_documents(error: StoreError) -> ReadError {
    match error {
        StoreError::NotIndexed { .. } => ReadError::Invalid(error.to_string()),
        error => unavailable(error),
    }
}
