//! The client id of a device, `{device_id}_0_{sig}_{YYYYMMDDHH}`, and the password that goes with it: the HMAC-SHA-256
//! of the secret under the time stamp as key, in lower hexadecimal digits.

use dragoman_plugin_sdk::{Encoding, MacStep, Term, time};

/// Bytes of a client id or a user name.
pub(crate) const LENGTH_MAX: usize = 256;

/// The parts of a client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId<'a> {
    /// The device id of the platform. It may itself contain `_`.
    pub device_id: &'a str,
    /// Whether the device asks that its time stamp be compared with the clock.
    pub checked: bool,
    /// `YYYYMMDDHH`, UTC.
    pub timestamp: &'a str,
}

impl<'a> ClientId<'a> {
    /// Splits a client id from the right; `None` where it is no client id of a device.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LENGTH_MAX {
            return None;
        }
        let (rest, timestamp) = text.rsplit_once('_')?;
        let (rest, sig) = rest.rsplit_once('_')?;
        let (device_id, kind) = rest.rsplit_once('_')?;
        let checked = match sig {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let digits = timestamp.len() == 10 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        (kind == "0" && !device_id.is_empty() && digits).then_some(Self { device_id, checked, timestamp })
    }

    /// Whether the time stamp need not be compared with the clock, or is within the tolerance.
    pub fn is_timely(&self, now_ms: u64, tolerance_h: u64) -> bool {
        !self.checked
            || time::hour_of(self.timestamp).is_some_and(|hour| hour.abs_diff(now_ms / 3_600_000) <= tolerance_h)
    }
}

/// The steps by which the gateway finds the password of a device, whose secret is that of an account.
pub fn mac_steps(timestamp: &str, account: String) -> Vec<MacStep> {
    vec![MacStep {
        key: Term::Bytes(timestamp.as_bytes().to_vec()),
        data: vec![Term::Secret(account)],
        encoding: Encoding::HexLower,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, Mac};
    use sha2::Sha256;
    use std::fmt::Write;

    #[test]
    fn a_client_id_is_split_from_the_right() {
        let parts = |text| ClientId::parse(text).map(|id| (id.device_id, id.checked, id.timestamp));
        let long = format!("{}_0_0_2025041401", "d".repeat(256));
        for (text, expected) in [
            ("5f2b_dev_0_0_2025041401", Some(("5f2b_dev", false, "2025041401"))),
            ("5f2b_dev_0_1_2025041401", Some(("5f2b_dev", true, "2025041401"))),
            ("a_0_0_0_1_2025041401", Some(("a_0_0", true, "2025041401"))),
            ("d_0_2_2025041401", None),
            ("d_1_0_2025041401", None),
            ("d_0_0_202504140", None),
            ("d_0_0_20250414O1", None),
            ("_0_0_2025041401", None),
            ("0_0_2025041401", None),
            ("d", None),
            ("", None),
            (&long, None),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_checked_time_stamp_is_compared_with_the_clock() {
        let at = time::hour_of("2025041401").unwrap() * 3_600_000 + 1_800_000;
        for (client_id, expected) in [
            ("d_0_1_2025041401", true),
            ("d_0_1_2025041400", true),
            ("d_0_1_2025041402", true),
            ("d_0_1_2025041323", false),
            ("d_0_1_2025041403", false),
            ("d_0_1_2025049901", false),
            ("d_0_0_1999010100", true),
        ] {
            assert_eq!(ClientId::parse(client_id).unwrap().is_timely(at, 1), expected, "{client_id}");
        }
    }

    /// The test vector of the platform's documentation, through the steps that the gateway is asked to take.
    #[test]
    fn the_password_is_that_of_the_documentation() {
        let steps = mac_steps("2025041401", "device/d1".to_owned());
        let [step] = steps.as_slice() else { panic!("one step") };
        let bytes = |term: &Term| match term {
            Term::Bytes(bytes) => bytes.clone(),
            Term::Secret(account) if account == "device/d1" => b"12345678".to_vec(),
            other => panic!("no such term: {other:?}"),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes(&step.key)).unwrap();
        for term in &step.data {
            mac.update(&bytes(term));
        }
        assert!(matches!(step.encoding, Encoding::HexLower));
        let password = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        assert_eq!(password, "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a");
    }
}
