//! The three calls in the host's words, as they are recorded of a run of the bench.

use crate::host::Host;
use dragoman_core::{
    DeviceId, Execution, ExecutionId, Intent, Invocation, Message, Options, Overflow, Owner, Payload, Phase, Place,
    Session, SessionId, Stage, State, Told, WhenAway,
};
use dragoman_wasm::{CallContext, DeviceView, IdSource, Numbers, Presented, Request, Secret};
use huawei_iotda::{ID_ALIAS, NAME};
use std::sync::Arc;

pub(crate) const NOW_MS: u64 = 1_763_760_000_000;
pub(crate) const DEVICE: &str = "dev-1";
pub(crate) const PLATFORM_ID: &str = "dev-1";
pub(crate) const TOKEN: &str = "token-of-the-bench";
pub(crate) const PATH: &str = "/v5/iot/p/devices/dev-1/commands";
pub(crate) const BODY: &str = r#"{"service_id":"WaterMeter","command_name":"ON_OFF","paras":{"value":1}}"#;
/// Execution and request id.
pub(crate) const KEY: &str = "01900000-0000-7000-8000-000000000001";
/// What the dialect hands itself from the request to the dispatch.
pub(crate) const CONTEXT: &str = r#"{"call":{"command":"01900000-0000-7000-8000-000000000001"},"request_id":"r-1"}"#;
pub(crate) const ANSWER: &str =
    r#"{"result_code":0,"response_name":"COMMAND_RESPONSE","paras":{"result":"success","value":1}}"#;

pub(crate) fn answer_topic() -> String {
    format!("$oc/devices/{PLATFORM_ID}/sys/commands/response/request_id={KEY}")
}

pub(crate) fn call(host: &Arc<Host>) -> CallContext {
    let presented =
        Presented { scheme: "x-auth-token".to_owned(), account: None, secret: Secret::new(TOKEN.as_bytes().to_vec()) };
    CallContext {
        host: host.clone(),
        now_ms: NOW_MS,
        ids: IdSource::new([1; 16], NOW_MS),
        presented: Some(presented),
        numbers: Numbers::default(),
    }
}

pub(crate) fn request() -> Request {
    Request {
        method: "POST".to_owned(),
        path: PATH.to_owned(),
        query: String::new(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Payload::Text(BODY.to_owned()),
        request_id: "request-1".to_owned(),
    }
}

pub(crate) fn device() -> DeviceView {
    DeviceView {
        id: DeviceId::new(DEVICE),
        dialect: NAME.into(),
        handler: None,
        parent: None,
        online: true,
        session: Some(SessionId::new("session-1")),
        aliases: vec![(ID_ALIAS.to_owned(), PLATFORM_ID.to_owned())],
        labels: Vec::new(),
        profile: None,
        revision: 0,
        created_ms: NOW_MS,
    }
}

pub(crate) fn session() -> Session {
    Session {
        id: SessionId::new("session-1"),
        listener: "mqtt".into(),
        client_id: PLATFORM_ID.to_owned(),
        username: Some(PLATFORM_ID.to_owned()),
        dialect: Some(NAME.into()),
        principal: None,
        device: Some(DeviceId::new(DEVICE)),
        protocol_level: 4,
    }
}

pub(crate) fn message() -> Message {
    let payload = Payload::Text(ANSWER.to_owned());
    Message { topic: answer_topic(), payload, qos: 1, retain: false, attributes: Vec::new() }
}

/// The command as it stands when it is dispatched for the first time.
pub(crate) fn execution() -> Execution {
    let intent = Intent::Invoke(Invocation {
        service: Some("WaterMeter".to_owned()),
        action: "ON_OFF".to_owned(),
        params: r#"{"value":1}"#.to_owned(),
    });
    Execution {
        id: ExecutionId::new(KEY),
        device: DeviceId::new(DEVICE),
        holder: DeviceId::new(DEVICE),
        frames: vec![intent.clone()],
        intent,
        options: Options {
            ttl_ms: 20_000,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Fail,
            queue: "commands".into(),
            window: Stage::Accepted,
            device_window: Stage::Accepted,
            queue_limit: 20,
            overflow: Overflow::RefuseNewest,
            attempts: 1,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: NAME.into(),
        alias: None,
        context: Some(CONTEXT.to_owned()),
        labels: Vec::new(),
        idempotency: None,
        owner: Owner { node: "bench".into(), lease_until_ms: u64::MAX },
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
        queue_position: 1,
        not_before_ms: None,
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
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
        sent_ms: None,
        ended_ms: None,
        deadline_ms: NOW_MS + 20_000,
    }
}
