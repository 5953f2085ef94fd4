//! What of the host a plugin may call. Its imports are its needs; the operator grants them by name.

use std::collections::BTreeSet;
use std::fmt;

/// An interface of the contract that has to be granted. `host`, with time, ids, settings and log, is everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interface {
    /// The registry and the plugin's own profiles.
    Devices,
    /// Commands: submit, look up, tell what became of them.
    Executions,
    /// The plugin's own durable records.
    Documents,
    /// Connected clients: their policies, notes and connections.
    Sessions,
    /// Messages to clients, and requests to the targets of the configuration.
    Outbox,
    /// What devices say, told to other dialects.
    Events,
    /// Checks and signatures with stored secrets, which the plugin does not see.
    Credentials,
    /// Questions to handlers of devices.
    Asks,
}

/// Interfaces that are granted.
pub type Grants = BTreeSet<Interface>;

impl Interface {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Devices,
        Self::Executions,
        Self::Documents,
        Self::Sessions,
        Self::Outbox,
        Self::Events,
        Self::Credentials,
        Self::Asks,
    ];

    /// Its name in the contract and in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Executions => "executions",
            Self::Documents => "documents",
            Self::Sessions => "sessions",
            Self::Outbox => "outbox",
            Self::Events => "events",
            Self::Credentials => "credentials",
            Self::Asks => "asks",
        }
    }

    /// The interface of that name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interface| interface.word() == word)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is missing of what a plugin needs, as the middle of a sentence, and the line that would grant it.
pub(crate) fn missing(plugin: &str, needs: &Grants, granted: &Grants) -> Option<String> {
    let missing: Vec<_> = needs.difference(granted).map(|interface| format!("`{interface}`")).collect();
    if missing.is_empty() {
        return None;
    }
    // What it was granted and does not need now was for another version.
    let line: Vec<_> = needs.union(granted).map(|interface| format!("\"{interface}\"")).collect();
    Some(format!(
        "needs {}, which the configuration does not grant to `{plugin}`; if you trust it with that, set grants = [{}] in \
         [plugin.{plugin}] and restart",
        missing.join(" and "),
        line.join(", ")
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_line_to_add() {
        use Interface::{Devices, Executions, Outbox};
        let grants = |all: &[Interface]| all.iter().copied().collect::<Grants>();
        for (needs, granted, told) in [
            (&[][..], &[][..], None),
            (&[Devices], &[Devices, Outbox], None),
            (
                &[Outbox, Devices],
                &[Executions, Devices],
                Some(
                    "needs `outbox`, which the configuration does not grant to `acme-things`; if you trust it with that, \
                     set grants = [\"devices\", \"executions\", \"outbox\"] in [plugin.acme-things] and restart",
                ),
            ),
        ] {
            assert_eq!(missing("acme-things", &grants(needs), &grants(granted)).as_deref(), told);
        }
        assert!(missing("x", &grants(&[Devices, Outbox]), &grants(&[])).unwrap().contains("`devices` and `outbox`"));
    }

    #[test]
    fn every_interface_has_its_name() {
        for interface in Interface::ALL {
            assert_eq!(Interface::of(interface.word()), Some(interface));
        }
        assert_eq!(Interface::of("host"), None);
    }
}
