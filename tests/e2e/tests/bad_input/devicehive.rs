//! What a client of DeviceHive should not ask for on `dh/request`, while a command of a device is open and another has ended.

use crate::cast::Cast;
use crate::devicehive_topics;
use crate::mqtt_table::{LOG, Row, Scene, play};
use crate::standing::standing;
use crate::table::world_with;
use crate::wire::Login;
use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dragoman_e2e::World;
use dragoman_e2e::tokens::DEVICEHIVE_USER;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// A client with every network and device type.
pub(crate) const APP: &str = "app";
/// An administrator.
pub(crate) const ADMIN: &str = "boss";
/// A client of another network than the device's.
pub(crate) const GUEST: &str = "guest";
/// Somebody whose token allows to look at devices and nothing else.
pub(crate) const READER: &str = "reader";
/// Somebody who has not authenticated.
pub(crate) const NOBODY: &str = "nobody";
/// Key with which tokens are signed, before it is written in Base64.
const SIGNING_KEY: &str = "the key that signs the tokens of these tests";
/// Tokens are signed by the secret of a device, because only those are kept so that they can sign.
const SETTINGS: &str = "\n[plugin.devicehive.settings]\njwt-account = \"device/signer\"\n";
/// Actions whose answers are listened to. The empty one is that of a request without an action.
const ACTIONS: &[&str] = &[
    "",
    "command/get",
    "command/insert",
    "command/list",
    "command/subscribe",
    "command/unsubscribe",
    "command/update",
    "configuration/get",
    "device/delete",
    "device/fly",
    "device/get",
    "device/list",
    "device/save",
    "devicetype/get",
    "network/get",
    "notification/get",
    "notification/insert",
    "notification/list",
    "notification/subscribe",
    "server/info",
    "subscription/list",
    "token/create",
    "token/refresh",
    "user/list",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages() -> anyhow::Result<()> {
    let mut hive = Hive::prepare().await?;
    let mut rows = envelopes();
    rows.extend(tokens());
    rows.extend(rights());
    rows.extend(commands());
    rows.extend(lists());
    rows.extend(devices());
    play("devicehive-requests", &mut hive, rows).await?;
    play("devicehive-topics", &mut hive, devicehive_topics::rows()).await
}

/// Users of the platform; command 1 of the lamp is open, command 2 has ended.
struct Hive {
    cast: Cast,
}

impl Hive {
    async fn prepare() -> anyhow::Result<Self> {
        let world = world_with(&format!("{LOG}{SETTINGS}")).await?;
        register(&world).await?;
        let mut hive = Self { cast: Cast::new(world)? };
        for (name, password) in [(APP, DEVICEHIVE_USER.1), (ADMIN, "boss-secret"), (GUEST, "guest-secret")] {
            let client_id = format!("{name}-client");
            let filters: Vec<_> = ACTIONS.iter().map(|action| format!("dh/response/{action}@{client_id}")).collect();
            let filters: Vec<_> = filters.iter().map(String::as_str).collect();
            hive.cast.join(name, Login::new(&client_id, name, password), &filters).await?;
        }
        for name in [READER, NOBODY] {
            let client_id = format!("{name}-client");
            let answers = ["token", "authenticate"].map(|action| format!("dh/response/{action}@{client_id}"));
            let [token, authenticate] = &answers;
            hive.cast.join(name, Login::anonymous(&client_id), &[token, authenticate]).await?;
        }
        let token = signed(r#"{"alg":"HS256"}"#, &claims(&[3], 1, 600), SIGNING_KEY);
        ensure!(hive.ask(READER, "authenticate", json!({ "token": token })).await?["status"] == "success", "no reader");
        for action in ACTIONS.iter().filter(|action| !action.is_empty()) {
            let filter = format!("dh/response/{action}@reader-client");
            hive.cast.wire(READER)?.subscribe(filter.as_bytes()).await?;
        }
        for id in [1, 2] {
            let command = json!({ "deviceId": "lamp-devicehive", "command": { "command": "on", "lifetime": 600 } });
            let answer = hive.ask(APP, "command/insert", command).await?;
            ensure!(answer["command"]["id"] == id, "the command has another id: {answer}");
        }
        let update = json!({ "deviceId": "lamp-devicehive", "commandId": 2, "command": { "status": "success" } });
        ensure!(hive.ask(APP, "command/update", update).await?["status"] == "success", "no update");
        Ok(hive)
    }

    /// Asks and takes the answer out of the inbox.
    async fn ask(&mut self, by: &str, action: &str, mut request: Value) -> anyhow::Result<Value> {
        request["action"] = json!(action);
        request["requestId"] = json!("good");
        self.cast.publish(by, "dh/request", &request.to_string()).await?;
        let wire = self.cast.wire(by)?;
        let topic = format!("dh/response/{action}@{by}-client");
        let is_answer = |payload: &str| payload.contains(r#""requestId":"good""#);
        let what = format!("the answer to {action}");
        let answer = wire.message(&what, |message| message.topic == topic && is_answer(&message.payload)).await?;
        wire.inbox.pop();
        Ok(serde_json::from_str(&answer.payload)?)
    }
}

impl Scene for Hive {
    fn cast(&mut self) -> &mut Cast {
        &mut self.cast
    }

    fn names(&self) -> &[(&'static str, String)] {
        &[]
    }

    /// Executions and devices, and what the platform shows of commands, notifications and subscriptions.
    async fn standing(&mut self) -> anyhow::Result<String> {
        let mut standing = standing(&self.cast.world).await?;
        for action in ["command/list", "notification/list", "subscription/list"] {
            let answer = self.ask(APP, action, json!({ "deviceId": "lamp-devicehive" })).await?;
            ensure!(answer["status"] == "success", "{action}: {answer}");
            standing.push_str(&answer.to_string());
        }
        Ok(standing)
    }

    /// A question about the server; somebody who has not authenticated may only sign in.
    async fn good(&mut self, by: &str) -> anyhow::Result<()> {
        let login = json!({ "login": DEVICEHIVE_USER.0, "password": DEVICEHIVE_USER.1 });
        let answer = match by {
            NOBODY => self.ask(by, "token", login).await?,
            _ => self.ask(by, "server/info", json!({})).await?,
        };
        ensure!(answer["status"] == "success", "{answer}");
        Ok(())
    }
}

async fn register(world: &World) -> anyhow::Result<()> {
    let key = json!({ "kind": "key", "secret": STANDARD.encode(SIGNING_KEY) });
    world.admin.add_device(&json!({ "id": "signer", "dialect": "devicehive", "credential": key })).await?;
    for (login, rights) in [
        (ADMIN, json!({ "id": 1, "role": 0 })),
        (GUEST, json!({ "id": 4, "role": 1, "networks": ["2"], "deviceTypes": ["*"] })),
        ("locked", json!({ "id": 5, "role": 1, "status": 1 })),
    ] {
        world.admin.add_token("devicehive", login, &format!("{login}-secret"), &rights).await?;
    }
    Ok(())
}

/// Claims with these actions: of an access token (kind 1) or a refresh token (0), good until so many seconds from now.
fn claims(actions: &[u8], kind: u8, seconds: i64) -> Value {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let expires_ms = i64::try_from(now_ms).unwrap_or_default() + seconds * 1_000;
    json!({ "payload": { "u": 1, "a": actions, "n": ["*"], "dt": ["*"], "e": expires_ms, "t": kind } })
}

/// A token with this header, signed with HMAC-SHA-256 whatever the header says.
fn signed(header: &str, claims: &Value, key: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    // HMAC takes a key of any length; the error type exists for other constructions.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return text };
    let signature = mac.chain_update(&text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn request(what: &'static str, by: &'static str, payload: impl Into<Vec<u8>>) -> Row {
    Row::publish(what, by, "dh/request", payload)
}

/// A request of that action for the lamp, with these members.
fn about_lamp(what: &'static str, by: &'static str, action: &str, rest: &str) -> Row {
    let payload = format!(r#"{{"action":"{action}","requestId":7,"deviceId":"lamp-devicehive"{rest}}}"#);
    request(what, by, payload)
}

/// What is no request.
fn envelopes() -> Vec<Row> {
    let app = |what, payload: &str| request(what, APP, payload);
    let deep = format!(r#"{{"action":"device/list","x":{}1{}}}"#, r#"{"x":"#.repeat(5_000), "}".repeat(5_000));
    vec![
        request("bytes that are not UTF-8", APP, vec![b'{', 0xff, b'}']),
        app("nothing", ""),
        app("no JSON", "token"),
        app("JSON that is cut off", r#"{"action":"device/list""#),
        app("a list", "[]"),
        app("a text", r#""device/list""#),
        app("nested too deep", &deep),
        app("two requests at once", r#"{"action":"server/info"}{"action":"server/info"}"#),
        app("no action", r#"{"requestId":7}"#),
        app("an action that is a number", r#"{"action":7,"requestId":"a"}"#),
        app("an action that is null", r#"{"action":null,"requestId":"a"}"#),
        app("an action that does not exist", r#"{"action":"device/fly","requestId":{"n":[1]}}"#),
        app("an action with a wildcard", r#"{"action":"device/+","requestId":7}"#),
        app("an action with a control character", r#"{"action":"device/\u0001","requestId":7}"#),
        app("an action that looks like another client's answer", r#"{"action":"token@boss-client#","requestId":7}"#),
        app("no request id", r#"{"action":"device/get","deviceId":"none"}"#),
        app("a device id that is an object", r#"{"action":"device/get","requestId":7,"deviceId":{}}"#),
    ]
}

/// Logins and tokens that let nobody in.
fn tokens() -> Vec<Row> {
    let nobody = |what, payload: String| request(what, NOBODY, payload);
    let shown = |what, token: &str| {
        nobody(what, json!({ "action": "authenticate", "requestId": 7, "token": token }).to_string())
    };
    let login = |what, login: &str, password: &str| {
        let request = json!({ "action": "token", "requestId": 7, "login": login, "password": password });
        nobody(what, request.to_string())
    };
    let header = r#"{"alg":"HS256"}"#;
    let unsigned = format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
    vec![
        login("a wrong password", DEVICEHIVE_USER.0, "wrong"),
        login("a user that does not exist", "nobody", "secret"),
        login("a user who is locked", "locked", "locked-secret"),
        login("the account that signs tokens", "device/signer", &STANDARD.encode(SIGNING_KEY)),
        nobody("a login without a password", r#"{"action":"token","requestId":7,"login":"app"}"#.to_owned()),
        nobody("a login that is a list", r#"{"action":"token","requestId":7,"login":[],"password":"x"}"#.to_owned()),
        nobody("no token", r#"{"action":"authenticate","requestId":7}"#.to_owned()),
        shown("a token of nothing", ""),
        shown("a token that is none", "token"),
        shown("a token without a signature", &unsigned),
        shown("a token of another key", &signed(header, &claims(&[0], 1, 600), "another key")),
        shown("a token that has expired", &signed(header, &claims(&[0], 1, -1), SIGNING_KEY)),
        shown("a refresh token", &signed(header, &claims(&[0], 0, 600), SIGNING_KEY)),
        shown("a token of other claims", &signed(header, &json!({ "payload": { "u": "one" } }), SIGNING_KEY)),
        request("no refresh token", APP, r#"{"action":"token/refresh","requestId":7}"#),
        request("a refresh token that is none", APP, r#"{"action":"token/refresh","requestId":7,"refreshToken":"x"}"#),
        request("a token for nobody", APP, r#"{"action":"token/create","requestId":7,"payload":{}}"#),
        request(
            "a token for somebody else",
            APP,
            r#"{"action":"token/create","requestId":7,"payload":{"userId":1,"actions":["*"]}}"#,
        ),
    ]
}

/// Who may not. The right is looked at before the arguments.
fn rights() -> Vec<Row> {
    let insert = r#","command":{"command":"on"}"#;
    let update = r#","commandId":1,"command":{"status":"success"}"#;
    vec![
        about_lamp("a command by somebody who has not authenticated", NOBODY, "command/insert", insert),
        about_lamp("an update by somebody who has not authenticated", NOBODY, "command/update", update),
        about_lamp("a command without the right", READER, "command/insert", insert),
        about_lamp("an update without the right", READER, "command/update", update),
        about_lamp("a look at a command without the right", READER, "command/get", r#","commandId":1"#),
        about_lamp("a notification without the right, and without a body", READER, "notification/insert", ""),
        about_lamp("a device saved without the right", READER, "device/save", r#","device":{"name":"x"}"#),
        request("users, for a client", APP, r#"{"action":"user/list","requestId":7}"#),
        request("the configuration, for a client", APP, r#"{"action":"configuration/get","requestId":7,"name":"x"}"#),
        about_lamp("a command for a device of another network", GUEST, "command/insert", insert),
        about_lamp("an update for a device of another network", GUEST, "command/update", update),
        about_lamp("a device of another network, deleted", GUEST, "device/delete", ""),
        request(
            "a device that is not there, for a guest",
            GUEST,
            r#"{"action":"device/get","requestId":7,"deviceId":"none"}"#,
        ),
        request("a network that is another's", GUEST, r#"{"action":"network/get","requestId":7,"networkId":1}"#),
    ]
}

/// Commands and their updates.
fn commands() -> Vec<Row> {
    let insert = |what, command: &str| about_lamp(what, APP, "command/insert", &format!(r#","command":{command}"#));
    let update = |what, rest: &str| about_lamp(what, APP, "command/update", rest);
    let large = format!(r#"{{"command":"on","parameters":"{}"}}"#, "x".repeat(258_048));
    vec![
        request(
            "a command for no device",
            APP,
            r#"{"action":"command/insert","requestId":7,"command":{"command":"on"}}"#,
        ),
        request(
            "a command for a device that is not there",
            APP,
            r#"{"action":"command/insert","requestId":7,"deviceId":"none","command":{"command":"on"}}"#,
        ),
        about_lamp("no command", APP, "command/insert", ""),
        insert("a command without a name", "{}"),
        insert("a command whose name is empty", r#"{"command":""}"#),
        insert("a command whose name is a list", r#"{"command":["on"]}"#),
        insert("a command whose name has a wildcard", r#"{"command":"on/#"}"#),
        insert("a command whose name has NUL", r#"{"command":"on\u0000"}"#),
        insert("a command whose name has 129 characters", &format!(r#"{{"command":"{}"}}"#, "x".repeat(129))),
        insert("a command that is a text", r#""on""#),
        insert("a lifetime in words", r#"{"command":"on","lifetime":"long"}"#),
        insert("a time stamp that is none", r#"{"command":"on","timestamp":"yesterday"}"#),
        insert("a time stamp of the 32nd", r#"{"command":"on","timestamp":"2026-01-32T00:00:00"}"#),
        insert("a status that is an object", r#"{"command":"on","status":{}}"#),
        insert("a command that is too large for an event", &large),
        update("an update of no command", r#","command":{"status":"success"}"#),
        update("an update of a command that is a text", r#","commandId":"first","command":{"status":"success"}"#),
        update("an update of a command that never was", r#","commandId":99,"command":{"status":"success"}"#),
        update("an update of a command with a negative id", r#","commandId":-1,"command":{"status":"success"}"#),
        update("an update without a body", r#","commandId":1"#),
        update("an update that is a list", r#","commandId":1,"command":[]"#),
        update("a status that is a list", r#","commandId":1,"command":{"status":["success"]}"#),
        request(
            "an update under another device's name",
            APP,
            r#"{"action":"command/update","requestId":7,"deviceId":"lamp-fleets","commandId":1,"command":{"status":"success"}}"#,
        ),
    ]
}

/// Lists, looks and subscriptions.
fn lists() -> Vec<Row> {
    let command = |what, rest: &str| about_lamp(what, APP, "command/list", rest);
    let subscribe = |what, rest: &str| about_lamp(what, APP, "command/subscribe", rest);
    vec![
        command("a negative number of commands", r#","take":-1"#),
        command("a number of commands in words", r#","take":"all""#),
        command("commands behind a negative place", r#","skip":-1"#),
        command("commands in the order of colours", r#","sortField":"colour""#),
        command("commands sideways", r#","sortField":"timestamp","sortOrder":"SIDEWAYS""#),
        command("commands since a time that is none", r#","start":"then""#),
        about_lamp("a command that is not there", APP, "command/get", r#","commandId":99"#),
        about_lamp("a notification by a name", APP, "notification/get", r#","notificationId":"first""#),
        about_lamp("a notification without a name", APP, "notification/insert", r#","notification":{}"#),
        about_lamp(
            "a notification at a time that is none",
            APP,
            "notification/insert",
            r#","notification":{"notification":"n","timestamp":"then"}"#,
        ),
        subscribe("a negative limit", r#","limit":-1"#),
        subscribe("a limit in words", r#","limit":"few""#),
        subscribe("a subscription since a time that is none", r#","timestamp":"2026-13-01T00:00:00""#),
        subscribe("a subscription to names that are a text", r#","names":"on""#),
        request(
            "a subscription to a network that does not exist",
            ADMIN,
            r#"{"action":"notification/subscribe","requestId":7,"networkIds":[999999]}"#,
        ),
        request(
            "a subscription to networks in words",
            APP,
            r#"{"action":"command/subscribe","requestId":7,"networkIds":"all"}"#,
        ),
        request(
            "an end of a subscription that never was",
            APP,
            r#"{"action":"command/unsubscribe","requestId":7,"subscriptionId":99}"#,
        ),
        request("subscriptions of another kind", APP, r#"{"action":"subscription/list","requestId":7,"type":"all"}"#),
    ]
}

/// Devices that cannot be saved or deleted.
fn devices() -> Vec<Row> {
    let save = |what, rest: &str| {
        request(what, ADMIN, format!(r#"{{"action":"device/save","requestId":7,"deviceId":"new"{rest}}}"#))
    };
    let named = |what, id: &str| {
        let request_ = json!({ "action": "device/save", "requestId": 7, "deviceId": id, "device": { "name": "x" } });
        request(what, ADMIN, request_.to_string())
    };
    vec![
        named("a device id with an underscore", "a_b"),
        named("a device id with a slash", "../signer"),
        named("a device id with NUL", "a\0b"),
        named("a device id in other letters", "дом"),
        named("a device id of 129 letters", &"x".repeat(129)),
        named("a device id of nothing", ""),
        save("a device without a body", ""),
        save("a device without a name", r#","device":{}"#),
        save("a device in a network that does not exist", r#","device":{"name":"x","networkId":99}"#),
        save("a device in a network in words", r#","device":{"name":"x","networkId":"home"}"#),
        save("a device that is blocked in words", r#","device":{"name":"x","isBlocked":"no"}"#),
        request(
            "a device of another platform, deleted",
            ADMIN,
            r#"{"action":"device/delete","requestId":7,"deviceId":"lamp-fleets"}"#,
        ),
        request(
            "a device that is not there, deleted",
            ADMIN,
            r#"{"action":"device/delete","requestId":7,"deviceId":"none"}"#,
        ),
        request("a type that does not exist", ADMIN, r#"{"action":"devicetype/get","requestId":7,"deviceTypeId":99}"#),
    ]
}
