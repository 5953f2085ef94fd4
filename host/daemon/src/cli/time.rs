//! Points in time for people.

use serde_json::Value;

/// Milliseconds since 1970 in a member, as `2026-11-21 12:34:56.789Z`; nothing for what is missing.
pub(super) fn shown(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_u64).map(utc).unwrap_or_default()
}

fn utc(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1_000, at_ms % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March, so that a leap day is
/// the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{shown, utc};

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (at_ms, expected) in [
            (0, "1970-01-01 00:00:00.000Z"),
            (951_782_400_000, "2000-02-29 00:00:00.000Z"),
            (951_868_799_999, "2000-02-29 23:59:59.999Z"),
            (951_868_800_000, "2000-03-01 00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31 23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000Z"),
        ] {
            assert_eq!(utc(at_ms), expected);
        }
        assert_eq!(shown(&serde_json::json!({"at": null}), "at"), "");
        assert!(utc(u64::MAX).ends_with('Z'));
    }
}
