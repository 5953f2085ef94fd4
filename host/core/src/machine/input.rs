//! What goes into the machine and what comes out of it.

use crate::execution::{Correlation, Execution, Idempotency, Options, Outcome, Owner, Reason, Reply, Transition};
use crate::intent::{Attributes, DeviceId, ExecutionId, Intent, Json};
use std::sync::Arc;

/// Bounds of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Executions that may be open at once.
    pub open_max: usize,
    /// Executions that may be open for one device at once, over all queues.
    pub open_per_device_max: usize,
}

/// A command that already stands under the same key or alias, as the shell found it (open or ended).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prior {
    /// Its id.
    pub id: ExecutionId,
    /// The fingerprint it was made with; none where the alias, not the key, is the same.
    pub fingerprint: Option<u64>,
}

/// A command to be. The shell has checked that the device exists and that sizes are within limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Its id, made by the shell.
    pub id: ExecutionId,
    /// The device it is for.
    pub device: DeviceId,
    /// The device whose session carries it.
    pub holder: DeviceId,
    /// What is wanted.
    pub intent: Intent,
    /// How.
    pub options: Options,
    /// The dialect that submitted it.
    pub origin: Arc<str>,
    /// The origin's own id for it.
    pub alias: Option<String>,
    /// Opaque, for the origin.
    pub context: Option<Json>,
    /// At most 8.
    pub labels: Attributes,
    /// Against doubles.
    pub idempotency: Option<Idempotency>,
    /// What already stands under its key or alias.
    pub prior: Option<Prior>,
    /// The handler of the device. A device with a handler runs one execution at a time, whatever the window.
    pub handler: Option<Arc<str>>,
    /// Who carries it.
    pub owner: Owner,
}

/// Why a command, or a label of one, was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `$QUEUE_FULL`
    #[error("the device's queue {queue} holds {limit} commands, its limit; wait until some are done")]
    QueueFull {
        /// Its name.
        queue: Arc<str>,
        /// What it holds at most.
        limit: u32,
    },
    /// `$LIMIT`
    #[error("{what} are open, the limit; wait until some are done")]
    Limit {
        /// How many of what.
        what: String,
    },
    /// `$AWAY`
    #[error("the device is not online")]
    Away,
    /// `$DUPLICATE`
    #[error("execution {0} already has this alias")]
    Duplicate(ExecutionId),
    /// `$IDEMPOTENCY_CONFLICT`
    #[error("execution {0} was submitted with the same key for another device or intent")]
    IdempotencyConflict(ExecutionId),
    /// `$LIMIT`
    #[error("the execution has {limit} labels, the limit; set one of them to another value")]
    Labels {
        /// What it may have.
        limit: usize,
    },
    /// `$INVALID`
    #[error("{0}")]
    Invalid(String),
}

impl Refusal {
    /// The host's reason code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueFull { .. } => "$QUEUE_FULL",
            Self::Limit { .. } | Self::Labels { .. } => "$LIMIT",
            Self::Away => "$AWAY",
            Self::Duplicate(_) => "$DUPLICATE",
            Self::IdempotencyConflict(_) => "$IDEMPOTENCY_CONFLICT",
            Self::Invalid(_) => "$INVALID",
        }
    }
}

/// What the plugins made of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// Messages to send. The shell keeps them and puts them into the outbox when the answer is [`Answer::Taken`]. Where
    /// there are none, because the dialect has published what there was, it tells [`HandOver::Accepted`] without
    /// receipts in the same turn.
    Send {
        /// What was dispatched.
        frames: Vec<Intent>,
        /// Keys under which answers will come.
        correlations: Vec<Correlation>,
        /// Whether any report can come: a key is named, or the device's dialect may vouch for one. Where none can, the
        /// attempt counts as a success when the device has acknowledged it, where receipts are promised, else when it
        /// is sent; the reason is then `$DELIVERED_ONLY` where more was wished.
        answerable: bool,
        /// What the handler wants back at `resume`; none without a handler. None in a repetition: as it was.
        handler_state: Option<Json>,
        /// When to resume with silence, from now. None in a repetition: as long as before.
        reply_within_ms: Option<u32>,
        /// The plugins that planned it.
        digests: Attributes,
    },
    /// It is over and this is the outcome: the handler finished, or the dialect of a device without a handler has
    /// nothing to send.
    Done {
        /// The outcome.
        outcome: Outcome,
        /// The plugins that planned it.
        digests: Attributes,
    },
    /// The dialect has nothing to send for what the handler planned, and this is the answer to the handler's step.
    /// Without a handler the same as [`Planned::Done`].
    Answered {
        /// The outcome of the step.
        outcome: Outcome,
        /// What the handler planned.
        frames: Vec<Intent>,
        /// What the handler wants back at `resume`.
        handler_state: Option<Json>,
        /// The plugins that planned it.
        digests: Attributes,
    },
    /// The device's dialect has no words for it: ends failed with this reason.
    Unsupported(Reason),
    /// A plugin faulted: ends failed with this reason, whose code starts with `$`.
    Fault(Reason),
}

impl Planned {
    /// Whether it counts as an attempt: something is dispatched, or would be if the device's dialect had words for it.
    pub(super) fn is_an_attempt(&self, handled: bool) -> bool {
        match self {
            Self::Send { .. } => true,
            Self::Answered { .. } => handled,
            Self::Done { .. } | Self::Unsupported(_) | Self::Fault(_) => false,
        }
    }
}

/// What became of an attempt's messages at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// All are with the broker for an online session.
    Accepted {
        /// So many of them will be acknowledged by the device's PUBACK.
        receipts: u32,
    },
    /// The session is gone: waits again or fails with `$AWAY`.
    Away,
    /// The session does not subscribe to the topic: waits for a sign of life or fails with `$NO_SUBSCRIBER`.
    NoSubscriber,
}

/// A device's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It works on it.
    Progress(Option<Json>),
    /// It has it.
    Acked(Option<Json>),
    /// Its verdict, for the step where a handler is at work.
    Ended(Outcome),
}

/// Attribute of a report [`Report::Acked`] that names its cause: `network` where a network's receipt says so, else the
/// device does.
pub const ACKED_CAUSE: &str = "acked.cause";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants something.
    Submit(Box<Submission>),
    /// A session of a device opened or closed.
    Presence {
        /// Whose session.
        holder: DeviceId,
        /// Whether it has one now. Told again when a newer session took over.
        online: bool,
    },
    /// The device subscribed, or may receive more: what waited for a subscriber may be tried again. That it is there is
    /// [`Input::Presence`].
    SignOfLife {
        /// Whose session.
        holder: DeviceId,
    },
    /// The plugins answered [`Effect::Plan`] or [`Effect::Resume`].
    Planned {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is about.
        attempt: u32,
        /// What they made of it.
        plan: Planned,
    },
    /// The broker answered.
    HandedOver {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is about.
        attempt: u32,
        /// What became of it.
        result: HandOver,
    },
    /// The device's own PUBACK for one message of the attempt.
    Puback {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is about.
        attempt: u32,
    },
    /// The broker lost a message of the attempt with no receipt.
    Lost {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is about.
        attempt: u32,
        /// What happened to it, a sentence for people.
        why: String,
    },
    /// A device reported.
    Report {
        /// The device of the session it came from.
        by: DeviceId,
        /// The key of the attempt.
        key: String,
        /// What it says.
        report: Report,
        /// In its dialect's vocabulary.
        attributes: Attributes,
    },
    /// A device reported, and its dialect vouches for who spoke. No key is named: it is about the execution, whatever
    /// attempt it is at, also before one was dispatched.
    ReportFor {
        /// The execution.
        id: ExecutionId,
        /// What it says.
        report: Report,
        /// In its dialect's vocabulary.
        attributes: Attributes,
    },
    /// The device's dialect says that an attempt came to nothing: it is tried again while attempts are left, else it is
    /// failed with this reason. What comes later under its key is [`Answer::Late`].
    AttemptFailed {
        /// The device of the session it came from.
        by: DeviceId,
        /// The key of the attempt.
        key: String,
        /// Why, for the history, and for the end where it was the last attempt.
        reason: Reason,
        /// In its dialect's vocabulary.
        attributes: Attributes,
    },
    /// Somebody remarks something: a line of the history.
    Note {
        /// The execution.
        id: ExecutionId,
        /// The remark.
        note: Json,
    },
    /// Sets a label, or adds it where there is room: no line of the history.
    Label {
        /// The execution.
        id: ExecutionId,
        /// Name of the label.
        name: String,
        /// Its value from now on.
        value: String,
    },
    /// It goes over from one version of a plugin to whichever is the newest when it is called next: a line of the
    /// history with this reason.
    Release {
        /// The execution.
        id: ExecutionId,
        /// Name of the plugin.
        plugin: String,
        /// The version that it does not need any more.
        digest: String,
        /// Why.
        reason: Reason,
    },
    /// Somebody takes it back.
    Cancel {
        /// The execution.
        id: ExecutionId,
    },
    /// A device is removed: what is open for it ends as canceled. What goes to other devices through its session stays.
    Remove {
        /// The device.
        device: DeviceId,
    },
    /// Time passed. Applies the oldest [`super::Machine::TICK_MAX`] of the deadlines that have passed.
    Tick,
}

/// What an input came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was applied.
    Taken,
    /// The same command already stands.
    Existing(ExecutionId),
    /// The command or the label was not accepted.
    Refused(Refusal),
    /// It came after the end, or about an attempt that had failed or was answered: the history has a line about it, and
    /// nothing else changed.
    Late,
    /// It belongs to an attempt that is over, or to an execution that is not open; nothing changed.
    Stale,
    /// The reporter was not named at dispatch; nothing changed.
    Denied,
}

/// What the shell must do now. Calls of plugins may begin at once; everything else waits for the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call `handler.start`, where there is a handler, and `southbound.dispatch`; answer with [`Input::Planned`]. Where
    /// the execution has frames already this repeats an attempt that came to nothing: the handler is not called, its
    /// frames are dispatched once more.
    Plan {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is for.
        attempt: u32,
    },
    /// Call `handler.resume` and `southbound.dispatch`; answer with [`Input::Planned`].
    Resume {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is for.
        attempt: u32,
        /// What `resume` is told.
        reply: Reply,
    },
    /// The attempt was handed over or is about to be, and is not wanted any more: drop what is still in the outbox.
    Withdraw {
        /// The execution.
        id: ExecutionId,
        /// The attempt it is about.
        attempt: u32,
    },
}

/// What the store must keep of one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record as it stands.
    pub execution: Arc<Execution>,
    /// The lines its history grew by, in order.
    pub transitions: Vec<Transition>,
}
