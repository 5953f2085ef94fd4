//! Statuses are free text on the platform: which of them end a command, and which stand for an end.

use crate::settings::Settings;
use dragoman_plugin_sdk::{Execution, Outcome, Reason, State, json, outcome};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Statuses that end a command, without regard to case. Any other is progress.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StatusSets {
    /// The device did it.
    pub succeeded: Vec<String>,
    /// The device could not.
    pub failed: Vec<String>,
    /// The device would not.
    pub rejected: Vec<String>,
}

impl Default for StatusSets {
    fn default() -> Self {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            succeeded: set(&["success", "succeeded", "completed", "done", "ok"]),
            failed: set(&["failed", "failure", "error", "timeout"]),
            rejected: set(&["rejected", "refused"]),
        }
    }
}

impl StatusSets {
    /// The verdict that a status and its result are; `None` for progress.
    pub(crate) fn verdict(&self, status: &str, result: Option<&RawValue>) -> Option<Outcome> {
        let is_in = |set: &[String]| {
            let wanted = status.trim().to_lowercase();
            set.iter().any(|word| word.to_lowercase() == wanted)
        };
        let because = || Reason {
            code: outcome::device_code(status, "FAILED"),
            text: outcome::device_text(&text_of(result), "the device gave no reason"),
            detail: result.map(|result| result.get().to_owned()),
        };
        if is_in(&self.succeeded) {
            Some(Outcome::Succeeded(result.map(|result| result.get().to_owned())))
        } else if is_in(&self.failed) {
            Some(Outcome::Failed(because()))
        } else if is_in(&self.rejected) {
            Some(Outcome::Rejected(because()))
        } else {
            None
        }
    }
}

/// What a result says to people: itself where it is text, else its member `text`, `message`, `error` or `reason`.
fn text_of(result: Option<&RawValue>) -> String {
    let value = result.and_then(|result| json::parse::<Value>(result.get()).ok()).unwrap_or_default();
    let said = match &value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(members) => {
            ["text", "message", "error", "reason"].iter().find_map(|name| members.get(*name)?.as_str())
        }
        _ => None,
    };
    said.unwrap_or_default().to_owned()
}

/// Status and result of a command that has ended on a device of another dialect; `None` while it is open.
pub(crate) fn of_end(settings: &Settings, execution: &Execution) -> Option<(String, Option<Box<RawValue>>)> {
    let words = &settings.status_words;
    let why = || outcome::why(execution).and_then(of_reason);
    let (word, result) = match execution.state {
        State::Queued | State::Sent | State::Acked => return None,
        State::Succeeded => match &execution.outcome {
            Some(Outcome::Succeeded(result)) => (&words.succeeded, result.as_deref().map(json::raw)),
            // Delivered to a device that cannot answer.
            _ => (&words.succeeded, None),
        },
        State::Failed => (&words.failed, why()),
        State::Rejected => (&words.rejected, why()),
        State::TimedOut => (&words.timed_out, why()),
        State::Canceled => (&words.canceled, why()),
    };
    Some((word.clone(), result))
}

/// `{"code", "text", "detail"?}`.
fn of_reason(reason: &Reason) -> Option<Box<RawValue>> {
    #[derive(serde::Serialize)]
    struct Said<'a> {
        code: &'a str,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<Box<RawValue>>,
    }
    let detail = reason.detail.as_deref().map(json::raw);
    to_raw_value(&Said { code: &reason.code, text: &reason.text, detail }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::{ended, ended_by_host, execution};
    use dragoman_plugin_sdk::{Intent, Submission};

    #[test]
    fn a_status_of_the_sets_is_a_verdict_and_any_other_is_progress() {
        let sets = StatusSets::default();
        let verdict = |status: &str, result: &str| sets.verdict(status, Some(&json::raw(result)));
        for status in ["success", "Succeeded", "COMPLETED", "done", "OK", " ok "] {
            assert_eq!(verdict(status, "[1]"), Some(Outcome::Succeeded(Some("[1]".to_owned()))), "{status}");
        }
        for status in ["failed", "Failure", "ERROR", "Timeout"] {
            assert!(matches!(verdict(status, "1"), Some(Outcome::Failed(_))), "{status}");
        }
        for status in ["rejected", "Refused"] {
            assert!(matches!(verdict(status, "1"), Some(Outcome::Rejected(_))), "{status}");
        }
        for status in ["", "InProgress", "Received", "okay", "done!"] {
            assert_eq!(verdict(status, "1"), None, "{status}");
        }
    }

    #[test]
    fn a_failure_keeps_the_devices_words() {
        let sets = StatusSets::default();
        for (status, result, code, text) in [
            ("Failed", r#""no power""#, "Failed", "no power"),
            ("error", r#"{"message":"hot","n":1}"#, "error", "hot"),
            ("error", "7", "error", "the device gave no reason"),
        ] {
            let Some(Outcome::Failed(reason)) = sets.verdict(status, Some(&json::raw(result))) else {
                panic!("{status}")
            };
            assert_eq!((reason.code.as_str(), reason.text.as_str()), (code, text));
            assert_eq!(reason.detail.as_deref(), Some(result));
        }
        let mine = StatusSets { failed: vec!["$AWAY".to_owned()], ..StatusSets::default() };
        let Some(Outcome::Failed(reason)) = mine.verdict("$away", None) else { panic!("it failed") };
        assert_eq!((reason.code.as_str(), reason.detail), ("away", None));
    }

    #[test]
    fn every_end_has_a_word() {
        let open = execution("e", "o", Submission::new("d", Intent::Read(Vec::new())), 0);
        let reason = outcome::reason("BUSY", "not now");
        let said = |execution: &Execution| {
            let (word, result) = of_end(&Settings::default(), execution).unwrap();
            format!("{word} {}", result.map(|raw| raw.get().to_owned()).unwrap_or_default())
        };
        assert!(of_end(&Settings::default(), &open).is_none());
        assert_eq!(said(&ended(open.clone(), Outcome::Succeeded(Some("1.50".to_owned())), Vec::new())), "success 1.50");
        assert_eq!(
            said(&ended(open.clone(), Outcome::Failed(reason.clone()), Vec::new())),
            r#"failed {"code":"BUSY","text":"not now"}"#
        );
        assert_eq!(
            said(&ended(open.clone(), Outcome::Rejected(reason), Vec::new())),
            r#"rejected {"code":"BUSY","text":"not now"}"#
        );
        assert!(said(&ended_by_host(open.clone(), State::TimedOut, "$NO_RESPONSE")).starts_with("timeout {"));
        assert!(said(&ended_by_host(open, State::Canceled, "$REPLACED")).contains("$REPLACED"));
    }
}
