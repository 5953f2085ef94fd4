//! The steps of `set`, as a function of the step before and its reply.

use crate::frames;
use dragoman_plugin_sdk::outcome::reason;
use dragoman_plugin_sdk::{Delivery, Error, Intent, Outcome, Payload, Plan, Reason, Reply, Step};
use serde::Deserialize;
use serde_json::{Value, json};

/// JSON Schema of the parameters of `set`.
pub(crate) const SET_SCHEMA: &str = r#"{
  "type": "object",
  "required": ["level"],
  "properties": {
    "level": {"type": "integer", "minimum": 0, "maximum": 100},
    "fade_ms": {"type": "integer", "minimum": 0, "maximum": 25500}
  }
}"#;

/// JSON Schema of the settings.
pub(crate) const SETTINGS_SCHEMA: &str = r#"{
  "type": "object",
  "properties": {"reply_within_ms": {"type": "integer", "minimum": 1, "maximum": 600000}}
}"#;

const LEVEL_MAX: u16 = 100;
const FADE_MAX_MS: u16 = 25_500;
const REPLY_WITHIN_MS: u32 = 5_000;

/// What stands between two calls.
#[derive(Deserialize)]
struct State {
    /// How often the dimmer was asked.
    tries: u8,
}

pub(crate) fn start(intent: &Intent, settings: &str) -> Result<Step, Error> {
    let params = match intent {
        Intent::Invoke(what) if what.action == "set" => parsed(&what.params),
        _ => return Ok(rejected("UNSUPPORTED", "the dimmer knows only `set`".to_owned())),
    };
    let Some(level) = level(&params["level"]) else {
        return Ok(rejected("INVALID_PARAMS", "`level` must be a whole number from 0 to 100".to_owned()));
    };
    let fade_ms = if params["fade_ms"].is_null() { Some(0) } else { whole(&params["fade_ms"], FADE_MAX_MS) };
    let Some(tenths) = fade_ms.and_then(|fade_ms| u8::try_from(fade_ms / 100).ok()) else {
        return Ok(rejected("INVALID_PARAMS", "`fade_ms` must be a whole number from 0 to 25500".to_owned()));
    };
    Ok(send(frames::set(level, tenths), 1, settings))
}

pub(crate) fn resume(intent: &Intent, state: &str, reply: &Reply, settings: &str) -> Result<Step, Error> {
    let foreign = || Error::Internal("the state is not that of this handler".to_owned());
    let State { tries } = serde_json::from_str(state).map_err(|_| foreign())?;
    let Intent::Invoke(what) = intent else { return Err(foreign()) };
    let wanted = level(&parsed(&what.params)["level"]).ok_or_else(foreign)?;
    if !(1..=2).contains(&tries) {
        return Err(foreign());
    }
    let told = match reply {
        Reply::Outcome(Outcome::Rejected(why)) => {
            return Ok(rejected("REFUSED", format!("the dimmer refused: {}", why.text)));
        }
        Reply::Outcome(Outcome::Succeeded(Some(result))) => parsed(result)["level"].clone(),
        Reply::Outcome(_) | Reply::Silence => Value::Null,
    };
    if level(&told) == Some(wanted) {
        let result = json!({"level": wanted, "tries": tries}).to_string();
        return Ok(Step::Finish(Outcome::Succeeded(Some(result))));
    }
    if tries == 1 {
        return Ok(send(frames::set_at_once(wanted), 2, settings));
    }
    Ok(failed(match reply {
        Reply::Silence => reason("NO_REPLY", "the dimmer did not answer, asked twice"),
        Reply::Outcome(Outcome::Failed(why)) => reason("FAILED", format!("the dimmer failed: {}", why.text)),
        Reply::Outcome(_) => Reason {
            detail: Some(json!({"wanted": wanted, "told": told}).to_string()),
            ..reason("LEVEL_DIFFERS", "the dimmer reports another level")
        },
    }))
}

fn send(bytes: Vec<u8>, tries: u8, settings: &str) -> Step {
    let frame = Delivery { name: Some("set".to_owned()), payload: Payload::Bytes(bytes), attributes: Vec::new() };
    let reply_within = parsed(settings)["reply_within_ms"].as_u64().and_then(|limit| u32::try_from(limit).ok());
    Step::Send(Plan {
        frames: vec![Intent::Deliver(frame)],
        state: json!({"tries": tries}).to_string(),
        reply_within: Some(reply_within.unwrap_or(REPLY_WITHIN_MS)),
    })
}

fn rejected(code: &str, text: String) -> Step {
    Step::Finish(Outcome::Rejected(reason(code, text)))
}

fn failed(why: Reason) -> Step {
    Step::Finish(Outcome::Failed(why))
}

fn level(value: &Value) -> Option<u8> {
    whole(value, LEVEL_MAX).and_then(|level| u8::try_from(level).ok())
}

/// A whole number, also where it is written as `5.0`, as platforms with one kind of number do.
fn whole(value: &Value, max: u16) -> Option<u16> {
    let number = value.as_f64()?;
    (0..=max).find(|whole| f64::from(*whole) == number)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
