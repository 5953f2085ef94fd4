//! What a network server publishes: events of its devices. Receipts are in `receipts.rs`.

use crate::lorawan::{CONFIRMED, DEV_EUI_ALIAS, F_CNT, F_PORT, JOIN_EUI, RX_METADATA, SETTINGS, add};
use crate::profile::Profile;
use crate::radio::{self, Location, RxInfo, TxInfo};
use crate::receipts::By;
use crate::{NAME, receipts, topic};
use base64::Engine;
use dragoman_plugin_sdk::{Attributes, Device, Error, Event, Gateway, Message, Payload, Session, Severity, json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of an event's name.
const NAME_BYTES_MAX: usize = 512;

/// Counter of events of devices that are not registered.
const UNKNOWN_DEVICES: &str = "events-of-unknown-devices";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Up {
    #[serde(default)]
    dev_addr: Option<String>,
    #[serde(default)]
    f_cnt: u32,
    #[serde(default)]
    f_port: u8,
    #[serde(default)]
    confirmed: bool,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    object: Option<Box<RawValue>>,
    #[serde(default)]
    rx_info: Vec<RxInfo>,
    #[serde(default)]
    tx_info: Option<TxInfo>,
    #[serde(default)]
    join_server_context: Option<JoinServerContext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    #[serde(default)]
    deduplication_id: Option<String>,
    #[serde(default)]
    dev_addr: Option<String>,
    #[serde(default)]
    join_server_context: Option<JoinServerContext>,
}

/// What every event says of its device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    #[serde(default)]
    device_info: DeviceInfo,
}

/// Both are empty in an event that does not say it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    #[serde(default)]
    application_id: String,
    #[serde(default)]
    dev_eui: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinServerContext {
    /// Hexadecimal.
    #[serde(default)]
    session_key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Located {
    location: Location,
}

/// What a device says of its battery and of the downlinks that it hears.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"), default)]
struct Status {
    margin: i64,
    external_power_source: bool,
    battery_level_unavailable: bool,
    battery_level: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Integration {
    #[serde(default)]
    integration_name: Option<String>,
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default)]
    object: Option<Box<RawValue>>,
}

/// A message is of one of the server's own devices and of a known kind, or a line in the log.
pub(crate) fn handle(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Error> {
    match take(gateway, session, message) {
        Ok(()) => Ok(()),
        Err(Dropped::Because(why)) => {
            let text = format!("dropped a message of client {} on {}: {why}", session.client_id, message.topic);
            gateway.log(Severity::Warn, &text);
            Ok(())
        }
        Err(Dropped::Fault(error)) => Err(error),
    }
}

/// Why a message came to nothing.
pub(crate) enum Dropped {
    Because(String),
    Fault(Error),
}

impl From<Error> for Dropped {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

fn take(gateway: &impl Gateway, session: &Session, message: &Message) -> Result<(), Dropped> {
    let because = |why: &str| Dropped::Because(why.to_owned());
    let server = session.device.as_deref().ok_or_else(|| because("the session is no network server"))?;
    let Some((application, eui, kind)) = topic::event(&message.topic) else {
        return Err(because("it is no event of a device"));
    };
    let Some(device) = gateway.resolve(DEV_EUI_ALIAS, eui).filter(|device| device.dialect == NAME) else {
        let number = gateway.next_number(UNKNOWN_DEVICES);
        let text = format!("event {number} of a device that is not registered: {kind} of {eui}");
        gateway.log(Severity::Info, &text);
        return Ok(());
    };
    if device.parent.as_deref() != Some(server) {
        return Err(because("the device hangs below another network server"));
    }
    let Payload::Text(text) = &message.payload else { return Err(because("its payload is not UTF-8")) };
    check_origin(text, application, eui)?;
    match kind {
        "up" => up(gateway, (server, eui), &device, application, &read(text)?),
        "join" => join(gateway, &device, application, &read(text)?),
        "status" => {
            let body = text_of(&read::<Status>(text)?)?;
            emit(gateway, &device, ("notification", Some("status")), None, Some(body), Vec::new())
        }
        "location" => {
            let located: Located = read(text)?;
            let place = located.location.worded().map(|place| text_of(&place)).transpose()?;
            emit(gateway, &device, ("location", Some("chirpstack")), None, place, Vec::new())
        }
        "integration" => integration(gateway, &device, &read(text)?),
        "txack" => receipts::sent(gateway, (server, eui), &device, &read(text)?),
        "ack" => receipts::acknowledged(gateway, (server, eui), &device, &read(text)?),
        "log" => {
            let log: receipts::Log = read(text)?;
            if receipts::discarded(gateway, (server, eui), &log)? {
                return Ok(());
            }
            emit(gateway, &device, ("log", Some(&log.code)), None, Some(text_of(&log)?), Vec::new())
        }
        _ => Err(because("it is of a kind that is not known")),
    }
}

/// An event that names another device or application than its topic is of neither.
fn check_origin(text: &str, application: &str, eui: &str) -> Result<(), Dropped> {
    let info = read::<About>(text)?.device_info;
    for (what, said, topic) in [("device", &info.dev_eui, eui), ("application", &info.application_id, application)] {
        if !said.is_empty() && said != topic {
            return Err(Dropped::Because(format!("it says that it is of {what} {said:.64}, which its topic does not")));
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Dropped> {
    json::parse_object(text).map_err(|broken| Dropped::Because(broken.text().to_owned()))
}

fn text_of(body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| Error::Internal(error.to_string()))
}

fn up(gateway: &impl Gateway, by: By<'_>, device: &Device, application: &str, up: &Up) -> Result<(), Dropped> {
    let bytes = match up.data.as_deref() {
        None => Vec::new(),
        Some(text) => base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| Dropped::Because(format!("its data is no base64: {error}")))?,
    };
    let mut profile = Profile::of(device);
    learn(&mut profile, application, up.dev_addr.as_deref());
    profile.session_key_id = session_key(up.join_server_context.as_ref()).or(profile.session_key_id);
    receipts::missed(gateway, by, device, &mut profile)?;
    profile.keep(gateway, device)?;
    // Frames of the network's own, on port 0 or on none, say nothing to an application.
    if up.f_port == 0 {
        return Ok(());
    }
    let mut attributes = profile.session();
    add(&mut attributes, F_PORT, Some(up.f_port.to_string()));
    add(&mut attributes, F_CNT, Some(up.f_cnt.to_string()));
    add(&mut attributes, CONFIRMED, Some(up.confirmed.to_string()));
    add(&mut attributes, SETTINGS, up.tx_info.as_ref().and_then(radio::settings));
    add(&mut attributes, RX_METADATA, radio::rx_metadata(&up.rx_info));
    // What ChirpStack's own codec read, if it has one.
    let object = up.object.as_ref().filter(|object| json::is_object(object)).map(|object| object.get().to_owned());
    let object = object.filter(|object| object != "{}");
    emit(gateway, device, ("uplink", None), Some(Payload::Bytes(bytes)), object, attributes)
}

fn join(gateway: &impl Gateway, device: &Device, application: &str, join: &Join) -> Result<(), Dropped> {
    let mut profile = Profile::of(device);
    learn(&mut profile, application, join.dev_addr.as_deref());
    // A network without a join server names no session; the id of the join does as well.
    profile.session_key_id =
        session_key(join.join_server_context.as_ref()).or_else(|| hex(join.deduplication_id.as_deref()?));
    profile.keep(gateway, device)?;
    let mut attributes = profile.session();
    let join_eui = dragoman_plugin_sdk::attribute(&device.labels, JOIN_EUI).map(str::to_owned);
    add(&mut attributes, JOIN_EUI, join_eui);
    emit(gateway, device, ("join", None), None, None, attributes)
}

fn integration(gateway: &impl Gateway, device: &Device, event: &Integration) -> Result<(), Dropped> {
    let names = [event.integration_name.as_deref(), event.event_type.as_deref()];
    let name = names.into_iter().flatten().find(|name| is_name(name)).unwrap_or("integration");
    let body = event.object.as_ref().map(|object| object.get().to_owned());
    emit(gateway, device, ("notification", Some(name)), None, body, Vec::new())
}

fn learn(profile: &mut Profile, application: &str, dev_addr: Option<&str>) {
    profile.application_id = Some(application.to_owned());
    if let Some(dev_addr) = dev_addr.filter(|text| !text.is_empty()) {
        profile.dev_addr = Some(dev_addr.to_owned());
    }
}

fn session_key(context: Option<&JoinServerContext>) -> Option<String> {
    hex(&context?.session_key_id)
}

/// Base64 of what is written in hexadecimal digits, with dashes or without.
fn hex(text: &str) -> Option<String> {
    let digits: Vec<_> = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if digits.is_empty() || !pairs.remainder().is_empty() {
        return None;
    }
    let byte = |pair: &[u32]| u8::try_from(pair.first()? << 4 | pair.get(1)?).ok();
    let bytes: Vec<_> = pairs.map(byte).collect::<Option<_>>()?;
    Some(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Whether the gateway takes a text as the name of an event.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
}

/// Tells an event, without a name where the network's is none. What the gateway does not take of it is dropped: what a
/// network sends is no fault of ours.
fn emit(
    gateway: &impl Gateway,
    device: &Device,
    (kind, name): (&str, Option<&str>),
    raw: Option<Payload>,
    body: Option<String>,
    attributes: Attributes,
) -> Result<(), Dropped> {
    let told = gateway.emit(&Event {
        device: device.id.clone(),
        kind: kind.to_owned(),
        name: name.filter(|name| is_name(name)).map(str::to_owned),
        at_ms: gateway.now_ms(),
        raw,
        body,
        attributes,
    });
    told.map_err(|error| match error {
        Error::Limit(why) | Error::Invalid(why) => Dropped::Because(why),
        error => Dropped::Fault(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_bytes() {
        for (text, expected) in [
            ("01689964-0c97-ac07-c491-43640658d1a0".to_owned(), Some("AWiZZAyXrAfEkUNkBljRoA==")),
            ("beef".to_owned(), Some("vu8=")),
            ("bee".to_owned(), None),
            (String::new(), None),
            ("xy".to_owned(), None),
        ] {
            assert_eq!(hex(&text).as_deref(), expected, "{text}");
        }
    }
}
