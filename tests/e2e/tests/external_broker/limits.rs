//! Mosquitto's own limits, and its own rights.

use crate::load::{self, Things};
use anyhow::ensure;
use dragoman_e2e::World;
use dragoman_e2e::devices::{THERMOSTAT, fleets_record};
use dragoman_e2e::wait::{self, SOON};
use dragoman_simulators::Behaviour;
use serde_json::{Value, json};

/// A file of mosquitto, what stands there, and what is to stand there instead.
type Change = (&'static str, &'static str, &'static str);

/// A world whose mosquitto has other limits.
async fn world_with(changes: &[Change]) -> anyhow::Result<World> {
    let mut world = World::start().await?;
    let mosquitto = world.daemon.mosquitto()?;
    mosquitto.stop().await?;
    for (file, from, to) in changes {
        mosquitto.rewrite(file, from, to)?;
    }
    mosquitto.start_again().await?;
    Ok(world)
}

/// A command that cannot reach its thing, between two that can; gives what the operator sees of it.
async fn only_the_one_between_fails(world: &World, params: &Value) -> anyhow::Result<Value> {
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let before = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 1 }), 60).await?;
    let between = world.fleets.accepted(THERMOSTAT, "store", params, 60).await?;
    let after = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 2 }), 60).await?;
    for id in [before, after] {
        let ended = world.fleets.ended(&id, SOON).await?;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    }
    let ended = world.fleets.ended(&between, SOON).await?;
    assert_eq!(ended["status"], "FAILED", "{ended}");
    Ok(world.admin.execution(&between).await?.unwrap_or_default())
}

fn large() -> Value {
    json!({ "text": "x".repeat(4_000) })
}

/// Mosquitto announces it, so the gateway does not send what is larger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_above_the_packet_size_fails_alone() -> anyhow::Result<()> {
    let world = world_with(&[("mosquitto.conf", "persistence true", "persistence true\nmax_packet_size 3000")]).await?;
    let execution = only_the_one_between_fails(&world, &large()).await?.to_string();
    assert!(execution.contains("takes packets of 3000 bytes"), "{execution}");
    Ok(())
}

/// Mosquitto does not announce it, and refuses with a reason code that a PUBACK may not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_above_the_message_size_fails_alone() -> anyhow::Result<()> {
    let world =
        world_with(&[("mosquitto.conf", "persistence true", "persistence true\nmessage_size_limit 3000")]).await?;
    let execution = only_the_one_between_fails(&world, &large()).await?.to_string();
    assert!(execution.contains("0x95 (packet too large)"), "{execution}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_the_gateway_may_not_publish_fails_and_says_why() -> anyhow::Result<()> {
    let right = "topic write $emqx/commands/things/+/executions/+/request\n";
    let world = world_with(&[("acl", right, "")]).await?;
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let id = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 60).await?;
    assert_eq!(world.fleets.ended(&id, SOON).await?["status"], "FAILED");
    let execution = world.admin.execution(&id).await?.unwrap_or_default().to_string();
    assert!(execution.contains("0x87 (not authorized)"), "{execution}");
    Ok(())
}

/// A right that a device has not: what it says for another is not heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_vouches_for_who_speaks() -> anyhow::Result<()> {
    let world = World::start().await?;
    world.admin.add_device(&fleets_record("thing-0")).await?;
    let stranger = world.thing("thing-0", Behaviour::Answer).await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Silent).await?;
    let id = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 60).await?;
    let (topic, _) = dragoman_e2e::devices::received(&mut thing).await?;
    let answer = topic.replace("/request", "/response");
    stranger.publish(&answer, r#"{"status":"REJECTED"}"#).await?;
    // An answer of the stranger's own shows that all it said before was dealt with.
    let own = world.fleets.accepted("thing-0", "open", &json!({}), 60).await?;
    assert_eq!(world.fleets.ended(&own, SOON).await?["status"], "SUCCEEDED");
    thing.publish(&answer, r#"{"status":"SUCCEEDED","result":{"by":"itself"}}"#).await?;
    assert_eq!(world.fleets.ended(&id, SOON).await?["result"], json!({ "by": "itself" }));
    Ok(())
}

/// What mosquitto has no room for, it drops without a word: such a command is never answered, and ends as that. None comes
/// twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_full_costs_what_it_drops() -> anyhow::Result<()> {
    const COMMANDS: u64 = 30;
    const TTL_S: u32 = 20;
    let limits = "persistence true\nmax_queued_messages 5\nmax_inflight_messages 2";
    let mut world = world_with(&[("mosquitto.conf", "persistence true", limits)]).await?;
    let things = Things::start(&world).await?;
    world.daemon.mosquitto()?.pause().await?;
    let mut sent = load::send(&world, 0, COMMANDS, TTL_S).await?;
    world.daemon.mosquitto()?.go_on().await?;
    sent.extend(load::send(&world, COMMANDS, COMMANDS, TTL_S).await?);
    let (succeeded, unanswered) = load::ended(&world, &sent).await?;
    eprintln!("{succeeded} succeeded, {unanswered} were never answered");
    ensure!(succeeded > 0, "nothing got through");
    let received = things.received();
    ensure!(received.values().all(|times| *times == 1), "sent more than once: {received:?}");
    Ok(())
}

/// What a thing is sent while it is away waits in mosquitto, as far as there is room, and no longer than it lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expires_in_mosquitto_never_reaches_its_thing() -> anyhow::Result<()> {
    let world = World::start().await?;
    drop(world.thing(THERMOSTAT, Behaviour::Answer).await?);
    let stale = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 2).await?;
    let fresh = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 7 }), 120).await?;
    wait::until("mosquitto has both", SOON, || async {
        let [stale, fresh] = [world.fleets.execution(&stale).await?, world.fleets.execution(&fresh).await?];
        Ok((stale["sentAt"].is_string() && fresh["sentAt"].is_string()).then_some(()))
    })
    .await?;
    assert_eq!(world.fleets.ended(&stale, SOON).await?["status"], "TIMED_OUT");
    // Mosquitto counts whole seconds; with the next it has forgotten it.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    assert_eq!(world.fleets.ended(&fresh, SOON).await?["result"], json!({ "currentTemperature": 7 }));
    // It would have come first, and the thing answers whatever comes.
    let stale = world.admin.execution(&stale).await?.unwrap_or_default();
    assert!(!stale["history"].to_string().contains("late"), "{stale}");
    Ok(())
}
