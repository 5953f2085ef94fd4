//! What a killed process must not forget: where each command stood, step by step.

use anyhow::Context;
use dragoman_e2e::World;
use dragoman_e2e::devices::{self, FLEETS_BOX, THERMOSTAT};
use dragoman_e2e::wait::SOON;
use dragoman_simulators::{Behaviour, Firmware, FleetsFirmware, Login, Model, Publish};
use serde_json::json;

/// Answers as a lockbox does, but keeps the answers to itself: the test gives them when it wants to.
struct Withholding {
    inner: FleetsFirmware,
    answers: tokio::sync::mpsc::UnboundedSender<Publish>,
}

impl Firmware for Withholding {
    fn login(&self) -> Login {
        self.inner.login()
    }

    fn subscriptions(&self) -> Vec<String> {
        self.inner.subscriptions()
    }

    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish> {
        let answer = self.inner.receive(model, topic, payload)?;
        // The test has ended when nobody takes the answer.
        let _ = self.answers.send(answer);
        None
    }
}

/// The daemon is killed after every step of a command of three; it goes on where it stood and repeats no step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_survives_a_kill_between_any_two_steps() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (answers, mut withheld) = tokio::sync::mpsc::unbounded_channel();
    let firmware = Withholding { inner: devices::fleets_firmware(FLEETS_BOX), answers };
    let mut device = devices::connect(&world.daemon, firmware, Behaviour::Lockbox).await?;
    let id = world.fleets.accepted(FLEETS_BOX, "setLevel", &json!({ "level": 55, "pin": "1234" }), 600).await?;

    let mut asked = Vec::new();
    for _ in 0..3 {
        let (_, request) = devices::received(&mut device).await?;
        asked.push(request["action"].as_str().unwrap_or_default().to_owned());
        let answer = tokio::time::timeout(SOON, withheld.recv()).await?.context("the device is gone")?;
        world.daemon.kill().await?;
        world.daemon.start_again().await?;
        devices::ready(&mut device).await?;
        assert_eq!(world.fleets.execution(&id).await?["status"], "SENT");
        device.publish(&answer.topic, answer.payload).await?;
    }
    let ended = world.fleets.ended(&id, SOON).await?;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("SUCCEEDED"), &json!({ "level": 55 })), "{ended}");
    assert_eq!(asked, ["unlock", "setLevel", "getLevel"]);
    assert!(withheld.try_recv().is_err(), "a step was sent twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_credentials_and_open_commands_are_there_after_a_kill() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let waiting = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 18 }), 600).await?;
    let expiring = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 1).await?;
    world.daemon.kill().await?;
    world.daemon.start_again().await?;
    // It expires whether the daemon was there or not, and before the thing can be given it.
    assert_eq!(world.fleets.ended(&expiring, SOON).await?["status"], "TIMED_OUT");
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let ended = world.fleets.ended(&waiting, SOON).await?;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("SUCCEEDED"), &json!({ "currentTemperature": 18 })));
    Ok(())
}
