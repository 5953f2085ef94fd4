//! Intents and payloads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::{Attributes, Delivery, Intent, Invocation, Payload, Property, PropertyName};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IntentBody {
    Invoke(InvocationBody),
    Write(Vec<PropertyBody>),
    Read(Vec<PropertyNameBody>),
    Deliver(DeliveryBody),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InvocationBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    action: String,
    params: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PropertyBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    name: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PropertyNameBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    name: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    payload: PayloadBody,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Attributes,
}

/// Text as it is, so that an operator can read it; other bytes in base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PayloadBody {
    Text(String),
    Base64(#[serde(with = "base64_text")] Vec<u8>),
}

impl From<&Intent> for IntentBody {
    fn from(intent: &Intent) -> Self {
        match intent {
            Intent::Invoke(Invocation { service, action, params }) => Self::Invoke(InvocationBody {
                service: service.clone(),
                action: action.clone(),
                params: params.clone(),
            }),
            Intent::Write(properties) => Self::Write(
                properties
                    .iter()
                    .map(|Property { service, name, value }| PropertyBody {
                        service: service.clone(),
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect(),
            ),
            Intent::Read(names) => Self::Read(
                names
                    .iter()
                    .map(|PropertyName { service, name }| PropertyNameBody {
                        service: service.clone(),
                        name: name.clone(),
                    })
                    .collect(),
            ),
            Intent::Deliver(Delivery { name, payload, attributes }) => Self::Deliver(DeliveryBody {
                name: name.clone(),
                payload: payload.into(),
                attributes: attributes.clone(),
            }),
        }
    }
}

impl From<IntentBody> for Intent {
    fn from(body: IntentBody) -> Self {
        match body {
            IntentBody::Invoke(InvocationBody { service, action, params }) => {
                Self::Invoke(Invocation { service, action, params })
            }
            IntentBody::Write(properties) => Self::Write(
                properties
                    .into_iter()
                    .map(|PropertyBody { service, name, value }| Property { service, name, value })
                    .collect(),
            ),
            IntentBody::Read(names) => Self::Read(
                names.into_iter().map(|PropertyNameBody { service, name }| PropertyName { service, name }).collect(),
            ),
            IntentBody::Deliver(DeliveryBody { name, payload, attributes }) => {
                Self::Deliver(Delivery { name, payload: payload.into(), attributes })
            }
        }
    }
}

impl From<&Payload> for PayloadBody {
    fn from(payload: &Payload) -> Self {
        match payload {
            Payload::Text(text) => Self::Text(text.clone()),
            Payload::Bytes(bytes) => Self::Base64(bytes.clone()),
        }
    }
}

impl From<PayloadBody> for Payload {
    fn from(body: PayloadBody) -> Self {
        match body {
            PayloadBody::Text(text) => Self::Text(text),
            PayloadBody::Base64(bytes) => Self::Bytes(bytes),
        }
    }
}

mod base64_text {
    use super::{Engine, STANDARD};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}
