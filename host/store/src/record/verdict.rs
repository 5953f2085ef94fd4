//! States, stages, reasons and outcomes.

use dragoman_core::{Outcome, Reason, Reply, Stage, State};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StateBody {
    Queued,
    Sent,
    Acked,
    Succeeded,
    Failed,
    Rejected,
    TimedOut,
    Canceled,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StageBody {
    Accepted,
    Sent,
    Acked,
    Ended,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ReasonBody {
    code: String,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutcomeBody {
    Succeeded(Option<String>),
    Failed(ReasonBody),
    Rejected(ReasonBody),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReplyBody {
    Outcome(OutcomeBody),
    Silence,
}

/// The word for a state in the column that is searched, the same as in the body.
pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Sent => "sent",
        State::Acked => "acked",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Rejected => "rejected",
        State::TimedOut => "timed-out",
        State::Canceled => "canceled",
    }
}

/// Both ways between two enums whose cases have the same names and carry nothing.
macro_rules! same_cases {
    ($core:ident, $body:ident, $($case:ident)*) => {
        impl From<$core> for $body {
            fn from(value: $core) -> Self {
                match value { $($core::$case => Self::$case,)* }
            }
        }
        impl From<$body> for $core {
            fn from(value: $body) -> Self {
                match value { $($body::$case => Self::$case,)* }
            }
        }
    };
}
pub(super) use same_cases;

same_cases!(State, StateBody, Queued Sent Acked Succeeded Failed Rejected TimedOut Canceled);
same_cases!(Stage, StageBody, Accepted Sent Acked Ended);

impl From<&Reason> for ReasonBody {
    fn from(reason: &Reason) -> Self {
        let Reason { code, text, detail } = reason.clone();
        Self { code, text, detail }
    }
}

impl From<ReasonBody> for Reason {
    fn from(body: ReasonBody) -> Self {
        let ReasonBody { code, text, detail } = body;
        Self { code, text, detail }
    }
}

impl From<&Outcome> for OutcomeBody {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded(result) => Self::Succeeded(result.clone()),
            Outcome::Failed(reason) => Self::Failed(reason.into()),
            Outcome::Rejected(reason) => Self::Rejected(reason.into()),
        }
    }
}

impl From<OutcomeBody> for Outcome {
    fn from(body: OutcomeBody) -> Self {
        match body {
            OutcomeBody::Succeeded(result) => Self::Succeeded(result),
            OutcomeBody::Failed(reason) => Self::Failed(reason.into()),
            OutcomeBody::Rejected(reason) => Self::Rejected(reason.into()),
        }
    }
}

impl From<&Reply> for ReplyBody {
    fn from(reply: &Reply) -> Self {
        match reply {
            Reply::Outcome(outcome) => Self::Outcome(outcome.into()),
            Reply::Silence => Self::Silence,
        }
    }
}

impl From<ReplyBody> for Reply {
    fn from(body: ReplyBody) -> Self {
        match body {
            ReplyBody::Outcome(outcome) => Self::Outcome(outcome.into()),
            ReplyBody::Silence => Self::Silence,
        }
    }
}
