//! Mosquitto stops, is killed, or stands still, while the gateway works with it.

use crate::load::{self, SENDS_MAX, Sent, THINGS, Things};
use anyhow::ensure;
use dragoman_e2e::World;
use dragoman_e2e::wait;
use std::time::Duration;

/// Outages of one test.
const OUTAGES: u64 = 6;
/// Commands around each of them.
const COMMANDS: u64 = 60;
/// Long enough for a command to outlive every outage.
const TTL_S: u32 = 300;
/// For what a broker has forgotten: nobody will answer it.
const FORGOTTEN_TTL_S: u32 = 30;
/// Most copies that one outage makes for each thing: of what has no PUBACK yet on the way to the broker, and of what the thing
/// has not acknowledged.
const COPIES_MAX: u64 = 4;
/// For the gateway to notice, and to be connected again.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

enum Outage {
    /// As a service manager stops it.
    Stop,
    /// As a power switch does.
    Kill,
}

/// Sends commands while mosquitto goes away and comes back.
async fn outages(world: &mut World, outage: Outage, ttl_s: u32) -> anyhow::Result<Sent> {
    let mut sent = Sent::new();
    for round in 0..OUTAGES {
        let first = round * COMMANDS;
        let before = load::send(world, first, COMMANDS / 3, ttl_s).await?;
        let mosquitto = world.daemon.mosquitto()?;
        match outage {
            Outage::Stop => mosquitto.stop().await?,
            Outage::Kill => mosquitto.kill().await?,
        }
        let during = load::send(world, first + COMMANDS / 3, COMMANDS / 3, ttl_s).await?;
        world.daemon.mosquitto()?.start_again().await?;
        let after = load::send(world, first + 2 * COMMANDS / 3, COMMANDS / 3, ttl_s).await?;
        sent.extend(before.into_iter().chain(during).chain(after));
    }
    Ok(sent)
}

/// No command reached its thing more often than its message may be sent, and only those around an outage more than once.
fn none_too_often(things: &Things, sent: &Sent) -> anyhow::Result<()> {
    let received = things.received();
    let copies: u64 = received.values().map(|times| u64::from(times - 1)).sum();
    eprintln!("{} of {} commands reached their things, with {copies} copies", received.len(), sent.len());
    ensure!(received.values().all(|times| *times <= SENDS_MAX), "sent too often: {received:?}");
    ensure!(copies <= OUTAGES * COPIES_MAX * THINGS as u64, "{copies} copies");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_is_stopped_and_started_under_load_costs_no_command() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let things = Things::start(&world).await?;
    let sent = outages(&mut world, Outage::Stop, TTL_S).await?;
    assert_eq!(load::ended(&world, &sent).await?, (sent.len(), 0));
    none_too_often(&things, &sent)
}

/// What it had acknowledged and not yet written down is gone, in either direction: such a command is never answered, and
/// ends as that.
async fn is_killed(persistence: &str) -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mosquitto = world.daemon.mosquitto()?;
    mosquitto.stop().await?;
    mosquitto.rewrite("mosquitto.conf", "persistence true", persistence)?;
    mosquitto.start_again().await?;
    let things = Things::start(&world).await?;
    let sent = outages(&mut world, Outage::Kill, FORGOTTEN_TTL_S).await?;
    let (succeeded, unanswered) = load::ended(&world, &sent).await?;
    eprintln!("{succeeded} succeeded, {unanswered} were never answered");
    // Only those that were with the broker at the moment of a kill.
    ensure!(unanswered as u64 <= OUTAGES * COPIES_MAX * THINGS as u64, "{unanswered} were never answered");
    none_too_often(&things, &sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_is_killed_under_load_costs_what_it_had() -> anyhow::Result<()> {
    is_killed("persistence true").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_without_persistence_that_is_killed_costs_what_it_had() -> anyhow::Result<()> {
    is_killed("persistence false").await
}

/// How many connections of the gateway to that broker came to that end.
async fn connections(world: &World, result: &str) -> anyhow::Result<f64> {
    let labels = [("connection", "things"), ("result", result)];
    Ok(world.admin.metrics().await?.sum("dragoman_external_connections_total", &labels))
}

/// Its sockets stay open and nothing comes back, as over a network that was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_stands_still_is_given_up_and_costs_no_command() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let dialect = "dialect = \"emqx-fleets\"\n";
    world.daemon.kill().await?;
    world.daemon.reconfigure(dialect, &format!("{dialect}ack_timeout_ms = 1000\n"))?;
    world.daemon.start_again().await?;
    let things = Things::start(&world).await?;
    let mut sent = load::send(&world, 0, COMMANDS, TTL_S).await?;
    world.daemon.mosquitto()?.pause().await?;
    sent.extend(load::send(&world, COMMANDS, COMMANDS, TTL_S).await?);
    wait::until("the connection is given up", NOTICED_WITHIN, || async {
        Ok((connections(&world, "broken").await? >= 1.0).then_some(()))
    })
    .await?;
    world.daemon.mosquitto()?.go_on().await?;
    assert_eq!(load::ended(&world, &sent).await?, (sent.len(), 0));
    none_too_often(&things, &sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mosquitto_that_is_slow_is_waited_for() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let things = Things::start(&world).await?;
    let mut sent = Sent::new();
    for round in 0..OUTAGES {
        world.daemon.mosquitto()?.pause().await?;
        sent.extend(load::send(&world, round * COMMANDS, COMMANDS, TTL_S).await?);
        world.daemon.mosquitto()?.go_on().await?;
    }
    assert_eq!(load::ended(&world, &sent).await?, (sent.len(), 0));
    ensure!(connections(&world, "broken").await? == 0.0, "a connection was given up");
    let received = things.received();
    ensure!(received.values().all(|times| *times == 1), "sent more than once: {received:?}");
    Ok(())
}
