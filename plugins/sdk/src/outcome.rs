//! Small makers of reasons and outcomes.

use crate::refusal::is_host_code;
use crate::{Error, Execution, Outcome, Reason, State};

/// Reason codes that devices send are cut to this many bytes.
const DEVICE_CODE_BYTES_MAX: usize = 128;
/// Texts that devices send are cut to this many bytes; the gateway takes 4 096.
const DEVICE_TEXT_BYTES_MAX: usize = 1_024;

/// A reason without detail.
pub fn reason(code: impl Into<String>, text: impl Into<String>) -> Reason {
    Reason { code: code.into(), text: text.into(), detail: None }
}

/// A code that came from a device, made fit to be a reason's: without the `$` in front that marks the gateway's own,
/// not too long; the fallback where nothing is left.
pub fn device_code(sent: &str, fallback: &str) -> String {
    match cut(sent.trim().trim_start_matches('$'), DEVICE_CODE_BYTES_MAX) {
        "" => fallback.to_owned(),
        code => code.to_owned(),
    }
}

/// A text that came from a device, made fit to be a reason's; the fallback where it is empty.
pub fn device_text(sent: &str, fallback: &str) -> String {
    match cut(sent, DEVICE_TEXT_BYTES_MAX) {
        "" => fallback.to_owned(),
        text => text.to_owned(),
    }
}

/// The beginning of a text: whole characters of at most that many bytes.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether nothing but a late answer can still happen.
pub fn is_final(state: State) -> bool {
    match state {
        State::Queued | State::Sent | State::Acked => false,
        State::Succeeded | State::Failed | State::Rejected | State::TimedOut | State::Canceled => true,
    }
}

/// Why it ended without success, whoever says so: the device's verdict first, then the gateway's reason.
pub fn why(execution: &Execution) -> Option<&Reason> {
    match &execution.outcome {
        Some(Outcome::Failed(reason) | Outcome::Rejected(reason)) => Some(reason),
        Some(Outcome::Succeeded(_)) | None => execution.reason.as_ref(),
    }
}

/// Why the device's dialect had no words for it, in that dialect's own code. Nothing was dispatched then: a reason of the
/// same form behind an attempt is why the newest attempt failed.
pub fn unsupported(execution: &Execution) -> Option<&Reason> {
    match (&execution.outcome, execution.attempt) {
        (None, 0) => execution.reason.as_ref().filter(|reason| !is_host_code(&reason.code)),
        _ => None,
    }
}

/// Whether what was dispatched is the intent itself: no handler has turned it into steps of its own.
pub fn is_plain(execution: &Execution) -> bool {
    match execution.frames.as_slice() {
        [] => true,
        [frame] => *frame == execution.intent,
        _ => false,
    }
}

/// What an error of an import says, without its case.
pub fn error_text(error: &Error) -> &str {
    match error {
        Error::Invalid(text)
        | Error::NotFound(text)
        | Error::Denied(text)
        | Error::Conflict(text)
        | Error::Limit(text)
        | Error::Unsupported(text)
        | Error::Unavailable(text)
        | Error::Internal(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, bytes_max, expected) in [
            ("abc", 5, "abc"),
            ("abc", 2, "ab"),
            ("a\u{e9}b", 2, "a"),
            ("a\u{e9}b", 3, "a\u{e9}"),
            ("\u{1f600}", 3, ""),
        ] {
            assert_eq!(cut(text, bytes_max), expected);
        }
    }

    #[test]
    fn device_codes_never_look_like_the_gateways() {
        for (sent, expected) in
            [("BUSY", "BUSY"), ("$AWAY", "AWAY"), (" $$x ", "x"), ("", "FAILED"), ("$", "FAILED"), (" ", "FAILED")]
        {
            assert_eq!(device_code(sent, "FAILED"), expected);
        }
        assert_eq!(device_code(&"\u{e9}".repeat(100), "F").len(), 128);
        assert_eq!(device_code(&format!("a{}", "\u{e9}".repeat(100)), "F").len(), 127);
        assert_eq!(device_text("", "nothing"), "nothing");
        assert_eq!(device_text(&"x".repeat(5_000), "nothing").len(), 1_024);
    }
}
