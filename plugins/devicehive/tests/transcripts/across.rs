//! Applications and devices of other dialects, and what the gateway itself has to say.

use crate::support::{NOW_MS, act, connected, gateway, logged_in, published, say, settings, subscribes};
use crate::{COMMAND_ACTIONS, check};
use devicehive::Hive;
use dragoman_plugin_sdk::testing::{Fake, Transcript, ended, ended_by_host, execution};
use dragoman_plugin_sdk::{
    Delivery, Execution, Gateway, Intent, Invocation, Notifications, Outcome, Payload, Plugin, Property, PropertyName,
    Reason, Session, Settlement, Southbound, State, Submission, Topics, Transition,
};

fn transition(event: &str, state: State, at_ms: u64, detail: Option<&str>) -> Transition {
    Transition {
        seq: 1,
        at_ms,
        event: event.to_owned(),
        state,
        attempt: 1,
        reason: None,
        detail: detail.map(str::to_owned),
        attributes: Vec::new(),
    }
}

fn told(transcript: &mut Transcript, fake: &Fake, execution: &Execution, transition: &Transition) {
    transcript.line(&format!("# {}", transition.event));
    Hive::on_transitions(fake, execution, std::slice::from_ref(transition), 1, &[]).unwrap();
    transcript.deeds(fake);
}

/// An application of this platform, a device of another.
#[test]
fn a_device_of_another_dialect_is_commanded_and_heard() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let app = logged_in(&mut fake, "client", "app", &COMMAND_ACTIONS);
    let ask = |transcript: &mut Transcript, fake: &mut Fake, app: &Session, command: &str| {
        act(transcript, fake, app, &format!(r#"{{"action":"command/insert","deviceId":"lamp","command":{command}}}"#))
            .unwrap()
    };
    transcript.section("what commands become");
    let light = ask(&mut transcript, &mut fake, &app, r#"{"command":"light","parameters":{"on":true}}"#);
    ask(&mut transcript, &mut fake, &app, r#"{"command":"set","parameters":{"setpoint":24}}"#);
    ask(&mut transcript, &mut fake, &app, r#"{"command":"get","parameters":["setpoint"]}"#);
    ask(&mut transcript, &mut fake, &app, r#"{"command":"deliver","parameters":{"base64":"AQI="}}"#);

    transcript.section("announced, at work");
    told(&mut transcript, &fake, &light, &transition("queued", State::Queued, NOW_MS, None));
    told(&mut transcript, &fake, &light, &transition("progress", State::Acked, NOW_MS + 500, Some(r#"{"percent":5}"#)));
    let reason = Reason { code: "BUSY".to_owned(), text: "not now".to_owned(), detail: Some("7".to_owned()) };
    let get = r#"{"action":"command/get","deviceId":"lamp","commandId":1}"#;
    fake.executions[0].last_note = Some(r#"{"percent":5}"#.to_owned());
    act(&mut transcript, &mut fake, &app, get);
    for (title, end) in [
        ("it succeeded", ended(light.clone(), Outcome::Succeeded(Some(r#"{"on": 1.50}"#.to_owned())), Vec::new())),
        ("it failed", ended(light.clone(), Outcome::Failed(reason.clone()), Vec::new())),
        ("it was rejected", ended(light.clone(), Outcome::Rejected(reason), Vec::new())),
        ("nothing was heard", ended_by_host(light.clone(), State::TimedOut, "$NO_RESPONSE")),
        ("it was canceled", ended_by_host(light.clone(), State::Canceled, "$REPLACED")),
    ] {
        transcript.section(title);
        let at_ms = end.ended_ms.unwrap();
        told(&mut transcript, &fake, &end, &transition("ended", end.state, at_ms, None));
        fake.executions[0] = end;
        act(&mut transcript, &mut fake, &app, get);
    }
    transcript.section("what a client says afterwards counts");
    fake.now_ms = light.deadline_ms + 1_000;
    let update = r#"{"action":"command/update","deviceId":"lamp","commandId":1,"command":{"status":"seen"}}"#;
    act(&mut transcript, &mut fake, &app, update);
    act(&mut transcript, &mut fake, &app, get);
    transcript.section("refused by the gateway");
    refused(&mut transcript, &fake, &app);
    check(&transcript, "to_others");
}

/// Answers to inserts that the gateway did not accept.
fn refused(transcript: &mut Transcript, fake: &Fake, app: &Session) {
    for code in ["$QUEUE_FULL", "$LIMIT", "$UNKNOWN_DEVICE", "$UNSUPPORTED", "$INVALID", "$AWAY", "$PLUGIN_TRAP"] {
        let insert = r#"{"action":"command/insert","deviceId":"lamp","command":{"command":"x"}}"#;
        let wait = say(fake, app, "dh/request", insert).unwrap().unwrap();
        fake.deeds.take();
        let reason = Reason { code: code.to_owned(), text: format!("the gateway's text for {code}"), detail: None };
        let settlement = Settlement { id: "e".to_owned(), settled: Err(reason) };
        <Hive as Topics>::settled(fake, &wait.context, &[settlement]).unwrap();
        transcript.deeds(fake);
    }
}

/// An application of another platform, a device of this one.
#[test]
fn a_device_of_this_dialect_is_commanded_by_others() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let device = fake.device("dev-1").unwrap();
    let invoke = |params: &str| {
        let action = "light".to_owned();
        Intent::Invoke(Invocation { service: Some("Lamp".to_owned()), action, params: params.to_owned() })
    };
    let property = |name: &str, value: &str| Property { service: None, name: name.to_owned(), value: value.to_owned() };
    let asked = PropertyName { service: None, name: "setpoint".to_owned() };
    let delivery = Delivery { name: None, payload: Payload::Bytes(vec![1, 2]), attributes: Vec::new() };
    let dispatch = |transcript: &mut Transcript, fake: &mut Fake, id: &str, intent: Intent| {
        let mut record = execution(id, "globex-units", Submission::new("dev-1", intent), fake.now_ms);
        record.attempt = 1;
        transcript.attempt(&record).dispatched(&Hive::dispatch(fake, &device, &record)).deeds(fake);
        fake.executions.push(record);
    };
    transcript.section("each intent is a command");
    dispatch(&mut transcript, &mut fake, "e-1", invoke(r#"{"on": 1.50}"#));
    dispatch(
        &mut transcript,
        &mut fake,
        "e-2",
        Intent::Write(vec![property("setpoint", "24"), property("m", "\"a\"")]),
    );
    dispatch(&mut transcript, &mut fake, "e-3", Intent::Read(vec![asked]));
    dispatch(&mut transcript, &mut fake, "e-4", Intent::Read(Vec::new()));
    dispatch(&mut transcript, &mut fake, "e-5", Intent::Deliver(delivery));
    transcript.section("the same attempt again is the same command");
    let again = fake.executions[0].clone();
    transcript.attempt(&again).dispatched(&Hive::dispatch(&fake, &device, &again)).deeds(&fake);
    transcript.section("no words");
    let mut many = fake.executions[0].clone();
    many.frames = vec![invoke("{}"), invoke("{}")];
    transcript.dispatched(&Hive::dispatch(&fake, &device, &many));
    let mut odd = many.clone();
    odd.frames = vec![Intent::Invoke(Invocation { service: None, action: "a#".to_owned(), params: "null".to_owned() })];
    transcript.dispatched(&Hive::dispatch(&fake, &device, &odd));
    let mut unnamed = device.clone();
    unnamed.aliases.clear();
    transcript.dispatched(&Hive::dispatch(&fake, &unnamed, &many));

    // On the application side the gateway shows no execution of another dialect.
    fake.executions.clear();
    let updater = logged_in(&mut fake, "client", "device1-firmware", &["command/update", "command/get"]);
    for (title, id, update) in [
        ("it works on it", 1, r#"{"status":"InProgress"}"#),
        ("done", 1, r#"{"status":"success","result":{"on":true}}"#),
        ("done, and more", 1, r#"{"status":"cooling"}"#),
        ("failed", 2, r#"{"status":"error","result":{"message":"too hot","code":7}}"#),
        ("refused", 3, r#"{"status":"Rejected","result":"no"}"#),
    ] {
        transcript.section(title);
        fake.now_ms += 1_000;
        let request =
            format!(r#"{{"action":"command/update","deviceId":"device1","commandId":{id},"command":{update}}}"#);
        act(&mut transcript, &mut fake, &updater, &request);
        let get = format!(r#"{{"action":"command/get","deviceId":"device1","commandId":{id}}}"#);
        act(&mut transcript, &mut fake, &updater, &get);
    }
    check(&transcript, "from_others");
}

/// A handler makes steps of a command: each is a command of its own, and the end is told as an update.
#[test]
fn a_handlers_steps_are_commands() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let app = logged_in(&mut fake, "client", "app", &COMMAND_ACTIONS);
    let insert = r#"{"action":"command/insert","deviceId":"device1","command":{"command":"open","parameters":{}}}"#;
    let mut record = act(&mut Transcript::default(), &mut fake, &app, insert).unwrap();
    let device = fake.device("dev-1").unwrap();
    for (step, params) in [("first step", r#"{"pin":1}"#), ("second step", r#"{"pin":2}"#)] {
        let action = "unlock".to_owned();
        record.frames = vec![Intent::Invoke(Invocation { service: None, action, params: params.to_owned() })];
        record.attempt += 1;
        transcript.section(step).attempt(&record).dispatched(&Hive::dispatch(&fake, &device, &record)).deeds(&fake);
    }
    transcript.section("the end");
    let end = ended(record, Outcome::Succeeded(Some(r#"{"open":true}"#.to_owned())), Vec::new());
    told(&mut transcript, &fake, &end, &transition("ended", State::Succeeded, NOW_MS, None));
    check(&transcript, "handler");
}

/// A device of this dialect that says nothing: the platform would say nothing either, unless the operator wants it.
#[test]
fn what_the_gateway_ends_is_silent_unless_the_operator_wants_a_word() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let app = logged_in(&mut fake, "client", "app", &COMMAND_ACTIONS);
    let insert = r#"{"action":"command/insert","deviceId":"device1","command":{"command":"open","lifetime":1}}"#;
    let record = act(&mut Transcript::default(), &mut fake, &app, insert).unwrap();
    let end = ended_by_host(record.clone(), State::TimedOut, "$NO_RESPONSE");
    transcript.section("silent");
    told(&mut transcript, &fake, &end, &transition("ended", State::TimedOut, NOW_MS, None));
    transcript.section("a verdict that an update told is not told twice");
    let done = ended(record, Outcome::Succeeded(None), Vec::new());
    told(&mut transcript, &fake, &done, &transition("ended", State::Succeeded, NOW_MS, None));
    transcript.section("with a word");
    fake.settings = settings(r#"{"expired-status":"Expired"}"#);
    told(&mut transcript, &fake, &end, &transition("ended", State::TimedOut, NOW_MS, None));
    told(&mut transcript, &fake, &done, &transition("ended", State::Succeeded, NOW_MS, None));
    check(&transcript, "silence");
}

/// Rulings 2 to 4, as the operator may have them otherwise.
#[test]
fn strict_docs_follows_the_table() {
    let mut fake = gateway();
    let app = logged_in(&mut fake, "dhadmin", "app", &["device/count"]);
    let insert = r#"{"action":"command/insert","deviceId":"device1","command":{"command":"light"}}"#;
    act(&mut Transcript::default(), &mut fake, &app, insert);
    fake.settings = settings(r#"{"strict-docs":true}"#);
    let update = r#"{"action":"command/update","deviceId":"device1","commandId":1,"command":{"status":"x"}}"#;
    // Nobody but the creator is told, and it only where it subscribed.
    let other = logged_in(&mut fake, "dhadmin", "other", &[]);
    say(&fake, &other, "dh/request", update).unwrap();
    assert_eq!(published(&fake), []);
    for filter in ["dh/command_update/#", "dh/command_update/network1/+/+/light"] {
        let held = vec![dragoman_plugin_sdk::Subscription { filter: filter.to_owned(), qos: 0 }];
        fake.sessions.borrow_mut().insert(app.id.clone(), (app.clone(), held));
        say(&fake, &other, "dh/request", update).unwrap();
        let deeds = fake.deeds.borrow().clone();
        let to_creator = dragoman_plugin_sdk::Readers::Session(app.id.clone());
        assert!(deeds.iter().any(|deed| matches!(deed, dragoman_plugin_sdk::testing::Deed::Published(to, message)
            if *to == to_creator && message.topic == "dh/command_update/1/1/device1/light")));
        assert_eq!(published(&fake).len(), 1);
    }
    // The table asks for RegisterDevice where the server asks for GetDevice, and the other way round.
    let reader = connected(&fake, "reader", &["device/count", "device/save"]);
    let token = r#"jwt:jwt:{\"payload\":{\"u\":1,\"a\":[3],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":9518013966000,\"t\":1}}"#;
    say(&fake, &reader, "dh/request", &format!(r#"{{"action":"authenticate","token":"{token}"}}"#)).unwrap();
    for (ruling, count, save) in [(r#"{"strict-docs":true}"#, false, true), ("{}", true, false)] {
        fake.settings = settings(ruling);
        fake.deeds.take();
        for (request, allowed) in [
            (r#"{"action":"device/count"}"#, count),
            (r#"{"action":"device/save","deviceId":"device1","device":{}}"#, save),
        ] {
            say(&fake, &reader, "dh/request", request).unwrap();
            let answers = published(&fake);
            let (_, text) = answers.iter().find(|(topic, _)| topic.starts_with("dh/response/")).unwrap();
            assert_eq!(text.contains("success"), allowed, "{ruling} {request} {text}");
        }
    }
    // Ruling 4 and 1.
    fake.settings = settings(r#"{"native-publish":"ignore","names-in-topics":false}"#);
    say(&fake, &app, "dh/command/1/1/device1/light", "{}").unwrap();
    assert_eq!(fake.deeds.borrow().len(), 0);
    assert_eq!(subscribes(&fake, &app, "dh/command/network1/#"), "0x80");
}

#[test]
fn the_description_declares_what_is_asked_for() {
    let mut transcript = Transcript::default();
    let description = Hive::describe();
    transcript.line(&format!("{:?}", description.claims));
    for (name, value) in description.attributes {
        transcript.line(&format!("{name} = {value}"));
    }
    check(&transcript, "description");
}
