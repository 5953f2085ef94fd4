//! Things that answer, commands for them, and what became of each: for those who sent it and at the things.

use anyhow::{Context, ensure};
use dragoman_e2e::{World, devices};
use dragoman_simulators::{Behaviour, DeviceEvent};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Things that are commanded.
pub(crate) const THINGS: usize = 3;
/// Most sends of one message, as the gateway has it where the configuration says nothing else.
pub(crate) const SENDS_MAX: u32 = 5;
/// For everything to end.
const ALL_ENDED_WITHIN: Duration = Duration::from_secs(120);

/// Things at work.
pub(crate) struct Things {
    received: Arc<Mutex<HashMap<String, u32>>>,
    _running: JoinSet<()>,
}

impl Things {
    /// Registers and connects all of them.
    pub(crate) async fn start(world: &World) -> anyhow::Result<Self> {
        let received: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let mut running = JoinSet::new();
        for number in 0..THINGS {
            world.admin.add_device(&devices::fleets_record(&name(number))).await?;
            let (mut thing, received) = (world.thing(&name(number), Behaviour::Answer).await?, received.clone());
            running.spawn(async move {
                while let Some(event) = thing.next_event().await {
                    if let DeviceEvent::Received { topic, .. } = event {
                        let id = topic.split('/').nth_back(1).unwrap_or_default().to_owned();
                        *received.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default() += 1;
                    }
                }
            });
        }
        Ok(Self { received, _running: running })
    }

    /// How often each command reached its thing until now.
    pub(crate) fn received(&self) -> HashMap<String, u32> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn name(number: usize) -> String {
    format!("thing-{number}")
}

/// Commands by execution id, each with a number of its own.
pub(crate) type Sent = BTreeMap<String, u64>;

/// Sends so many commands, to all things at once. They have to be accepted, whatever happens to the broker.
pub(crate) async fn send(world: &World, first: u64, count: u64, ttl_s: u32) -> anyhow::Result<Sent> {
    let mut senders = JoinSet::new();
    for thing in 0..THINGS as u64 {
        let fleets = world.fleets.clone();
        senders.spawn(async move {
            let mut sent = Sent::new();
            for number in (first..first + count).filter(|number| number % THINGS as u64 == thing) {
                let name = name(usize::try_from(thing)?);
                let id = fleets.accepted(&name, "setTemperature", &json!({ "value": number }), ttl_s).await?;
                sent.insert(id, number);
            }
            anyhow::Ok(sent)
        });
    }
    let mut all = Sent::new();
    while let Some(sent) = senders.join_next().await {
        all.extend(sent??);
    }
    Ok(all)
}

/// Waits until every command has ended. How many succeeded, with the result of that very command, and how many were never
/// answered; nothing else may have become of one.
pub(crate) async fn ended(world: &World, sent: &Sent) -> anyhow::Result<(usize, usize)> {
    let (mut succeeded, mut unanswered) = (0, 0);
    for (id, number) in sent {
        let ended = world.fleets.ended(id, ALL_ENDED_WITHIN).await.with_context(|| format!("command {number}"))?;
        match ended["status"].as_str() {
            Some("SUCCEEDED") => {
                ensure!(ended["result"] == json!({ "currentTemperature": number }), "another's answer: {ended}");
                succeeded += 1;
            }
            Some("TIMED_OUT") => unanswered += 1,
            _ => anyhow::bail!("command {number} ended as nobody asked for: {ended}"),
        }
    }
    Ok((succeeded, unanswered))
}
