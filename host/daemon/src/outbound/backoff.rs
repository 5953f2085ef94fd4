//! How long to wait before the next try.

/// The wait after `tries` failed ones, in milliseconds: `first_ms`, doubled with each try up to `most_ms`, and up to a
/// tenth shorter by chance, so that requests that failed together do not come back together. `chance` is 0 to 1 000.
pub(super) fn wait_ms(first_ms: u64, most_ms: u64, tries: u32, chance: u32) -> u64 {
    let doubled = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
    let whole = first_ms.saturating_mul(doubled).min(most_ms);
    whole - (whole / 10).saturating_mul(u64::from(chance.min(1_000))) / 1_000
}

/// The same, but not before the target said that it wants to be asked again. More than `most_ms` is not granted.
pub(super) fn wait_as_told_ms(first_ms: u64, most_ms: u64, tries: u32, chance: u32, told_ms: Option<u64>) -> u64 {
    wait_ms(first_ms, most_ms, tries, chance).max(told_ms.unwrap_or(0).min(most_ms))
}

/// A number from 0 to 1 000, each as likely. Without randomness nothing is made shorter.
pub(super) fn chance() -> u32 {
    let mut random = [0_u8; 4];
    match getrandom::fill(&mut random) {
        Ok(()) => u32::from_le_bytes(random) % 1_001,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        for (tries, chance, expected) in [
            (0, 0, 1_000),
            (1, 0, 1_000),
            (2, 0, 2_000),
            (3, 0, 4_000),
            (10, 0, 512_000),
            (11, 0, 600_000),
            (64, 0, 600_000),
            (65, 0, 600_000),
            (u32::MAX, 0, 600_000),
            (1, 500, 950),
            (1, 1_000, 900),
            (1, 5_000, 900),
            (u32::MAX, 1_000, 540_000),
        ] {
            assert_eq!(wait_ms(1_000, 600_000, tries, chance), expected, "{tries} tries, chance {chance}");
        }
        assert_eq!(wait_ms(u64::MAX, u64::MAX, 2, 0), u64::MAX);
        assert_eq!(wait_ms(1, 1, 1, 1_000), 1);
    }

    #[test]
    fn what_the_target_asks_for_counts_within_bounds() {
        for (told_ms, expected) in
            [(None, 900), (Some(0), 900), (Some(899), 900), (Some(5_000), 5_000), (Some(u64::MAX), 600_000)]
        {
            assert_eq!(wait_as_told_ms(1_000, 600_000, 1, 1_000, told_ms), expected, "{told_ms:?}");
        }
    }

    #[test]
    fn chance_stays_within_its_bounds() {
        assert!((0..1_000).map(|_| chance()).all(|chance| chance <= 1_000));
    }
}
