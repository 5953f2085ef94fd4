//! Logins with what belongs to others, and client ids of others.

use crate::gang::Who;
use crate::raw::Login;
use crate::town::{METER, SIGNER, SIGNING_KEY, logins};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dragoman_e2e::devices::{self, THERMOSTAT};
use dragoman_e2e::tokens::FLEETS_KEY;

/// A CONNECT and its refusal.
pub(crate) struct LoginRow {
    pub(crate) what: &'static str,
    pub(crate) login: Login,
    pub(crate) answer: Answer,
    /// Under which `dragoman_mqtt_connects_refused_total` counts it.
    pub(crate) cause: &'static str,
}

/// The code of the CONNACK, as it is called in both versions of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    BadUserNamePassword,
    NotAuthorized,
}

/// Every login with another's credentials.
pub(crate) fn rows() -> Vec<LoginRow> {
    use Answer::{BadUserNamePassword, NotAuthorized};
    let row = |what, login, answer, cause| LoginRow { what, login, answer, cause };
    let with = |login: Login, username: &str, password: &str| Login {
        username: Some(username.to_owned()),
        password: password.to_owned(),
        ..login
    };
    let mallory_meter = logins::huawei("mallory_meter");
    let meter = logins::huawei(METER);
    vec![
        row(
            "a thing's client id with the secret of another thing",
            Login::new(THERMOSTAT, "thing", &devices::secret("mallory-thing")),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a device's id with the HMAC of another device's secret",
            with(meter.clone(), METER, &mallory_meter.password),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a device's client id under another device's name",
            with(meter.clone(), "mallory_meter", &mallory_meter.password),
            NotAuthorized,
            "bad-client-id",
        ),
        row(
            "a device's name under another device's client id",
            with(mallory_meter.clone(), METER, &mallory_meter.password),
            NotAuthorized,
            "bad-client-id",
        ),
        row(
            "a device of IoTDA with the client id of a thing of Fleets",
            Login::new(THERMOSTAT, METER, &devices::secret(THERMOSTAT)),
            NotAuthorized,
            "bad-client-id",
        ),
        row(
            "a valve's client id with the key of another valve",
            with(logins::connio("valve-1", "valve"), "_key_mallory", &devices::secret("valve-2")),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a valve's client id with an application's key",
            with(logins::connio("valve-1", "valve"), "_key_alice", &devices::secret("_key_alice")),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a valve's client id with the name of its own account",
            with(logins::connio("valve-1", "valve"), "device/valve-1", &devices::secret("valve-1")),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a network server with the password of another",
            with(logins::network("ns-1"), "ns-1", &devices::secret("ns-2")),
            BadUserNamePassword,
            "bad-credentials",
        ),
        row(
            "a lamp that a network server speaks for, as itself",
            Login::new("lora-1", "lora-1", &devices::secret("ns-1")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "an application's id with the key of another application",
            Login::new("app-thief", "victim-app", &devices::secret("attacker-app")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "an application's id with a tenant that the key is not of",
            Login::new("app-thief", "attacker-app@victim-app", &devices::secret("attacker-app")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "a user's login with another user's password",
            Login::new("hive-thief", "alice", &devices::secret("mallory")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "the account that signs tokens, with its secret",
            Login::new("hive-thief", SIGNER, &STANDARD.encode(SIGNING_KEY)),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "the account of a device as a user",
            Login::new("hive-thief", "device/ns-2", &devices::secret("ns-2")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "a key of an HTTP API as a user",
            Login::new("hive-thief", FLEETS_KEY.0, FLEETS_KEY.1),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "a key of an HTTP API as that of an application",
            Login::new("app-thief", "victim-app", FLEETS_KEY.1),
            NotAuthorized,
            "not-authorized",
        ),
        row("a client id that is a wildcard", Login::anonymous("#"), NotAuthorized, "not-authorized"),
        row("a client id that is a wildcard level", Login::anonymous("+"), NotAuthorized, "not-authorized"),
        row("a client id with a wildcard in it", Login::anonymous("a/+/#"), NotAuthorized, "not-authorized"),
        row(
            "a user under a client id that is a wildcard",
            Login::new("#", "mallory", &devices::secret("mallory")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "a thing that the operator named by a wildcard",
            Login::new("+", "thing", &devices::secret("wild-thing")),
            NotAuthorized,
            "not-authorized",
        ),
        row(
            "a valve that the operator named by a wildcard",
            Login::new("valve/#", "_key_wild", &devices::secret("wild-valve")),
            NotAuthorized,
            "bad-client-id",
        ),
    ]
}

/// A client id that somebody else has, with a login that is right by itself.
pub(crate) fn takeovers() -> Vec<LoginRow> {
    use Answer::{BadUserNamePassword, NotAuthorized};
    let by = |who: Who, what, victim: Login, answer, cause| LoginRow {
        what,
        login: who.login().calling_itself(&victim.client_id),
        answer,
        cause,
    };
    let taken = |who: Who, what, victim: Login| by(who, what, victim, NotAuthorized, "client-id-taken");
    let known = |who: Who, what, victim: Login| by(who, what, victim, BadUserNamePassword, "bad-credentials");
    vec![
        known(Who::Nobody, "the thermostat's, by nobody", logins::thermostat()),
        known(Who::Mallory, "the thermostat's, by a user", logins::thermostat()),
        known(Who::App, "the thermostat's, by an application", logins::thermostat()),
        known(Who::Nobody, "the valve's, by nobody", logins::connio("valve-1", "valve")),
        known(Who::Network, "the valve's, by a network server", logins::connio("valve-1", "valve")),
        taken(Who::Nobody, "the meter's, by nobody", logins::huawei(METER)),
        taken(Who::Mallory, "the meter's, by a user", logins::huawei(METER)),
        taken(Who::App, "the meter's, by an application", logins::huawei(METER)),
        taken(Who::Network, "the meter's, by a network server", logins::huawei(METER)),
        taken(Who::Nobody, "the network server's, by nobody", logins::network("ns-1")),
        taken(Who::Network, "the network server's, by another", logins::network("ns-1")),
        taken(Who::Nobody, "a user's, by nobody", logins::account("alice")),
        taken(Who::Mallory, "a user's, by another", logins::account("alice")),
        taken(Who::App, "a user's, by an application", logins::account("alice")),
        taken(Who::App, "an application's, by another", logins::account("victim-app")),
        taken(Who::Mallory, "an application's, by a user", logins::account("victim-app")),
        taken(Who::Nobody, "that of a user who is away, by nobody", away()),
        taken(Who::Mallory, "that of a user who is away, by another", away()),
        taken(Who::App, "that of a user who is away, by an application", away()),
    ]
}

/// Alice's second client, whose session the broker keeps.
pub(crate) fn away() -> Login {
    logins::account("alice").calling_itself("alice-away").kept()
}
