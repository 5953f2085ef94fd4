//! API keys: opaque texts with rights on one application.

use crate::error::{ApiError, Failure, insufficient_rights, no_rights, unauthenticated};
use crate::ids::Uid;
use dragoman_plugin_sdk::{Error, Gateway, Identity, Request, json};
use serde::Deserialize;

/// What an API key may be good for. Names of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    TrafficRead,
    TrafficDownWrite,
    TrafficUpWrite,
    Link,
    Info,
}

impl Right {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TrafficRead => "RIGHT_APPLICATION_TRAFFIC_READ",
            Self::TrafficDownWrite => "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE",
            Self::TrafficUpWrite => "RIGHT_APPLICATION_TRAFFIC_UP_WRITE",
            Self::Link => "RIGHT_APPLICATION_LINK",
            Self::Info => "RIGHT_APPLICATION_INFO",
        }
    }

    /// Rights that include this one.
    fn implied_by(self) -> &'static [&'static str] {
        match self {
            Self::TrafficRead | Self::TrafficDownWrite | Self::Info => {
                &["RIGHT_APPLICATION_LINK", "RIGHT_APPLICATION_ALL"]
            }
            Self::TrafficUpWrite | Self::Link => &["RIGHT_APPLICATION_ALL"],
        }
    }
}

/// The application of a key, and what it may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) uid: Uid,
    rights: Vec<String>,
}

#[derive(Deserialize)]
struct Granted {
    application: Option<String>,
    rights: Vec<String>,
}

impl Key {
    /// Reads `{"application": "app1", "rights": ["RIGHT_…"]}`. Without `application` it is the name of the account, up to
    /// a `/`.
    pub(crate) fn read(identity: &Identity) -> Result<Self, Error> {
        let broken = |why: &str| {
            let wanted = "{\"application\": \"app1\", \"rights\": [\"RIGHT_APPLICATION_…\"]}";
            Error::Internal(format!("the rights of key {} must be {wanted}: {why}", identity.account))
        };
        let granted: Granted = json::parse_object(&identity.rights).map_err(|error| broken(error.text()))?;
        let of_account = || identity.account.split('/').next().unwrap_or_default().to_owned();
        let application = granted.application.unwrap_or_else(of_account);
        let uid = Uid::parse(&application).ok_or_else(|| broken(&format!("{application} is no application id")))?;
        Ok(Self { uid, rights: granted.rights })
    }

    /// Whether it has any right, which is what a connection needs.
    pub(crate) fn has_any(&self) -> bool {
        !self.rights.is_empty()
    }

    pub(crate) fn has(&self, right: Right) -> bool {
        self.rights.iter().any(|granted| granted == right.name() || right.implied_by().contains(&granted.as_str()))
    }

    fn require(self, right: Right) -> Result<Uid, ApiError> {
        if self.has(right) { Ok(self.uid) } else { Err(insufficient_rights(&self.uid.to_string(), right.name())) }
    }
}

/// The application in the path of an HTTP call, for a key that has the right there.
pub(crate) fn authorize(
    gateway: &impl Gateway,
    request: &Request,
    application: &str,
    right: Right,
) -> Result<Uid, Failure> {
    if request.presented.as_ref().is_none_or(|presented| presented.scheme != "bearer") {
        return Err(unauthenticated().into());
    }
    let identity = gateway.check_presented(None).map_err(|error| match error {
        Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_) => Failure::Answer(unauthenticated()),
        error => Failure::Fault(error),
    })?;
    let key = Key::read(&identity)?;
    // The tenant is never in the path: the key tells it.
    if key.uid.application != application || !key.has_any() {
        return Err(no_rights(application).into());
    }
    Ok(key.require(right)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str, rights: &str) -> Result<Key, Error> {
        Key::read(&Identity { account: account.to_owned(), rights: rights.to_owned() })
    }

    #[test]
    fn a_key_is_of_one_application() {
        for (account, rights, expected) in [
            ("k-1", r#"{"application":"app1","rights":[]}"#, Some("app1")),
            ("k-1", r#"{"application":"app1@ttn","rights":[]}"#, Some("app1@ttn")),
            ("app1", r#"{"rights":[]}"#, Some("app1")),
            ("app1@ttn/mqtt-client", r#"{"rights":[]}"#, Some("app1@ttn")),
            ("A", r#"{"rights":[]}"#, None),
            ("app1", "{}", None),
            ("app1", r#"{"rights":"RIGHT_APPLICATION_ALL"}"#, None),
            ("app1", r#"{"application":"a/b","rights":[]}"#, None),
        ] {
            let uid = key(account, rights).ok().map(|key| key.uid.to_string());
            assert_eq!(uid.as_deref(), expected, "{account} {rights}");
        }
    }

    #[test]
    fn some_rights_include_others() {
        for (granted, right, expected) in [
            ("RIGHT_APPLICATION_TRAFFIC_READ", Right::TrafficRead, true),
            ("RIGHT_APPLICATION_TRAFFIC_READ", Right::TrafficDownWrite, false),
            ("RIGHT_APPLICATION_TRAFFIC_READ", Right::Info, false),
            ("RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE", Right::TrafficDownWrite, true),
            ("RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE", Right::TrafficRead, false),
            ("RIGHT_APPLICATION_LINK", Right::TrafficRead, true),
            ("RIGHT_APPLICATION_LINK", Right::TrafficDownWrite, true),
            ("RIGHT_APPLICATION_LINK", Right::Info, true),
            ("RIGHT_APPLICATION_LINK", Right::TrafficUpWrite, false),
            ("RIGHT_APPLICATION_ALL", Right::TrafficUpWrite, true),
            ("RIGHT_APPLICATION_ALL", Right::Link, true),
            ("right_application_all", Right::TrafficRead, false),
            ("*", Right::TrafficRead, false),
        ] {
            let key = key("app1", &format!(r#"{{"rights":["{granted}"]}}"#)).unwrap();
            assert_eq!(key.has(right), expected, "{granted} {right:?}");
        }
    }
}
