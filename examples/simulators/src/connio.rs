//! Firmware of a device of Connio: signs in with its key, listens to its properties, and tells in a Data Feed what it
//! made of a value.
//!
//! The platform knows no answer to a write. This firmware publishes the property with the value that it now has, and the
//! property `result` with `ok`, `failed` or `rejected`: a feedback of its own, as the platform advises.

use crate::device::{Firmware, Login, Publish};
use crate::model::{Command, Model, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// One device.
#[derive(Clone, Debug)]
pub struct ConnioFirmware {
    /// Device id at the platform, `_dev_…`.
    pub device_id: String,
    /// Id of its key, `_key_…`.
    pub key_id: String,
    /// Secret of its key.
    pub secret: String,
    /// The name of the platform in its topics: `connio` or `csipio`.
    pub brand: String,
}

impl Firmware for ConnioFirmware {
    fn login(&self) -> Login {
        Login {
            client_id: self.device_id.clone(),
            username: self.key_id.clone(),
            password: self.secret.clone(),
            // What is written while it is away reaches only a session that the broker keeps.
            clean: false,
            keep_alive: Duration::from_secs(25),
        }
    }

    fn subscriptions(&self) -> Vec<String> {
        vec![format!("{}/data/in/devices/{}/properties/#", self.brand, self.device_id)]
    }

    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish> {
        let prefix = format!("{}/data/in/devices/{}/properties/", self.brand, self.device_id);
        let property = topic.strip_prefix(&prefix)?;
        let value: Value = serde_json::from_slice(payload).ok()?;
        let command = Command { action: "set".to_owned(), params: json!({ property: value }) };
        let points = match model.carry_out(&command)? {
            Verdict::Succeeded(_) => json!([{ "prop": property, "v": value }, { "prop": "result", "v": "ok" }]),
            Verdict::Failed { .. } => json!([{ "prop": "result", "v": "failed" }]),
            Verdict::Rejected { .. } => json!([{ "prop": "result", "v": "rejected" }]),
        };
        Some(Publish {
            topic: format!("{}/data/out/devices/{}/json", self.brand, self.device_id),
            payload: json!({ "dps": points }).to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Behaviour;

    #[test]
    fn a_value_is_told_back_with_what_became_of_it() {
        let firmware = ConnioFirmware {
            device_id: "_dev_1".to_owned(),
            key_id: "_key_1".to_owned(),
            secret: "secret".to_owned(),
            brand: "csipio".to_owned(),
        };
        let topic = "csipio/data/in/devices/_dev_1/properties/setpoint";
        for (behaviour, payload, expected) in [
            (Behaviour::Answer, "21.5", Some(r#"{"dps":[{"prop":"setpoint","v":21.5},{"prop":"result","v":"ok"}]}"#)),
            (Behaviour::Fail, "21.5", Some(r#"{"dps":[{"prop":"result","v":"failed"}]}"#)),
            (Behaviour::Refuse, "21.5", Some(r#"{"dps":[{"prop":"result","v":"rejected"}]}"#)),
            (Behaviour::Silent, "21.5", None),
            (Behaviour::Answer, "no json", None),
        ] {
            let answer = firmware.receive(&mut Model::new(behaviour), topic, payload.as_bytes());
            assert_eq!(answer.as_ref().map(|answer| answer.payload.as_str()), expected, "{behaviour:?} {payload}");
            assert!(answer.is_none_or(|answer| answer.topic == "csipio/data/out/devices/_dev_1/json"));
        }
        let other = "csipio/data/in/devices/_dev_2/properties/setpoint";
        assert_eq!(firmware.receive(&mut Model::new(Behaviour::Answer), other, b"1"), None);
    }
}
