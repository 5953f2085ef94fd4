//! What `dragoman check` says of external brokers. What holds at every broker that is not the gateway's own is said, because
//! nothing that can be configured changes it; docs/external-brokers.md has the same for people who plan.

use super::{Finding, good, wrong};
use crate::config::BrokerConfig;
use dragoman_core::topic;
use dragoman_wasm::{Claim, Description, Plugin, Roles};

/// Reads the files of a broker as the daemon would; it connects to nothing.
pub(super) fn of(name: &str, broker: &BrokerConfig) -> Finding {
    let what = format!("broker {name}");
    let checked = broker.options(name).and_then(|options| Ok(options.check()?));
    if let Err(error) = checked {
        return wrong(&what, error.to_string());
    }
    let clear =
        if broker.tls { "" } else { " Everything goes there in the clear; use mqtts:// unless it is this machine." };
    let text = format!(
        "{}:{}, for devices of {}.{clear} It does not say who published: whoever it lets publish to a device's topic \
         speaks for that device. It subscribes nobody by itself: a device has to subscribe to its own topics there, and a \
         subscription of QoS 0 loses what is sent while it is away. Whether a device is connected is not known, so its \
         commands count as sent, never as acknowledged, until it answers. A session with client id {} must be the \
         gateway's alone.",
        broker.host, broker.port, broker.dialect, broker.client_id
    );
    good(&what, text)
}

/// Whether the dialect of a broker can be there at all.
pub(super) fn with_plugin(name: &str, broker: &BrokerConfig, plugin: Option<&Plugin>) -> Vec<Finding> {
    let key = format!("brokers.{name}.dialect");
    match plugin {
        None => {
            let text = format!("no plugin {} is in the folder; add it, or leave the broker out", broker.dialect);
            vec![wrong(&key, text)]
        }
        Some(plugin) => with_description(name, broker, plugin.description(), plugin.roles()),
    }
}

fn with_description(name: &str, broker: &BrokerConfig, description: &Description, roles: Roles) -> Vec<Finding> {
    let (key, dialect) = (format!("brokers.{name}.dialect"), &broker.dialect);
    let said = |claim: &Claim| match claim {
        Claim::DeviceTopic(filter) => Some(filter.clone()),
        Claim::ApplicationTopic(_) | Claim::Http(_) | Claim::Connections => None,
    };
    let said: Vec<String> = description.claims.iter().filter_map(said).collect();
    if !roles.southbound {
        let text = format!(
            "{dialect} has applications and no devices. They connect to mqtt.listen, because what they may do depends on \
             their login, which another broker does not pass on; leave the broker out"
        );
        return vec![wrong(&key, text)];
    }
    if said.is_empty() {
        let text = format!(
            "devices of {dialect} speak on topics that name none of them; who speaks is known from the login, which \
             another broker does not pass on. Leave the broker out and let them connect to mqtt.listen"
        );
        return vec![wrong(&key, text)];
    }
    let mut findings = Vec::new();
    for (at, pattern) in broker.topics.iter().enumerate() {
        if !said.iter().any(|said| topic::overlaps(said, pattern.filter())) {
            let text = format!("devices of {dialect} speak on {}, and on nothing of this", said.join(", "));
            findings.push(wrong(&format!("brokers.{name}.topics[{at}]"), text));
        }
    }
    if description.claims.iter().any(|claim| matches!(claim, Claim::ApplicationTopic(_))) {
        let text = format!("applications of {dialect} connect to mqtt.listen, where their login is looked at");
        findings.push(good(&key, text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn broker(topics: &str) -> BrokerConfig {
        let text = format!(
            "[brokers.plant]\nurl = 'mqtt://a'\ndialect = 'acme-things'\ndevice_alias = 'acme.id'\ntopics = [{topics}]"
        );
        Config::parse(std::path::Path::new("dragoman.toml"), &text).unwrap().brokers["plant"].clone()
    }

    fn description(claims: Vec<Claim>) -> Description {
        Description {
            name: "acme-things".into(),
            version: "1".into(),
            summary: String::new(),
            claims,
            tells: dragoman_core::Stage::Ended,
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: None,
            attributes: Vec::new(),
            indexes: Vec::new(),
            device_window: None,
            always_present: false,
            unclaimed_topics: false,
            transitions: dragoman_wasm::Wanted::default(),
            events: Vec::new(),
        }
    }

    #[test]
    fn what_another_broker_cannot_do_for_a_dialect_is_said() {
        let devices = Roles { southbound: true, ..Roles::default() };
        let device = |filter: &str| Claim::DeviceTopic(filter.into());
        let application = || Claim::ApplicationTopic("acme/apps/#".into());
        let one = "'acme/{device}/up'";
        for (topics, claims, roles, expected) in [
            (one, vec![device("acme/+/up")], devices, vec![]),
            (one, vec![device("acme/+/up"), application()], devices, vec![(true, "connect to mqtt.listen")]),
            (one, vec![application()], devices, vec![(false, "topics that name none of them")]),
            (one, vec![application()], Roles::default(), vec![(false, "no devices")]),
            ("'acme/{device}/up', 'b/{device}'", vec![device("acme/#")], devices, vec![(false, "speak on acme/#")]),
        ] {
            let found = with_description("plant", &broker(topics), &description(claims), roles);
            assert_eq!(found.len(), expected.len(), "{topics}");
            for (found, (is_good, text)) in found.iter().zip(expected) {
                assert!(found.good == is_good && found.text.contains(text), "{text}: {}", found.text);
            }
        }
        assert!(!with_plugin("plant", &broker(one), None)[0].good);
    }
}
