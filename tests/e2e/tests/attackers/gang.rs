//! The attackers: a customer of each platform, and somebody who signs in nowhere.

use crate::raw::{Login, Raw, Version};
use crate::town::{DOWNLINK, Town, logins};
use anyhow::ensure;
use dragoman_e2e::devices;
use serde_json::json;

/// Who attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A client of DeviceHive that has not authenticated.
    Nobody,
    /// A user of DeviceHive with rights in network 2; the victims are in network 1.
    Mallory,
    /// An application of The Things Stack.
    App,
    /// A thing of Fleets.
    Thing,
    /// A device of IoTDA.
    Meter,
    /// A device of Connio.
    Valve,
    /// Another network server of ChirpStack.
    Network,
}

impl Who {
    pub(crate) const ALL: [Self; 7] =
        [Self::Nobody, Self::Mallory, Self::App, Self::Thing, Self::Meter, Self::Valve, Self::Network];

    /// The right login, under a client id of its own.
    pub(crate) fn login(self) -> Login {
        match self {
            Self::Nobody => Login::anonymous("nobody-client"),
            Self::Mallory => logins::account("mallory"),
            Self::App => logins::account("attacker-app"),
            Self::Thing => Login::new("mallory-thing", "thing", &devices::secret("mallory-thing")),
            Self::Meter => logins::huawei("mallory_meter"),
            Self::Valve => logins::connio("valve-2", "mallory"),
            Self::Network => logins::network("ns-2"),
        }
    }

    /// What it may hear of: filters of its own.
    fn own_filters(self) -> &'static [&'static str] {
        match self {
            Self::Nobody => &["dh/response/authenticate@nobody-client"],
            Self::Mallory => &[
                "dh/response/server/info@mallory-client",
                "dh/response/command/insert@mallory-client",
                "dh/response/command/update@mallory-client",
                "dh/response/command/get@mallory-client",
                "dh/response/notification/insert@mallory-client",
                "dh/response/token/create@mallory-client",
                "dh/response/device/save@mallory-client",
                "dh/response/device/delete@mallory-client",
            ],
            Self::App => &["#"],
            Self::Thing => &["$emqx/commands/things/mallory-thing/#"],
            Self::Meter => &[],
            Self::Valve => &["connio/data/in/devices/_dev_mallory/#"],
            Self::Network => &["application/+/device/+/command/+"],
        }
    }

    /// What every topic has in it by which the attacker may be sent something.
    fn own_topic(self) -> &'static str {
        match self {
            Self::Nobody => "@nobody-client",
            Self::Mallory => "@mallory-client",
            Self::App => "v3/attacker-app/devices/lora-2/",
            Self::Thing => "things/mallory-thing/",
            Self::Meter => "devices/mallory_meter/",
            Self::Valve => "devices/_dev_mallory/",
            Self::Network => "device/4200000000000002/",
        }
    }
}

/// A connected attacker.
pub(crate) struct Attacker {
    pub(crate) who: Who,
    pub(crate) raw: Raw,
}

/// Connects every attacker.
///
/// # Errors
/// When one is refused what is its own.
pub(crate) async fn connect(town: &Town, version: Version) -> anyhow::Result<Vec<Attacker>> {
    let mut gang = Vec::new();
    for who in Who::ALL {
        let mut raw = Raw::connect(town.port, who.login().version(version)).await?;
        for filter in who.own_filters() {
            ensure!(raw.subscribe(filter).await?, "{who:?} was refused {filter}");
        }
        gang.push(Attacker { who, raw });
    }
    Ok(gang)
}

/// Sends every attacker something that is its own, waits until it has that, and looks at all it ever got. What was meant
/// for others went out before, so it would have come before.
///
/// # Errors
/// When an attacker has a message that is not its own, or does not hear what is.
pub(crate) async fn got_nothing(town: &Town, gang: &mut [Attacker]) -> anyhow::Result<()> {
    for attacker in gang.iter_mut() {
        mark(town, attacker).await?;
        let own = attacker.who.own_topic();
        let foreign: Vec<_> = attacker.raw.inbox.iter().filter(|message| !message.topic.contains(own)).collect();
        ensure!(foreign.is_empty(), "{:?} got {foreign:#?}", attacker.who);
    }
    Ok(())
}

async fn mark(town: &Town, attacker: &mut Attacker) -> anyhow::Result<()> {
    let (who, raw) = (attacker.who, &mut attacker.raw);
    let topic = match who {
        Who::Nobody => {
            raw.publish("dh/request", r#"{"action":"authenticate","token":"mark"}"#, false).await?;
            "dh/response/authenticate@nobody-client"
        }
        Who::Mallory => {
            raw.publish("dh/request", r#"{"action":"server/info"}"#, false).await?;
            "dh/response/server/info@mallory-client"
        }
        // The item goes on to the attacker's network server, which is looked at last.
        Who::App => {
            raw.publish("v3/attacker-app/devices/lora-2/down/push", DOWNLINK, false).await?;
            "/down/queued"
        }
        Who::Thing => {
            town.world.fleets.accepted("mallory-thing", "mark", &json!({}), 60).await?;
            "/request"
        }
        Who::Meter => {
            town.world.fleets.accepted("mallory_meter", "mark", &json!({}), 60).await?;
            "/sys/commands/"
        }
        Who::Valve => {
            town.write_level("_dev_mallory").await?;
            "/properties/level"
        }
        Who::Network => "/command/down",
    };
    raw.message(&format!("the mark of {who:?}"), topic).await?;
    Ok(())
}
