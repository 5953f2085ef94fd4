//! The steps of `setLevel`, as a function of the step before and its reply.

use crate::params::SetLevel;
use dragoman_plugin_sdk::outcome::{device_code, device_text, reason};
use dragoman_plugin_sdk::{Error, Intent, Invocation, Outcome, Plan, Reason, Reply, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long the box may take to answer one step.
const REPLY_WITHIN_MS: u32 = 5_000;

/// What stands between two calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
enum State {
    /// Not `setLevel`: the reply is the outcome.
    PassThrough,
    /// One of the three steps was sent.
    Sent { act: Act, repeated: bool },
    /// It went wrong and the box was told to lock again; then the verdict is this.
    Locking { rejected: bool, code: String, text: String, detail: Option<String> },
}

/// What the box is asked for, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Unlock,
    SetLevel,
    GetLevel,
}

pub(crate) fn start(intent: &Intent) -> Result<Step, Error> {
    match SetLevel::of(intent) {
        None => send(intent.clone(), &State::PassThrough),
        Some(Ok(wanted)) => act(&wanted, Act::Unlock, false),
        Some(Err(text)) => Ok(Step::Finish(Outcome::Rejected(reason("INVALID_PARAMS", text)))),
    }
}

pub(crate) fn resume(intent: &Intent, state: &str, reply: &Reply) -> Result<Step, Error> {
    let state: State =
        serde_json::from_str(state).map_err(|error| Error::Internal(format!("the state is not ours: {error}")))?;
    match state {
        State::PassThrough => Ok(Step::Finish(match reply {
            Reply::Outcome(outcome) => outcome.clone(),
            Reply::Silence => Outcome::Failed(reason("NO_REPLY", "the box did not answer")),
        })),
        State::Locking { rejected, code, text, detail } => {
            let why = Reason { code, text, detail };
            Ok(Step::Finish(if rejected { Outcome::Rejected(why) } else { Outcome::Failed(why) }))
        }
        State::Sent { act, repeated } => match SetLevel::of(intent) {
            Some(Ok(wanted)) => follow(&wanted, act, repeated, reply),
            _ => Err(Error::Internal("the state is that of another command".to_owned())),
        },
    }
}

/// What comes behind a reply to one of the three steps, or behind its absence.
fn follow(wanted: &SetLevel, sent: Act, repeated: bool, reply: &Reply) -> Result<Step, Error> {
    match (sent, reply) {
        (_, Reply::Silence) if !repeated => act(wanted, sent, true),
        // The box may have heard what it did not answer, so it is locked here too.
        (_, Reply::Silence) => lock(wanted, false, reason(no_reply_code(sent), "the box did not answer, asked twice")),
        (Act::Unlock, Reply::Outcome(Outcome::Succeeded(_))) => act(wanted, Act::SetLevel, false),
        // Not every dialect can tell a box that would not open from one that could not.
        (Act::Unlock, Reply::Outcome(Outcome::Failed(why) | Outcome::Rejected(why))) => {
            Ok(Step::Finish(Outcome::Rejected(refused("UNLOCK_REFUSED", "the box did not unlock", why))))
        }
        (Act::SetLevel, Reply::Outcome(Outcome::Succeeded(_))) => act(wanted, Act::GetLevel, false),
        (Act::SetLevel, Reply::Outcome(Outcome::Failed(why))) => {
            lock(wanted, false, refused("SET_FAILED", "the box did not set the level", why))
        }
        (Act::SetLevel, Reply::Outcome(Outcome::Rejected(why))) => {
            lock(wanted, true, refused("SET_REFUSED", "the box refused the level", why))
        }
        (Act::GetLevel, Reply::Outcome(Outcome::Succeeded(result))) => compare(wanted, result.as_deref()),
        (Act::GetLevel, Reply::Outcome(Outcome::Failed(why) | Outcome::Rejected(why))) => {
            lock(wanted, false, refused("READ_BACK_FAILED", "the box did not tell its level", why))
        }
    }
}

fn compare(wanted: &SetLevel, result: Option<&str>) -> Result<Step, Error> {
    let answered = result.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let level = answered.as_ref().and_then(|answer| answer.get("level"));
    if level.and_then(Value::as_f64) == Some(f64::from(wanted.level)) {
        return Ok(Step::Finish(Outcome::Succeeded(Some(json!({"level": wanted.level}).to_string()))));
    }
    let told = level.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let mut why = reason("READ_BACK_DIFFERS", format!("the level was set to {} and read back as {told}", wanted.level));
    why.detail = Some(json!({"wanted": wanted.level, "level": level}).to_string());
    lock(wanted, false, why)
}

fn act(wanted: &SetLevel, act: Act, repeated: bool) -> Result<Step, Error> {
    let (action, params) = match act {
        Act::Unlock => ("unlock", json!({"pin": wanted.pin})),
        Act::SetLevel => ("setLevel", json!({"level": wanted.level})),
        Act::GetLevel => ("getLevel", json!({})),
    };
    send(invoke(wanted, action, &params), &State::Sent { act, repeated })
}

fn lock(wanted: &SetLevel, rejected: bool, why: Reason) -> Result<Step, Error> {
    let state = State::Locking { rejected, code: why.code, text: why.text, detail: why.detail };
    send(invoke(wanted, "lock", &json!({})), &state)
}

fn invoke(wanted: &SetLevel, action: &str, params: &Value) -> Intent {
    let service = wanted.service.clone();
    Intent::Invoke(Invocation { service, action: action.to_owned(), params: params.to_string() })
}

fn send(frame: Intent, state: &State) -> Result<Step, Error> {
    // What only passes through may take as long as its command lives.
    let reply_within = (*state != State::PassThrough).then_some(REPLY_WITHIN_MS);
    let state = serde_json::to_string(state).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Step::Send(Plan { frames: vec![frame], state, reply_within }))
}

fn no_reply_code(act: Act) -> &'static str {
    match act {
        Act::Unlock => "NO_REPLY_TO_UNLOCK",
        Act::SetLevel => "NO_REPLY_TO_SET",
        Act::GetLevel => "NO_REPLY_TO_READ_BACK",
    }
}

/// Our reason, with the box's own as its detail.
fn refused(code: &str, text: &str, why: &Reason) -> Reason {
    let (own_code, own_text) = (device_code(&why.code, "UNKNOWN"), device_text(&why.text, "without a text"));
    let detail = json!({"code": own_code, "text": own_text}).to_string();
    Reason { code: code.to_owned(), text: format!("{text}: {own_text}"), detail: Some(detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to a command, in lines: what is sent, and the verdict.
    fn play(params: &str, replies: &[Reply]) -> Vec<String> {
        let intent = Intent::Invoke(Invocation {
            service: Some("Box".to_owned()),
            action: "setLevel".to_owned(),
            params: params.to_owned(),
        });
        let mut lines = Vec::new();
        let mut step = start(&intent).unwrap();
        let mut replies = replies.iter();
        loop {
            match step {
                Step::Send(plan) => {
                    let [Intent::Invoke(frame)] = plan.frames.as_slice() else { panic!("one invocation") };
                    assert_eq!((frame.service.as_deref(), plan.reply_within), (Some("Box"), Some(5_000)));
                    lines.push(format!("{} {}", frame.action, frame.params));
                    let Some(reply) = replies.next() else { return lines };
                    step = resume(&intent, &plan.state, reply).unwrap();
                }
                Step::Finish(outcome) => {
                    lines.push(match outcome {
                        Outcome::Succeeded(result) => format!("succeeded {}", result.unwrap_or_default()),
                        Outcome::Failed(why) => format!("failed {}", why.code),
                        Outcome::Rejected(why) => format!("rejected {}", why.code),
                    });
                    assert_eq!(replies.next(), None, "{lines:?}");
                    return lines;
                }
            }
        }
    }

    fn ok(result: &str) -> Reply {
        Reply::Outcome(Outcome::Succeeded(Some(result.to_owned())))
    }
    fn failed() -> Reply {
        Reply::Outcome(Outcome::Failed(reason("RESULT_CODE_1", "no")))
    }
    fn rejected() -> Reply {
        Reply::Outcome(Outcome::Rejected(reason("REJECTED", "no")))
    }

    #[test]
    fn every_conversation_ends_as_it_should() {
        const GOOD: &str = r#"{"level":42,"pin":"1234"}"#;
        let silence = Reply::Silence;
        let (unlock, set, get, lock) =
            (r#"unlock {"pin":"1234"}"#, r#"setLevel {"level":42}"#, "getLevel {}", "lock {}");
        let table: Vec<(&str, Vec<Reply>, Vec<&str>)> = vec![
            (
                GOOD,
                vec![ok("{}"), ok("{}"), ok(r#"{"level":42}"#)],
                vec![unlock, set, get, r#"succeeded {"level":42}"#],
            ),
            (
                GOOD,
                vec![ok("{}"), ok("{}"), ok(r#"{"level":42.0}"#)],
                vec![unlock, set, get, r#"succeeded {"level":42}"#],
            ),
            (GOOD, vec![rejected()], vec![unlock, "rejected UNLOCK_REFUSED"]),
            (GOOD, vec![failed()], vec![unlock, "rejected UNLOCK_REFUSED"]),
            (
                GOOD,
                vec![silence.clone(), silence.clone(), silence.clone()],
                vec![unlock, unlock, lock, "failed NO_REPLY_TO_UNLOCK"],
            ),
            (GOOD, vec![silence.clone(), ok("{}")], vec![unlock, unlock, set]),
            (
                GOOD,
                vec![ok("{}"), silence.clone(), silence.clone(), ok("{}")],
                vec![unlock, set, set, lock, "failed NO_REPLY_TO_SET"],
            ),
            (GOOD, vec![ok("{}"), failed(), silence.clone()], vec![unlock, set, lock, "failed SET_FAILED"]),
            (GOOD, vec![ok("{}"), rejected(), ok("{}")], vec![unlock, set, lock, "rejected SET_REFUSED"]),
            (
                GOOD,
                vec![ok("{}"), ok("{}"), ok(r#"{"level":41}"#), ok("{}")],
                vec![unlock, set, get, lock, "failed READ_BACK_DIFFERS"],
            ),
            (
                GOOD,
                vec![ok("{}"), ok("{}"), ok("{}"), ok("{}")],
                vec![unlock, set, get, lock, "failed READ_BACK_DIFFERS"],
            ),
            (
                GOOD,
                vec![ok("{}"), ok("{}"), failed(), failed()],
                vec![unlock, set, get, lock, "failed READ_BACK_FAILED"],
            ),
            (
                GOOD,
                vec![ok("{}"), ok("{}"), silence.clone(), silence.clone(), silence],
                vec![unlock, set, get, get, lock, "failed NO_REPLY_TO_READ_BACK"],
            ),
            (r#"{"level":101,"pin":"1234"}"#, vec![], vec!["rejected INVALID_PARAMS"]),
        ];
        for (params, replies, expected) in table {
            assert_eq!(play(params, &replies), expected);
        }
    }

    #[test]
    fn anything_else_is_one_step_without_a_limit_of_its_own() {
        let intent = Intent::Read(Vec::new());
        let Step::Send(plan) = start(&intent).unwrap() else { panic!("a step") };
        assert_eq!((plan.frames.as_slice(), plan.reply_within), ([intent.clone()].as_slice(), None));
        let Reply::Outcome(verdict) = failed() else { panic!("an outcome") };
        let step = resume(&intent, &plan.state, &failed()).unwrap();
        assert_eq!(step, Step::Finish(verdict));
    }

    #[test]
    fn a_state_that_is_not_ours_is_a_fault() {
        for state in ["", "{}", r#"{"step":"sent","act":"unlock","repeated":false}"#] {
            assert!(resume(&Intent::Read(Vec::new()), state, &Reply::Silence).is_err(), "{state}");
        }
    }
}
