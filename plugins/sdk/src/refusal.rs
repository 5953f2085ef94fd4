//! The gateway's reason codes that a dialect has words of its own for.

use crate::Reason;

/// Why the gateway did not accept a command, or ended it without a verdict of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device's queue holds as many commands as it may.
    QueueFull,
    /// The gateway, or the device, has as many commands open as it may.
    Limit,
    /// The platform's own id of the command is taken.
    Duplicate,
    /// The idempotency key was used for something else.
    IdempotencyConflict,
    /// The device was removed, or never was.
    UnknownDevice,
    /// Nothing that the device's dialect has words for.
    Unsupported,
    /// A submission that the gateway does not take, e.g. a time to live out of range.
    Invalid,
    /// The device is not connected.
    Away,
    /// The device is connected and does not listen.
    NoSubscriber,
    /// Anything else: a plugin's fault, a lost message, a code of a later gateway.
    Other,
}

impl Refusal {
    /// Every refusal that a table should have a row for.
    pub const ALL: [Self; 10] = [
        Self::QueueFull,
        Self::Limit,
        Self::Duplicate,
        Self::IdempotencyConflict,
        Self::UnknownDevice,
        Self::Unsupported,
        Self::Invalid,
        Self::Away,
        Self::NoSubscriber,
        Self::Other,
    ];

    /// Reads the code of a reason.
    pub fn of(reason: &Reason) -> Self {
        Self::ALL.into_iter().find(|refusal| refusal.code() == reason.code).unwrap_or(Self::Other)
    }

    /// The gateway's code; empty for [`Refusal::Other`].
    pub fn code(self) -> &'static str {
        match self {
            Self::QueueFull => "$QUEUE_FULL",
            Self::Limit => "$LIMIT",
            Self::Duplicate => "$DUPLICATE",
            Self::IdempotencyConflict => "$IDEMPOTENCY_CONFLICT",
            Self::UnknownDevice => "$UNKNOWN_DEVICE",
            Self::Unsupported => "$UNSUPPORTED",
            Self::Invalid => "$INVALID",
            Self::Away => "$AWAY",
            Self::NoSubscriber => "$NO_SUBSCRIBER",
            Self::Other => "",
        }
    }
}

/// Whether the code is one that no device can produce.
pub fn is_host_code(code: &str) -> bool {
    code.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back() {
        for refusal in Refusal::ALL {
            let reason = Reason { code: refusal.code().to_owned(), text: String::new(), detail: None };
            assert_eq!(Refusal::of(&reason), refusal);
        }
        let later = Reason { code: "$NEW".to_owned(), text: String::new(), detail: None };
        assert_eq!(Refusal::of(&later), Refusal::Other);
    }
}
