//! Feedback: what a device says that confirms, or denies, what was written to it. The platform knows no answer to a
//! write; which property or method stands for one is declared with the property that is written.

use crate::definition::{Mismatch, Model, Rule, is_same_name};
use crate::settings::Settings;
use crate::store::{Ledger, Writer};
use crate::target::{self, Target};
use crate::value;
use dragoman_plugin_sdk::{Device, Error, Execution, Gateway, Outcome, Report, Severity, json, outcome};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What a device said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A property, its name in lower case, and its value, JSON text.
    Property(String, String),
    /// A method and its argument, JSON text.
    Method(String, String),
}

/// What one thing that was heard says about one write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Nothing,
    Confirmed,
    Failed,
    Rejected,
}

/// Ends the executions that what was heard is an answer to: for each thing heard the oldest that it fits. The ledger has
/// what the device said before, and in this call.
pub(crate) fn hear<G: Gateway>(
    gateway: &G,
    settings: &Settings,
    model: &Model,
    device: &Device,
    heard: &[Heard],
    ledger: &mut Ledger<'_, G>,
) -> Result<(), Error> {
    if heard.is_empty() || !model.has_rules(settings) {
        return Ok(());
    }
    let mut open: Vec<_> = gateway
        .open_executions(&device.id)
        .into_iter()
        .filter(|execution| execution.attempt > 0)
        .filter_map(|execution| Some((target::of_frames(model, settings, &execution.frames).ok()?, execution)))
        .collect();
    for one in heard {
        let mut ended = None;
        for (index, (targets, execution)) in open.iter().enumerate() {
            if let Some(verdict) = verdict(settings, targets, execution, one, ledger)? {
                ended = Some((index, verdict));
                break;
            }
        }
        if let Some((index, verdict)) = ended {
            let (_, execution) = open.remove(index);
            tell(gateway, &execution.id, verdict);
        }
    }
    Ok(())
}

fn tell(gateway: &impl Gateway, id: &str, verdict: Outcome) {
    if let Err(error) = gateway.tell_for(id, &Report::Ended(verdict), &[]) {
        let text = format!("execution {id} took no feedback: {}", outcome::error_text(&error));
        gateway.log(Severity::Info, &text);
    }
}

/// What an execution comes to with this; `None` where it goes on.
fn verdict<G: Gateway>(
    settings: &Settings,
    targets: &[Target],
    execution: &Execution,
    heard: &Heard,
    ledger: &mut Ledger<'_, G>,
) -> Result<Option<Outcome>, Error> {
    let mut confirmed = false;
    for Target { property, value } in targets {
        let Some(rule) = property.rule(settings) else { continue };
        let text = || format!("the device answered the write of {} with {}", property.name, said(heard));
        match word(&rule, &property.key(), value, heard) {
            Word::Nothing => {}
            Word::Confirmed => confirmed = true,
            Word::Failed => return Ok(Some(Outcome::Failed(outcome::reason("FEEDBACK_FAILED", text())))),
            Word::Rejected => return Ok(Some(Outcome::Rejected(outcome::reason("FEEDBACK_REJECTED", text())))),
        }
    }
    if !confirmed {
        return Ok(None);
    }
    for Target { property, value } in targets {
        let Some(rule) = property.rule(settings) else { continue };
        let key = property.key();
        if word(&rule, &key, value, heard) != Word::Confirmed && !was_confirmed(&rule, &key, value, execution, ledger)?
        {
            return Ok(None);
        }
    }
    Ok(Some(Outcome::Succeeded(values_of(targets))))
}

/// Whether the device has confirmed that property since the execution began. Calls of methods are not remembered.
fn was_confirmed<G: Gateway>(
    rule: &Rule,
    written: &str,
    value: &str,
    execution: &Execution,
    ledger: &mut Ledger<'_, G>,
) -> Result<bool, Error> {
    let watched = watched(rule, written);
    let is_new = ledger.stored_ms(&watched)?.is_some_and(|stored_ms| stored_ms >= execution.created_ms);
    let Some(current) = ledger.current(&watched)?.filter(|entry| is_new && entry.writer == Writer::Device) else {
        return Ok(false);
    };
    Ok(word(rule, written, value, &Heard::Property(watched, current.value.clone())) == Word::Confirmed)
}

/// The property that the rule looks at, lower case.
fn watched(rule: &Rule, written: &str) -> String {
    rule.property.as_deref().map_or_else(|| written.to_owned(), str::to_lowercase)
}

fn word(rule: &Rule, written: &str, value: &str, heard: &Heard) -> Word {
    let is = |meaning: &Option<Value>, text: &str| {
        meaning.as_ref().is_some_and(|meaning| value::same(&meaning.to_string(), text))
    };
    let (said, is_method) = match (heard, &rule.method) {
        (Heard::Method(name, said), Some(method)) if is_same_name(name, method) => (said, true),
        (Heard::Property(name, said), method) if *name == watched(rule, written) => {
            // A rule of a method looks at a property only where it names one too.
            if method.is_some() && rule.property.is_none() {
                return Word::Nothing;
            }
            (said, false)
        }
        _ => return Word::Nothing,
    };
    if is(&rule.rejected, said) {
        return Word::Rejected;
    }
    if is(&rule.failed, said) {
        return Word::Failed;
    }
    let confirms = match &rule.succeeded {
        Some(_) => is(&rule.succeeded, said),
        None => is_method || value::same(value, said),
    };
    match (confirms, rule.mismatch) {
        (true, _) => Word::Confirmed,
        (false, Mismatch::Fail) => Word::Failed,
        (false, Mismatch::Ignore) => Word::Nothing,
    }
}

/// `{"name": value}`, where it is not too large for an outcome.
fn values_of(targets: &[Target]) -> Option<String> {
    let values: BTreeMap<&str, Box<RawValue>> =
        targets.iter().map(|target| (target.property.name.as_str(), json::raw(&target.value))).collect();
    serde_json::to_string(&values).ok().filter(|text| text.len() <= json::EMBEDDED_BYTES_MAX)
}

fn said(heard: &Heard) -> String {
    let (Heard::Property(name, said) | Heard::Method(name, said)) = heard;
    format!("{name} = {}", outcome::device_text(said, "nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_what_a_word_of_the_device_means() {
        let property = |name: &str, value: &str| Heard::Property(name.to_owned(), value.to_owned());
        let method = |name: &str, value: &str| Heard::Method(name.to_owned(), value.to_owned());
        let result = r#"{"property":"Result","succeeded":"ok","failed":"error","rejected":"no"}"#;
        for (rule, heard, expected) in [
            ("{}", property("setpoint", "24.0"), Word::Confirmed),
            ("{}", property("setpoint", "23"), Word::Nothing),
            ("{}", property("other", "24"), Word::Nothing),
            ("{}", method("setpoint", "24"), Word::Nothing),
            (r#"{"mismatch":"fail"}"#, property("setpoint", "23"), Word::Failed),
            (r#"{"mismatch":"fail"}"#, property("other", "23"), Word::Nothing),
            (r#"{"property":"Actual"}"#, property("actual", "24"), Word::Confirmed),
            (r#"{"property":"Actual"}"#, property("setpoint", "24"), Word::Nothing),
            (result, property("result", "\"ok\""), Word::Confirmed),
            (result, property("result", "\"error\""), Word::Failed),
            (result, property("result", "\"no\""), Word::Rejected),
            (result, property("result", "24"), Word::Nothing),
            (r#"{"method":"Done"}"#, method("done", "null"), Word::Confirmed),
            (r#"{"method":"Done"}"#, method("undone", "null"), Word::Nothing),
            (r#"{"method":"Done"}"#, property("setpoint", "24"), Word::Nothing),
            (r#"{"method":"done","succeeded":0,"mismatch":"fail"}"#, method("done", "1"), Word::Failed),
            (r#"{"method":"done","property":"actual"}"#, property("actual", "24"), Word::Confirmed),
        ] {
            let read: Rule = serde_json::from_str(rule).unwrap();
            assert_eq!(word(&read, "setpoint", "24", &heard), expected, "{rule} {heard:?}");
        }
    }
}
