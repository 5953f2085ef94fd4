//! Devices at a broker that somebody else runs: Debian's mosquitto. Needs it installed; see CONTRIBUTING.md. Beside these
//! tests, which are about such a broker alone, the profile `external-broker` runs those of the platforms with it.

mod limits;
mod load;
mod outages;

use anyhow::Context;
use dragoman_e2e::World;
use dragoman_e2e::devices::{self, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_simulators::Behaviour;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// Long enough for a command that found nobody and is tried again.
const AGAIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_at_mosquitto_does_what_it_is_told() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    for value in [19, 24] {
        let params = json!({ "value": value });
        let id = world.fleets.accepted(THERMOSTAT, "setTemperature", &params, 60).await?;
        let ended = world.fleets.ended(&id, AGAIN).await?;
        assert_eq!(
            (&ended["status"], &ended["result"]),
            (&json!("SUCCEEDED"), &json!({ "currentTemperature": value }))
        );
        // Nobody there can tell that the thing acknowledged; its answer says that it has the command.
        let execution = world.admin.execution(&id).await?.unwrap_or_default();
        assert!(!execution["history"].to_string().contains("puback"), "{execution}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_waits_for_a_thing_that_nobody_saw_there() -> anyhow::Result<()> {
    let world = World::start().await?;
    let id = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 21 }), 300).await?;
    wait::until("nobody subscribed", SOON, || async {
        let execution = world.admin.execution(&id).await?.unwrap_or_default();
        Ok(execution.to_string().contains("$NO_SUBSCRIBER").then_some(()))
    })
    .await?;
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let ended = world.fleets.ended(&id, AGAIN).await?;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_outlive_the_broker() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let mut ids = Vec::new();
    for round in 0..3 {
        world.daemon.mosquitto()?.kill().await?;
        for number in 0..4 {
            let params = json!({ "value": round * 10 + number });
            ids.push(world.fleets.accepted(THERMOSTAT, "setTemperature", &params, 300).await?);
        }
        world.daemon.mosquitto()?.start_again().await?;
        devices::ready(&mut thing).await?;
    }
    for id in &ids {
        let ended = world.fleets.ended(id, AGAIN).await?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_broker_outlives_the_daemon_and_is_sent_once() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    world.daemon.mosquitto()?.kill().await?;
    let mut ids = Vec::new();
    for value in 0..5 {
        ids.push(world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": value }), 300).await?);
    }
    world.daemon.kill().await?;
    world.daemon.mosquitto()?.start_again().await?;
    devices::ready(&mut thing).await?;
    world.daemon.start_again().await?;
    for id in &ids {
        let ended = world.fleets.ended(id, AGAIN).await?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    }
    // One more, so that all before it was received.
    let last = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 99 }), 300).await?;
    let mut times: HashMap<String, u32> = HashMap::new();
    while !times.keys().any(|topic| topic.contains(&last)) {
        let (topic, _) = devices::received(&mut thing).await?;
        *times.entry(topic).or_default() += 1;
    }
    for id in &ids {
        let of_id: Vec<u32> = times.iter().filter(|(topic, _)| topic.contains(id)).map(|(_, times)| *times).collect();
        assert_eq!(of_id, [1], "{id}: {times:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_taken_back_while_the_broker_was_away_is_not_sent() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    world.daemon.mosquitto()?.kill().await?;
    let canceled = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 300).await?;
    world.fleets.post(&format!("/api/v1/commands/{canceled}/cancel"), "").await?.expect(200)?;
    world.daemon.mosquitto()?.start_again().await?;
    devices::ready(&mut thing).await?;
    let next = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 20 }), 300).await?;
    let (topic, _) = devices::received(&mut thing).await?;
    assert!(topic.contains(&next) && !topic.contains(&canceled), "{topic}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_says_what_such_a_broker_cannot_do() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    // Its ports have to be free for the check.
    world.daemon.kill().await?;
    let config = world.daemon.config();
    let said = world.daemon.cli(&["check", "--config", config.to_str().context("the path is UTF-8")?]).await?;
    for sentence in
        ["It does not say who published", "has to subscribe to its own topics", "count as sent, never as acknowledged"]
    {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    Ok(())
}
