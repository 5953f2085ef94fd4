//! What each application side says about each end of a command. docs/every-pair.md has the same for people.

use crate::callers::Way;
use dragoman_e2e::lamps::Side;
use serde_json::{Value, json};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    /// The device could not; with the code that its own platform's side makes of that.
    Failed(&'static str),
    /// The device would not.
    Rejected(&'static str),
    TimedOut,
}

impl End {
    /// State and code of the reason in the gateway's own record.
    pub(crate) fn recorded(self) -> (&'static str, Value) {
        match self {
            Self::Succeeded => ("SUCCEEDED", Value::Null),
            Self::Failed(code) => ("FAILED", json!(code)),
            Self::Rejected(code) => ("REJECTED", json!(code)),
            Self::TimedOut => ("TIMED_OUT", json!("$NO_RESPONSE")),
        }
    }
}

/// What a device that behaves so comes to. A device of IoTDA has numbers for all that is not success, and a LoRaWAN
/// device has no word but its acknowledgement: what stands for a refusal there is a frame that the network does not send.
pub(crate) fn end(side: Side, behaviour: &str) -> End {
    match (behaviour, side) {
        ("answer", _) => End::Succeeded,
        ("fail", Side::Huawei) => End::Failed("RESULT_CODE_1"),
        ("fail", Side::Fleets) => End::Failed("motor_blocked"),
        ("fail", Side::ChirpStack) => End::Failed("LORAWAN_NACK"),
        ("fail", Side::DeviceHive) => End::Failed("failed"),
        ("fail", Side::Connio) => End::Failed("FEEDBACK_FAILED"),
        ("refuse", Side::Huawei) => End::Failed("RESULT_CODE_2"),
        ("refuse", Side::Fleets) => End::Rejected("not_now"),
        ("refuse", Side::ChirpStack) => End::Failed("LORAWAN_TOO_LONG"),
        ("refuse", Side::DeviceHive) => End::Rejected("rejected"),
        ("refuse", Side::Connio) => End::Rejected("FEEDBACK_REJECTED"),
        _ => End::TimedOut,
    }
}

/// What the caller hears, as far as it matters.
pub(crate) fn heard(way: Way, side: Side, end: End) -> Value {
    match way {
        Way::HuaweiCommand | Way::HuaweiProperties => json!({ "status": 200, "body": huawei(way, side, end) }),
        Way::FleetsCommand => match end {
            End::Succeeded => json!({ "status": "SUCCEEDED" }),
            End::Failed(code) => json!({ "status": "FAILED", "statusReason": { "reasonCode": code } }),
            End::Rejected(code) => json!({ "status": "REJECTED", "statusReason": { "reasonCode": code } }),
            End::TimedOut => json!({ "status": "TIMED_OUT", "statusReason": { "reasonCode": "NO_RESPONSE" } }),
        },
        Way::TtsPush | Way::TtsHttpPush => the_things_stack(end),
        Way::DeviceHiveInsert => devicehive(side, end),
        Way::ConnioProperty => {
            // On this platform a write counts once it is stored; only of a device of another dialect more is known.
            let accepted = end == End::Succeeded || side == Side::Connio;
            json!({ "status": 200, "body": { "accepted": u8::from(accepted), "rejected": u8::from(!accepted) } })
        }
        Way::ConnioMethod => match end {
            _ if side == Side::Connio => json!({ "status": 200, "body": { "result": null } }),
            End::Succeeded => json!({ "status": 200, "body": {} }),
            End::Failed(_) => json!({ "status": 500, "body": [{ "code": "MethodFailed" }] }),
            End::Rejected(_) => json!({ "status": 403, "body": [{ "code": "MethodRejected" }] }),
            End::TimedOut => json!({ "status": 500, "body": [{ "code": "MethodTimedOut" }] }),
        },
    }
}

/// A device of IoTDA is heard as it spoke; others in words of the platform's form.
fn huawei(way: Way, side: Side, end: End) -> Value {
    let is_command = way == Way::HuaweiCommand;
    match end {
        End::TimedOut => json!({ "error_code": "IOTDA.014111" }),
        End::Succeeded if is_command => {
            json!({ "response": { "result_code": 0, "response_name": "COMMAND_RESPONSE" } })
        }
        End::Succeeded => json!({ "response": { "result_code": 0, "result_desc": "success" } }),
        End::Failed("RESULT_CODE_2") if side == Side::Huawei => json!({ "response": { "result_code": 2 } }),
        _ if side == Side::Huawei => json!({ "response": { "result_code": 1 } }),
        End::Failed(code) | End::Rejected(code) if is_command => {
            json!({ "response": { "result_code": 1, "paras": { "error_code": code } } })
        }
        End::Failed(_) | End::Rejected(_) => json!({ "response": { "result_code": 1 } }),
    }
}

fn the_things_stack(end: End) -> Value {
    let failed = |kinds: &[&str], error: Value| {
        let told = json!({ "last": { "downlink_failed": { "error": error } } });
        // Whether `sent` is told depends on whether the device acknowledges a message before it answers.
        if kinds.is_empty() { told } else { json!({ "kinds": kinds, "last": told["last"] }) }
    };
    match end {
        End::Succeeded => json!({ "kinds": ["queued", "sent", "ack"] }),
        End::Failed("LORAWAN_NACK") => failed(
            &["queued", "sent", "nack", "sent", "nack", "failed"],
            json!({ "namespace": "pkg/applicationserver", "name": "max_retries_reached" }),
        ),
        End::Failed("LORAWAN_TOO_LONG") => failed(
            &["queued", "failed"],
            json!({ "namespace": "pkg/networkserver", "name": "application_downlink_too_long" }),
        ),
        End::Failed(code) => failed(&[], json!({ "name": "device_failed", "attributes": { "device_code": code } })),
        End::Rejected(code) => failed(&[], json!({ "name": "device_rejected", "attributes": { "device_code": code } })),
        End::TimedOut => failed(&[], json!({ "name": "no_response" })),
    }
}

/// A device of DeviceHive is heard as it spoke.
fn devicehive(side: Side, end: End) -> Value {
    let code = |code: &'static str, own: &'static str| if side == Side::DeviceHive { own } else { code };
    match end {
        End::Succeeded => json!({ "status": "success" }),
        End::Failed(why) => json!({ "status": "failed", "result": { "code": code(why, "motor_blocked") } }),
        End::Rejected(why) => json!({ "status": "rejected", "result": { "code": code(why, "not_now") } }),
        End::TimedOut => json!({ "status": "timeout" }),
    }
}

/// Whether everything that is expected is there; there may be more.
pub(crate) fn is_part(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| is_part(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| is_part(expected, found))
        }
        _ => expected == found,
    }
}

#[test]
fn a_part_is_told_from_what_is_none() {
    let found = json!({ "a": 1, "b": [{ "c": 2, "d": 3 }] });
    assert!(is_part(&json!({ "b": [{ "c": 2 }] }), &found));
    for other in [json!({ "b": [{ "c": 3 }] }), json!({ "b": [] }), json!({ "e": null }), json!({ "a": "1" })] {
        assert!(!is_part(&other, &found), "{other}");
    }
}
