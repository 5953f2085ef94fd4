//! What becomes of an item in ChirpStack: sent by radio, acknowledged by the device or not, or discarded.

use crate::downlink::ends_at_receipt;
use crate::lorawan::{ACKED_BY_NETWORK, EXPIRED, F_CNT, F_CNT_TOO_LOW, GATEWAY_ID, NACK, NO_RECEIPT, TOO_LONG, add};
use crate::profile::Profile;
use crate::uplink::Dropped;
use dragoman_plugin_sdk::{
    Attributes, Correlation, Device, Error, Execution, Gateway, Outcome, Reason, Report, Severity, State, outcome,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Uplinks without a receipt after which an item is given up. The first may have come too soon for it, and the event of
/// the last comes before the receipt that belongs to it.
const UPLINKS_MISSED_MAX: u32 = 3;

/// `event/txack`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TxAck {
    #[serde(default)]
    queue_item_id: String,
    #[serde(default)]
    f_cnt_down: u32,
    #[serde(default)]
    gateway_id: Option<String>,
}

/// `event/ack`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ack {
    #[serde(default)]
    queue_item_id: String,
    #[serde(default)]
    acknowledged: bool,
    #[serde(default)]
    f_cnt_down: u32,
}

/// `event/log`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Log {
    level: String,
    pub(crate) code: String,
    description: String,
    context: BTreeMap<String, String>,
}

/// A network server, and the EUI of the device that it speaks of.
pub(crate) type By<'a> = (&'a str, &'a str);

/// A gateway sent the item by radio.
pub(crate) fn sent(gateway: &impl Gateway, by: By<'_>, device: &Device, ack: &TxAck) -> Result<(), Dropped> {
    let mut attributes = facts(device, ack.f_cnt_down);
    attributes.insert(0, (ACKED_BY_NETWORK.0.to_owned(), ACKED_BY_NETWORK.1.to_owned()));
    add(&mut attributes, GATEWAY_ID, ack.gateway_id.clone());
    let report =
        if ends_at_receipt(&ack.queue_item_id) { Report::Ended(Outcome::Succeeded(None)) } else { Report::Acked(None) };
    let about = about(by, &ack.queue_item_id);
    taken(gateway, &about, gateway.tell(&about, &report, &attributes))?;
    // The device's window went to something else, so an item that waits has not missed one.
    let mut profile = Profile::of(device);
    if let Some(waiting) = profile.waiting.as_mut().filter(|waiting| waiting.item != ack.queue_item_id) {
        waiting.uplinks = 0;
    }
    Ok(profile.keep(gateway, device)?)
}

/// Counts an uplink behind which the item that waits could have been sent. ChirpStack sends what waits right after the
/// device spoke and then tells the receipt; where that did not come several times, either the network has lost the item,
/// or its receipt was lost on the way, and nothing else would ever let the device's next command go.
pub(crate) fn missed(
    gateway: &impl Gateway,
    by: By<'_>,
    device: &Device,
    profile: &mut Profile,
) -> Result<(), Dropped> {
    let Some(mut waiting) = profile.waiting.take() else { return Ok(()) };
    let is_out = |open: &Execution| open.id == waiting.execution && open.state == State::Sent;
    if !gateway.open_executions(&device.id).iter().any(is_out) {
        return Ok(());
    }
    waiting.uplinks += 1;
    if waiting.uplinks < UPLINKS_MISSED_MAX {
        profile.waiting = Some(waiting);
        return Ok(());
    }
    let about = about(by, &waiting.item);
    let text = format!("the device spoke {UPLINKS_MISSED_MAX} times, and the network told no receipt of the downlink");
    let told = gateway.attempt_failed(&about, &outcome::reason(NO_RECEIPT, text), &[]);
    taken(gateway, &about, told)
}

/// The device acknowledged the item, or did not with its next uplink or in time. ChirpStack does not try it again.
pub(crate) fn acknowledged(gateway: &impl Gateway, by: By<'_>, device: &Device, ack: &Ack) -> Result<(), Dropped> {
    let attributes = facts(device, ack.f_cnt_down);
    let about = about(by, &ack.queue_item_id);
    let result = if ack.acknowledged {
        gateway.tell(&about, &Report::Ended(Outcome::Succeeded(None)), &attributes)
    } else {
        let why = outcome::reason(NACK, "the device did not acknowledge the confirmed downlink");
        gateway.attempt_failed(&about, &why, &attributes)
    };
    taken(gateway, &about, result)
}

/// Ends an item that ChirpStack discarded. `false` where the line of the log is about something else, e.g. a gateway
/// that could not send: the item is then still in ChirpStack's queue and goes out with the next opportunity.
pub(crate) fn discarded(gateway: &impl Gateway, by: By<'_>, log: &Log) -> Result<bool, Dropped> {
    let (Some(id), Some(why)) = (log.context.get("queue_item_id"), why(log)) else { return Ok(false) };
    let about = about(by, id);
    taken(gateway, &about, gateway.tell(&about, &Report::Ended(Outcome::Failed(why)), &[]))?;
    Ok(true)
}

/// Why an item was discarded; `None` for a code that discards none.
fn why(log: &Log) -> Option<Reason> {
    let (code, fallback) = match log.code.as_str() {
        "EXPIRED" => (EXPIRED, "the downlink expired in the queue of the network"),
        "DOWNLINK_PAYLOAD_SIZE" => (TOO_LONG, "the payload is too long for the data rate of the device"),
        "F_CNT_DOWN" => (F_CNT_TOO_LOW, "the frame counter of the downlink is used up"),
        "DOWNLINK_CODEC" => ("LORAWAN_CODEC", "the network could not encode the downlink"),
        _ => return None,
    };
    let mut reason = outcome::reason(code, outcome::device_text(&log.description, fallback));
    if code == TOO_LONG {
        let number = |name: &str| log.context.get(name).and_then(|text| text.parse::<u64>().ok());
        let lengths = serde_json::json!({"length": number("item_size"), "max": number("max_payload_size")});
        reason.detail = Some(lengths.to_string());
    }
    Some(reason)
}

fn facts(device: &Device, f_cnt: u32) -> Attributes {
    let mut attributes = Profile::of(device).session();
    add(&mut attributes, F_CNT, Some(f_cnt.to_string()));
    attributes
}

/// The attempt that an item is. The device is part of its key, so that a receipt of one device's item counts on that
/// device's topics only.
pub(crate) fn about((server, eui): By<'_>, id: &str) -> Correlation {
    Correlation { reporter: server.to_owned(), key: format!("{eui}/{id}") }
}

/// An item that is not the gateway's was queued by somebody else in ChirpStack, or is long over.
fn taken(gateway: &impl Gateway, about: &Correlation, result: Result<(), Error>) -> Result<(), Dropped> {
    match result {
        Ok(()) => Ok(()),
        Err(Error::NotFound(_)) => {
            gateway.log(Severity::Debug, &format!("queue item {} is none of ours", about.key));
            Ok(())
        }
        Err(Error::Denied(why) | Error::Invalid(why) | Error::Limit(why) | Error::Conflict(why)) => {
            Err(Dropped::Because(why))
        }
        Err(error) => Err(Dropped::Fault(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_discarded_has_a_reason() {
        for (code, expected) in [
            ("EXPIRED", Some("LORAWAN_EXPIRED")),
            ("DOWNLINK_PAYLOAD_SIZE", Some("LORAWAN_TOO_LONG")),
            ("F_CNT_DOWN", Some("LORAWAN_F_CNT_TOO_LOW")),
            ("DOWNLINK_CODEC", Some("LORAWAN_CODEC")),
            ("DOWNLINK_GATEWAY", None),
            ("UPLINK_CODEC", None),
            ("UPLINK_MIC", None),
            ("UPLINK_F_CNT_RESET", None),
            ("OTAA", None),
            ("UNKNOWN", None),
            ("", None),
        ] {
            let log = Log { code: code.to_owned(), ..Log::default() };
            assert_eq!(why(&log).map(|reason| reason.code).as_deref(), expected, "{code}");
        }
        let sizes = [("item_size", "60"), ("max_payload_size", "51")];
        let context = sizes.map(|(n, v)| (n.to_owned(), v.to_owned())).into_iter().collect();
        let log = Log {
            code: "DOWNLINK_PAYLOAD_SIZE".to_owned(),
            description: "too long".to_owned(),
            context,
            ..Log::default()
        };
        let reason = why(&log).unwrap();
        assert_eq!((reason.text.as_str(), reason.detail.as_deref()), ("too long", Some(r#"{"length":60,"max":51}"#)));
    }
}
