//! Commands of the platform and what they are in nobody's words, both ways. README.md has the table.
//!
//! The platform knows one thing only: a named command with parameters. So three names stand for what other platforms tell
//! apart: setting properties, asking for them, and passing a payload on.

use crate::settings::Settings;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dragoman_plugin_sdk::{
    Attributes, Delivery, Intent, Invocation, Payload, Property, PropertyName, Reason, json, outcome,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// A command as the platform words it.
pub(crate) type Words = (String, Option<Box<RawValue>>);

/// Members in the order in which they were given.
struct Members<V>(Vec<(String, V)>);

impl<V: Serialize> Serialize for Members<V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The command as it is, for a device of the platform. Parameters that are no object stand in one, under `value`.
pub(crate) fn invocation(name: &str, parameters: Option<&RawValue>) -> Intent {
    Intent::Invoke(Invocation { service: None, action: name.to_owned(), params: params_of(parameters) })
}

fn params_of(parameters: Option<&RawValue>) -> String {
    match parameters {
        None => "null".to_owned(),
        Some(parameters) if json::is_object(parameters) => parameters.get().to_owned(),
        Some(other) => format!(r#"{{"value":{}}}"#, other.get()),
    }
}

/// What a command wants of a device of another platform.
pub(crate) fn of_command(settings: &Settings, name: &str, parameters: Option<&RawValue>) -> Intent {
    let is = |command: &Option<String>| command.as_deref() == Some(name);
    let special = if is(&settings.write_command) {
        write(settings, parameters)
    } else if is(&settings.read_command) {
        read(settings, parameters)
    } else if is(&settings.deliver_command) {
        deliver(parameters)
    } else {
        None
    };
    special.unwrap_or_else(|| {
        let (service, action) = split(settings, name);
        Intent::Invoke(Invocation { service, action, params: params_of(parameters) })
    })
}

/// `{name: value, …}`, at least one.
fn write(settings: &Settings, parameters: Option<&RawValue>) -> Option<Intent> {
    let members: BTreeMap<String, Box<RawValue>> = json::parse_object(parameters?.get()).ok()?;
    let property = |(key, value): (String, Box<RawValue>)| {
        let (service, name) = split(settings, &key);
        Property { service, name, value: value.get().to_owned() }
    };
    let properties: Vec<_> = members.into_iter().map(property).collect();
    (!properties.is_empty()).then_some(Intent::Write(properties))
}

/// `["name", …]`, `{"names": ["name", …]}`, or nothing for all.
fn read(settings: &Settings, parameters: Option<&RawValue>) -> Option<Intent> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(default)]
        names: Vec<String>,
    }
    let names = match parameters.map(RawValue::get) {
        None => Vec::new(),
        Some(text) => match json::parse::<Vec<String>>(text) {
            Ok(names) => names,
            Err(_) => json::parse_object::<Named>(text).ok()?.names,
        },
    };
    let property = |key: &String| {
        let (service, name) = split(settings, key);
        PropertyName { service, name }
    };
    Some(Intent::Read(names.iter().map(property).collect()))
}

/// `{"name"?, "text" | "base64", "attributes"?}`.
fn deliver(parameters: Option<&RawValue>) -> Option<Intent> {
    #[derive(serde::Deserialize)]
    struct Delivered {
        name: Option<String>,
        text: Option<String>,
        base64: Option<String>,
        #[serde(default)]
        attributes: BTreeMap<String, String>,
    }
    let Delivered { name, text, base64, attributes } = json::parse_object(parameters?.get()).ok()?;
    let payload = match (text, base64) {
        (Some(text), None) => Payload::Text(text),
        (None, Some(base64)) => Payload::Bytes(BASE64_STANDARD.decode(base64).ok()?),
        _ => return None,
    };
    Some(Intent::Deliver(Delivery { name, payload, attributes: attributes.into_iter().collect() }))
}

/// The command that a frame is for a device of the platform.
pub(crate) fn words(settings: &Settings, frame: &Intent) -> Result<Words, Reason> {
    let none = |code: &str, what: &str| outcome::reason(code, format!("the settings name no command that {what}"));
    match frame {
        Intent::Invoke(invocation) => {
            let params = Some(invocation.params.trim()).filter(|params| *params != "null").map(json::raw);
            Ok((join(settings, invocation.service.as_deref(), &invocation.action), params))
        }
        Intent::Write(properties) => {
            let name = settings.write_command.clone().ok_or_else(|| none("NO_WRITE", "sets properties"))?;
            let member = |property: &Property| {
                (join(settings, property.service.as_deref(), &property.name), json::raw(&property.value))
            };
            Ok((name, Some(raw_of(&Members(properties.iter().map(member).collect()))?)))
        }
        Intent::Read(names) => {
            let name = settings.read_command.clone().ok_or_else(|| none("NO_READ", "asks for properties"))?;
            let names: Vec<_> = names.iter().map(|name| join(settings, name.service.as_deref(), &name.name)).collect();
            let parameters = match names.is_empty() {
                true => None,
                false => Some(raw_of(&Members(vec![("names".to_owned(), names)]))?),
            };
            Ok((name, parameters))
        }
        Intent::Deliver(delivery) => {
            let name = settings.deliver_command.clone().ok_or_else(|| none("NO_DELIVER", "passes a payload on"))?;
            Ok((name, Some(raw_of(&delivered(delivery)?)?)))
        }
    }
}

fn delivered(delivery: &Delivery) -> Result<Members<Box<RawValue>>, Reason> {
    let mut members = Vec::new();
    if let Some(name) = &delivery.name {
        members.push(("name".to_owned(), raw_of(name)?));
    }
    members.push(match &delivery.payload {
        Payload::Text(text) => ("text".to_owned(), raw_of(text)?),
        Payload::Bytes(bytes) => ("base64".to_owned(), raw_of(&BASE64_STANDARD.encode(bytes))?),
    });
    if !delivery.attributes.is_empty() {
        let attributes: Attributes = delivery.attributes.clone();
        members.push(("attributes".to_owned(), raw_of(&Members(attributes))?));
    }
    Ok(Members(members))
}

fn raw_of(value: &impl Serialize) -> Result<Box<RawValue>, Reason> {
    to_raw_value(value).map_err(|error| outcome::reason("NOT_JSON", error.to_string()))
}

/// Service and name of what the platform has one name for.
fn split(settings: &Settings, name: &str) -> (Option<String>, String) {
    match separator(settings).and_then(|separator| name.split_once(separator)) {
        Some((service, name)) if !service.is_empty() && !name.is_empty() => (Some(service.to_owned()), name.to_owned()),
        _ => (None, name.to_owned()),
    }
}

fn join(settings: &Settings, service: Option<&str>, name: &str) -> String {
    match (separator(settings), service) {
        (Some(separator), Some(service)) => format!("{service}{separator}{name}"),
        _ => name.to_owned(),
    }
}

fn separator(settings: &Settings) -> Option<&str> {
    settings.service_separator.as_deref().filter(|separator| !separator.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotted() -> Settings {
        Settings { service_separator: Some(".".to_owned()), ..Settings::default() }
    }

    fn invoke(service: Option<&str>, action: &str, params: &str) -> Intent {
        let service = service.map(str::to_owned);
        Intent::Invoke(Invocation { service, action: action.to_owned(), params: params.to_owned() })
    }

    fn property(service: Option<&str>, name: &str, value: &str) -> Property {
        Property { service: service.map(str::to_owned), name: name.to_owned(), value: value.to_owned() }
    }

    fn delivery(name: Option<&str>, payload: Payload, attributes: &[(&str, &str)]) -> Intent {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Intent::Deliver(Delivery { name: name.map(str::to_owned), payload, attributes })
    }

    /// Both ways: what a command for another platform's device becomes, and what that is for a device of this one.
    #[test]
    fn commands_and_intents_stand_for_each_other() {
        let asked = |service: Option<&str>, name: &str| PropertyName {
            service: service.map(str::to_owned),
            name: name.to_owned(),
        };
        for (name, parameters, intent) in [
            ("light", Some(r#"{"on": true}"#), invoke(None, "light", r#"{"on": true}"#)),
            ("light", None, invoke(None, "light", "null")),
            ("Lamp.on", Some("{}"), invoke(Some("Lamp"), "on", "{}")),
            ("set", Some(r#"{"a":1.50}"#), Intent::Write(vec![property(None, "a", "1.50")])),
            (
                "set",
                Some(r#"{"S.b":[2],"a":"x"}"#),
                Intent::Write(vec![property(Some("S"), "b", "[2]"), property(None, "a", "\"x\"")]),
            ),
            ("get", None, Intent::Read(Vec::new())),
            ("get", Some(r#"{"names":["a","S.b"]}"#), Intent::Read(vec![asked(None, "a"), asked(Some("S"), "b")])),
            ("deliver", Some(r#"{"text":"hi"}"#), delivery(None, Payload::Text("hi".to_owned()), &[])),
            (
                "deliver",
                Some(r#"{"name":"n","base64":"AQL/","attributes":{"lorawan.f-port":"2"}}"#),
                delivery(Some("n"), Payload::Bytes(vec![1, 2, 255]), &[("lorawan.f-port", "2")]),
            ),
        ] {
            let parameters = parameters.map(json::raw);
            assert_eq!(of_command(&dotted(), name, parameters.as_deref()), intent, "{name}");
            let (worded, with) = words(&dotted(), &intent).unwrap();
            assert_eq!(worded, name);
            assert_eq!(with.as_deref().map(RawValue::get), parameters.as_deref().map(RawValue::get), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_a_special_command_is_an_ordinary_one() {
        let settings = Settings::default();
        for (name, parameters, params) in [
            ("set", None, "null"),
            ("set", Some("{}"), "{}"),
            ("set", Some("[1]"), r#"{"value":[1]}"#),
            ("get", Some(r#"{"names":7}"#), r#"{"names":7}"#),
            ("get", Some("7"), r#"{"value":7}"#),
            ("deliver", Some("{}"), "{}"),
            ("deliver", Some(r#"{"base64":"?"}"#), r#"{"base64":"?"}"#),
            ("deliver", Some(r#"{"base64":"","text":""}"#), r#"{"base64":"","text":""}"#),
            ("x", Some("\"on\""), r#"{"value":"on"}"#),
            ("Lamp.on", Some("{}"), "{}"),
        ] {
            let parameters = parameters.map(json::raw);
            assert_eq!(of_command(&settings, name, parameters.as_deref()), invoke(None, name, params), "{name}");
        }
        assert!(
            matches!(of_command(&settings, "get", Some(&json::raw(r#"["a"]"#))), Intent::Read(names) if names.len() == 1)
        );
    }

    #[test]
    fn a_setting_takes_a_special_command_away() {
        let bare = Settings { write_command: None, read_command: None, deliver_command: None, ..Settings::default() };
        assert_eq!(of_command(&bare, "get", None), invoke(None, "get", "null"));
        let code = |intent: Intent| words(&bare, &intent).unwrap_err().code;
        assert_eq!(code(Intent::Write(vec![property(None, "a", "1")])), "NO_WRITE");
        assert_eq!(code(Intent::Read(Vec::new())), "NO_READ");
        assert_eq!(code(delivery(None, Payload::Text(String::new()), &[])), "NO_DELIVER");
        let dropped = words(&bare, &invoke(Some("Lamp"), "on", "{}")).unwrap();
        assert_eq!(dropped.0, "on");
    }
}
