//! Going on after a restart.

use super::Machine;
use super::input::Effect;
use super::lanes::Shut;
use crate::execution::{Execution, Phase, Stage};
use crate::intent::ExecutionId;

impl Machine {
    /// Takes over an execution that was open when the process stopped, before the first input. What it waited for is
    /// asked for again by [`Machine::recovered`]. One that has ended is left out.
    pub fn restore(&mut self, execution: Execution) {
        if !execution.state.is_final() {
            self.restored.push(execution);
        }
    }

    /// Effects that go on with what was restored. Called once, after the last [`Machine::restore`].
    ///
    /// Lanes are in the order of [`Execution::queue_position`], and where that is the same in the order of the calls of
    /// [`Machine::restore`]. Nobody is online. Plans are asked for again. What was being handed over waits for the
    /// shell to send its outbox again and answer [`super::Input::HandedOver`], or [`super::Input::Lost`] where it has
    /// nothing to send. Where the device has shown that it has some of it, it is not sent again: it counts as sent, and
    /// goes on waiting for the device. What is past its time ends with the next [`super::Input::Tick`].
    pub fn recovered(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let mut heard = Vec::new();
        let mut restored = std::mem::take(&mut self.restored);
        restored.sort_by_key(|execution| execution.queue_position);
        for execution in restored {
            let within_time = now_ms < execution.deadline_ms;
            if let Some(effect) = ask_again(&execution).filter(|_| within_time) {
                effects.push(effect);
            }
            if execution.phase == Phase::HandingOver && execution.told.heard {
                heard.push(execution.id.clone());
            }
            self.put_back(execution);
        }
        for id in heard {
            self.count_as_sent(now_ms, &id, effects);
        }
    }

    /// The device answered before the broker did, and the process stopped in between: the broker's answer will never
    /// come. How many receipts there should have been was part of it, so those that are missing are not waited for;
    /// that the device has all of it is known only where it said so itself.
    fn count_as_sent(&mut self, now_ms: u64, id: &ExecutionId, effects: &mut Vec<Effect>) {
        self.book.amend(id, |record| record.phase = Phase::AwaitingReply);
        self.note_sent(now_ms, id);
        self.conclude_if_reached(now_ms, id, effects);
    }

    fn put_back(&mut self, mut execution: Execution) {
        let id = execution.id.clone();
        execution.queue_position = self.book.next_position(execution.queue_position);
        self.book.insert(execution);
        let Some(entry) = self.book.entry_mut(&id) else { return };
        let record = &entry.record;
        if record.phase == Phase::Waiting {
            self.lanes.enter(record);
            self.lanes.engage_while_waiting(record);
        } else {
            entry.shut = Shut::of(&record.options, reached(record));
            self.lanes.enter_out(record, entry.shut);
        }
    }
}

fn ask_again(execution: &Execution) -> Option<Effect> {
    let id = execution.id.clone();
    let attempt = execution.attempt.saturating_add(1);
    match &execution.phase {
        Phase::Planning => Some(Effect::Plan { id, attempt }),
        Phase::Resuming(reply) => Some(Effect::Resume { id, attempt, reply: reply.clone() }),
        Phase::Waiting | Phase::HandingOver | Phase::AwaitingReply | Phase::Ended => None,
    }
}

/// How far the attempt that is out got. While one is being planned, what is told is of the attempt before.
fn reached(record: &Execution) -> Stage {
    if record.phase == Phase::Planning {
        Stage::Accepted
    } else if record.told.acked {
        Stage::Acked
    } else if record.told.sent {
        Stage::Sent
    } else {
        Stage::Accepted
    }
}
