//! Options of the client library for one new connection.

use super::options::ExternalOptions;
use super::tls;
use rumqttc::v5::{AsyncClient, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};

/// Requests that may be with the library besides messages and acknowledgements: SUBSCRIBE and DISCONNECT.
const OTHER_REQUESTS: usize = 8;

/// A client that was never used, which connects when its loop is polled. With `anew` the broker is to forget the session
/// it has.
pub(super) fn client(options: &ExternalOptions, anew: bool) -> Result<(AsyncClient, EventLoop), String> {
    // An IPv6 address is told from its port by brackets.
    let host = if options.host.contains(':') { format!("[{}]", options.host) } else { options.host.clone() };
    let mut library = MqttOptions::new(options.client_id.as_str(), host, options.port);
    if let Some(tls) = &options.tls {
        library.set_transport(Transport::Tls(TlsConfiguration::Rustls(tls::client_config(tls)?)));
    }
    if let Some(username) = &options.username {
        library.set_credentials(username.as_str(), options.password.as_deref().unwrap_or_default());
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    library
        .set_network_options(network)
        .set_keep_alive(options.keep_alive)
        .set_connection_timeout(options.connect_timeout.as_secs())
        .set_clean_start(anew)
        .set_session_expiry_interval(Some(u32::try_from(options.session_expiry.as_secs()).unwrap_or(u32::MAX)))
        .set_receive_maximum(Some(options.receive_max))
        .set_max_packet_size(Some(options.packet_max_bytes))
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(ids_max(options));
    let waiting = usize::from(options.inflight_max) + receipts_max(options) + OTHER_REQUESTS;
    Ok(AsyncClient::new(library, waiting))
}

/// Packet ids that the library is to use: twice as many as messages may be in flight, so that the next one is free even
/// where some are acknowledged late.
pub(super) fn ids_max(options: &ExternalOptions) -> u16 {
    options.inflight_max.saturating_mul(2)
}

/// Acknowledgements that the library's queue has room for.
pub(super) fn receipts_max(options: &ExternalOptions) -> usize {
    2 * usize::from(options.receive_max)
}
