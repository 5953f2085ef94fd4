//! The one configuration file: what can be set, its defaults and its bounds.
//!
//! [`Config::load`] reads the file, [`sections`] lists every key with its bounds, [`reader`] turns TOML into checked
//! values and words what is wrong with them, [`targets`] and [`brokers`] read the `[targets.NAME]` and `[brokers.NAME]`
//! sections, [`listeners`] the broker's own, [`tls`] what names certificates, [`admin_token`] reads or makes the token that
//! the admin API asks for.

mod admin_token;
mod brokers;
mod error;
mod listeners;
mod private_file;
mod reader;
mod sections;
mod settings;
mod targets;
#[cfg(test)]
mod tests;
mod tls;
mod values;

pub(crate) use admin_token::AdminTokenError;
pub(crate) use brokers::BrokerConfig;
pub(crate) use error::ConfigError;
pub(crate) use private_file::create_private;
pub(crate) use targets::{TargetConfig, is_transport};
pub(crate) use tls::{TlsConfig, TlsFiles};
pub(crate) use values::{
    AdminConfig, Durability, HttpConfig, Instances, LimitsConfig, LogConfig, LogFormat, MqttConfig, PluginConfig,
    PluginsConfig, StoreConfig, TokenSource,
};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Everything an operator can set. [`Config::defaults`] is what runs without a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// The file it was read from; none where defaults are used.
    pub(crate) file: Option<PathBuf>,
    /// Folder of the store, the master key and the admin token. Default `data`, next to the file.
    pub(crate) data_dir: PathBuf,
    /// The listener that applications call.
    pub(crate) http: HttpConfig,
    /// The embedded broker.
    pub(crate) mqtt: MqttConfig,
    /// The listener that operators call.
    pub(crate) admin: AdminConfig,
    /// Bounds of every listener with a certificate.
    pub(crate) tls: TlsConfig,
    /// The folder of the plugins, and what holds for all of them.
    pub(crate) plugins: PluginsConfig,
    /// The `[plugin.NAME]` sections.
    pub(crate) named_plugins: BTreeMap<String, PluginConfig>,
    /// The `[targets.NAME]` sections: where plugins may send requests.
    pub(crate) targets: BTreeMap<String, TargetConfig>,
    /// The `[brokers.NAME]` sections: brokers that somebody else runs.
    pub(crate) brokers: BTreeMap<String, BrokerConfig>,
    /// The execution store.
    pub(crate) store: StoreConfig,
    /// Bounds of the command engine.
    pub(crate) limits: LimitsConfig,
    /// What is logged.
    pub(crate) log: LogConfig,
}

impl Config {
    /// Whether devices of a dialect are at an external broker.
    pub(crate) fn is_outside(&self, dialect: &str) -> bool {
        self.brokers.values().any(|broker| broker.dialect == dialect)
    }

    /// Name of the file that is read from the working folder when none is named.
    pub(crate) const FILE_NAME: &'static str = "dragoman.toml";

    /// The configuration without a file: every default, with paths relative to `folder`.
    pub(crate) fn defaults(folder: &Path) -> Self {
        sections::defaults(folder)
    }

    /// Reads and checks a file. Relative paths in it are relative to its folder.
    pub(crate) fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(file, &text)
    }

    /// Checks the text of a file; `file` is only named, not read.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        sections::parse(file, text)
    }

    /// The admin token for the daemon, which makes `admin.token` where it is to and there is none.
    pub(crate) fn admin_token(&self) -> Result<Zeroizing<String>, AdminTokenError> {
        admin_token::load_or_make(&self.admin.token)
    }

    /// The admin token for a client of the daemon, which makes none.
    pub(crate) fn known_admin_token(&self) -> Result<Zeroizing<String>, AdminTokenError> {
        admin_token::load(&self.admin.token)
    }
}
