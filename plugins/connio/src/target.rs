//! What a frame comes to here: a value for a property.

use crate::definition::{Model, Property};
use crate::settings::Settings;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dragoman_plugin_sdk::{Delivery, Intent, Invocation, Payload, Reason, json, outcome};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One property and what is to be its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) property: Property,
    /// JSON text.
    pub(crate) value: String,
}

/// Why a frame comes to nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unfit {
    /// The platform has no words for it.
    Unsupported(Reason),
    /// This device does not take it.
    Rejected(Reason),
}

/// What all the frames write, in order. README.md has the table.
pub(crate) fn of_frames(model: &Model, settings: &Settings, frames: &[Intent]) -> Result<Vec<Target>, Unfit> {
    let mut targets = Vec::new();
    for frame in frames {
        match frame {
            Intent::Write(properties) => {
                for written in properties {
                    targets.push(target(model, &written.name, written.value.clone())?);
                }
            }
            Intent::Invoke(invocation) => targets.push(of_invocation(model, invocation)?),
            Intent::Deliver(delivery) => targets.push(of_delivery(model, settings, delivery)?),
            Intent::Read(_) => {
                return Err(unsupported("MIXED_FRAMES", "properties are read or written, not both at once"));
            }
        }
    }
    Ok(targets)
}

fn of_invocation(model: &Model, invocation: &Invocation) -> Result<Target, Unfit> {
    let params = &invocation.params;
    if let Some((_, method)) = model.method(&invocation.action) {
        let value = match &method.argument {
            None => value_of(params),
            Some(argument) => member(params, argument).ok_or_else(|| {
                rejected("MISSING_ARGUMENT", format!("{:.128} needs the parameter {argument}", invocation.action))
            })?,
        };
        return target(model, &method.property, value);
    }
    match model.property(&invocation.action) {
        Ok(property) => Ok(Target { property, value: value_of(params) }),
        Err(_) => Err(unsupported(
            "NO_METHOD",
            format!("the device declares no method and no property {:.128}", invocation.action),
        )),
    }
}

fn of_delivery(model: &Model, settings: &Settings, delivery: &Delivery) -> Result<Target, Unfit> {
    let Some(name) = &settings.deliver_property else {
        return Err(unsupported(
            "NO_MESSAGES",
            "Connio has properties and no messages; set deliver-property to name one",
        ));
    };
    let value = match &delivery.payload {
        Payload::Text(text) if json::parse::<Box<RawValue>>(text).is_ok() => text.trim().to_owned(),
        Payload::Text(text) => Value::String(text.clone()).to_string(),
        Payload::Bytes(bytes) => Value::String(BASE64_STANDARD.encode(bytes)).to_string(),
    };
    target(model, name, value)
}

fn target(model: &Model, name: &str, value: String) -> Result<Target, Unfit> {
    let property = model.property(name).map_err(|why| rejected("NO_PROPERTY", why))?;
    Ok(Target { property, value })
}

/// Parameters as one value: none is `true`, those with the one member `value` are that value.
fn value_of(params: &str) -> String {
    let members = json::parse_object::<BTreeMap<String, Box<RawValue>>>(params).unwrap_or_default();
    match members.first_key_value() {
        None => "true".to_owned(),
        Some((name, value)) if members.len() == 1 && name == "value" => value.get().to_owned(),
        Some(_) => params.to_owned(),
    }
}

/// The member of an object, its value as it was written.
pub(crate) fn member(params: &str, name: &str) -> Option<String> {
    let mut members = json::parse_object::<BTreeMap<String, Box<RawValue>>>(params).ok()?;
    members.remove(name).map(|value| value.get().to_owned())
}

fn unsupported(code: &str, text: impl Into<String>) -> Unfit {
    Unfit::Unsupported(outcome::reason(code, text))
}

fn rejected(code: &str, text: impl Into<String>) -> Unfit {
    Unfit::Rejected(outcome::reason(code, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;
    use dragoman_plugin_sdk::{Gateway, Property as Written, PropertyName};

    fn targets(settings: &str, profile: &str, frame: Intent) -> Result<Vec<(String, String)>, String> {
        let fake = Fake { settings: settings.to_owned(), ..Fake::default() };
        fake.add_device("d", crate::NAME, &[]);
        fake.devices.borrow_mut()[0].profile = Some(profile.to_owned());
        let settings = Settings::read(&fake).unwrap();
        let model = Model::of(&settings, &fake.device("d").unwrap()).unwrap();
        match of_frames(&model, &settings, &[frame]) {
            Ok(targets) => Ok(targets.into_iter().map(|target| (target.property.key(), target.value)).collect()),
            Err(Unfit::Unsupported(reason)) => Err(format!("unsupported {}", reason.code)),
            Err(Unfit::Rejected(reason)) => Err(format!("rejected {}", reason.code)),
        }
    }

    fn invoke(action: &str, params: &str) -> Intent {
        Intent::Invoke(Invocation { service: None, action: action.to_owned(), params: params.to_owned() })
    }

    fn deliver(payload: Payload) -> Intent {
        Intent::Deliver(Delivery { name: None, payload, attributes: Vec::new() })
    }

    const PROFILE: &str = r#"{"properties":{"Setpoint":{"type":"number"},"mode":{}},
        "methods":{"setTemperature":{"property":"setpoint","argument":"value"},"reset":{"property":"mode"}}}"#;

    #[test]
    fn a_frame_is_a_value_for_a_property_or_has_no_words() {
        let one = |name: &str, value: &str| Ok(vec![(name.to_owned(), value.to_owned())]);
        let none = |text: &str| Err(text.to_owned());
        let write = |name: &str| {
            Intent::Write(vec![Written {
                service: Some("S".to_owned()),
                name: name.to_owned(),
                value: "1.50".to_owned(),
            }])
        };
        for (profile, frame, expected) in [
            (PROFILE, write("SETPOINT"), one("setpoint", "1.50")),
            (PROFILE, write("else"), none("rejected NO_PROPERTY")),
            ("{}", write("Else"), one("else", "1.50")),
            (PROFILE, invoke("setTemperature", r#"{"value": 24}"#), one("setpoint", "24")),
            (PROFILE, invoke("settemperature", r#"{"value":24,"more":1}"#), one("setpoint", "24")),
            (PROFILE, invoke("setTemperature", "null"), none("rejected MISSING_ARGUMENT")),
            (PROFILE, invoke("reset", "null"), one("mode", "true")),
            (PROFILE, invoke("mode", "{}"), one("mode", "true")),
            (PROFILE, invoke("mode", r#"{"value":"on"}"#), one("mode", "\"on\"")),
            (PROFILE, invoke("mode", r#"{"a":1,"value":2}"#), one("mode", r#"{"a":1,"value":2}"#)),
            (PROFILE, invoke("open", "{}"), none("unsupported NO_METHOD")),
            ("{}", invoke("open", "{}"), one("open", "true")),
            (PROFILE, deliver(Payload::Text("x".to_owned())), none("unsupported NO_MESSAGES")),
            (
                PROFILE,
                Intent::Read(vec![PropertyName { service: None, name: "mode".to_owned() }]),
                none("unsupported MIXED_FRAMES"),
            ),
        ] {
            assert_eq!(targets("{}", profile, frame.clone()), expected, "{frame:?}");
        }
    }

    #[test]
    fn a_payload_goes_to_the_property_of_the_settings() {
        let settings = r#"{"deliver-property":"mode"}"#;
        for (payload, expected) in [
            (Payload::Text(r#"{"a":1}"#.to_owned()), r#"{"a":1}"#),
            (Payload::Text("a word".to_owned()), "\"a word\""),
            (Payload::Bytes(vec![0xff]), "\"/w==\""),
            (Payload::Bytes(vec![0, 0xff]), "\"AP8=\""),
            (Payload::Bytes(b"\xffab".to_vec()), "\"/2Fi\""),
        ] {
            let expected = Ok(vec![("mode".to_owned(), expected.to_owned())]);
            assert_eq!(targets(settings, PROFILE, deliver(payload.clone())), expected, "{payload:?}");
        }
    }
}
