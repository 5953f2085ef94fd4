//! Passwords and JSON Web Tokens, whose secrets stay with the host.

use crate::world::{patient, request, said, world};
use dragoman_wasm::PluginOptions;
use std::sync::atomic::Ordering;

/// Signed with the secret `acmehomeko` read as base64, 69 c9 9e 86 89 9e.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJwYXlsb2FkIjp7InVzZXJJZCI6MX19.t48cniEISfJLUBtnzTyz_8BlZQjTk-GhJ5AhN7UJRsY";
const CLAIMS: &str = "{\"payload\":{\"userId\":1}}";
const UNSIGNED: &str = "Error::Denied(\"its signature does not fit\")";

#[tokio::test]
async fn a_password_is_checked_by_the_host_and_once() {
    let world = world(patient(), PluginOptions::default()).await;
    let denied = "Error::Denied(\"it does not fit\")";
    let script = "password user right\npassword user wrong\npassword user right\npassword nobody right";
    let expected = format!("{{\"of\":\"user\"}}\n{denied}\n{{\"of\":\"user\"}}\n{denied}");
    assert_eq!(world.says(script).await, expected);
    assert_eq!(world.host.reads.load(Ordering::Relaxed), 3);
    let long = world.says(&format!("password user {}", "x".repeat(1025))).await;
    assert_eq!(long, "Error::Denied(\"the credential does not fit\")");
}

#[tokio::test]
async fn tokens_are_signed_and_verified_with_the_secret_of_an_account() {
    let world = world(patient(), PluginOptions::default()).await;
    assert_eq!(world.says(&format!("sign partial base64 {CLAIMS}")).await, TOKEN);
    assert_eq!(world.says(&format!("verify partial base64 {TOKEN}")).await, CLAIMS);
    let presented = world.plugin.handle_request(world.call_presenting(TOKEN), &request("verify partial base64")).await;
    assert_eq!(said(presented), CLAIMS);
    for how in ["raw", "base64"] {
        let other = world.says(&format!("verify k {how} {TOKEN}")).await;
        assert!(other == UNSIGNED || other.contains("has no bytes"), "{other}");
    }
    assert_eq!(world.says(&format!("verify partial raw {TOKEN}")).await, UNSIGNED);
    let signed = world.says("sign hex hex {}").await;
    assert_eq!(world.says(&format!("verify hex hex {signed}")).await, "{}");
    assert_eq!(world.says(&format!("verify hex raw {signed}")).await, UNSIGNED);
}

#[tokio::test]
async fn what_cannot_be_signed_or_verified_is_told() {
    let world = world(patient(), PluginOptions::default()).await;
    let unknown = "Error::NotFound(\"the account has no secret that can be a key\")";
    let no_bytes = "Error::Invalid(\"the secret has no bytes when it is read like that\")";
    let long = format!("sign k raw {{\"x\":\"{}\"}}", "x".repeat(8 << 10));
    for (script, told) in [
        ("sign nobody raw {}", unknown),
        ("verify nobody raw x.y.z", unknown),
        ("sign short base64 {}", no_bytes),
        ("verify short base64 x.y.z", no_bytes),
        ("sign k hex {}", "Error::Invalid(\"the secret is not made of lower-case hexadecimal digits\")"),
        ("sign k raw []", "Error::Invalid(\"the claims of a token is not a JSON object\")"),
        (&long, "Error::Limit(\"the token would be longer than 8 KiB\")"),
        ("verify k raw", "Error::Denied(\"the client presented no credential\")"),
    ] {
        assert_eq!(world.says(script).await, told, "{script:.60}");
    }
}
