//! `[brokers.NAME]`: brokers that somebody else runs, and what the gateway does there.

use super::ConfigError;
use super::reader::Section;
use super::sections::is_plugin_name;
use super::tls;
use dragoman_core::{Subscription, topic};
use dragoman_mqtt::{ExternalOptions, TlsOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The keys of one broker.
pub(super) const BROKER: [&str; 18] = [
    "url",
    "dialect",
    "device_alias",
    "topics",
    "client_id",
    "username",
    "password_file",
    "ca_file",
    "certificate_file",
    "key_file",
    "keep_alive_s",
    "session_expiry_s",
    "ack_timeout_ms",
    "packet_max_bytes",
    "in_flight_max",
    "receive_max",
    "waiting_max",
    "sends_max",
];
/// Each has a connection and a session of its own.
const BROKERS_MAX: usize = 100;
/// The level of a topic at which a device is named.
const DEVICE: &str = "{device}";

/// One external broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BrokerConfig {
    /// Host of the `url`, `mqtt://` or `mqtts://`.
    pub(crate) host: String,
    /// Port of the `url`. Default 1883, with `mqtts://` 8883.
    pub(crate) port: u16,
    /// Whether the `url` begins with `mqtts://`.
    pub(crate) tls: bool,
    /// The dialect whose devices are there.
    pub(crate) dialect: String,
    /// The namespace of aliases under which the name of a device in a topic is looked up.
    pub(crate) device_alias: String,
    /// What devices publish, with `{device}` as the level that names the one who speaks.
    pub(crate) topics: Vec<TopicPattern>,
    /// The gateway's own. Default `dragoman-NAME`.
    pub(crate) client_id: String,
    /// As that broker knows the gateway.
    pub(crate) username: Option<String>,
    /// File with the password.
    pub(crate) password_file: Option<PathBuf>,
    /// File with the certificates of the authorities that are trusted, in PEM; none: the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Files with the gateway's own certificate and its key, in PEM.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    /// How often a sign of life is asked for. Default 30.
    pub(crate) keep_alive_s: u64,
    /// How long that broker keeps what it has for the gateway while there is no connection. Default 86 400.
    pub(crate) session_expiry_s: u64,
    /// How long it may take for an acknowledgement; then the connection is made anew. Default 20 000.
    pub(crate) ack_timeout_ms: u64,
    /// Largest packet that is taken from it. Default 1 048 576.
    pub(crate) packet_max_bytes: u32,
    /// Messages without acknowledgement; half of what it takes at once, where that is less. Default 256.
    pub(crate) in_flight_max: u16,
    /// Messages of that broker that may be on their way through the gateway at once. Default 256.
    pub(crate) receive_max: u16,
    /// Messages that may wait to be sent there; past it commands wait in their queues. Default 65 536.
    pub(crate) waiting_max: u32,
    /// How often one message is sent at most, over connections that break. Default 5.
    pub(crate) sends_max: u32,
}

/// A topic with `{device}` at one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPattern {
    /// What is subscribed to.
    filter: String,
    level: usize,
}

impl TopicPattern {
    /// None where the text is no topic filter with `{device}` as exactly one of its levels.
    fn parse(text: &str) -> Option<Self> {
        let mut levels = text.split('/').enumerate().filter(|(_, level)| *level == DEVICE);
        let (level, _) = levels.next()?;
        let filter: Vec<&str> = text.split('/').map(|part| if part == DEVICE { "+" } else { part }).collect();
        let filter = filter.join("/");
        let good = levels.next().is_none() && topic::check_filter(&filter).is_ok() && !filter.starts_with("$share/");
        good.then_some(Self { filter, level })
    }

    /// What is subscribed to.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// The name of the device that speaks on this topic, if the topic is one of these.
    pub(crate) fn device<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let named = topic::matches(&self.filter, topic).then(|| topic.split('/').nth(self.level)).flatten();
        named.filter(|name| !name.is_empty())
    }
}

impl BrokerConfig {
    /// The options of its connection. Reads the file of the password.
    pub(crate) fn options(&self, name: &str) -> anyhow::Result<ExternalOptions> {
        let mut options = ExternalOptions::new(name, self.host.as_str(), self.port, self.client_id.as_str());
        options.username = self.username.clone();
        options.password = self.password_file.as_deref().map(|path| password(name, path)).transpose()?;
        options.tls = self.tls.then(|| TlsOptions { ca_file: self.ca_file.clone(), identity: self.identity.clone() });
        let topics = self.topics.iter().map(|topic| Subscription { filter: topic.filter.clone(), qos: 1 });
        options.subscriptions = topics.collect();
        options.keep_alive = Duration::from_secs(self.keep_alive_s);
        options.session_expiry = Duration::from_secs(self.session_expiry_s);
        options.ack_timeout = Duration::from_millis(self.ack_timeout_ms);
        options.packet_max_bytes = self.packet_max_bytes;
        options.inflight_max = self.in_flight_max;
        options.receive_max = self.receive_max;
        options.waiting_max = usize::try_from(self.waiting_max).unwrap_or(usize::MAX);
        options.sends_max = self.sends_max;
        Ok(options)
    }
}

fn password(name: &str, path: &Path) -> anyhow::Result<String> {
    let key = format!("brokers.{name}.password_file");
    let text = std::fs::read_to_string(path).map_err(|error| {
        anyhow::anyhow!(
            "{key} names {}, which cannot be read: {error}; make the file or correct the key",
            path.display()
        )
    })?;
    let password = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "{key} names {}, which is empty; put the password into it", path.display());
    Ok(password.to_owned())
}

/// Every broker of the file. Relative paths are relative to `folder`.
pub(super) fn all(root: &Section<'_>, folder: &Path) -> Result<BTreeMap<String, BrokerConfig>, ConfigError> {
    let named = root.open_section("brokers")?;
    let mut brokers: BTreeMap<String, BrokerConfig> = BTreeMap::new();
    for name in named.keys().map(|name| name.get_ref().as_ref()) {
        if !is_plugin_name(name) {
            return Err(named.error(
                name,
                "names no broker: names are lower-case letters, digits and hyphens, at most 64, and begin with a letter",
            ));
        }
        if brokers.len() == BROKERS_MAX {
            return Err(named.error(name, format!("is one broker too many; {BROKERS_MAX} are allowed")));
        }
        let section = named.section(name, &BROKER)?;
        let broker = broker(name, &section, folder)?;
        if let Some((other, _)) = brokers.iter().find(|(_, other)| other.dialect == broker.dialect) {
            return Err(section.error(
                "dialect",
                format!(
                    "is {:?}, whose devices are at brokers.{other} already; a dialect has one broker",
                    broker.dialect
                ),
            ));
        }
        brokers.insert(name.to_owned(), broker);
    }
    Ok(brokers)
}

fn broker(name: &str, section: &Section<'_>, folder: &Path) -> Result<BrokerConfig, ConfigError> {
    let (is_tls, host, port) = url(section)?;
    let broker = BrokerConfig {
        host,
        port,
        tls: is_tls,
        dialect: needed(section, "dialect", "the name of the plugin whose devices are there")?,
        device_alias: needed(section, "device_alias", "the kind of alias that topics name devices by")?,
        topics: topics(section)?,
        client_id: section.text("client_id")?.map_or_else(|| format!("dragoman-{name}"), str::to_owned),
        username: section.text("username")?.map(str::to_owned),
        password_file: tls::file(section, "password_file", folder)?,
        ca_file: tls::file(section, "ca_file", folder)?,
        identity: tls::identity(section, folder)?,
        keep_alive_s: section.integer("keep_alive_s", 5..=3_600, 30)?,
        session_expiry_s: section.integer("session_expiry_s", 0..=4_294_967_294, 86_400)?,
        ack_timeout_ms: section.integer("ack_timeout_ms", 100..=600_000, 20_000)?,
        packet_max_bytes: section.integer("packet_max_bytes", 1_024..=16_777_216, 1_048_576)?,
        in_flight_max: section.integer("in_flight_max", 1..=32_767, 256)?,
        receive_max: section.integer("receive_max", 1..=65_535, 256)?,
        waiting_max: section.integer("waiting_max", 1..=1_000_000, 65_536)?,
        sends_max: section.integer("sends_max", 1..=1_000, 5)?,
    };
    if broker.password_file.is_some() && broker.username.is_none() {
        return Err(section.error("password_file", "means nothing without username"));
    }
    for key in ["ca_file", "certificate_file"] {
        if !is_tls && section.has(key) {
            return Err(section.error(key, "means nothing for a url that begins with mqtt://"));
        }
    }
    Ok(broker)
}

fn needed(section: &Section<'_>, key: &str, what: &str) -> Result<String, ConfigError> {
    match section.text(key)? {
        Some(text) => Ok(text.to_owned()),
        None => Err(section.error_here(format!("{} is missing; set {what}", section.full(key)))),
    }
}

fn topics(section: &Section<'_>) -> Result<Vec<TopicPattern>, ConfigError> {
    let expected = "a topic filter with {device} as one of its levels, such as \"plant/{device}/up\"";
    let shared = section.texts("topics", expected, |_| true)?.unwrap_or_default();
    if shared.iter().any(|text| text.starts_with("$share/")) {
        return Err(section.error(
            "topics",
            "has a shared subscription: answers to this gateway's commands would go to another one, and mosquitto delivers \
             nothing under a shared subscription to topics that begin with $; leave $share/ and its group out",
        ));
    }
    let texts = section.texts("topics", expected, |text| TopicPattern::parse(text).is_some())?.unwrap_or_default();
    if texts.is_empty() {
        let at = section.full("topics");
        return Err(section.error_here(format!("{at} is missing; set what devices publish: {expected}")));
    }
    Ok(texts.iter().filter_map(|text| TopicPattern::parse(text)).collect())
}

/// What is wrong is said without the text, which may hold a password.
fn url(section: &Section<'_>) -> Result<(bool, String, u16), ConfigError> {
    let expected = "expected an address such as \"mqtts://broker.example.org:8883\"";
    let Some(text) = section.text("url")? else {
        return Err(section.error_here(format!("{} is missing; {expected}", section.full("url"))));
    };
    let bad = |why: &str| Err(section.error("url", why));
    let (tls, authority) = match (text.strip_prefix("mqtts://"), text.strip_prefix("mqtt://")) {
        (Some(authority), _) => (true, authority),
        (None, Some(authority)) => (false, authority),
        (None, None) => return bad(&format!("is no address of a broker; {expected}")),
    };
    if authority.contains('@') {
        return bad("has a user name or password inside; set username and password_file instead");
    }
    let authority = authority.trim_end_matches('/').parse::<axum::http::uri::Authority>();
    let named = authority.ok().filter(|authority| !authority.host().is_empty());
    let Some(authority) = named else { return bad(&format!("names no host and port; {expected}")) };
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host).unwrap_or_default() {
        "" => None,
        _ => match authority.port_u16().filter(|port| *port > 0) {
            None => return bad(&format!("names no host and port; {expected}")),
            port => port,
        },
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((tls, host, port.unwrap_or(if tls { 8883 } else { 1883 })))
}
