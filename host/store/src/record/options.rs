//! How a command is to be carried out.

use super::verdict::{StageBody, same_cases};
use dragoman_core::{Options, Overflow, WhenAway};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct OptionsBody {
    ttl_ms: u32,
    succeeds_at: StageBody,
    #[serde(default, skip_serializing_if = "super::is_default")]
    lowered: bool,
    when_away: WhenAwayBody,
    queue: String,
    window: StageBody,
    queue_limit: u32,
    overflow: OverflowBody,
    attempts: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WhenAwayBody {
    Fail,
    Queue,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OverflowBody {
    RefuseNewest,
    DropOldest,
}

same_cases!(WhenAway, WhenAwayBody, Fail Queue);
same_cases!(Overflow, OverflowBody, RefuseNewest DropOldest);

impl From<&Options> for OptionsBody {
    fn from(options: &Options) -> Self {
        let Options { ttl_ms, succeeds_at, lowered, when_away, queue, window, queue_limit, overflow, attempts } =
            options;
        Self {
            ttl_ms: *ttl_ms,
            succeeds_at: (*succeeds_at).into(),
            lowered: *lowered,
            when_away: (*when_away).into(),
            queue: queue.as_ref().to_owned(),
            window: (*window).into(),
            queue_limit: *queue_limit,
            overflow: (*overflow).into(),
            attempts: *attempts,
        }
    }
}

impl From<OptionsBody> for Options {
    fn from(body: OptionsBody) -> Self {
        Self {
            ttl_ms: body.ttl_ms,
            succeeds_at: body.succeeds_at.into(),
            lowered: body.lowered,
            when_away: body.when_away.into(),
            queue: body.queue.into(),
            window: body.window.into(),
            queue_limit: body.queue_limit,
            overflow: body.overflow.into(),
            attempts: body.attempts,
        }
    }
}
