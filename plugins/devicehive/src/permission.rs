//! What a token grants: actions by number, networks and device types by id (sheet section 4).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An action that a token can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    GetNetwork = 2,
    GetDevice = 3,
    GetDeviceNotification = 4,
    GetDeviceCommand = 5,
    RegisterDevice = 6,
    CreateDeviceCommand = 7,
    UpdateDeviceCommand = 8,
    CreateDeviceNotification = 9,
    GetCurrentUser = 10,
    ManageUser = 12,
    ManageConfiguration = 13,
    ManageToken = 15,
    GetDeviceType = 17,
}

/// `ANY`: every action.
const ANY: u8 = 0;

/// Names of the actions by number; 1 is `NONE`.
const NAMES: [&str; 19] = [
    "ANY",
    "NONE",
    "GetNetwork",
    "GetDevice",
    "GetDeviceNotification",
    "GetDeviceCommand",
    "RegisterDevice",
    "CreateDeviceCommand",
    "UpdateDeviceCommand",
    "CreateDeviceNotification",
    "GetCurrentUser",
    "UpdateCurrentUser",
    "ManageUser",
    "ManageConfiguration",
    "ManageNetwork",
    "ManageToken",
    "ManagePlugin",
    "GetDeviceType",
    "ManageDeviceType",
];

/// What a client may do: all but to manage users, the configuration, networks and device types.
const CLIENT: [u8; 13] = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17];

/// A set of actions, `[0]` for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Actions(BTreeSet<u8>);

impl Actions {
    pub(crate) fn all() -> Self {
        Self([ANY].into())
    }

    pub(crate) fn client() -> Self {
        Self(CLIENT.into())
    }

    /// By names, or `*`; `None` where a name is of no action. No names at all are the client's set.
    pub(crate) fn of_names(names: &[String]) -> Option<Self> {
        let number = |name: &String| match name.as_str() {
            "*" => Some(ANY),
            name => {
                NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).and_then(|at| u8::try_from(at).ok())
            }
        };
        let numbers = names.iter().map(number).collect::<Option<BTreeSet<_>>>()?;
        Some(if numbers.is_empty() { Self::client() } else { Self(numbers) })
    }

    pub(crate) fn allow(&self, permission: Permission) -> bool {
        self.is_all() || self.0.contains(&(permission as u8))
    }

    pub(crate) fn is_all(&self) -> bool {
        self.0.contains(&ANY)
    }

    /// Whether everything that `other` allows is allowed here too.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        self.is_all() || other.0.is_subset(&self.0)
    }
}

/// Networks, or device types: all, or those.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Listed")]
pub(crate) enum Scope {
    All,
    Only(BTreeSet<i64>),
}

/// As tokens and rights write it: `"*"`, `["*"]`, `["1", 2]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    One(String),
    Many(Vec<Id>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

impl TryFrom<Listed> for Scope {
    type Error = String;
    fn try_from(listed: Listed) -> Result<Self, String> {
        let many = match listed {
            Listed::One(text) => vec![Id::Text(text)],
            Listed::Many(many) => many,
        };
        if many.iter().any(|id| matches!(id, Id::Text(text) if text == "*")) {
            return Ok(Self::All);
        }
        let number = |id: Id| match id {
            Id::Number(number) => Ok(number),
            Id::Text(text) => text.parse().map_err(|_| format!("{text} is no id and not *")),
        };
        many.into_iter().map(number).collect::<Result<_, _>>().map(Self::Only)
    }
}

impl From<Scope> for Vec<String> {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => vec!["*".to_owned()],
            Scope::Only(ids) => ids.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Scope {
    pub(crate) fn has(&self, id: i64) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Only(ids) if ids.is_empty())
    }

    /// Whether everything that is in `other` is in here too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }

    /// Levels of topic filters that match these: one wildcard, or each id.
    pub(crate) fn levels(&self) -> Vec<String> {
        match self {
            Self::All => vec!["+".to_owned()],
            Self::Only(ids) => ids.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_by_name() {
        let names =
            |names: &[&str]| Actions::of_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["GetDevice", "managetoken"]), Some(Actions([3, 15].into())));
        assert_eq!(names(&["*"]), Some(Actions::all()));
        assert_eq!(names(&[]), Some(Actions::client()));
        assert_eq!(names(&["Fly"]), None);
        assert!(Actions::client().allow(Permission::GetDeviceCommand));
        assert!(!Actions::client().allow(Permission::ManageUser));
        assert!(Actions::all().cover(&Actions::client()) && !Actions::client().cover(&Actions::all()));
    }

    #[test]
    fn scopes_are_read_as_tokens_write_them() {
        for (text, expected) in [
            (r#"["*"]"#, Some(Scope::All)),
            (r#""*""#, Some(Scope::All)),
            (r#"["1",2]"#, Some(Scope::Only([1, 2].into()))),
            ("[]", Some(Scope::Only([].into()))),
            (r#"["a"]"#, None),
            ("7", None),
        ] {
            assert_eq!(serde_json::from_str::<Scope>(text).ok(), expected, "{text}");
        }
        assert_eq!(serde_json::to_string(&Scope::Only([1, 2].into())).unwrap(), r#"["1","2"]"#);
        assert!(Scope::Only([1, 2].into()).covers(&Scope::Only([2].into())));
        assert!(!Scope::Only([1].into()).covers(&Scope::All));
    }
}
