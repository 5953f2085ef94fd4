//! Logins and messages that must be refused or must change nothing.

use dragoman_e2e::devices::{self, METER, SUB_DEVICE, THERMOSTAT};
use dragoman_simulators::huawei::{password, utc_hour};
use std::time::SystemTime;

/// A CONNECT and its refusal.
pub(crate) struct LoginRow {
    pub(crate) what: &'static str,
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) keep_alive_s: u64,
    /// The code of the CONNACK.
    pub(crate) answer: &'static str,
    /// Under which the refusal is counted.
    pub(crate) cause: &'static str,
}

impl LoginRow {
    /// The right login of the thermostat.
    pub(crate) fn thermostat() -> Self {
        Self::thing("", THERMOSTAT, &devices::secret(THERMOSTAT), "", "")
    }

    fn thing(what: &'static str, client_id: &str, password: &str, answer: &'static str, cause: &'static str) -> Self {
        Self {
            what,
            client_id: client_id.to_owned(),
            username: "thing".to_owned(),
            password: password.to_owned(),
            keep_alive_s: 60,
            answer,
            cause,
        }
    }

    /// With a user name and a client id for it; `{hour}` stands for the hour it is.
    fn device(
        what: &'static str,
        (client_id, username, key): (&str, &str, &str),
        keep_alive_s: u64,
        answer: &'static str,
        cause: &'static str,
    ) -> Self {
        let hour = utc_hour(SystemTime::now());
        let client_id = client_id.replace("{hour}", &hour);
        let stamp = client_id.rsplit('_').next().unwrap_or_default().to_owned();
        Self {
            what,
            client_id,
            username: username.to_owned(),
            password: password(key, &stamp),
            keep_alive_s,
            answer,
            cause,
        }
    }
}

/// Every login.
pub(crate) fn logins() -> Vec<LoginRow> {
    let key = devices::secret(METER);
    let meter = |client_id| (client_id, METER, key.as_str());
    vec![
        LoginRow::thing("a thing with a wrong password", THERMOSTAT, "wrong", "BadUserNamePassword", "bad-credentials"),
        LoginRow::thing("a thing without a password", THERMOSTAT, "", "BadUserNamePassword", "bad-credentials"),
        LoginRow::thing("a client that no dialect knows", "nobody", "secret", "NotAuthorized", "not-authorized"),
        LoginRow::device(
            "a device with a wrong secret",
            ("water_meter_001_0_0_{hour}", METER, "wrong"),
            120,
            "BadUserNamePassword",
            "bad-credentials",
        ),
        LoginRow::device(
            "a client id without a time stamp",
            meter("water_meter_001"),
            120,
            "NotAuthorized",
            "bad-client-id",
        ),
        LoginRow::device(
            "a client id of another device",
            meter("other_0_0_{hour}"),
            120,
            "NotAuthorized",
            "bad-client-id",
        ),
        LoginRow::device(
            "a time stamp of long ago",
            meter("water_meter_001_0_1_2020010100"),
            120,
            "BadUserNamePassword",
            "bad-credentials",
        ),
        LoginRow::device(
            "a keep-alive out of range",
            meter("water_meter_001_0_0_{hour}"),
            5,
            "NotAuthorized",
            "bad-client-id",
        ),
        LoginRow::device(
            "a sub-device, for which its gateway speaks",
            (&format!("{SUB_DEVICE}_0_0_{{hour}}"), SUB_DEVICE, "secret"),
            120,
            "NotAuthorized",
            "not-authorized",
        ),
    ]
}

/// Name and labels of a counter.
type Counted = (&'static str, &'static [(&'static str, &'static str)]);

/// A message of a connected device.
pub(crate) struct MessageRow {
    pub(crate) what: &'static str,
    /// Which device sends it.
    pub(crate) by: &'static str,
    /// `{open}` and `{ended}` stand for executions of the thermostat, `{request}` for the meter's open request.
    pub(crate) topic: &'static str,
    pub(crate) payload: fn() -> Vec<u8>,
    /// The counter that moves.
    pub(crate) counted: Counted,
}

const REFUSED: Counted = ("dragoman_mqtt_publishes_refused_total", &[("cause", "policy")]);
const FLEETS_READ: Counted = (
    "dragoman_plugin_calls_total",
    &[("plugin", "emqx-fleets"), ("export", "southbound.handle-message"), ("result", "ok")],
);
const HUAWEI_READ: Counted = (
    "dragoman_plugin_calls_total",
    &[("plugin", "huawei-iotda"), ("export", "southbound.handle-message"), ("result", "ok")],
);

const SUCCEEDED: fn() -> Vec<u8> = || Vec::from(r#"{"status":"SUCCEEDED"}"#);
const RESPONSE: &str = "$emqx/commands/things/thermostat-001/executions/{open}/response";
const METER_RESPONSE: &str = "$oc/devices/water_meter_001/sys/commands/response/request_id={request}";

/// Every message.
pub(crate) fn messages() -> Vec<MessageRow> {
    let thing = |what, topic, payload, counted| MessageRow { what, by: THERMOSTAT, topic, payload, counted };
    let meter = |what, topic, payload, counted| MessageRow { what, by: METER, topic, payload, counted };
    let mut rows = vec![
        thing("an answer that is not UTF-8", RESPONSE, || vec![0xff, 0xfe], FLEETS_READ),
        thing("an answer that is not JSON", RESPONSE, || Vec::from("done"), FLEETS_READ),
        thing("an answer without a status", RESPONSE, || Vec::from("{}"), FLEETS_READ),
        thing("an answer with a status of jobs", RESPONSE, || Vec::from(r#"{"status":"IN_PROGRESS"}"#), FLEETS_READ),
        thing("an answer nested too deep", RESPONSE, || "[".repeat(5_000).into_bytes(), FLEETS_READ),
        thing(
            "an answer to what never was",
            "$emqx/commands/things/thermostat-001/executions/never/response",
            SUCCEEDED,
            FLEETS_READ,
        ),
        thing(
            "an answer for another thing",
            "$emqx/commands/things/fleets-box/executions/{open}/response",
            SUCCEEDED,
            REFUSED,
        ),
        thing("a topic of another platform", METER_RESPONSE, SUCCEEDED, REFUSED),
        thing("a topic of nobody", "some/topic", SUCCEEDED, REFUSED),
        thing("a request to itself", "$emqx/commands/things/thermostat-001/executions/x/request", SUCCEEDED, REFUSED),
    ];
    rows.extend([
        meter("a response that is not UTF-8", METER_RESPONSE, || vec![0xff, 0xfe], HUAWEI_READ),
        meter("a response that is not JSON", METER_RESPONSE, || Vec::from("done"), HUAWEI_READ),
        meter("a response that is a list", METER_RESPONSE, || Vec::from("[0]"), HUAWEI_READ),
        meter("a result code in words", METER_RESPONSE, || Vec::from(r#"{"result_code":"0"}"#), HUAWEI_READ),
        meter(
            "a response to what was never asked",
            "$oc/devices/water_meter_001/sys/commands/response/request_id=never",
            || Vec::from(r#"{"result_code":0}"#),
            HUAWEI_READ,
        ),
        meter(
            "a response of the gateway",
            "$oc/devices/gateway_001/sys/commands/response/request_id={request}",
            SUCCEEDED,
            REFUSED,
        ),
        meter("a thing's answer", RESPONSE, SUCCEEDED, REFUSED),
    ]);
    rows
}
