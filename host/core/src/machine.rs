//! Every open execution, the queues of every device, and what each input does to them.

use crate::execution::{
    Correlation, Execution, Idempotency, Options, Outcome, Owner, Reason, Reply, Stage, Transition,
};
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

/// Why a command was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `$QUEUE_FULL`
    #[error("the device's queue {queue} holds {limit} commands, its limit; wait until some are done")]
    QueueFull { queue: Arc<str>, limit: u32 },
    /// `$LIMIT`
    #[error("{what} are open, the limit; wait until some are done")]
    Limit { what: String },
    /// `$AWAY`
    #[error("the device is not online")]
    Away,
    /// `$DUPLICATE`
    #[error("execution {0} already has this alias")]
    Duplicate(ExecutionId),
    /// `$IDEMPOTENCY_CONFLICT`
    #[error("execution {0} was submitted with the same key for another device or intent")]
    IdempotencyConflict(ExecutionId),
    /// `$INVALID`
    #[error("{0}")]
    Invalid(String),
}

impl Refusal {
    /// The host's reason code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueFull { .. } => "$QUEUE_FULL",
            Self::Limit { .. } => "$LIMIT",
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
    /// Messages to send. The shell keeps them and puts them into the outbox when the answer is [`Answer::Taken`].
    Send {
        /// What was dispatched.
        frames: Vec<Intent>,
        /// Keys under which answers will come.
        correlations: Vec<Correlation>,
        /// What the handler wants back at `resume`; none without a handler.
        handler_state: Option<Json>,
        /// When to resume with silence, from now.
        reply_within_ms: Option<u32>,
        /// The plugins that planned it.
        digests: Attributes,
    },
    /// Nothing to send: this is the outcome.
    Done(Outcome),
    /// The device's dialect has no words for it: ends failed with this reason.
    Unsupported(Reason),
    /// A plugin faulted: ends failed with this reason, whose code starts with `$`.
    Fault(Reason),
}

/// What became of an attempt's messages at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// All are with the broker for an online session; so many of them will be acknowledged by the device's PUBACK.
    Accepted { receipts: u32 },
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

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants something.
    Submit(Box<Submission>),
    /// A session of a device opened or closed.
    Presence { holder: DeviceId, online: bool },
    /// The device subscribed or spoke: what waited for a subscriber may be tried again.
    SignOfLife { holder: DeviceId },
    /// The plugins answered [`Effect::Plan`] or [`Effect::Resume`].
    Planned { id: ExecutionId, attempt: u32, plan: Planned },
    /// The broker answered.
    HandedOver { id: ExecutionId, attempt: u32, result: HandOver },
    /// The device's own PUBACK for one message of the attempt.
    Puback { id: ExecutionId, attempt: u32 },
    /// The broker lost a message of the attempt with no receipt.
    Lost { id: ExecutionId, attempt: u32, why: String },
    /// A device reported. `by` is the device of the session it came from.
    Report { by: DeviceId, key: String, report: Report, attributes: Attributes },
    /// Somebody takes it back.
    Cancel { id: ExecutionId },
    /// Time passed.
    Tick,
}

/// What an input came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was applied.
    Taken,
    /// The same command already stands.
    Existing(ExecutionId),
    /// The command was not accepted.
    Refused(Refusal),
    /// It belongs to an attempt that is over, or to an execution that is not open; nothing changed.
    Stale,
    /// The reporter was not named at dispatch; nothing changed.
    Denied,
}

/// What the shell must do now. Calls of plugins may begin at once; everything else waits for the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call `handler.start`, where there is one, and `southbound.dispatch`; answer with [`Input::Planned`].
    Plan { id: ExecutionId, attempt: u32 },
    /// Call `handler.resume` and `southbound.dispatch`; answer with [`Input::Planned`].
    Resume { id: ExecutionId, attempt: u32, reply: Reply },
    /// The attempt was handed over or is about to be, and is not wanted any more: drop what is still in the outbox.
    Withdraw { id: ExecutionId, attempt: u32 },
}

/// What the store must keep of one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record as it stands.
    pub execution: Arc<Execution>,
    /// The lines its history grew by, in order.
    pub transitions: Vec<Transition>,
}

/// Every open execution. One instance is the single writer of execution state.
#[derive(Debug)]
pub struct Machine {
    #[expect(dead_code, reason = "replaced with the implementation")]
    limits: Limits,
}

impl Machine {
    /// A machine with nothing open.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Takes over an execution that was open when the process stopped, before the first input. What it waited for is
    /// asked for again by [`Machine::recovered`].
    pub fn restore(&mut self, execution: Execution) {
        let _ = execution;
    }

    /// Effects that go on with what was restored. Called once, after the last [`Machine::restore`].
    pub fn recovered(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let _ = (now_ms, effects);
    }

    /// Applies one input. Never fails: what does not fit is told in the answer and changes nothing.
    pub fn apply(&mut self, now_ms: u64, input: Input, effects: &mut Vec<Effect>) -> Answer {
        let _ = (now_ms, input, effects);
        Answer::Stale
    }

    /// What changed since the last call, each execution once. Ended executions are forgotten with it.
    pub fn drain_changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    /// An open execution (or one that ended since the last [`Machine::drain_changes`]).
    pub fn get(&self, id: &ExecutionId) -> Option<&Arc<Execution>> {
        let _ = id;
        None
    }

    /// The open execution that was dispatched under this key, whoever may report on it.
    pub fn by_correlation(&self, correlation: &Correlation) -> Option<&Arc<Execution>> {
        let _ = correlation;
        None
    }

    /// Whether an attempt's messages may leave now: it is the newest attempt of an open execution within its time.
    pub fn may_hand_over(&self, id: &ExecutionId, attempt: u32, now_ms: u64) -> bool {
        let _ = (id, attempt, now_ms);
        false
    }

    /// When the next [`Input::Tick`] has something to do, in milliseconds since 1970.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        None
    }

    /// How many executions are open.
    pub fn open(&self) -> usize {
        0
    }
}

/// Records a report on an execution that has ended. The verdict stays; the history grows by one line.
pub fn record_late(execution: &mut Execution, now_ms: u64, report: &Report, attributes: Attributes) -> Transition {
    let _ = (execution, now_ms, report, attributes, Stage::Ended);
    Transition {
        seq: 0,
        at_ms: now_ms,
        event: crate::execution::Event::Late,
        state: crate::execution::State::Succeeded,
        attempt: 0,
        reason: None,
        detail: None,
        attributes: Vec::new(),
    }
}
