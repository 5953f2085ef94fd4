//! Which executions and lines of their histories are asked for, and how they come.

use dragoman_core::{Attributes, DeviceId, Execution, ExecutionId, State, Transition};
use std::sync::Arc;

/// Most entries of one page, of whatever kind. A larger limit counts as this.
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
    /// Only created at or after this time, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Only created before this time.
    pub before_ms: Option<u64>,
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

/// Which lines of histories, over all executions of one dialect. All that is set must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionQuery {
    /// Of executions that come from this dialect.
    pub origin: Arc<str>,
    /// Behind this position; 0: from the first line.
    pub after: u64,
    /// Up to and with this position.
    pub up_to: Option<u64>,
    /// Only from this time on, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Of executions that carry all these labels now.
    pub labels: Attributes,
    /// Most lines, 1 to [`PAGE_MAX`].
    pub limit: u32,
}

/// A line, where it stands over all histories, and whose it is.
pub type Position = (u64, ExecutionId, Transition);
