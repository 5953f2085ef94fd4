//! Why a call of a plugin came to nothing.

use crate::one_line::one_line;
use dragoman_core::Reason;
use std::fmt;
use std::sync::Arc;

/// Code of a call for which no instance was free.
pub(crate) const BUSY: &str = "$PLUGIN_BUSY";

/// A call that came to nothing: nothing it wrote is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The plugin that was called.
    pub plugin: Arc<str>,
    /// What was called, e.g. `northbound.handle-request`.
    pub export: &'static str,
    /// What went wrong.
    pub fault: Fault,
}

/// What went wrong in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The plugin trapped: it panicked, ran out of stack, exited or did what WebAssembly forbids.
    Trapped(String),
    /// It took too long.
    Deadline {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// It asked for more memory than it may have.
    Memory {
        /// The limit in bytes.
        limit_bytes: usize,
    },
    /// It asked too much of the host: too many calls, or too much data in one of them.
    HostcallBudget(String),
    /// What it answered or wrote is larger than the limits allow.
    Output(String),
    /// It answered with an error of the contract.
    Guest(GuestError),
    /// What it answered or did breaks the contract.
    DoesNotFit(String),
    /// No instance became free in time. The plugin was not called.
    Busy(String),
    /// The host could not answer what the plugin asked; not the plugin's fault.
    Host(String),
    /// It does not export this function's interface. The plugin was not called.
    NoSuchExport,
    /// It kept failing and is in quarantine. The plugin was not called.
    Quarantined {
        /// In how many milliseconds another try is worth it.
        again_in_ms: u64,
    },
}

/// What an error says about the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the plugin was not called, or the host failed it.
    Nobody,
    /// It ran in order and said no in the words of the contract.
    Refusal,
    /// It broke off, went past a limit, broke the contract or calls itself broken.
    Fault,
}

/// An error of the contract, as a plugin answered it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuestError {
    /// What was asked is malformed.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Something that was named does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// The caller may not do this.
    #[error("denied: {0}")]
    Denied(String),
    /// It contradicts what is there.
    #[error("conflict: {0}")]
    Conflict(String),
    /// A limit is reached.
    #[error("limit: {0}")]
    Limit(String),
    /// The plugin has no words for it.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// Not now.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A fault of the plugin.
    #[error("internal: {0}")]
    Internal(String),
}

impl CallError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::Trapped(_) => "$PLUGIN_TRAP",
            Fault::Deadline { .. } => "$PLUGIN_DEADLINE",
            Fault::Memory { .. } => "$PLUGIN_MEMORY",
            Fault::HostcallBudget(_) | Fault::Output(_) => "$PLUGIN_LIMIT",
            Fault::Guest(_) | Fault::DoesNotFit(_) | Fault::NoSuchExport => "$PLUGIN_ERROR",
            Fault::Busy(_) => BUSY,
            Fault::Host(_) => "$UNAVAILABLE",
            Fault::Quarantined { .. } => "$PLUGIN_QUARANTINED",
        }
    }

    /// The error as the reason of an execution: its code and its sentence.
    pub fn reason(&self) -> Reason {
        Reason::new(self.code(), self.to_string())
    }

    /// Whether the plugin ran and misbehaved. Answering with an error of the contract counts as well; a call that
    /// found no free instance, no such export or no answer of the host does not, nor one that was not made because of
    /// the quarantine.
    pub fn is_fault(&self) -> bool {
        self.blame() != Blame::Nobody
    }

    /// What it says about the plugin. Only a [`Blame::Fault`] counts towards the quarantine.
    pub fn blame(&self) -> Blame {
        match &self.fault {
            Fault::Busy(_) | Fault::Host(_) | Fault::NoSuchExport | Fault::Quarantined { .. } => Blame::Nobody,
            Fault::Guest(GuestError::Internal(_)) => Blame::Fault,
            Fault::Guest(_) => Blame::Refusal,
            Fault::Trapped(_)
            | Fault::Deadline { .. }
            | Fault::Memory { .. }
            | Fault::HostcallBudget(_)
            | Fault::Output(_)
            | Fault::DoesNotFit(_) => Blame::Fault,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, export, fault } = self;
        match fault {
            Fault::Trapped(detail) => write!(f, "plugin {plugin} trapped in {export}: {detail}"),
            Fault::Deadline { limit_ms } => {
                write!(f, "plugin {plugin} did not return from {export} within {limit_ms} ms")
            }
            Fault::Memory { limit_bytes } => {
                write!(f, "plugin {plugin} asked for more than {limit_bytes} bytes of memory in {export}")
            }
            Fault::HostcallBudget(what) => write!(f, "plugin {plugin} asked too much of the host in {export}: {what}"),
            Fault::Output(what) => write!(f, "plugin {plugin} answered more than it may in {export}: {what}"),
            Fault::Guest(error) => {
                let said = error.to_string();
                write!(f, "plugin {plugin} answered {export} with an error: {}", one_line(&said))
            }
            Fault::DoesNotFit(what) => write!(f, "plugin {plugin} broke the contract in {export}: {what}"),
            Fault::Busy(what) => write!(f, "plugin {plugin} was not called for {export}: {what}"),
            Fault::Host(what) => write!(f, "the host could not answer plugin {plugin} in {export}: {what}"),
            Fault::NoSuchExport => write!(f, "plugin {plugin} does not export {export}"),
            Fault::Quarantined { again_in_ms } => write!(
                f,
                "plugin {plugin} was not called for {export}: it kept failing and is in quarantine for another {again_in_ms} ms"
            ),
        }
    }
}

impl std::error::Error for CallError {}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trapped(text) | Self::HostcallBudget(text) | Self::Output(text) => f.write_str(text),
            Self::DoesNotFit(text) | Self::Busy(text) | Self::Host(text) => f.write_str(text),
            Self::Deadline { limit_ms } => write!(f, "did not return within {limit_ms} ms"),
            Self::Memory { limit_bytes } => write!(f, "asked for more than {limit_bytes} bytes of memory"),
            Self::Guest(error) => error.fmt(f),
            Self::NoSuchExport => f.write_str("does not export it"),
            Self::Quarantined { again_in_ms } => write!(f, "is in quarantine for another {again_in_ms} ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_no_fault_and_a_call_that_was_not_made_blames_nobody() {
        let text = || "because".to_owned();
        for (fault, blame) in [
            (Fault::Trapped(text()), Blame::Fault),
            (Fault::Deadline { limit_ms: 250 }, Blame::Fault),
            (Fault::Memory { limit_bytes: 1 }, Blame::Fault),
            (Fault::HostcallBudget(text()), Blame::Fault),
            (Fault::Output(text()), Blame::Fault),
            (Fault::DoesNotFit(text()), Blame::Fault),
            (Fault::Guest(GuestError::Internal(text())), Blame::Fault),
            (Fault::Guest(GuestError::Invalid(text())), Blame::Refusal),
            (Fault::Guest(GuestError::NotFound(text())), Blame::Refusal),
            (Fault::Guest(GuestError::Denied(text())), Blame::Refusal),
            (Fault::Guest(GuestError::Conflict(text())), Blame::Refusal),
            (Fault::Guest(GuestError::Limit(text())), Blame::Refusal),
            (Fault::Guest(GuestError::Unsupported(text())), Blame::Refusal),
            (Fault::Guest(GuestError::Unavailable(text())), Blame::Refusal),
            (Fault::Busy(text()), Blame::Nobody),
            (Fault::Host(text()), Blame::Nobody),
            (Fault::NoSuchExport, Blame::Nobody),
            (Fault::Quarantined { again_in_ms: 1 }, Blame::Nobody),
        ] {
            let error = CallError { plugin: "acme-things".into(), export: "southbound.handle-message", fault };
            assert_eq!(error.blame(), blame, "{error}");
        }
    }
}
