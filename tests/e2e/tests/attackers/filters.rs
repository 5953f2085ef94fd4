//! Filters that would show what is others', and who is granted them all the same.

use crate::gang::Who;

/// Filters that every attacker asks for.
pub(crate) const FILTERS: &[&str] = &[
    "#",
    "+/+",
    "+/#",
    "+/+/+/+/#",
    "$share/x/#",
    "$share/x/dh/command/#",
    "$share/chirpstack/application/+/device/+/command/+",
    "$SYS/#",
    "$oc/#",
    "$oc/devices/+/sys/commands/+",
    "$oc/devices/meter_1/sys/#",
    "$emqx/#",
    "$emqx/commands/things/+/executions/+/request",
    "$emqx/commands/things/thermostat-001/#",
    "connio/#",
    "connio/data/in/devices/+/properties/#",
    "connio/data/in/devices/_dev_valve/#",
    "csipio/data/in/devices/_DEV_VALVE/#",
    "application/#",
    "application/+/device/+/command/+",
    "application/a-1/device/4200000000000001/command/+",
    "application/+/device/+/event/+",
    "v3/#",
    "v3/victim-app/#",
    "v3/+/devices/+/up",
    "+/victim-app/#",
    "v3/victim-app@attacker-app/#",
    "dh/#",
    "dh/request",
    "dh/command/#",
    "dh/command/1/1/hive-1/#",
    "dh/command/+/+/hive-1/#",
    "dh/command_update/#",
    "dh/notification/#",
    "dh/+/1/1/hive-1/+",
    "dh/response/#",
    "dh/response/+",
    "dh/response/command/insert@alice-client",
    "dh/response/token@alice-client",
];

/// Filters that an attacker is granted, because its platform grants them; they show what is its own and no more.
pub(crate) fn granted(who: Who) -> &'static [&'static str] {
    match who {
        Who::Nobody => &["#", "+/+", "+/#", "+/+/+/+/#", "+/victim-app/#"],
        Who::Mallory => &[
            "#",
            "+/+",
            "+/#",
            "+/+/+/+/#",
            "+/victim-app/#",
            "dh/#",
            "dh/command/#",
            "dh/command_update/#",
            "dh/notification/#",
            "dh/+/1/1/hive-1/+",
        ],
        Who::App => &["#", "v3/#", "v3/+/devices/+/up"],
        Who::Network => &[
            "$share/chirpstack/application/+/device/+/command/+",
            "application/+/device/+/command/+",
            "application/a-1/device/4200000000000001/command/+",
        ],
        Who::Thing | Who::Meter | Who::Valve => &[],
    }
}
