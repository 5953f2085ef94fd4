//! A chain of HMAC-SHA-256 steps, compared in constant time.

use crate::context::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Steps of one chain.
pub(super) const STEPS_MAX: usize = 8;

/// One HMAC.
pub(super) struct Step {
    pub(super) key: Part,
    pub(super) data: Vec<Part>,
    pub(super) encoding: Encoding,
}

/// What goes into a step.
pub(super) enum Part {
    Bytes(Secret),
    /// The result of the step before.
    Previous,
}

/// What a step's result is written in.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Raw,
    HexLower,
    Base64,
}

/// The first step names the step before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MacError {
    NoPrevious,
}

/// Whether the result of the last step is what was presented.
pub(super) fn verify(steps: &[Step], presented: &[u8]) -> Result<bool, MacError> {
    let mut previous: Option<Secret> = None;
    for step in steps {
        let resolve = |part: &'_ Part| match part {
            Part::Bytes(bytes) => Ok(bytes.clone()),
            Part::Previous => previous.clone().ok_or(MacError::NoPrevious),
        };
        // HMAC takes keys of any length, so this cannot fail; a failure would verify nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(resolve(&step.key)?.expose()) else { return Ok(false) };
        for part in &step.data {
            mac.update(resolve(part)?.expose());
        }
        let raw = mac.finalize().into_bytes();
        previous = Some(Secret::new(match step.encoding {
            Encoding::Raw => raw.to_vec(),
            Encoding::HexLower => format!("{raw:x}").into_bytes(),
            Encoding::Base64 => STANDARD.encode(raw).into_bytes(),
        }));
    }
    Ok(previous.is_some_and(|result| result.expose().ct_eq(presented).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Part {
        Part::Bytes(Secret::new(text.into()))
    }

    #[test]
    fn a_known_answer_is_verified_in_every_encoding() {
        // RFC 4231, test case 2.
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let step = |encoding| Step {
            key: bytes("Jefe"),
            data: vec![bytes("what do ya want "), bytes("for nothing?")],
            encoding,
        };
        assert_eq!(verify(&[step(Encoding::HexLower)], hex.as_bytes()), Ok(true));
        assert_eq!(verify(&[step(Encoding::HexLower)], hex.to_uppercase().as_bytes()), Ok(false));
        assert_eq!(verify(&[step(Encoding::HexLower)], &hex.as_bytes()[..63]), Ok(false));
        let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        assert_eq!(verify(&[step(Encoding::Base64)], base64.as_bytes()), Ok(true));
        assert_eq!(verify(&[step(Encoding::Raw)], b""), Ok(false));
    }

    #[test]
    fn a_step_may_use_the_one_before() {
        let chain = |last: &str| {
            let first = Step { key: bytes("k"), data: vec![bytes("d")], encoding: Encoding::HexLower };
            let second = Step { key: Part::Previous, data: vec![bytes(last)], encoding: Encoding::HexLower };
            [first, second]
        };
        let once = {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"k").unwrap();
            mac.update(b"d");
            format!("{:x}", mac.finalize().into_bytes())
        };
        let twice = {
            let mut mac = Hmac::<Sha256>::new_from_slice(once.as_bytes()).unwrap();
            mac.update(b"e");
            format!("{:x}", mac.finalize().into_bytes())
        };
        assert_eq!(verify(&chain("e"), twice.as_bytes()), Ok(true));
        assert_eq!(verify(&chain("f"), twice.as_bytes()), Ok(false));
        let alone = Step { key: Part::Previous, data: vec![], encoding: Encoding::Raw };
        assert_eq!(verify(&[alone], b""), Err(MacError::NoPrevious));
        assert_eq!(verify(&[], b""), Ok(false));
    }
}
