//! What leaves the gateway and is no dispatch: messages, HTTP requests and events.

use crate::world::{patient, said, world};
use dragoman_core::{DeviceId, Message, Payload, SessionId};
use dragoman_wasm::{DeviceEvent, OutRequest, PluginOptions, PluginWrite, Readers};

#[tokio::test]
async fn messages_go_to_subscribers_or_to_an_own_session() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "publish a/b 1\npublish a/b 0 s1\npublish a/b 1 s9\npublish a/+ 1\npublish a/b 2";
    let done = world.request(script).await.unwrap();
    assert_eq!(
        said(Ok(done.clone())).lines().collect::<Vec<_>>(),
        [
            "ok",
            "ok",
            "Error::Denied(\"this dialect has no session `s9`\")",
            "Error::Invalid(\"`a/+` is not a topic: wildcards (+ and #) stand in filters only, not in the name of a \
             topic\")",
            "Error::Invalid(\"QoS 2 is not one of 0 to 1\")",
        ]
    );
    let message = |qos| Message {
        topic: "a/b".into(),
        payload: Payload::Text("hello".into()),
        qos,
        retain: false,
        attributes: Vec::new(),
    };
    let session = Readers::Session(SessionId::new("s1"));
    assert_eq!(
        done.writes,
        [
            PluginWrite::Publish { to: Readers::Subscribers, message: message(1) },
            PluginWrite::Publish { to: session, message: message(0) },
        ]
    );
}

#[tokio::test]
async fn requests_go_to_configured_targets() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("call hooks POST /x?y=%20 x-id=7").await.unwrap();
    let request = OutRequest {
        target: "hooks".into(),
        method: "POST".into(),
        path: "/x?y=%20".into(),
        headers: vec![("x-id".into(), "7".into())],
        body: Some("{}".into()),
    };
    assert_eq!(done.writes, [PluginWrite::Request(Box::new(request))]);
    let headers = " a=b".repeat(65);
    for (call, told) in [
        ("other POST /x", "Error::NotFound(\"no target other\")"),
        ("hooks POST x", "Error::Invalid(\"x is no path\")"),
        ("hooks POST /full", "Error::Limit(\"hooks is full\")"),
        (&format!("hooks POST /x{headers}"), "Error::Limit(\"there are 65 headers of a request"),
        (&format!("hooks POST /{}", "x".repeat(8192)), "Error::Limit(\"the path of a request has 8193 bytes"),
    ] {
        let said = world.says(&format!("call {call}")).await;
        assert!(said.starts_with(told), "{call}: {said}");
    }
}

#[tokio::test]
async fn a_dialect_tells_what_its_own_devices_say() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "emit d1 uplink\nemit d9 uplink\nemit d0 uplink\nemit d1 Uplink\ncreate n1 ns two\nemit n1 join";
    let done = world.request(script).await.unwrap();
    assert_eq!(
        said(Ok(done.clone())).lines().collect::<Vec<_>>(),
        [
            "ok",
            "Error::Denied(\"the dialect `other` reaches the device `d9`, and only it tells what the device says\")",
            "Error::NotFound(\"no device has the id `d0`\")",
            "Error::Invalid(\"`Uplink` is not a kind of event: [a-z][a-z0-9-]{0,63}\")",
            "n1",
            "ok",
        ]
    );
    let event = DeviceEvent {
        device: DeviceId::new("d1"),
        kind: "uplink".into(),
        name: Some("n".into()),
        at_ms: 5,
        raw: Some(Payload::Text("raw".into())),
        body: Some("{}".into()),
        attributes: Vec::new(),
    };
    assert_eq!(done.writes[0], PluginWrite::Emit(event));
    assert_eq!(done.writes.len(), 3);
}
