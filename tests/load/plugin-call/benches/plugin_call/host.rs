//! What the plugin may read during the calls: one device, and whose token was presented. The daemon answers these from
//! memory, too.

use crate::records::{self, DEVICE, PLATFORM_ID, TOKEN};
use async_trait::async_trait;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Json, Session, SessionId, Subscription,
};
use dragoman_wasm::{
    CheckError, CorrelationStatus, DeviceView, Document, HostReads, Identity, OutRequest, Page, Presented, ReadError,
    RequestError, Secret, Selection,
};
use huawei_iotda::ID_ALIAS;
use std::sync::Arc;

const NOT_HERE: &str = "the calls that are measured do not read this";

/// The host's side.
pub(crate) struct Host;

#[async_trait]
impl HostReads for Host {
    async fn device(&self, _plugin: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        Ok((id.as_str() == DEVICE).then(|| Arc::new(records::device())))
    }

    async fn resolve(&self, _plugin: &str, namespace: &str, name: &str) -> Result<Option<Arc<DeviceView>>, ReadError> {
        Ok((namespace == ID_ALIAS && name == PLATFORM_ID).then(|| Arc::new(records::device())))
    }

    async fn devices(
        &self,
        _plugin: &str,
        _labels: &Attributes,
        _after: Option<&DeviceId>,
        _limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn count_devices(&self, _plugin: &str, _labels: &Attributes) -> Result<u64, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn execution(&self, _plugin: &str, _id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn executions(
        &self,
        _plugin: &str,
        _what: &Selection,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn count(&self, _plugin: &str, _what: &Selection) -> Result<u64, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn execution_by_alias(
        &self,
        _plugin: &str,
        _device: &DeviceId,
        _alias: &str,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn open_executions(&self, _plugin: &str, _device: &DeviceId) -> Result<Vec<Arc<Execution>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn correlation(&self, _plugin: &str, _about: &Correlation) -> Result<CorrelationStatus, ReadError> {
        Ok(CorrelationStatus::Open)
    }

    async fn check_presented(
        &self,
        _plugin: &str,
        presented: &Presented,
        _account: Option<&str>,
    ) -> Result<Identity, CheckError> {
        match presented.secret.expose() == TOKEN.as_bytes() {
            true => Ok(Identity { account: "bench".to_owned(), rights: r#"{"projects":"*"}"#.to_owned() }),
            false => Err(CheckError::Denied("it does not fit".to_owned())),
        }
    }

    async fn secret(&self, _plugin: &str, _account: &str) -> Result<Option<Secret>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn check_password(&self, _plugin: &str, _account: &str, _password: &Secret) -> Result<Identity, CheckError> {
        Err(CheckError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn document(&self, _plugin: &str, _collection: &str, _key: &str) -> Result<Option<Arc<Document>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn documents(
        &self,
        _plugin: &str,
        _collection: &str,
        _fields: &Attributes,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn count_documents(&self, _plugin: &str, _collection: &str, _fields: &Attributes) -> Result<u64, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn next_number(&self, _plugin: &str, _counter: &str) -> Result<u64, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn session(&self, _plugin: &str, _id: &SessionId) -> Result<Option<Arc<Session>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn subscriptions(&self, _plugin: &str, _id: &SessionId) -> Result<Vec<Subscription>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn device_subscriptions(
        &self,
        _plugin: &str,
        _device: &DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    async fn notes(&self, _plugin: &str, _id: &SessionId) -> Result<Option<Json>, ReadError> {
        Err(ReadError::Unavailable(NOT_HERE.to_owned()))
    }

    fn check_request(&self, _plugin: &str, _request: &OutRequest) -> Result<(), RequestError> {
        Err(RequestError::NotFound(NOT_HERE.to_owned()))
    }
}
