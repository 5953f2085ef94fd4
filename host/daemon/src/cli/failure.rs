//! How a command ends that did not succeed.

/// Why a command did not succeed; the variant is the exit code.
#[derive(Debug)]
pub(super) enum Failure {
    /// 1: refused or failed.
    Failed {
        /// For programs.
        code: String,
        /// For people, a sentence.
        message: String,
    },
    /// 1: what was printed says it all.
    Printed,
    /// Its own, of a command that another program runs and that has said all.
    Ended(u8),
    /// 2: what was typed cannot be used.
    Usage(String),
    /// 3: no daemon answers.
    Unreachable(String),
}

impl Failure {
    /// A failure of this program itself.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { code: "FAILED".to_owned(), message: message.into() }
    }

    /// The exit code.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed { .. } | Self::Printed => 1,
            Self::Ended(code) => *code,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }

    /// Code and sentence; none where nothing is left to say.
    pub(super) fn words(&self) -> Option<(&str, &str)> {
        match self {
            Self::Failed { code, message } => Some((code, message)),
            Self::Printed | Self::Ended(_) => None,
            Self::Usage(message) => Some(("USAGE", message)),
            Self::Unreachable(message) => Some(("UNREACHABLE", message)),
        }
    }
}
