//! The three calls in the SDK's words, and the gateway of its native tests.

use crate::records::{ANSWER, BODY, CONTEXT, DEVICE, KEY, NOW_MS, PATH, PLATFORM_ID, TOKEN, answer_topic};
use dragoman_plugin_sdk::testing::{self, Fake};
use dragoman_plugin_sdk::{
    Device, Execution, Gateway, Intent, Invocation, Message, Payload, Presented, Request, Session, Submission,
};
use huawei_iotda::{ID_ALIAS, NAME};

/// One device and one account; fresh for each call, because it remembers what was done.
pub(crate) fn gateway() -> Fake {
    let mut fake = Fake { now_ms: NOW_MS, presented: Some(TOKEN.to_owned()), ..Fake::default() };
    fake.accounts.insert("bench".to_owned(), (TOKEN.to_owned(), r#"{"projects":"*"}"#.to_owned()));
    fake.add_device(DEVICE, NAME, &[(ID_ALIAS, PLATFORM_ID)]);
    fake
}

pub(crate) fn request() -> Request {
    let mut request = testing::request("POST", PATH, BODY);
    request.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    request.presented = Some(Presented { scheme: "x-auth-token".to_owned(), account: None });
    request
}

pub(crate) fn device() -> Device {
    gateway().device(DEVICE).expect("it was added")
}

pub(crate) fn execution() -> Execution {
    let intent = Intent::Invoke(Invocation {
        service: Some("WaterMeter".to_owned()),
        action: "ON_OFF".to_owned(),
        params: r#"{"value":1}"#.to_owned(),
    });
    let mut command = Submission::new(DEVICE, intent);
    command.context = Some(CONTEXT.to_owned());
    testing::execution(KEY, NAME, command, NOW_MS)
}

pub(crate) fn session() -> Session {
    let mut session = testing::session(PLATFORM_ID, Some(PLATFORM_ID));
    session.device = Some(DEVICE.to_owned());
    session
}

pub(crate) fn message() -> Message {
    let payload = Payload::Text(ANSWER.to_owned());
    Message { topic: answer_topic(), payload, qos: 1, retain: false, attributes: Vec::new() }
}
