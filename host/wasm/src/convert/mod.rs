//! Between the generated types and the host's own. Nothing is checked here, and nothing outside this crate sees a
//! generated type: a later version of the contract gets rooms of its own beside these.

mod answers;
mod records;
mod told;
mod vocabulary;

pub(crate) use answers::{
    decision, description, dispatched, handler_commands, request, response, settlement, step, verdict, wait,
};
pub(crate) use records::{attempt, device, execution, message, message_to_wit, policy, session, subscription};
pub(crate) use told::{
    answer, decoded, decoded_to_wit, event, event_to_wit, follower, question, subscription_verdict, to_decode,
    transition,
};
pub(crate) use vocabulary::{guest_error, intent, intent_to_wit, reason, reply_to_wit, report, stage, state};
