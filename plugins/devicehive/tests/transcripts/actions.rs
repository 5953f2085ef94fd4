//! What clients of the platform ask for, and what they hear.

use crate::support::{NOW_MS, act, connected, gateway, logged_in, play, published, say, settings, subscribes};
use crate::{COMMAND_ACTIONS, check};
use devicehive::{Hive, NAME};
use dragoman_plugin_sdk::testing::{Fake, Transcript, execution, session};
use dragoman_plugin_sdk::{Admission, Decoded, Event, Notifications, Payload, Settlement, Subscription, Topics};

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
        ("a password without a user name", "n", None, Some("dhadmin_#911")),
    ] {
        let mut fake = gateway();
        fake.presented = password.map(str::to_owned);
        let session = session(client_id, username);
        transcript.section(title).verdict(&Hive::authenticate(&fake, &session, 60, true)).deeds(&fake);
    }
    let closed = Fake { settings: settings(r#"{"anonymous":false}"#), ..gateway() };
    transcript.section("nobody, where nobody may").verdict(&Hive::authenticate(&closed, &session("n", None), 60, true));
    check(&transcript, "admission");
}

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

/// On the platform a SUBSCRIBE is the action, so both are in one list.
#[test]
fn subscriptions_by_topic_are_listed_behind_those_by_action() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let app = logged_in(&mut fake, "dhadmin", "app", &["command/subscribe", "subscription/list"]);
    act(&mut transcript, &mut fake, &app, r#"{"action":"command/subscribe","networkIds":[2,1,2,"1"]}"#);
    for filter in [
        "dh/command/#",
        "dh/command_update/network1/+/+/light",
        "dh/notification/2/1/device2/t@app",
        "dh/notification/+/devicetype1/+/+",
        "dh/notification/network1",
        "dh/notification/nowhere/#",
        "dh/#",
    ] {
        transcript.line(&format!("# subscribed to {filter}"));
        let held = Subscription { filter: filter.to_owned(), qos: 0 };
        fake.sessions.borrow_mut().get_mut(&app.id).unwrap().1.push(held);
    }
    for of in ["", r#","type":"command""#, r#","type":"notification""#] {
        act(&mut transcript, &mut fake, &app, &format!(r#"{{"action":"subscription/list"{of}}}"#));
    }
    check(&transcript, "subscriptions");
}

/// What no action can insert yet, the operator says.
#[test]
fn networks_device_types_and_the_configuration_are_settings() {
    let mut transcript = Transcript::default();
    let mut fake = gateway();
    let actions = [
        "network/list",
        "network/get",
        "network/count",
        "devicetype/list",
        "devicetype/get",
        "configuration/get",
        "device/save",
        "device/list",
    ];
    let app = logged_in(&mut fake, "dhadmin", "app", &actions);
    for (title, settings) in [
        ("a fresh platform", "{}"),
        (
            "with more, and another name for the first type",
            r#"{"networks":{"7":"attic","3":"cellar"},"device-types":{"1":"lamp"},"configurations":{"contact":"me"}}"#,
        ),
    ] {
        transcript.section(title);
        fake.settings = settings.to_owned();
        for asked in [
            r#""action":"network/list""#,
            r#""action":"network/list","namePattern":"%tt%""#,
            r#""action":"network/count""#,
            r#""action":"network/get","networkId":7"#,
            r#""action":"devicetype/list""#,
            r#""action":"configuration/get","name":"contact""#,
            r#""action":"device/save","deviceId":"device1","device":{"networkId":7}"#,
            r#""action":"device/list","networkName":"attic""#,
        ] {
            act(&mut transcript, &mut fake, &app, &format!("{{{asked}}}"));
        }
        for filter in ["dh/command/attic/lamp/#", "dh/command/1/1/#", "dh/command/3/2/#"] {
            transcript.line(&format!("subscribe {filter}: {}", subscribes(&fake, &app, filter)));
        }
    }
    check(&transcript, "catalogue");
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
    fake.settings = settings(r#"{"notifications-kept":2}"#);
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
