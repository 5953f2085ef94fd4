//! One command sent to one device: its record and the words of its history.

use crate::intent::{Attributes, DeviceId, ExecutionId, Intent, Json};
use std::sync::Arc;

/// Where an execution stands. The last five are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Durable, not yet with a broker.
    Queued,
    /// A broker has it.
    Sent,
    /// The device has it.
    Acked,
    /// The device did it.
    Succeeded,
    /// The device could not, or the host could not reach it.
    Failed,
    /// The device would not.
    Rejected,
    /// Its time to live was over.
    TimedOut,
    /// Somebody took it back.
    Canceled,
}

impl State {
    /// Whether nothing but a late answer can still happen.
    pub fn is_final(self) -> bool {
        self >= Self::Succeeded
    }
}

/// How far a command got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Durable.
    Accepted,
    /// With a broker.
    Sent,
    /// With the device.
    Acked,
    /// At its end.
    Ended,
}

/// Why something did not happen. Codes that begin with `$` are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// For programs.
    pub code: String,
    /// For people, a sentence.
    pub text: String,
    /// What else is known, as JSON.
    pub detail: Option<Json>,
}

impl Reason {
    /// A reason without detail.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), detail: None }
    }
}

/// The device's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did it; what it answered, as JSON.
    Succeeded(Option<Json>),
    /// It could not.
    Failed(Reason),
    /// It would not.
    Rejected(Reason),
}

/// What happens to a command whose device is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenAway {
    /// It fails with `$AWAY`.
    Fail,
    /// It waits until its time to live is over.
    Queue,
}

/// What gives way when a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The new command is refused with `$QUEUE_FULL`.
    RefuseNewest,
    /// The oldest that is still queued is canceled with `$REPLACED`.
    DropOldest,
}

/// Where a command goes whose attempt failed: before or behind what waits in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it stood: before everything that was queued after it.
    Head,
    /// Behind everything that waits. What is queued later still goes behind it.
    Tail,
}

/// How a command is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// From submission, in milliseconds; more than 0.
    pub ttl_ms: u32,
    /// What counts as success: `Sent`, `Acked` or `Ended` (the device's outcome). Already lowered by the caller of the
    /// machine to what the device's dialect tells.
    /// Where a handler is at work this is asked of each of its steps, and the handler tells the end.
    pub succeeds_at: Stage,
    /// Whether `succeeds_at` was lowered from what the caller wished: the reason at the end is `$DELIVERED_ONLY`.
    pub lowered: bool,
    /// What happens when the device is not there.
    pub when_away: WhenAway,
    /// The queue it waits in: one per device, origin and name.
    pub queue: Arc<str>,
    /// The next of the queue goes out when this one got this far.
    pub window: Stage,
    /// The next of the device, whatever its queue and origin, goes out when this one got this far; `Accepted`: at once.
    pub device_window: Stage,
    /// Items of the queue that may wait for their turn for one device; at least 1. What had its turn and came back
    /// counts for later submissions, but is never refused itself.
    pub queue_limit: u32,
    /// What gives way when that many wait.
    pub overflow: Overflow,
    /// Dispatches that may come to nothing before it fails; at least 1. Those that were lost with no receipt
    /// (`$UNDELIVERED`) and those that failed by the word of the device's dialect (its reason) are counted together.
    pub attempts: u32,
    /// From a failed attempt to the next, in milliseconds; 0: none. Nothing of its queue overtakes it meanwhile.
    pub backoff_ms: u32,
    /// Where a failed attempt goes back to. What was lost goes back to where it stood.
    pub failed_to: Place,
}

/// Which node carries an open execution, and until when it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Name of the node; constant with SQLite.
    pub node: Arc<str>,
    /// When another node may take it over, in milliseconds since 1970; `u64::MAX` with SQLite.
    pub lease_until_ms: u64,
}

/// The key under which an attempt was dispatched, and the device whose session may answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Correlation {
    /// The device whose session answers.
    pub reporter: DeviceId,
    /// What it answers with.
    pub key: String,
}

/// The caller's key against doubles, and a fingerprint of what it was used for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// Hash over device and canonical intent (RFC 8785), made by the shell.
    pub fingerprint: u64,
}

/// What a handler's `resume` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What the device answered to the step before.
    Outcome(Outcome),
    /// The time the handler set for the step is over.
    Silence,
}

/// What an open execution is waiting for. Kept with the record, so that a restart goes on where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// For its turn: the device is away or the window is shut.
    Waiting,
    /// For `handler.start` and `southbound.dispatch`.
    Planning,
    /// For `handler.resume` with this reply, and the dispatch of what it plans.
    Resuming(Reply),
    /// For the broker to take what was dispatched.
    HandingOver,
    /// For receipts and the outcome.
    AwaitingReply,
    /// For nothing.
    Ended,
}

/// What is known of one attempt. Each of them happens at most once, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Told {
    /// A broker has all of it, or had some of it that the device heard of when the process stopped: its
    /// [`Event::Sent`] is in the history.
    pub sent: bool,
    /// The device has it: its [`Event::Acked`] is in the history.
    pub acked: bool,
    /// The device gave a sign of having some of it, a receipt or a report: it is not repeated any more.
    pub heard: bool,
}

/// One command sent to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Given by the host.
    pub id: ExecutionId,
    /// The device it is for.
    pub device: DeviceId,
    /// The device whose session carries it: the gateway of a sub-device, else the device itself.
    pub holder: DeviceId,
    /// What is wanted.
    pub intent: Intent,
    /// How.
    pub options: Options,
    /// The dialect that submitted it, or `admin`.
    pub origin: Arc<str>,
    /// The origin's own id for it.
    pub alias: Option<String>,
    /// Opaque, for the origin.
    pub context: Option<Json>,
    /// At most 8, indexed by the store.
    pub labels: Attributes,
    /// Against doubles.
    pub idempotency: Option<Idempotency>,
    /// Who carries it.
    pub owner: Owner,
    /// Name of the handler that plans it; none: the intent is the frame.
    pub handler: Option<Arc<str>>,
    /// Digests of the plugins that planned it, `name` and hex digest; at most [`Execution::DIGESTS_MAX`] are kept.
    pub digests: Attributes,
    /// Those of them that it does not need any more, because somebody had it go over to a newer version.
    pub released: Attributes,
    /// Where it stands.
    pub state: State,
    /// What it waits for.
    pub phase: Phase,
    /// Sequence number of its newest transition; the first is 1.
    pub version: u64,
    /// Counts dispatches, from 1; 0 before the first. Each step of a handler and each repetition is one. It grows when
    /// a plan is taken, so while one is being made it is the number of the attempt before.
    pub attempt: u32,
    /// What is known of this attempt.
    pub told: Told,
    /// The first attempt of the step it is at; later ones repeated its frames.
    pub step_attempt: u32,
    /// Dispatches that were lost with no receipt.
    pub lost: u32,
    /// Dispatches that came to nothing by the word of the device's dialect.
    pub failed: u32,
    /// Those of the kept attempts whose keys end nothing any more, because their dialect said that they failed.
    pub closed: Vec<u32>,
    /// Its place in its queue, lowest first: the time of its submission in milliseconds since 1970, made greater than
    /// every earlier one's. A new one when a failed attempt goes to the tail.
    pub queue_position: u64,
    /// While it waits after a failed attempt: when it may go out again, in milliseconds since 1970.
    pub not_before_ms: Option<u64>,
    /// What this attempt dispatched.
    pub frames: Vec<Intent>,
    /// What the handler wants back at `resume`.
    pub handler_state: Option<Json>,
    /// How long each attempt of this step waits for its answer before `resume` is called with silence.
    pub reply_within_ms: Option<u32>,
    /// When `resume` is called with silence, in milliseconds since 1970; none while nothing is out.
    pub step_deadline_ms: Option<u64>,
    /// Keys of every attempt, newest last; at most [`Execution::CORRELATIONS_MAX`] are kept.
    pub correlations: Vec<(u32, Correlation)>,
    /// PUBACKs of this attempt that are still missing.
    pub receipts_missing: u32,
    /// Whether a report can come for this attempt. Where none can, it counts as a success when it is delivered.
    pub answerable: bool,
    /// Whether an attempt counted as a success before it got as far as was wished: the reason at the end is
    /// `$DELIVERED_ONLY`.
    pub delivered_only: bool,
    /// The device's verdict.
    pub outcome: Option<Outcome>,
    /// Why it ended without one, or `$DELIVERED_ONLY`.
    pub reason: Option<Reason>,
    /// The newest progress or note.
    pub last_note: Option<Json>,
    /// Attributes of the report that ended it.
    pub report: Attributes,
    /// When it was accepted, in milliseconds since 1970.
    pub created_ms: u64,
    /// When its newest transition was recorded.
    pub updated_ms: u64,
    /// When its first attempt was with a broker.
    pub sent_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// When its time to live is over.
    pub deadline_ms: u64,
}

impl Execution {
    /// Correlation keys that are kept of one execution; the oldest give way.
    pub const CORRELATIONS_MAX: usize = 16;
    /// Labels of one execution.
    pub const LABELS_MAX: usize = 8;
    /// Digests that are kept of one execution; the oldest give way, but never the one that it is pinned to.
    pub const DIGESTS_MAX: usize = 16;

    /// The version of its handler that it keeps to: the one that began the conversation. None before that, and after a
    /// release.
    pub fn pinned(&self) -> Option<&str> {
        let handler = self.handler.as_deref()?;
        // A component may also be the dialect of the execution, whose newest version dispatches.
        self.needs().find(|(name, _)| *name == handler).map(|(_, digest)| digest)
    }

    /// The versions of plugins, name and digest, that an answer to it may need: the one of its handler, and those of the
    /// dialect that dispatched it.
    pub fn needs(&self) -> impl Iterator<Item = (&str, &str)> {
        let needed = self.digests.iter().filter(|digest| !self.released.contains(digest));
        needed.map(|(name, digest)| (name.as_str(), digest.as_str()))
    }
}

/// What a line of a history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// It was accepted.
    Queued,
    /// An attempt was planned and dispatched.
    Planned,
    /// A broker has all of the attempt.
    Sent,
    /// The device has it; `detail` names the cause.
    Acked,
    /// The device works on it.
    Progress,
    /// The device answered a step of a many-step command.
    Replied,
    /// The handler waited long enough for a step.
    Silence,
    /// The device's dialect says that the attempt came to nothing.
    AttemptFailed,
    /// An attempt came to nothing and it waits again.
    Requeued,
    /// It is over.
    Ended,
    /// A remark of the origin or of the device's dialect, before or after the end.
    Note,
    /// An answer that came after the end, or to an attempt that had failed.
    Late,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 12] = [
        Self::Queued,
        Self::Planned,
        Self::Sent,
        Self::Acked,
        Self::Progress,
        Self::Replied,
        Self::Silence,
        Self::AttemptFailed,
        Self::Requeued,
        Self::Ended,
        Self::Note,
        Self::Late,
    ];

    /// The event in the words of the contract and of the admin API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Progress => "progress",
            Self::Replied => "replied",
            Self::Silence => "silence",
            Self::AttemptFailed => "attempt-failed",
            Self::Requeued => "requeued",
            Self::Ended => "ended",
            Self::Note => "note",
            Self::Late => "late",
        }
    }
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// From 1, without gaps, per execution.
    pub seq: u64,
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
    /// Where it stands after it.
    pub state: State,
    /// The attempt it belongs to.
    pub attempt: u32,
    /// Why: the device's own reason where it could not or would not, else the host's.
    pub reason: Option<Reason>,
    /// What else is known, as JSON.
    pub detail: Option<Json>,
    /// In the reporting dialect's vocabulary.
    pub attributes: Attributes,
}
