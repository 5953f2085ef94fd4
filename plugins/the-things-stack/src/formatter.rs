//! `down/encode`, `down/decode`, `up/decode` and `up/simulate`: what the device's handler makes of a payload. The other
//! formatters of the platform are not run.

use crate::context::Waiting;
use crate::downlink::{
    BadBody, CORRELATION_ID_CHARS_MAX, CORRELATION_IDS_MAX, Downlink, Source, from_base64, is_small_object, to_base64,
};
use crate::error::{ApiError, Failure, broken_body, invalid, unimplemented};
use crate::failure;
use crate::ids::{EndDeviceIds, Uid};
use crate::intent::{CONFIRMED, F_PORT, delivery, encoded, intent};
use crate::members::Members;
use crate::queue;
use crate::settings::Settings;
use crate::up::{self, Kind, Up};
use dragoman_plugin_sdk::http::json_response;
use dragoman_plugin_sdk::{Answer, Decision, Delivery, Error, Gateway, Payload, Question, Response, Stage, Wait, json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is asked of a formatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Test {
    Encode,
    DecodeDown,
    DecodeUp,
}

impl Test {
    /// The member of request and response that is completed.
    fn member(self) -> &'static str {
        match self {
            Self::Encode | Self::DecodeDown => "downlink",
            Self::DecodeUp => "uplink",
        }
    }
}

/// A test that waits for the handler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    test: Test,
    /// What is to be completed.
    what: Members,
}

/// A simulated message that waits for the handler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Simulation {
    uid: String,
    device_id: String,
    correlation_ids: Vec<String>,
    uplink: Members,
}

/// Members of an uplink that the handler reads.
#[derive(Deserialize)]
struct Uplink {
    #[serde(default, alias = "fPort")]
    f_port: Option<u32>,
    #[serde(default, alias = "frmPayload")]
    frm_payload: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default, alias = "correlationIds")]
    correlation_ids: Option<Vec<String>>,
}

/// Bytes of what is tested or simulated.
const OBJECT_BYTES_MAX: usize = 64 * 1_024;

/// Formatters that are the device's own, which here is its handler.
const OWN: [&str; 2] = ["FORMATTER_NONE", "FORMATTER_REPOSITORY"];

/// Asks the device's handler.
pub(crate) fn ask(
    gateway: &impl Gateway,
    (uid, device_id): (&Uid, &str),
    test: Test,
    body: &str,
) -> Result<Decision, Failure> {
    let body: Members = json::parse_object(body).map_err(|broken| broken_body(broken.text()))?;
    if let Some(formatter) = body.text("formatter").filter(|formatter| !OWN.contains(&formatter.as_str())) {
        return Err(unimplemented(&format!("formatter {formatter}")).into());
    }
    let what = body.get(test.member()).filter(|what| is_small_object(what, OBJECT_BYTES_MAX));
    let what = what.ok_or_else(|| invalid(test.member(), "it must be an object of at most 64 KiB"))?.get();
    let question = question(gateway, test, what)?;
    let device = queue::device(gateway, uid, device_id)?;
    if device.handler.is_none() {
        return Err(unimplemented("a formatter for a device without a handler").into());
    }
    let what = json::parse_object(what).map_err(|broken| broken_body(broken.text()))?;
    let context = Waiting::Format(Call { test, what }).text()?;
    gateway.ask(&device.id, &question);
    Ok(Decision::Wait(Wait { context, until: Stage::Accepted }))
}

fn question(gateway: &impl Gateway, test: Test, what: &str) -> Result<Question, Failure> {
    if test == Test::DecodeUp {
        return Ok(Question::DecodeUp(uplink(what)?));
    }
    let downlink = Downlink::read(what, 0).map_err(|bad| match bad {
        BadBody::Json(why) => broken_body(&why),
        BadBody::Item(error) => error,
    })?;
    if test == Test::DecodeDown {
        return Ok(Question::DecodeDown(delivery(&downlink)));
    }
    if downlink.decoded_payload.is_none() {
        return Err(invalid("downlink.decoded_payload", "it must be an object").into());
    }
    let settings = Settings::read(gateway)?;
    Ok(Question::Plan(intent(&downlink, Source::Object, settings.decoded_commands)?))
}

fn uplink(text: &str) -> Result<Delivery, ApiError> {
    let uplink: Uplink = json::parse_object(text).map_err(|broken| broken_body(broken.text()))?;
    let bytes = from_base64(&uplink.frm_payload.unwrap_or_default())
        .ok_or_else(|| invalid("uplink.frm_payload", "it is no base64"))?;
    let attributes = vec![
        (F_PORT.to_owned(), uplink.f_port.unwrap_or_default().to_string()),
        (CONFIRMED.to_owned(), false.to_string()),
    ];
    Ok(Delivery { name: None, payload: Payload::Bytes(bytes), attributes })
}

/// Completes what was asked about.
pub(crate) fn answered(mut call: Call, answers: &[Answer]) -> Result<Response, Failure> {
    complete(&mut call.what, answers.first())?;
    let mut whole = Members::default();
    whole.set(call.test.member(), up::body(&call.what)?);
    Ok(json_response(200, &whole))
}

fn complete(what: &mut Members, answer: Option<&Answer>) -> Result<(), Failure> {
    match answer {
        Some(Answer::Frames(frames)) => {
            let (bytes, f_port) = encoded(frames)
                .ok_or_else(|| unimplemented("a formatter for a device whose commands are no payload"))?;
            what.set("frm_payload", up::body(&to_base64(&bytes))?);
            if let Some(f_port) = f_port {
                what.set("f_port", up::body(&f_port)?);
            }
        }
        Some(Answer::Decoded(decoded)) => {
            what.set("decoded_payload", json::raw(&decoded.value));
            if !decoded.warnings.is_empty() {
                what.set("decoded_payload_warnings", up::body(&decoded.warnings)?);
            }
        }
        Some(Answer::Refused(reason)) => return Err(failure::of_handler(reason, "formatter").into()),
        None => return Err(Error::Internal("one question has one answer".to_owned()).into()),
    }
    Ok(())
}

/// Publishes a message as if the device had sent it, to this application only. An uplink is decoded first where the
/// device has a handler.
pub(crate) fn simulate(
    gateway: &impl Gateway,
    (uid, device_id): (&Uid, &str),
    body: &str,
) -> Result<Decision, Failure> {
    let members: Members = json::parse_object(body).map_err(|broken| broken_body(broken.text()))?;
    let envelope: Envelope = json::parse_object(body).map_err(|broken| broken_body(broken.text()))?;
    let mut correlation_ids = envelope.correlation_ids.unwrap_or_default();
    correlation_ids.truncate(CORRELATION_IDS_MAX);
    if correlation_ids.iter().any(|id| id.chars().count() > CORRELATION_ID_CHARS_MAX) {
        return Err(invalid("correlation_ids", &format!("at most {CORRELATION_ID_CHARS_MAX} characters each")).into());
    }
    let found = Kind::ALL.into_iter().find_map(|kind| Some((kind, members.get(kind.member())?)));
    let Some((kind, value)) = found.filter(|(_, value)| is_small_object(value, OBJECT_BYTES_MAX)) else {
        return Err(invalid("up", "one of the messages to applications is missing, or has more than 64 KiB").into());
    };
    let device = queue::device(gateway, uid, device_id)?;
    let parsed: Members = json::parse_object(value.get()).map_err(|broken| broken_body(broken.text()))?;
    if kind == Kind::Uplink && device.handler.is_some() && parsed.get("decoded_payload").is_none() {
        let question = Question::DecodeUp(uplink(value.get())?);
        let (uid, device_id) = (uid.to_string(), device_id.to_owned());
        let context = Waiting::Simulate(Simulation { uid, device_id, correlation_ids, uplink: parsed }).text()?;
        gateway.ask(&device.id, &question);
        return Ok(Decision::Wait(Wait { context, until: Stage::Accepted }));
    }
    publish(gateway, (uid, device_id), kind, correlation_ids, value.to_owned())?;
    Ok(Decision::Respond(json_response(200, &serde_json::json!({}))))
}

/// Publishes the simulated uplink, decoded where the handler could.
pub(crate) fn simulated(
    gateway: &impl Gateway,
    mut simulation: Simulation,
    answers: &[Answer],
) -> Result<Response, Failure> {
    if matches!(answers.first(), Some(Answer::Decoded(_))) {
        complete(&mut simulation.uplink, answers.first())?;
    }
    let uid =
        Uid::parse(&simulation.uid).ok_or_else(|| Error::Internal(format!("{} is no application", simulation.uid)))?;
    let body = up::body(&simulation.uplink)?;
    publish(gateway, (&uid, &simulation.device_id), Kind::Uplink, simulation.correlation_ids, body)?;
    Ok(json_response(200, &serde_json::json!({})))
}

fn publish(
    gateway: &impl Gateway,
    (uid, device_id): (&Uid, &str),
    kind: Kind,
    correlation_ids: Vec<String>,
    body: Box<RawValue>,
) -> Result<(), Failure> {
    let device = queue::device(gateway, uid, device_id)?;
    let ids = EndDeviceIds::new(uid, device_id, Some(&device), &[]);
    let up = Up { kind, ids, correlation_ids, received_at_ms: gateway.now_ms(), body, simulated: true };
    up::publish(gateway, &Settings::read(gateway)?, uid, device_id, up).map_err(|error| match error {
        // What the handler read may be more than a message holds.
        Error::Limit(why) => invalid("up", &why).into(),
        error => Failure::Fault(error),
    })
}
