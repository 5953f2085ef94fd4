//! The platform's two forms of an instant, both in UTC.

use dragoman_plugin_sdk::time::rfc3339;

/// `20151212T121212Z`.
pub(crate) fn basic(at_ms: u64) -> String {
    let text = rfc3339(at_ms);
    let seconds = text.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
    format!("{digits}Z")
}

/// `2015-12-12T12:12:12.000Z`.
pub(crate) fn extended(at_ms: u64) -> String {
    rfc3339(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_two_forms() {
        assert_eq!(basic(1_449_922_332_000), "20151212T121212Z");
        assert_eq!(extended(1_449_922_332_000), "2015-12-12T12:12:12.000Z");
    }
}
