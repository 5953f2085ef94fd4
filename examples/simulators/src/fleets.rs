//! Firmware of a thing of EMQX Fleets: subscribes to its command requests and answers on the response topic.
//!
//! Topics and payloads are those of the platform's page "Send Commands".

use crate::device::{Firmware, Login, Publish};
use crate::model::{Command, Model, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// One thing.
#[derive(Clone, Debug)]
pub struct FleetsFirmware {
    /// Name of the thing, third level of its topics.
    pub thing: String,
    /// MQTT client id under which the thing is registered.
    pub client_id: String,
    /// Password of the thing.
    pub secret: String,
}

impl Firmware for FleetsFirmware {
    fn login(&self) -> Login {
        Login {
            client_id: self.client_id.clone(),
            username: self.thing.clone(),
            password: self.secret.clone(),
            // A persistent session, as the platform recommends to its devices.
            clean: false,
            keep_alive: Duration::from_secs(60),
        }
    }

    fn subscriptions(&self) -> Vec<String> {
        vec![format!("$emqx/commands/things/{}/executions/+/request", self.thing)]
    }

    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish> {
        let execution = topic.strip_suffix("/request")?;
        let request: Value = serde_json::from_slice(payload).ok()?;
        let command = Command {
            action: request.get("action")?.as_str()?.to_owned(),
            params: request.get("params").cloned().unwrap_or(Value::Null),
        };
        let answer = match model.carry_out(&command)? {
            Verdict::Succeeded(result) => json!({ "status": "SUCCEEDED", "result": result }),
            Verdict::Failed { code, text } => refusal("FAILED", code, text),
            Verdict::Rejected { code, text } => refusal("REJECTED", code, text),
        };
        Some(Publish { topic: format!("{execution}/response"), payload: answer.to_string() })
    }
}

fn refusal(status: &str, code: &str, text: &str) -> Value {
    json!({ "status": status, "statusReason": { "reasonCode": code, "reasonDescription": text } })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Behaviour;

    const REQUEST: &str = "$emqx/commands/things/thermostat-001/executions/e1/request";

    fn receive(behaviour: Behaviour, topic: &str, payload: &str) -> Option<Publish> {
        let firmware = FleetsFirmware {
            thing: "thermostat-001".to_owned(),
            client_id: "thermostat-001".to_owned(),
            secret: "secret".to_owned(),
        };
        firmware.receive(&mut Model::new(behaviour), topic, payload.as_bytes())
    }

    #[test]
    fn the_flow_of_the_platforms_page() {
        let request =
            r#"{"commandId":"c","action":"setTemperature","params":{"value":24},"timestamp":1748390400,"ttl":30}"#;
        let answer = receive(Behaviour::Answer, REQUEST, request).unwrap();
        assert_eq!(answer.topic, "$emqx/commands/things/thermostat-001/executions/e1/response");
        let payload: Value = serde_json::from_str(&answer.payload).unwrap();
        assert_eq!(payload, json!({ "status": "SUCCEEDED", "result": { "currentTemperature": 24 } }));
    }

    #[test]
    fn what_is_no_command_is_not_answered() {
        for (topic, payload) in [
            ("$emqx/commands/things/thermostat-001/executions/e1/response", "{}"),
            (REQUEST, "not json"),
            (REQUEST, "{}"),
        ] {
            assert_eq!(receive(Behaviour::Answer, topic, payload), None, "{topic} {payload}");
        }
    }
}
