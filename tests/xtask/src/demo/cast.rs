//! Who takes part: devices and the applications' credentials.

use super::http::{self, Request};
use super::stage::Addresses;
use anyhow::bail;
use serde_json::{Value, json};

/// A device of the demonstration.
pub(crate) struct Device {
    /// Its id at the gateway, and its name at every platform.
    pub(crate) id: &'static str,
    /// Secret of the device.
    pub(crate) secret: &'static str,
    /// The dialect that reaches it.
    pub(crate) dialect: &'static str,
    /// Binary that simulates it.
    pub(crate) simulator: &'static str,
    /// How the simulator behaves.
    pub(crate) behaviour: &'static str,
    /// The plugin that plans its commands.
    pub(crate) handler: Option<&'static str>,
}

/// A thermostat that speaks Fleets.
pub(crate) const THERMOSTAT: Device = Device {
    id: "thermostat-001",
    secret: "thermostat-secret",
    dialect: "emqx-fleets",
    simulator: "fleets-device",
    behaviour: "answer",
    handler: None,
};

/// A water meter that speaks IoTDA.
pub(crate) const METER: Device = Device {
    id: "watermeter-001",
    secret: "watermeter-secret",
    dialect: "huawei-iotda",
    simulator: "huawei-device",
    behaviour: "answer",
    handler: None,
};

/// A box that speaks Fleets and must be unlocked, set and read back for every level.
pub(crate) const LOCKBOX: Device = Device {
    id: "lockbox-001",
    secret: "lockbox-secret",
    dialect: "emqx-fleets",
    simulator: "fleets-device",
    behaviour: "lockbox",
    handler: Some("lockbox"),
};

/// A thing without a simulator: the person who watches can be it, with an MQTT client.
pub(crate) const YOURS: Device = Device {
    id: "yours-001",
    secret: "yours-secret",
    dialect: "emqx-fleets",
    simulator: "",
    behaviour: "",
    handler: None,
};

/// Devices that are simulated.
pub(crate) const DEVICES: &[&Device] = &[&THERMOSTAT, &METER, &LOCKBOX];

/// Key and secret of an application of Fleets.
pub(crate) const FLEETS_KEY: (&str, &str) = ("ak_demo", "fleets-demo-secret");
/// Account and token of an application of IoTDA.
pub(crate) const HUAWEI_TOKEN: (&str, &str) = ("demo", "huawei-demo-token");

/// Registers every device and credential. Each device has an alias at both platforms, so that either can command it.
pub(crate) fn register(addresses: &Addresses) -> anyhow::Result<()> {
    for device in DEVICES.iter().chain(&[&YOURS]) {
        post(addresses, "/v1/devices", &record(device))?;
    }
    // A key of Fleets may call the paths that begin with these; a token of IoTDA may call these projects.
    let everything = json!({ "GET": ["/"], "POST": ["/"], "DELETE": ["/"] });
    for (dialect, (account, secret), rights) in
        [("emqx-fleets", FLEETS_KEY, everything), ("huawei-iotda", HUAWEI_TOKEN, json!({ "projects": "*" }))]
    {
        let token = json!({ "dialect": dialect, "account": account, "secret": secret, "rights": rights });
        post(addresses, "/v1/tokens", &token)?;
    }
    Ok(())
}

fn record(device: &Device) -> Value {
    // A password is compared; a key takes part in the HMAC from which a device of IoTDA derives its password.
    let kind = if device.dialect == "huawei-iotda" { "key" } else { "password" };
    let mut record = json!({
        "id": device.id,
        "dialect": device.dialect,
        "aliases": { "fleets.name": device.id, "huawei.id": device.id },
        "credential": { "kind": kind, "secret": device.secret },
    });
    if let (Some(handler), Some(record)) = (device.handler, record.as_object_mut()) {
        record.insert("handler".to_owned(), json!(handler));
    }
    record
}

/// Makes something through the admin API.
pub(crate) fn post(addresses: &Addresses, path: &str, body: &Value) -> anyhow::Result<()> {
    let request = Request::new("POST", path).header("authorization", &format!("Bearer {}", addresses.token)).body(body);
    let answer = http::send(&addresses.admin, &request)?;
    if !(200..300).contains(&answer.status) {
        bail!("the admin API refused POST {path} {body}\n{}", answer.text);
    }
    Ok(())
}
