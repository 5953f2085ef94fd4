//! What is larger than the gateway carries: told, or shown, as far as it fits.

use crate::stage::{NOW_MS, OBJECT, PUSH, call, gateway, published, rights, submitted};
use dragoman_plugin_sdk::{Decision, Event, Northbound, Notifications, Payload, State};
use serde_json::{Value, json};
use the_things_stack::TheThingsStack as Tts;

/// An event of a device of another dialect, with so many bytes, and an object of so many.
fn event(bytes: usize, object: usize) -> Event {
    Event {
        device: "d-3".to_owned(),
        kind: "message".to_owned(),
        name: None,
        at_ms: NOW_MS,
        raw: (bytes > 0).then(|| Payload::Bytes(vec![0; bytes])),
        body: (object > 0).then(|| json!({"x": "y".repeat(object)}).to_string()),
        attributes: Vec::new(),
    }
}

#[test]
fn of_a_large_event_is_told_what_fits() {
    let fake = gateway();
    for (bytes, object, told, log) in [
        (100, 100, Some(["frm_payload", "decoded_payload"].as_slice()), None),
        (100, 262_000, Some(&["frm_payload"]), Some("without its decoded_payload")),
        (200_000, 100, Some(&["decoded_payload"]), Some("without its frm_payload")),
        (200_000, 262_000, None, Some("it was not told")),
        (200_000, 0, None, Some("it was not told")),
        (0, 262_000, None, Some("it was not told")),
    ] {
        Tts::on_event(&fake, &event(bytes, object), None).unwrap();
        let found = published(&fake);
        let members = found.first().map(|(_, up)| {
            let message = up["uplink_message"].as_object().unwrap();
            ["frm_payload", "decoded_payload"].into_iter().filter(|name| message.contains_key(*name)).collect()
        });
        assert_eq!(members, told.map(<[_]>::to_vec), "{bytes} {object}");
        let lines = fake.log.take();
        assert_eq!(lines.len(), usize::from(log.is_some()), "{bytes} {object}: {lines:?}");
        assert!(log.is_none_or(|log| lines[0].1.contains(log)), "{lines:?}");
    }
}

#[test]
fn a_webhook_that_cannot_be_called_takes_nothing_from_the_others() {
    let mut fake = gateway();
    fake.targets = vec!["t".to_owned()];
    fake.settings =
        r#"{"webhooks":{"wh1":{"application":"app1","target":"t","paths":{"uplink_message":"no slash"}}}}"#.to_owned();
    Tts::on_event(&fake, &event(1, 0), None).unwrap();
    assert_eq!(published(&fake).len(), 1);
    let log = fake.log.take();
    assert!(matches!(log.as_slice(), [(_, text)] if text.contains("webhook wh1")), "{log:?}");
}

#[test]
fn a_queue_is_shown_as_far_as_an_answer_holds_it() {
    let mut fake = gateway();
    rights(&mut fake, r#"["RIGHT_APPLICATION_ALL"]"#);
    let large = OBJECT.replace("50", &format!("\"{}\"", "x".repeat(8_000)));
    let record = submitted(&fake, PUSH, &large).0.remove(0);
    let listing = call("GET", "/devices/dev1/down", "");
    for (waiting, shown, warning) in [(1, 1, None), (300, 300, None), (1_100, 388, Some("712 more"))] {
        fake.executions = (0..waiting).map(|_| record.clone()).collect();
        fake.executions[0].state = State::Sent;
        let Ok(Decision::Respond(response)) = Tts::handle_request(&fake, &listing) else { panic!("it answers") };
        fake.deeds.take();
        let Payload::Text(text) = &response.body else { panic!("text") };
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(body["downlinks"].as_array().unwrap().len(), shown, "{waiting}");
        assert!(text.len() < 4 << 20);
        let told = response.headers.iter().find(|(name, _)| name == "x-warning");
        assert_eq!(told.is_some(), warning.is_some(), "{told:?}");
        assert!(warning.is_none_or(|warning| told.unwrap().1.starts_with(warning)), "{told:?}");
    }
}
