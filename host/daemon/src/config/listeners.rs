//! `[mqtt]` and `[mqtt.listeners.NAME]`: where clients of the embedded broker connect.

use super::reader::Section;
use super::sections::{CONNECTIONS, MESSAGE_BYTES, is_plugin_name, listen};
use super::tls::{self, TlsFiles};
use super::{ConfigError, MqttConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;

/// The keys of the broker and its first listener.
pub(super) const MQTT: [&str; 9] = [
    "listen",
    "dialects",
    "certificate_file",
    "key_file",
    "client_ca_file",
    "listeners",
    "packet_max_bytes",
    "connections_max",
    "subscriptions_max",
];
/// The keys of a further listener.
pub(super) const LISTENER: [&str; 7] =
    ["listen", "transport", "path", "dialects", "certificate_file", "key_file", "client_ca_file"];
/// Each has a task of its own.
const LISTENERS_MAX: usize = 100;
const SUBSCRIPTIONS: RangeInclusive<u64> = 1..=10_000;
/// Where clients of MQTT over WebSocket expect it.
const PATH: &str = "/mqtt";

/// `[mqtt.listeners.NAME]`: one more listener of the embedded broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MqttListenerConfig {
    /// Port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Where it speaks MQTT over WebSocket, the path of the request; none for MQTT over TCP.
    pub(crate) websocket_path: Option<String>,
    /// Dialects that its connections are offered to. Default those of `[mqtt]`.
    pub(crate) dialects: Vec<String>,
    /// None where it speaks plain text.
    pub(crate) tls: Option<TlsFiles>,
}

impl MqttConfig {
    /// Name of the listener that `[mqtt]` itself describes, in sessions, logs and metrics.
    pub(crate) const FIRST: &'static str = "mqtt";

    /// The dialects that connections of a listener are offered to.
    pub(crate) fn dialects_of(&self, listener: &str) -> &[String] {
        self.listeners.get(listener).map_or(&self.dialects, |listener| &listener.dialects)
    }
}

/// `[mqtt]` with its listeners. Relative paths are relative to `folder`.
pub(super) fn mqtt(section: &Section<'_>, folder: &Path, default: MqttConfig) -> Result<MqttConfig, ConfigError> {
    let dialects = dialects(section, default.dialects)?;
    Ok(MqttConfig {
        listen: listen(section, default.listen)?,
        tls: tls::files(section, folder)?,
        listeners: listeners(section, folder, &dialects)?,
        dialects,
        packet_max_bytes: section.integer("packet_max_bytes", MESSAGE_BYTES, default.packet_max_bytes)?,
        connections_max: section.integer("connections_max", CONNECTIONS, default.connections_max)?,
        subscriptions_max: section.integer("subscriptions_max", SUBSCRIPTIONS, default.subscriptions_max)?,
    })
}

fn dialects(section: &Section<'_>, default: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let named = section.texts("dialects", "the name of a plugin, such as \"my-dialect\"", is_plugin_name)?;
    Ok(named.unwrap_or(default))
}

fn listeners(
    mqtt: &Section<'_>,
    folder: &Path,
    default_dialects: &[String],
) -> Result<BTreeMap<String, MqttListenerConfig>, ConfigError> {
    let named = mqtt.open_section("listeners")?;
    let mut listeners = BTreeMap::new();
    for name in named.keys().map(|name| name.get_ref().as_ref()) {
        if !is_plugin_name(name) {
            return Err(named.error(
                name,
                "names no listener: names are lower-case letters, digits and hyphens, at most 64, and begin with a letter",
            ));
        }
        if name == MqttConfig::FIRST {
            return Err(named.error(name, "is the name of the listener that [mqtt] describes; choose another"));
        }
        if listeners.len() == LISTENERS_MAX {
            return Err(named.error(name, format!("is one listener too many; {LISTENERS_MAX} are allowed")));
        }
        listeners.insert(name.to_owned(), listener(&named.section(name, &LISTENER)?, folder, default_dialects)?);
    }
    Ok(listeners)
}

fn listener(
    section: &Section<'_>,
    folder: &Path,
    default_dialects: &[String],
) -> Result<MqttListenerConfig, ConfigError> {
    if !section.has("listen") {
        let at = section.full("listen");
        return Err(section.error_here(format!("{at} is missing; set address and port, such as \"0.0.0.0:8883\"")));
    }
    let is_websocket = section.choice("transport", &[("tcp", false), ("websocket", true)], false)?;
    if !is_websocket && section.has("path") {
        return Err(
            section.error("path", format!("means nothing without {} = \"websocket\"", section.full("transport")))
        );
    }
    let expected = "the path of a URL, such as \"/mqtt\"";
    let path = section.parsed("path", expected, PATH.to_owned(), |text| is_path(text).then(|| text.to_owned()))?;
    Ok(MqttListenerConfig {
        listen: listen(section, SocketAddr::from(([127, 0, 0, 1], 0)))?,
        websocket_path: is_websocket.then_some(path),
        dialects: dialects(section, default_dialects.to_vec())?,
        tls: tls::files(section, folder)?,
    })
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte))
}
