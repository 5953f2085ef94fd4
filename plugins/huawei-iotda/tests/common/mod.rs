//! What the transcripts of this dialect have in common.
#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dragoman_plugin_sdk::testing::{Fake, Transcript, request, session};
use dragoman_plugin_sdk::{Decision, Error, Message, Northbound, Payload, Presented, Request, Session};
use huawei_iotda::{Iotda, NAME};

/// 2025-04-14T01:30Z
pub(crate) const NOW_MS: u64 = (484_609 * 60 + 30) * 60_000;
/// The platform's id of a device, from its documentation.
pub(crate) const DEVICE: &str = "5f2bc9b961e7670469c5ef6d_1997930";

/// A device, one below it, and one of another dialect; everything in project `p` may be called.
pub(crate) fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, presented: Some("token".to_owned()), ..Fake::default() };
    fake.accounts.insert("app".to_owned(), ("token".to_owned(), r#"{"projects":["p"]}"#.to_owned()));
    fake.add_device("dev-1", NAME, &[("huawei.id", DEVICE)]);
    fake.add_device("dev-2", NAME, &[("huawei.id", "p_sub")]);
    fake.devices.borrow_mut()[1].parent = Some("dev-1".to_owned());
    fake
}

/// A call about a device, with a token.
pub(crate) fn call(method: &str, device: &str, rest: &str, body: &str) -> Request {
    with_token(request(method, &format!("/v5/iot/p/devices/{device}/{rest}"), body))
}

/// The request with a token.
pub(crate) fn with_token(mut request: Request) -> Request {
    request.presented = Some(Presented { scheme: "x-auth-token".to_owned(), account: None });
    request
}

/// A call and what comes of it.
pub(crate) fn play(transcript: &mut Transcript, fake: &Fake, request: &Request) -> Result<Decision, Error> {
    let decision = Iotda::handle_request(fake, request);
    transcript.request(request).decision(&decision).deeds(fake);
    decision
}

/// The session of the device.
pub(crate) fn speaker() -> Session {
    let mut speaker = session("any", Some(DEVICE));
    speaker.device = Some("dev-1".to_owned());
    speaker
}

/// What a device publishes.
pub(crate) fn uplink(topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Payload::Text(payload.to_owned()),
        qos: 0,
        retain: false,
        attributes: Vec::new(),
    }
}
