//! What the store keeps of a device.

use dragoman_core::{Attributes, DeviceId, Json};
use std::sync::Arc;

/// One registered device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The gateway's own name for it.
    pub id: DeviceId,
    /// Name of the dialect that reaches it.
    pub dialect: Arc<str>,
    /// Name of the handler that plans for it; none: the intent is the frame.
    pub handler: Option<Arc<str>>,
    /// The gateway device it hangs below.
    pub parent: Option<DeviceId>,
    /// What platforms call it: namespace and name, unique over all devices. Compared byte for byte; a platform that
    /// matches without case folds before.
    pub aliases: Vec<(String, String)>,
    /// Indexed names and values.
    pub labels: Attributes,
    /// Whether commands for it are refused.
    pub disabled: bool,
    /// When it was registered, in milliseconds since 1970.
    pub created_ms: u64,
    /// When this record was changed last.
    pub updated_ms: u64,
}

/// What one dialect keeps about one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRecord {
    /// The device.
    pub device: DeviceId,
    /// The dialect whose record it is.
    pub dialect: Arc<str>,
    /// Opaque JSON text.
    pub json: Json,
    /// Counts writes, from 1. The caller compares it before it writes; the store does not.
    pub revision: u64,
}
