//! Samples that the tests are made of.

#![allow(dead_code, reason = "each test binary uses its part")]

use dragoman_core::{
    Correlation, DeviceId, Event, Execution, ExecutionId, Idempotency, Intent, Invocation, Message, Options, Overflow,
    Owner, Payload, Phase, Place, Reason, Session, SessionId, Stage, State, Told, Transition, WhenAway,
};
use dragoman_store::{
    CredentialKind, CredentialRecord, DeadLetterRow, DeviceRecord, DocumentRecord, MqttSessionRecord, OutboxRow,
    ProfileRecord, RequestRow, Write,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A queued execution.
pub fn execution(id: &str, device: &str) -> Execution {
    Execution {
        id: ExecutionId::new(id),
        device: DeviceId::new(device),
        holder: DeviceId::new(device),
        intent: Intent::Invoke(Invocation { service: None, action: "on".to_owned(), params: "null".to_owned() }),
        options: Options {
            ttl_ms: 20_000,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Queue,
            queue: Arc::from("commands"),
            window: Stage::Acked,
            device_window: Stage::Accepted,
            queue_limit: 20,
            overflow: Overflow::RefuseNewest,
            attempts: 1,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: Arc::from("globex"),
        alias: None,
        context: None,
        labels: Vec::new(),
        idempotency: None,
        owner: Owner { node: Arc::from("one"), lease_until_ms: u64::MAX },
        handler: None,
        digests: Vec::new(),
        released: Vec::new(),
        state: State::Queued,
        phase: Phase::Waiting,
        version: 1,
        attempt: 0,
        told: Told::default(),
        step_attempt: 0,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position: 1_000,
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
        created_ms: 1_000,
        updated_ms: 1_000,
        sent_ms: None,
        ended_ms: None,
        deadline_ms: 21_000,
    }
}

/// The same execution in another state, one version on.
pub fn moved(mut execution: Execution, state: State, at_ms: u64) -> Execution {
    execution.state = state;
    execution.version += 1;
    execution.updated_ms = at_ms;
    if state.is_final() {
        execution.phase = Phase::Ended;
        execution.ended_ms = Some(at_ms);
    }
    execution
}

/// With a key under which an attempt was dispatched.
pub fn correlated(mut execution: Execution, attempt: u32, reporter: &str, key: &str) -> Execution {
    execution.attempt = attempt;
    execution.correlations.push((attempt, Correlation { reporter: DeviceId::new(reporter), key: key.to_owned() }));
    execution
}

/// With a caller's key.
pub fn idempotent(mut execution: Execution, key: &str) -> Execution {
    execution.idempotency = Some(Idempotency { key: key.to_owned(), fingerprint: u64::MAX });
    execution
}

pub fn labelled(mut execution: Execution, labels: &[(&str, &str)]) -> Execution {
    execution.labels = pairs(labels);
    execution
}

pub fn put(execution: Execution) -> Write {
    Write::Execution(Arc::new(execution))
}

/// A line of a history.
pub fn line(seq: u64, state: State) -> Transition {
    Transition {
        seq,
        at_ms: 1_000 + seq,
        event: Event::Progress,
        state,
        attempt: 1,
        reason: None,
        detail: Some(format!("{{\"line\":{seq}}}")),
        attributes: Vec::new(),
    }
}

/// Lines at the next positions of this process.
pub fn lines(id: &str, seqs: impl IntoIterator<Item = u64>) -> Write {
    static LAST: AtomicU64 = AtomicU64::new(1);
    let seqs: Vec<u64> = seqs.into_iter().collect();
    lines_at(LAST.fetch_add(seqs.len() as u64, Ordering::SeqCst), id, seqs)
}

pub fn lines_at(position: u64, id: &str, seqs: impl IntoIterator<Item = u64>) -> Write {
    Write::Transitions {
        id: ExecutionId::new(id),
        position,
        lines: seqs.into_iter().map(|seq| line(seq, State::Queued)).collect(),
    }
}

pub fn document(collection: &str, key: &str, json: &str, revision: u64) -> DocumentRecord {
    DocumentRecord {
        dialect: Arc::from("globex"),
        collection: collection.to_owned(),
        key: key.to_owned(),
        json: json.to_owned(),
        revision,
    }
}

pub fn remove_document(collection: &str, key: &str) -> Write {
    Write::DocumentRemove { dialect: Arc::from("globex"), collection: collection.to_owned(), key: key.to_owned() }
}

pub fn counter(counter: &str, value: u64) -> Write {
    Write::Counter { dialect: Arc::from("globex"), counter: counter.to_owned(), value }
}

pub fn cursor(position: u64) -> Write {
    Write::Cursor { dialect: Arc::from("globex"), position }
}

/// A message that must leave.
pub fn message(seq: u64, execution: &str) -> OutboxRow {
    OutboxRow {
        seq,
        execution: ExecutionId::new(execution),
        attempt: 1,
        index: 0,
        to_device: DeviceId::new("lamp"),
        subscribed_only: true,
        message: Message {
            topic: format!("to/{seq}"),
            payload: Payload::Bytes(vec![0, 255, seq as u8]),
            qos: 1,
            retain: false,
            attributes: Vec::new(),
        },
        expires_ms: 21_000,
    }
}

/// A message that was tried once.
pub fn dead_letter(seq: u64, plugin: &str) -> DeadLetterRow {
    DeadLetterRow {
        seq,
        plugin: Arc::from(plugin),
        digest: "ab".repeat(32),
        export: "southbound.handle-message".to_owned(),
        at_ms: 1_000,
        tries: 1,
        reason: Reason { code: "$PLUGIN_TRAP".to_owned(), text: "it trapped".to_owned(), detail: None },
        session: Session {
            id: SessionId::new("s1"),
            listener: "mqtt".into(),
            client_id: "client".to_owned(),
            username: None,
            dialect: Some(plugin.into()),
            principal: None,
            device: None,
            protocol_level: 4,
        },
        message: Message {
            topic: "things/up".to_owned(),
            payload: Payload::Text("21".to_owned()),
            qos: 1,
            retain: false,
            attributes: Vec::new(),
        },
    }
}

/// A request that was not sent yet.
pub fn request(seq: u64, target: &str) -> RequestRow {
    RequestRow {
        seq,
        dialect: Arc::from("globex"),
        target: target.to_owned(),
        method: "POST".to_owned(),
        path: "/hook?a=1".to_owned(),
        headers: Vec::new(),
        body: None,
        created_ms: 1_000,
        tries: 0,
        next_ms: 1_000,
        last_answer: None,
        given_up_ms: None,
    }
}

pub fn device(id: &str, aliases: &[(&str, &str)]) -> DeviceRecord {
    DeviceRecord {
        id: DeviceId::new(id),
        dialect: Arc::from("globex"),
        handler: None,
        parent: None,
        aliases: pairs(aliases),
        labels: Vec::new(),
        disabled: false,
        created_ms: 1_000,
        updated_ms: 1_000,
    }
}

pub fn profile(device: &str, dialect: &str, revision: u64) -> ProfileRecord {
    ProfileRecord {
        device: DeviceId::new(device),
        dialect: Arc::from(dialect),
        json: format!("{{\"revision\":{revision}}}"),
        revision,
    }
}

pub fn credential(account: &str, kind: CredentialKind, secret: &[u8]) -> CredentialRecord {
    CredentialRecord {
        dialect: Arc::from("globex"),
        account: account.to_owned(),
        kind,
        secret: secret.to_owned(),
        rights: "{\"paths\":[\"/things\"]}".to_owned(),
        created_ms: 1_000,
    }
}

pub fn mqtt_session(client_id: &str, filters: &[&str]) -> MqttSessionRecord {
    MqttSessionRecord {
        client_id: client_id.to_owned(),
        expires_ms: 90_000,
        body: format!("{{\"filters\":{filters:?}}}"),
    }
}

pub fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn id(text: &str) -> ExecutionId {
    ExecutionId::new(text)
}

pub fn dev(text: &str) -> DeviceId {
    DeviceId::new(text)
}
