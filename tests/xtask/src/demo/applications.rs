//! The five application sides: each sets the level of a lamp in its own words and hears in its own words what became of
//! it.

use super::cast::{FLEETS_KEY, HUAWEI_TOKEN};
use super::exchange::{basic, expect, fleets_end};
use super::http::{self, Request};
use super::lamps::{CONNIO_KEY, DEVICEHIVE_USER, Lamp, TTS_KEY};
use super::mqtt::Client;
use super::stage::Addresses;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

const DEVICEHIVE_CLIENT: &str = "demo-application";

/// What went out and what came back, a line each.
pub(crate) struct Exchange {
    pub(crate) sent: String,
    pub(crate) heard: String,
}

/// The applications, connected where they keep a connection.
pub(crate) struct Applications {
    addresses: Addresses,
    tts: Client,
    hive: Client,
}

/// One application side.
type Set = fn(&mut Applications, &Lamp, u32) -> anyhow::Result<Exchange>;

/// Every application side, by the name of its platform.
pub(crate) const ALL: [(&str, Set); 5] = [
    ("Huawei IoTDA", Applications::huawei),
    ("EMQX Fleets", Applications::fleets),
    ("The Things Stack", Applications::the_things_stack),
    ("DeviceHive", Applications::devicehive),
    ("Connio", Applications::connio),
];

impl Applications {
    /// Connects those that hear by MQTT.
    pub(crate) fn connect(addresses: &Addresses) -> anyhow::Result<Self> {
        let answer = format!("dh/response/command/insert@{DEVICEHIVE_CLIENT}");
        let hears = [answer.as_str(), "dh/command_update/#"];
        Ok(Self {
            addresses: addresses.clone(),
            tts: Client::connect(&addresses.mqtt, "demo-tts", TTS_KEY, &["#"])?,
            hive: Client::connect(&addresses.mqtt, DEVICEHIVE_CLIENT, DEVICEHIVE_USER, &hears)?,
        })
    }

    fn huawei(&mut self, lamp: &Lamp, level: u32) -> anyhow::Result<Exchange> {
        let path = format!("/v5/iot/demo/devices/{}/properties", lamp.id);
        let body = json!({ "services": [{ "service_id": "Lamp", "properties": { "level": level } }] });
        let request = Request::new("PUT", path.clone()).header("x-auth-token", HUAWEI_TOKEN.1).body(&body);
        let answer = http::send(&self.addresses.http, &request)?;
        ensure!(answer.status == 200, "IoTDA answers with 200, not {}: {}", answer.status, answer.body);
        expect(&answer.body, "/response/result_code", &json!(0))?;
        Ok(Exchange { sent: format!("PUT {path} {body}"), heard: format!("200 {}", answer.body) })
    }

    fn fleets(&mut self, lamp: &Lamp, level: u32) -> anyhow::Result<Exchange> {
        let body = json!({ "thingId": lamp.id, "action": "set", "params": { "level": level }, "ttl": 30 });
        let key = basic(FLEETS_KEY);
        let request = Request::new("POST", "/api/v1/commands").header("authorization", &key).body(&body);
        let accepted = http::send(&self.addresses.http, &request)?;
        ensure!(accepted.status == 201, "Fleets answers with 201, not {}: {}", accepted.status, accepted.body);
        let id = accepted.body["executionId"].as_str().context("the answer names no executionId")?;
        let (_, ended) = fleets_end(&self.addresses, id)?;
        expect(&ended.body, "/status", &json!("SUCCEEDED"))?;
        let shown = json!({ "status": ended.body["status"], "result": ended.body["result"] });
        Ok(Exchange { sent: format!("POST /api/v1/commands {body}"), heard: format!("201, then {shown}") })
    }

    fn the_things_stack(&mut self, lamp: &Lamp, level: u32) -> anyhow::Result<Exchange> {
        let (application, id) = (TTS_KEY.0, format!("demo:{}:{level}", lamp.id));
        let topic = format!("v3/{application}/devices/{}/down", lamp.id);
        let object = json!({ "level": level });
        let body = json!({ "downlinks": [
            { "decoded_payload": object, "confirmed": true, "correlation_ids": [id] },
        ]});
        self.tts.publish(&format!("{topic}/push"), &body)?;
        let mut kinds = Vec::new();
        while !matches!(kinds.last().map(String::as_str), Some("ack" | "failed")) {
            let (kind, told) = self.tts.hear(|at, told| {
                let kind = at.strip_prefix(&topic)?.strip_prefix('/').filter(|kind| *kind != "push")?;
                let ids = told["correlation_ids"].as_array()?;
                ids.iter().any(|one| *one == id).then(|| (kind.to_owned(), told.clone()))
            })?;
            ensure!(kind != "failed", "the downlink failed: {told}");
            kinds.push(kind);
        }
        ensure!(kinds == ["queued", "sent", "ack"], "another story of a downlink: {kinds:?}");
        let heard = kinds.iter().map(|kind| format!("down/{kind}")).collect::<Vec<_>>().join(", ");
        Ok(Exchange { sent: format!("publish {topic}/push {body}"), heard })
    }

    fn devicehive(&mut self, lamp: &Lamp, level: u32) -> anyhow::Result<Exchange> {
        let command = json!({ "command": "set", "parameters": { "level": level }, "lifetime": 30 });
        let body = json!({ "action": "command/insert", "requestId": level, "deviceId": lamp.id, "command": command });
        self.hive.publish("dh/request", &body)?;
        let answer = self
            .hive
            .hear(|at, told| (at.starts_with("dh/response/") && told["requestId"] == level).then(|| told.clone()))?;
        expect(&answer, "/status", &json!("success"))?;
        let id = &answer["command"]["id"];
        let (topic, update) = self.hive.hear(|at, told| {
            let is_update = at.starts_with("dh/command_update/") && told["command"]["id"] == *id;
            let is_end = told["command"]["status"] != "in progress";
            (is_update && is_end).then(|| (at.to_owned(), told["command"].clone()))
        })?;
        expect(&update, "/status", &json!("success"))?;
        let shown = json!({ "id": update["id"], "status": update["status"], "result": update["result"] });
        Ok(Exchange { sent: format!("publish dh/request {body}"), heard: format!("{topic} {shown}") })
    }

    fn connio(&mut self, lamp: &Lamp, level: u32) -> anyhow::Result<Exchange> {
        let path = format!("/v3/data/devices/{}/properties/level", lamp.connio_id);
        let body: Value = json!({ "dps": [{ "v": level }] });
        let request = Request::new("POST", path.clone()).header("authorization", &basic(CONNIO_KEY)).body(&body);
        let answer = http::send(&self.addresses.http, &request)?;
        ensure!(answer.status == 200, "Connio answers with 200, not {}: {}", answer.status, answer.body);
        expect(&answer.body, "/accepted", &json!(1))?;
        Ok(Exchange { sent: format!("POST {path} {body}"), heard: format!("200 {}", answer.body) })
    }
}
