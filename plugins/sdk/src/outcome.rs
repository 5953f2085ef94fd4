//! Small makers of reasons and outcomes.

use crate::{Error, Execution, Outcome, Reason, State};

/// Reason codes that devices send are cut to this many bytes.
const DEVICE_CODE_BYTES_MAX: usize = 128;

/// A reason without detail.
pub fn reason(code: impl Into<String>, text: impl Into<String>) -> Reason {
    Reason { code: code.into(), text: text.into(), detail: None }
}

/// A code that came from a device, made fit to be a reason's: without the `$` in front that marks the gateway's own,
/// not too long; the fallback where nothing is left.
pub fn device_code(sent: &str, fallback: &str) -> String {
    let code = sent.trim().trim_start_matches('$');
    let mut end = code.len().min(DEVICE_CODE_BYTES_MAX);
    while !code.is_char_boundary(end) {
        end -= 1;
    }
    match code.get(..end) {
        Some(code) if !code.is_empty() => code.to_owned(),
        _ => fallback.to_owned(),
    }
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
    fn device_codes_never_look_like_the_gateways() {
        for (sent, expected) in
            [("BUSY", "BUSY"), ("$AWAY", "AWAY"), (" $$x ", "x"), ("", "FAILED"), ("$", "FAILED"), (" ", "FAILED")]
        {
            assert_eq!(device_code(sent, "FAILED"), expected);
        }
        assert_eq!(device_code(&"\u{e9}".repeat(100), "F").len(), 128);
        assert_eq!(device_code(&format!("a{}", "\u{e9}".repeat(100)), "F").len(), 127);
    }
}
