//! Speaks to the admin API of a daemon.

use super::args::Connection;
use super::failure::Failure;
use super::input;
use crate::config::Config;
use crate::tls::files;
use reqwest::blocking::{Body, Client, RequestBuilder};
use reqwest::{Method, Url};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

const TOKEN_VARIABLE: &str = "DRAGOMAN_ADMIN_TOKEN";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take that waits for no device.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A daemon and the token for it.
pub(super) struct Daemon {
    client: Client,
    base: Url,
    token: Zeroizing<String>,
}

impl Connection {
    /// The daemon that the options, the environment and the configuration name, in this order.
    pub(super) fn open(&self, file: Option<&Path>) -> Result<Daemon, Failure> {
        // Read only where it is needed, so that --admin with a token works without any configuration.
        let config = || input::configuration(file).map_err(|error| Failure::failed(error.to_string()));
        let base = match &self.admin {
            Some(text) => parse_base(text)?,
            None => base_of(&config()?)?,
        };
        let token = match &self.token_file {
            Some(file) => std::fs::read_to_string(file)
                .map(Zeroizing::new)
                .map_err(|error| Failure::failed(format!("the token {} cannot be read: {error}", file.display())))?,
            None => match std::env::var(TOKEN_VARIABLE) {
                Ok(token) => Zeroizing::new(token),
                Err(_) => config()?.known_admin_token().map_err(|error| Failure::failed(error.to_string()))?,
            },
        };
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(None);
        let mut client = client.tls_backend_preconfigured(self.tls(&base)?);
        if is_loopback(&base) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| Failure::failed(format!("no HTTP client: {error}")))?;
        Ok(Daemon { client, base, token: Zeroizing::new(token.trim().to_owned()) })
    }

    /// By whom the daemon has to be trusted, and who calls it.
    fn tls(&self, base: &Url) -> Result<ClientConfig, Failure> {
        let identity = self.certificate_file.as_deref().zip(self.key_file.as_deref());
        let config = match base.scheme() {
            "https" => files::client_config(self.ca_file.as_deref(), identity),
            // Whoever names a certificate believes that nobody listens.
            _ if self.ca_file.is_some() || identity.is_some() => {
                return Err(Failure::Usage(format!("certificates mean nothing for {base}; name an https:// address")));
            }
            _ => files::trusting("--admin", RootCertStore::empty()).map(|client| client.with_no_client_auth()),
        };
        config.map_err(|error| Failure::failed(error.to_string()))
    }
}

impl Daemon {
    /// GET, with query parameters.
    pub(super) fn get(&self, path: &[&str], query: &[(String, String)]) -> Result<Value, Failure> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.request(Method::GET, url).timeout(ANSWER_TIMEOUT))
    }

    /// POST of JSON.
    pub(super) fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::POST, self.url(path)).timeout(ANSWER_TIMEOUT).json(body))
    }

    /// POST of JSON whose answer may wait for a device.
    pub(super) fn post_and_wait(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::POST, self.url(path)).json(body))
    }

    /// POST of whatever is read, as it is read.
    pub(super) fn stream(&self, path: &[&str], body: Body) -> Result<Value, Failure> {
        self.send(self.request(Method::POST, self.url(path)).body(body))
    }

    /// DELETE.
    pub(super) fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.send(self.request(Method::DELETE, self.url(path)).timeout(ANSWER_TIMEOUT))
    }

    /// Each part of a path is encoded by itself, so that a name with a slash stays one.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).bearer_auth(self.token.as_str())
    }

    fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = request.send().map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let text = response.text().map_err(|error| self.unreachable(&error))?;
        let value = if text.is_empty() { Value::Null } else { parse_answer(&text, &self.base)? };
        if status.is_success() {
            return Ok(value);
        }
        let word = |name: &str| value.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
        let code = word("code").unwrap_or_else(|| status.as_str().to_owned());
        let message = word("message").unwrap_or_else(|| format!("{} answered {status}", self.base));
        Err(Failure::Failed { code, message })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Failure::Unreachable(format!(
            "no daemon answers at {} ({cause}); is it running? Start it with dragoman serve, or name another with --admin",
            self.base
        ))
    }
}

fn parse_answer(text: &str, base: &Url) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|_| Failure::failed(format!("what answers at {base} is not the admin API of a dragoman")))
}

fn parse_base(text: &str) -> Result<Url, Failure> {
    let usage =
        |why: &str| Failure::Usage(format!("the admin address {text:?} {why}; expected such as http://127.0.0.1:8081"));
    let url = Url::parse(text).map_err(|error| usage(&format!("is no URL ({error})")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
        return Err(usage("is neither http:// nor https://"));
    }
    Ok(url)
}

/// Where the daemon of this configuration is reached from the same machine.
fn base_of(config: &Config) -> Result<Url, Failure> {
    let listen = config.admin.listen;
    if listen.port() == 0 {
        return Err(Failure::Usage(
            "admin.listen has port 0, so the port is known to the daemon alone; name its address with --admin"
                .to_owned(),
        ));
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.admin.tls.is_some() { "https" } else { "http" };
    parse_base(&format!("{scheme}://{}", SocketAddr::new(ip, listen.port())))
}

/// A proxy from the environment cannot reach this machine's own addresses.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{base_of, is_loopback, parse_base};
    use crate::config::{Config, TlsFiles};
    use std::path::Path;

    #[test]
    fn the_address_follows_the_listener() {
        let mut config = Config::defaults(Path::new(""));
        for (listen, expected) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081/"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000/"),
            ("[::]:9000", "http://[::1]:9000/"),
            ("10.0.0.7:80", "http://10.0.0.7/"),
        ] {
            config.admin.listen = listen.parse().unwrap();
            assert_eq!(base_of(&config).unwrap().as_str(), expected);
        }
        config.admin.listen = "127.0.0.1:8081".parse().unwrap();
        config.admin.tls = Some(TlsFiles { certificate: "a".into(), key: "b".into(), client_ca: None });
        assert_eq!(base_of(&config).unwrap().as_str(), "https://127.0.0.1:8081/");
        config.admin.listen = "127.0.0.1:0".parse().unwrap();
        assert_eq!(base_of(&config).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn only_this_machine_is_reached_without_a_proxy() {
        for (address, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost:8081", true),
            ("http://10.0.0.1", false),
            ("http://example.org", false),
        ] {
            assert_eq!(is_loopback(&parse_base(address).unwrap()), expected, "{address}");
        }
        for address in ["127.0.0.1:8081", "ftp://127.0.0.1", "mailto:a", ""] {
            assert_eq!(parse_base(address).unwrap_err().exit_code(), 2, "{address}");
        }
    }
}
