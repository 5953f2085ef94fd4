//! Application topics, subscriptions, what a dialect is told after the commit, and decoders.

use crate::guests;
use crate::host::{device, execution};
use crate::world::{NOW_MS, message, open, patient, session, world};
use dragoman_core::{
    Delivery, DeviceId, Event, ExecutionId, Intent, Payload, Reason, SessionId, Stage, State, Subscription, Transition,
};
use dragoman_wasm::{
    CallError, Decoded, DeviceEvent, Direction, Fault, Follower, GuestError, PluginOptions, PluginWrite, Settlement,
    Side, SubscriptionVerdict, Wait,
};
use std::sync::Arc;

/// A transition whose detail is a script.
pub fn line(script: &str) -> Transition {
    Transition {
        seq: 3,
        at_ms: 1,
        event: Event::Sent,
        state: State::Sent,
        attempt: 1,
        reason: None,
        detail: Some(script.into()),
        attributes: Vec::new(),
    }
}

/// An event whose body is a script.
pub fn happened(script: &str) -> DeviceEvent {
    DeviceEvent {
        device: DeviceId::new("d9"),
        kind: "uplink".into(),
        name: None,
        at_ms: 1,
        raw: None,
        body: Some(script.into()),
        attributes: Vec::new(),
    }
}

/// What a script reported with its last line.
fn reported(error: CallError) -> String {
    match error.fault {
        Fault::Guest(GuestError::Conflict(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_application_s_message_waits_as_it_submitted() {
    let world = world(patient(), PluginOptions::default()).await;
    let ask = async |script: &str| world.plugin.topics_message(world.call(), &session(""), &message(script)).await;
    let answered = ask("publish a/b 1 s1").await.unwrap();
    assert_eq!(answered.value, None);
    assert!(matches!(answered.writes.as_slice(), [PluginWrite::Publish { .. }]));
    let waits = ask("submit d1\nwait {}").await.unwrap();
    assert_eq!(waits.value, Some(Wait { context: "{}".into(), until: Stage::Ended }));
    assert_eq!(ask("ask d1 up\nwait {}").await.unwrap().questions.len(), 1);
    for (script, fault) in [
        ("submit d1", "it submitted or asked something and answered without waiting for it"),
        ("ask d1 up", "it submitted or asked something and answered without waiting for it"),
        ("wait {}", "it waits but submitted nothing to wait for"),
    ] {
        assert_eq!(ask(script).await.unwrap_err().fault, Fault::DoesNotFit(fault.into()), "{script}");
    }
    // The session that speaks reads as the call was given it.
    assert_eq!(reported(ask("session s1\nreport").await.unwrap_err()), "");
    let settlement = Settlement { id: ExecutionId::new("e1"), settled: Err(Reason::new("$QUEUE_FULL", "full")) };
    let settled = world.plugin.topics_settled(world.call(), "now\nreport", &[settlement]).await.unwrap_err();
    assert_eq!(reported(settled), format!("{NOW_MS}\ne1:$QUEUE_FULL"));
}

#[tokio::test]
async fn a_subscription_is_granted_rewritten_or_refused() {
    let world = world(patient(), PluginOptions::default()).await;
    let asked = Subscription { filter: "dh/+".into(), qos: 1 };
    let ask = async |script: &str| world.plugin.on_subscribe(world.call(), &session(script), &asked).await;
    assert_eq!(ask("now").await.unwrap().value, SubscriptionVerdict::AsAsked);
    assert_eq!(ask("rewrite x/dh/+").await.unwrap().value, SubscriptionVerdict::Rewritten("x/dh/+".into()));
    assert_eq!(ask("refuse").await.unwrap().value, SubscriptionVerdict::Refuse);
    assert_eq!(reported(ask("report").await.unwrap_err()), "dh/+ 1");
    let wrong = ask("rewrite a/#/b").await.unwrap_err().fault;
    assert!(matches!(wrong, Fault::DoesNotFit(text) if text.starts_with("`a/#/b` is not a topic filter")));
    let follows = ask("follow s1 t 5").await.unwrap();
    assert!(matches!(follows.writes.as_slice(), [PluginWrite::Follow { .. }]), "{follows:?}");
}

#[tokio::test]
async fn transitions_and_events_are_told_and_answered_with_messages() {
    let world = world(patient(), PluginOptions::default()).await;
    let own = execution("e1", "d1", "scripted", State::Sent);
    let ended = Transition { seq: 4, event: Event::AttemptFailed, ..line("") };
    let follower = Follower { session: SessionId::new("s1"), tag: "t".into() };
    let tell = async |script: &str| {
        let lines = [line(script), ended.clone()];
        world.plugin.on_transitions(world.call(), &own, &lines, 9, std::slice::from_ref(&follower)).await
    };
    assert_eq!(
        reported(tell("report").await.unwrap_err()),
        "e1:State::Sent:0:\"mine\" at 9\n3:sent:State::Sent\n4:attempt-failed:State::Sent\ns1:t"
    );
    assert!(matches!(tell("publish a/b 1 s1").await.unwrap().writes.as_slice(), [PluginWrite::Publish { .. }]));

    let decoded = Decoded { value: "7".into(), warnings: Vec::new() };
    let told = world.plugin.on_event(world.call(), &happened("report"), Some(&decoded)).await.unwrap_err();
    assert_eq!(reported(told), "d9:uplink:None:Some(Decoded { value: \"7\", warnings: [] })");
    let wrote = world.plugin.on_event(world.call(), &happened("document put things k3 0 {}"), None).await.unwrap();
    assert!(matches!(wrote.writes.as_slice(), [PluginWrite::PutDocument { .. }]));
}

#[tokio::test]
async fn a_description_says_what_is_wanted() {
    let world = world(patient(), PluginOptions::default()).await;
    let description = world.plugin.description();
    assert_eq!(description.indexes, [("things".to_owned(), "kind".to_owned())]);
    let any = Intent::Read(Vec::new());
    assert!(
        [Event::Queued, Event::Sent, Event::Ended].into_iter().all(|event| description.transitions.wants(&any, event))
    );
    assert_eq!(description.events, ["uplink".to_owned()]);
    assert_eq!(
        (description.device_window, description.always_present, description.unclaimed_topics),
        (None, false, false)
    );
    let roles = world.plugin.roles();
    assert!(roles.topics && roles.subscriptions && roles.notifications && roles.answers && !roles.decoder);
    let catalog = world.folder.catalog();
    let name = |reader: Option<(Side, &Arc<dragoman_wasm::Plugin>)>| {
        reader.map(|(side, plugin)| (side, plugin.name().to_string()))
    };
    assert_eq!(name(catalog.reader("apps/scripted/x", None)), Some((Side::Application, "scripted".into())));
    assert_eq!(name(catalog.reader("apps/other/x", None)), None);
}

#[tokio::test]
async fn a_decoder_says_what_a_payload_means_or_that_it_means_nothing() {
    let world = open("stepper", &guests::stepper(), patient(), PluginOptions::default()).await;
    let decode = async |payload: Payload| {
        let what = Delivery { name: None, payload, attributes: Vec::new() };
        world.plugin.decode(world.call(), &device("d1", 1), Direction::Up, &what).await
    };
    let text = |text: &str| Payload::Text(text.into());
    let decoded = Decoded { value: "\"d1 Direction::Up hello\"".into(), warnings: vec!["careful".into()] };
    assert_eq!(decode(text("hello")).await.unwrap(), Ok(decoded));
    let nothing = Reason::new("$UNDECODABLE", "bytes mean nothing");
    assert_eq!(decode(Payload::Bytes(vec![0xff])).await.unwrap(), Err(nothing));
    assert_eq!(
        decode(text("internal")).await.unwrap_err().fault,
        Fault::Guest(GuestError::Internal("my fault".into()))
    );
    let trapped = decode(text("panic")).await.unwrap_err().fault;
    assert!(matches!(&trapped, Fault::Trapped(text) if text.contains("while decoding")), "{trapped:?}");
    let bad = decode(text("bad-value")).await.unwrap_err().fault;
    assert!(matches!(&bad, Fault::DoesNotFit(text) if text.starts_with("what a payload means is not valid JSON")));
    let many = Fault::Output("there are 65 warnings of a decoder, but at most 64 are allowed".into());
    assert_eq!(decode(text("many-warnings")).await.unwrap_err().fault, many);
}
