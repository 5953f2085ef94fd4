//! What devices say: `join`, `up`, `location/solved` and `service/data`, for devices of every dialect.

use crate::downlink::to_base64;
use crate::ids::{EndDeviceIds, Uid, names_of};
use crate::intent::bytes_of;
use crate::settings::Settings;
use crate::up::{self, Kind, Up};
use dragoman_plugin_sdk::{Decoded, Error, Event, Gateway, Severity, attribute, json, time};
use serde::Serialize;
use serde_json::value::RawValue;

/// Kinds of events that applications of the platform have words for.
pub(crate) const KINDS: [&str; 6] = ["uplink", "join", "location", "notification", "properties", "message"];

/// Body of `up`. What is zero or unknown is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct UplinkMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) f_port: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) f_cnt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frm_payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decoded_payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) decoded_payload_warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rx_metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    confirmed: bool,
}

#[derive(Serialize)]
struct JoinAccept {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_key_id: Option<String>,
    received_at: String,
}

#[derive(Serialize)]
struct LocationSolved {
    service: String,
    location: Box<RawValue>,
}

#[derive(Serialize)]
struct ServiceData {
    service: String,
    data: Box<RawValue>,
}

/// Publishes an event to every application that knows the device.
pub(crate) fn on_event(gateway: &impl Gateway, event: &Event, decoded: Option<&Decoded>) -> Result<(), Error> {
    let Some(device) = gateway.device(&event.device) else { return Ok(()) };
    let names = names_of(&device);
    if names.is_empty() {
        return Ok(());
    }
    let Some((kind, body)) = words(event, decoded, Leaving::Nothing)? else { return Ok(()) };
    let settings = Settings::read(gateway)?;
    let network = event.attributes.iter().filter(|(name, _)| name == "lorawan.correlation-id");
    let correlation_ids: Vec<_> = network.map(|(_, id)| id.clone()).collect();
    for (uid, device_id) in names {
        let up = Up {
            kind,
            ids: EndDeviceIds::new(&uid, &device_id, Some(&device), &event.attributes),
            correlation_ids: correlation_ids.clone(),
            received_at_ms: event.at_ms,
            body: body.clone(),
            simulated: false,
        };
        let told = up::publish(gateway, &settings, &uid, &device_id, up.clone());
        let Err(Error::Limit(why)) = told else {
            told?;
            continue;
        };
        let told = tell_less(gateway, &settings, (&uid, &device_id), &up, (event, decoded))?;
        let text = format!("event {} of device {} is too large for {uid}: {why}; {told}", event.kind, event.device);
        gateway.log(Severity::Warn, &text);
    }
    Ok(())
}

/// What is left out of an event that is too large for a message: devices of other dialects say more than a radio carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Nothing,
    /// `decoded_payload`, where the bytes are there.
    Object,
    /// `frm_payload`, where the object is there.
    Bytes,
}

/// Tells an event without one form of its payload; what came of it, for people.
fn tell_less(
    gateway: &impl Gateway,
    settings: &Settings,
    (uid, device_id): (&Uid, &str),
    up: &Up,
    (event, decoded): (&Event, Option<&Decoded>),
) -> Result<&'static str, Error> {
    for (leaving, told) in [
        (Leaving::Object, "it was told without its decoded_payload"),
        (Leaving::Bytes, "it was told without its frm_payload"),
    ] {
        let Some((_, body)) = words(event, decoded, leaving)? else { continue };
        match up::publish(gateway, settings, uid, device_id, Up { body, ..up.clone() }) {
            Err(Error::Limit(_)) => {}
            other => return other.map(|()| told),
        }
    }
    Ok("it was not told")
}

/// Kind and body of the message; `None` where the platform has no words for the event, or nothing of it is left.
fn words(event: &Event, decoded: Option<&Decoded>, leaving: Leaving) -> Result<Option<(Kind, Box<RawValue>)>, Error> {
    let said = |name: &str| attribute(&event.attributes, name).map(str::to_owned);
    Ok(Some(match event.kind.as_str() {
        "uplink" | "message" | "properties" => {
            let whole = uplink(event, decoded);
            let has_both = whole.frm_payload.is_some() && whole.decoded_payload.is_some();
            let told = match leaving {
                Leaving::Nothing => whole,
                _ if !has_both => return Ok(None),
                Leaving::Object => UplinkMessage { decoded_payload: None, ..whole },
                Leaving::Bytes => UplinkMessage { frm_payload: None, ..whole },
            };
            (Kind::Uplink, up::body(&told)?)
        }
        _ if leaving != Leaving::Nothing => return Ok(None),
        "join" => {
            let session_key_id = said("lorawan.session-key-id");
            let received_at = time::rfc3339(event.at_ms);
            (Kind::Join, up::body(&JoinAccept { session_key_id, received_at })?)
        }
        "location" => {
            let Some(location) = object(event.body.as_deref()) else { return Ok(None) };
            let service = event.name.clone().unwrap_or_else(|| "network".to_owned());
            (Kind::Location, up::body(&LocationSolved { service, location })?)
        }
        "notification" => {
            let Some(data) = object(event.body.as_deref()) else { return Ok(None) };
            let service = event.name.clone().unwrap_or_else(|| "notification".to_owned());
            (Kind::Service, up::body(&ServiceData { service, data })?)
        }
        _ => return Ok(None),
    }))
}

/// What the device's handler read goes before what its network, or the device itself, put into an object.
fn uplink(event: &Event, decoded: Option<&Decoded>) -> UplinkMessage {
    let said = |name: &str| attribute(&event.attributes, name);
    let number = |name: &str| said(name)?.parse().ok().filter(|number| *number > 0);
    let shaped = |name: &str, begins: char| {
        let text = said(name).filter(|text| text.starts_with(begins))?;
        json::parse::<Box<RawValue>>(text).ok()
    };
    let radio = said("lorawan.f-port").is_some();
    UplinkMessage {
        session_key_id: said("lorawan.session-key-id").map(str::to_owned),
        f_port: number("lorawan.f-port"),
        f_cnt: number("lorawan.f-cnt"),
        frm_payload: event.raw.as_ref().map(bytes_of).filter(|bytes| !bytes.is_empty()).map(to_base64),
        decoded_payload: decoded
            .and_then(|decoded| object(Some(&decoded.value)))
            .or_else(|| object(event.body.as_deref())),
        decoded_payload_warnings: decoded.map(|decoded| decoded.warnings.clone()).unwrap_or_default(),
        rx_metadata: shaped("lorawan.rx-metadata", '['),
        settings: shaped("lorawan.settings", '{'),
        received_at: radio.then(|| time::rfc3339(event.at_ms)),
        confirmed: said("lorawan.confirmed") == Some("true"),
    }
}

fn object(text: Option<&str>) -> Option<Box<RawValue>> {
    json::object_text(text?).map(|text| json::raw(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::Payload;

    #[test]
    fn every_kind_of_event_has_words_or_none() {
        let decoded = Decoded { value: r#"{"t":2}"#.to_owned(), warnings: vec!["low".to_owned()] };
        let word = |kind: &str, body: Option<&str>, decoded: Option<&Decoded>| {
            let event = Event {
                device: "d".to_owned(),
                kind: kind.to_owned(),
                name: Some("n".to_owned()),
                at_ms: 0,
                raw: (kind != "properties").then(|| Payload::Text("A".to_owned())),
                body: body.map(str::to_owned),
                attributes: vec![
                    ("lorawan.f-cnt".to_owned(), "0".to_owned()),
                    ("lorawan.settings".to_owned(), "[".to_owned()),
                ],
            };
            words(&event, decoded, Leaving::Nothing).unwrap().map(|(kind, body)| format!("{} {body}", kind.suffix()))
        };
        for (kind, body, read, expected) in [
            ("uplink", None, None, Some(r#"up {"frm_payload":"QQ=="}"#)),
            ("uplink", Some(r#"{"t":1}"#), None, Some(r#"up {"frm_payload":"QQ==","decoded_payload":{"t":1}}"#)),
            (
                "uplink",
                Some(r#"{"t":1}"#),
                Some(&decoded),
                Some(r#"up {"frm_payload":"QQ==","decoded_payload":{"t":2},"decoded_payload_warnings":["low"]}"#),
            ),
            ("properties", Some(r#"{"on":true}"#), None, Some(r#"up {"decoded_payload":{"on":true}}"#)),
            ("message", None, None, Some(r#"up {"frm_payload":"QQ=="}"#)),
            ("join", None, None, Some(r#"join {"received_at":"1970-01-01T00:00:00.000Z"}"#)),
            (
                "location",
                Some(r#"{"latitude":1.5}"#),
                None,
                Some(r#"location/solved {"service":"n","location":{"latitude":1.5}}"#),
            ),
            ("location", None, None, None),
            ("notification", Some(r#"{"x":1}"#), None, Some(r#"service/data {"service":"n","data":{"x":1}}"#)),
            ("notification", Some("[1]"), None, None),
            ("presence", Some("{}"), None, None),
            ("log", Some("{}"), None, None),
        ] {
            assert_eq!(word(kind, body, read).as_deref(), expected, "{kind} {body:?}");
        }
        assert!(KINDS.iter().all(|kind| word(kind, Some("{}"), None).is_some()));
    }
}
