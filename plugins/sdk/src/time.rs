//! Instants in the forms that platforms write and read, in the proleptic Gregorian calendar.

const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// `2025-05-27T23:06:40.000Z` (RFC 3339, milliseconds).
pub fn rfc3339(at_ms: u64) -> String {
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Hours since 1970 of a time written as `YYYYMMDDHH`; `None` where that is no hour of a date from 1970 on.
pub fn hour_of(text: &str) -> Option<u64> {
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day, hour) = (number(0, 4)?, number(4, 6)?, number(6, 8)?, number(8, 10)?);
    if year < 1970 || hour > 23 {
        return None;
    }
    let days = days_of(year, month, day);
    (date_of(days) == (year, month, day)).then_some(days * 24 + hour)
}

/// Milliseconds since 1970 of an ISO 8601 date, or date and time, in the extended form, e.g. `2025-05-28T01:06:40.5+02:00`:
/// UTC where it has no zone. Minutes, seconds and a fraction of at most 9 digits may be left out; what is finer than a millisecond
/// is cut. `None` for anything else and for what is before 1970.
pub fn iso_8601(text: &str) -> Option<u64> {
    read_iso_8601(text).map(|(at_ms, _)| at_ms)
}

/// As [`iso_8601`], where the text must say its zone.
pub fn iso_8601_with_zone(text: &str) -> Option<u64> {
    read_iso_8601(text).and_then(|(at_ms, has_zone)| has_zone.then_some(at_ms))
}

/// The instant, and whether the text says its zone.
fn read_iso_8601(text: &str) -> Option<(u64, bool)> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month_and_day) = date.split_once('-')?;
    let (month, day) = month_and_day.split_once('-')?;
    if (year.len(), month.len()) != (4, 2) {
        return None;
    }
    let hours_at = |hour: &str| hour_of(&format!("{year}{month}{day}{hour}"));
    if rest.is_empty() {
        return Some((hours_at("00")? * HOUR_MS, false));
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = time.split_at_checked(time.find(['Z', 'z', '+', '-']).unwrap_or(time.len()))?;
    let (clock, fraction_ms) = match clock.split_once(['.', ',']) {
        Some((clock, digits)) => (clock, thousandths(digits)?),
        None => (clock, 0),
    };
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next().unwrap_or("00"), parts.next().unwrap_or("00"));
    if parts.next().is_some() {
        return None;
    }
    let within_hour_ms = two_digits(minute, 59)? * MINUTE_MS + two_digits(second, 59)? * 1_000 + fraction_ms;
    let local_ms = i64::try_from(hours_at(hour)? * HOUR_MS + within_hour_ms).ok()?;
    let at_ms = u64::try_from(local_ms - east_of_greenwich_ms(zone)?).ok()?;
    Some((at_ms, !zone.is_empty()))
}

/// Of nothing, `Z`, `±hh:mm`, `±hhmm` or `±hh`.
fn east_of_greenwich_ms(zone: &str) -> Option<i64> {
    let Some(offset) = zone.strip_prefix(['+', '-']) else {
        return matches!(zone, "" | "Z" | "z").then_some(0);
    };
    let (hours, minutes) = match offset.len() {
        2 => (offset, "00"),
        4 => offset.split_at_checked(2)?,
        _ => offset.split_once(':')?,
    };
    let east_ms = i64::try_from(two_digits(hours, 23)? * HOUR_MS + two_digits(minutes, 59)? * MINUTE_MS).ok()?;
    Some(if zone.starts_with('-') { -east_ms } else { east_ms })
}

fn two_digits(text: &str, max: u64) -> Option<u64> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= max)
}

/// Milliseconds of the digits of a fraction of a second.
fn thousandths(digits: &str) -> Option<u64> {
    let fits = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{digits:0<3}")).and_then(|padded| padded.get(..3)?.parse().ok())
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date_of(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The inverse of [`date_of`]; for what is no date it gives some other day.
fn days_of(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.saturating_sub(1);
    (era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339() {
        for (at_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_748_390_400_123, "2025-05-28T00:00:00.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(at_ms), expected);
        }
    }

    #[test]
    fn hours_are_read_back_or_refused() {
        for (text, expected) in [
            ("1970010100", Some(0)),
            ("2025041401", Some(484_609)),
            ("2024022923", Some(474_791)),
            ("2025022900", None),
            ("2025131400", None),
            ("2025001400", None),
            ("2025040024", None),
            ("2025041424", None),
            ("196912312300", None),
            ("1969123123", None),
            ("20250414+1", None),
        ] {
            assert_eq!(hour_of(text), expected, "{text}");
        }
    }

    #[test]
    fn iso_8601_is_read_with_its_zone_or_as_utc() {
        for (text, expected) in [
            ("2018-02-06T14:32:45.123Z", 1_517_927_565_123),
            ("2018-02-06T14:32:45.1239z", 1_517_927_565_123),
            ("2018-02-06T16:32:45.123+02:00", 1_517_927_565_123),
            ("2018-02-06T12:02:45.123-0230", 1_517_927_565_123),
            ("2018-02-06T15:32:45,1+01", 1_517_927_565_100),
            ("2018-02-07T14:31:45.123+23:59", 1_517_927_565_123),
            ("2018-02-06t14:32Z", 1_517_927_520_000),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!((iso_8601(text), iso_8601_with_zone(text)), (Some(expected), Some(expected)), "{text}");
        }
        for (text, expected) in [
            ("2018-02-06T14:32:45.123", 1_517_927_565_123),
            ("2018-02-06T14:32:45.123456789", 1_517_927_565_123),
            ("2018-02-06 14:32:45", 1_517_927_565_000),
            ("2018-02-06T14:32", 1_517_927_520_000),
            ("2018-02-06T14", 1_517_925_600_000),
            ("2018-02-06", 1_517_875_200_000),
        ] {
            assert_eq!((iso_8601(text), iso_8601_with_zone(text)), (Some(expected), None), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_in_iso_8601_is_refused() {
        for text in [
            "",
            "1517927565123",
            "yesterday at noon",
            "2018-2-6",
            "2018-0-206",
            "2018-02-30",
            "2025-02-29T00:00:00Z",
            "2018-02-0\u{e9}",
            "20180206T143245Z",
            "2018-02-06T",
            "2018-02-06Z",
            "2018-02-06T24:00:00",
            "2018-02-06T14:60:00",
            "2018-02-06T14:32:60Z",
            "2018-02-06T4:32:45Z",
            "2018-02-06T14:32:45:00Z",
            "2018-02-06T14:32:45.",
            "2018-02-06T14:32:45.Z",
            "2018-02-06T14:32:45.1234567890",
            "2018-02-06T14:32:45Zx",
            "2018-02-06T14:32:45+1",
            "2018-02-06T14:32:45+02:0:0",
            "2018-02-06T14:32:45+24:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!((iso_8601(text), iso_8601_with_zone(text)), (None, None), "{text}");
        }
    }
}
