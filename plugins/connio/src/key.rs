//! Keys: who calls, whom it may reach, and what it may do.
//!
//! A device's own key is its alias `connio.key` with the secret of its account `device/{device id}`; it is good for its
//! own device. Every other key is an account of that name, with the platform's key object as its rights:
//! `{"context": {"type": "account"|"app"|"device", "ids": […]}, "scope": […]}`.

use crate::answer::{Failure, forbidden, not_found, unauthorized};
use crate::definition::is_same_name;
use crate::{ACCOUNT_LABEL, APP_LABEL, ID_ALIAS, KEY_ALIAS, NAME, NAME_ALIAS};
use dragoman_plugin_sdk::{Device, Error, Gateway, Identity, Request, attribute, json};
use serde::Deserialize;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A device with its own key.
    Device(Box<Device>),
    /// Whoever has this key.
    Key(Rights),
}

/// What a key is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Rights {
    pub(crate) context: Context,
    scope: Vec<String>,
}

/// Which devices a key reaches. An empty list of ids: every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Context {
    #[serde(rename = "type")]
    kind: ContextKind,
    pub(crate) ids: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ContextKind {
    #[default]
    Account,
    App,
    Device,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    ReadData,
    WriteData,
    Execute,
}

impl Scope {
    /// The platform's names; the documentation spells one of them in two ways.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::ReadData => &["device:read-data"],
            Self::WriteData => &["device:write-data"],
            Self::Execute => &["device:execute", "device:execute-method"],
        }
    }
}

impl Context {
    /// Whether it is one of devices and names this one.
    pub(crate) fn names(&self, device_id: &str) -> bool {
        self.kind == ContextKind::Device && self.ids.iter().any(|id| is_same_name(id, device_id))
    }
}

impl Rights {
    /// Reads the rights of an account.
    pub(crate) fn of(identity: &Identity) -> Result<Self, Error> {
        json::parse_object(&identity.rights).map_err(|broken| {
            Error::Internal(format!(
                "the rights of key {} must be {{\"context\": {{\"type\", \"ids\"}}, \"scope\": […]}}: {}",
                identity.account,
                broken.text()
            ))
        })
    }

    fn permits(&self, scope: Scope) -> bool {
        self.scope.iter().any(|granted| scope.names().contains(&granted.as_str()))
    }

    /// Whether the key reaches a device.
    fn reaches(&self, device: &Device) -> bool {
        let ids = &self.context.ids;
        let named = |name: Option<&str>| name.is_some_and(|name| ids.iter().any(|id| is_same_name(id, name)));
        match self.context.kind {
            ContextKind::Account => ids.is_empty() || named(attribute(&device.labels, ACCOUNT_LABEL)),
            ContextKind::App => named(attribute(&device.labels, APP_LABEL)),
            ContextKind::Device => named(attribute(&device.aliases, ID_ALIAS)),
        }
    }
}

/// Finds out who calls, or refuses.
pub(crate) fn authenticate(gateway: &impl Gateway, request: &Request) -> Result<Caller, Failure> {
    let presented = request.presented.as_ref().filter(|presented| presented.scheme == "basic");
    let Some(key) = presented.and_then(|presented| presented.account.as_deref()).filter(|key| !key.is_empty()) else {
        return Err(unauthorized("key", "The key is missing."));
    };
    let wrong = |error| match error {
        Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_) => {
            unauthorized("key", "The key or its secret is wrong.")
        }
        error => Failure::Fault(error),
    };
    let owner = gateway.resolve(KEY_ALIAS, &key.to_lowercase()).filter(|device| device.dialect == NAME);
    if let Some(device) = owner {
        gateway.check_presented(Some(&format!("device/{}", device.id))).map_err(wrong)?;
        return Ok(Caller::Device(Box::new(device)));
    }
    let identity = gateway.check_presented(Some(key)).map_err(wrong)?;
    // The account of a device is opened by its own key, not by its name.
    if identity.account.starts_with("device/") {
        return Err(unauthorized("key", "The key or its secret is wrong."));
    }
    Ok(Caller::Key(Rights::of(&identity)?))
}

/// The device that a call is about, if the caller may do this to it. One that the caller does not reach is not there.
pub(crate) fn device(
    gateway: &impl Gateway,
    caller: &Caller,
    reference: &str,
    scope: Scope,
) -> Result<Device, Failure> {
    match caller {
        Caller::Device(own) => {
            let is_own = reference == "_this_" || find(gateway, reference).is_some_and(|device| device.id == own.id);
            if is_own { Ok(Device::clone(own)) } else { Err(not_found(reference)) }
        }
        Caller::Key(rights) => {
            if !rights.permits(scope) {
                let name = scope.names().first().copied().unwrap_or_default();
                return Err(unauthorized(name, "The key lacks the scope."));
            }
            if reference == "_this_" {
                return Err(forbidden(reference, "Only a device's own key has a device of its own."));
            }
            find(gateway, reference).filter(|device| rights.reaches(device)).ok_or_else(|| not_found(reference))
        }
    }
}

/// By id or by name, without case.
fn find(gateway: &impl Gateway, reference: &str) -> Option<Device> {
    by_id(gateway, reference).or_else(|| {
        let folded = reference.to_lowercase();
        gateway.resolve(NAME_ALIAS, &folded).or_else(|| gateway.resolve(NAME_ALIAS, reference))
    })
}

/// By the platform's id: aliases are kept in lower case; one that the operator wrote otherwise is found as it is.
pub(crate) fn by_id(gateway: &impl Gateway, id: &str) -> Option<Device> {
    gateway.resolve(ID_ALIAS, &id.to_lowercase()).or_else(|| gateway.resolve(ID_ALIAS, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;

    #[test]
    fn a_key_reaches_the_devices_of_its_context() {
        let fake = Fake::default();
        fake.add_device("d", NAME, &[(ID_ALIAS, "_dev_1")]);
        fake.devices.borrow_mut()[0].labels =
            vec![(APP_LABEL.to_owned(), "_app_1".to_owned()), (ACCOUNT_LABEL.to_owned(), "_acc_1".to_owned())];
        let device = fake.device("d").unwrap();
        for (context, expected) in [
            ("{}", true),
            (r#"{"type":"account"}"#, true),
            (r#"{"type":"account","ids":["_acc_1"]}"#, true),
            (r#"{"type":"account","ids":["_acc_2"]}"#, false),
            (r#"{"type":"app","ids":["_APP_1"]}"#, true),
            (r#"{"type":"app","ids":[]}"#, false),
            (r#"{"type":"device","ids":["_dev_2","_DEV_1"]}"#, true),
            (r#"{"type":"device","ids":[]}"#, false),
            (r#"{"type":"device","ids":["d"]}"#, false),
        ] {
            let rights: Rights = serde_json::from_str(&format!(r#"{{"context":{context}}}"#)).unwrap();
            assert_eq!(rights.reaches(&device), expected, "{context}");
        }
    }

    #[test]
    fn scopes_are_granted_by_name() {
        for (scope, wanted, expected) in [
            (r#"["device:read-data"]"#, Scope::ReadData, true),
            (r#"["device:read-data"]"#, Scope::WriteData, false),
            (r#"["device:read"]"#, Scope::ReadData, false),
            (r#"["device:execute-method"]"#, Scope::Execute, true),
            ("[]", Scope::ReadData, false),
        ] {
            let rights: Rights = serde_json::from_str(&format!(r#"{{"scope":{scope}}}"#)).unwrap();
            assert_eq!(rights.permits(wanted), expected, "{scope}");
        }
    }
}
