//! One daemon, a device and an application of every platform on it, and a command on its way to each device.
//!
//! These are the victims. Each plays its part by hand, so that a test decides when a device answers.

use crate::raw::{Login, Raw};
use anyhow::{Context, ensure};
use base64::Engine;
use dragoman_e2e::devices::{self, THERMOSTAT};
use dragoman_e2e::metrics::Metrics;
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Answer, World, http};
use dragoman_simulators::huawei::{password, utc_hour};
use serde_json::{Value, json};
use std::time::SystemTime;
use tokio::task::JoinHandle;

/// A synchronous call of IoTDA waits as long as a test may take; the platform's own 20 s are shown elsewhere.
const SETTINGS: &str = "[plugin.huawei-iotda.settings]\nsync-time-out-s = 55\n";

/// The account of DeviceHive whose key signs tokens.
pub(crate) const SIGNER: &str = "jwt";
/// Key with which DeviceHive's tokens are signed, before it is written in Base64.
pub(crate) const SIGNING_KEY: &str = "the key that signs the tokens of these tests";
/// A device of IoTDA that `victim-app` of The Things Stack listens to as well.
pub(crate) const METER: &str = "meter_1";
/// EUI of the lamp behind the network server `ns-1`.
pub(crate) const EUI: &str = "4200000000000001";
/// EUI of the lamp behind `ns-2`, the attacker's.
pub(crate) const OTHER_EUI: &str = "4200000000000002";

/// Id at the gateway of each victim, and the state of its command while it waits for the device's word.
const VICTIMS: [(&str, &str); 5] =
    [(THERMOSTAT, "ACKED"), (METER, "SENT"), ("valve-1", "ACKED"), ("lora-1", "SENT"), ("hive-1", "SENT")];

/// The daemon and every victim.
pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) port: u16,
    http: reqwest::Client,
    thermostat: Raw,
    meter: Raw,
    valve: Raw,
    network: Raw,
    lamp: Raw,
    tts: Raw,
    alice: Raw,
}

/// A command to each victim, under the names by which attackers would have to answer.
pub(crate) struct Open {
    /// Execution at Fleets.
    fleets: String,
    /// Request id at IoTDA.
    huawei: String,
    huawei_call: JoinHandle<anyhow::Result<Answer>>,
    /// Item of the network's queue.
    item: String,
    /// Command at DeviceHive.
    hive: u64,
}

impl Open {
    /// Puts the real ids in the place of their names.
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("{fleets}", &self.fleets)
            .replace("{huawei}", &self.huawei)
            .replace("{item}", &self.item)
            .replace("{hive}", &self.hive.to_string())
    }
}

/// Every login of the victims, under the client id that each uses.
pub(crate) mod logins {
    use super::*;

    pub(crate) fn thermostat() -> Login {
        Login::new(THERMOSTAT, "thing", &devices::secret(THERMOSTAT))
    }

    pub(crate) fn huawei(id: &str) -> Login {
        let hour = utc_hour(SystemTime::now());
        Login::new(&format!("{id}_0_0_{hour}"), id, &password(&devices::secret(id), &hour))
    }

    pub(crate) fn connio(id: &str, name: &str) -> Login {
        Login::new(&format!("_dev_{name}"), &format!("_key_{name}"), &devices::secret(id))
    }

    pub(crate) fn network(id: &str) -> Login {
        Login::new(&format!("{id}-client"), id, &devices::secret(id))
    }

    /// A user of DeviceHive or an application of The Things Stack.
    pub(crate) fn account(name: &str) -> Login {
        Login::new(&format!("{name}-client"), name, &devices::secret(name))
    }
}

impl Town {
    /// Starts the daemon, registers victims and attackers, and connects the victims.
    ///
    /// # Errors
    /// When anything of that fails.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let world = World::start_with(SETTINGS).await?;
        register(&world).await?;
        let port = world.daemon.mqtt_port()?;
        let connect = async |login: Login, filters: &[&str]| {
            let mut raw = Raw::connect(port, login).await?;
            for filter in filters {
                ensure!(raw.subscribe(filter).await?, "{filter} was refused");
            }
            anyhow::Ok(raw)
        };
        Ok(Self {
            thermostat: connect(logins::thermostat(), &["$emqx/commands/things/thermostat-001/executions/+/request"])
                .await?,
            meter: connect(logins::huawei(METER), &[]).await?,
            valve: connect(logins::connio("valve-1", "valve"), &["connio/data/in/devices/_dev_valve/#"]).await?,
            network: connect(logins::network("ns-1"), &["application/+/device/+/command/+"]).await?,
            lamp: connect(
                logins::account("lamp"),
                &["dh/command/+/+/hive-1/#", "dh/response/command/update@lamp-client"],
            )
            .await?,
            tts: connect(logins::account("victim-app"), &["#"]).await?,
            alice: connect(
                logins::account("alice"),
                &["dh/command_update/#", "dh/notification/#", "dh/response/command/insert@alice-client"],
            )
            .await?,
            http: http::client()?,
            port,
            world,
        })
    }

    /// Every victim's application commands its device, and every device has it.
    ///
    /// # Errors
    /// When a command does not reach its device.
    pub(crate) async fn open(&mut self) -> anyhow::Result<Open> {
        let fleets = self.world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 600).await?;
        let huawei = self.world.huawei.clone();
        let huawei_call = tokio::spawn(async move { huawei.command(METER, "ON_OFF", &json!({ "value": "ON" })).await });
        self.write_level("_dev_valve").await?;
        self.tts.publish("v3/victim-app/devices/lora-1/down/push", DOWNLINK, false).await?;
        let insert = r#"{"action":"command/insert","requestId":1,"deviceId":"hive-1","command":{"command":"on"}}"#;
        self.alice.publish("dh/request", insert, false).await?;

        self.thermostat.message("the thermostat's command", "/request").await?;
        let asked = self.meter.message("the meter's command", "/sys/commands/").await?;
        self.valve.message("the valve's command", "/properties/level").await?;
        let queued = self.network.message("the lamp's item", "/command/down").await?;
        let command = self.lamp.message("the lamp's command", "dh/command/").await?;
        self.settled().await?;
        Ok(Open {
            fleets,
            huawei: asked.topic.rsplit('=').next().unwrap_or_default().to_owned(),
            huawei_call,
            item: text(&queued.payload, "id")?,
            hive: json_of(&command.payload)["command"]["id"].as_u64().with_context(|| command.payload.clone())?,
        })
    }

    /// Every device answers its command, says something of its own, and every application hears it. Each device was sent
    /// its one command and nothing else.
    ///
    /// # Errors
    /// When an application hears anything else than what its device said.
    pub(crate) async fn close(&mut self, open: Open) -> anyhow::Result<()> {
        let topic = format!("$emqx/commands/things/{THERMOSTAT}/executions/{}/response", open.fleets);
        self.thermostat.publish(&topic, r#"{"status":"SUCCEEDED","result":{"by":"victim"}}"#, false).await?;
        let ended = self.world.fleets.ended(&open.fleets, SOON).await?;
        ensure!(ended["status"] == "SUCCEEDED" && ended["result"]["by"] == "victim", "{ended}");

        let topic = format!("$oc/devices/{METER}/sys/commands/response/request_id={}", open.huawei);
        self.meter.publish(&topic, r#"{"result_code":0,"paras":{"by":"victim"}}"#, false).await?;
        let answer = open.huawei_call.await??.expect(200)?;
        ensure!(answer["response"]["paras"]["by"] == "victim", "{answer}");

        let feed = r#"{"dps":[{"prop":"result","v":"ok"}]}"#;
        self.valve.publish("connio/data/out/devices/_dev_valve/json", feed, false).await?;

        let event = |kind: &str| format!("application/a-1/device/{EUI}/event/{kind}");
        let sent = json!({ "queueItemId": open.item, "fCntDown": 1, "gatewayId": "0016c001ff10a235" });
        self.network.publish(&event("txack"), &sent.to_string(), false).await?;
        let ack = json!({ "queueItemId": open.item, "fCntDown": 1, "acknowledged": true });
        self.network.publish(&event("ack"), &ack.to_string(), false).await?;
        let up = json!({ "fCnt": 7, "fPort": 10, "data": "dmljdGlt" });
        self.network.publish(&event("up"), &up.to_string(), false).await?;
        // What became of a command and what a device says travel on ways of their own.
        self.tts.both("the downlink's acknowledgement and the uplink", ["/down/ack", "/up"]).await?;

        let update = json!({
            "action": "command/update", "deviceId": "hive-1", "commandId": open.hive,
            "command": { "status": "success", "result": { "by": "victim" } },
        });
        self.lamp.publish("dh/request", &update.to_string(), false).await?;
        let updated = self.alice.message("the update", "dh/command_update/").await?;
        ensure!(updated.payload.contains("success") && updated.payload.contains("victim"), "{updated:?}");
        self.lamp.publish("dh/notification/1/1/hive-1/warm", "{}", false).await?;
        self.alice.message("the notification", "dh/notification/").await?;

        self.all_succeeded().await?;
        self.undisturbed()
    }

    /// No victim was sent anything but its own, in any tongue.
    fn undisturbed(&self) -> anyhow::Result<()> {
        for (who, raw, own, how_many) in [
            ("the thermostat", &self.thermostat, "$emqx/commands/things/thermostat-001/", 1),
            ("the meter", &self.meter, "$oc/devices/meter_1/sys/commands/", 1),
            ("the valve", &self.valve, "connio/data/in/devices/_dev_valve/properties/level", 1),
            ("the network server", &self.network, EUI, 1),
            ("the lamp", &self.lamp, "dh/command/1/1/hive-1/on", 1),
            ("victim-app", &self.tts, "v3/victim-app/devices/lora-1/", 4),
            ("alice", &self.alice, "dh/", 3),
        ] {
            let inbox: Vec<_> = raw.inbox.iter().filter(|message| !message.topic.contains("@lamp-client")).collect();
            let fits = inbox.len() == how_many && inbox.iter().all(|message| message.topic.contains(own));
            ensure!(fits, "{who} should have {how_many} messages of {own}: {inbox:#?}");
        }
        Ok(())
    }

    /// A value for a device of Connio, by an application's key.
    ///
    /// # Errors
    /// When it is not accepted.
    pub(crate) async fn write_level(&self, device: &str) -> anyhow::Result<()> {
        let base = &self.world.daemon.listeners().http;
        let request = self.http.post(format!("http://{base}/v3/data/devices/{device}/properties/level"));
        let request = request.basic_auth("_key_alice", Some(devices::secret("_key_alice")));
        let receipt = http::send(request.json(&json!({ "dps": [{ "v": 5 }] }))).await?.expect(200)?;
        ensure!(receipt["accepted"] == 1, "{receipt}");
        Ok(())
    }

    /// Every execution of the victims as the admin API tells it, history and all.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn standing(&self) -> anyhow::Result<Vec<Value>> {
        let all = self.world.admin.get("/v1/executions?limit=1000").await?.expect(200)?;
        let items = all["items"].as_array().cloned().unwrap_or_default();
        let victims = |item: &Value| VICTIMS.iter().any(|(device, _)| item["device"] == **device);
        Ok(items.into_iter().filter(victims).collect())
    }

    /// Every series now.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        self.world.admin.metrics().await
    }

    /// Waits until the devices' receipts are in, behind which only their words can change anything.
    async fn settled(&self) -> anyhow::Result<()> {
        wait::until("every victim's command to be with its device", SOON, || async {
            let standing = self.standing().await?;
            let at = |device: &str, state: &str| {
                standing.iter().any(|execution| execution["device"] == device && execution["state"] == state)
            };
            Ok(VICTIMS.iter().all(|(device, state)| at(device, state)).then_some(()))
        })
        .await
    }

    async fn all_succeeded(&self) -> anyhow::Result<()> {
        wait::until("the success of every victim's command", SOON, || async {
            let standing = self.standing().await?;
            Ok(standing.iter().all(|execution| execution["state"] == "SUCCEEDED").then_some(()))
        })
        .await
    }
}

/// What an application of The Things Stack pushes.
pub(crate) const DOWNLINK: &str = r#"{"downlinks":[{"f_port":15,"frm_payload":"vu8=","confirmed":true}]}"#;

pub(crate) fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn text(payload: &str, member: &str) -> anyhow::Result<String> {
    json_of(payload)[member].as_str().map(str::to_owned).with_context(|| format!("no {member} in {payload}"))
}

/// Registers the victims and those who attack them: on each platform an attacker is a customer like any other.
async fn register(world: &World) -> anyhow::Result<()> {
    let admin = &world.admin;
    let signs_in = |id: &str, dialect: &str, aliases: Value| {
        let credential = json!({ "kind": "password", "secret": devices::secret(id) });
        json!({ "id": id, "dialect": dialect, "aliases": aliases, "credential": credential })
    };
    admin.add_device(&devices::fleets_record("mallory-thing")).await?;
    admin.add_device(&devices::huawei_record("mallory_meter")).await?;
    let mut meter = devices::huawei_record(METER);
    meter["aliases"]["tts.id"] = json!("victim-app.meter-1");
    admin.add_device(&meter).await?;
    for (id, name) in [("valve-1", "valve"), ("valve-2", "mallory")] {
        let aliases = json!({ "connio.id": format!("_dev_{name}"), "connio.key": format!("_key_{name}") });
        let mut valve = signs_in(id, "connio", aliases);
        let feedback = json!({ "property": "result", "succeeded": "ok", "failed": "failed" });
        valve["profile"] = json!({ "properties": {
            "level": { "type": "number", "feedback": feedback }, "result": { "type": "string" },
        }});
        admin.add_device(&valve).await?;
    }
    for (server, lamp, eui, application) in
        [("ns-1", "lora-1", EUI, "victim-app"), ("ns-2", "lora-2", OTHER_EUI, "attacker-app")]
    {
        admin.add_device(&signs_in(server, "chirpstack", json!({ "chirpstack.server": server }))).await?;
        let aliases = json!({ "lorawan.dev-eui": eui, "tts.id": format!("{application}.{lamp}") });
        let labels = json!({ "chirpstack.application-id": "a-1" });
        let lamp =
            json!({ "id": lamp, "dialect": "chirpstack", "parent": server, "aliases": aliases, "labels": labels });
        admin.add_device(&lamp).await?;
    }
    for (id, network) in [("hive-1", "1"), ("hive-2", "2")] {
        let labels = json!({ "devicehive.network": network, "devicehive.type": "1" });
        let device = json!({ "id": id, "dialect": "devicehive", "aliases": { "devicehive.id": id }, "labels": labels });
        admin.add_device(&device).await?;
    }
    let user = |id: u32, networks: &str| json!({ "id": id, "role": 1, "networks": [networks], "deviceTypes": ["*"] });
    let writer = json!({ "context": { "type": "account", "ids": [] }, "scope": ["device:write-data"] });
    for (dialect, account, rights) in [
        ("the-things-stack", "victim-app", json!({ "rights": ["RIGHT_APPLICATION_ALL"] })),
        ("the-things-stack", "attacker-app", json!({ "rights": ["RIGHT_APPLICATION_ALL"] })),
        ("devicehive", "alice", user(11, "1")),
        ("devicehive", "lamp", user(12, "1")),
        ("devicehive", "mallory", user(13, "2")),
        ("connio", "_key_alice", writer),
    ] {
        admin.add_token(dialect, account, &devices::secret(account), &rights).await?;
    }
    let key = base64::engine::general_purpose::STANDARD.encode(SIGNING_KEY);
    let signer = json!({ "dialect": "devicehive", "account": SIGNER, "kind": "key", "secret": key });
    admin.post("/v1/tokens", &signer).await?.expect(201)?;
    Ok(())
}
