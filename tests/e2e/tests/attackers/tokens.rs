//! Tokens of DeviceHive that must not let anybody in.

use crate::town::SIGNING_KEY;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_e2e::devices;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

const HS256: &str = r#"{"alg":"HS256"}"#;
const REFRESH: u8 = 0;
const ACCESS: u8 = 1;

/// A token and where it is shown.
pub(crate) struct TokenRow {
    pub(crate) what: &'static str,
    /// `authenticate`, or `token/refresh`.
    pub(crate) action: &'static str,
    pub(crate) token: String,
    /// What the platform says to it.
    pub(crate) error: &'static str,
}

impl TokenRow {
    /// The request that shows it.
    pub(crate) fn request(&self) -> String {
        let member = if self.action == "authenticate" { "token" } else { "refreshToken" };
        json!({ "action": self.action, member: self.token }).to_string()
    }
}

/// Claims of an administrator, good until so many seconds from now.
fn claims(kind: u8, seconds: i64) -> Value {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let expires_ms = i64::try_from(now_ms).unwrap_or_default() + seconds * 1_000;
    json!({ "payload": { "u": 1, "a": [0], "n": ["*"], "dt": ["*"], "e": expires_ms, "t": kind } })
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with this header, signed with HMAC-SHA-256 whatever the header says.
fn signed(header: &str, claims: &Value, key: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(&claims.to_string()));
    // HMAC takes a key of any length; the error type exists for other constructions.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return text };
    let signature = mac.chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token that the daemon must take: what shows that the rows fail for the reason that they name.
pub(crate) fn good() -> String {
    signed(HS256, &claims(ACCESS, 600), SIGNING_KEY)
}

/// Every token.
pub(crate) fn rows() -> Vec<TokenRow> {
    let access = claims(ACCESS, 600);
    let good = good();
    let (head, signature) = good.rsplit_once('.').unwrap_or_default();
    let unsigned = |header: &str| format!("{}.{}.", encoded(header), encoded(&access.to_string()));
    let wrong = "Invalid credentials";
    let row = |what, token| TokenRow { what, action: "authenticate", token, error: wrong };
    vec![
        row("no token at all", "x".to_owned()),
        row("signed with a key of the attacker's", signed(HS256, &access, "mallory's key")),
        row("signed with an empty key", signed(HS256, &access, "")),
        row(
            "signed with the password of the attacker's own account",
            signed(HS256, &access, &devices::secret("mallory")),
        ),
        row(
            "signed with the key of another dialect's account",
            signed(HS256, &access, &devices::secret("attacker-app")),
        ),
        row("signed with the key as it is written", {
            signed(HS256, &access, &base64::engine::general_purpose::STANDARD.encode(SIGNING_KEY))
        }),
        row("alg: none, no signature", unsigned(r#"{"alg":"none"}"#)),
        row("alg: NoNe, no signature", unsigned(r#"{"alg":"NoNe","typ":"JWT"}"#)),
        row("alg: none with a good signature", signed(r#"{"alg":"none"}"#, &access, SIGNING_KEY)),
        row("alg: HS256, no signature", unsigned(HS256)),
        row("alg: RS256 with a good HMAC", signed(r#"{"alg":"RS256","typ":"JWT"}"#, &access, SIGNING_KEY)),
        row("alg: HS512 with a good HMAC-SHA-256", signed(r#"{"alg":"HS512"}"#, &access, SIGNING_KEY)),
        row("a header that brings its own key", {
            signed(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"bWFsbG9yeQ"}}"#, &access, "mallory")
        }),
        row("a list of algorithms", signed(r#"{"alg":["HS256","none"]}"#, &access, SIGNING_KEY)),
        row("a good signature under other claims", {
            format!("{}.{}.{signature}", encoded(HS256), encoded(&claims(ACCESS, 601).to_string()))
        }),
        row("half a signature", format!("{head}.{}", signature.get(..20).unwrap_or_default())),
        row("a refresh token used as access token", signed(HS256, &claims(REFRESH, 600), SIGNING_KEY)),
        TokenRow {
            what: "an access token that has expired",
            action: "authenticate",
            token: signed(HS256, &claims(ACCESS, -1), SIGNING_KEY),
            error: "Token expired",
        },
        TokenRow {
            what: "an access token used to refresh",
            action: "token/refresh",
            token: good.clone(),
            error: "Invalid token type",
        },
        TokenRow {
            what: "a refresh token that has expired",
            action: "token/refresh",
            token: signed(HS256, &claims(REFRESH, -1), SIGNING_KEY),
            error: "Token has expired",
        },
        TokenRow {
            what: "a forged refresh token",
            action: "token/refresh",
            token: signed(HS256, &claims(REFRESH, 600), "mallory's key"),
            error: wrong,
        },
    ]
}
