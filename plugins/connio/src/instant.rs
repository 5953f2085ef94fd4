//! Instants as the platform writes them: ISO 8601 with a zone, to the millisecond.

use dragoman_plugin_sdk::time;

const MINUTE_MS: u64 = 60_000;

/// Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SS[.f…](Z|±HH:MM|±HHMM|±HH)`; `None` for anything else, for a time
/// without a zone and for one before 1970.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let [year, month, day] = parts(date, '-')?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = parts(clock, ':')?;
    let (minute, second) = (below(minute, 60)?, below(second, 60)?);
    if [year.len(), month.len(), day.len(), hour.len()] != [4, 2, 2, 2] {
        return None;
    }
    let hours = time::hour_of(&format!("{year}{month}{day}{hour}"))?;
    let local_ms = hours * 60 * MINUTE_MS + minute * MINUTE_MS + second * 1_000 + fraction_ms(fraction)?;
    let zone =
        zone.strip_prefix(['Z', 'z']).map_or_else(|| Zone::parse(zone), |rest| rest.is_empty().then(Zone::utc))?;
    if zone.west { local_ms.checked_add(zone.offset_ms) } else { local_ms.checked_sub(zone.offset_ms) }
}

struct Zone {
    west: bool,
    offset_ms: u64,
}

impl Zone {
    fn utc() -> Self {
        Self { west: false, offset_ms: 0 }
    }

    fn parse(text: &str) -> Option<Self> {
        let west = text.starts_with('-');
        let digits = text.strip_prefix(['+', '-'])?.replacen(':', "", 1);
        let (hours, minutes) = match digits.len() {
            2 => (digits.as_str(), "00"),
            4 => digits.split_at_checked(2)?,
            _ => return None,
        };
        Some(Self { west, offset_ms: (below(hours, 24)? * 60 + below(minutes, 60)?) * MINUTE_MS })
    }
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

fn below(text: &str, limit: u64) -> Option<u64> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u64>().ok().filter(|number| is_number && *number < limit)
}

/// The platform keeps milliseconds; what is finer is cut.
fn fraction_ms(digits: &str) -> Option<u64> {
    let fits = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{digits:0<3}")).and_then(|padded| padded.get(..3)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_need_a_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2025-05-28T00:00:00.123Z", Some(1_748_390_400_123)),
            ("2025-05-28T00:00:00.1239Z", Some(1_748_390_400_123)),
            ("2025-05-28T00:00:00.1Z", Some(1_748_390_400_100)),
            ("2025-05-28T02:30:00+02:30", Some(1_748_390_400_000)),
            ("2025-05-28T02:00:00+02", Some(1_748_390_400_000)),
            ("2025-05-27T19:00:00-0500", Some(1_748_390_400_000)),
            ("2025-05-28T00:00:00", None),
            ("2025-05-28 00:00:00Z", None),
            ("2025-02-29T00:00:00Z", None),
            ("2025-0-528T00:00:00Z", None),
            ("2025-05-28T24:00:00Z", None),
            ("2025-05-28T00:60:00Z", None),
            ("2025-05-28T00:00:00.Z", None),
            ("2025-05-28T00:00:00Zx", None),
            ("2025-05-28T00:00:00+2", None),
            ("2025-05-28T00:00:00+02:0:0", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("1748390400", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
