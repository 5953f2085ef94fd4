//! Firmware of a device of DeviceHive: signs in as a user, listens to the commands of its device id, and updates each with
//! a status and a result through `dh/request`.

use crate::device::{Firmware, Login, Publish};
use crate::model::{Command, Model, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// One device.
#[derive(Clone, Debug)]
pub struct DeviceHiveFirmware {
    /// Device id at the platform.
    pub device_id: String,
    /// Login of the user as whom it signs in.
    pub login: String,
    /// Password of that user.
    pub secret: String,
}

impl Firmware for DeviceHiveFirmware {
    fn login(&self) -> Login {
        Login {
            client_id: self.device_id.clone(),
            username: self.login.clone(),
            password: self.secret.clone(),
            clean: true,
            keep_alive: Duration::from_secs(60),
        }
    }

    fn subscriptions(&self) -> Vec<String> {
        let id = &self.device_id;
        vec![format!("dh/response/command/update@{id}"), format!("dh/command/+/+/{id}/#")]
    }

    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish> {
        topic.strip_prefix("dh/command/")?;
        let event: Value = serde_json::from_slice(payload).ok()?;
        let inserted = event.get("command")?;
        let command = Command {
            action: inserted.get("command")?.as_str()?.to_owned(),
            params: inserted.get("parameters").cloned().unwrap_or(Value::Null),
        };
        let (status, result) = match model.carry_out(&command)? {
            Verdict::Succeeded(result) => ("success", result),
            Verdict::Failed { code, text } => ("failed", json!({ "code": code, "text": text })),
            Verdict::Rejected { code, text } => ("rejected", json!({ "code": code, "text": text })),
        };
        let id = inserted.get("id")?;
        let update = json!({
            "action": "command/update",
            "requestId": id,
            "deviceId": self.device_id,
            "commandId": id,
            "command": { "status": status, "result": result },
        });
        Some(Publish { topic: "dh/request".to_owned(), payload: update.to_string() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Behaviour;

    #[test]
    fn a_command_is_updated_under_its_id() {
        let firmware = DeviceHiveFirmware {
            device_id: "lamp-1".to_owned(),
            login: "lamp".to_owned(),
            secret: "secret".to_owned(),
        };
        let event = br#"{"action":"command/insert","command":{"id":7,"command":"ON_OFF","deviceId":"lamp-1"},"subscriptionId":1}"#;
        for (behaviour, topic, expected) in [
            (Behaviour::Answer, "dh/command/1/1/lamp-1/ON_OFF", Some(("success", json!({ "result": "success" })))),
            (
                Behaviour::Fail,
                "dh/command/1/1/lamp-1/ON_OFF",
                Some(("failed", json!({ "code": "motor_blocked", "text": "The motor is blocked." }))),
            ),
            (
                Behaviour::Refuse,
                "dh/command/1/1/lamp-1/ON_OFF",
                Some(("rejected", json!({ "code": "not_now", "text": "The device refuses to do this now." }))),
            ),
            (Behaviour::Silent, "dh/command/1/1/lamp-1/ON_OFF", None),
            (Behaviour::Answer, "dh/response/command/update@lamp-1", None),
        ] {
            let answer = firmware.receive(&mut Model::new(behaviour), topic, event);
            let update = answer.map(|answer| serde_json::from_str::<Value>(&answer.payload).unwrap());
            let expected = expected.map(|(status, result)| {
                json!({
                    "action": "command/update", "requestId": 7, "deviceId": "lamp-1", "commandId": 7,
                    "command": { "status": status, "result": result },
                })
            });
            assert_eq!(update, expected, "{behaviour:?} {topic}");
        }
    }
}
