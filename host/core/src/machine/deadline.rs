//! Time, absence, and taking back.

use super::Machine;
use super::book::Line;
use super::input::{Answer, Effect};
use super::reasons;
use super::step::Ending;
use crate::execution::{Event, Phase, Reply, State};
use crate::intent::{DeviceId, ExecutionId};

impl Machine {
    /// What has been due the longest, so many deadlines at most. Of one execution the end of the time to live goes
    /// before the end of a step's, or of a rest.
    pub(super) fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) -> Answer {
        for _ in 0..Self::TICK_MAX {
            let Some(id) = self.book.first_due(now_ms) else { break };
            let Some(record) = self.standing(&id) else { break };
            if now_ms >= record.deadline_ms {
                self.time_out(now_ms, &id, effects);
            } else if record.phase == Phase::Waiting {
                self.rest_is_over(&id);
            } else {
                self.resume(now_ms, &id, Reply::Silence, Event::Silence, Line::default(), effects);
                continue;
            }
            // Whatever else of the device is past its time is due, too, and ends when it is counted here.
            self.serve_within_time(now_ms, &record.device, effects);
        }
        Answer::Taken
    }

    /// It has waited long enough since its attempt failed.
    fn rest_is_over(&mut self, id: &ExecutionId) {
        self.book.amend(id, |record| record.not_before_ms = None);
        if let Some(record) = self.book.get(id).map(|entry| &entry.record) {
            self.lanes.rested(record);
        }
    }

    /// The holder's session closed: what waits for its turn and may not wait for a session fails. What is out is
    /// heard of when the broker says so.
    pub(super) fn went_offline(&mut self, now_ms: u64, holder: &DeviceId, effects: &mut Vec<Effect>) -> Answer {
        for id in self.lanes.went_offline(holder) {
            let Some(record) = self.standing(&id) else { continue };
            self.finish(now_ms, &id, Ending::Host(State::Failed, reasons::away()), effects);
            self.serve(now_ms, &record.device, effects);
        }
        Answer::Taken
    }

    /// Somebody takes it back.
    pub(super) fn cancel(&mut self, now_ms: u64, id: &ExecutionId, effects: &mut Vec<Effect>) -> Answer {
        let Some(record) = self.standing(id) else { return Answer::Stale };
        self.finish(now_ms, id, Ending::Host(State::Canceled, reasons::canceled()), effects);
        self.serve(now_ms, &record.device, effects);
        Answer::Taken
    }

    /// The device is gone for good: what is open for it, queued or out, ends. At most as many as may be open for one
    /// device.
    pub(super) fn remove(&mut self, now_ms: u64, device: &DeviceId, effects: &mut Vec<Effect>) -> Answer {
        for id in self.lanes.open_of(device) {
            self.finish(now_ms, &id, Ending::Host(State::Canceled, reasons::removed()), effects);
        }
        self.lanes.forget(device);
        Answer::Taken
    }
}
