//! A ChirpStack v4 network server with one LoRaWAN lamp, as its MQTT integration with JSON shows it. No I/O: commands and
//! uplinks come in, events come out.
//!
//! Shapes are those of `integration.proto` in JSON with default values (sheet the-things-stack, section 8). A lamp of
//! class A hears something only after it has spoken: an item waits for its next uplink, and the acknowledgement of a
//! confirmed one for the uplink after that. A lamp of class C hears and acknowledges at once.

use crate::device::Publish;
use crate::huawei::civil_date;
use crate::lamp;
use crate::model::{Behaviour, Command, Model, Verdict};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

/// The radio gateway that hears the lamp.
const RADIO_GATEWAY: &str = "0242020000247803";
/// Bytes that fit into a frame at the lamp's data rate.
const FRAME_BYTES_MAX: usize = 222;
/// Characters of a date with seconds, to which times are compared.
const SECONDS: usize = "2026-11-21T13:02:34".len();

/// When a device listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// After it has spoken.
    A,
    /// Always.
    C,
}

/// An item of the device's queue.
#[derive(Clone, Debug)]
struct Item {
    id: String,
    confirmed: bool,
    port: u64,
    bytes: Vec<u8>,
    expires_at: Option<String>,
}

/// The network server and its lamp. What a lamp cannot say is said by the network: `refuse` is an item that is too long
/// for a frame, `fail` one that is not acknowledged, `silent` and `withhold` a lamp that does not speak.
#[derive(Debug)]
pub struct NetworkServer {
    application: String,
    eui: String,
    class: Class,
    model: Model,
    queue: VecDeque<Item>,
    /// A confirmed item that was sent, its frame counter, and whether the lamp heard it.
    unconfirmed: Option<(Item, u64, bool)>,
    joined: bool,
    uplinks: u64,
    downlinks: u64,
}

impl NetworkServer {
    /// A network that has just been set up; the lamp joins with its first uplink.
    pub fn new(application: &str, eui: &str, class: Class, behaviour: Behaviour) -> Self {
        Self {
            application: application.to_owned(),
            eui: eui.to_owned(),
            class,
            model: Model::new(behaviour),
            queue: VecDeque::new(),
            unconfirmed: None,
            joined: false,
            uplinks: 0,
            downlinks: 0,
        }
    }

    /// What the lamp remembers, and how it behaves.
    pub fn model(&mut self) -> &mut Model {
        &mut self.model
    }

    /// A message on the command topic. What ChirpStack cannot read, or is for no device of its own, it only logs.
    pub fn command(&mut self, topic: &str, payload: &[u8], now: SystemTime) -> Vec<Publish> {
        if topic != format!("application/{}/device/{}/command/down", self.application, self.eui) {
            return Vec::new();
        }
        let Some(item) = serde_json::from_slice(payload).ok().and_then(|command| self.item(&command)) else {
            return Vec::new();
        };
        self.queue.push_back(item);
        match self.class {
            Class::A => Vec::new(),
            Class::C => {
                let mut events = self.opportunity(now);
                events.extend(self.acknowledgement(now));
                events
            }
        }
    }

    /// The lamp speaks, unless it is silent: first what it acknowledges, then its report, then it listens.
    pub fn uplink(&mut self, now: SystemTime) -> Vec<Publish> {
        if matches!(self.model.behaviour(), Behaviour::Silent | Behaviour::Withhold) {
            return Vec::new();
        }
        let mut events = Vec::new();
        if !self.joined {
            self.joined = true;
            let mut join = self.event_of_frame(now);
            join["regionConfigId"] = json!("eu868");
            events.push(self.event("join", &join));
        }
        events.extend(self.acknowledgement(now));
        events.push(self.report(now));
        events.extend(self.opportunity(now));
        events
    }

    fn item(&self, command: &Value) -> Option<Item> {
        let text = |name: &str| command.get(name).and_then(Value::as_str);
        if text("devEui") != Some(&self.eui) {
            return None;
        }
        Some(Item {
            id: text("id").map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned),
            confirmed: command.get("confirmed").and_then(Value::as_bool).unwrap_or_default(),
            port: command.get("fPort").and_then(Value::as_u64).filter(|port| *port > 0)?,
            bytes: STANDARD.decode(text("data")?).ok()?,
            expires_at: text("expiresAt").map(str::to_owned),
        })
    }

    /// The lamp listens: the first item that may still be sent goes out.
    fn opportunity(&mut self, now: SystemTime) -> Vec<Publish> {
        let mut events = Vec::new();
        if self.unconfirmed.is_some() {
            return events;
        }
        while let Some(item) = self.queue.pop_front() {
            let is_over = |at: &String| at.get(..SECONDS) < timestamp(now).get(..SECONDS);
            if item.expires_at.as_ref().is_some_and(is_over) {
                events.push(self.discarded(
                    &item,
                    "EXPIRED",
                    "Device queue-item discarded because it has expired",
                    now,
                ));
                continue;
            }
            if self.model.behaviour() == Behaviour::Refuse || item.bytes.len() > FRAME_BYTES_MAX {
                let why = "Device queue-item discarded because it exceeds the max. payload size";
                events.push(self.discarded(&item, "DOWNLINK_PAYLOAD_SIZE", why, now));
                continue;
            }
            self.downlinks += 1;
            events.push(self.event(
                "txack",
                &json!({
                    "downlinkId": self.downlinks,
                    "time": timestamp(now),
                    "deviceInfo": self.device_info(),
                    "queueItemId": item.id,
                    "fCntDown": self.downlinks,
                    "gatewayId": RADIO_GATEWAY,
                    "txInfo": { "frequency": 869_525_000, "power": 14, "modulation": modulation() },
                }),
            ));
            let heard = self.hear(&item);
            if item.confirmed {
                self.unconfirmed = Some((item, self.downlinks, heard));
            }
            break;
        }
        events
    }

    /// The bytes reach the lamp, or are lost in the air. Bytes that mean nothing to it are heard all the same.
    fn hear(&mut self, item: &Item) -> bool {
        let values = lamp::decode(&item.bytes).filter(|_| item.port == lamp::COMMAND_PORT);
        let Some(values) = values else { return true };
        let command = Command { action: "set".to_owned(), params: Value::Object(values) };
        matches!(self.model.carry_out(&command), Some(Verdict::Succeeded(_)))
    }

    fn acknowledgement(&mut self, now: SystemTime) -> Option<Publish> {
        let (item, f_cnt_down, heard) = self.unconfirmed.take()?;
        let ack = json!({
            "deduplicationId": uuid::Uuid::new_v4().to_string(),
            "time": timestamp(now),
            "deviceInfo": self.device_info(),
            "queueItemId": item.id,
            "acknowledged": heard,
            "fCntDown": f_cnt_down,
        });
        Some(self.event("ack", &ack))
    }

    fn report(&mut self, now: SystemTime) -> Publish {
        self.uplinks += 1;
        let mut up = self.event_of_frame(now);
        for (name, value) in [
            ("adr", json!(true)),
            ("dr", json!(5)),
            ("fCnt", json!(self.uplinks)),
            ("fPort", json!(lamp::REPORT_PORT)),
            ("confirmed", json!(false)),
            ("data", json!(STANDARD.encode(lamp::report(self.model.values())))),
            ("rxInfo", json!([{ "gatewayId": RADIO_GATEWAY, "uplinkId": 4217, "rssi": -35, "snr": 5.0 }])),
            ("txInfo", json!({ "frequency": 868_500_000, "modulation": modulation() })),
            ("regionConfigId", json!("eu868")),
        ] {
            up[name] = value;
        }
        self.event("up", &up)
    }

    fn discarded(&self, item: &Item, code: &str, description: &str, now: SystemTime) -> Publish {
        let mut context = json!({ "queue_item_id": item.id });
        if code == "DOWNLINK_PAYLOAD_SIZE" {
            context["item_size"] = json!(item.bytes.len().to_string());
            context["max_payload_size"] = json!(item.bytes.len().saturating_sub(1).to_string());
        }
        let log = json!({
            "time": timestamp(now),
            "deviceInfo": self.device_info(),
            "level": "ERROR",
            "code": code,
            "description": description,
            "context": context,
        });
        self.event("log", &log)
    }

    fn event_of_frame(&self, now: SystemTime) -> Value {
        json!({
            "deduplicationId": uuid::Uuid::new_v4().to_string(),
            "time": timestamp(now),
            "deviceInfo": self.device_info(),
            "devAddr": "01da1f15",
        })
    }

    fn event(&self, kind: &str, body: &Value) -> Publish {
        let topic = format!("application/{}/device/{}/event/{kind}", self.application, self.eui);
        Publish { topic, payload: body.to_string() }
    }

    fn device_info(&self) -> Value {
        json!({
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "tenantName": "ChirpStack",
            "applicationId": self.application,
            "applicationName": "lamps",
            "deviceProfileId": "605d08d4-65f5-4d2c-8a5a-3d2457662f79",
            "deviceProfileName": "lamp",
            "deviceName": "lamp",
            "devEui": self.eui,
            "deviceClassEnabled": match self.class {
                Class::A => "CLASS_A",
                Class::C => "CLASS_C",
            },
            "tags": {},
        })
    }
}

fn modulation() -> Value {
    json!({ "lora": { "bandwidth": 125_000, "spreadingFactor": 7, "codeRate": "CR_4_5" } })
}

/// RFC 3339 in UTC with milliseconds.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    const DOWN: &str = "application/app/device/4200000000000000/command/down";

    fn network(class: Class, behaviour: Behaviour) -> NetworkServer {
        let mut network = NetworkServer::new("app", "4200000000000000", class, behaviour);
        network.joined = true;
        network
    }

    fn command(id: &str, expires_at: &str) -> Vec<u8> {
        format!(
            r#"{{"id":"{id}","devEui":"4200000000000000","confirmed":true,"fPort":10,"data":"AjI=","expiresAt":"{expires_at}"}}"#
        )
        .into_bytes()
    }

    /// Kind of each event, the item it is about, and what it says.
    fn told(events: &[Publish]) -> Vec<String> {
        let one = |event: &Publish| {
            let body: Value = serde_json::from_str(&event.payload).unwrap();
            let kind = event.topic.rsplit('/').next().unwrap();
            let item = body.get("queueItemId").or_else(|| body.pointer("/context/queue_item_id"));
            let said = body.get("acknowledged").or_else(|| body.get("code"));
            let words = [item, said].map(|word| word.map(Value::to_string).unwrap_or_default());
            format!("{kind} {}", words.join(" ").replace('"', "")).trim().to_owned()
        };
        events.iter().map(one).collect()
    }

    #[test]
    fn a_lamp_of_class_a_hears_after_its_uplink_and_acknowledges_with_the_next() {
        let now = UNIX_EPOCH + Duration::from_secs(1_744_592_400);
        for (behaviour, first, second, level) in [
            (Behaviour::Answer, vec!["up", "txack 1"], vec!["ack 1 true", "up", "txack 2"], Some(50)),
            (Behaviour::Fail, vec!["up", "txack 1"], vec!["ack 1 false", "up", "txack 2"], None),
            (
                Behaviour::Refuse,
                vec!["up", "log 1 DOWNLINK_PAYLOAD_SIZE", "log 2 DOWNLINK_PAYLOAD_SIZE"],
                vec!["up"],
                None,
            ),
            (Behaviour::Silent, vec![], vec![], None),
        ] {
            let mut network = network(Class::A, behaviour);
            for id in ["1", "2"] {
                assert!(network.command(DOWN, &command(id, "2099-01-01T00:00:00Z"), now).is_empty());
            }
            assert_eq!(told(&network.uplink(now)), first, "{behaviour:?}");
            assert_eq!(told(&network.uplink(now)), second, "{behaviour:?}");
            assert_eq!(network.model().values().get("level").and_then(Value::as_u64), level, "{behaviour:?}");
        }
    }

    #[test]
    fn a_lamp_of_class_c_hears_and_acknowledges_at_once() {
        let mut network = network(Class::C, Behaviour::Answer);
        let events = network.command(DOWN, &command("1", "2099-01-01T00:00:00Z"), UNIX_EPOCH);
        assert_eq!(told(&events), ["txack 1", "ack 1 true"]);
    }

    #[test]
    fn what_waited_too_long_is_discarded_when_the_lamp_speaks_again() {
        let mut network = network(Class::A, Behaviour::Silent);
        network.command(DOWN, &command("1", "1970-01-01T00:00:05.000Z"), UNIX_EPOCH);
        network.model().behave(Behaviour::Answer);
        let events = network.uplink(UNIX_EPOCH + Duration::from_secs(6));
        assert_eq!(told(&events), ["up", "log 1 EXPIRED"]);
    }

    #[test]
    fn what_is_for_nobody_here_is_not_answered() {
        let mut network = network(Class::C, Behaviour::Answer);
        let other = "application/app/device/4200000000000001/command/down";
        for (topic, payload) in [(other, &command("1", "2099-01-01T00:00:00Z")[..]), (DOWN, b"no json"), (DOWN, b"{}")]
        {
            assert_eq!(network.command(topic, payload, UNIX_EPOCH), [], "{topic}");
        }
    }
}
