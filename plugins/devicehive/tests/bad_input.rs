//! What clients should not send: each row has its exact answer and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use dragoman_plugin_sdk::testing::{Deed, Fake};
use dragoman_plugin_sdk::{Admission, Payload, Topics};
use support::{connected, gateway, logged_in, message, published, say, settings, subscribes};

const ACTIONS: [&str; 31] = [
    "",
    "token",
    "token/create",
    "token/refresh",
    "authenticate",
    "server/info",
    "device/get",
    "device/list",
    "device/count",
    "device/save",
    "device/delete",
    "command/insert",
    "command/update",
    "command/get",
    "command/list",
    "command/subscribe",
    "command/unsubscribe",
    "notification/insert",
    "notification/get",
    "notification/list",
    "notification/subscribe",
    "notification/unsubscribe",
    "subscription/list",
    "network/get",
    "network/list",
    "network/insert",
    "devicetype/get",
    "user/get",
    "user/list",
    "configuration/get",
    "device/fly",
];

/// `code text` of the only answer.
fn answer(fake: &Fake) -> String {
    let deeds: Vec<_> =
        fake.deeds.borrow().iter().filter(|deed| !matches!(deed, Deed::Published(..))).cloned().collect();
    assert!(deeds.is_empty(), "nothing is left behind: {deeds:?}");
    let published = published(fake);
    let [(topic, text)] = published.as_slice() else { panic!("one answer: {published:?}") };
    assert!(topic.starts_with("dh/response/"), "{topic}");
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["status"], "error", "{text}");
    format!("{} {}", value["code"], value["error"].as_str().unwrap())
}

/// What is asked, by whom, and the answer.
#[test]
fn every_bad_request_has_its_answer_and_leaves_nothing_behind() {
    let mut fake = gateway();
    let nobody = connected(&fake, "nobody", &ACTIONS);
    let client = logged_in(&mut fake, "client", "client-1", &ACTIONS);
    let admin = logged_in(&mut fake, "dhadmin", "admin-1", &ACTIONS);
    let token = |payload: &str| format!(r#"jwt:jwt:{{\"payload\":{payload}}}"#);
    let expired = token(r#"{\"u\":1,\"a\":[0],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":1518013965000,\"t\":1}"#);
    let refresh = token(r#"{\"u\":1,\"a\":[0],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":9518013965000,\"t\":0}"#);
    let access = token(r#"{\"u\":1,\"a\":[0],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":9518013965000,\"t\":1}"#);
    let old_refresh = token(r#"{\"u\":1,\"a\":[0],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":1518013964999,\"t\":0}"#);
    let shapeless = token(r#"{\"u\":\"one\"}"#);
    let long = "9".repeat(40);
    let deep = format!(r#"{{"action":"device/list","x":{}{}}}"#, "[".repeat(80), "]".repeat(80));
    let many = format!(r#"{{"action":"token","login":"{}","password":"x"}}"#, "x".repeat(129));
    let unknown = format!("401 User with login = {} not found or bad password", "x".repeat(129));
    let insert = |command: &str| format!(r#"{{"action":"command/insert","deviceId":"device1","command":{command}}}"#);
    let with = |action: &str, rest: &str| format!(r#"{{"action":"{action}",{rest}}}"#);
    let pattern = |member: &str| format!(r#""{member}":"{}""#, "%".repeat(257));
    let ids = |member: &str, last: i64| format!(r#""{member}":{:?}"#, (1..=last).collect::<Vec<_>>());
    let long_id = with("device/count", &format!(r#""requestId":"{}""#, "x".repeat(4_095)));
    let rows: Vec<(&dragoman_plugin_sdk::Session, String, &str)> = vec![
        // No request at all.
        (&admin, String::new(), "400 Malformed Json received."),
        (&admin, "{".to_owned(), "400 Malformed Json received."),
        (&admin, "[]".to_owned(), "400 Malformed Json received."),
        (&admin, "7".to_owned(), "400 Malformed Json received."),
        (&admin, deep, "400 Malformed Json received."),
        (&admin, "{}".to_owned(), "500 'action' field could not be parsed to known endpoint"),
        (&admin, r#"{"action":7}"#.to_owned(), "500 'action' field could not be parsed to known endpoint"),
        (&admin, r#"{"action":null}"#.to_owned(), "500 'action' field could not be parsed to known endpoint"),
        (&admin, r#"{"action":"device/fly"}"#.to_owned(), "400 Illegal argument: device/fly"),
        (
            &admin,
            format!(r#"{{"action":"{}"}}"#, "x".repeat(129)),
            "500 'action' field could not be parsed to known endpoint",
        ),
        (&admin, long_id, "400 A requestId has at most 4096 bytes."),
        (&admin, r#"{"action":"network/insert"}"#.to_owned(), "400 Illegal argument: network/insert"),
        // Nobody, and somebody without the right. Permission comes before arguments.
        (&nobody, r#"{"action":"device/list"}"#.to_owned(), "401 Unauthorized"),
        (&nobody, r#"{"action":"command/insert"}"#.to_owned(), "401 Unauthorized"),
        (&nobody, r#"{"action":"subscription/list"}"#.to_owned(), "401 Unauthorized"),
        (&client, r#"{"action":"user/list"}"#.to_owned(), "403 Access is denied"),
        (&client, r#"{"action":"user/get"}"#.to_owned(), "403 Access is denied"),
        (&client, with("configuration/get", r#""name":"x""#), "403 Access is denied"),
        // Devices that are not there, and not the caller's.
        (&admin, r#"{"action":"device/get"}"#.to_owned(), "400 Device id is wrong or empty"),
        (&admin, with("device/get", r#""deviceId":"""#), "400 Device id is wrong or empty"),
        (&admin, with("device/get", r#""deviceId":{}"#), "400 Device id is wrong or empty"),
        (&admin, with("device/get", r#""deviceId":"no""#), "404 Device with such deviceId = no not found"),
        (&client, with("device/get", r#""deviceId":"no""#), "403 Access is denied"),
        (&client, with("device/get", r#""deviceId":"device2""#), "403 Access is denied"),
        (&client, with("command/insert", r#""deviceId":"device2","command":{"command":"x"}"#), "403 Access is denied"),
        (&client, with("command/update", r#""deviceId":"device2","commandId":1"#), "403 Access is denied"),
        (&client, with("notification/insert", r#""deviceId":"device2""#), "403 Access is denied"),
        (&client, with("device/delete", r#""deviceId":"device2""#), "403 Access is denied"),
        (
            &admin,
            with("device/delete", r#""deviceId":"lamp""#),
            "403 Device lamp is reached by another platform. Remove it there.",
        ),
        (&admin, with("device/save", r#""device":{"name":"n"}"#), "400 Device id is wrong or empty"),
        (
            &admin,
            with("device/save", r#""deviceId":"a_b","device":{"name":"n"}"#),
            "400 Device Id can only contain letters, digits and dashes.",
        ),
        (&admin, with("device/save", r#""deviceId":"n""#), "400 Missing or invalid payload in request"),
        (
            &admin,
            with("device/save", r#""deviceId":"n","device":{}"#),
            "400 The name of a device must have 1 to 128 symbols.",
        ),
        (
            &admin,
            with("device/save", r#""deviceId":"n","device":{"name":"n","networkId":99}"#),
            "400 Invalid request parameters",
        ),
        (
            &admin,
            with("device/save", r#""deviceId":"n","device":{"name":"n","isBlocked":"no"}"#),
            "400 Invalid request parameters",
        ),
        (&client, with("device/save", r#""deviceId":"n","device":{"name":"n","networkId":2}"#), "403 Access is denied"),
        (&admin, with("device/list", r#""sortField":"colour""#), "400 Invalid request parameters"),
        (&admin, with("device/list", r#""take":-1"#), "400 Invalid request parameters"),
        (&admin, with("device/count", r#""networkId":"one""#), "400 Invalid request parameters"),
        (&admin, with("device/list", &pattern("namePattern")), "400 Invalid request parameters"),
        (&admin, with("network/list", &pattern("namePattern")), "400 Invalid request parameters"),
        (&admin, with("user/list", &pattern("loginPattern")), "400 Invalid request parameters"),
        // Commands.
        (&admin, with("command/insert", r#""deviceId":"device1""#), "400 Command is required"),
        (&admin, insert("{}"), "400 Command is required"),
        (&admin, insert(r#""light""#), "400 Invalid request parameters"),
        (&admin, insert(r#"{"command":"a/#"}"#), "400 Invalid request parameters"),
        (&admin, insert(r#"{"command":"on","lifetime":"long"}"#), "400 Invalid request parameters"),
        (&admin, insert(r#"{"command":"on","timestamp":"soon"}"#), "400 Invalid request parameters"),
        (&admin, with("command/update", r#""deviceId":"device1""#), "400 Command id is wrong or empty"),
        (&admin, with("command/update", r#""deviceId":"device1","commandId":"x""#), "400 Command id is wrong or empty"),
        (
            &admin,
            with("command/update", r#""deviceId":"device1","commandId":7,"command":{"status":"ok"}"#),
            "404 Command with id = 7 not found",
        ),
        (
            &admin,
            with("command/get", &format!(r#""deviceId":"device1","commandId":{long}"#)),
            "400 Command id is wrong or empty",
        ),
        (
            &admin,
            with("command/get", r#""deviceId":"device1","commandId":-9223372036854775808"#),
            "404 Command with id = -9223372036854775808 not found",
        ),
        (&admin, with("command/list", r#""deviceId":"device1","start":"x""#), "400 Invalid request parameters"),
        (&admin, with("command/list", r#""deviceId":"device1","names":"x""#), "400 Invalid request parameters"),
        (
            &admin,
            with("command/subscribe", r#""networkIds":[999999]"#),
            "404 Networks with such networkIds wasn't found: {[999999]}",
        ),
        (
            &admin,
            with("command/subscribe", r#""deviceTypeIds":[8,9]"#),
            "404 Device types with such deviceTypeIds wasn't found: {[8, 9]}",
        ),
        (
            &admin,
            with("command/subscribe", &ids("networkIds", 65)),
            "400 At most 64 networkIds are taken. Leave them out for all.",
        ),
        (
            &admin,
            with("notification/subscribe", &ids("deviceTypeIds", 1_001)),
            "400 At most 64 deviceTypeIds are taken. Leave them out for all.",
        ),
        (&client, with("command/subscribe", r#""networkIds":[1,2]"#), "403 Access is denied"),
        (&admin, with("command/subscribe", r#""networkIds":7"#), "400 Invalid request parameters"),
        (&admin, with("command/subscribe", r#""limit":-1"#), "400 Invalid request parameters"),
        (&admin, with("command/unsubscribe", r#""subscriptionId":5"#), "404 Subscription with id 5 was not found"),
        (&admin, with("subscription/list", r#""type":"all""#), "400 Invalid request parameters"),
        // Notifications.
        (&admin, with("notification/insert", r#""deviceId":"device1""#), "400 Notification is required"),
        (
            &admin,
            with("notification/insert", r#""deviceId":"device1","notification":{}"#),
            "400 Notification is required",
        ),
        (&admin, with("notification/get", r#""deviceId":"device1""#), "400 Notification id is wrong or empty"),
        (
            &admin,
            with("notification/get", r#""deviceId":"device1","notificationId":"x""#),
            "400 Notification id should be an integer value.",
        ),
        (
            &admin,
            with("notification/get", r#""deviceId":"device1","notificationId":5"#),
            "404 Requested notification not found",
        ),
        // Networks, types, users, configuration.
        (&admin, r#"{"action":"network/get"}"#.to_owned(), "400 Network id is wrong or empty"),
        (&admin, with("network/get", r#""networkId":9"#), "404 Network with id = 9 not found"),
        (&client, with("network/get", r#""networkId":9"#), "403 Access is denied"),
        (&admin, with("devicetype/get", r#""deviceTypeId":9"#), "404 Device type with id = 9 not found"),
        (&admin, with("user/get", r#""userId":9"#), "404 User with id = 9 not found"),
        (
            &admin,
            with("configuration/get", r#""name":"x""#),
            "404 Requested config with name = x not found in the database",
        ),
        // Logins and tokens.
        (&nobody, r#"{"action":"token"}"#.to_owned(), "400 Invalid or empty authorization request parameters"),
        (
            &nobody,
            with("token", r#""login":"","password":"x""#),
            "400 Invalid or empty authorization request parameters",
        ),
        (
            &nobody,
            with("token", r#""login":"dhadmin","password":"wrong""#),
            "401 User with login = dhadmin not found or bad password",
        ),
        (
            &nobody,
            with("token", r#""login":"jwt","password":"devicehive""#),
            "401 User with login = jwt not found or bad password",
        ),
        (&nobody, many, &unknown),
        (&nobody, with("token", r#""login":"locked","password":"locked_#911""#), "401 User is locked or disabled"),
        (&nobody, r#"{"action":"authenticate"}"#.to_owned(), "401 Unauthorized"),
        (&nobody, with("authenticate", r#""token":"""#), "401 Unauthorized"),
        (&nobody, with("authenticate", r#""token":"eyJhbGciOiJub25lIn0.e30.""#), "401 Invalid credentials"),
        (&nobody, with("authenticate", &format!(r#""token":"{shapeless}""#)), "401 Invalid credentials"),
        (&nobody, with("authenticate", &format!(r#""token":"{expired}""#)), "401 Token expired"),
        (&nobody, with("authenticate", &format!(r#""token":"{refresh}""#)), "401 Invalid credentials"),
        (&nobody, with("token/refresh", &format!(r#""refreshToken":"{access}""#)), "401 Invalid token type"),
        (&nobody, with("token/refresh", &format!(r#""refreshToken":"{old_refresh}""#)), "401 Token has expired"),
        (&nobody, with("token/refresh", r#""refreshToken":"forged""#), "401 Invalid credentials"),
        (&admin, r#"{"action":"token/create"}"#.to_owned(), "400 Missing or invalid payload in request"),
        (&admin, with("token/create", r#""payload":{}"#), "400 User id is wrong or empty"),
        (&admin, with("token/create", r#""payload":{"userId":77}"#), "404 User with id = 77 not found"),
        (&admin, with("token/create", r#""payload":{"userId":1,"actions":["Fly"]}"#), "400 Invalid request parameters"),
        (
            &admin,
            with("token/create", r#""payload":{"userId":1,"expiration":"soon"}"#),
            "400 Invalid request parameters",
        ),
        (&client, with("token/create", r#""payload":{"userId":1}"#), "403 Access is denied"),
        (&client, with("token/create", r#""payload":{"userId":2,"actions":["*"]}"#), "403 Access is denied"),
        (&client, with("token/create", r#""payload":{"userId":2,"networkIds":["*"]}"#), "403 Access is denied"),
    ];
    assert!(rows.len() >= 80);
    let before = (fake.documents.borrow().clone(), fake.notes.borrow().clone(), fake.devices.borrow().len());
    for (session, request, expected) in rows {
        let waits = say(&fake, session, "dh/request", &request);
        assert_eq!(waits, Ok(None), "{request}");
        assert_eq!(answer(&fake), expected, "{request}");
    }
    assert_eq!(before, (fake.documents.take(), fake.notes.take(), fake.devices.borrow().len()));
}

#[test]
fn bytes_are_no_json() {
    let mut fake = gateway();
    let admin = logged_in(&mut fake, "dhadmin", "a", &[""]);
    let mut binary = message("dh/request", "");
    binary.payload = Payload::Bytes(vec![0xff, 0xfe]);
    assert_eq!(<devicehive::Hive as Topics>::handle_message(&fake, &admin, &binary), Ok(None));
    assert_eq!(answer(&fake), "400 Malformed Json received.");
}

/// A message on an event topic is answered like its action; on the platform nobody would hear of it at all.
#[test]
fn native_publishes_are_refused_like_their_actions() {
    let mut fake = gateway();
    let long_id = format!(r#"{{"requestId":"{}"}}"#, "x".repeat(4_095));
    let nobody = connected(&fake, "nobody", &ACTIONS);
    let client = logged_in(&mut fake, "client", "c", &ACTIONS);
    for (session, topic, payload, expected) in [
        (&nobody, "dh/command/1/1/device1/on", "{}", "401 Unauthorized"),
        (&client, "dh/command/1/1/device1/on", "on", "400 Malformed Json received."),
        (&client, "dh/command/1/1/device1/on", &long_id, "400 A requestId has at most 4096 bytes."),
        (&client, "dh/command/1/1", "{}", "400 Device id is wrong or empty"),
        (&client, "dh/command/1/1/device1", "{}", "400 Command is required"),
        (&client, "dh/command/2/1/device1/on", "{}", "403 Access is denied"),
        (&client, "dh/command/1/other/device1/on", "{}", "403 Access is denied"),
        (&client, "dh/command/2/1/device2/on", "{}", "403 Access is denied"),
        (&client, "dh/command_update/1/1/device1/on", r#"{"status":"ok"}"#, "400 Command id is wrong or empty"),
        (&client, "dh/command_update/1/1/device1/on", r#"{"id":9,"status":"ok"}"#, "404 Command with id = 9 not found"),
        (&client, "dh/notification/1/1/device1/t", r#"{"timestamp":"x"}"#, "400 Invalid request parameters"),
        (&client, "dh/notification/2/1/device2/t", "{}", "403 Access is denied"),
    ] {
        assert_eq!(say(&fake, session, topic, payload), Ok(None), "{topic}");
        assert_eq!(answer(&fake), expected, "{topic} {payload}");
    }
    // Not listened to, not answered.
    let deaf = logged_in(&mut fake, "client", "deaf", &["command/insert@other", "+"]);
    say(&fake, &deaf, "dh/command/2/1/device2/on", "{}").unwrap();
    say(&fake, &deaf, "dh/response/token@c", "{}").unwrap();
    assert_eq!(published(&fake), []);
}

#[test]
fn subscriptions_that_reach_into_what_is_not_ones_own_are_refused() {
    let mut fake = gateway();
    let nobody = connected(&fake, "nobody", &[]);
    let client = logged_in(&mut fake, "client", "c", &[]);
    let admin = logged_in(&mut fake, "dhadmin", "a", &[]);
    for (session, filter, expected) in [
        (&nobody, "dh/response/token@nobody", "as asked"),
        (&nobody, "dh/response/authenticate@nobody", "as asked"),
        (&nobody, "dh/response/device/list@nobody", "0x80"),
        (&nobody, "dh/response/token@c", "0x80"),
        (&nobody, "dh/command/#", "0x80"),
        (&nobody, "dh/#", "0x80"),
        (&nobody, "#", "as asked"),
        (&nobody, "acme/things", "0x80"),
        (&client, "dh/request", "0x80"),
        (&client, "dh/request/#", "0x80"),
        (&client, "dh", "0x80"),
        (&client, "dh/", "0x80"),
        (&client, "dh/response/device/list@a", "0x80"),
        (&client, "dh/response/device/list@xc", "0x80"),
        (&client, "dh/response/+@c", "0x80"),
        (&client, "dh/response/#", "0x80"),
        (&client, "dh/response/device/list@c", "as asked"),
        (&client, "dh/command/2/#", "0x80"),
        (&client, "dh/command/network2/#", "0x80"),
        (&client, "dh/command/nowhere/#", "0x80"),
        (&client, "dh/command/1/9/#", "0x80"),
        (&client, "dh/command/+/+/device2/on", "0x80"),
        (&client, "dh/command/+/+/no-such-device/on", "0x80"),
        (&client, "dh/command/1/1/device1/on@a", "0x80"),
        (&client, "dh/command/1/1/device1/on@c", "served as dh/command/1/1/device1/on"),
        (&client, "dh/command/network1/#", "served as dh/command/1/#"),
        (&client, "dh/command/+/devicetype1/#", "served as dh/command/+/1/#"),
        (&client, "dh/command/#", "as asked"),
        (&client, "dh/#", "as asked"),
        (&client, "dh/commands/1", "0x80"),
        (&client, "$SYS/#", "0x80"),
        (&admin, "dh/command/2/#", "as asked"),
        (&admin, "dh/command/99/#", "0x80"),
        (&admin, "dh/notification/+/+/no-such-device/#", "0x80"),
    ] {
        assert_eq!(subscribes(&fake, session, filter), expected, "{} {filter}", session.client_id);
    }
}

/// Outside of `dh/` a filter is granted where the operator opened its topics and it names no other client.
#[test]
fn ordinary_topics_are_open_but_for_those_of_another_client() {
    let mut fake = gateway();
    fake.settings = settings(r##"{"ordinary-topics":["home/#","a/+"]}"##);
    let nobody = connected(&fake, "nobody", &[]);
    let client = logged_in(&mut fake, "client", "c", &[]);
    for (session, filter, expected) in [
        (&nobody, "home/x", "as asked"),
        (&nobody, "home/#", "as asked"),
        (&nobody, "home/+/y", "as asked"),
        (&nobody, "home/x@nobody", "as asked"),
        (&nobody, "home/x@c", "0x80"),
        (&nobody, "home/+/y@c", "0x80"),
        (&nobody, "a/b", "as asked"),
        (&nobody, "a/#", "0x80"),
        (&nobody, "b", "0x80"),
        (&client, "home/x@c", "as asked"),
        (&client, "home/x@nobody", "0x80"),
        (&client, "home/@nobody/x", "0x80"),
    ] {
        assert_eq!(subscribes(&fake, session, filter), expected, "{} {filter}", session.client_id);
    }
    let policy = |session| match devicehive::Hive::authenticate(&fake, session, 60, true).unwrap() {
        dragoman_plugin_sdk::Verdict::Accept(grant) => grant.policy,
        refused => panic!("{refused:?}"),
    };
    // The gateway grants by itself what the policy covers, without asking.
    let policy = policy(&nobody);
    assert!(!policy.subscribe.iter().any(|filter| filter.starts_with("home")), "{policy:?}");
    assert!([policy.publish, policy.receive].iter().all(|filters| filters.contains(&"home/#".to_owned())));
}

/// What the operator forgot is no fault of the client, who is answered all the same; the log says what is missing.
#[test]
fn a_missing_signing_account_is_told_to_both() {
    let mut fake = gateway();
    let session = connected(&fake, "c", &ACTIONS);
    fake.accounts.remove("jwt");
    let login = r#"{"action":"token","login":"dhadmin","password":"dhadmin_#911"}"#;
    say(&fake, &session, "dh/request", login).unwrap();
    assert_eq!(answer(&fake), "500 Internal server error");
    assert!(fake.log.borrow().iter().any(|(_, text)| text.contains("token failed") && text.contains("jwt")));
    fake.accounts.insert("odd".to_owned(), ("odd_#911".to_owned(), r#"{"id":"one"}"#.to_owned()));
    let odd = r#"{"action":"token","login":"odd","password":"odd_#911"}"#;
    say(&fake, &session, "dh/request", odd).unwrap();
    assert_eq!(answer(&fake), "401 User is locked or disabled");
    assert!(fake.log.borrow().iter().any(|(_, text)| text.contains("the rights of account odd do not fit")));
}

/// More than the gateway carries in one message is refused before it is half done.
#[test]
fn what_would_not_fit_into_an_event_is_refused() {
    let mut fake = gateway();
    let admin = logged_in(&mut fake, "dhadmin", "a", &ACTIONS);
    let large = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    let insert = |bytes: usize| {
        let command = format!(r#"{{"command":"on","parameters":{{"x":{}}}}}"#, large(bytes));
        format!(r#"{{"action":"command/insert","deviceId":"device1","command":{command}}}"#)
    };
    say(&fake, &admin, "dh/request", &insert(258_042)).unwrap();
    assert_eq!(answer(&fake), "400 A command has at most 258048 bytes.");
    let wait = say(&fake, &admin, "dh/request", &insert(200_000)).unwrap();
    assert!(wait.is_some());
    let (id, command) = fake.submitted().unwrap();
    fake.deeds.take();
    fake.executions.push(dragoman_plugin_sdk::testing::execution(&id, devicehive::NAME, command, fake.now_ms));
    let update = |bytes: usize| {
        let command = format!(r#"{{"status":"ok","result":{}}}"#, large(bytes));
        format!(r#"{{"action":"command/update","deviceId":"device1","commandId":1,"command":{command}}}"#)
    };
    say(&fake, &admin, "dh/request", &update(60_000)).unwrap();
    assert_eq!(answer(&fake), "400 A command with its result has at most 258048 bytes.");
    say(&fake, &admin, "dh/request", &update(50_000)).unwrap();
    assert_eq!(published(&fake).len(), 2);
}

/// Each action and the right that it asks for: who has all others is refused, who has only that one is not.
#[test]
fn every_action_asks_for_its_right() {
    for (action, right) in [
        ("network/list", 2),
        ("network/count", 2),
        ("network/get", 2),
        ("device/get", 3),
        ("device/list", 3),
        ("device/count", 3),
        ("notification/get", 4),
        ("notification/list", 4),
        ("notification/subscribe", 4),
        ("notification/unsubscribe", 4),
        ("command/get", 5),
        ("command/list", 5),
        ("command/subscribe", 5),
        ("command/unsubscribe", 5),
        ("device/save", 6),
        ("device/delete", 6),
        ("command/insert", 7),
        ("command/update", 8),
        ("notification/insert", 9),
        ("user/getCurrent", 10),
        ("user/list", 12),
        ("user/count", 12),
        ("user/get", 12),
        ("configuration/get", 13),
        ("token/create", 15),
        ("devicetype/list", 17),
        ("devicetype/count", 17),
        ("devicetype/get", 17),
    ] {
        let others: Vec<_> = (2..=18).filter(|number| *number != right).map(|number| number.to_string()).collect();
        for (rights, refused) in [(others.join(","), true), (right.to_string(), false)] {
            let fake = gateway();
            let session = connected(&fake, "c", &[action, "authenticate"]);
            let claims = format!(
                r#"{{\"payload\":{{\"u\":1,\"a\":[{rights}],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":9518013966000,\"t\":1}}}}"#
            );
            let login = format!(r#"{{"action":"authenticate","token":"jwt:jwt:{claims}"}}"#);
            say(&fake, &session, "dh/request", &login).unwrap();
            assert!(published(&fake)[0].1.contains("success"));
            let request = format!(r#"{{"action":"{action}","deviceId":"device1"}}"#);
            say(&fake, &session, "dh/request", &request).unwrap();
            let answers = published(&fake);
            let (_, text) = answers.iter().find(|(topic, _)| topic.starts_with("dh/response/")).unwrap();
            assert_eq!(text.contains(r#""code":403"#), refused, "{action} with {rights}: {text}");
            assert!(!text.contains(r#""code":401"#), "{text}");
        }
    }
}

/// A token of a session counts with every request until it has expired.
#[test]
fn an_expired_session_is_told_so() {
    let mut fake = gateway();
    let session = connected(&fake, "c", &ACTIONS);
    let token = r#"jwt:jwt:{\"payload\":{\"u\":1,\"a\":[0],\"n\":[\"*\"],\"dt\":[\"*\"],\"e\":1518013966000,\"t\":1}}"#;
    say(&fake, &session, "dh/request", &format!(r#"{{"action":"authenticate","token":"{token}"}}"#)).unwrap();
    assert!(published(&fake)[0].1.contains("success"));
    say(&fake, &session, "dh/request", r#"{"action":"device/count"}"#).unwrap();
    assert!(published(&fake)[0].1.contains(r#""count":3"#));
    fake.now_ms += 1_000;
    say(&fake, &session, "dh/request", r#"{"action":"device/count"}"#).unwrap();
    assert_eq!(answer(&fake), "401 Token expired");
    assert_eq!(subscribes(&fake, &session, "dh/command/#"), "0x80");
    fake.settings = settings(r#"{"token-expiry":"authenticate"}"#);
    say(&fake, &session, "dh/request", r#"{"action":"device/count"}"#).unwrap();
    assert!(published(&fake)[0].1.contains(r#""count":3"#));
}
