//! JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, and nothing else: no other algorithm, no nesting, no key
//! references. When a token is valid is its reader's to judge.

use crate::context::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// A whole token, in bytes.
pub(super) const TOKEN_MAX_BYTES: usize = 8 << 10;
/// The only header that is written.
const HEADER: &str = r#"{"alg":"HS256"}"#;

/// What an account's secret is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadAs {
    /// Its bytes.
    Raw,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Base64 of the standard alphabet. A trailing partial group is dropped, as some platforms do.
    Base64,
}

/// Why there is no key, token or claim, as a sentence.
pub(super) type Told = &'static str;

/// The only two members that a header may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
}

/// The key that a secret stands for. An empty one would let everybody sign.
pub(super) fn key(secret: &Secret, read_as: ReadAs) -> Result<Secret, Told> {
    let text = secret.expose();
    let bytes = match read_as {
        ReadAs::Raw => text.to_vec(),
        ReadAs::Hex => unhex(text).ok_or("the secret is not made of lower-case hexadecimal digits")?,
        ReadAs::Base64 => {
            let whole = text.get(..text.len() / 4 * 4).unwrap_or_default();
            STANDARD.decode(whole).map_err(|_| "the secret is not base64")?
        }
    };
    if bytes.is_empty() {
        return Err("the secret has no bytes when it is read like that");
    }
    Ok(Secret::new(bytes))
}

/// A token for these claims, as they are written.
pub(super) fn sign(key: &Secret, claims: &str) -> Result<String, Told> {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
    let mac = mac(key, &signed)?.finalize().into_bytes();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    if token.len() > TOKEN_MAX_BYTES {
        return Err("the token would be longer than 8 KiB");
    }
    Ok(token)
}

/// The claims of a token that this key signed. The signature is looked at before anything that it covers is believed;
/// the header only decides whether it is looked at.
pub(super) fn verify(key: &Secret, token: &[u8]) -> Result<String, Told> {
    if token.len() > TOKEN_MAX_BYTES {
        return Err("the token is longer than 8 KiB");
    }
    let malformed = "it is not a JSON Web Token";
    let token = std::str::from_utf8(token).map_err(|_| malformed)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
    if !is_hs256(&decode(header)?) {
        return Err("its header is not that of HS256");
    }
    // Compares in constant time.
    mac(key, signed)?.verify_slice(&decode(signature)?).map_err(|_| "its signature does not fit")?;
    String::from_utf8(decode(claims)?).map_err(|_| malformed)
}

fn is_hs256(header: &[u8]) -> bool {
    // A list of the members' values would be read as a header too.
    let object = header.trim_ascii_start().starts_with(b"{");
    let header = serde_json::from_slice::<Header>(header).ok().filter(|_| object);
    header.is_some_and(|Header { alg, typ }| alg == "HS256" && typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT")))
}

fn mac(key: &Secret, signed: &str) -> Result<Hmac<Sha256>, Told> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| "the secret cannot be a key")?;
    Ok(mac.chain_update(signed))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    /// A token with any header, signed correctly with the key of these tests.
    fn token(header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = mac(&secret("key"), &signed).unwrap().finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn check(token: &str) -> Result<String, Told> {
        verify(&secret("key"), token.as_bytes())
    }

    #[test]
    fn a_secret_is_read_as_bytes_digits_or_base64() {
        let read = |text: &str, read_as| key(&secret(text), read_as).map(|key| key.expose().to_vec());
        assert_eq!(read("acmehomeko", ReadAs::Base64), Ok(vec![0x69, 0xc9, 0x9e, 0x86, 0x89, 0x9e]));
        assert_eq!(read("YQ==", ReadAs::Base64), Ok(b"a".to_vec()));
        assert_eq!(read("0aff", ReadAs::Hex), Ok(vec![0x0a, 0xff]));
        assert_eq!(read("x", ReadAs::Raw), Ok(b"x".to_vec()));
        for (text, read_as) in [
            ("", ReadAs::Raw),
            ("", ReadAs::Hex),
            ("abc", ReadAs::Base64),
            ("a_c=", ReadAs::Base64),
            ("abc", ReadAs::Hex),
            ("0AFF", ReadAs::Hex),
        ] {
            assert!(read(text, read_as).is_err(), "{text} {read_as:?}");
        }
    }

    #[test]
    fn a_known_token_is_verified() {
        // The example of RFC 7519's best known debugger.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxN\
                     TE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert_eq!(verify(&secret("your-256-bit-secret"), token.as_bytes()).as_deref(), Ok(claims));
        let written = sign(&secret("k"), claims).unwrap();
        assert!(written.starts_with("eyJhbGciOiJIUzI1NiJ9."), "the header is as the platforms write it");
        assert_eq!(verify(&secret("k"), written.as_bytes()).as_deref(), Ok(claims));
    }

    #[test]
    fn every_header_but_that_of_hs256_is_refused_though_the_signature_fits() {
        for good in [r#"{"alg":"HS256"}"#, r#"{"typ":"JWT","alg":"HS256"}"#, r#" {"alg":"HS256", "typ":"jwt"}"#] {
            assert_eq!(check(&token(good, "{}")), Ok("{}".into()), "{good}");
        }
        for bad in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWE"}"#,
            r#"{"alg":"HS256","kid":"k"}"#,
            r#"{"alg":"HS256","crit":["x"]}"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"["HS256",null]"#,
            r#"{"alg":"HS256"}x"#,
            "",
        ] {
            assert_eq!(check(&token(bad, "{}")), Err("its header is not that of HS256"), "{bad}");
        }
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let good = token(HEADER, r#"{"user":1}"#);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(r#"{"user":2}"#);
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        for bad in [
            format!("{header}.{other}.{signature}"),
            format!("{signed}."),
            signed.to_owned(),
            format!("{unsigned}.{other}."),
            format!("{good}x"),
            format!("{good}="),
            format!("{good}."),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}.{good}"),
            format!("{signed}.{}", &signature[..signature.len() - 2]),
            good.to_uppercase(),
            String::new(),
            "..".into(),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
        assert!(verify(&secret("other"), good.as_bytes()).is_err());
        assert!(verify(&secret("key"), b"\xff.\xff.\xff").is_err());
        let long = token(HEADER, &format!("\"{}\"", "x".repeat(TOKEN_MAX_BYTES)));
        assert_eq!(check(&long), Err("the token is longer than 8 KiB"));
        assert_eq!(sign(&secret("key"), &"x".repeat(TOKEN_MAX_BYTES)), Err("the token would be longer than 8 KiB"));
        assert_eq!(check(&good), Ok(r#"{"user":1}"#.into()));
    }
}
