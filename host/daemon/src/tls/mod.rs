//! TLS of the daemon's listeners: [`files`] reads and checks what the configuration names, [`certificate`] says what stands in
//! a certificate, [`listener`] does the handshakes, [`failure`] words why one failed, [`reload`] follows the files while the
//! daemon runs, by their [`stamp`]s.

mod certificate;
mod failure;
pub(crate) mod files;
mod listener;
mod reload;
mod stamp;
#[cfg(test)]
mod tests;

pub(crate) use listener::TlsListener;
pub(crate) use reload::Reload;

use crate::config::{Config, MqttConfig, TlsFiles};
use std::time::{SystemTime, UNIX_EPOCH};

/// What HTTP is called in the handshake (RFC 7301). MQTT clients offer many names or none, so there none is chosen.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The section of the configuration that describes a listener of the embedded broker.
pub(crate) fn mqtt_section(listener: &str) -> String {
    if listener == MqttConfig::FIRST { listener.to_owned() } else { format!("mqtt.listeners.{listener}") }
}

/// Every listener with a certificate: its section in the configuration, its files, and whether HTTP is spoken there.
pub(crate) fn configured(config: &Config) -> Vec<(String, &TlsFiles, bool)> {
    let first =
        [("http", &config.http.tls, true), ("mqtt", &config.mqtt.tls, false), ("admin", &config.admin.tls, true)];
    let first = first.into_iter().map(|(section, tls, is_http)| (section.to_owned(), tls, is_http));
    let further = config
        .mqtt
        .listeners
        .iter()
        .map(|(name, listener)| (mqtt_section(name), &listener.tls, listener.websocket_path.is_some()));
    first.chain(further).filter_map(|(section, tls, is_http)| Some((section, tls.as_ref()?, is_http))).collect()
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
