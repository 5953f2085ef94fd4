//! Between the generated types and the host's own. Nothing is checked here, and nothing outside this crate sees a
//! generated type: a later version of the contract gets rooms of its own beside these.

mod answers;
mod records;
mod vocabulary;

pub(crate) use answers::{
    decision, description, dispatched, handler_commands, request, response, settlement, step, verdict,
};
pub(crate) use records::{attempt, device, execution, message_to_wit, session};
pub(crate) use vocabulary::{guest_error, intent, intent_to_wit, reply_to_wit, report, stage, state};
