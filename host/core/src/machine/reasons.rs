//! The reasons that the machine itself gives. Their codes begin with `$`, which no plugin may use.
//!
//! The machine never looks at a code: what a plugin writes into one cannot change what happens.

use crate::execution::Reason;

/// Its time to live was over before anything was on its way to a broker.
pub const EXPIRED_IN_QUEUE: &str = "$EXPIRED_IN_QUEUE";
/// Its time to live was over after a broker had it, or may have had it.
pub const NO_RESPONSE: &str = "$NO_RESPONSE";
/// The device is not online.
pub const AWAY: &str = "$AWAY";
/// The device does not subscribe to the topic.
pub const NO_SUBSCRIBER: &str = "$NO_SUBSCRIBER";
/// Every attempt was lost.
pub const UNDELIVERED: &str = "$UNDELIVERED";
/// Somebody took it back.
pub const CANCELED: &str = "$CANCELED";
/// Its device is no longer registered.
pub const REMOVED: &str = "$REMOVED";
/// It gave way to a newer command.
pub const REPLACED: &str = "$REPLACED";
/// It was planned as often as one command may be, and has not come to its end.
pub const LIMIT: &str = "$LIMIT";
/// It counts as a success, but the device's dialect cannot tell as much as the caller wished to know.
pub const DELIVERED_ONLY: &str = "$DELIVERED_ONLY";

/// Every code that the machine puts into a record, for tables and tests.
pub const ALL: [&str; 10] = [
    EXPIRED_IN_QUEUE,
    NO_RESPONSE,
    AWAY,
    NO_SUBSCRIBER,
    UNDELIVERED,
    CANCELED,
    REMOVED,
    REPLACED,
    LIMIT,
    DELIVERED_ONLY,
];

pub(super) fn expired_in_queue() -> Reason {
    Reason::new(EXPIRED_IN_QUEUE, "the time to live was over before the command could be sent")
}

pub(super) fn no_response() -> Reason {
    Reason::new(NO_RESPONSE, "the device did not answer within the command's time to live")
}

pub(super) fn away() -> Reason {
    Reason::new(AWAY, "the device is not online")
}

pub(super) fn no_subscriber() -> Reason {
    Reason::new(NO_SUBSCRIBER, "the device is online but does not subscribe to the command's topic")
}

pub(super) fn undelivered(lost: u32, why: &str) -> Reason {
    let times = if lost == 1 { "once".to_owned() } else { format!("{lost} times") };
    Reason::new(UNDELIVERED, format!("the command was lost {times} without a receipt, the last time because {why}"))
}

pub(super) fn canceled() -> Reason {
    Reason::new(CANCELED, "the command was taken back")
}

pub(super) fn removed() -> Reason {
    Reason::new(REMOVED, "the device was removed")
}

pub(super) fn replaced() -> Reason {
    Reason::new(REPLACED, "a newer command took its place in a full queue")
}

pub(super) fn limit(attempts_max: u32) -> Reason {
    Reason::new(
        LIMIT,
        format!("the command took {attempts_max} attempts, the limit for one command, and has not come to its end"),
    )
}

pub(super) fn delivered_only() -> Reason {
    Reason::new(DELIVERED_ONLY, "delivered; the device's dialect cannot tell what became of it")
}
