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
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| "its header is not that of HS256")?;
    let typed = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if header.alg != "HS256" || !typed {
        return Err("its header is not that of HS256");
    }
    // Compares in constant time.
    mac(key, signed)?.verify_slice(&decode(signature)?).map_err(|_| "its signature does not fit")?;
    String::from_utf8(decode(claims)?).map_err(|_| malformed)
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
