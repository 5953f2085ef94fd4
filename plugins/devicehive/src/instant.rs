//! Instants as the platform writes them. All are UTC.

use dragoman_plugin_sdk::time;

/// `2018-02-07T14:32:45.123`: ISO 8601 with milliseconds and without a zone, as every answer has it.
pub(crate) fn text(at_ms: u64) -> String {
    let mut text = time::rfc3339(at_ms);
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_without_a_zone_and_read_back() {
        assert_eq!(text(1_517_927_565_123), "2018-02-06T14:32:45.123");
        assert_eq!(time::iso_8601(&text(1_517_927_565_123)), Some(1_517_927_565_123));
    }
}
