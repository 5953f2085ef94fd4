//! What a start makes of what the last run left.

use super::engine::{Engine, Step, Stopped};
use dragoman_core::{Execution, Input, Phase, Stage};
use dragoman_store::{StoreError, Write};

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
pub async fn recover(engine: &Engine) -> Result<usize, RecoveryError> {
    let mut lost = Vec::new();
    let mut unheard = Vec::new();
    let mut last_ms = 0;
    let mut open = 0;
    engine
        .journal()
        .load_open(|execution| {
            open += 1;
            let unacknowledged = execution.phase == Phase::AwaitingReply && execution.receipts_missing > 0;
            last_ms = last_ms.max(execution.updated_ms);
            if unacknowledged || execution.phase == Phase::HandingOver {
                lost.push((execution.id.clone(), execution.attempt));
            } else if awaits_network(&execution) {
                unheard.push((execution.updated_ms, execution.id.clone(), execution.attempt));
            }
            engine.restore(execution);
        })
        .await?;
    let recent = unheard.into_iter().filter(|(sent_ms, ..)| last_ms.saturating_sub(*sent_ms) <= ON_ITS_WAY_MS);
    lost.extend(recent.map(|(_, id, attempt)| (id, attempt)));
    let rows = engine.journal().outbox().await?;
    engine.outbox_continues_after(rows.last().map_or(0, |row| row.seq));
    engine.positions_continue_after(engine.journal().last_position().await?);
    engine.recovered()?;
    let mut steps: Vec<Step> = rows.iter().map(|row| Step::Write(Write::OutboxRemove(row.seq))).collect();
    steps.extend(lost.into_iter().map(|(id, attempt)| {
        Step::Input(Input::Lost { id, attempt, why: "the gateway restarted before the device acknowledged it".into() })
    }));
    // In turns of a bounded size, for there may be as many as may be open.
    while !steps.is_empty() {
        let rest = steps.split_off(steps.len().min(TURN_MAX));
        engine.turn(std::mem::replace(&mut steps, rest), None)?;
        engine.has_room().await?;
    }
    Ok(open)
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
