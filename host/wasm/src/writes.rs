//! What a call that returned ok wants to have written.

use dragoman_core::{Attributes, Correlation, DeviceId, ExecutionId, Intent, Json, Reason, Report, Stage, WhenAway};

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
    /// What is already found wrong with it: it must not be submitted but settled with this refusal.
    pub refused: Option<Reason>,
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
