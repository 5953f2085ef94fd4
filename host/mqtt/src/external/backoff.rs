//! How long to wait before the next connection.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The wait after so many connections in a row that came to nothing: `first`, doubled with each up to `most`, and up to a
/// quarter shorter by chance, so that gateways that lost their broker together do not come back together. `chance` is 0
/// to 255.
pub(super) fn wait(first: Duration, most: Duration, tries: u32, chance: u8) -> Duration {
    let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    let whole = first.saturating_mul(doubled).min(most);
    whole - whole / 4 * u32::from(chance) / 255
}

/// A number from 0 to 255. Hash maps of the standard library are seeded at random, which is all the chance that is needed.
pub(super) fn chance() -> u8 {
    RandomState::new().hash_one(0).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        for (tries, chance, expected) in [
            (0, 0, ms(100)),
            (1, 0, ms(100)),
            (2, 0, ms(200)),
            (5, 0, ms(1_600)),
            (9, 0, ms(20_000)),
            (32, 0, ms(20_000)),
            (u32::MAX, 0, ms(20_000)),
            (1, 255, ms(75)),
            (u32::MAX, 255, ms(15_000)),
        ] {
            assert_eq!(wait(ms(100), ms(20_000), tries, chance), expected, "{tries} tries, chance {chance}");
        }
    }
}
