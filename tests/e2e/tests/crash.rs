//! A daemon that is killed again and again while applications and devices work with it.
//!
//! Law 3 says that nothing leaves the process before the state that explains it is committed. So whatever a caller was
//! told before a kill must still be true after it, and every command that was accepted must come to an end.

use anyhow::{Context, ensure};
use dragoman_e2e::devices::{self, METER};
use dragoman_e2e::wait;
use dragoman_e2e::world::World;
use dragoman_simulators::{Behaviour, Device};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Kills of the process.
const KILLS: u64 = 20;
/// Callers that send commands as fast as they are answered.
const CALLERS: usize = 6;
/// Things that they command.
const THINGS: usize = 3;
/// Commands accepted between two kills; another prime for each, so that no kill falls where the last one did.
const BETWEEN_KILLS: [u64; 5] = [23, 41, 67, 89, 113];
/// Time to live of the commands, in seconds: what is lost between two kills ends soon after.
const TTL_S: u32 = 20;
/// For everything to end once the kills are over.
const ALL_ENDED_WITHIN: Duration = Duration::from_secs(60);
/// Of the daemon to take commands again, or to accept the next few.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);
/// Before a caller tries again to reach a daemon that is down.
const DOWN_PAUSE: Duration = Duration::from_millis(5);

/// What callers were told.
#[derive(Default)]
struct Told {
    stop: AtomicBool,
    accepted: AtomicU64,
    /// By execution: the number that its command carried, and its end where one was reported.
    executions: Mutex<HashMap<String, (u64, Option<Value>)>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_told_is_lost_or_contradicted_over_twenty_kills() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let _devices = connect_devices(&world).await?;
    let told = Arc::new(Told::default());
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(call(world.fleets.clone(), told.clone(), caller));
    }
    // Calls that wait for their answer are cut off by the kills, too.
    let (huawei, stopping) = (world.huawei.clone(), told.clone());
    callers.spawn(async move {
        while !stopping.stop.load(Ordering::Relaxed) {
            if huawei.command(METER, "ON_OFF", &json!({ "value": "ON" })).await.is_err() {
                tokio::time::sleep(DOWN_PAUSE).await;
            }
        }
    });

    let mut goal = 0;
    for (kill, more) in (0..KILLS).zip(BETWEEN_KILLS.iter().cycle()) {
        goal += more;
        wait::until(&format!("{goal} accepted commands before kill {kill}"), PROGRESS_WITHIN, || async {
            Ok((told.accepted.load(Ordering::Relaxed) >= goal).then_some(()))
        })
        .await?;
        world.daemon.kill().await?;
        world.daemon.start_again().await?;
        goal = goal.max(told.accepted.load(Ordering::Relaxed));
    }
    told.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended?;
    }
    let executions = std::mem::take(&mut *lock(&told));
    eprintln!("{} commands were accepted over {KILLS} kills", executions.len());
    compare(&world, executions).await
}

async fn connect_devices(world: &World) -> anyhow::Result<Vec<Device>> {
    let mut connected = vec![world.device(METER, Behaviour::Answer).await?];
    for number in 0..THINGS {
        world.admin.add_device(&devices::fleets_record(&thing(number))).await?;
        connected.push(world.thing(&thing(number), Behaviour::Answer).await?);
    }
    Ok(connected)
}

fn thing(number: usize) -> String {
    format!("thing-{number}")
}

/// Sends commands, each with a number of its own, and notes every answer. A call without an answer proves nothing.
async fn call(fleets: dragoman_e2e::Fleets, told: Arc<Told>, caller: usize) {
    let mut previous: Option<String> = None;
    let mut number = caller as u64;
    while !told.stop.load(Ordering::Relaxed) {
        number += CALLERS as u64;
        match fleets.accepted(&thing(caller % THINGS), "setTemperature", &json!({ "value": number }), TTL_S).await {
            Ok(id) => {
                lock(&told).insert(id.clone(), (number, None));
                told.accepted.fetch_add(1, Ordering::Relaxed);
                // What became of the command before this one, as far as it got.
                if let Some(id) = previous.replace(id)
                    && let Ok(execution) = fleets.execution(&id).await
                    && execution["status"] != "SENT"
                    && let Some((_, end)) = lock(&told).get_mut(&id)
                {
                    *end = Some(execution);
                }
            }
            Err(_) => tokio::time::sleep(DOWN_PAUSE).await,
        }
    }
}

/// Every command that was accepted is there and has ended; what was told of an end is what is told now.
async fn compare(world: &World, executions: HashMap<String, (u64, Option<Value>)>) -> anyhow::Result<()> {
    let mut ends: HashMap<String, usize> = HashMap::new();
    for (id, (number, reported)) in executions {
        let ended = world.fleets.ended(&id, ALL_ENDED_WITHIN).await.with_context(|| format!("command {number}"))?;
        let status = ended["status"].as_str().unwrap_or_default().to_owned();
        match status.as_str() {
            "SUCCEEDED" => assert_eq!(ended["result"], json!({ "currentTemperature": number }), "{ended}"),
            "TIMED_OUT" => {}
            // Three kills fell between its dispatch and the device's receipt; that it may have been lost is the truth.
            "FAILED" if ended["statusReason"]["reasonCode"] == "UNDELIVERED" => {}
            other => anyhow::bail!("command {number} ended as {other}, which nobody asked for: {ended}"),
        }
        if let Some(reported) = reported {
            let (reported, ended) = (without_update(reported), without_update(ended));
            assert_eq!(reported, ended, "what was told before a kill is not what is told now");
        }
        *ends.entry(status).or_default() += 1;
    }
    eprintln!("they ended as {ends:?}");
    ensure!(ends.get("SUCCEEDED").is_some_and(|count| *count > 0), "no command succeeded, so nothing was tested");
    Ok(())
}

/// A thing that was asked twice answers twice. The second answer is late: it adds a line to the history, and so changes
/// when the execution was updated, and nothing else.
fn without_update(mut execution: Value) -> Value {
    if let Some(members) = execution.as_object_mut() {
        members.remove("updatedAt");
    }
    execution
}

fn lock(told: &Told) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Option<Value>)>> {
    told.executions.lock().unwrap_or_else(PoisonError::into_inner)
}
