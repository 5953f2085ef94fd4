//! Bounds of what the exports answer.

use crate::check::{self, Bounds, Checked, ITEMS_MAX, STATE_MAX_BYTES, TEXT_MAX_BYTES};
use crate::error::Fault;
use crate::imports::is_device_id;
use crate::words::{
    Decision, Decoded, Dispatched, HandlerCommand, Outgoing, Response, Step, SubscriptionVerdict, Verdict, Wait,
};

/// Commands that a handler describes.
const COMMANDS_MAX: usize = 256;
const UNWAITED: &str = "it submitted or asked something and answered without waiting for it";

impl Bounds {
    pub(crate) fn verdict(&self, verdict: &Verdict) -> Checked {
        let Verdict::Accept(grant) = verdict else { return Ok(()) };
        check::name("a principal", &grant.principal)?;
        if let Some(device) = grant.device.as_ref().filter(|device| !is_device_id(device.as_str())) {
            return Err(Fault::DoesNotFit(format!("`{:.200}` is not a device id", device.as_str())));
        }
        check::policy(&grant.policy)
    }

    /// A call that submitted or asked must wait; any other must respond.
    pub(crate) fn decision(&self, decision: &Decision, must_wait: bool) -> Checked {
        match decision {
            Decision::Respond(_) if must_wait => Err(Fault::DoesNotFit(UNWAITED.into())),
            Decision::Respond(response) => self.response(response),
            Decision::Wait(wait) => self.wait(wait, must_wait),
        }
    }

    /// As [`Bounds::decision`], where nobody waits for a response.
    pub(crate) fn wait_option(&self, wait: Option<&Wait>, must_wait: bool) -> Checked {
        match wait {
            None if must_wait => Err(Fault::DoesNotFit(UNWAITED.into())),
            None => Ok(()),
            Some(wait) => self.wait(wait, must_wait),
        }
    }

    fn wait(&self, wait: &Wait, must_wait: bool) -> Checked {
        if !must_wait {
            return Err(Fault::DoesNotFit("it waits but submitted nothing to wait for".into()));
        }
        self.json("the context of a wait", &wait.context)
    }

    /// As [`Bounds::decision`], where somebody may wait for a response or not.
    pub(crate) fn decision_option(&self, decision: Option<&Decision>, must_wait: bool) -> Checked {
        match decision {
            Some(decision) => self.decision(decision, must_wait),
            None => self.wait_option(None, must_wait),
        }
    }

    pub(crate) fn subscription(verdict: &SubscriptionVerdict) -> Checked {
        match verdict {
            SubscriptionVerdict::Rewritten(filter) => check::filter(filter),
            SubscriptionVerdict::AsAsked | SubscriptionVerdict::Refuse => Ok(()),
        }
    }

    pub(crate) fn decoded(&self, decoded: &Decoded) -> Checked {
        self.json("what a payload means", &decoded.value)?;
        check::count("warnings of a decoder", decoded.warnings.len(), 0, ITEMS_MAX)?;
        decoded.warnings.iter().try_for_each(|text| check::size("a decoder's warning", text.len(), TEXT_MAX_BYTES))
    }

    pub(crate) fn response(&self, response: &Response) -> Checked {
        if !(200..=599).contains(&response.status) {
            return Err(Fault::DoesNotFit(format!("{} is not the status of an answer", response.status)));
        }
        check::attributes("headers of a response", &response.headers)?;
        check::size("the body of a response", response.body.as_bytes().len(), self.response_max_bytes)
    }

    pub(crate) fn dispatched(&self, dispatched: &Dispatched) -> Checked {
        match dispatched {
            Dispatched::Send(messages) => {
                check::count("messages of an attempt", messages.len(), 0, ITEMS_MAX)?;
                messages.iter().try_for_each(|outgoing| self.outgoing(outgoing))
            }
            Dispatched::Done(outcome) => self.outcome(outcome),
            Dispatched::Unsupported(reason) => self.reason(reason),
        }
    }

    fn outgoing(&self, Outgoing { message, correlation, .. }: &Outgoing) -> Checked {
        self.message(message)?;
        let Some(about) = correlation else { return Ok(()) };
        check::name("a correlation key", &about.key)?;
        if is_device_id(about.reporter.as_str()) {
            return Ok(());
        }
        Err(Fault::DoesNotFit(format!("the reporter `{:.200}` is not a device id", about.reporter.as_str())))
    }

    pub(crate) fn step(&self, step: &Step) -> Checked {
        match step {
            Step::Send(plan) => {
                check::count("frames of a step", plan.frames.len(), 1, ITEMS_MAX)?;
                plan.frames.iter().try_for_each(|frame| self.intent(frame))?;
                check::size("the state of a handler", plan.state.len(), STATE_MAX_BYTES)?;
                self.json("the state of a handler", &plan.state)
            }
            Step::Finish(outcome) => self.outcome(outcome),
        }
    }

    pub(crate) fn handler_commands(&self, commands: &[HandlerCommand]) -> Checked {
        check::count("commands of a handler", commands.len(), 0, COMMANDS_MAX)?;
        commands.iter().try_for_each(|command| {
            check::name("a command's name", &command.name)?;
            check::size("a command's summary", command.summary.len(), TEXT_MAX_BYTES)?;
            self.json_option("a command's schema", command.params_schema.as_deref())
        })
    }
}
