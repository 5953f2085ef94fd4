//! The dialect as transcripts: what clients publish, what they are sent, and what the gateway is told, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use devicehive::{Hive, NAME};
use dragoman_plugin_sdk::testing::{Fake, Transcript, ended, ended_by_host, execution, session};
use dragoman_plugin_sdk::{
    Admission, Decoded, Delivery, Event, Execution, Gateway, Intent, Invocation, Notifications, Outcome, Payload,
    Plugin, Property, PropertyName, Reason, Session, Settlement, Southbound, State, Submission, Topics, Transition,
};
use support::{NOW_MS, act, connected, gateway, logged_in, play, published, say, subscribes};

fn check(transcript: &Transcript, name: &str) {
    transcript.check(format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR")));
}

/// Every example of the seed, "MQTT API Reference", with its own client id, topics and payloads.
#[test]
fn the_seeds_examples_run_as_written() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let mut client = logged_in(&mut fake, "dhadmin", "mqttClientId", &[]);
    client.principal = Some("user/1".to_owned());

    transcript.section("Response");
    let filter = "dh/response/device/list@mqttClientId";
    transcript.line(&format!("subscribe {filter}: {}", subscribes(&fake, &client, filter)));
    connected(&fake, "mqttClientId", &["device/list"]);
    transcript.section("Request");
    act(&mut transcript, &mut fake, &client, r#"{"action":"device/list"}"#);

    transcript.section("Notification/Command publishing");
    connected(&fake, "mqttClientId", &["command/insert", "command/update", "notification/insert"]);
    play(
        &mut transcript,
        &mut fake,
        &client,
        "dh/notification/network1/devicetype1/device1/temperature",
        r#"{"parameters":{"celsius":21.50}}"#,
    );
    let inserted = play(
        &mut transcript,
        &mut fake,
        &client,
        "dh/command/network1/devicetype1/device1/light",
        r#"{"parameters":{"on":true},"lifetime":60}"#,
    );
    assert_eq!(inserted.unwrap().alias.as_deref(), Some("1"));
    play(
        &mut transcript,
        &mut fake,
        &client,
        "dh/command_update/network1/devicetype1/device1/light",
        r#"{"id":1,"status":"Completed","result":{"on":true}}"#,
    );

    transcript.section("Notification/Command subscription");
    for filter in [
        "dh/notification/network1/devicetype1/device1/temperature",
        "dh/command/network1/devicetype1/device1/light",
        "dh/command_update/network1/devicetype1/device1/light",
    ] {
        transcript.line(&format!("subscribe {filter}: {}", subscribes(&fake, &client, filter)));
    }
    transcript.section("Subscription topic wildcards");
    for filter in ["dh/notification/#", "dh/command/network1/devicetype1/+/light", "dh/command_update/+/devicetype1/#"]
    {
        transcript.line(&format!("subscribe {filter}: {}", subscribes(&fake, &client, filter)));
    }
    check(&transcript, "seed");
}

/// The actions of the seed's API list, in its order and spelling; the two link names without a slash are misprints of
/// `device/get` and `user/get`, as their response topics show.
const API_LIST: [&str; 48] = [
    "authenticate",
    "configuration/get",
    "configuration/put",
    "configuration/delete",
    "command/get",
    "command/list",
    "command/insert",
    "command/subscribe",
    "command/unsubscribe",
    "command/update",
    "device/get",
    "device/list",
    "device/count",
    "device/save",
    "device/delete",
    "devicetype/list",
    "devicetype/count",
    "devicetype/get",
    "devicetype/insert",
    "devicetype/update",
    "devicetype/delete",
    "network/list",
    "network/count",
    "network/get",
    "network/insert",
    "network/update",
    "network/delete",
    "user/list",
    "user/count",
    "user/get",
    "user/insert",
    "user/update",
    "user/delete",
    "user/getCurrent",
    "user/updateCurrent",
    "user/getNetwork",
    "user/assignNetwork",
    "user/unassignNetwork",
    "notification/get",
    "notification/list",
    "notification/insert",
    "notification/subscribe",
    "notification/unsubscribe",
    "subscription/list",
    "server/info",
    "token",
    "token/create",
    "token/refresh",
];

#[test]
fn every_action_of_the_api_list_is_answered_on_its_topic() {
    let mut transcript = Transcript::default();
    transcript.section("an administrator asks with everything an action may name");
    for action in API_LIST {
        let mut fake = gateway();
        let filter = format!("dh/response/{action}@c");
        let session = logged_in(&mut fake, "dhadmin", "c", &[action]);
        assert_eq!(subscribes(&fake, &session, &filter), "as asked");
        let body = match action {
            "command/list" | "notification/list" => "",
            _ => r#""command":{"command":"light"},"notification":{"notification":"t"},"#,
        };
        let request = format!(
            r#"{{"action":"{action}","requestId":1,"deviceId":"device1","commandId":1,"notificationId":1,"networkId":1,"deviceTypeId":1,"userId":1,{body}"device":{{"name":"Lamp"}},"payload":{{"userId":1}},"login":"dhadmin","password":"dhadmin_#911","token":"x","refreshToken":"x","name":"x"}}"#
        );
        let wait = say(&fake, &session, "dh/request", &request).unwrap();
        if let Some(wait) = wait {
            let (id, command) = fake.submitted().unwrap();
            let settled = Ok(execution(&id, NAME, command, NOW_MS));
            <Hive as Topics>::settled(&fake, &wait.context, &[Settlement { id, settled }]).unwrap();
        }
        let answers = published(&fake);
        let (topic, text) = answers.iter().find(|(topic, _)| topic.starts_with("dh/response/")).unwrap();
        assert_eq!(*topic, filter);
        transcript.line(text);
    }
    check(&transcript, "api_list");
}

#[test]
fn a_session_authenticates_with_a_token() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let all = ["token", "authenticate", "token/refresh", "token/create", "device/list", "user/getCurrent"];
    let connecting = connected(&fake, "c1", &all);
    transcript.section("CONNECT without a user name").verdict(&Hive::authenticate(&fake, &connecting, 60, false));
    transcript.deeds(&fake);
    transcript.section("login");
    act(
        &mut transcript,
        &mut fake,
        &connecting,
        r#"{"action":"token","requestId":"r-1","login":"client","password":"client_#911"}"#,
    );
    transcript.section("authenticate");
    let access = r#"jwt:jwt:{\"payload\":{\"u\":2,\"a\":[2,3,4,5,6,7,8,9,10,11,15,16,17],\"n\":[\"1\"],\"dt\":[\"*\"],\"e\":1518015765000,\"t\":1}}"#;
    let refresh = access.replace("1518015765000", "1533738765000").replace(r#"\"t\":1"#, r#"\"t\":0"#);
    act(&mut transcript, &mut fake, &connecting, r#"{"action":"device/list","requestId":0}"#);
    act(
        &mut transcript,
        &mut fake,
        &connecting,
        &format!(r#"{{"action":"authenticate","requestId":{{"n":1}},"token":"{access}"}}"#),
    );
    transcript.section("what a client sees");
    act(&mut transcript, &mut fake, &connecting, r#"{"action":"device/list","requestId":0}"#);
    act(&mut transcript, &mut fake, &connecting, r#"{"action":"user/getCurrent"}"#);
    transcript.section("a fresh token");
    act(
        &mut transcript,
        &mut fake,
        &connecting,
        &format!(r#"{{"action":"token/refresh","refreshToken":"{refresh}"}}"#),
    );
    transcript.section("a token with less");
    act(
        &mut transcript,
        &mut fake,
        &connecting,
        r#"{"action":"token/create","payload":{"userId":2,"actions":["GetDevice"],"deviceTypeIds":[1],"expiration":"2018-02-07T15:00:00"}}"#,
    );
    check(&transcript, "token");
}

#[test]
fn a_login_at_connect_needs_its_password() {
    let mut transcript = Transcript::default();
    for (title, client_id, username, password) in [
        ("an administrator", "a", Some("dhadmin"), Some("dhadmin_#911")),
        ("a client", "c", Some("client"), Some("client_#911")),
        ("a locked user", "l", Some("locked"), Some("locked_#911")),
        ("a known user, a wrong password", "a", Some("dhadmin"), Some("wrong")),
        ("a user that nobody knows", "x", Some("nobody"), Some("x")),
        ("the account that signs", "x", Some("jwt"), Some("devicehive")),
        ("a client id that cannot stand in a topic", "a/+", None, None),
    ] {
        let mut fake = gateway();
        fake.presented = password.map(str::to_owned);
        let session = session(client_id, username);
        transcript.section(title).verdict(&Hive::authenticate(&fake, &session, 60, true)).deeds(&fake);
    }
    let closed = Fake { settings: r#"{"anonymous":false}"#.to_owned(), ..gateway() };
    transcript.section("nobody, where nobody may").verdict(&Hive::authenticate(&closed, &session("n", None), 60, true));
    check(&transcript, "admission");
}

const COMMAND_ACTIONS: [&str; 6] =
    ["command/insert", "command/update", "command/get", "command/list", "command/subscribe", "subscription/list"];

/// Insert, any number of updates in any state, reading back.
#[test]
fn a_command_goes_through_its_life() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let app = logged_in(&mut fake, "client", "app", &COMMAND_ACTIONS);
    transcript.section("insert");
    act(
        &mut transcript,
        &mut fake,
        &app,
        r#"{"action":"command/insert","requestId":"5","deviceId":"device1","networkId":9,"command":{"command":"light","parameters":{"on": 1.50},"lifetime":60,"timestamp":"2018-02-07T14:00:00Z"}}"#,
    );
    let read = r#"{"action":"command/get","deviceId":"device1","commandId":1}"#;
    for (title, status) in [
        ("the device has it", r#"{"status":"Received"}"#),
        ("it works on it", r#"{"status":"InProgress","result":{"percent":50},"parameters":"ignored"}"#),
        ("it is done", r#"{"status":"Completed","result":{"on":true}}"#),
        ("and done again", r#"{"status":"verified"}"#),
        ("and not done at all", r#"{"status":"Failed","result":"burnt out"}"#),
    ] {
        transcript.section(title);
        fake.now_ms += 1_000;
        let update =
            format!(r#"{{"action":"command/update","deviceId":"device1","commandId":"1","command":{status}}}"#);
        act(&mut transcript, &mut fake, &app, &update);
        act(&mut transcript, &mut fake, &app, read);
    }
    transcript.section("parameters that are no object");
    act(
        &mut transcript,
        &mut fake,
        &app,
        r#"{"action":"command/insert","deviceId":"device1","command":{"command":"tune","parameters":[1,2],"status":"New"}}"#,
    );
    transcript.section("list");
    for filter in [
        "",
        r#","command":"light""#,
        r#","names":["tune","x"]"#,
        r#","status":"FAILED""#,
        r#","start":"2018-02-07T14:30:00","sortOrder":"DESC","take":1"#,
        r#","end":"2018-02-07T14:30:00""#,
    ] {
        act(&mut transcript, &mut fake, &app, &format!(r#"{{"action":"command/list","deviceId":"device1"{filter}}}"#));
    }
    check(&transcript, "command");
}

#[test]
fn a_backlog_follows_the_answer_and_goes_to_nobody_else() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let actions = ["command/subscribe", "command/unsubscribe", "notification/subscribe", "subscription/list"];
    let app = logged_in(&mut fake, "dhadmin", "app", &actions);
    for (device, command) in [("device1", "light"), ("device2", "light"), ("device1", "tune"), ("lamp", "light")] {
        fake.now_ms += 1_000;
        let insert = format!(
            r#"{{"action":"command/insert","deviceId":"{device}","command":{{"command":"{command}","parameters":{{}}}}}}"#
        );
        act(&mut Transcript::default(), &mut fake, &app, &insert);
    }
    let update = r#"{"action":"command/update","deviceId":"device1","commandId":3,"command":{"status":"done"}}"#;
    fake.now_ms += 1_000;
    act(&mut Transcript::default(), &mut fake, &app, update);
    let notify = r#"{"action":"notification/insert","deviceId":"device2","notification":{"notification":"t"}}"#;
    act(&mut Transcript::default(), &mut fake, &app, notify);
    for (title, asked) in [
        ("no backlog without a time", r#""action":"command/subscribe","deviceId":"device1""#),
        ("all since", r#""action":"command/subscribe","timestamp":"2018-02-07T14:32:47""#),
        ("of a device", r#""action":"command/subscribe","deviceId":"device1","timestamp":"2018-02-07""#),
        ("two at most", r#""action":"command/subscribe","limit":2,"timestamp":"2018-02-07""#),
        (
            "by network and name",
            r#""action":"command/subscribe","networkIds":[1],"names":["light"],"timestamp":"2018-02-07""#,
        ),
        (
            "by networks and names",
            r#""action":"command/subscribe","networkIds":[1,2],"names":["light","x"],"timestamp":"2018-02-07""#,
        ),
        ("updated ones", r#""action":"command/subscribe","returnUpdatedCommands":true,"timestamp":"2018-02-07""#),
        ("notifications", r#""action":"notification/subscribe","deviceTypeIds":[1],"timestamp":"2018-02-07""#),
        ("what is subscribed", r#""action":"subscription/list","type":"notification""#),
        ("one less", r#""action":"command/unsubscribe","subscriptionId":2"#),
        ("none of commands", r#""action":"command/unsubscribe""#),
        ("what is left", r#""action":"subscription/list""#),
    ] {
        transcript.section(title);
        act(&mut transcript, &mut fake, &app, &format!("{{{asked}}}"));
    }
    transcript.section("another user sees its own networks only");
    let client = logged_in(&mut fake, "client", "client", &["command/subscribe", "notification/subscribe"]);
    for action in ["command/subscribe", "notification/subscribe"] {
        let asked = format!(r#"{{"action":"{action}","timestamp":"2018-02-07"}}"#);
        act(&mut transcript, &mut fake, &client, &asked);
    }
    check(&transcript, "backlog");
}

#[test]
fn devices_are_registered_changed_and_removed() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let actions = ["device/save", "device/get", "device/list", "device/count", "device/delete", "network/get"];
    let app = logged_in(&mut fake, "client", "app", &actions);
    transcript.section("a new device");
    act(
        &mut transcript,
        &mut fake,
        &app,
        r#"{"action":"device/save","deviceId":"e50d6085","device":{"name":"Lamp","data":{"a": 1.50}}}"#,
    );
    act(&mut transcript, &mut fake, &app, r#"{"action":"device/get","deviceId":"e50d6085"}"#);
    transcript.section("a known device");
    act(
        &mut transcript,
        &mut fake,
        &app,
        r#"{"action":"device/save","deviceId":"device1","device":{"isBlocked":true,"deviceTypeId":1}}"#,
    );
    transcript.section("a device of another dialect");
    act(&mut transcript, &mut fake, &app, r#"{"action":"device/save","deviceId":"lamp","device":{"name":"The lamp"}}"#);
    transcript.section("lists");
    for asked in [
        r#""action":"device/list""#,
        r#""action":"device/list","sortField":"name","sortOrder":"DESC","take":1,"skip":1"#,
        r#""action":"device/list","namePattern":"%evice_""#,
        r#""action":"device/list","networkName":"network2""#,
        r#""action":"device/list","networkName":"nowhere""#,
        r#""action":"device/count","networkId":1"#,
        r#""action":"network/get","networkId":1"#,
    ] {
        act(&mut transcript, &mut fake, &app, &format!("{{{asked}}}"));
    }
    transcript.section("removed");
    let notify = r#"{"action":"notification/insert","deviceId":"device1","notification":{"notification":"t"}}"#;
    act(&mut Transcript::default(), &mut fake, &app, notify);
    act(&mut transcript, &mut fake, &app, r#"{"action":"device/delete","deviceId":"device1"}"#);
    act(&mut transcript, &mut fake, &app, r#"{"action":"device/get","deviceId":"device1"}"#);
    assert!(
        fake.documents
            .borrow()
            .iter()
            .all(|((collection, key), _)| { collection != "notifications" || !key.starts_with("dev-1:") })
    );
    check(&transcript, "device");
}

#[test]
fn notifications_are_kept_and_told() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    fake.settings = r#"{"notifications-kept":2}"#.to_owned();
    let actions = ["notification/insert", "notification/get", "notification/list"];
    let app = logged_in(&mut fake, "client", "app", &actions);
    transcript.section("insert");
    for notification in [
        r#"{"notification":"t","parameters":{"c": 21.50}}"#,
        r#"{"notification":"t","timestamp":"2018-02-07T10:00:00+02:00"}"#,
        r#"{"notification":"alarm","parameters":"hot"}"#,
    ] {
        let insert = format!(
            r#"{{"action":"notification/insert","deviceId":"device1","notification":{notification},"requestId":1}}"#
        );
        act(&mut transcript, &mut fake, &app, &insert);
    }
    transcript.section("the oldest gave way");
    act(&mut transcript, &mut fake, &app, r#"{"action":"notification/get","deviceId":"device1","notificationId":1}"#);
    act(&mut transcript, &mut fake, &app, r#"{"action":"notification/get","deviceId":"device1","notificationId":"2"}"#);
    act(&mut transcript, &mut fake, &app, r#"{"action":"notification/list","deviceId":"device1"}"#);
    act(
        &mut transcript,
        &mut fake,
        &app,
        r#"{"action":"notification/list","deviceId":"device1","notification":"alarm"}"#,
    );
    transcript.section("on behalf of a device of another dialect: only that one tells the other dialects");
    let insert = r#"{"action":"notification/insert","deviceId":"lamp","notification":{"notification":"seen"}}"#;
    act(&mut transcript, &mut fake, &app, insert);
    transcript.section("devices of other dialects");
    for (device, kind, name, raw, body, decoded) in [
        ("dev-3", "properties", None, None, Some(r#"{"on":true}"#), None),
        ("dev-3", "uplink", Some("up"), Some(Payload::Bytes(vec![1])), None, Some(r#"{"t":1}"#)),
        ("dev-3", "message", Some("a/+"), Some(Payload::Text("hi".to_owned())), None, None),
        ("dev-1", "notification", Some("t"), None, Some("1"), None),
        ("dev-9", "notification", Some("t"), None, Some("1"), None),
    ] {
        let event = Event {
            device: device.to_owned(),
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
            at_ms: NOW_MS,
            raw,
            body: body.map(str::to_owned),
            attributes: Vec::new(),
        };
        let decoded = decoded.map(|value| Decoded { value: value.to_owned(), warnings: Vec::new() });
        transcript.line(&format!("{device} {kind}"));
        Hive::on_event(&fake, &event, decoded.as_ref()).unwrap();
        transcript.deeds(&fake);
    }
    check(&transcript, "notification");
}

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
    fake.settings = r#"{"expired-status":"Expired"}"#.to_owned();
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
    fake.settings = r#"{"strict-docs":true}"#.to_owned();
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
    for (settings, count, save) in [(r#"{"strict-docs":true}"#, false, true), ("{}", true, false)] {
        fake.settings = settings.to_owned();
        fake.deeds.take();
        for (request, allowed) in [
            (r#"{"action":"device/count"}"#, count),
            (r#"{"action":"device/save","deviceId":"device1","device":{}}"#, save),
        ] {
            say(&fake, &reader, "dh/request", request).unwrap();
            let answers = published(&fake);
            let (_, text) = answers.iter().find(|(topic, _)| topic.starts_with("dh/response/")).unwrap();
            assert_eq!(text.contains("success"), allowed, "{settings} {request} {text}");
        }
    }
    // Ruling 4 and 1.
    fake.settings = r#"{"native-publish":"ignore","names-in-topics":false}"#.to_owned();
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
