//! What is sent to a device: one item for its queue in ChirpStack.

use crate::lorawan::{CONFIRMED, DEV_EUI_ALIAS, F_PORT, is_eui};
use crate::profile::{Profile, Waiting};
use crate::settings::Settings;
use crate::{receipts, topic};
use base64::Engine;
use dragoman_plugin_sdk::{
    Attributes, Audience, Device, Dispatched, Error, Execution, Gateway, Intent, Message, Outgoing, Payload, Reason,
    attribute, outcome, route, time,
};
use serde::Serialize;

const F_PORT_MAX: u32 = 255;

/// `DownlinkCommand` of ChirpStack's MQTT integration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DownlinkCommand<'a> {
    id: &'a str,
    dev_eui: &'a str,
    confirmed: bool,
    f_port: u32,
    data: String,
    expires_at: String,
}

/// Bytes and what goes with them.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    bytes: Vec<u8>,
    f_port: u32,
    confirmed: bool,
    /// Nobody said whether it is to be confirmed.
    by_default: bool,
}

/// One message to the session of the network server, under a fresh id for each attempt.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let (server, eui, application) = match address(gateway, device, &settings) {
        Ok(address) => address,
        Err(reason) => return Ok(Dispatched::Unsupported(reason)),
    };
    let item = match item(&execution.frames, &execution.labels, &settings) {
        Ok(item) => item,
        Err(reason) => return Ok(Dispatched::Unsupported(reason)),
    };
    let id = key(&gateway.new_id(), item.by_default && !item.confirmed);
    let command = DownlinkCommand {
        id: &id,
        dev_eui: &eui,
        confirmed: item.confirmed,
        f_port: item.f_port,
        data: base64::engine::general_purpose::STANDARD.encode(&item.bytes),
        // The network forgets it when the gateway does.
        expires_at: time::rfc3339(execution.deadline_ms),
    };
    let text = serde_json::to_string(&command).map_err(|error| Error::Internal(error.to_string()))?;
    let waiting = Waiting { item: id.clone(), execution: execution.id.clone(), uplinks: 0 };
    Profile { waiting: Some(waiting), ..Profile::of(device) }.keep(gateway, device)?;
    Ok(Dispatched::Send(vec![Outgoing {
        to: Audience::Subscribed,
        message: Message {
            topic: topic::command(&application, &eui),
            payload: Payload::Text(text),
            qos: 0,
            retain: false,
            attributes: Vec::new(),
        },
        correlation: Some(receipts::about((&server, &eui), &id)),
    }]))
}

/// The network server's id, the device's EUI and its application in ChirpStack.
fn address(gateway: &impl Gateway, device: &Device, settings: &Settings) -> Result<(String, String, String), Reason> {
    let server = device.parent.as_deref().and_then(|parent| gateway.device(parent));
    let Some(server) = server else {
        let text = format!("device {} hangs below no network server", device.id);
        return Err(outcome::reason("NO_NETWORK_SERVER", text));
    };
    let Some(eui) = attribute(&device.aliases, DEV_EUI_ALIAS).filter(|eui| is_eui(eui)) else {
        let text = format!("device {} has no alias {DEV_EUI_ALIAS} of 16 lower-case hexadecimal digits", device.id);
        return Err(outcome::reason("NO_DEV_EUI", text));
    };
    let application = Profile::of(device).application(device, &server, settings.application_id.as_deref());
    match application.filter(|application| route::is_topic_level(application)) {
        Some(application) => Ok((server.id, eui.to_owned(), application)),
        None => Err(outcome::reason(
            "NO_APPLICATION",
            format!(
                "the application of device {} in ChirpStack is not known: it was never heard, and neither it, its \
                 network server nor the settings name one",
                device.id
            ),
        )),
    }
}

/// What is in the frames. What a frame does not say, a label of the command may, and then the settings.
fn item(frames: &[Intent], labels: &Attributes, settings: &Settings) -> Result<Item, Reason> {
    let delivery = match frames {
        [Intent::Deliver(delivery)] => delivery,
        [Intent::Invoke(_) | Intent::Write(_) | Intent::Read(_)] => {
            let text = "a LoRaWAN device takes bytes; give the device a handler that encodes commands";
            return Err(outcome::reason("NO_HANDLER", text));
        }
        _ => {
            let text = "one downlink carries one payload; the handler planned another number of frames";
            return Err(outcome::reason("NOT_ONE_FRAME", text));
        }
    };
    let said = |name: &str| attribute(&delivery.attributes, name).or_else(|| attribute(labels, name));
    let f_port = match said(F_PORT).filter(|text| *text != "0") {
        None => settings.default_f_port,
        Some(text) => text.parse().ok(),
    };
    let Some(f_port) = f_port.filter(|port| (1..=F_PORT_MAX).contains(port)) else {
        let text = format!("the command names no port of 1 to {F_PORT_MAX} and no default is set");
        return Err(outcome::reason("NO_F_PORT", text));
    };
    let bytes = match &delivery.payload {
        Payload::Text(text) => text.clone().into_bytes(),
        Payload::Bytes(bytes) => bytes.clone(),
    };
    let confirmed = said(CONFIRMED);
    Ok(Item {
        bytes,
        f_port,
        confirmed: confirmed.map_or(settings.confirm, |text| text == "true"),
        by_default: confirmed.is_none(),
    })
}

/// The id of an item. Version 8 (RFC 9562: its maker's own) marks an item of which nothing but the network's receipt
/// will be heard, so that the receipt can end it without anything being remembered.
fn key(uuid: &str, ends_at_receipt: bool) -> String {
    const VERSION: std::ops::Range<usize> = 14..15;
    let mut id = uuid.to_owned();
    if ends_at_receipt && id.get(VERSION).is_some() {
        id.replace_range(VERSION, "8");
    }
    id
}

/// Whether the receipt of that item is all that will be heard of it.
pub(crate) fn ends_at_receipt(id: &str) -> bool {
    id.get(14..15) == Some("8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::{Delivery, Invocation};

    fn deliver(attributes: &[(&str, &str)]) -> Intent {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Intent::Deliver(Delivery { name: None, payload: Payload::Bytes(vec![0xbe, 0xef]), attributes })
    }

    #[test]
    fn frames_are_read_or_refused() {
        let invoke = Intent::Invoke(Invocation { service: None, action: "set".to_owned(), params: "{}".to_owned() });
        let one = deliver(&[(F_PORT, "15"), (CONFIRMED, "false")]);
        let plain = deliver(&[]);
        let set = Settings { default_f_port: Some(2), ..Settings::default() };
        let unconfirmed = Settings { confirm: false, ..set.clone() };
        let label = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let none = Vec::new();
        type Row<'a> = (Vec<Intent>, &'a Attributes, &'a Settings, Result<(u32, bool, bool), &'a str>);
        let (confirmed, port) = (label(CONFIRMED, "false"), label(F_PORT, "7"));
        let default = Settings::default();
        let table: Vec<Row<'_>> = vec![
            (vec![one.clone()], &none, &default, Ok((15, false, false))),
            (vec![deliver(&[(F_PORT, "15"), (CONFIRMED, "true")])], &none, &unconfirmed, Ok((15, true, false))),
            (vec![deliver(&[(F_PORT, "15")])], &none, &default, Ok((15, true, true))),
            (vec![deliver(&[(F_PORT, "15")])], &confirmed, &default, Ok((15, false, false))),
            (vec![plain.clone()], &port, &unconfirmed, Ok((7, false, true))),
            (vec![plain.clone()], &none, &set, Ok((2, true, true))),
            (vec![deliver(&[(F_PORT, "0")])], &none, &set, Ok((2, true, true))),
            (vec![plain], &none, &default, Err("NO_F_PORT")),
            (vec![deliver(&[(F_PORT, "256")])], &none, &set, Err("NO_F_PORT")),
            (vec![deliver(&[(F_PORT, "x")])], &none, &set, Err("NO_F_PORT")),
            (vec![deliver(&[(F_PORT, "-1")])], &none, &set, Err("NO_F_PORT")),
            (vec![], &none, &set, Err("NOT_ONE_FRAME")),
            (vec![one.clone(), one], &none, &set, Err("NOT_ONE_FRAME")),
            (vec![invoke], &none, &set, Err("NO_HANDLER")),
            (vec![Intent::Write(vec![])], &none, &set, Err("NO_HANDLER")),
            (vec![Intent::Read(vec![])], &none, &set, Err("NO_HANDLER")),
        ];
        for (frames, labels, settings, expected) in table {
            let found = item(&frames, labels, settings)
                .map(|item| (item.f_port, item.confirmed, item.by_default))
                .map_err(|reason| reason.code);
            assert_eq!(found, expected.map_err(str::to_owned), "{frames:?} {labels:?}");
        }
    }

    #[test]
    fn an_id_says_whether_its_receipt_is_all() {
        let uuid = "01900000-0000-7000-8000-000000000001";
        assert_eq!(key(uuid, false), uuid);
        assert_eq!(key(uuid, true), "01900000-0000-8000-8000-000000000001");
        assert!(ends_at_receipt(&key(uuid, true)) && !ends_at_receipt(uuid) && !ends_at_receipt(""));
    }
}
