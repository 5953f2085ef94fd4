//! What a call that returned ok wants to have written.

use crate::words::{DeviceEvent, Question, Readers, Start};
use dragoman_core::{
    Attributes, Correlation, DeviceId, ExecutionId, Intent, Json, Message, Place, Policy, Reason, Report, SessionId,
    Stage, WhenAway,
};

/// A call that returned ok: its answer, and everything it wrote, to be committed together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// What it answered.
    pub value: T,
    /// What it wrote, in order.
    pub writes: Vec<PluginWrite>,
    /// The devices whose profiles it writes and the revisions it read. Where one is no longer the newest, the call is
    /// repeated.
    pub read_revisions: Vec<(DeviceId, u64)>,
    /// What it asked of devices' handlers, in order; at most 1000. A call that asked submitted nothing.
    pub questions: Vec<(DeviceId, Question)>,
}

impl<T> Done<T> {
    /// The same call with its answer in other words.
    pub fn map<U>(self, word: impl FnOnce(T) -> U) -> Done<U> {
        let Self { value, writes, read_revisions, questions } = self;
        Done { value: word(value), writes, read_revisions, questions }
    }
}

/// One thing that a call wants to have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginWrite {
    /// A command.
    Submit(Box<Submit>),
    /// A device.
    CreateDevice(CreateDevice),
    /// The plugin's own record about a device.
    PutProfile {
        /// The device.
        device: DeviceId,
        /// The record.
        profile: Json,
        /// The revision it replaces.
        revision: u64,
    },
    /// Everything about a device that the plugin reaches.
    UpdateDevice(UpdateDevice),
    /// A device that the plugin reaches goes.
    RemoveDevice(DeviceId),
    /// One more name for a device.
    AddAlias {
        /// The device.
        device: DeviceId,
        /// Of the plugin's platform.
        namespace: String,
        /// Unique in the namespace.
        name: String,
    },
    /// An execution is taken back.
    Cancel(ExecutionId),
    /// A device's word.
    Tell {
        /// What it is about.
        about: Correlation,
        /// What it says.
        report: Report,
        /// In the plugin's vocabulary.
        attributes: Attributes,
    },
    /// A device's word, for which the plugin vouches because it reaches the device.
    TellFor {
        /// What it is about.
        id: ExecutionId,
        /// What it says.
        report: Report,
        /// In the plugin's vocabulary.
        attributes: Attributes,
    },
    /// An attempt came to nothing.
    AttemptFailed {
        /// The attempt.
        about: Correlation,
        /// Why.
        reason: Reason,
        /// In the plugin's vocabulary.
        attributes: Attributes,
    },
    /// A line of an execution's history, in any state.
    Note {
        /// The execution.
        id: ExecutionId,
        /// What is noted.
        note: Json,
    },
    /// A label of an execution, in any state.
    SetLabel {
        /// The execution.
        id: ExecutionId,
        /// Of the label.
        name: String,
        /// What it becomes.
        value: String,
    },
    /// One of the plugin's own documents. Writes of one call about one document build on each other: each names the
    /// revision that the one before it leaves.
    PutDocument {
        /// `[a-z][a-z0-9_-]{0,63}`
        collection: String,
        /// 1 to 256 bytes.
        key: String,
        /// The document.
        value: Json,
        /// The revision it replaces; 0: there is none.
        revision: u64,
    },
    /// One of the plugin's own documents goes.
    RemoveDocument {
        /// `[a-z][a-z0-9_-]{0,63}`
        collection: String,
        /// 1 to 256 bytes.
        key: String,
        /// The revision that goes.
        revision: u64,
    },
    /// What the plugin notes about a session, at most 64 KiB.
    PutNotes {
        /// The session.
        session: SessionId,
        /// The notes.
        notes: Json,
    },
    /// What a session may do from now on.
    SetPolicy {
        /// The session.
        session: SessionId,
        /// Who it is from now on; none: as before.
        principal: Option<String>,
        /// What it may do.
        policy: Policy,
    },
    /// A session is told of transitions.
    Follow {
        /// The session.
        session: SessionId,
        /// The plugin's own name for it, 1 to 128 bytes.
        tag: String,
        /// Of the executions; at most 8.
        labels: Attributes,
        /// Where it begins.
        start: Start,
        /// Transitions of the replay, 1 to 1000.
        limit: u32,
        /// Whether it goes on after the replay.
        live: bool,
    },
    /// A session is not told any more.
    Unfollow {
        /// The session.
        session: SessionId,
        /// What ends; none: all of it.
        tag: Option<String>,
    },
    /// A session is closed.
    Close(SessionId),
    /// An MQTT message that is no dispatch.
    Publish {
        /// Whom it goes to.
        to: Readers,
        /// The message.
        message: Message,
    },
    /// An HTTP request to a configured target.
    Request(Box<OutRequest>),
    /// What a device said of its own accord.
    Emit(DeviceEvent),
}

/// A command as a plugin submitted it. What is none follows the queue and the host's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The id that the plugin was told.
    pub id: ExecutionId,
    /// The device it is for; whether it exists is not checked.
    pub device: DeviceId,
    /// What is wanted.
    pub intent: Intent,
    /// The platform's own id for it.
    pub alias: Option<String>,
    /// Against doubles.
    pub idempotency_key: Option<String>,
    /// Opaque, for the plugin.
    pub context: Option<Json>,
    /// At most 8.
    pub labels: Attributes,
    /// From now, in milliseconds.
    pub ttl_ms: Option<u32>,
    /// `Acked` or `Ended`.
    pub succeeds_at: Option<Stage>,
    /// What happens when the device is not there.
    pub when_away: Option<WhenAway>,
    /// One of the queues of the plugin's description.
    pub queue: Option<String>,
    /// How often it is tried; none: as the host does.
    pub attempts: Option<Attempts>,
    /// What is already found wrong with it: it must not be submitted but settled with this refusal.
    pub refused: Option<Reason>,
}

/// How often a command is tried whose attempts come to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// 1 to 1000.
    pub max: u32,
    /// Between a failed attempt and the next, in milliseconds; at most 49 days.
    pub backoff_ms: u32,
    /// Where in its queue it waits for the next.
    pub place: Place,
}

/// A device that a plugin registers for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDevice {
    /// The id that the plugin asked for or was given.
    pub id: DeviceId,
    /// Name of the handler that plans for it.
    pub handler: Option<String>,
    /// The gateway device it hangs below.
    pub parent: Option<DeviceId>,
    /// Every name the platform has for it.
    pub aliases: Attributes,
    /// Its labels.
    pub labels: Attributes,
    /// The plugin's own record about it.
    pub profile: Json,
}

/// What a device becomes, all but its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateDevice {
    /// The device.
    pub id: DeviceId,
    /// Name of the handler that plans for it.
    pub handler: Option<String>,
    /// The gateway device it hangs below.
    pub parent: Option<DeviceId>,
    /// Every name the platform has for it.
    pub aliases: Attributes,
    /// Its labels.
    pub labels: Attributes,
    /// The plugin's own record about it.
    pub profile: Json,
    /// The revision of that record that it replaces.
    pub revision: u64,
}

/// An HTTP request to a target that the operator configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutRequest {
    /// Name of the target.
    pub target: String,
    /// Upper case.
    pub method: String,
    /// Path and query, beginning with a slash, added to the target's address.
    pub path: String,
    /// At most 64, together at most 16 KiB.
    pub headers: Attributes,
    /// The body.
    pub body: Option<Json>,
}
