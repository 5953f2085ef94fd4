//! What the attributes of a description say, as far as the contract documents them. Others are left alone.

use dragoman_core::{Attributes, Event, Intent, Stage};

/// Indexes of all collections together.
const INDEXES_MAX: usize = 64;

/// Which transitions of its executions a dialect is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    events: Events,
    /// The kinds of intents, in the contract's words; none: every kind.
    intents: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Events {
    #[default]
    None,
    All,
    /// Those of these events, in the contract's words.
    Some(Vec<String>),
}

impl Wanted {
    /// Whether a transition of this event is told, of an execution of this intent.
    pub fn wants(&self, intent: &Intent, event: Event) -> bool {
        let wants_event = match &self.events {
            Events::None => false,
            Events::All => true,
            Events::Some(events) => events.iter().any(|wanted| wanted == event.word()),
        };
        wants_event && (self.intents.is_empty() || self.intents.contains(&kind_of(intent)))
    }

    /// Whether nothing is told.
    pub fn is_none(&self) -> bool {
        self.events == Events::None
    }
}

/// The kinds of intents in the contract's words.
const INTENTS: [&str; 4] = ["invoke", "write", "read", "deliver"];

fn kind_of(intent: &Intent) -> &'static str {
    let [invoke, write, read, deliver] = INTENTS;
    match intent {
        Intent::Invoke(_) => invoke,
        Intent::Write(_) => write,
        Intent::Read(_) => read,
        Intent::Deliver(_) => deliver,
    }
}

/// What the documented attributes say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Documented {
    pub(crate) indexes: Vec<(String, String)>,
    pub(crate) device_window: Option<Stage>,
    pub(crate) always_present: bool,
    pub(crate) unclaimed_topics: bool,
    pub(crate) transitions: Wanted,
    pub(crate) events: Vec<String>,
}

impl Documented {
    /// Reads them. The error is the middle of a sentence about the plugin, with what would mend it.
    pub(crate) fn read(attributes: &Attributes) -> Result<Self, String> {
        let mut read = Self::default();
        let mut once = Vec::new();
        for (name, value) in attributes {
            let wrong = |allowed: &str| {
                Err(format!("describes the attribute `{name}` as `{value:.100}`, but it must be {allowed}"))
            };
            if matches!(name.as_str(), "device.presence" | "device.window" | "topics.unclaimed") {
                if once.contains(&name) {
                    return Err(format!("describes the attribute `{name}` twice; describe it once"));
                }
                once.push(name);
            }
            match (name.as_str(), value.as_str()) {
                ("documents.index", index) => match index.split_once('.') {
                    Some((collection, field)) if is_collection(collection) && is_field(field) => {
                        read.indexes.push((collection.to_owned(), field.to_owned()));
                    }
                    _ => return wrong("`collection.field`, e.g. `commands.id`"),
                },
                ("device.presence", "session") | ("device.window", "accepted") => {}
                ("device.presence", "always") => read.always_present = true,
                ("device.presence", _) => return wrong("`session` or `always`"),
                ("device.window", "sent") => read.device_window = Some(Stage::Sent),
                ("device.window", "acked") => read.device_window = Some(Stage::Acked),
                ("device.window", "ended") => read.device_window = Some(Stage::Ended),
                ("device.window", _) => return wrong("`accepted`, `sent`, `acked` or `ended`"),
                ("topics.unclaimed", "allow") => read.unclaimed_topics = true,
                ("topics.unclaimed", _) => return wrong("`allow`"),
                ("notifications.transitions", "all") => read.transitions.events = Events::All,
                ("notifications.transitions", event) if Event::ALL.iter().any(|known| known.word() == event) => {
                    match &mut read.transitions.events {
                        Events::All => {}
                        Events::Some(events) => events.push(event.to_owned()),
                        none @ Events::None => *none = Events::Some(vec![event.to_owned()]),
                    }
                }
                ("notifications.transitions", _) => {
                    return wrong(&format!("`all` or one of {}", Event::ALL.map(Event::word).join(", ")));
                }
                ("notifications.intents", kind) => match INTENTS.iter().find(|known| **known == kind) {
                    Some(known) => read.transitions.intents.push(known),
                    None => return wrong(&format!("one of {}", INTENTS.join(", "))),
                },
                ("notifications.events", kind) if is_kind(kind) => read.events.push(kind.to_owned()),
                ("notifications.events", _) => return wrong("a kind of event, e.g. `uplink`"),
                _ => {}
            }
        }
        if read.indexes.len() > INDEXES_MAX {
            return Err(format!(
                "describes {} indexes of documents; at most {INDEXES_MAX} are allowed",
                read.indexes.len()
            ));
        }
        Ok(read)
    }
}

/// The name of a collection of documents: `[a-z][a-z0-9_-]{0,63}`
pub(crate) fn is_collection(text: &str) -> bool {
    is_word(text, b"_-")
}

/// A kind of event: `[a-z][a-z0-9-]{0,63}`
pub(crate) fn is_kind(text: &str) -> bool {
    is_word(text, b"-")
}

/// A top-level field that documents are found by: letters, digits, `_`, `-` and `$`, at most 64.
fn is_field(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(valid)
}

fn is_word(text: &str, marks: &[u8]) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || marks.contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.len() <= 64 && text.bytes().all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(attributes: &[(&str, &str)]) -> Result<Documented, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Documented::read(&attributes.iter().map(owned).collect())
    }

    #[test]
    fn documented_attributes_are_read_and_others_left_alone() {
        let all = read(&[
            ("documents.index", "commands.id"),
            ("documents.index", "users.loginName"),
            ("device.presence", "always"),
            ("device.window", "acked"),
            ("topics.unclaimed", "allow"),
            ("notifications.transitions", "ended"),
            ("notifications.transitions", "attempt-failed"),
            ("notifications.events", "uplink"),
            ("acme.own", "anything"),
        ])
        .unwrap();
        let index = |collection: &str, field: &str| (collection.to_owned(), field.to_owned());
        assert_eq!(all.indexes, [index("commands", "id"), index("users", "loginName")]);
        assert_eq!((all.device_window, all.always_present, all.unclaimed_topics), (Some(Stage::Acked), true, true));
        assert_eq!(all.events, ["uplink"]);
        let read_all = Intent::Read(Vec::new());
        assert!(all.transitions.wants(&read_all, Event::Ended) && !all.transitions.wants(&read_all, Event::Sent));
        assert!(!Wanted::default().wants(&read_all, Event::Ended) && Wanted::default().is_none());
        let same_as_absent = [("device.presence", "session"), ("device.window", "accepted")];
        assert_eq!(read(&same_as_absent), Ok(Documented::default()));
        let every = [("notifications.transitions", "ended"), ("notifications.transitions", "all")];
        assert!(read(&every).unwrap().transitions.wants(&read_all, Event::Sent));
        let writes = [("notifications.intents", "write"), ("notifications.transitions", "all")];
        let writes = read(&writes).unwrap().transitions;
        assert!(writes.wants(&Intent::Write(Vec::new()), Event::Sent) && !writes.wants(&read_all, Event::Sent));
    }

    #[test]
    fn a_documented_attribute_with_another_value_is_refused_with_a_sentence() {
        for (name, value) in [
            ("documents.index", "commands"),
            ("documents.index", "Commands.id"),
            ("documents.index", "commands.a.b"),
            ("documents.index", "commands."),
            ("device.presence", "Always"),
            ("device.window", "later"),
            ("topics.unclaimed", "deny"),
            ("notifications.transitions", "finished"),
            ("notifications.intents", "all"),
            ("notifications.events", "Uplink"),
            ("notifications.events", ""),
        ] {
            let said = read(&[(name, value)]).unwrap_err();
            assert!(said.contains(name) && said.contains("must be"), "{said}");
        }
        let twice = read(&[("device.window", "sent"), ("device.window", "acked")]).unwrap_err();
        assert_eq!(twice, "describes the attribute `device.window` twice; describe it once");
    }
}
