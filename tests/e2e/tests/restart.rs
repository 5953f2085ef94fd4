//! What a killed process must not forget: where each command stood, step by step.

use dragoman_e2e::devices::{self, FLEETS_BOX, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Site, World};
use dragoman_simulators::{Behaviour, Firmware, FleetsFirmware, Login, Model, Publish};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the box is waited for before the execution is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Answers as a lockbox does, but keeps the answers to itself: the test gives them when it wants to.
struct Withholding {
    inner: FleetsFirmware,
    /// What was asked, and the answer to it.
    answers: tokio::sync::mpsc::UnboundedSender<(Value, Publish)>,
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
        let request = serde_json::from_slice(payload).unwrap_or_default();
        // The test has ended when nobody takes the answer.
        let _ = self.answers.send((request, answer));
        None
    }
}

/// The daemon is killed after every step of a command of three, with the answer to that step still to come. It goes on
/// where it stood. A step whose answer is late, because the daemon was away for longer than the handler waits, is asked
/// once more; none is asked before its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_survives_a_kill_between_any_two_steps() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let (answers, mut withheld) = tokio::sync::mpsc::unbounded_channel();
    let firmware = Withholding { inner: devices::fleets_firmware(FLEETS_BOX), answers };
    let mut device = devices::connect(&world.daemon, firmware, Behaviour::Lockbox).await?;
    let id = world.fleets.accepted(FLEETS_BOX, "setLevel", &json!({ "level": 55, "pin": "1234" }), 600).await?;

    let mut steps: Vec<String> = Vec::new();
    while world.fleets.execution(&id).await?["status"] == "SENT" {
        let Ok(Some((request, answer))) = tokio::time::timeout(LOOK_AGAIN, withheld.recv()).await else { continue };
        let action = request["action"].as_str().unwrap_or_default().to_owned();
        if steps.last() != Some(&action) {
            steps.push(action);
            // A step that the device has not acknowledged would be sent again, at most three times in all; or, where the
            // device is at another's broker, one that this broker has not.
            let receipt = if world.daemon.site() == Site::Embedded { "acked" } else { "sent" };
            wait::until("the receipt of the step", SOON, || async {
                let execution = world.admin.execution(&id).await?.unwrap_or_default();
                Ok((lines(&execution, receipt) >= steps.len()).then_some(()))
            })
            .await?;
            world.daemon.kill().await?;
            world.daemon.start_again().await?;
            devices::back(&world.daemon, &mut device).await?;
        }
        device.publish(&answer.topic, answer.payload).await?;
    }
    let ended = world.fleets.execution(&id).await?;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("SUCCEEDED"), &json!({ "level": 55 })), "{ended}");
    assert_eq!(steps, ["unlock", "setLevel", "getLevel"]);
    Ok(())
}

/// How many lines of the history are of that event.
fn lines(execution: &Value, event: &str) -> usize {
    execution["history"].as_array().into_iter().flatten().filter(|line| line["event"] == event).count()
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
