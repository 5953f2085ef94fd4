//! What an answer, or none, means for a request.

use axum::http::StatusCode;
use std::time::{Duration, SystemTime};

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The target answered.
    Answered {
        status: StatusCode,
        /// What `Retry-After` asks for.
        retry_after_ms: Option<u64>,
        /// Status and first line, for people.
        text: String,
    },
    /// It did not; why, for people.
    Failed(String),
}

impl Outcome {
    /// What is recorded as the last answer.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Answered { text, .. } | Self::Failed(text) => text,
        }
    }

    pub(super) fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Answered { retry_after_ms, .. } => *retry_after_ms,
            Self::Failed(_) => None,
        }
    }
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The target has it.
    Done,
    /// It may have it later.
    Again {
        /// Whether what is wrong concerns everything for this target, so that the rest waits too.
        everything_waits: bool,
    },
    /// It never will.
    Final,
}

/// 2xx is done. No answer, 408, 425, 429 and 5xx are worth another try; everything else, redirects too, is final.
pub(super) fn judge(outcome: &Outcome) -> Verdict {
    let status = match outcome {
        Outcome::Failed(_) => return Verdict::Again { everything_waits: true },
        Outcome::Answered { status, .. } => *status,
    };
    match status.as_u16() {
        200..300 => Verdict::Done,
        429 | 503 => Verdict::Again { everything_waits: true },
        408 | 425 | 500..600 => Verdict::Again { everything_waits: false },
        _ => Verdict::Final,
    }
}

/// The wait that a `Retry-After` header asks for: seconds, or a date (RFC 9110, section 10.2.3). None for what is neither.
pub(super) fn retry_after_ms(value: &str, now: SystemTime) -> Option<u64> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() => Duration::MAX,
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_status_has_its_verdict() {
        let (again, all) = (Verdict::Again { everything_waits: false }, Verdict::Again { everything_waits: true });
        for (status, expected) in [
            (200, Verdict::Done),
            (204, Verdict::Done),
            (299, Verdict::Done),
            (300, Verdict::Final),
            (301, Verdict::Final),
            (307, Verdict::Final),
            (400, Verdict::Final),
            (401, Verdict::Final),
            (404, Verdict::Final),
            (408, again),
            (409, Verdict::Final),
            (410, Verdict::Final),
            (425, again),
            (429, all),
            (500, again),
            (501, again),
            (502, again),
            (503, all),
            (504, again),
            (599, again),
            (600, Verdict::Final),
            (999, Verdict::Final),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = Outcome::Answered { status, retry_after_ms: None, text: String::new() };
            assert_eq!(judge(&outcome), expected, "{status}");
        }
        assert_eq!(judge(&Outcome::Failed("no connection".to_owned())), all);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 15:00:00 GMT").unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120_000)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sat, 21 Nov 2026 15:00:30 GMT", Some(30_000)),
            ("Sat, 21 Nov 2026 14:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after_ms(value, now), expected, "{value:?}");
        }
    }
}
