//! The words that records are made of, as a vector writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::{
    Attributes, Delivery, Intent, Invocation, Outcome, Payload, Property, PropertyName, Reason, Reply, State,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and values; a name that stands twice has a list.
pub(super) fn attributes<'de, D: Deserializer<'de>>(from: D) -> Result<Attributes, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Values {
        One(String),
        Many(Vec<String>),
    }
    let written = BTreeMap::<String, Values>::deserialize(from)?;
    let pairs = written.into_iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    Ok(pairs.collect())
}

/// `{"text": …}`, `{"hex": "10 28"}`, `{"base64": …}`, or `{"json": …}` for a text that is JSON without spaces.
pub(super) fn payload<'de, D: Deserializer<'de>>(from: D) -> Result<Payload, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Written {
        Text(String),
        Hex(String),
        Base64(String),
        Json(Value),
    }
    Ok(match Written::deserialize(from)? {
        Written::Text(text) => Payload::Text(text),
        Written::Hex(text) => {
            let bytes = unhex(&text).ok_or_else(|| D::Error::custom("`hex` must be pairs of hexadecimal digits"))?;
            Payload::from(bytes)
        }
        Written::Base64(text) => Payload::from(STANDARD.decode(text).map_err(D::Error::custom)?),
        Written::Json(value) => Payload::Text(value.to_string()),
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().filter(|c| *c != ' ').map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenIntent {
    Invoke(WrittenInvocation),
    Write(Vec<WrittenProperty>),
    Read(Vec<WrittenName>),
    Deliver(WrittenDelivery),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenInvocation {
    service: Option<String>,
    action: String,
    #[serde(default)]
    params: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenProperty {
    service: Option<String>,
    name: String,
    #[serde(default)]
    value: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenName {
    service: Option<String>,
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenDelivery {
    name: Option<String>,
    #[serde(deserialize_with = "payload")]
    payload: Payload,
    #[serde(default, deserialize_with = "attributes")]
    attributes: Attributes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenReason {
    code: String,
    #[serde(default)]
    text: String,
    detail: Option<Value>,
}

/// `{"succeeded": value}`, `{"failed": reason}` or `{"rejected": reason}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenOutcome {
    Succeeded(Value),
    Failed(WrittenReason),
    Rejected(WrittenReason),
}

/// An outcome, or `"silence"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenReply {
    Succeeded(Value),
    Failed(WrittenReason),
    Rejected(WrittenReason),
    Silence,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenState {
    #[default]
    Queued,
    Sent,
    Acked,
    Succeeded,
    Failed,
    Rejected,
    TimedOut,
    Canceled,
}

/// JSON as text, none for null.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    value.filter(|value| !value.is_null()).map(Value::to_string)
}

impl From<&WrittenIntent> for Intent {
    fn from(written: &WrittenIntent) -> Self {
        match written {
            WrittenIntent::Invoke(what) => Self::Invoke(Invocation {
                service: what.service.clone(),
                action: what.action.clone(),
                params: what.params.to_string(),
            }),
            WrittenIntent::Write(properties) => {
                let property = |one: &WrittenProperty| Property {
                    service: one.service.clone(),
                    name: one.name.clone(),
                    value: one.value.to_string(),
                };
                Self::Write(properties.iter().map(property).collect())
            }
            WrittenIntent::Read(names) => {
                let name = |one: &WrittenName| PropertyName { service: one.service.clone(), name: one.name.clone() };
                Self::Read(names.iter().map(name).collect())
            }
            WrittenIntent::Deliver(what) => Self::Deliver(what.into()),
        }
    }
}

impl From<&WrittenDelivery> for Delivery {
    fn from(written: &WrittenDelivery) -> Self {
        Self { name: written.name.clone(), payload: written.payload.clone(), attributes: written.attributes.clone() }
    }
}

impl From<&WrittenReason> for Reason {
    fn from(written: &WrittenReason) -> Self {
        Self { detail: text(written.detail.as_ref()), ..Self::new(written.code.clone(), written.text.clone()) }
    }
}

impl From<&WrittenOutcome> for Outcome {
    fn from(written: &WrittenOutcome) -> Self {
        match written {
            WrittenOutcome::Succeeded(value) => Self::Succeeded(text(Some(value))),
            WrittenOutcome::Failed(why) => Self::Failed(why.into()),
            WrittenOutcome::Rejected(why) => Self::Rejected(why.into()),
        }
    }
}

impl From<&WrittenReply> for Reply {
    fn from(written: &WrittenReply) -> Self {
        Self::Outcome(match written {
            WrittenReply::Succeeded(value) => Outcome::Succeeded(text(Some(value))),
            WrittenReply::Failed(why) => Outcome::Failed(why.into()),
            WrittenReply::Rejected(why) => Outcome::Rejected(why.into()),
            WrittenReply::Silence => return Self::Silence,
        })
    }
}

impl From<WrittenState> for State {
    fn from(written: WrittenState) -> Self {
        match written {
            WrittenState::Queued => Self::Queued,
            WrittenState::Sent => Self::Sent,
            WrittenState::Acked => Self::Acked,
            WrittenState::Succeeded => Self::Succeeded,
            WrittenState::Failed => Self::Failed,
            WrittenState::Rejected => Self::Rejected,
            WrittenState::TimedOut => Self::TimedOut,
            WrittenState::Canceled => Self::Canceled,
        }
    }
}
