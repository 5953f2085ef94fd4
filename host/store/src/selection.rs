//! Which executions are asked for, and how they come.

use dragoman_core::{Attributes, DeviceId, Execution, State};
use std::sync::Arc;

/// Most entries of one page, of executions or devices. A larger limit counts as this.
pub const PAGE_MAX: u32 = 1_000;

/// Which executions. All that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only for this device.
    pub device: Option<DeviceId>,
    /// Only from this dialect.
    pub origin: Option<Arc<str>>,
    /// Only in one of these states; empty: in any.
    pub states: Vec<State>,
    /// Only with all of these labels.
    pub labels: Attributes,
    /// Latest creation first, else earliest first.
    pub newest_first: bool,
    /// Behind this place: [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Most items, 1 to [`PAGE_MAX`].
    pub limit: u32,
}

/// One page of executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order asked for.
    pub items: Vec<Execution>,
    /// What to pass as [`Selection::after`] for the page behind this one; none: this is the last.
    pub next: Option<String>,
}
