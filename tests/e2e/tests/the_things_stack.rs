//! The Things Stack over a real broker: the lines of the platform's own page with Mosquitto's clients, and a device's
//! queue as it is listed, replaced and cleared. The network server is played by hand, so that a test says when the lamp
//! speaks.

use anyhow::{Context, ensure};
use dragoman_e2e::mosquitto::{self, Listening};
use dragoman_e2e::mqtt::{MqttClient, Subscriber};
use dragoman_e2e::tokens::{TTS_APPLICATION, TTS_KEY};
use dragoman_e2e::{Tts, World, devices};
use serde_json::{Value, json};

/// As the page has them; only the port is added.
const PAGE_SUBSCRIBES: &str = "mosquitto_sub -h localhost -t '#' -u app1 -P 'NNSXS.VEEBURF3KR77ZR..' -d";
const PAGE_PUBLISHES: &str = "mosquitto_pub -h localhost -t 'v3/app1/devices/dev1/down/push' -u app1 \
     -P 'NNSXS.VEEBURF3KR77ZR..' -m '{\"downlinks\":[{\"f_port\": 15,\"frm_payload\":\"vu8=\",\"priority\": \"NORMAL\"}]}' -d";
/// The key of these lines.
const PAGE_KEY: &str = "NNSXS.VEEBURF3KR77ZR..";

const EUI: &str = "4200000000000000";
const SERVER: &str = "ns-1";
/// ChirpStack's application of the device.
const APPLICATION: &str = "ca739e26-7b67-4f14-b69e-d568c22a5a75";

/// Joining, a downlink and its receipt, as an application of the page hears of them with `mosquitto_sub`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_of_the_page_work_as_they_stand_there() -> anyhow::Result<()> {
    let world = World::start().await?;
    let rights = json!({ "rights": ["RIGHT_APPLICATION_TRAFFIC_READ", "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"] });
    world.admin.add_token("the-things-stack", "app1/mqtt-client", PAGE_KEY, &rights).await?;
    let mut network = Network::connect(&world).await?;
    let mut listening = Listening::start(&world.daemon, PAGE_SUBSCRIBES).await?;

    network.tell("join", json!({ "devAddr": "01da1f15", "joinServerContext": { "sessionKeyId": "0168" } })).await?;
    let joined = listening.message().await?;
    assert_eq!((joined.topic.as_str(), joined.qos.as_str()), ("v3/app1/devices/dev1/join", "q0"));
    let joined = Told::read(&joined.payload)?;
    assert_eq!(joined.body, json!({ "end_device_ids": heard_ids(), "join_accept": { "session_key_id": "AWg=" } }));
    assert_eq!(joined.own_ids("as:up:"), 1, "{joined:?}");

    let printed = mosquitto::publish(&world.daemon, PAGE_PUBLISHES).await?;
    assert!(printed.contains("sending PUBLISH (d0, q0, r0, m1, 'v3/app1/devices/dev1/down/push'"), "{printed}");
    let queued = listening.message().await?;
    assert_eq!(queued.topic, "v3/app1/devices/dev1/down/queued");
    let queued = Told::read(&queued.payload)?;
    let item = json!({ "f_port": 15, "frm_payload": "vu8=", "priority": "NORMAL" });
    let mut stored_ids = heard_ids();
    // What the platform itself says about an item carries the ids that it stores, not those of the session.
    stored_ids.as_object_mut().context("ids are an object")?.remove("dev_addr");
    assert_eq!(queued.body, json!({ "end_device_ids": stored_ids, "downlink_queued": item }));
    assert_eq!((queued.own_ids("as:downlink:"), queued.own_ids("as:up:")), (1, 1), "{queued:?}");

    let sent = network.item().await?;
    assert_eq!(sent.body, json!({ "devEui": EUI, "confirmed": false, "fPort": 15, "data": "vu8=" }));
    network.tell("txack", json!({ "queueItemId": sent.id, "fCntDown": 11, "gatewayId": "0242020000247803" })).await?;
    // What was published is not told back to who may read everything: the next message is the receipt.
    let told = listening.message().await?;
    assert_eq!(told.topic, "v3/app1/devices/dev1/down/sent");
    let mut item = item;
    (item["session_key_id"], item["f_cnt"]) = (json!("AWg="), json!(11));
    assert_eq!(Told::read(&told.payload)?.body, json!({ "end_device_ids": heard_ids(), "downlink_sent": item }));
    Ok(())
}

/// What waits is replaced, in order, and without a word to anybody; what the network has stays its own. The queue is
/// listed over HTTP with both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_listed_replaced_and_cleared() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut network = Network::connect(&world).await?;
    let mut app = Tts::connect(&world.daemon, TTS_APPLICATION, TTS_KEY).await?;
    assert_eq!(app.queue("dev1").await?.expect(200)?, json!({}));

    app.push("dev1", &json!([confirmed("a"), item("b"), item("c")])).await?;
    for id in ["a", "b", "c"] {
        app.hear("queued", id).await?;
    }
    let ahead = network.item().await?;
    assert_eq!(ahead.body, json!({ "devEui": EUI, "confirmed": true, "fPort": 15, "data": payload("a") }));
    // The list says which attempt it is.
    let mut first = confirmed("a");
    first["confirmed_retry"] = json!({ "attempt": 1 });
    assert_eq!(listed(&app).await?, [first.clone(), item("b"), item("c")]);

    app.replace("dev1", &json!([item("d"), item("e")])).await?;
    // "b" and "c" vanish with no event: the next that is told is "d".
    let next = app.next().await?;
    assert_eq!((next.0.as_str(), own(&next.1)), ("v3/app1/devices/dev1/down/queued", vec!["d"]), "{next:?}");
    app.hear("queued", "e").await?;
    assert_eq!(listed(&app).await?, [first.clone(), item("d"), item("e")]);

    // Only now does the lamp speak: the next item is the first of the new queue.
    network.tell("txack", json!({ "queueItemId": ahead.id, "fCntDown": 1 })).await?;
    network.tell("ack", json!({ "queueItemId": ahead.id, "fCntDown": 1, "acknowledged": true })).await?;
    let ahead = network.item().await?;
    assert_eq!(ahead.body["data"], payload("d"), "{ahead:?}");
    let acknowledged = app.hear("ack", "a").await?;
    assert_eq!(acknowledged["downlink_ack"]["f_cnt"], 1, "{acknowledged}");
    assert_eq!(listed(&app).await?, [item("d"), item("e")]);

    // An empty replacement clears, by HTTP too; what the network has may still be sent, and is told.
    app.replace_by_http("dev1", &json!([])).await?.expect(200)?;
    assert_eq!(listed(&app).await?, [item("d")]);
    network.tell("txack", json!({ "queueItemId": ahead.id, "fCntDown": 2 })).await?;
    let next = app.next().await?;
    assert_eq!((next.0.as_str(), own(&next.1)), ("v3/app1/devices/dev1/down/sent", vec!["d"]), "{next:?}");
    assert_eq!(app.queue("dev1").await?.expect(200)?, json!({}));
    app.push("dev1", &json!([item("f")])).await?;
    assert_eq!(network.item().await?.body["data"], payload("f"), "\"e\" was never sent");
    Ok(())
}

fn payload(id: &str) -> Value {
    use base64::Engine;
    json!(base64::engine::general_purpose::STANDARD.encode(id))
}

/// An item as it is pushed, under a correlation id of its own.
fn item(id: &str) -> Value {
    json!({ "f_port": 15, "frm_payload": payload(id), "correlation_ids": [id] })
}

fn confirmed(id: &str) -> Value {
    let mut item = item(id);
    item["confirmed"] = json!(true);
    item
}

/// The correlation ids that the application gave.
fn own(body: &Value) -> Vec<&str> {
    let ids = body["correlation_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ids.filter(|id| !id.starts_with("as:")).collect()
}

/// The queue as it is listed, without the correlation id that the platform added to each item.
async fn listed(app: &Tts) -> anyhow::Result<Vec<Value>> {
    let mut items = app.queue("dev1").await?.expect(200)?["downlinks"].take();
    for item in items.as_array_mut().context("there is no queue")? {
        let ids = item["correlation_ids"].as_array().map_or(0, Vec::len);
        let own: Vec<_> = own(item).into_iter().map(str::to_owned).collect();
        ensure!(ids == own.len() + 1, "one correlation id should be added: {item}");
        item["correlation_ids"] = json!(own);
    }
    Ok(items.as_array().cloned().unwrap_or_default())
}

/// The ids of the device once the network has heard it.
fn heard_ids() -> Value {
    json!({
        "device_id": "dev1",
        "application_ids": { "application_id": "app1" },
        "dev_eui": EUI,
        "join_eui": EUI,
        "dev_addr": "01DA1F15",
    })
}

/// What an application was told, with what is another each time apart.
#[derive(Debug)]
struct Told {
    /// Without correlation ids and times.
    body: Value,
    correlation_ids: Vec<String>,
}

impl Told {
    fn read(text: &str) -> anyhow::Result<Self> {
        let mut body: Value = serde_json::from_str(text).with_context(|| text.to_owned())?;
        let ids = body["correlation_ids"].as_array().cloned().unwrap_or_default();
        let correlation_ids: Vec<_> = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        ensure!(correlation_ids.is_sorted(), "correlation ids are sorted: {text}");
        let received = body["received_at"].as_str().is_some_and(|time| time.ends_with('Z'));
        ensure!(received, "there should be a time: {text}");
        if let Some(envelope) = body.as_object_mut() {
            envelope.remove("correlation_ids");
            envelope.remove("received_at");
            for inner in envelope.values_mut().filter_map(Value::as_object_mut) {
                inner.remove("correlation_ids");
                inner.remove("received_at");
            }
        }
        Ok(Self { body, correlation_ids })
    }

    fn own_ids(&self, prefix: &str) -> usize {
        self.correlation_ids.iter().filter(|id| id.starts_with(prefix)).count()
    }
}

/// A ChirpStack network server that says what a test wants it to say about its one device.
struct Network {
    mqtt: MqttClient,
}

/// An item that the network server is to send.
#[derive(Debug)]
struct Item {
    id: String,
    /// The command without what is another each time.
    body: Value,
}

impl Network {
    /// Registers the network server and the device, and connects.
    async fn connect(world: &World) -> anyhow::Result<Self> {
        let server = json!({
            "id": SERVER,
            "dialect": "chirpstack",
            "aliases": { "chirpstack.server": SERVER },
            "credential": { "kind": "password", "secret": devices::secret(SERVER) },
        });
        let device = json!({
            "id": "d-1",
            "dialect": "chirpstack",
            "parent": SERVER,
            "aliases": { "lorawan.dev-eui": EUI, "tts.id": "app1.dev1" },
            "labels": { "chirpstack.application-id": APPLICATION, "lorawan.join-eui": EUI },
        });
        world.admin.add_device(&server).await?;
        world.admin.add_device(&device).await?;
        let subscriber = Subscriber {
            client_id: SERVER.to_owned(),
            username: SERVER.to_owned(),
            password: devices::secret(SERVER),
            filters: vec!["application/+/device/+/command/+".to_owned()],
        };
        Ok(Self { mqtt: MqttClient::connect(&world.daemon, subscriber).await? })
    }

    /// Publishes an event of the device.
    async fn tell(&self, kind: &str, mut event: Value) -> anyhow::Result<()> {
        event["deviceInfo"] = json!({ "applicationId": APPLICATION, "devEui": EUI, "deviceClassEnabled": "CLASS_A" });
        self.mqtt.publish(&format!("application/{APPLICATION}/device/{EUI}/event/{kind}"), &event).await
    }

    /// Waits for the next item.
    async fn item(&mut self) -> anyhow::Result<Item> {
        let topic = format!("application/{APPLICATION}/device/{EUI}/command/down");
        let mut body = self.mqtt.message("an item", |at, body| (at == topic).then(|| body.clone())).await?;
        let id = body["id"].as_str().context("the item has no id")?.to_owned();
        ensure!(body["expiresAt"].as_str().is_some_and(|time| time.ends_with('Z')), "no expiry: {body}");
        if let Some(members) = body.as_object_mut() {
            members.remove("id");
            members.remove("expiresAt");
        }
        Ok(Item { id, body })
    }
}
