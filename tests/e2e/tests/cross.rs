//! Any dialect commands any device, with the many-step handler between them and without.

use dragoman_e2e::devices::{self, FLEETS_BOX, HUAWEI_BOX, METER, THERMOSTAT};
use dragoman_e2e::wait::SOON;
use dragoman_e2e::{Site, World};
use dragoman_simulators::{Behaviour, Device};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleets_commands_a_device_of_iotda() -> anyhow::Result<()> {
    let world = World::start().await?;
    let device = world.device(METER, Behaviour::Answer).await?;
    for (behaviour, status) in
        [(Behaviour::Answer, "SUCCEEDED"), (Behaviour::Refuse, "FAILED"), (Behaviour::Silent, "TIMED_OUT")]
    {
        device.behave(behaviour);
        let id = world.fleets.accepted(METER, "ON_OFF", &json!({ "value": "ON" }), 2).await?;
        let ended = world.fleets.ended(&id, SOON).await?;
        assert_eq!(ended["status"], status, "{ended}");
        if behaviour == Behaviour::Answer {
            assert_eq!(ended["result"], json!({ "result": "success" }), "{ended}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iotda_commands_a_thing_of_fleets() -> anyhow::Result<()> {
    let world = World::start_with("[plugin.huawei-iotda.settings]\nsync-time-out-s = 2\n").await?;
    if world.daemon.site() == Site::Embedded {
        let offline = world.huawei.command(THERMOSTAT, "setTemperature", &json!({ "value": 21 })).await?.expect(403)?;
        assert_eq!(offline["error_code"], "IOTDA.014016");
    }

    let thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let answer = world.huawei.command(THERMOSTAT, "setTemperature", &json!({ "value": 21 })).await?.expect(200)?;
    assert_eq!(answer["response"]["result_code"], 0);
    assert_eq!(answer["response"]["paras"], json!({ "currentTemperature": 21 }), "{answer}");

    thing.behave(Behaviour::Refuse);
    let answer = world.huawei.command(THERMOSTAT, "open", &json!({})).await?.expect(200)?;
    assert_eq!(answer["response"]["result_code"], 1);
    assert_eq!(answer["response"]["paras"]["error_code"], "not_now", "{answer}");

    thing.behave(Behaviour::Silent);
    let answer = world.huawei.command(THERMOSTAT, "open", &json!({})).await?.expect(200)?;
    assert_eq!(answer["error_code"], "IOTDA.014111", "{answer}");
    Ok(())
}

/// Each call is one command to its caller and three messages with three replies to the box.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_platform_sets_the_lockbox_of_either_platform() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut boxes = [
        (FLEETS_BOX, world.thing(FLEETS_BOX, Behaviour::Lockbox).await?),
        (HUAWEI_BOX, world.device(HUAWEI_BOX, Behaviour::Lockbox).await?),
    ];
    let mut level = 10;
    for (id, device) in &mut boxes {
        level += 1;
        let execution = world.fleets.accepted(id, "setLevel", &json!({ "level": level, "pin": "1234" }), 30).await?;
        let ended = world.fleets.ended(&execution, SOON).await?;
        assert_eq!((&ended["status"], &ended["result"]), (&json!("SUCCEEDED"), &json!({ "level": level })), "{id}");
        assert_eq!(actions(device, 3).await?, ["unlock", "setLevel", "getLevel"], "{id}");

        level += 1;
        let answer =
            world.huawei.command(id, "setLevel", &json!({ "level": level, "pin": "1234" })).await?.expect(200)?;
        assert_eq!(answer["response"]["result_code"], 0, "{id}: {answer}");
        assert_eq!(answer["response"]["paras"], json!({ "level": level }), "{id}: {answer}");
        assert_eq!(actions(device, 3).await?, ["unlock", "setLevel", "getLevel"], "{id}");

        // The box refuses the pin, so the command ends after its first step.
        let execution = world.fleets.accepted(id, "setLevel", &json!({ "level": 1, "pin": "0000" }), 30).await?;
        let ended = world.fleets.ended(&execution, SOON).await?;
        assert_eq!(ended["status"], "REJECTED", "{id}: {ended}");
        assert_eq!(ended["statusReason"]["reasonCode"], "UNLOCK_REFUSED", "{id}: {ended}");
        assert_eq!(actions(device, 1).await?, ["unlock"], "{id}");

        // What the handler refuses by itself never reaches the box: the next message is of the next command.
        let refused =
            world.huawei.command(id, "setLevel", &json!({ "level": 101, "pin": "1234" })).await?.expect(200)?;
        assert_eq!(refused["response"]["paras"]["error_code"], "INVALID_PARAMS", "{id}: {refused}");
        let execution = world.fleets.accepted(id, "getLevel", &json!({}), 30).await?;
        assert_eq!(world.fleets.ended(&execution, SOON).await?["result"], json!({ "level": level }), "{id}");
        assert_eq!(actions(device, 1).await?, ["getLevel"], "{id}");
    }
    Ok(())
}

/// The next actions that a device was asked for, in order.
async fn actions(device: &mut Device, count: usize) -> anyhow::Result<Vec<Value>> {
    let mut actions = Vec::new();
    for _ in 0..count {
        let (_, request) = devices::received(device).await?;
        let action = request.get("action").or_else(|| request.get("command_name"));
        actions.push(action.cloned().unwrap_or_default());
    }
    Ok(actions)
}
