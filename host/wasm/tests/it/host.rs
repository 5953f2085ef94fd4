//! A daemon to read from, whose devices and executions change each time somebody looks.

use crate::world::session;
use async_trait::async_trait;
use dragoman_core::{
    Attributes, Correlation, DeviceId, Execution, ExecutionId, Intent, Invocation, Json, Options, Owner, Phase, Place,
    Session, SessionId, Stage, State, Subscription, WhenAway,
};
use dragoman_wasm::{
    CheckError, CorrelationStatus, DeviceView, Document, HostReads, Identity, OutRequest, Page, Presented, ReadError,
    RequestError, Secret, Selection,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the dialect `scripted` sees: `d1` is its own device, `d9` another dialect's; `e1` and `e3` (ended) are its own
/// executions, `e2` another's for `d1`, `e4` another's for `d9`.
pub struct FakeHost {
    /// How many reads reached the host.
    pub reads: AtomicU32,
    /// Reads of the device `parked` wait for a permit.
    pub gate: Semaphore,
    /// Becomes available once for each read that waits there.
    pub arrived: Semaphore,
}

impl FakeHost {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { reads: AtomicU32::new(0), gate: Semaphore::new(0), arrived: Semaphore::new(0) })
    }

    fn read(&self) -> u32 {
        self.reads.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn view(&self, id: &str) -> Option<Arc<DeviceView>> {
        let read = self.read();
        matches!(id, "d1" | "d2" | "d9").then(|| Arc::new(device(id, read)))
    }

    fn record(&self, id: &str) -> Option<Arc<Execution>> {
        let read = self.read();
        let (device, origin, state) = match id {
            "e1" => ("d1", "scripted", State::Queued),
            "e2" => ("d1", "other", State::Sent),
            "e3" => ("d1", "scripted", State::Succeeded),
            "e4" => ("d9", "other", State::Queued),
            _ => return None,
        };
        let mut execution = execution(id, device, origin, state);
        execution.attempt = read;
        Some(Arc::new(execution))
    }
}

pub fn device(id: &str, revision: u32) -> DeviceView {
    DeviceView {
        id: DeviceId::new(id),
        dialect: if id == "d9" { "other".into() } else { "scripted".into() },
        handler: None,
        parent: None,
        online: true,
        session: Some(SessionId::new("s1")),
        aliases: vec![("ns".into(), "one".into())],
        labels: Vec::new(),
        profile: Some(format!("{{\"read\":{revision}}}")),
        revision: revision.into(),
        created_ms: 1,
    }
}

pub fn execution(id: &str, device: &str, origin: &str, state: State) -> Execution {
    Execution {
        id: ExecutionId::new(id),
        device: DeviceId::new(device),
        holder: DeviceId::new(device),
        intent: Intent::Invoke(Invocation { service: None, action: "act".into(), params: "{}".into() }),
        options: Options {
            ttl_ms: 1000,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Queue,
            queue: "main-queue".into(),
            window: Stage::Ended,
            device_window: Stage::Accepted,
            queue_limit: 20,
            overflow: dragoman_core::Overflow::DropOldest,
            attempts: 1,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: origin.into(),
        alias: None,
        context: Some("\"mine\"".into()),
        labels: Vec::new(),
        idempotency: None,
        owner: Owner { node: "n".into(), lease_until_ms: u64::MAX },
        handler: None,
        digests: Vec::new(),
        released: Vec::new(),
        state,
        phase: Phase::Waiting,
        version: 1,
        attempt: 0,
        told: dragoman_core::Told::default(),
        step_attempt: 0,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position: 1,
        not_before_ms: None,
        frames: Vec::new(),
        handler_state: None,
        reply_within_ms: None,
        step_deadline_ms: None,
        correlations: Vec::new(),
        receipts_missing: 0,
        answerable: true,
        delivered_only: false,
        outcome: None,
        reason: None,
        last_note: None,
        report: Vec::new(),
        created_ms: 1,
        updated_ms: 1,
        sent_ms: None,
        ended_ms: None,
        deadline_ms: 1001,
    }
}

#[async_trait]
impl HostReads for FakeHost {
    async fn device(&self, _plugin: &str, id: &DeviceId) -> Result<Option<Arc<DeviceView>>, ReadError> {
        match id.as_str() {
            "parked" => {
                self.arrived.add_permits(1);
                self.gate.acquire().await.unwrap().forget();
                Ok(None)
            }
            "broken" => Err(ReadError::Unavailable("the store is away".into())),
            id => Ok(self.view(id)),
        }
    }

    async fn resolve(&self, _plugin: &str, namespace: &str, name: &str) -> Result<Option<Arc<DeviceView>>, ReadError> {
        Ok(if (namespace, name) == ("ns", "one") { self.view("d1") } else { None })
    }

    async fn devices(
        &self,
        _plugin: &str,
        _labels: &Attributes,
        _after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Vec<Arc<DeviceView>>, ReadError> {
        Ok(["d1", "d2"].into_iter().take(limit as usize).filter_map(|id| self.view(id)).collect())
    }

    async fn execution(&self, _plugin: &str, id: &ExecutionId) -> Result<Option<Arc<Execution>>, ReadError> {
        Ok(self.record(id.as_str()))
    }

    async fn executions(
        &self,
        _plugin: &str,
        _what: &Selection,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page, ReadError> {
        let items = ["e1", "e2", "e3"].into_iter().filter_map(|id| self.record(id)).collect();
        Ok(Page { items, next: Some("more".into()) })
    }

    async fn count(&self, _plugin: &str, _what: &Selection) -> Result<u64, ReadError> {
        Ok(self.read().into())
    }

    async fn correlation(&self, _plugin: &str, about: &Correlation) -> Result<CorrelationStatus, ReadError> {
        self.read();
        Ok(match about.key.as_str() {
            "open" => CorrelationStatus::Open,
            "late" => CorrelationStatus::Ended,
            "foreign" => CorrelationStatus::Stranger,
            _ => CorrelationStatus::Unknown,
        })
    }

    async fn check_presented(
        &self,
        _plugin: &str,
        presented: &Presented,
        account: Option<&str>,
    ) -> Result<Identity, CheckError> {
        self.read();
        if account == Some("slow") {
            // Longer than any deadline of these tests.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if presented.secret.expose() == b"right" {
            let account = account.unwrap_or("found").to_owned();
            return Ok(Identity { rights: format!("{{\"of\":\"{account}\"}}"), account });
        }
        Err(CheckError::Denied("it does not fit".into()))
    }

    async fn secret(&self, _plugin: &str, account: &str) -> Result<Option<Secret>, ReadError> {
        self.read();
        let secret = match account {
            "k" => "key",
            // As base64 six bytes and a part of a group that is dropped.
            "partial" => "acmehomeko",
            "hex" => "0aff",
            "short" => "abc",
            _ => return Ok(None),
        };
        Ok(Some(Secret::new(secret.into())))
    }

    async fn check_password(&self, _plugin: &str, account: &str, password: &Secret) -> Result<Identity, CheckError> {
        self.read();
        if account == "user" && password.expose() == b"right" {
            return Ok(Identity { rights: "{\"of\":\"user\"}".into(), account: account.into() });
        }
        Err(CheckError::Denied("it does not fit".into()))
    }

    async fn count_devices(&self, _plugin: &str, _labels: &Attributes) -> Result<u64, ReadError> {
        Ok(u64::from(self.read()) + 200_000)
    }

    async fn execution_by_alias(
        &self,
        _plugin: &str,
        device: &DeviceId,
        alias: &str,
    ) -> Result<Option<Arc<Execution>>, ReadError> {
        Ok(if (device.as_str(), alias) == ("d1", "a1") { self.record("e1") } else { None })
    }

    async fn open_executions(&self, _plugin: &str, device: &DeviceId) -> Result<Vec<Arc<Execution>>, ReadError> {
        assert_eq!(device.as_str(), "d1", "only devices that the plugin reaches are asked for");
        Ok(["e1", "e2"].into_iter().filter_map(|id| self.record(id)).collect())
    }

    async fn document(&self, _plugin: &str, collection: &str, key: &str) -> Result<Option<Arc<Document>>, ReadError> {
        let read = self.read();
        Ok(match (collection, key) {
            ("things", "k1" | "k2") => Some(Arc::new(document(key, read))),
            ("things", "large") => {
                let value = format!("\"{}\"", "x".repeat(1 << 20));
                Some(Arc::new(Document { value, ..document(key, read) }))
            }
            _ => None,
        })
    }

    async fn documents(
        &self,
        _plugin: &str,
        _collection: &str,
        fields: &Attributes,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Arc<Document>>, ReadError> {
        assert!(fields.iter().all(|(name, _)| name == "kind"), "only indexed fields are asked for");
        let read = self.read();
        let keys = ["k1", "k2"].into_iter().filter(|key| after.is_none_or(|after| *key > after));
        Ok(keys.take(limit as usize).map(|key| Arc::new(document(key, read))).collect())
    }

    async fn count_documents(&self, _plugin: &str, _collection: &str, _fields: &Attributes) -> Result<u64, ReadError> {
        Ok(self.read().into())
    }

    async fn next_number(&self, _plugin: &str, _counter: &str) -> Result<u64, ReadError> {
        Ok(self.read().into())
    }

    async fn session(&self, _plugin: &str, id: &SessionId) -> Result<Option<Arc<Session>>, ReadError> {
        let dialect = match id.as_str() {
            "s1" => "scripted",
            "s9" => "other",
            _ => return Ok(None),
        };
        let username = Some(format!("read {}", self.read()));
        let session = Session { id: id.clone(), username, dialect: Some(dialect.into()), ..session("") };
        Ok(Some(Arc::new(session)))
    }

    async fn subscriptions(&self, _plugin: &str, id: &SessionId) -> Result<Vec<Subscription>, ReadError> {
        assert_eq!(id.as_str(), "s1", "only sessions of the plugin are asked for");
        Ok(vec![Subscription { filter: format!("a/{}", self.read()), qos: 1 }])
    }

    async fn device_subscriptions(
        &self,
        _plugin: &str,
        device: &DeviceId,
    ) -> Result<Option<Vec<Subscription>>, ReadError> {
        let filter = format!("b/{}", self.read());
        Ok((device.as_str() == "d1").then(|| vec![Subscription { filter, qos: 0 }]))
    }

    async fn notes(&self, _plugin: &str, id: &SessionId) -> Result<Option<Json>, ReadError> {
        assert_eq!(id.as_str(), "s1", "only sessions of the plugin are asked for");
        Ok(Some(format!("{{\"read\":{}}}", self.read())))
    }

    fn check_request(&self, _plugin: &str, request: &OutRequest) -> Result<(), RequestError> {
        match (request.target.as_str(), request.path.as_str()) {
            ("hooks", "/full") => Err(RequestError::Limit("hooks is full".into())),
            ("hooks", path) if !path.starts_with('/') => Err(RequestError::Invalid(format!("{path} is no path"))),
            ("hooks", _) => Ok(()),
            (other, _) => Err(RequestError::NotFound(format!("no target {other}"))),
        }
    }
}

/// A document whose revision is 1 and whose value tells which read it was.
fn document(key: &str, read: u32) -> Document {
    Document { key: key.into(), value: format!("{{\"read\":{read}}}"), revision: 1 }
}
