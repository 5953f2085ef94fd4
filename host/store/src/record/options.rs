//! How a command is to be carried out.

use super::verdict::{StageBody, same_cases};
use dragoman_core::{Options, Overflow, Place, WhenAway};
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
    #[serde(default = "at_once", skip_serializing_if = "is_at_once")]
    device_window: StageBody,
    queue_limit: u32,
    overflow: OverflowBody,
    attempts: u32,
    #[serde(default, skip_serializing_if = "super::is_default")]
    backoff_ms: u32,
    #[serde(default, skip_serializing_if = "super::is_default")]
    failed_to: PlaceBody,
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

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PlaceBody {
    Head,
    #[default]
    Tail,
}

fn at_once() -> StageBody {
    StageBody::Accepted
}

fn is_at_once(stage: &StageBody) -> bool {
    matches!(stage, StageBody::Accepted)
}

same_cases!(WhenAway, WhenAwayBody, Fail Queue);
same_cases!(Overflow, OverflowBody, RefuseNewest DropOldest);
same_cases!(Place, PlaceBody, Head Tail);

impl From<&Options> for OptionsBody {
    fn from(options: &Options) -> Self {
        let Options {
            ttl_ms,
            succeeds_at,
            lowered,
            when_away,
            queue,
            window,
            device_window,
            queue_limit,
            overflow,
            attempts,
            backoff_ms,
            failed_to,
        } = options;
        Self {
            ttl_ms: *ttl_ms,
            succeeds_at: (*succeeds_at).into(),
            lowered: *lowered,
            when_away: (*when_away).into(),
            queue: queue.as_ref().to_owned(),
            window: (*window).into(),
            device_window: (*device_window).into(),
            queue_limit: *queue_limit,
            overflow: (*overflow).into(),
            attempts: *attempts,
            backoff_ms: *backoff_ms,
            failed_to: (*failed_to).into(),
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
            device_window: body.device_window.into(),
            queue_limit: body.queue_limit,
            overflow: body.overflow.into(),
            attempts: body.attempts,
            backoff_ms: body.backoff_ms,
            failed_to: body.failed_to.into(),
        }
    }
}
