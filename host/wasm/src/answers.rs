//! Bounds of what the exports answer.

use crate::check::{self, Bounds, Checked, ITEMS_MAX, NAME_MAX_BYTES, STATE_MAX_BYTES, TEXT_MAX_BYTES};
use crate::error::Fault;
use crate::imports::is_device_id;
use crate::words::{Decision, Dispatched, HandlerCommand, Outgoing, Response, Step, Verdict};
use dragoman_core::{Policy, Subscription, topic};

/// Filters in one list of a policy.
const FILTERS_MAX: usize = 256;
/// Commands that a handler describes.
const COMMANDS_MAX: usize = 256;

impl Bounds {
    pub(crate) fn verdict(&self, verdict: &Verdict) -> Checked {
        let Verdict::Accept(grant) = verdict else { return Ok(()) };
        check::name("a principal", &grant.principal)?;
        if let Some(device) = grant.device.as_ref().filter(|device| !is_device_id(device.as_str())) {
            return Err(Fault::DoesNotFit(format!("`{:.200}` is not a device id", device.as_str())));
        }
        let Policy { publish, subscribe, receive, implicit } = &grant.policy;
        for (what, filters) in [("publish", publish), ("subscribe", subscribe), ("receive", receive)] {
            check::count(&format!("{what} filters of a policy"), filters.len(), 0, FILTERS_MAX)?;
            filters.iter().try_for_each(|filter| valid_filter(filter))?;
        }
        check::count("implicit subscriptions of a policy", implicit.len(), 0, FILTERS_MAX)?;
        implicit.iter().try_for_each(|Subscription { filter, qos }| {
            valid_filter(filter)?;
            valid_qos(*qos, 2)
        })
    }

    /// A call that submitted must wait; a call that submitted nothing must respond.
    pub(crate) fn decision(&self, decision: &Decision, submissions: u32) -> Checked {
        match decision {
            Decision::Respond(_) if submissions > 0 => {
                Err(Fault::DoesNotFit("it submitted a command and answered without waiting for it".into()))
            }
            Decision::Wait { .. } if submissions == 0 => {
                Err(Fault::DoesNotFit("it waits but submitted nothing to wait for".into()))
            }
            Decision::Respond(response) => self.response(response),
            Decision::Wait { context, .. } => self.json("the context of a wait", context),
        }
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
                check::count("messages of an attempt", messages.len(), 1, ITEMS_MAX)?;
                messages.iter().try_for_each(|outgoing| self.outgoing(outgoing))
            }
            Dispatched::Done(outcome) => self.outcome(outcome),
            Dispatched::Unsupported(reason) => self.reason(reason),
        }
    }

    fn outgoing(&self, Outgoing { message, correlation, .. }: &Outgoing) -> Checked {
        if let Err(problem) = topic::check_name(&message.topic) {
            return Err(Fault::DoesNotFit(format!("`{:.200}` is not a topic: {problem}", message.topic)));
        }
        valid_qos(message.qos, 1)?;
        self.payload("the payload of a message", &message.payload)?;
        check::attributes("attributes of a message", &message.attributes)?;
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

fn valid_filter(filter: &str) -> Checked {
    check::size("a topic filter", filter.len(), NAME_MAX_BYTES)?;
    topic::check_filter(filter)
        .map_err(|problem| Fault::DoesNotFit(format!("`{filter}` is not a topic filter: {problem}")))
}

fn valid_qos(qos: u8, max: u8) -> Checked {
    if qos > max {
        return Err(Fault::DoesNotFit(format!("QoS {qos} is not one of 0 to {max}")));
    }
    Ok(())
}
