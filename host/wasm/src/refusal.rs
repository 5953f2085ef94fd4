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
            Self::Contexts => "contexts",
        }
    }
}

/// What a file failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) step: LoadStep,
    /// A sentence that says what would mend it.
    pub(crate) reason: String,
    /// Whether it may well pass it a little later, as it is.
    pub(crate) for_now: bool,
}

impl Refusal {
    pub(crate) fn new(step: LoadStep, reason: impl Into<String>) -> Self {
        // Names of files and words of plugins are in it.
        let mut reason = one_line(&reason.into()).into_owned();
        let end = (0..=reason.len().min(REASON_MAX_BYTES)).rev().find(|at| reason.is_char_boundary(*at));
        reason.truncate(end.unwrap_or(0));
        Self { step, reason, for_now: false }
    }

    /// Nothing is wrong with the file: it could not be looked at for now.
    pub(crate) fn for_now(self) -> Self {
        Self { for_now: true, ..self }
    }
}
