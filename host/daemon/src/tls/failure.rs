//! Why a handshake failed, in the words of a metric, and a log that no flood of failures fills.

use rustls::{CertificateError, Error};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time tells of a listener's failures.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a handshake that failed is counted as.
pub(super) fn reason(error: &io::Error) -> &'static str {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return "gone" };
    match error {
        Error::NoCertificatesPresented => "no-certificate",
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "certificate-expired"
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "unknown-authority",
        Error::InvalidCertificate(_) => "bad-certificate",
        Error::AlertReceived(_) => "refused-by-client",
        Error::InvalidMessage(_) => "not-tls",
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => "incompatible",
        _ => "broken",
    }
}

/// Tells of the first failure, and then now and then how many there were.
#[derive(Debug, Default)]
pub(super) struct Failures {
    state: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    untold: u64,
}

impl Failures {
    /// How many there were since the last line, this one included, where it is time for the next.
    pub(super) fn due(&self, now: Instant) -> Option<u64> {
        let mut told = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        told.untold += 1;
        if told.at.is_some_and(|at| now.duration_since(at) < TELL_EVERY) {
            return None;
        }
        told.at = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, TELL_EVERY, reason};
    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
    use std::io;
    use std::time::{Duration, Instant};

    #[test]
    fn each_failure_has_a_reason() {
        for (error, expected) in [
            (Error::NoCertificatesPresented, "no-certificate"),
            (Error::InvalidCertificate(CertificateError::Expired), "certificate-expired"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "unknown-authority"),
            (Error::InvalidCertificate(CertificateError::BadSignature), "bad-certificate"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "refused-by-client"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "not-tls"),
            (Error::NoApplicationProtocol, "incompatible"),
            (Error::DecryptError, "broken"),
        ] {
            assert_eq!(reason(&io::Error::new(io::ErrorKind::InvalidData, error)), expected);
        }
        assert_eq!(reason(&io::ErrorKind::UnexpectedEof.into()), "gone");
    }

    #[test]
    fn a_flood_is_one_line_a_minute() {
        let (failures, start) = (Failures::default(), Instant::now());
        assert_eq!(failures.due(start), Some(1));
        for second in 1..60 {
            assert_eq!(failures.due(start + Duration::from_secs(second)), None);
        }
        assert_eq!(failures.due(start + TELL_EVERY), Some(60));
        assert_eq!(failures.due(start + TELL_EVERY), None);
    }
}
