//! Firmware of a device of Huawei IoTDA: signs in with an HMAC, never subscribes, answers on the response topic.
//!
//! Like the platform's own device SDKs it relies on the implicit subscription to its system topics, unless it is told that
//! its broker is another's. Commands for sub-devices reach a gateway on the gateway's own topics and are answered there.

use crate::device::{Firmware, Login, Publish};
use crate::model::{Command, Model, Verdict};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One directly connected device, or a gateway.
#[derive(Clone, Debug)]
pub struct HuaweiFirmware {
    /// Device id at the platform.
    pub device_id: String,
    /// Secret from which the password is derived.
    pub secret: String,
    /// At a broker that knows nothing of the platform it subscribes to its topics itself, and keeps one password: that of
    /// [`FIXED_HOUR`], with a client id that asks nobody to check the time stamp.
    pub own_subscriptions: bool,
}

/// The time stamp of a device whose password does not change.
pub const FIXED_HOUR: &str = "2026010100";

impl Firmware for HuaweiFirmware {
    fn login(&self) -> Login {
        let now = utc_hour(SystemTime::now());
        let (checked, hour) = if self.own_subscriptions { (0, FIXED_HOUR) } else { (1, now.as_str()) };
        Login {
            // "0": a directly connected device; then "1" where the platform is to check the time stamp.
            client_id: format!("{}_0_{checked}_{hour}", self.device_id),
            username: self.device_id.clone(),
            password: password(&self.secret, hour),
            clean: true,
            keep_alive: Duration::from_secs(120),
        }
    }

    fn subscriptions(&self) -> Vec<String> {
        if !self.own_subscriptions {
            return Vec::new();
        }
        let asked = ["commands/+", "properties/set/+", "properties/get/+", "messages/down"];
        asked.map(|asked| format!("$oc/devices/{}/sys/{asked}", self.device_id)).to_vec()
    }

    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish> {
        let prefix = format!("$oc/devices/{}/sys/", self.device_id);
        let request: Value = serde_json::from_slice(payload).ok()?;
        let asked = topic.strip_prefix(&prefix)?;
        let answer = |kind: &str, request_id: &str, payload: &Value| {
            Some(Publish { topic: format!("{prefix}{kind}/response/{request_id}"), payload: payload.to_string() })
        };
        if let Some(id) = asked.strip_prefix("commands/") {
            let command = Command {
                action: request.get("command_name")?.as_str()?.to_owned(),
                params: request.get("paras").cloned().unwrap_or(Value::Null),
            };
            return answer("commands", id, &command_response(model.carry_out(&command)?));
        }
        if let Some(id) = asked.strip_prefix("properties/set/") {
            let services = request.get("services")?.as_array()?.iter();
            let properties = services.filter_map(|service| service.get("properties")?.as_object()).flatten();
            let params = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
            let command = Command { action: "setProperties".to_owned(), params: Value::Object(params) };
            return answer("properties/set", id, &set_response(&model.carry_out(&command)?));
        }
        let id = asked.strip_prefix("properties/get/")?;
        let service = request.get("service_id").cloned().unwrap_or(Value::Null);
        let services = json!([{ "service_id": service, "properties": { "value": 57 }, "event_time": null }]);
        answer("properties/get", id, &json!({ "services": services }))
    }
}

fn command_response(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Succeeded(result) => response(0, &result),
        Verdict::Failed { code, text } => response(1, &json!({ "code": code, "text": text })),
        Verdict::Rejected { code, text } => response(2, &json!({ "code": code, "text": text })),
    }
}

fn set_response(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Succeeded(_) => json!({ "result_code": 0, "result_desc": "success" }),
        Verdict::Failed { text, .. } => json!({ "result_code": 1, "result_desc": text }),
        Verdict::Rejected { text, .. } => json!({ "result_code": 2, "result_desc": text }),
    }
}

fn response(result_code: u8, paras: &Value) -> Value {
    json!({ "result_code": result_code, "response_name": "COMMAND_RESPONSE", "paras": paras })
}

/// Lower-case hex of HMAC-SHA-256 with the time stamp as key and the secret as message.
pub fn password(secret: &str, timestamp: &str) -> String {
    // HMAC takes a key of any length; the error type exists for other constructions.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(timestamp.as_bytes()) else { return String::new() };
    mac.update(secret.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hour in UTC as `YYYYMMDDHH`.
pub fn utc_hour(now: SystemTime) -> String {
    let hours = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 3_600);
    let (year, month, day) = civil_date(hours / 24);
    format!("{year:04}{month:02}{day:02}{:02}", hours % 24)
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = shifted / 146_097 * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Behaviour;

    #[test]
    fn the_platforms_password_test_vector() {
        assert_eq!(
            password("12345678", "2025041401"),
            "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"
        );
    }

    #[test]
    fn hours_by_table() {
        for (seconds, expected) in [
            (0, "1970010100"),
            (951_782_400, "2000022900"),
            (951_868_800, "2000030100"),
            (1_735_689_599, "2024123123"),
            (1_744_592_400, "2025041401"),
        ] {
            assert_eq!(utc_hour(UNIX_EPOCH + Duration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_command_is_answered_under_its_request_id() {
        let firmware =
            HuaweiFirmware { device_id: "meter_1".to_owned(), secret: "12345678".to_owned(), own_subscriptions: false };
        let request =
            br#"{"object_device_id":"meter_1","service_id":"W","command_name":"ON_OFF","paras":{"value":"ON"}}"#;
        let topic = "$oc/devices/meter_1/sys/commands/request_id=r1";
        let answer = firmware.receive(&mut Model::new(Behaviour::Answer), topic, request).unwrap();
        assert_eq!(answer.topic, "$oc/devices/meter_1/sys/commands/response/request_id=r1");
        let payload: Value = serde_json::from_str(&answer.payload).unwrap();
        assert_eq!(
            payload,
            json!({ "result_code": 0, "response_name": "COMMAND_RESPONSE", "paras": { "result": "success" } })
        );
        let refused = firmware.receive(&mut Model::new(Behaviour::Refuse), topic, request).unwrap();
        let payload: Value = serde_json::from_str(&refused.payload).unwrap();
        assert_eq!(payload["result_code"], 2);
    }

    #[test]
    fn properties_are_set_and_told() {
        let firmware =
            HuaweiFirmware { device_id: "meter_1".to_owned(), secret: "12345678".to_owned(), own_subscriptions: false };
        let sys = "$oc/devices/meter_1/sys/properties";
        for (kind, behaviour, request, expected) in [
            (
                "set",
                Behaviour::Answer,
                r#"{"object_device_id":"meter_1","services":[{"service_id":"T","properties":{"v":1}}]}"#,
                json!({ "result_code": 0, "result_desc": "success" }),
            ),
            (
                "set",
                Behaviour::Fail,
                r#"{"object_device_id":"meter_1","services":[]}"#,
                json!({ "result_code": 1, "result_desc": "The motor is blocked." }),
            ),
            (
                "get",
                Behaviour::Answer,
                r#"{"object_device_id":"meter_1","service_id":"T"}"#,
                json!({ "services": [{ "service_id": "T", "properties": { "value": 57 }, "event_time": null }] }),
            ),
        ] {
            let topic = format!("{sys}/{kind}/request_id=r1");
            let answer = firmware.receive(&mut Model::new(behaviour), &topic, request.as_bytes()).unwrap();
            assert_eq!(answer.topic, format!("{sys}/{kind}/response/request_id=r1"));
            assert_eq!(serde_json::from_str::<Value>(&answer.payload).unwrap(), expected, "{kind} {behaviour:?}");
        }
        let down = "$oc/devices/meter_1/sys/messages/down";
        assert_eq!(firmware.receive(&mut Model::new(Behaviour::Answer), down, b"{}"), None);
    }
}
