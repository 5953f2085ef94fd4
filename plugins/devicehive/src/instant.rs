//! Instants as the platform writes and reads them. All are UTC.

use dragoman_plugin_sdk::time;

/// `2018-02-07T14:32:45.123`: ISO 8601 with milliseconds and without a zone, as every answer has it.
pub(crate) fn text(at_ms: u64) -> String {
    let mut text = time::rfc3339(at_ms);
    text.pop();
    text
}

/// Milliseconds since 1970 of any ISO 8601 date, or date and time, from 1970 on: with or without a fraction of the
/// second, with or without a zone; without one it is UTC.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let hours_at = |hour: &str| match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] if year.len() == 4 && month.len() == 2 => {
            time::hour_of(&format!("{year}{month}{day}{hour}"))
        }
        _ => None,
    };
    if rest.is_empty() {
        return hours_at("00")?.checked_mul(3_600_000);
    }
    let (clock, zone_ms) = split_zone(rest.strip_prefix(['T', 't', ' '])?)?;
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next().unwrap_or("00"), parts.next().unwrap_or("00"));
    if parts.next().is_some() || hour.len() != 2 {
        return None;
    }
    let (minute, second) = (two_digits(minute, 59)?, two_digits(second, 59)?);
    let local_ms = hours_at(hour)?.checked_mul(3_600_000)? + minute * 60_000 + second * 1_000 + thousandths(fraction)?;
    u64::try_from(i64::try_from(local_ms).ok()? - zone_ms).ok()
}

/// Takes `Z`, `+hh:mm`, `+hhmm` or `+hh` off the end of a time; milliseconds east of Greenwich.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, 0)) };
    let (clock, zone) = text.split_at(at);
    let digits = zone.get(1..)?.replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (two_digits(&digits, 18)?, 0),
        4 => (two_digits(digits.get(..2)?, 18)?, two_digits(digits.get(2..)?, 59)?),
        _ => return None,
    };
    let east = i64::try_from((hours * 60 + minutes) * 60_000).ok()?;
    Some((clock, if zone.starts_with('-') { -east } else { east }))
}

fn two_digits(text: &str, max: u64) -> Option<u64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= max)
}

/// Milliseconds of a fraction; what is finer is cut.
fn thousandths(digits: &str) -> Option<u64> {
    if digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<3}").get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_without_a_zone() {
        assert_eq!(text(1_517_927_565_123), "2018-02-06T14:32:45.123");
    }

    #[test]
    fn any_iso_8601_is_read() {
        for (text, expected) in [
            ("2018-02-06T14:32:45.123", Some(1_517_927_565_123)),
            ("2018-02-06T14:32:45.123Z", Some(1_517_927_565_123)),
            ("2018-02-06T14:32:45.123456", Some(1_517_927_565_123)),
            ("2018-02-06 14:32:45", Some(1_517_927_565_000)),
            ("2018-02-06T14:32", Some(1_517_927_520_000)),
            ("2018-02-06T16:32:45.123+02:00", Some(1_517_927_565_123)),
            ("2018-02-06T12:02:45.123-0230", Some(1_517_927_565_123)),
            ("2018-02-06T15:32:45.1+01", Some(1_517_927_565_100)),
            ("2018-02-06", Some(1_517_875_200_000)),
            ("1970-01-01T00:00:00+01:00", None),
            ("2018-02-30", None),
            ("2018-02-06T24:00:00", None),
            ("2018-02-06T14:60:00", None),
            ("2018-02-06T14:32:45.1234567890", None),
            ("2018-02-06T14:32:45+1", None),
            ("2018-2-6", None),
            ("yesterday at noon", None),
            ("1517927565123", None),
            ("2018-02-0\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
