//! Users: accounts of this dialect, whose rights say who they are on the platform.

use crate::answer::{ApiError, Failure};
use crate::caller::Caller;
use crate::permission::{Actions, Scope};
use crate::settings::Settings;
use dragoman_plugin_sdk::{Error, Gateway, Identity, Severity, json};
use serde::{Deserialize, Serialize};

/// Characters of a login.
const LOGIN_CHARS_MAX: usize = 128;

/// A user, from the rights of its account: `{"id", "role", "status", "networks", "deviceTypes"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(skip)]
    pub(crate) login: String,
    #[serde(default)]
    pub(crate) role: Role,
    /// 0 active, 1 locked, 2 disabled.
    #[serde(default)]
    pub(crate) status: u8,
    /// The user's own networks.
    #[serde(default = "nothing")]
    pub(crate) networks: Scope,
    /// The user's own device types; all unless the account names some.
    #[serde(default = "everything")]
    pub(crate) device_types: Scope,
}

/// The number in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub(crate) enum Role {
    Admin,
    #[default]
    Client,
}

impl From<Role> for u8 {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => 0,
            Role::Client => 1,
        }
    }
}

impl TryFrom<u8> for Role {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Self::Admin),
            1 => Ok(Self::Client),
            other => Err(format!("role {other} is neither 0 (admin) nor 1 (client)")),
        }
    }
}

fn nothing() -> Scope {
    Scope::Only([].into())
}

fn everything() -> Scope {
    Scope::All
}

impl User {
    /// What a login grants: everything to an admin, a client's actions and own networks to anybody else.
    pub(crate) fn caller(&self, expires_ms: Option<u64>) -> Caller {
        let (actions, networks, device_types) = match self.role {
            Role::Admin => (Actions::all(), Scope::All, Scope::All),
            Role::Client => (Actions::client(), self.networks.clone(), self.device_types.clone()),
        };
        Caller { user: self.id, actions, networks, device_types, expires_ms }
    }
}

/// Whether a name can be a user's. The account that signs tokens, and those of devices, are nobody's login.
pub(crate) fn is_login(settings: &Settings, login: &str) -> bool {
    (1..=LOGIN_CHARS_MAX).contains(&login.chars().count())
        && login != settings.jwt_account
        && !login.starts_with("device/")
}

/// The user of a login and password that came in a request.
pub(crate) fn by_password(
    gateway: &impl Gateway,
    settings: &Settings,
    login: &str,
    password: &str,
) -> Result<User, Failure> {
    let unknown = || {
        let text = format!("User with login = {login} not found or bad password");
        Failure::Answer(ApiError::new(401, text))
    };
    if !is_login(settings, login) {
        return Err(unknown());
    }
    match gateway.check_password(login, password) {
        Ok(identity) => active(gateway, identity),
        Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

/// The user of an identity that was checked, unless it is locked.
pub(crate) fn active(gateway: &impl Gateway, identity: Identity) -> Result<User, Failure> {
    let user: User = json::parse_object(&identity.rights).map_err(|broken| {
        let text = format!("the rights of account {} do not fit: {}", identity.account, broken.text());
        gateway.log(Severity::Error, &text);
        ApiError::new(401, "User is locked or disabled")
    })?;
    if user.status != 0 {
        return Err(ApiError::new(401, "User is locked or disabled").into());
    }
    Ok(User { login: identity.account, ..user })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::testing::Fake;

    fn user(rights: &str) -> Option<User> {
        let identity = Identity { account: "u".to_owned(), rights: rights.to_owned() };
        active(&Fake::default(), identity).ok()
    }

    #[test]
    fn rights_say_who_a_user_is() {
        let admin = user(r#"{"id":1,"role":0}"#).unwrap().caller(None);
        assert!(admin.is_admin() && admin.user == 1);
        let client = user(r#"{"id":2,"networks":["1","2"]}"#).unwrap().caller(None);
        assert_eq!((client.networks, client.device_types), (Scope::Only([1, 2].into()), Scope::All));
        assert!(!client.actions.is_all());
        for wrong in ["{}", r#"{"id":"x"}"#, r#"{"id":1,"role":2}"#, r#"{"id":1,"status":1}"#, "[]", "x"] {
            assert_eq!(user(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_signing_account_and_devices_are_no_logins() {
        let is_login = |login: &str| is_login(&Settings::default(), login);
        assert!(is_login("dhadmin") && is_login("a@b.c"));
        assert!(!is_login("jwt") && !is_login("device/d1") && !is_login("") && !is_login(&"x".repeat(129)));
    }
}
