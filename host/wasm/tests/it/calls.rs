//! What a good plugin is asked, what it answers, and what it writes.

use crate::host::{device, execution};
use crate::world::{NOW_MS, message, patient, request, said, session, world};
use dragoman_core::{
    Attributes, ConnectRefusal, Correlation, Delivery, DeviceId, ExecutionId, Intent, Message, Outcome, Payload, Place,
    Reason, Report, Stage, State, WhenAway,
};
use dragoman_wasm::{
    Attempt, Attempts, Audience, CallError, CreateDevice, Decision, Dispatched, Done, Fault, GuestError, PluginOptions,
    PluginWrite, Settlement, Submit, Verdict, Wait,
};
use std::sync::Arc;

#[tokio::test]
async fn a_request_is_seen_as_it_came_without_the_secret() {
    let world = world(patient(), PluginOptions::default()).await;
    let seen = world.plugin.handle_request(world.call_presenting("right"), &request("request")).await;
    assert_eq!(said(seen), r#"POST /scripted/x?a=b [("x", "1"), ("x", "2")] Some(("basic", Some("user"))) r1"#);
    assert!(world.says("request").await.ends_with("None r1"));
}

#[tokio::test]
async fn clock_ids_and_settings_are_the_same_in_a_repetition() {
    let options = PluginOptions { settings: r#"{"a":1}"#.into(), ..PluginOptions::default() };
    let world = world(patient(), options).await;
    let script = "now\nid\nid\nsettings\nharm clock";
    let first = world.says(script).await;
    let lines: Vec<_> = first.lines().collect();
    assert_eq!(lines[0], NOW_MS.to_string());
    assert!(lines[1] < lines[2], "{first}");
    assert_eq!(lines[3..], [r#"{"a":1}"#, &NOW_MS.to_string()]);
    assert_eq!(world.says(script).await, first);
}

#[tokio::test]
async fn a_submission_carries_what_was_set() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "submit d1 alias=a1 key=k1 context={\"c\":1} label=x ttl=5000 succeeds=acked away=fail queue=main-queue attempts=3:500\n\
                  submit unknown bytes 3\nwait {\"w\":1}";
    let Done { value, writes, read_revisions, questions } = world.request(script).await.unwrap();
    assert_eq!(value, Decision::Wait(Wait { context: "{\"w\":1}".into(), until: Stage::Ended }));
    assert_eq!((read_revisions, questions), (Vec::new(), Vec::new()));
    let mut ids = world.call().ids;
    let full = Submit {
        id: ExecutionId::new(ids.next_id()),
        device: DeviceId::new("d1"),
        intent: execution("e", "d1", "o", State::Queued).intent,
        alias: Some("a1".into()),
        idempotency_key: Some("k1".into()),
        context: Some("{\"c\":1}".into()),
        labels: vec![("label".into(), "x".into())],
        ttl_ms: Some(5000),
        succeeds_at: Some(Stage::Acked),
        when_away: Some(WhenAway::Fail),
        queue: Some("main-queue".into()),
        attempts: Some(Attempts { max: 3, backoff_ms: 500, place: Place::Head }),
        refused: None,
    };
    let payload = Payload::Bytes(vec![0; 3]);
    let bare = Submit {
        id: ExecutionId::new(ids.next_id()),
        device: DeviceId::new("unknown"),
        intent: Intent::Deliver(Delivery { name: None, payload, attributes: Vec::new() }),
        alias: None,
        idempotency_key: None,
        context: None,
        labels: Vec::new(),
        ttl_ms: None,
        succeeds_at: None,
        when_away: None,
        queue: None,
        attempts: None,
        refused: None,
    };
    assert_eq!(writes, [PluginWrite::Submit(Box::new(full)), PluginWrite::Submit(Box::new(bare))]);
}

#[tokio::test]
async fn what_is_wrong_with_a_submission_is_a_refusal() {
    let world = world(patient(), PluginOptions::default()).await;
    for (submission, code, text) in [
        ("d1 ttl=999", "$INVALID", "a time to live of 999 ms is not between 1 s and 49 days"),
        ("d1 succeeds=sent", "$INVALID", "a command succeeds when it is acked or ended, not before"),
        ("d1 queue=none", "$INVALID", "the dialect describes no queue `none`"),
        ("d1 attempts=0:1", "$INVALID", "0 attempts are not between 1 and 1000"),
        ("d1 attempts=1:4233600001", "$INVALID", "a backoff of 4233600001 ms is longer than 49 days"),
        ("d1 context={", "$INVALID", "the context of a command is not valid JSON"),
        ("d1 params []", "$INVALID", "an intent's params is not a JSON object"),
        ("d1 alias=", "$INVALID", "the alias of a command is empty"),
        ("d1 bytes 262145", "$LIMIT", "a delivery's payload has 262145 bytes, but at most 262144 are allowed"),
        (
            &format!("d1{}", " label=x".repeat(9)),
            "$LIMIT",
            "there are 9 labels of a command, but at most 8 are allowed",
        ),
        ("d/1", "$UNKNOWN_DEVICE", "no device has the id `d/1`"),
    ] {
        let done = world.request(&format!("submit {submission}\nwait {{}}")).await.unwrap();
        let [PluginWrite::Submit(submit)] = done.writes.as_slice() else { panic!("{submission}") };
        let Reason { code: found, text: said, .. } = submit.refused.as_ref().unwrap();
        assert_eq!((found.as_str(), said.starts_with(text)), (code, true), "{submission}: {said}");
    }
}

#[tokio::test]
async fn devices_are_registered_and_profiles_written_under_the_revision_that_was_read() {
    let world = world(patient(), PluginOptions::default()).await;
    let script = "get d1\nput d1 1 {\"p\":1}\nput d1 1 {\"p\":2}\nget d1\ncreate new1 ns two\ncreate - ns three\n\
                  child new2 new1\nget new1";
    let done = world.request(script).await.unwrap();
    let made = world.call().ids.next_id();
    let seen = said(Ok(done.clone()));
    // Nothing of what the call buffers is seen by its reads.
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        ["d1:1:{\"read\":1}", "ok", "ok", "d1:1:{\"read\":1}", "new1", &made, "new2", "none"]
    );
    let new = |id: &str, name: &str| CreateDevice {
        id: DeviceId::new(id),
        handler: None,
        parent: None,
        aliases: vec![("ns".into(), name.into())],
        labels: Vec::new(),
        profile: "{}".into(),
    };
    let child = CreateDevice {
        id: DeviceId::new("new2"),
        handler: Some("stepper".into()),
        parent: Some(DeviceId::new("new1")),
        aliases: Vec::new(),
        labels: vec![("a".into(), "b".into())],
        profile: "null".into(),
    };
    let device = DeviceId::new("d1");
    assert_eq!(done.read_revisions, [(device.clone(), 1)]);
    assert_eq!(
        done.writes,
        [
            PluginWrite::PutProfile { device, profile: "{\"p\":2}".into(), revision: 1 },
            PluginWrite::CreateDevice(new("new1", "two")),
            PluginWrite::CreateDevice(new(&made, "three")),
            PluginWrite::CreateDevice(child),
        ]
    );
}

#[tokio::test]
async fn a_registration_that_cannot_be_is_told_at_once() {
    let world = world(patient(), PluginOptions::default()).await;
    for (script, told) in [
        ("create d1 ns two", "Error::Conflict(\"a device with the id `d1` exists\")"),
        ("create n1 ns one", "Error::Conflict(\"the name `one` in `ns` is taken\")"),
        ("create n1 ns two\ncreate n2 ns two", "n1\nError::Conflict(\"the name `two` in `ns` is taken\")"),
        ("create n1 ns two\ncreate n1 ns three", "n1\nError::Conflict(\"a device with the id `n1` exists\")"),
        ("create n/1 ns two", "Error::Invalid(\"`n/1` is not a device id: [A-Za-z0-9_.:-]{1,128}\")"),
        ("child n1 n0", "Error::NotFound(\"no device has the id `n0`\")"),
        ("put d0 0 {}", "Error::NotFound(\"no device has the id `d0`\")"),
        ("put d1 0 {}", "Error::Conflict(\"the profile of `d1` has revision 1, not 0\")"),
        (
            "put d1 1 {",
            "Error::Invalid(\"a device's profile is not valid JSON: EOF while parsing an object at line 1 column 1\")",
        ),
        ("put broken 0 {}", "Error::Unavailable(\"the store is away\")"),
    ] {
        world.host.reads.store(0, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(world.says(script).await, told, "{script}");
    }
}

#[tokio::test]
async fn a_call_ends_with_all_its_writes_or_with_none() {
    let world = world(patient(), PluginOptions::default()).await;
    let writes = "submit d1\ncreate n1 ns two\ncancel e1\nprogress d1 open {}";
    let done = world.request(&format!("{writes}\nwait {{}}")).await.unwrap();
    assert_eq!(done.writes.len(), 4);
    let error = world.request(&format!("{writes}\nerror no")).await.unwrap_err();
    assert_eq!(error.fault, Fault::Guest(GuestError::Conflict("no".into())));
    assert_eq!(error.code(), "$PLUGIN_ERROR");
    assert_eq!(error.to_string(), "plugin scripted answered northbound.handle-request with an error: conflict: no");
    world.is_unharmed().await;
}

#[tokio::test]
async fn settled_hears_every_settlement_and_sees_only_its_own_contexts() {
    let world = world(patient(), PluginOptions::default()).await;
    let settlement = |id: &str, settled| Settlement { id: ExecutionId::new(id), settled };
    let settlements = [
        settlement("e1", Ok(Arc::new(execution("e1", "d1", "scripted", State::Succeeded)))),
        settlement("e2", Err(Reason::new("$QUEUE_FULL", "full"))),
        settlement("e3", Ok(Arc::new(execution("e3", "d1", "other", State::Queued)))),
    ];
    let done = world.plugin.settled(world.call(), r#""now\nstatus 202""#, &settlements).await.unwrap();
    assert_eq!(done.value.status, 202);
    let said = String::from_utf8(done.value.body.as_bytes().to_vec()).unwrap();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [&NOW_MS.to_string(), "e1:State::Succeeded:0:\"mine\"", "e2:$QUEUE_FULL", "e3:State::Queued:0:none"]
    );
}

#[tokio::test]
async fn admission_answers_with_a_policy_a_refusal_or_not_mine() {
    let world = world(patient(), PluginOptions::default()).await;
    let ask = async |script: &str| world.plugin.authenticate(world.call(), &session(script), 30, true).await;
    let Verdict::Accept(grant) = ask("settings").await.unwrap().value else { panic!() };
    assert_eq!((&*grant.dialect, grant.principal.as_str()), ("scripted", "{} 30 true"));
    assert_eq!(grant.device, Some(DeviceId::new("d1")));
    assert_eq!(grant.policy.publish, ["scripted/d1/up"]);
    assert_eq!((grant.policy.implicit[0].filter.as_str(), grant.policy.implicit[0].qos), ("scripted/down", 1));
    assert_eq!(ask("refuse").await.unwrap().value, Verdict::Refuse(ConnectRefusal::BadCredentials));
    assert_eq!(ask("not-mine").await.unwrap().value, Verdict::NotMine);
    let wrong = ask("filter a/#/b").await.unwrap_err().fault;
    assert!(matches!(wrong, Fault::DoesNotFit(text) if text.starts_with("`a/#/b` is not a topic filter")));
}

/// Runs a script in `southbound.dispatch`, as attempt 3 of an execution of another dialect.
async fn dispatch(world: &crate::world::World, script: &str) -> Result<Done<Dispatched>, CallError> {
    let frame = Delivery { name: None, payload: Payload::Text(script.into()), attributes: Vec::new() };
    let attempt = Attempt { number: 3, frames: &[Intent::Deliver(frame)] };
    let execution = execution("e2", "d1", "other", State::Queued);
    world.plugin.dispatch(world.call(), &device("d1", 7), &execution, attempt).await
}

#[tokio::test]
async fn dispatch_gets_the_attempt_and_answers_with_messages_an_outcome_or_a_reason() {
    let world = world(patient(), PluginOptions::default()).await;
    let Dispatched::Send(messages) = dispatch(&world, "get d1").await.unwrap().value else { panic!() };
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].to, Audience::Subscribed);
    assert_eq!(
        messages[0].message,
        Message {
            topic: "scripted/d1/down".into(),
            // The device reads as the call was given it, and another dialect's context stays hidden.
            payload: Payload::Text("e2:State::Queued:3:none d1:7:{\"read\":7}".into()),
            qos: 1,
            retain: false,
            attributes: Attributes::new(),
        }
    );
    assert_eq!(dispatch(&world, "messages 0").await.unwrap().value, Dispatched::Send(Vec::new()));
    assert_eq!(messages[0].correlation, Some(Correlation { reporter: DeviceId::new("d1"), key: "e2-3".into() }));
    let done = dispatch(&world, "done").await.unwrap().value;
    assert_eq!(done, Dispatched::Done(Outcome::Succeeded(Some("{\"stored\":1}".into()))));
    let unsupported = dispatch(&world, "unsupported NO").await.unwrap().value;
    assert_eq!(unsupported, Dispatched::Unsupported(Reason::new("NO", "because")));
}

#[tokio::test]
async fn a_dispatch_that_breaks_the_contract_is_a_fault() {
    let world = world(patient(), PluginOptions::default()).await;
    for (script, fault) in [
        ("unsupported $AWAY", "it used the reason code `$AWAY`, but codes that begin with `$` are the host's"),
        ("topic a/+", "`a/+` is not a topic: wildcards (+ and #) stand in filters only, not in the name of a topic"),
        ("qos 2", "QoS 2 is not one of 0 to 1"),
        ("messages 65", "there are 65 messages of an attempt, but at most 64 are allowed"),
        ("done {", "an outcome is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("submit d1", "it called `executions.submission`, which is not allowed there"),
    ] {
        let error = dispatch(&world, script).await.unwrap_err();
        assert_eq!(error.fault.to_string(), fault, "{script}");
        assert!(matches!(error.fault, Fault::DoesNotFit(_) | Fault::Output(_)));
        world.is_unharmed().await;
    }
}

#[tokio::test]
async fn a_device_s_word_is_told_by_the_session_it_came_from() {
    let world = world(patient(), PluginOptions::default()).await;
    let tell = async |script: &str| world.plugin.southbound_message(world.call(), &session(""), &message(script)).await;
    let about = |key: &str| Correlation { reporter: DeviceId::new("d1"), key: key.into() };
    let attributes = vec![("a".to_string(), "b".to_string())];
    let done = tell("progress d1 open {\"at\":5}\nended d1 late BROKEN").await.unwrap();
    assert_eq!(
        done.writes,
        [
            PluginWrite::Tell {
                about: about("open"),
                report: Report::Progress(Some("{\"at\":5}".into())),
                attributes: attributes.clone()
            },
            PluginWrite::Tell {
                about: about("late"),
                report: Report::Ended(Outcome::Failed(Reason::new("BROKEN", "because"))),
                attributes
            },
        ]
    );
    for nothing in ["progress d1 foreign {}", "progress d1 unknown {}", "progress d2 open {}", "progress d1 open {"] {
        assert_eq!(tell(nothing).await.unwrap().writes, [], "{nothing}");
    }
    let error = tell("ended d1 open $TIMED").await.unwrap_err();
    assert!(matches!(&error.fault, Fault::DoesNotFit(text) if text.contains("`$TIMED`")), "{error}");
    assert_eq!(
        tell("submit d1").await.unwrap_err().to_string(),
        "plugin scripted broke the contract in southbound.handle-message: it called `executions.submission`, which is \
         not allowed there"
    );
}

#[tokio::test]
async fn a_request_responds_or_waits_as_it_submitted() {
    let world = world(patient(), PluginOptions::default()).await;
    for (script, fault) in [
        ("submit d1", "it submitted or asked something and answered without waiting for it"),
        ("wait {}", "it waits but submitted nothing to wait for"),
        (
            "submit d1\nwait {",
            "the context of a wait is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("status 99", "99 is not the status of an answer"),
    ] {
        assert_eq!(world.fault(script).await, Fault::DoesNotFit(fault.into()), "{script}");
    }
    let again = world.plugin.settled(world.call(), r#""submit d1""#, &[]).await.unwrap_err();
    assert_eq!(again.fault.to_string(), "it called `executions.submission`, which is not allowed there");
}
