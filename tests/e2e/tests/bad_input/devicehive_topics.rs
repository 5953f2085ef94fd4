//! What a client of DeviceHive should not publish or subscribe to besides `dh/request`, and logins that are refused.

use crate::devicehive::{ADMIN, APP, GUEST, NOBODY, READER};
use crate::mqtt_table::Row;
use crate::wire::Login;
use dragoman_e2e::tokens::DEVICEHIVE_USER;

/// A command of the lamp, native.
const COMMAND: &str = "dh/command/1/1/lamp-devicehive/on";
/// An update of the lamp's commands, native.
const UPDATE: &str = "dh/command_update/1/1/lamp-devicehive/on";
/// A notification of the lamp, native.
const NOTIFICATION: &str = "dh/notification/1/1/lamp-devicehive/warm";

/// Every row.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = natives();
    rows.extend(topics());
    rows.extend(filters());
    rows.extend(logins());
    rows
}

/// Messages on event topics, which are the action's requests.
fn natives() -> Vec<Row> {
    let app = |what, topic: &str, payload: &str| Row::publish(what, APP, topic, payload);
    vec![
        Row::publish("a native command that is not UTF-8", APP, COMMAND, vec![0xff]),
        app("a native command of nothing", COMMAND, ""),
        app("a native command that is no JSON", COMMAND, "on"),
        app("a native command that is a list", COMMAND, "[]"),
        app("a native command for no device", "dh/command/1/1", "{}"),
        app("a native command without a name", "dh/command/1/1/lamp-devicehive", "{}"),
        app("a native command for a device that is not there", "dh/command/1/1/none/on", "{}"),
        app("a native command in another network", "dh/command/2/1/lamp-devicehive/on", "{}"),
        app("a native command of another type", "dh/command/1/2/lamp-devicehive/on", "{}"),
        app("a native command with empty levels", "dh/command///lamp-devicehive/on", "{}"),
        app("a native command at a time that is none", COMMAND, r#"{"timestamp":"soon"}"#),
        app("a native command with a lifetime that is a list", COMMAND, r#"{"lifetime":[1]}"#),
        app("a native update of no command", UPDATE, r#"{"status":"success"}"#),
        app("a native update of a command that never was", UPDATE, r#"{"id":99,"status":"success"}"#),
        app("a native update of a command in words", UPDATE, r#"{"id":"first","status":"success"}"#),
        app("a native update whose status is a list", UPDATE, r#"{"id":1,"status":[]}"#),
        app("a native notification at a time that is none", NOTIFICATION, r#"{"timestamp":"soon"}"#),
        Row::publish("a native command without the right", READER, COMMAND, "{}"),
        Row::publish("a native update without the right", READER, UPDATE, r#"{"id":1,"status":"success"}"#),
        Row::publish("a native command for a device of others", GUEST, COMMAND, "{}"),
        Row::publish("a native update for a device of others", GUEST, UPDATE, r#"{"id":1,"status":"success"}"#),
        Row::publish("a native command by somebody who has not authenticated", NOBODY, COMMAND, "{}"),
    ]
}

/// Topics on which nobody may publish.
fn topics() -> Vec<Row> {
    let app = |what, topic: &str| Row::publish(what, APP, topic, r#"{"status":"success"}"#);
    vec![
        app("an answer to itself", "dh/response/command/get@app-client"),
        app("an answer to another client", "dh/response/command/get@boss-client"),
        app("a kind of event that does not exist", "dh/commands/1/1/lamp-devicehive/on"),
        app("a level below the requests", "dh/request/now"),
        app("the platform's own prefix", "dh"),
        app("a topic outside the platform", "home/light"),
        app("a thing's topic of another platform", "$emqx/commands/things/lamp-fleets/executions/x/response"),
    ]
}

/// Filters that are refused.
fn filters() -> Vec<Row> {
    let filter = |what, by, filter: &str| Row::subscribe(what, by, filter);
    vec![
        filter("the requests of others", APP, "dh/request"),
        filter("what is below the requests", APP, "dh/request/#"),
        filter("another client's answers", APP, "dh/response/token@boss-client"),
        filter("everybody's answers", APP, "dh/response/#"),
        filter("answers to any action", APP, "dh/response/+@app-client"),
        filter("an answer without a client", APP, "dh/response/token"),
        filter("events for another client", APP, "dh/command/1/1/lamp-devicehive/on@boss-client"),
        filter("events of a network that does not exist", APP, "dh/command/99/#"),
        filter("events of a network by a name that nobody has", APP, "dh/command/nowhere/#"),
        filter("events of a type that does not exist", APP, "dh/notification/1/99/#"),
        filter("events of a device that does not exist", APP, "dh/command/1/1/none/#"),
        filter("events with too many levels", APP, "dh/command/1/1/lamp-devicehive/on/now/and/then"),
        filter("events of a kind that does not exist", ADMIN, "dh/commands/#"),
        filter("what is outside the platform", ADMIN, "home/#"),
        filter("the broker's own topics", ADMIN, "$SYS/#"),
        filter("events as one of a group", APP, "$share/group/dh/command/#"),
        filter("events of another network", GUEST, "dh/command/1/#"),
        filter("events of a device of another network", GUEST, "dh/command/+/+/lamp-devicehive/#"),
        filter("commands without the right", READER, "dh/command/#"),
        filter("notifications without the right", READER, "dh/notification/#"),
        filter("commands without a login", NOBODY, "dh/command/#"),
        filter("answers that are not for who has not authenticated", NOBODY, "dh/response/command/get@nobody-client"),
        filter("another client's token", NOBODY, "dh/response/token@app-client"),
    ]
}

fn logins() -> Vec<Row> {
    let login = |what, client_id: &str, username: &str, password: &str| {
        Row::connect(what, APP, Login::new(client_id, username, password))
    };
    let (user, password) = DEVICEHIVE_USER;
    vec![
        login("a login with a wrong password", "thief-client", user, "wrong"),
        login("a login with an empty password", "thief-client", user, ""),
        login("a login of nobody", "thief-client", "nobody-at-all", "secret"),
        login("a login of a user who is locked", "thief-client", "locked", "locked-secret"),
        login("a client id with a wildcard", "thief/+", user, password),
        Row::connect("nobody under a client id with a wildcard", APP, Login::anonymous("thief/#")),
    ]
}
