//! Messages that would answer for another device, or look as if another had sent them.

use crate::gang::Who;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The broker refuses it: `dragoman_mqtt_publishes_refused_total` with the cause `policy`.
    Refused,
    /// The sender's dialect reads it and drops it: `dragoman_plugin_calls_total` of that plugin and export.
    Dropped(&'static str, &'static str),
    /// The same, and it tells the sender this code on that response topic.
    Answered(u16, &'static str),
}

/// Topic and payload of what every attacker sends, retained. `{fleets}`, `{huawei}`, `{item}` and `{hive}` stand for the
/// ids under which the victims' commands are open.
pub(crate) const TARGETS: &[(&str, &str)] = &[
    (
        "$emqx/commands/things/thermostat-001/executions/{fleets}/response",
        r#"{"status":"SUCCEEDED","result":{"by":"mallory"}}"#,
    ),
    ("$emqx/commands/things/thermostat-001/executions/x/request", r#"{"commandId":"x","action":"explode"}"#),
    ("$oc/devices/meter_1/sys/commands/response/request_id={huawei}", r#"{"result_code":0,"paras":{"by":"mallory"}}"#),
    ("$oc/devices/meter_1/sys/commands/request_id=x", r#"{"command_name":"EXPLODE","paras":{}}"#),
    ("$oc/devices/meter_1/sys/properties/report", r#"{"services":[]}"#),
    ("connio/data/out/devices/_dev_valve/json", r#"{"dps":[{"prop":"result","v":"failed"}]}"#),
    ("csipio/data/out/devices/_DEV_VALVE/properties/result", "failed"),
    ("connio/data/in/devices/_dev_valve/properties/level", "99"),
    (EVENT_ACK, r#"{"queueItemId":"{item}","acknowledged":false}"#),
    (EVENT_LOG, r#"{"level":"ERROR","code":"EXPIRED","context":{"queue_item_id":"{item}"}}"#),
    (EVENT_UP, r#"{"fCnt":8,"fPort":10,"data":"bWFsbG9yeQ=="}"#),
    ("application/a-1/device/4200000000000001/command/down", r#"{"devEui":"4200000000000001","data":"AA=="}"#),
    ("v3/victim-app/devices/lora-1/up", r#"{"uplink_message":{"f_port":1}}"#),
    ("v3/victim-app/devices/lora-1/down/replace", r#"{"downlinks":[]}"#),
    (UPDATE, r#"{"commandId":{hive},"status":"failed"}"#),
    (INSERT, r#"{"parameters":{"by":"mallory"}}"#),
    (NOTIFICATION, "{}"),
    ("dh/response/command/insert@alice-client", r#"{"status":"error"}"#),
    ("dh/response/command/insert", "{}"),
    ("$SYS/brokers", "{}"),
    ("private/of/nobody", "{}"),
];

const EVENT_ACK: &str = "application/a-1/device/4200000000000001/event/ack";
const EVENT_LOG: &str = "application/a-1/device/4200000000000001/event/log";
const EVENT_UP: &str = "application/a-1/device/4200000000000001/event/up";
const UPDATE: &str = "dh/command_update/1/1/hive-1/on";
const INSERT: &str = "dh/command/1/1/hive-1/off";
const NOTIFICATION: &str = "dh/notification/1/1/hive-1/alarm";

/// What becomes of a target's message from an attacker.
pub(crate) fn fate(who: Who, topic: &str) -> Fate {
    match (who, topic) {
        // A network server may speak on every event topic, and is heard for its own devices only.
        (Who::Network, EVENT_ACK | EVENT_LOG | EVENT_UP) => Fate::Dropped("chirpstack", SOUTHBOUND),
        // A user of DeviceHive may publish everywhere, and is told where that is not theirs.
        (Who::Mallory, UPDATE) => Fate::Answered(403, "dh/response/command/update@"),
        (Who::Mallory, INSERT) => Fate::Answered(403, "dh/response/command/insert@"),
        (Who::Mallory, NOTIFICATION) => Fate::Answered(403, "dh/response/notification/insert@"),
        _ => Fate::Refused,
    }
}

const SOUTHBOUND: &str = "southbound.handle-message";
const TOPICS: &str = "topics.handle-message";

/// Somebody's message on a topic that is its own, about what is not.
pub(crate) struct OwnDoor {
    pub(crate) what: &'static str,
    pub(crate) who: Who,
    pub(crate) topic: &'static str,
    pub(crate) payload: &'static str,
    pub(crate) fate: Fate,
    /// Events of the sender itself as which it is told.
    pub(crate) told: u64,
}

/// Every such message.
pub(crate) fn own_doors() -> Vec<OwnDoor> {
    let door = |what, who, topic, payload, fate, told| OwnDoor { what, who, topic, payload, fate, told };
    let hive =
        |what, payload, code, topic| door(what, Who::Mallory, "dh/request", payload, Fate::Answered(code, topic), 0);
    let iotda = Fate::Dropped("huawei-iotda", SOUTHBOUND);
    let network = Fate::Dropped("chirpstack", SOUTHBOUND);
    vec![
        door(
            "another thing's execution, answered as oneself",
            Who::Thing,
            "$emqx/commands/things/mallory-thing/executions/{fleets}/response",
            r#"{"status":"SUCCEEDED","result":{"by":"mallory"}}"#,
            Fate::Dropped("emqx-fleets", SOUTHBOUND),
            0,
        ),
        door(
            "another device's request id, answered as oneself",
            Who::Meter,
            "$oc/devices/mallory_meter/sys/commands/response/request_id={huawei}",
            r#"{"result_code":0,"paras":{"by":"mallory"}}"#,
            iotda,
            0,
        ),
        door(
            "a message that names another device as its sender",
            Who::Meter,
            "$oc/devices/mallory_meter/sys/messages/up",
            r#"{"object_device_id":"meter_1","content":"mallory"}"#,
            iotda,
            1,
        ),
        door(
            "a gateway's report about a device that does not hang below it",
            Who::Meter,
            "$oc/devices/mallory_meter/sys/gateway/sub_devices/properties/report",
            r#"{"devices":[{"device_id":"meter_1","services":[{"service_id":"S","properties":{"v":1}}]}]}"#,
            iotda,
            0,
        ),
        door(
            "another network's item, acknowledged for one's own lamp",
            Who::Network,
            "application/a-1/device/4200000000000002/event/ack",
            r#"{"queueItemId":"{item}","acknowledged":true}"#,
            network,
            0,
        ),
        door(
            "another network's item, discarded by one's own",
            Who::Network,
            "application/a-1/device/4200000000000002/event/log",
            r#"{"level":"ERROR","code":"EXPIRED","context":{"queue_item_id":"{item}"}}"#,
            network,
            0,
        ),
        door(
            "a feed that names another device's property",
            Who::Valve,
            "connio/data/out/devices/_dev_mallory/json",
            r#"{"dps":[{"prop":"_dev_valve$result","v":"failed"}]}"#,
            Fate::Dropped("connio", SOUTHBOUND),
            0,
        ),
        door(
            "a downlink for a device that another application knows by that name",
            Who::App,
            "v3/attacker-app/devices/lora-1/down/push",
            crate::town::DOWNLINK,
            Fate::Dropped("the-things-stack", TOPICS),
            0,
        ),
        door(
            "a command by somebody who has not authenticated",
            Who::Nobody,
            "dh/request",
            r#"{"action":"command/insert","deviceId":"hive-1","command":{"command":"off"}}"#,
            Fate::Dropped("devicehive", TOPICS),
            0,
        ),
        hive(
            "a command for a device of another network",
            r#"{"action":"command/insert","deviceId":"hive-1","command":{"command":"off"}}"#,
            403,
            "dh/response/command/insert@",
        ),
        hive(
            "an update of a command of another network",
            r#"{"action":"command/update","deviceId":"hive-1","commandId":{hive},"command":{"status":"failed"}}"#,
            403,
            "dh/response/command/update@",
        ),
        hive(
            "the same under the name of one's own device",
            r#"{"action":"command/update","deviceId":"hive-2","commandId":{hive},"command":{"status":"failed"}}"#,
            404,
            "dh/response/command/update@",
        ),
        hive(
            "a look at a command of another network",
            r#"{"action":"command/get","deviceId":"hive-1","commandId":{hive}}"#,
            403,
            "dh/response/command/get@",
        ),
        hive(
            "a token for every network",
            r#"{"action":"token/create","payload":{"userId":13,"networkIds":["*"],"deviceTypeIds":["*"]}}"#,
            403,
            "dh/response/token/create@",
        ),
        hive(
            "a token for another user",
            r#"{"action":"token/create","payload":{"userId":11,"networkIds":["2"]}}"#,
            403,
            "dh/response/token/create@",
        ),
        hive(
            "another network's device, moved to one's own",
            r#"{"action":"device/save","deviceId":"hive-1","device":{"name":"mine","networkId":2}}"#,
            403,
            "dh/response/device/save@",
        ),
        hive(
            "another network's device, deleted",
            r#"{"action":"device/delete","deviceId":"hive-1"}"#,
            403,
            "dh/response/device/delete@",
        ),
        hive(
            "a device whose id is a wildcard",
            r##"{"action":"device/save","deviceId":"#","device":{"name":"all","networkId":2}}"##,
            400,
            "dh/response/device/save@",
        ),
        hive(
            "a device whose id has a wildcard level",
            r#"{"action":"device/save","deviceId":"+/hive-1","device":{"name":"all","networkId":2}}"#,
            400,
            "dh/response/device/save@",
        ),
    ]
}
