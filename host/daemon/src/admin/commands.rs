//! Sending a command as the operator.

use super::request::json;
use super::{Command, Failure, Shared, checks, words};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::{Delivery, DeviceId, Intent, Invocation, Payload, Property, PropertyName, Stage, WhenAway};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Shortest and longest time to live: a second, and the most that the contract counts.
const TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=u32::MAX;
/// Longest name of an action, a property or a service.
const NAME_MAX_BYTES: usize = 256;
/// Properties of one command.
const PROPERTIES_MAX: usize = 256;
/// Longest idempotency key.
const KEY_MAX_BYTES: usize = 128;

/// `POST /v1/commands`: the execution, 202; with `"wait": true` as it ended, 200.
pub(super) async fn send(State(control): State<Shared>, body: Body) -> Result<(StatusCode, Json<Value>), Failure> {
    let written: Written = json(body).await?;
    let wait = written.wait;
    let execution = control.submit(written.check().map_err(Failure::invalid)?).await?;
    if !wait {
        return Ok((StatusCode::ACCEPTED, Json(words::execution(&execution))));
    }
    let Some(ended) = control.ended(&execution.id).await? else {
        return Err(Failure::no_execution(execution.id.as_str()));
    };
    if ended.state.is_final() {
        return Ok((StatusCode::OK, Json(words::execution(&ended))));
    }
    let id = execution.id.as_str();
    Err(Failure::unavailable(format!("the daemon stops; execution {id} goes on after its next start")))
}

/// One of `invoke`, `write`, `read` and `deliver`, and how it is to be carried out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    device: String,
    invoke: Option<Invoke>,
    write: Option<Vec<Write>>,
    read: Option<Vec<Read>>,
    deliver: Option<Deliver>,
    ttl_ms: Option<u32>,
    succeeds_at: Option<SucceedsAt>,
    when_away: Option<Away>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    idempotency_key: Option<String>,
    #[serde(default)]
    wait: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invoke {
    service: Option<String>,
    action: String,
    params: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    service: Option<String>,
    name: String,
    value: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    service: Option<String>,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deliver {
    name: Option<String>,
    text: Option<String>,
    base64: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SucceedsAt {
    Sent,
    Acked,
    Ended,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Away {
    Fail,
    Queue,
}

impl Written {
    fn check(self) -> Result<Command, String> {
        checks::device_id("device", &self.device)?;
        let intents = [
            self.invoke.map(invoke).transpose()?,
            self.write.map(write).transpose()?,
            self.read.map(read).transpose()?,
            self.deliver.map(deliver).transpose()?,
        ];
        let mut intents = intents.into_iter().flatten();
        let (Some(intent), None) = (intents.next(), intents.next()) else {
            return Err("a command needs one of invoke, write, read and deliver".to_owned());
        };
        if let Some(ttl_ms) = self.ttl_ms.filter(|ttl_ms| !TTL_MS.contains(ttl_ms)) {
            return Err(format!("ttl_ms is {ttl_ms}; allowed are {} to {}", TTL_MS.start(), TTL_MS.end()));
        }
        if let Some(key) = &self.idempotency_key
            && !(1..=KEY_MAX_BYTES).contains(&key.len())
        {
            return Err(format!("idempotency_key has {} bytes; allowed are 1 to {KEY_MAX_BYTES}", key.len()));
        }
        Ok(Command {
            device: DeviceId::new(self.device),
            intent,
            ttl_ms: self.ttl_ms,
            succeeds_at: self.succeeds_at.map(|stage| match stage {
                SucceedsAt::Sent => Stage::Sent,
                SucceedsAt::Acked => Stage::Acked,
                SucceedsAt::Ended => Stage::Ended,
            }),
            when_away: self.when_away.map(|what| match what {
                Away::Fail => WhenAway::Fail,
                Away::Queue => WhenAway::Queue,
            }),
            labels: checks::execution_labels(self.labels)?,
            idempotency_key: self.idempotency_key,
        })
    }
}

fn invoke(what: Invoke) -> Result<Intent, String> {
    name("invoke.action", &what.action)?;
    service("invoke.service", what.service.as_deref())?;
    let params =
        what.params.map_or_else(|| Ok("null".to_owned()), |params| checks::readable("invoke.params", &params))?;
    if params != "null" && !params.starts_with('{') {
        return Err("invoke.params is neither a JSON object nor null".to_owned());
    }
    Ok(Intent::Invoke(Invocation { service: what.service, action: what.action, params }))
}

fn write(what: Vec<Write>) -> Result<Intent, String> {
    if !(1..=PROPERTIES_MAX).contains(&what.len()) {
        return Err(format!("write has {} properties; allowed are 1 to {PROPERTIES_MAX}", what.len()));
    }
    let property = |what: Write| {
        name("write.name", &what.name)?;
        service("write.service", what.service.as_deref())?;
        let value = checks::readable("write.value", &what.value)?;
        Ok(Property { service: what.service, name: what.name, value })
    };
    Ok(Intent::Write(what.into_iter().map(property).collect::<Result<_, String>>()?))
}

fn read(what: Vec<Read>) -> Result<Intent, String> {
    if what.len() > PROPERTIES_MAX {
        return Err(format!("read has {} properties; at most {PROPERTIES_MAX} are allowed", what.len()));
    }
    let property = |what: Read| {
        name("read.name", &what.name)?;
        service("read.service", what.service.as_deref())?;
        Ok(PropertyName { service: what.service, name: what.name })
    };
    Ok(Intent::Read(what.into_iter().map(property).collect::<Result<_, String>>()?))
}

fn deliver(what: Deliver) -> Result<Intent, String> {
    service("deliver.name", what.name.as_deref())?;
    let payload = match (what.text, what.base64) {
        (Some(text), None) => Payload::Text(text),
        (None, Some(base64)) => {
            let bytes = STANDARD.decode(base64).map_err(|error| format!("deliver.base64 is not base64: {error}"))?;
            Payload::from(bytes)
        }
        _ => return Err("deliver needs one of text and base64".to_owned()),
    };
    Ok(Intent::Deliver(Delivery { name: what.name, payload, attributes: what.attributes.into_iter().collect() }))
}

fn service(field: &str, text: Option<&str>) -> Result<(), String> {
    text.map_or(Ok(()), |text| name(field, text))
}

fn name(field: &str, text: &str) -> Result<(), String> {
    if (1..=NAME_MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("{field} needs 1 to {NAME_MAX_BYTES} bytes without control characters"))
}
