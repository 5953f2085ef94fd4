//! What a device declares: its properties and methods, from its profile and from its own record.

use crate::settings::{Settings, Undeclared};
use crate::value::{Boundaries, Kind};
use dragoman_plugin_sdk::{Device, Error, json, route};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a property's or a method's name, which is a level of topics.
const NAME_BYTES_MAX: usize = 128;

/// Names that stand for something else in the answers and topics of the platform, lower case.
const RESERVED: [&str; 14] = [
    "id",
    "accountid",
    "name",
    "friendlyname",
    "customids",
    "status",
    "apps",
    "location",
    "profileid",
    "properties",
    "json",
    "connectioninfo",
    "lastin",
    "lastout",
];

/// The built-in property that tells whether a device is connected.
pub(crate) const CONNECTION_STATUS: &str = "connectionStatus";

/// Properties and methods by name, as the operator writes them. Members of the platform's own objects that are not
/// named here, e.g. `retention`, are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// By name.
    pub properties: BTreeMap<String, PropertyDefinition>,
    /// By name.
    pub methods: BTreeMap<String, MethodDefinition>,
}

/// What is known of a property.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PropertyDefinition {
    /// `_prp_…`, where the operator gives one.
    pub id: Option<String>,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Who may read and write it besides the device.
    pub access: Access,
    /// Whether the device hears of a write.
    pub publish: Publish,
    /// What narrows the type.
    pub boundaries: Boundaries,
    /// What the device does to confirm a write; ours.
    pub feedback: Option<Feedback>,
}

/// Who may read and write a property, or call a method, besides the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everybody with the right.
    #[default]
    Public,
    /// Others may read it.
    Protected,
    /// Nobody else.
    Private,
}

/// Whether the device hears of a write by another key than its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Publish {
    /// Of each.
    #[default]
    Always,
    /// Of one with another value than the stored one.
    Changed,
    /// Of none.
    Never,
}

/// Whether and how the device confirms a write.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Feedback {
    /// `true`: it publishes the same property with an equal value.
    Plain(bool),
    /// By this rule.
    By(Rule),
}

/// How the device confirms a write. Without a property and a method it is the written property itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The property that the device then publishes.
    pub property: Option<String>,
    /// The method that the device then calls.
    pub method: Option<String>,
    /// The value that means success; none: the value that was written, and any argument of a method.
    pub succeeded: Option<Value>,
    /// The value that means that it could not.
    pub failed: Option<Value>,
    /// The value that means that it would not.
    pub rejected: Option<Value>,
    /// What any other value means.
    pub mismatch: Mismatch,
}

/// What a value means that confirms nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mismatch {
    /// Nothing: the device may be on its way.
    #[default]
    Ignore,
    /// That it could not.
    Fail,
}

/// A method: on the platform a script on the server; here it writes one property.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MethodDefinition {
    /// `_mtd_…`, where the operator gives one.
    #[serde(default)]
    pub id: Option<String>,
    /// The property that it writes.
    pub property: String,
    /// The member of the parameters that is the value; none: the argument itself.
    #[serde(default)]
    pub argument: Option<String>,
    /// Who may call it.
    #[serde(default)]
    pub access: Access,
}

/// The dialect's own record about a device.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DeviceRecord {
    /// Name of a profile of the settings.
    profile: Option<String>,
    /// Devices below this one for which its key is good as well.
    linked: Vec<String>,
    #[serde(flatten)]
    own: Profile,
}

/// A property as a call finds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    /// As it was declared; as it was asked for where it was not.
    pub(crate) name: String,
    pub(crate) definition: PropertyDefinition,
}

impl Property {
    /// Its name in topics and in the store.
    pub(crate) fn key(&self) -> String {
        self.name.to_lowercase()
    }

    /// The rule by which the device confirms a write, where there is one.
    pub(crate) fn rule(&self, settings: &Settings) -> Option<Rule> {
        match &self.definition.feedback {
            None if settings.feedback => Some(Rule::default()),
            None | Some(Feedback::Plain(false)) => None,
            Some(Feedback::Plain(true)) => Some(Rule::default()),
            Some(Feedback::By(rule)) => Some(rule.clone()),
        }
    }
}

/// All that a device declares.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Name of its profile, lower case as in qualified names.
    profile: String,
    properties: Vec<Property>,
    methods: Vec<(String, MethodDefinition)>,
    takes_undeclared: bool,
    /// Ids of the devices that it speaks for.
    pub(crate) linked: Vec<String>,
}

impl Model {
    /// What the device's own record declares goes before what its profile does.
    pub(crate) fn of(settings: &Settings, device: &Device) -> Result<Self, Error> {
        let broken = |why: &str| {
            let text =
                format!("the profile of device {} does not fit: {why}; correct it with the device's record", device.id);
            Error::Internal(text)
        };
        let record: DeviceRecord = match device.profile.as_deref().filter(|_| device.dialect == crate::NAME) {
            None => DeviceRecord::default(),
            Some(text) => json::parse_object(text).map_err(|error| broken(error.text()))?,
        };
        let profile = match &record.profile {
            None => Profile::default(),
            Some(name) => settings
                .profiles
                .get(name)
                .cloned()
                .ok_or_else(|| broken(&format!("the settings have no profile {name:?}")))?,
        };
        let mut model = Self {
            profile: record.profile.unwrap_or_default().to_lowercase(),
            properties: Vec::new(),
            methods: Vec::new(),
            takes_undeclared: false,
            linked: record.linked,
        };
        for (name, definition) in record.own.properties.into_iter().chain(profile.properties) {
            if !model.properties.iter().any(|known| is_same_name(&known.name, &name)) {
                model.properties.push(Property { name, definition });
            }
        }
        for (name, definition) in record.own.methods.into_iter().chain(profile.methods) {
            if !model.methods.iter().any(|(known, _)| is_same_name(known, &name)) {
                model.methods.push((name, definition));
            }
        }
        model.takes_undeclared = match settings.undeclared_properties {
            Undeclared::Accept => true,
            Undeclared::AcceptIfNone => model.properties.is_empty(),
            Undeclared::Refuse => false,
        };
        Ok(model)
    }

    /// By name, by `profile$name` or by id, without case. Why there is none: for people.
    pub(crate) fn property(&self, asked: &str) -> Result<Property, String> {
        let is_it = |known: &&Property| {
            is_same_name(&known.name, self.local_name(asked))
                || known.definition.id.as_deref().is_some_and(|id| is_same_name(id, asked))
        };
        if let Some(known) = self.properties.iter().find(is_it) {
            return if is_name(&known.name) { Ok(known.clone()) } else { Err(bad_name(&known.name)) };
        }
        if !self.takes_undeclared {
            return Err(format!("the device has no property {asked:.128}"));
        }
        if !is_name(asked) {
            return Err(bad_name(asked));
        }
        Ok(Property { name: asked.to_owned(), definition: PropertyDefinition::default() })
    }

    /// By name or by id, without case: its name and what it does.
    pub(crate) fn method(&self, asked: &str) -> Option<(&str, &MethodDefinition)> {
        let is_it = |(name, known): &&(String, MethodDefinition)| {
            is_same_name(name, self.local_name(asked)) || known.id.as_deref().is_some_and(|id| is_same_name(id, asked))
        };
        self.methods.iter().find(is_it).map(|(name, known)| (name.as_str(), known))
    }

    /// Those that are declared.
    pub(crate) fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// Those that are declared.
    pub(crate) fn methods(&self) -> &[(String, MethodDefinition)] {
        &self.methods
    }

    /// Whether any write to the device may be confirmed by it.
    pub(crate) fn has_rules(&self, settings: &Settings) -> bool {
        settings.feedback || self.properties.iter().any(|property| property.rule(settings).is_some())
    }

    /// `profile$name`, lower case; the name alone where the device has no profile.
    pub(crate) fn qualified(&self, name: &str) -> String {
        let name = name.to_lowercase();
        if self.profile.is_empty() { name } else { format!("{}${name}", self.profile) }
    }

    fn local_name<'a>(&self, asked: &'a str) -> &'a str {
        asked
            .split_once('$')
            .filter(|(profile, _)| is_same_name(profile, &self.profile))
            .map_or(asked, |(_, name)| name)
    }
}

/// Names are matched without case.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Whether a name can be a property's: a topic level of at most 128 bytes that stands for nothing else.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && route::is_topic_level(name)
        && !RESERVED.contains(&name.to_lowercase().as_str())
        && !is_same_name(name, CONNECTION_STATUS)
}

fn bad_name(name: &str) -> String {
    format!(
        "{name:.128} cannot be a property's name: it is reserved, longer than {NAME_BYTES_MAX} bytes, or no topic level"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_plugin_sdk::Gateway;
    use dragoman_plugin_sdk::testing::Fake;

    const SETTINGS: &str = r#"{"profiles":{"Thermostat":{
        "properties":{"Setpoint":{"id":"_prp_1","type":"number","retention":{"type":"mostrecent"}},"mode":{"publish":"changed"}},
        "methods":{"setTemperature":{"property":"setpoint","argument":"value"}}}}}"#;

    fn model(settings: &str, profile: &str) -> Result<Model, Error> {
        let fake = Fake { settings: settings.to_owned(), ..Fake::default() };
        fake.add_device("d", crate::NAME, &[]);
        fake.devices.borrow_mut()[0].profile = Some(profile.to_owned());
        Model::of(&Settings::read(&fake)?, &fake.device("d").unwrap())
    }

    #[test]
    fn properties_are_found_by_name_qualified_name_and_id_without_case() {
        let model = model(SETTINGS, r#"{"profile":"Thermostat","properties":{"MODE":{"publish":"never"}}}"#).unwrap();
        for (asked, expected) in [
            ("setpoint", Some("Setpoint")),
            ("SETPOINT", Some("Setpoint")),
            ("thermostat$setpoint", Some("Setpoint")),
            ("_PRP_1", Some("Setpoint")),
            ("other$setpoint", None),
            ("mode", Some("MODE")),
            ("else", None),
        ] {
            assert_eq!(model.property(asked).ok().map(|property| property.name).as_deref(), expected, "{asked}");
        }
        assert_eq!(model.property("mode").unwrap().definition.publish, Publish::Never, "its own goes first");
        assert_eq!(model.method("SetTemperature").unwrap().1.property, "setpoint");
        assert_eq!(model.qualified("Setpoint"), "thermostat$setpoint");
    }

    #[test]
    fn what_is_not_declared_is_taken_by_setting() {
        let long = "x".repeat(129);
        for (settings, profile, asked, taken) in [
            ("{}", "{}", "level", true),
            ("{}", r#"{"properties":{"mode":{}}}"#, "level", false),
            (r#"{"undeclared-properties":"accept"}"#, r#"{"properties":{"mode":{}}}"#, "level", true),
            (r#"{"undeclared-properties":"refuse"}"#, "{}", "level", false),
            ("{}", "{}", "a/b", false),
            ("{}", "{}", "#", false),
            ("{}", "{}", "", false),
            ("{}", "{}", "json", false),
            ("{}", "{}", "ConnectionStatus", false),
            ("{}", "{}", "accountId", false),
            ("{}", "{}", &long, false),
            ("{}", r#"{"properties":{"id":{}}}"#, "id", false),
        ] {
            assert_eq!(
                model(settings, profile).unwrap().property(asked).is_ok(),
                taken,
                "{settings} {profile} {asked}"
            );
        }
    }

    #[test]
    fn feedback_is_a_flag_or_a_rule() {
        let rule = |settings: &str, definition: &str| {
            let model = model(settings, &format!(r#"{{"properties":{{"a":{definition}}}}}"#)).unwrap();
            model.property("a").unwrap().rule(&serde_json::from_str(settings).unwrap())
        };
        assert_eq!(rule("{}", "{}"), None);
        assert_eq!(rule(r#"{"feedback":true}"#, "{}"), Some(Rule::default()));
        assert_eq!(rule(r#"{"feedback":true}"#, r#"{"feedback":false}"#), None);
        assert_eq!(rule("{}", r#"{"feedback":true}"#), Some(Rule::default()));
        let by = rule("{}", r#"{"feedback":{"property":"result","failed":"error"}}"#).unwrap();
        assert_eq!((by.property.as_deref(), by.failed), (Some("result"), Some(Value::from("error"))));
    }

    #[test]
    fn a_record_that_does_not_fit_is_named() {
        for profile in ["[]", r#"{"profile":"None"}"#, r#"{"properties":{"a":{"type":"int"}}}"#, r#"{"linked":1}"#] {
            assert!(
                matches!(model("{}", profile), Err(Error::Internal(text)) if text.contains("device d")),
                "{profile}"
            );
        }
    }
}
