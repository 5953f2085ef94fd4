//! The same lamp five times, once behind each platform, with a name at every platform's application side.

use super::cast::post;
use super::stage::Addresses;
use serde_json::{Value, json};

/// A lamp of the demonstration.
pub(crate) struct Lamp {
    /// Its platform.
    pub(crate) platform: &'static str,
    /// Its id at the gateway, and its name at every platform but Connio.
    pub(crate) id: &'static str,
    /// Its id at Connio.
    pub(crate) connio_id: &'static str,
    dialect: &'static str,
    /// Binary that simulates it.
    pub(crate) simulator: &'static str,
    /// The simulator's arguments besides those that all have.
    pub(crate) arguments: &'static [&'static str],
}

/// Secret of every lamp, and of the network server.
pub(crate) const SECRET: &str = "lamp-secret";
/// Application of The Things Stack, and its API key.
pub(crate) const TTS_KEY: (&str, &str) = ("app1", "tts-demo-key");
/// Login and password of a user of DeviceHive.
pub(crate) const DEVICEHIVE_USER: (&str, &str) = ("demo", "devicehive-demo-password");
/// Id and secret of a key of Connio.
pub(crate) const CONNIO_KEY: (&str, &str) = ("_key_demo", "connio-demo-secret");

/// Login as which the lamp of DeviceHive signs in.
const LAMP_USER: &str = "lamp-devicehive";
/// Key with which the lamp of Connio signs in.
const LAMP_KEY: &str = "_key_lamp";
const NETWORK: &str = "network-1";
const DEV_EUI: &str = "4200000000000000";

/// Every lamp, one a device side.
pub(crate) const LAMPS: [Lamp; 5] = [
    Lamp {
        platform: "Huawei IoTDA",
        id: "lamp-huawei",
        connio_id: "_dev_huawei",
        dialect: "huawei-iotda",
        simulator: "huawei-device",
        arguments: &["--id", "lamp-huawei"],
    },
    Lamp {
        platform: "EMQX Fleets",
        id: "lamp-fleets",
        connio_id: "_dev_fleets",
        dialect: "emqx-fleets",
        simulator: "fleets-device",
        arguments: &["--id", "lamp-fleets"],
    },
    Lamp {
        platform: "ChirpStack",
        id: "lamp-chirpstack",
        connio_id: "_dev_chirpstack",
        dialect: "chirpstack",
        simulator: "chirpstack-network",
        // A lamp of class A listens only after it has spoken.
        arguments: &["--id", NETWORK, "--dev-eui", DEV_EUI, "--uplink-every-ms", "500"],
    },
    Lamp {
        platform: "DeviceHive",
        id: "lamp-devicehive",
        connio_id: "_dev_devicehive",
        dialect: "devicehive",
        simulator: "devicehive-device",
        arguments: &["--id", "lamp-devicehive", "--login", LAMP_USER],
    },
    Lamp {
        platform: "Connio",
        id: "lamp-connio",
        connio_id: "_dev_connio",
        dialect: "connio",
        simulator: "connio-device",
        arguments: &["--id", "_dev_connio", "--key", LAMP_KEY],
    },
];

/// Registers every lamp, and the credentials of the applications that come with them.
pub(crate) fn register(addresses: &Addresses) -> anyhow::Result<()> {
    let password = json!({ "kind": "password", "secret": SECRET });
    let network = json!({
        "id": NETWORK,
        "dialect": "chirpstack",
        "aliases": { "chirpstack.server": NETWORK },
        "credential": password,
    });
    post(addresses, "/v1/devices", &network)?;
    for lamp in &LAMPS {
        post(addresses, "/v1/devices", &record(lamp))?;
    }
    let user = |id: u32| json!({ "id": id, "role": 1, "networks": ["*"], "deviceTypes": ["*"] });
    let everything = json!({
        "context": { "type": "account", "ids": [] },
        "scope": ["device:read-data", "device:write-data", "device:execute"],
    });
    for (dialect, (account, secret), rights) in [
        ("the-things-stack", TTS_KEY, json!({ "rights": ["RIGHT_APPLICATION_ALL"] })),
        ("devicehive", DEVICEHIVE_USER, user(2)),
        ("devicehive", (LAMP_USER, SECRET), user(3)),
        ("connio", CONNIO_KEY, everything),
    ] {
        let token = json!({ "dialect": dialect, "account": account, "secret": secret, "rights": rights });
        post(addresses, "/v1/tokens", &token)?;
    }
    Ok(())
}

fn record(lamp: &Lamp) -> Value {
    let mut record = json!({
        "id": lamp.id,
        "dialect": lamp.dialect,
        "aliases": {
            "huawei.id": lamp.id,
            "fleets.name": lamp.id,
            "tts.id": format!("{}.{}", TTS_KEY.0, lamp.id),
            "devicehive.id": lamp.id,
            "connio.id": lamp.connio_id,
        },
    });
    match lamp.dialect {
        "huawei-iotda" => record["credential"] = json!({ "kind": "key", "secret": SECRET }),
        // Its network server connects, and a handler makes bytes of its commands.
        "chirpstack" => {
            record["parent"] = json!(NETWORK);
            record["handler"] = json!("lora-lamp");
            record["aliases"]["lorawan.dev-eui"] = json!(DEV_EUI);
            record["labels"] = json!({ "chirpstack.application-id": "ca739e26-7b67-4f14-b69e-d568c22a5a75" });
        }
        // It signs in as a user.
        "devicehive" => {}
        "connio" => {
            record["aliases"]["connio.key"] = json!(LAMP_KEY);
            record["credential"] = json!({ "kind": "password", "secret": SECRET });
            // The platform knows no answer to a write: the lamp says in `result` what became of it.
            let feedback =
                json!({ "property": "result", "succeeded": "ok", "failed": "failed", "rejected": "rejected" });
            record["profile"] = json!({
                "properties": {
                    "level": { "type": "number", "feedback": feedback },
                    "result": { "type": "string" },
                },
                "methods": { "set": { "property": "level", "argument": "level", "access": "public" } },
            });
        }
        _ => record["credential"] = json!({ "kind": "password", "secret": SECRET }),
    }
    record
}
