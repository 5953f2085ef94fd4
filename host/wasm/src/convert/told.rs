//! What a plugin is told of what happened, and what it says of it: transitions, events, questions and answers.

use super::vocabulary::{
    delivery, delivery_to_wit, intent, intent_to_wit, payload, payload_to_wit, reason_to_wit, state_to_wit,
};
use crate::bindings::dragoman::gateway::{asks, types as wit};
use crate::bindings::exports::dragoman::gateway::{
    answers as wit_answers, decoder as wit_decoder, notifications as wit_notifications,
    subscriptions as wit_subscriptions,
};
use crate::words::{Answer, Decoded, DeviceEvent, Direction, Follower, Question, SubscriptionVerdict};
use dragoman_core::{Delivery, DeviceId, Transition};

pub(crate) fn transition(line: &Transition) -> wit::Transition {
    wit::Transition {
        seq: line.seq,
        at_ms: line.at_ms,
        event: line.event.word().to_owned(),
        state: state_to_wit(line.state),
        attempt: line.attempt,
        reason: line.reason.as_ref().map(reason_to_wit),
        detail: line.detail.clone(),
        attributes: line.attributes.clone(),
    }
}

pub(crate) fn follower(Follower { session, tag }: &Follower) -> wit_notifications::Follower {
    wit_notifications::Follower { session: session.to_string(), tag: tag.clone() }
}

pub(crate) fn event(event: wit::Event) -> DeviceEvent {
    DeviceEvent {
        device: DeviceId::new(event.device),
        kind: event.kind,
        name: event.name,
        at_ms: event.at_ms,
        raw: event.raw.map(payload),
        body: event.body,
        attributes: event.attributes,
    }
}

pub(crate) fn event_to_wit(event: &DeviceEvent) -> wit::Event {
    wit::Event {
        device: event.device.to_string(),
        kind: event.kind.clone(),
        name: event.name.clone(),
        at_ms: event.at_ms,
        raw: event.raw.as_ref().map(payload_to_wit),
        body: event.body.clone(),
        attributes: event.attributes.clone(),
    }
}

pub(crate) fn decoded(wit::Decoded { value, warnings }: wit::Decoded) -> Decoded {
    Decoded { value, warnings }
}

pub(crate) fn decoded_to_wit(decoded: &Decoded) -> wit::Decoded {
    wit::Decoded { value: decoded.value.clone(), warnings: decoded.warnings.clone() }
}

pub(crate) fn to_decode(direction: Direction, what: &Delivery) -> (wit_decoder::Direction, wit::Delivery) {
    let direction = match direction {
        Direction::Up => wit_decoder::Direction::Up,
        Direction::Down => wit_decoder::Direction::Down,
    };
    (direction, delivery_to_wit(what))
}

pub(crate) fn question(question: asks::Question) -> Question {
    match question {
        asks::Question::Plan(what) => Question::Plan(intent(what)),
        asks::Question::DecodeUp(what) => Question::DecodeUp(delivery(what)),
        asks::Question::DecodeDown(what) => Question::DecodeDown(delivery(what)),
    }
}

pub(crate) fn answer(answer: &Answer) -> wit_answers::Answer {
    match answer {
        Answer::Frames(frames) => wit_answers::Answer::Frames(frames.iter().map(intent_to_wit).collect()),
        Answer::Decoded(decoded) => wit_answers::Answer::Decoded(decoded_to_wit(decoded)),
        Answer::Refused(why) => wit_answers::Answer::Refused(reason_to_wit(why)),
    }
}

pub(crate) fn subscription_verdict(verdict: wit_subscriptions::Verdict) -> SubscriptionVerdict {
    match verdict {
        wit_subscriptions::Verdict::AsAsked => SubscriptionVerdict::AsAsked,
        wit_subscriptions::Verdict::Rewritten(filter) => SubscriptionVerdict::Rewritten(filter),
        wit_subscriptions::Verdict::Refuse => SubscriptionVerdict::Refuse,
    }
}
