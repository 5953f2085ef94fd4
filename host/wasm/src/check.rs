//! Bounds of what plugins hand over. Every check names what is wrong; the caller decides whether that is a fault of
//! the call or a refusal of what was asked.

use crate::error::Fault;
use crate::options::RuntimeOptions;
use dragoman_core::{Attributes, Delivery, Intent, Message, Outcome, Payload, Policy, Reason, Subscription, topic};
use serde::de::IgnoredAny;

/// Nesting of arrays and objects in a JSON document of a plugin.
pub(crate) const JSON_DEPTH_MAX: usize = 64;
/// State of a handler in bytes.
pub(crate) const STATE_MAX_BYTES: usize = 64 << 10;
/// Messages, frames and list items in one answer.
pub(crate) const ITEMS_MAX: usize = 64;
/// Short names: aliases, labels, actions, properties, keys, accounts, in bytes.
pub(crate) const NAME_MAX_BYTES: usize = 512;
/// Texts for people in bytes.
pub(crate) const TEXT_MAX_BYTES: usize = 4096;
/// Labels of one execution.
pub(crate) const LABELS_MAX: usize = 8;
/// Filters in one list of a policy.
const FILTERS_MAX: usize = 256;
/// Names and values of headers or attributes together, in bytes.
const ATTRIBUTES_MAX_BYTES: usize = 16 << 10;

/// Sizes that the configuration sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) json_max_bytes: usize,
    pub(crate) response_max_bytes: usize,
}

impl From<&RuntimeOptions> for Bounds {
    fn from(options: &RuntimeOptions) -> Self {
        Self { json_max_bytes: options.json_max_bytes, response_max_bytes: options.response_max_bytes }
    }
}

/// A check that failed: too large, or malformed.
pub(crate) type Checked = Result<(), Fault>;

impl Bounds {
    /// A JSON document.
    pub(crate) fn json(&self, what: &str, text: &str) -> Checked {
        size(what, text.len(), self.json_max_bytes)?;
        if json_depth(text) > JSON_DEPTH_MAX {
            return Err(Fault::DoesNotFit(format!("{what} is nested deeper than {JSON_DEPTH_MAX} levels")));
        }
        serde_json::from_str::<IgnoredAny>(text)
            .map(drop)
            .map_err(|error| Fault::DoesNotFit(format!("{what} is not valid JSON: {error}")))
    }

    /// A JSON document where there is one.
    pub(crate) fn json_option(&self, what: &str, text: Option<&str>) -> Checked {
        text.map_or(Ok(()), |text| self.json(what, text))
    }

    /// A JSON document whose value is an object, or `null` where that is allowed.
    pub(crate) fn json_object(&self, what: &str, text: &str, or_null: bool) -> Checked {
        self.json(what, text)?;
        let text = text.trim_start();
        if text.starts_with('{') || (or_null && text.starts_with("null")) {
            return Ok(());
        }
        Err(Fault::DoesNotFit(format!("{what} is not a JSON object")))
    }

    /// What goes over MQTT.
    pub(crate) fn payload(&self, what: &str, payload: &Payload) -> Checked {
        size(what, payload.as_bytes().len(), self.json_max_bytes)
    }

    /// What is wanted of a device.
    pub(crate) fn intent(&self, intent: &Intent) -> Checked {
        match intent {
            Intent::Invoke(invocation) => {
                name_option("an intent's service", invocation.service.as_deref())?;
                name("an intent's action", &invocation.action)?;
                self.json_object("an intent's params", &invocation.params, true)
            }
            Intent::Write(properties) => {
                count("properties of an intent", properties.len(), 1, 1024)?;
                properties.iter().try_for_each(|property| {
                    name_option("a property's service", property.service.as_deref())?;
                    name("a property's name", &property.name)?;
                    self.json("a property's value", &property.value)
                })
            }
            Intent::Read(names) => {
                count("properties of an intent", names.len(), 0, 1024)?;
                names.iter().try_for_each(|property| {
                    name_option("a property's service", property.service.as_deref())?;
                    name("a property's name", &property.name)
                })
            }
            Intent::Deliver(delivery) => self.delivery(delivery),
        }
    }

    /// A payload with its name.
    pub(crate) fn delivery(&self, delivery: &Delivery) -> Checked {
        name_option("a delivery's name", delivery.name.as_deref())?;
        self.payload("a delivery's payload", &delivery.payload)?;
        attributes("a delivery's attributes", &delivery.attributes)
    }

    /// A message that a plugin sends.
    pub(crate) fn message(&self, message: &Message) -> Checked {
        if let Err(problem) = topic::check_name(&message.topic) {
            return Err(Fault::DoesNotFit(format!("`{:.200}` is not a topic: {problem}", message.topic)));
        }
        qos(message.qos, 1)?;
        self.payload("the payload of a message", &message.payload)?;
        attributes("attributes of a message", &message.attributes)
    }

    /// A device's verdict, as a plugin words it.
    pub(crate) fn outcome(&self, outcome: &Outcome) -> Checked {
        match outcome {
            Outcome::Succeeded(value) => self.json_option("an outcome", value.as_deref()),
            Outcome::Failed(reason) | Outcome::Rejected(reason) => self.reason(reason),
        }
    }

    /// Why something did not happen, as a plugin words it.
    pub(crate) fn reason(&self, reason: &Reason) -> Checked {
        name("a reason's code", &reason.code)?;
        own_code(reason)?;
        size("a reason's text", reason.text.len(), TEXT_MAX_BYTES)?;
        self.json_option("a reason's detail", reason.detail.as_deref())
    }
}

/// Codes that begin with `$` are the host's.
pub(crate) fn own_code(reason: &Reason) -> Checked {
    if reason.code.starts_with('$') {
        return Err(Fault::DoesNotFit(format!(
            "it used the reason code `{:.100}`, but codes that begin with `$` are the host's",
            reason.code
        )));
    }
    Ok(())
}

/// A short name that must not be empty.
pub(crate) fn name(what: &str, text: &str) -> Checked {
    if text.is_empty() {
        return Err(Fault::DoesNotFit(format!("{what} is empty")));
    }
    size(what, text.len(), NAME_MAX_BYTES)
}

/// A short name where there is one.
pub(crate) fn name_option(what: &str, text: Option<&str>) -> Checked {
    text.map_or(Ok(()), |text| name(what, text))
}

/// How many there are of something.
pub(crate) fn count(what: &str, count: usize, min: usize, max: usize) -> Checked {
    if count < min {
        return Err(Fault::DoesNotFit(format!("there are {count} {what}, but at least {min} are needed")));
    }
    if count > max {
        return Err(Fault::Output(format!("there are {count} {what}, but at most {max} are allowed")));
    }
    Ok(())
}

/// How large something is.
pub(crate) fn size(what: &str, bytes: usize, max: usize) -> Checked {
    if bytes > max {
        return Err(Fault::Output(format!("{what} has {bytes} bytes, but at most {max} are allowed")));
    }
    Ok(())
}

/// Labels that a selection names, or that an execution has: at most 8.
pub(crate) fn labels(labels: &Attributes) -> Checked {
    count("labels of an execution", labels.len(), 0, LABELS_MAX)?;
    labels.iter().try_for_each(|(name, value)| label(name, value))
}

/// One label.
pub(crate) fn label(label: &str, value: &str) -> Checked {
    name("the name of a label", label)?;
    size("the value of a label", value.len(), NAME_MAX_BYTES)
}

/// What a session may do.
pub(crate) fn policy(Policy { publish, subscribe, receive, implicit }: &Policy) -> Checked {
    for (what, filters) in [("publish", publish), ("subscribe", subscribe), ("receive", receive)] {
        count(&format!("{what} filters of a policy"), filters.len(), 0, FILTERS_MAX)?;
        filters.iter().try_for_each(|one| filter(one))?;
    }
    count("implicit subscriptions of a policy", implicit.len(), 0, FILTERS_MAX)?;
    implicit.iter().try_for_each(|one: &Subscription| {
        filter(&one.filter)?;
        qos(one.qos, 2)
    })
}

/// A topic filter.
pub(crate) fn filter(filter: &str) -> Checked {
    size("a topic filter", filter.len(), NAME_MAX_BYTES)?;
    topic::check_filter(filter)
        .map_err(|problem| Fault::DoesNotFit(format!("`{filter}` is not a topic filter: {problem}")))
}

/// A quality of service, at most `max`.
pub(crate) fn qos(qos: u8, max: u8) -> Checked {
    if qos > max {
        return Err(Fault::DoesNotFit(format!("QoS {qos} is not one of 0 to {max}")));
    }
    Ok(())
}

/// Attributes or headers: at most 64, together at most 16 KiB.
pub(crate) fn attributes(what: &str, attributes: &Attributes) -> Checked {
    count(what, attributes.len(), 0, ITEMS_MAX)?;
    size(what, attributes_bytes(attributes), ATTRIBUTES_MAX_BYTES)
}

/// Bytes of names and values.
pub(crate) fn attributes_bytes(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The deepest nesting of arrays and objects, for any text; a malformed one is found by the parser.
fn json_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { json_max_bytes: 1000, response_max_bytes: 1000 };

    #[test]
    fn json_is_valid_bounded_and_not_too_deep() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        for good in ["1", "null", r#""[[[[""#, r#"{"a":"\"[","b":[{}]}"#, &nested(64)] {
            assert_eq!(BOUNDS.json("x", good), Ok(()), "{good}");
        }
        for bad in ["", "{", "{} {}", "nul", "'a'", "[1,]", "\u{feff}1"] {
            assert!(matches!(BOUNDS.json("x", bad), Err(Fault::DoesNotFit(_))), "{bad}");
        }
        assert_eq!(BOUNDS.json("x", &nested(65)), Err(Fault::DoesNotFit("x is nested deeper than 64 levels".into())));
        assert_eq!(
            BOUNDS.json("x", &" ".repeat(1001)),
            Err(Fault::Output("x has 1001 bytes, but at most 1000 are allowed".into()))
        );
        assert!(BOUNDS.json_object("x", " {}", false).is_ok());
        assert!(BOUNDS.json_object("x", "null", true).is_ok());
        assert!(BOUNDS.json_object("x", "null", false).is_err());
        assert!(BOUNDS.json_object("x", "[]", true).is_err());
    }

    #[test]
    fn the_host_s_codes_are_not_a_plugin_s() {
        let of = |code: &str| BOUNDS.reason(&Reason::new(code, "text"));
        assert_eq!(of("E1"), Ok(()));
        assert!(matches!(of("$AWAY"), Err(Fault::DoesNotFit(text)) if text.contains("`$AWAY`")));
        assert!(matches!(of(""), Err(Fault::DoesNotFit(_))));
    }
}
