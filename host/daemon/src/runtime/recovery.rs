//! What a start makes of what the last run left.

use super::engine::{Engine, Step, Stopped};
use super::versions::lost_step;
use dragoman_core::{DeviceId, Execution, ExecutionId, Input, Phase, Stage};
use dragoman_store::{StoreError, Write};
use dragoman_wasm::LostVersion;
use std::collections::{BTreeSet, HashSet};

/// Why the state of the last run could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Steps of one turn.
const TURN_MAX: usize = 1_000;
/// So long before the last sign of work a message without a receipt may still have been on its way to its socket.
const ON_ITS_WAY_MS: u64 = 5_000;

/// Loads what was open and goes on with it. Tells how many executions that are. Before the broker starts: nobody is
/// connected.
///
/// The broker of the last run is gone, and with it every message it had not delivered. An attempt that was being handed
/// over, or that some device had not acknowledged, has no receipt; it is told as lost, so that it is tried again where
/// its command allows it. The rows of the outbox belong to those attempts and go with them.
///
/// A network that tells a receipt of its own, and until then is sent nothing more for that device, takes its messages at
/// QoS 0: no PUBACK shows that it has one. What had been handed over for it a moment before the end, and was not heard of
/// since, is told as lost too; else the device would wait for its time to live. So such a message may reach the network
/// twice after a kill.
///
/// An external broker is still there. The rows of a device that is at one, by its dialect, stay and are handed over again
/// once there is a connection. A row goes when that broker has its message, so one that had it just before the end may get
/// it twice.
///
/// `recall` loads versions of plugins, by name and digest, that what is open needs, and tells which are lost. An execution
/// that keeps to one of those goes over to the newest, with a line in its history.
pub async fn recover(
    engine: &Engine,
    is_outside: impl Fn(&str) -> bool,
    recall: impl AsyncFnOnce(Vec<(String, String)>) -> Vec<LostVersion>,
) -> Result<usize, RecoveryError> {
    let mut needed = BTreeSet::new();
    let mut pinned = Vec::new();
    let mut lost = Vec::new();
    let mut unheard = Vec::new();
    let mut last_ms = 0;
    let mut open = 0;
    engine
        .journal()
        .load_open(|execution| {
            open += 1;
            needed.extend(execution.needs().map(|(name, digest)| (name.to_owned(), digest.to_owned())));
            if let Some(digest) = execution.pinned() {
                pinned.push((execution.id.clone(), digest.to_owned()));
            }
            let unacknowledged = execution.phase == Phase::AwaitingReply && execution.receipts_missing > 0;
            last_ms = last_ms.max(execution.updated_ms);
            if unacknowledged || execution.phase == Phase::HandingOver {
                lost.push((execution.id.clone(), execution.attempt));
            } else if awaits_network(&execution) {
                let attempt = (execution.id.clone(), execution.attempt);
                unheard.push((execution.updated_ms, execution.holder.clone(), attempt));
            }
            engine.restore(execution);
        })
        .await?;
    for (sent_ms, holder, attempt) in unheard {
        let recent = last_ms.saturating_sub(sent_ms) <= ON_ITS_WAY_MS;
        if recent && !reached_outside(engine, &holder, &is_outside).await? {
            lost.push(attempt);
        }
    }
    let all = engine.journal().outbox().await?;
    engine.outbox_continues_after(all.last().map_or(0, |row| row.seq));
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    for row in all {
        match reached_outside(engine, &row.to_device, &is_outside).await? {
            true => rows.push(row),
            false => gone.push(row),
        }
    }
    let kept: HashSet<(&ExecutionId, u32)> = rows.iter().map(|row| (&row.execution, row.attempt)).collect();
    lost.retain(|(id, attempt)| !kept.contains(&(id, *attempt)));
    engine.positions_continue_after(engine.journal().last_position().await?);
    // Before anything goes on, because what goes on may need them.
    let versions_lost = recall(needed.into_iter().collect()).await;
    for LostVersion { plugin, digest, why } in &versions_lost {
        tracing::error!(
            plugin,
            digest,
            "a version of plugin {plugin} is lost, and commands that need it go over to the newest: {why}"
        );
    }
    engine.recovered(&rows)?;
    let mut steps: Vec<Step> = gone.iter().map(|row| Step::Write(Write::OutboxRemove(row.seq))).collect();
    steps.extend(lost.into_iter().map(|(id, attempt)| {
        Step::Input(Input::Lost { id, attempt, why: "the gateway restarted before the device acknowledged it".into() })
    }));
    steps.extend(pinned.iter().filter_map(|(id, digest)| {
        versions_lost.iter().find(|lost| lost.digest == *digest).map(|lost| lost_step(id, lost))
    }));
    // In turns of a bounded size, for there may be as many as may be open.
    while !steps.is_empty() {
        let rest = steps.split_off(steps.len().min(TURN_MAX));
        engine.turn(std::mem::replace(&mut steps, rest), None)?;
        engine.has_room().await?;
    }
    Ok(open)
}

async fn reached_outside(
    engine: &Engine,
    device: &DeviceId,
    is_outside: &impl Fn(&str) -> bool,
) -> Result<bool, StoreError> {
    Ok(engine.journal().device(device).await?.is_some_and(|record| is_outside(&record.dialect)))
}

/// Whether an attempt is out of which nothing was heard, at a network whose receipt lets the device's next one go, and
/// another may follow it. One that would be the last goes on waiting: its answer may still come.
fn awaits_network(execution: &Execution) -> bool {
    let used = execution.lost.saturating_add(execution.failed).saturating_add(1);
    execution.phase == Phase::AwaitingReply
        && used < execution.options.attempts
        && execution.options.device_window >= Stage::Acked
        && !execution.told.acked
        && !execution.told.heard
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use dragoman_core::{
        DeviceId, ExecutionId, Intent, Invocation, Limits, Options, Overflow, Owner, Place, Submission, WhenAway,
    };
    use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
    use dragoman_store::{Durability, Journal, JournalOptions, TransitionQuery};
    use std::path::Path;
    use std::sync::Arc;

    fn engine(folder: &Path) -> Engine {
        let backend = SqliteBackend::open(folder.join("store.db"), &SqliteOptions::default()).unwrap();
        let journal = Journal::start(Arc::new(backend), JournalOptions::default()).unwrap();
        Engine::new(journal, Limits { open_max: 10, open_per_device_max: 10 }, Durability::Committed)
    }

    /// A command that waits for a device that is away.
    fn submit(id: &str) -> Step {
        Step::Input(Input::Submit(Box::new(Submission {
            id: ExecutionId::new(id),
            device: DeviceId::new("lamp"),
            holder: DeviceId::new("lamp"),
            intent: Intent::Invoke(Invocation { service: None, action: "on".into(), params: "null".into() }),
            options: Options {
                ttl_ms: 60_000,
                succeeds_at: Stage::Ended,
                lowered: false,
                when_away: WhenAway::Queue,
                queue: "commands".into(),
                window: Stage::Acked,
                device_window: Stage::Accepted,
                queue_limit: 10,
                overflow: Overflow::RefuseNewest,
                attempts: 1,
                backoff_ms: 0,
                failed_to: Place::Tail,
            },
            origin: "acme-things".into(),
            alias: None,
            context: None,
            labels: Vec::new(),
            idempotency: None,
            prior: None,
            handler: None,
            owner: Owner { node: "one".into(), lease_until_ms: u64::MAX },
        })))
    }

    #[tokio::test]
    async fn positions_rise_over_all_lines_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..3_u64 {
            let engine = engine(folder.path());
            recover(&engine, |_| false, async |_| Vec::new()).await.unwrap();
            let names = [format!("a{round}"), format!("b{round}")];
            engine.turn(names.iter().map(|name| submit(name)).collect(), None).unwrap();
            // A line that comes later, past the machine.
            let amended = ExecutionId::new(names[0].clone());
            let execution = engine.journal().execution(&amended).await.unwrap().unwrap();
            let lines = engine.journal().history(&amended).await.unwrap();
            let lines = lines.into_iter().map(|line| dragoman_core::Transition { seq: 9, ..line }).collect();
            engine.turn(vec![Step::Amend { execution, lines }], None).unwrap();
            engine.turn(vec![submit(&format!("c{round}"))], None).unwrap();
            let all = TransitionQuery {
                origin: "acme-things".into(),
                after: 0,
                up_to: None,
                since_ms: None,
                labels: Vec::new(),
                limit: 100,
            };
            let found = engine.journal().transitions(all).await.unwrap();
            let told: Vec<(u64, String)> =
                found.into_iter().map(|(position, id, _)| (position, id.to_string())).collect();
            let expected = (0..=round).flat_map(|round| ["a", "b", "a", "c"].map(|name| format!("{name}{round}")));
            assert_eq!(told, (1..).zip(expected).collect::<Vec<_>>());
            engine.journal().close().await.unwrap();
        }
    }
}
