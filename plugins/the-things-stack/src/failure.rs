//! Why a downlink failed, in the platform's words: `error` of a `down/failed`. README.md has the table.

use crate::error::{APPLICATION_SERVER, ApiError, Code, NETWORK_SERVER, OURS, device_not_found, queue_capacity};
use dragoman_plugin_sdk::refusal::{Refusal, is_host_code};
use dragoman_plugin_sdk::{Reason, State, json};
use serde::Deserialize;

/// Lengths that a network tells with `LORAWAN_TOO_LONG`.
#[derive(Default, Deserialize)]
struct Lengths {
    length: Option<u64>,
    max: Option<u64>,
}

/// What ended a downlink without success. `attempts`: how often it was sent.
pub(crate) fn of_end(state: State, reason: Option<&Reason>, attempts: u32) -> ApiError {
    let reason = match (state, reason) {
        (State::TimedOut, _) if attempts == 0 => return expired(),
        (State::TimedOut, Some(reason)) if reason.code == "$EXPIRED_IN_QUEUE" => return expired(),
        (State::TimedOut, _) => {
            return ApiError::new(Code::DeadlineExceeded, OURS, "no_response", "the device did not answer in time");
        }
        (_, None) => return ApiError::new(Code::Unknown, OURS, "device_failed", "the device failed"),
        (_, Some(reason)) => reason,
    };
    match reason.code.as_str() {
        "LORAWAN_NACK" => {
            let format = "maximum number of retries reached";
            ApiError::new(Code::Aborted, APPLICATION_SERVER, "max_retries_reached", format)
        }
        "LORAWAN_EXPIRED" => expired(),
        "LORAWAN_TOO_LONG" => too_long(reason),
        "LORAWAN_F_CNT_TOO_LOW" => {
            ApiError::new(Code::InvalidArgument, NETWORK_SERVER, "f_cnt_too_low", "FCnt too low")
        }
        "LORAWAN_TRANSMISSION" => {
            let format = "transmission failed with result `{result}`";
            ApiError::new(Code::Unknown, NETWORK_SERVER, "transmission", format).with("result", reason.text.clone())
        }
        code if is_host_code(code) => of_refusal(reason, ""),
        code => {
            let (kind, name, format) = match state {
                State::Rejected => (
                    Code::FailedPrecondition,
                    "device_rejected",
                    "the device refused the downlink: `{device_code}` {device_text}",
                ),
                _ => (Code::Unknown, "device_failed", "the device failed: `{device_code}` {device_text}"),
            };
            ApiError::new(kind, OURS, name, format).with("device_code", code).with("device_text", reason.text.clone())
        }
    }
}

/// Why the gateway did not take a downlink, or gave it up.
pub(crate) fn of_refusal(reason: &Reason, device_uid: &str) -> ApiError {
    match Refusal::of(reason) {
        Refusal::QueueFull => queue_capacity(),
        Refusal::UnknownDevice => device_not_found(device_uid),
        Refusal::Limit => ours(Code::ResourceExhausted, "limit", reason),
        Refusal::Unsupported => ours(Code::Unimplemented, "unsupported", reason),
        Refusal::Invalid | Refusal::Duplicate | Refusal::IdempotencyConflict => {
            ours(Code::InvalidArgument, "invalid", reason)
        }
        Refusal::Away | Refusal::NoSubscriber => {
            let format = "no downlink path available";
            ApiError::new(Code::NotFound, NETWORK_SERVER, "no_downlink_path", format)
        }
        Refusal::Other if reason.code == "$DISABLED" => ours(Code::FailedPrecondition, "disabled", reason),
        Refusal::Other => ours(Code::Unknown, "failed", reason),
    }
}

/// What a device's handler did not encode or decode.
pub(crate) fn of_handler(reason: &Reason, name: &'static str) -> ApiError {
    ours(Code::InvalidArgument, name, reason)
}

fn ours(code: Code, name: &'static str, reason: &Reason) -> ApiError {
    let format = "`{reason_code}` {reason_text}";
    ApiError::new(code, OURS, name, format)
        .with("reason_code", reason.code.clone())
        .with("reason_text", reason.text.clone())
}

fn expired() -> ApiError {
    ApiError::new(Code::FailedPrecondition, NETWORK_SERVER, "downlink_expired", "queued downlink is expired")
}

fn too_long(reason: &Reason) -> ApiError {
    let lengths: Lengths = reason.detail.as_deref().and_then(|text| json::parse(text).ok()).unwrap_or_default();
    let format = "application downlink payload length `{length}` exceeds maximum `{max}`";
    let text = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    ApiError::new(Code::InvalidArgument, NETWORK_SERVER, "application_downlink_too_long", format)
        .with("length", text(lengths.length))
        .with("max", text(lengths.max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::outcome::reason;

    #[test]
    fn every_end_has_an_error_of_the_platform_or_of_ours() {
        for (state, code, attempts, expected) in [
            (State::TimedOut, "$EXPIRED_IN_QUEUE", 0, "pkg/networkserver:downlink_expired 9"),
            (State::TimedOut, "$EXPIRED_IN_QUEUE", 2, "pkg/networkserver:downlink_expired 9"),
            (State::TimedOut, "$NO_RESPONSE", 1, "dragoman:no_response 4"),
            (State::Failed, "LORAWAN_NACK", 8, "pkg/applicationserver:max_retries_reached 10"),
            (State::Failed, "LORAWAN_EXPIRED", 1, "pkg/networkserver:downlink_expired 9"),
            (State::Failed, "LORAWAN_TOO_LONG", 1, "pkg/networkserver:application_downlink_too_long 3"),
            (State::Failed, "LORAWAN_F_CNT_TOO_LOW", 1, "pkg/networkserver:f_cnt_too_low 3"),
            (State::Failed, "LORAWAN_TRANSMISSION", 1, "pkg/networkserver:transmission 2"),
            (State::Failed, "NO_F_PORT", 1, "dragoman:device_failed 2"),
            (State::Failed, "RESULT_CODE_1", 1, "dragoman:device_failed 2"),
            (State::Rejected, "BUSY", 1, "dragoman:device_rejected 9"),
            (State::Failed, "$UNDELIVERED", 1, "dragoman:failed 2"),
            (State::Failed, "$AWAY", 1, "pkg/networkserver:no_downlink_path 5"),
            (State::Failed, "$UNSUPPORTED", 1, "dragoman:unsupported 12"),
            (State::Failed, "$QUEUE_FULL", 0, "pkg/networkserver:downlink_queue_capacity 8"),
            (State::Failed, "$LIMIT", 0, "dragoman:limit 8"),
            (State::Failed, "$INVALID", 0, "dragoman:invalid 3"),
            (State::Failed, "$DUPLICATE", 0, "dragoman:invalid 3"),
            (State::Failed, "$UNKNOWN_DEVICE", 0, "pkg/applicationserver:device_not_found 5"),
            (State::Failed, "$DISABLED", 0, "dragoman:disabled 9"),
            (State::Failed, "$PLUGIN_TRAP", 1, "dragoman:failed 2"),
        ] {
            let error = of_end(state, Some(&reason(code, "why")), attempts);
            let told = format!("{}:{} {}", error.namespace, error.name, error.code.number());
            assert_eq!(told, expected, "{code}");
        }
        assert_eq!(of_end(State::Failed, None, 1).name, "device_failed");
        let mut why = reason("LORAWAN_TOO_LONG", "why");
        why.detail = Some(r#"{"length":60,"max":51}"#.to_owned());
        let text = of_end(State::Failed, Some(&why), 1).message();
        assert!(text.contains("length `60` exceeds maximum `51`"), "{text}");
    }
}
