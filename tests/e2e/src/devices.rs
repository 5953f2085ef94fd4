//! The devices of the tests: their records at the gateway, and simulators for them.

use crate::daemon::Daemon;
use crate::site::Site;
use crate::wait::SOON;
use anyhow::{Context, bail};
use dragoman_simulators::{Behaviour, Device, DeviceEvent, Firmware, FleetsFirmware, HuaweiFirmware};
use serde_json::{Value, json};

/// A thing of Fleets without a handler.
pub const THERMOSTAT: &str = "thermostat-001";
/// A device of IoTDA without a handler. With an underscore, because the platform's client ids are split at it.
pub const METER: &str = "water_meter_001";
/// A thing of Fleets with the many-step handler.
pub const FLEETS_BOX: &str = "fleets-box";
/// A device of IoTDA with the many-step handler.
pub const HUAWEI_BOX: &str = "huawei-box";
/// A gateway of IoTDA.
pub const GATEWAY: &str = "gateway_001";
/// A device below [`GATEWAY`], without a connection of its own.
pub const SUB_DEVICE: &str = "sub_001";

/// The secret of a device.
pub fn secret(id: &str) -> String {
    format!("secret-of-{id}")
}

/// A record of a thing of Fleets, with aliases at both platforms.
pub fn fleets_record(id: &str) -> Value {
    record(id, "emqx-fleets", "password")
}

/// A record of a device of IoTDA, with aliases at both platforms.
pub fn huawei_record(id: &str) -> Value {
    record(id, "huawei-iotda", "key")
}

fn record(id: &str, dialect: &str, credential: &str) -> Value {
    json!({
        "id": id,
        "dialect": dialect,
        "aliases": { "fleets.name": id, "huawei.id": id },
        "credential": { "kind": credential, "secret": secret(id) },
    })
}

/// Every device above.
pub fn records() -> Vec<Value> {
    let with = |mut record: Value, field: &str, value: &str| {
        record[field] = json!(value);
        record
    };
    let mut sub_device = with(huawei_record(SUB_DEVICE), "parent", GATEWAY);
    if let Some(record) = sub_device.as_object_mut() {
        // It never signs in itself.
        record.remove("credential");
    }
    vec![
        fleets_record(THERMOSTAT),
        huawei_record(METER),
        with(fleets_record(FLEETS_BOX), "handler", "lockbox"),
        with(huawei_record(HUAWEI_BOX), "handler", "lockbox"),
        huawei_record(GATEWAY),
        sub_device,
    ]
}

/// The firmware of a thing that is registered as above.
pub fn fleets_firmware(id: &str) -> FleetsFirmware {
    FleetsFirmware { thing: id.to_owned(), client_id: id.to_owned(), secret: secret(id) }
}

/// The firmware of a device of IoTDA that is registered as above, for the broker where the daemon's devices are.
pub fn huawei_firmware(daemon: &Daemon, id: &str) -> HuaweiFirmware {
    let own_subscriptions = daemon.site() == Site::Mosquitto;
    HuaweiFirmware { device_id: id.to_owned(), secret: secret(id), own_subscriptions }
}

/// Starts a device and waits until it is connected.
///
/// # Errors
/// When the broker refuses it or it is not connected in time.
pub async fn connect(daemon: &Daemon, firmware: impl Firmware, behaviour: Behaviour) -> anyhow::Result<Device> {
    let mut device = Device::start("127.0.0.1", daemon.device_port()?, firmware, behaviour);
    ready(&mut device).await?;
    Ok(device)
}

/// Waits until a device is connected, again or for the first time.
///
/// # Errors
/// When the broker refuses it or it is not connected in time.
pub async fn ready(device: &mut Device) -> anyhow::Result<()> {
    event(device, |event| match event {
        DeviceEvent::Ready => Some(()),
        _ => None,
    })
    .await
}

/// Waits until a device is connected again after the daemon was. At another's broker it was never cut off.
///
/// # Errors
/// When the broker refuses it or it is not connected in time.
pub async fn back(daemon: &Daemon, device: &mut Device) -> anyhow::Result<()> {
    match daemon.site() {
        Site::Embedded => ready(device).await,
        Site::Mosquitto => Ok(()),
    }
}

/// Waits for something to happen to a device.
///
/// # Errors
/// When the device gives up or it does not happen soon.
pub async fn event<T>(device: &mut Device, wanted: impl Fn(&DeviceEvent) -> Option<T>) -> anyhow::Result<T> {
    tokio::time::timeout(SOON, async {
        while let Some(event) = device.next_event().await {
            if let Some(found) = wanted(&event) {
                return Ok(found);
            }
            if let DeviceEvent::Refused(code) = event {
                bail!("the broker refused the device: {code}");
            }
        }
        bail!("the device gave up")
    })
    .await
    .context("what should happen to the device did not happen soon")?
}

/// Waits for the next message that reaches a device. Gives its topic and its JSON payload.
///
/// # Errors
/// When none comes soon.
pub async fn received(device: &mut Device) -> anyhow::Result<(String, Value)> {
    event(device, |event| match event {
        DeviceEvent::Received { topic, payload } => {
            Some((topic.clone(), serde_json::from_slice(payload).unwrap_or(Value::Null)))
        }
        _ => None,
    })
    .await
}
