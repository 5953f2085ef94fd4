//! Why a file does not serve: the step that it failed, and one sentence.

use crate::one_line::one_line;

/// A reason in bytes. What is longer is a plugin's own word in it.
const REASON_MAX_BYTES: usize = 4096;

/// The steps of a file on its way to serve, in their order. Who fails one stays out, and what served before goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadStep {
    /// It is there, readable and not too large.
    File,
    /// It is a component, and compiles.
    Component,
    /// Its imports and exports are those of the contract.
    Contract,
    /// It describes itself as a plugin may.
    Describe,
    /// What it imports is granted to it.
    Grants,
    /// The vectors that it carries hold.
    Vectors,
    /// A copy of it can be kept for the commands that will need this version.
    Keep,
    /// Nobody else has its name or its claims.
    Claims,
    /// Open commands hold no more older versions of it than there may be.
    Older,
    /// It can go on with the open commands of the version that it replaces.
    Contexts,
}

impl LoadStep {
    /// The step in one word, for metrics and the admin API.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Component => "component",
            Self::Contract => "contract",
            Self::Describe => "describe",
            Self::Grants => "grants",
            Self::Vectors => "vectors",
            Self::Keep => "keep",
            Self::Claims => "claims",
            Self::Older => "older",
            Self::Contexts => "contexts",
        }
    }
}

/// When a file that was refused is looked at again though it stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// What is wrong with it stays wrong.
    Never,
    /// In a moment: something was busy.
    Soon,
    /// At a regular look: the machine lacked something.
    Later,
}

/// What a file failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) step: LoadStep,
    /// A sentence that says what would mend it.
    pub(crate) reason: String,
    /// When it is looked at again though it stays as it is.
    pub(crate) again: Again,
}

impl Refusal {
    pub(crate) fn new(step: LoadStep, reason: impl Into<String>) -> Self {
        // Names of files and words of plugins are in it.
        let mut reason = one_line(&reason.into()).into_owned();
        let end = (0..=reason.len().min(REASON_MAX_BYTES)).rev().find(|at| reason.is_char_boundary(*at));
        reason.truncate(end.unwrap_or(0));
        Self { step, reason, again: Again::Never }
    }

    /// Nothing is wrong with the file as far as anybody knows: it could not be looked at.
    pub(crate) fn again(self, again: Again) -> Self {
        Self { again, ..self }
    }
}
