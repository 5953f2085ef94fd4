//! The commands that are shown, and what each answer must say.

use super::cast::{LOCKBOX, METER, THERMOSTAT};
use super::exchange::{expect, fleets_command, huawei_command};
use super::stage::Addresses;
use crate::process::say;
use anyhow::Context;
use serde_json::json;

/// Plays every scene; ends at the first wrong answer.
pub(crate) fn play(addresses: &Addresses) -> anyhow::Result<()> {
    type Scene = fn(&Addresses) -> anyhow::Result<()>;
    let scenes: [(&str, Scene); 5] = [
        ("EMQX Fleets commands its thing: accepted at once, followed to its end", fleets_to_fleets),
        ("Huawei IoTDA commands its device: the call waits for the answer", huawei_to_huawei),
        ("the Fleets API commands the IoTDA device", fleets_to_huawei),
        ("the IoTDA API commands the Fleets thing", huawei_to_fleets),
        ("the IoTDA API sets the lockbox: unlock, set and read back, three messages and three replies", lockbox),
    ];
    for (title, scene) in scenes {
        println!();
        say(title);
        scene(addresses).with_context(|| format!("wrong answer: {title}"))?;
    }
    Ok(())
}

fn fleets_to_fleets(addresses: &Addresses) -> anyhow::Result<()> {
    let body = fleets_command(addresses, THERMOSTAT.id, "setTemperature", &json!({ "value": 24 }))?;
    expect(&body, "/status", &json!("SUCCEEDED"))?;
    expect(&body, "/result", &json!({ "currentTemperature": 24 }))
}

fn huawei_to_huawei(addresses: &Addresses) -> anyhow::Result<()> {
    let body = huawei_command(addresses, METER.id, "ON_OFF", &json!({ "value": "ON" }))?;
    expect(&body, "/response/result_code", &json!(0))?;
    expect(&body, "/response/response_name", &json!("COMMAND_RESPONSE"))?;
    expect(&body, "/response/paras", &json!({ "result": "success" }))
}

fn fleets_to_huawei(addresses: &Addresses) -> anyhow::Result<()> {
    let body = fleets_command(addresses, METER.id, "ON_OFF", &json!({ "value": "OFF" }))?;
    expect(&body, "/status", &json!("SUCCEEDED"))?;
    expect(&body, "/result", &json!({ "result": "success" }))
}

fn huawei_to_fleets(addresses: &Addresses) -> anyhow::Result<()> {
    let body = huawei_command(addresses, THERMOSTAT.id, "setTemperature", &json!({ "value": 19 }))?;
    expect(&body, "/response/result_code", &json!(0))?;
    expect(&body, "/response/paras", &json!({ "currentTemperature": 19 }))
}

fn lockbox(addresses: &Addresses) -> anyhow::Result<()> {
    let body = huawei_command(addresses, LOCKBOX.id, "setLevel", &json!({ "level": 42, "pin": "1234" }))?;
    expect(&body, "/response/result_code", &json!(0))?;
    expect(&body, "/response/paras", &json!({ "level": 42 }))
}
