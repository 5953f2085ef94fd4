//! A ChirpStack network server as far as its MQTT integration shows, made to be fast: all that it publishes is rendered
//! beforehand but for the ids of the items it sends.

use anyhow::Context;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const APPLICATION: &str = "ca739e26-7b67-4f14-b69e-d568c22a5a75";
/// What ChirpStack subscribes to where the broker shares subscriptions.
const COMMANDS: &str = "$share/chirpstack/application/+/device/+/command/+";
/// Before it connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Where a device's queue item id stands in its rendered receipt.
const ITEM: &str = "ITEM-ID";

/// The extended unique identifier of a device, as topics carry it.
pub fn eui(number: usize) -> String {
    format!("42000000{number:08x}")
}

/// The network server.
pub struct Network {
    client: AsyncClient,
    devices: Vec<Rendered>,
    heard: Arc<Mutex<Heard>>,
}

/// What one device's messages look like.
struct Rendered {
    up_topic: String,
    up: String,
    txack_topic: String,
    txack: String,
}

/// What the gateway asked for.
#[derive(Default)]
struct Heard {
    /// Items that wait in the network, by device.
    queued: HashMap<usize, VecDeque<Item>>,
    /// Payloads in the order of their first attempts, by device.
    first: HashMap<usize, Vec<u8>>,
    /// Pairs of device and payload that were sent by radio.
    sent: HashSet<(usize, u8)>,
    /// Commands that came, repetitions too.
    commands: usize,
    /// What no device of ours was named in, or could not be read.
    strange: Vec<String>,
}

struct Item {
    id: String,
    payload: u8,
}

impl Network {
    /// Connects with that user name and password, and stays connected: a broker that is gone is tried again.
    pub fn connect(port: u16, user: &str, password: &str, devices: usize) -> Self {
        let mut options = MqttOptions::new("chirpstack-server", "127.0.0.1", port);
        options.set_credentials(user, password);
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut events) = AsyncClient::new(options, 4_096);
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (subscriber, hearing) = (client.clone(), heard.clone());
        tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filter = Filter::new(COMMANDS, QoS::AtMostOnce);
                        if subscriber.try_subscribe(filter.path, filter.qos).is_err() {
                            return;
                        }
                    }
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        lock(&hearing).take(&String::from_utf8_lossy(&message.topic), &message.payload, devices);
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
        });
        Self { client, devices: (0..devices).map(Rendered::of).collect(), heard }
    }

    /// A device speaks, and is then sent the oldest item that waits for it. Tells whether there was one.
    pub async fn uplink(&self, number: usize) -> anyhow::Result<bool> {
        let device = self.devices.get(number).context("no such device")?;
        self.client.publish(device.up_topic.as_str(), QoS::AtMostOnce, false, device.up.clone()).await?;
        let item = lock(&self.heard).queued.get_mut(&number).and_then(VecDeque::pop_front);
        let Some(item) = item else { return Ok(false) };
        let receipt = device.txack.replace(ITEM, &item.id);
        self.client.publish(device.txack_topic.as_str(), QoS::AtMostOnce, false, receipt).await?;
        lock(&self.heard).sent.insert((number, item.payload));
        Ok(true)
    }

    /// How many different payloads were sent by radio.
    pub fn sent(&self) -> usize {
        lock(&self.heard).sent.len()
    }

    /// How many commands came, repetitions too.
    pub fn commands(&self) -> usize {
        lock(&self.heard).commands
    }

    /// Whether anything was sent to that device by radio.
    pub fn has_sent(&self, number: usize, payload: u8) -> bool {
        lock(&self.heard).sent.contains(&(number, payload))
    }

    /// Payloads of a device in the order of their first attempts.
    pub fn first_attempts(&self, number: usize) -> Vec<u8> {
        lock(&self.heard).first.get(&number).cloned().unwrap_or_default()
    }

    /// What could not be read, for the message of a failed test.
    pub fn strange(&self) -> Vec<String> {
        lock(&self.heard).strange.clone()
    }
}

impl Heard {
    fn take(&mut self, topic: &str, payload: &[u8], devices: usize) {
        self.commands += 1;
        let Some((number, item)) = read(topic, payload).filter(|(number, _)| *number < devices) else {
            self.strange.push(format!("{topic} {}", String::from_utf8_lossy(payload)));
            return;
        };
        let first = self.first.entry(number).or_default();
        if !first.contains(&item.payload) {
            first.push(item.payload);
        }
        self.queued.entry(number).or_default().push_back(item);
    }
}

impl Rendered {
    fn of(number: usize) -> Self {
        let eui = eui(number);
        let info = json!({
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "tenantName": "ChirpStack",
            "applicationId": APPLICATION, "applicationName": "lamps",
            "deviceProfileId": "605d08d4-65f5-4d2c-8a5a-3d2457662f79", "deviceProfileName": "lamp",
            "deviceName": format!("lamp-{number}"), "devEui": eui, "tags": {}, "deviceClassEnabled": "CLASS_A",
        });
        let up = json!({
            "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d", "time": "2026-11-21T13:02:34.981Z",
            "deviceInfo": info, "devAddr": "01da1f15", "adr": true, "dr": 5, "fCnt": 9, "fPort": 11,
            "confirmed": false, "data": "AQECMgMA1w==",
            "rxInfo": [{ "gatewayId": "0242020000247803", "uplinkId": 4217, "rssi": -35, "snr": 5.0 }],
            "txInfo": { "frequency": 868_500_000 },
        });
        let txack = json!({
            "downlinkId": 1234, "time": "2026-11-21T13:02:36Z", "deviceInfo": info, "queueItemId": ITEM,
            "fCntDown": 11, "gatewayId": "0242020000247803",
        });
        let topic = |event: &str| format!("application/{APPLICATION}/device/{eui}/event/{event}");
        Self { up_topic: topic("up"), up: up.to_string(), txack_topic: topic("txack"), txack: txack.to_string() }
    }
}

/// The device that a command is for, and the item; the payload is one byte.
fn read(topic: &str, payload: &[u8]) -> Option<(usize, Item)> {
    use base64::Engine as _;
    let command: Value = serde_json::from_slice(payload).ok()?;
    let named = topic.split('/').nth(3)?;
    let number = usize::from_str_radix(named.get(8..)?, 16).ok()?;
    let data = base64::engine::general_purpose::STANDARD.decode(command["data"].as_str()?).ok()?;
    let [payload] = data.as_slice() else { return None };
    Some((number, Item { id: command["id"].as_str()?.to_owned(), payload: *payload }))
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
