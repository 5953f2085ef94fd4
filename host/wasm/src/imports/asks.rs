//! `asks`: questions to a device's handler.

use super::ASKED_AND_SUBMITTED;
use super::draft::{delivery_bytes, intent_bytes};
use crate::access::Import;
use crate::bindings::dragoman::gateway::asks;
use crate::check;
use crate::convert;
use crate::error::Fault;
use crate::state::State;
use crate::words::Question;
use dragoman_core::DeviceId;

/// Questions of one call.
const QUESTIONS_MAX: usize = 1000;

impl asks::Host for State {
    fn ask(&mut self, device: String, question: asks::Question) -> wasmtime::Result<()> {
        self.call.enter(Import::Ask)?;
        if self.call.submissions > 0 {
            return Err(Fault::DoesNotFit(ASKED_AND_SUBMITTED.into()).into());
        }
        let question = convert::question(question);
        check::name("the device of a question", &device)?;
        check::count("questions", self.call.questions.len() + 1, 1, QUESTIONS_MAX)?;
        let bytes = match &question {
            Question::Plan(intent) => {
                self.call.facts.bounds.intent(intent)?;
                intent_bytes(intent)
            }
            Question::DecodeUp(delivery) | Question::DecodeDown(delivery) => {
                self.call.facts.bounds.delivery(delivery)?;
                delivery_bytes(delivery)
            }
        };
        self.call.charge(device.len() + bytes)?;
        self.call.questions.push((DeviceId::new(device), question));
        Ok(())
    }
}
