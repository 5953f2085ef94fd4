//! What a plugin says about itself.

use crate::check::{self, NAME_MAX_BYTES, TEXT_MAX_BYTES};
use crate::claims::Route;
use crate::documented::Wanted;
use crate::one_line::is_control;
use dragoman_core::{Attributes, Json, Overflow, Stage, topic};
use std::sync::Arc;

/// The version of a plugin in bytes.
const VERSION_MAX_BYTES: usize = 128;

/// What a plugin says about itself, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `[a-z][a-z0-9-]{0,63}`, unique among the loaded plugins.
    pub name: Arc<str>,
    /// In the plugin's own numbering.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// What it answers for.
    pub claims: Vec<Claim>,
    /// The most that a device of this dialect can tell.
    pub tells: Stage,
    /// At least one where it has a northbound side.
    pub queues: Vec<Queue>,
    /// HTTP headers, lower case, that carry a credential.
    pub credential_headers: Vec<String>,
    /// JSON Schema of the settings.
    pub settings_schema: Option<Json>,
    /// As it wrote them. What follows is read from them.
    pub attributes: Attributes,
    /// Collections of documents and the top-level fields that find documents in them: `documents.index`.
    pub indexes: Vec<(String, String)>,
    /// How far a device's execution must have got before its next is dispatched, whatever queue and origin it has:
    /// `device.window`; none: at once.
    pub device_window: Option<Stage>,
    /// Whether its devices count as online without a session of their own: `device.presence`.
    pub always_present: bool,
    /// Whether its clients may use topics that no dialect claims: `topics.unclaimed`.
    pub unclaimed_topics: bool,
    /// Which transitions of its executions it is told: `notifications.transitions`, `notifications.intents`.
    pub transitions: Wanted,
    /// Which kinds of events it is told: `notifications.events`.
    pub events: Vec<String>,
}

/// One thing a plugin answers for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// HTTP requests.
    Http(Route),
    /// What devices of this dialect publish: a topic filter.
    DeviceTopic(String),
    /// What applications of this dialect publish: a topic filter. Asked before the dialect's own device topics.
    ApplicationTopic(String),
    /// MQTT connections of the listeners that name it.
    Connections,
}

/// Where commands of one dialect for one device wait, first in, first out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Unique within the dialect.
    pub name: Arc<str>,
    /// The next command goes out when the one before got this far.
    pub window: Stage,
    /// Items that may wait for one device.
    pub limit: u32,
    /// What gives way beyond that.
    pub overflow: Overflow,
}

/// The interfaces that a component exports besides `plugin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Says who may connect.
    pub admission: bool,
    /// The platform's application side.
    pub northbound: bool,
    /// The platform's device side.
    pub southbound: bool,
    /// The platform's application side over MQTT.
    pub topics: bool,
    /// Says what a client gets that asks for a filter its policy does not grant.
    pub subscriptions: bool,
    /// Is told what happens.
    pub notifications: bool,
    /// Goes on with what it asked.
    pub answers: bool,
    /// Per-device code.
    pub handler: bool,
    /// Per-device code that reads payloads.
    pub decoder: bool,
}

impl Claim {
    fn bytes(&self) -> usize {
        match self {
            Self::Http(route) => route.to_string().len(),
            Self::DeviceTopic(filter) | Self::ApplicationTopic(filter) => filter.len(),
            Self::Connections => 0,
        }
    }
}

impl Roles {
    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Description {
    /// What does not fit, as the middle of a sentence, and what would mend it.
    pub(crate) fn problem(&self, roles: Roles) -> Option<String> {
        let name = &*self.name;
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.len() > 64 || !name.bytes().all(valid) {
            return Some(format!(
                "describes itself as `{name:.80}`; a name is a lower-case letter and up to 63 letters, digits and dashes"
            ));
        }
        for (what, text, max) in
            [("version", &self.version, VERSION_MAX_BYTES), ("summary", &self.summary, TEXT_MAX_BYTES)]
        {
            if text.len() > max || text.contains(is_control) {
                return Some(format!(
                    "describes a {what} of {} bytes; a {what} is one line of at most {max} bytes",
                    text.len()
                ));
            }
        }
        if let Err(fault) = check::attributes("attributes of a description", &self.attributes) {
            return Some(format!("describes too much: {fault}; shorten its attributes"));
        }
        if self.claims.len() > 256 || self.queues.len() > 64 || self.credential_headers.len() > 64 {
            return Some("claims too much; at most 256 claims, 64 queues and 64 credential headers are allowed".into());
        }
        let missing = |claim: &str, export: &str| {
            Some(format!("claims {claim} but does not export `{export}`; export it or drop the claim"))
        };
        for claim in &self.claims {
            if claim.bytes() > NAME_MAX_BYTES {
                return Some(format!(
                    "claims a route or topic of {} bytes; at most {NAME_MAX_BYTES} are allowed",
                    claim.bytes()
                ));
            }
            match claim {
                Claim::Http(_) if !roles.northbound => return missing("HTTP routes", "northbound"),
                Claim::DeviceTopic(_) if !roles.southbound => return missing("device topics", "southbound"),
                Claim::ApplicationTopic(_) if !roles.topics => return missing("application topics", "topics"),
                Claim::Connections if !roles.admission => return missing("connections", "admission"),
                Claim::DeviceTopic(filter) => {
                    if let Err(problem) = topic::check_filter(filter) {
                        return Some(format!("claims the device topic `{filter:.200}`, but {problem}"));
                    }
                }
                Claim::ApplicationTopic(filter) => {
                    if let Err(problem) = topic::check_filter(filter) {
                        return Some(format!("claims the application topic `{filter:.200}`, but {problem}"));
                    }
                }
                Claim::Http(_) | Claim::Connections => {}
            }
        }
        if !roles.notifications && (!self.transitions.is_none() || !self.events.is_empty()) {
            return Some(
                "describes what it wants to be told but does not export `notifications`; export it or drop the \
                 attributes"
                    .into(),
            );
        }
        for (submits, export) in [(roles.northbound, "northbound"), (roles.topics, "topics")] {
            if submits && self.queues.is_empty() {
                return Some(format!("exports `{export}` but describes no queue; describe at least one"));
            }
        }
        for (at, queue) in self.queues.iter().enumerate() {
            let name = &*queue.name;
            if name.is_empty() || name.len() > 64 || queue.limit == 0 {
                return Some(format!(
                    "describes the queue `{name:.80}` with limit {}; a queue has a name of 1 to 64 bytes and a limit of \
                     at least 1",
                    queue.limit
                ));
            }
            if self.queues.iter().take(at).any(|earlier| earlier.name == queue.name) {
                return Some(format!("describes the queue `{name}` twice; give each its own name"));
            }
        }
        self.credential_headers
            .iter()
            .find(|header| !is_header_name(header))
            .map(|header| format!("names the credential header `{header:.80}`; write a header name in lower case"))
    }

    /// What both plugins claim, if anything.
    pub(crate) fn conflict(&self, other: &Self) -> Option<String> {
        let pairs = self.claims.iter().flat_map(|mine| other.claims.iter().map(move |theirs| (mine, theirs)));
        for (mine, theirs) in pairs {
            match (mine, theirs) {
                (Claim::Http(mine), Claim::Http(theirs)) if mine.overlaps(theirs) => {
                    return Some(format!("the route `{mine}`, which `{theirs}` overlaps"));
                }
                (Claim::DeviceTopic(mine), Claim::DeviceTopic(theirs) | Claim::ApplicationTopic(theirs))
                    if topic::overlaps(mine, theirs) =>
                {
                    return Some(format!("the device topic `{mine}`, which `{theirs}` overlaps"));
                }
                (Claim::ApplicationTopic(mine), Claim::DeviceTopic(theirs) | Claim::ApplicationTopic(theirs))
                    if topic::overlaps(mine, theirs) =>
                {
                    return Some(format!("the application topic `{mine}`, which `{theirs}` overlaps"));
                }
                _ => {}
            }
        }
        None
    }
}

fn is_header_name(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(valid)
}
