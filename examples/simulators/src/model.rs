//! What a simulated device does with a command, in no protocol's words.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// How a device treats every command it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behaviour {
    /// Does it and says so.
    Answer,
    /// Says that it would not.
    Refuse,
    /// Says that it could not.
    Fail,
    /// Takes it and never answers.
    Silent,
    /// Does it, and keeps the answer to itself until it behaves otherwise.
    Withhold,
    /// A box with a lock: `unlock` with the pin 1234, `setLevel`, `getLevel`, `lock`. Setting a locked box is refused.
    Lockbox,
}

/// A command as a device sees it, freed from topic and envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What to do.
    pub action: String,
    /// With what; an object, or null.
    pub params: Value,
}

/// What a device says about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It did it; with this result.
    Succeeded(Value),
    /// It could not.
    Failed {
        /// For programs.
        code: &'static str,
        /// For people.
        text: &'static str,
    },
    /// It would not.
    Rejected {
        /// For programs.
        code: &'static str,
        /// For people.
        text: &'static str,
    },
}

/// One device: its behaviour and what it remembers between commands.
#[derive(Clone, Debug)]
pub struct Model {
    behaviour: Behaviour,
    lockbox: Lockbox,
    values: Map<String, Value>,
}

impl Model {
    /// A device that was just switched on. A lockbox starts locked and empty.
    pub fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, lockbox: Lockbox::default(), values: Map::new() }
    }

    /// Treats commands differently from now on; what the device remembers stays.
    pub fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// How it treats commands now.
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// What it was set to: every value that a command brought which it carried out.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Carries a command out. None: the device stays silent.
    pub fn carry_out(&mut self, command: &Command) -> Option<Verdict> {
        match self.behaviour {
            Behaviour::Answer | Behaviour::Withhold => {
                set(&mut self.values, &command.params);
                Some(Verdict::Succeeded(result_of(command)))
            }
            Behaviour::Refuse => {
                Some(Verdict::Rejected { code: "not_now", text: "The device refuses to do this now." })
            }
            Behaviour::Fail => Some(Verdict::Failed { code: "motor_blocked", text: "The motor is blocked." }),
            Behaviour::Silent => None,
            Behaviour::Lockbox => Some(self.lockbox.carry_out(command)),
        }
    }
}

/// Values may stand below the name of a service, as some platforms group them.
fn set(values: &mut Map<String, Value>, params: &Value) {
    for (name, value) in params.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => set(values, value),
            _ => {
                values.insert(name.clone(), value.clone());
            }
        }
    }
}

/// A thermostat tells the temperature it was set to; every other action is told back.
fn result_of(command: &Command) -> Value {
    match (command.action.as_str(), command.params.get("value")) {
        ("setTemperature", Some(value)) => json!({ "currentTemperature": value }),
        ("ON_OFF", _) => json!({ "result": "success" }),
        _ => json!({ "action": command.action, "params": command.params }),
    }
}

/// The pin that opens a lockbox.
const PIN: &str = "1234";

/// A box that keeps a level behind a lock; the device that the handler `lockbox` plans for.
#[derive(Clone, Debug, Default)]
struct Lockbox {
    unlocked: bool,
    level: u64,
}

impl Lockbox {
    fn carry_out(&mut self, command: &Command) -> Verdict {
        match command.action.as_str() {
            "unlock" if command.params.get("pin").and_then(Value::as_str) != Some(PIN) => {
                Verdict::Rejected { code: "wrong_pin", text: "The pin is wrong." }
            }
            "unlock" => self.set_lock(true),
            "lock" => self.set_lock(false),
            "setLevel" if !self.unlocked => {
                Verdict::Rejected { code: "locked", text: "The box is locked; unlock it before setting it." }
            }
            "setLevel" => match command.params.get("level").and_then(Value::as_u64) {
                Some(level) => {
                    self.level = level;
                    Verdict::Succeeded(json!({}))
                }
                None => Verdict::Failed { code: "no_level", text: "The parameter \"level\" is missing." },
            },
            "getLevel" => Verdict::Succeeded(json!({ "level": self.level })),
            _ => {
                Verdict::Rejected { code: "unknown_action", text: "The box knows unlock, setLevel, getLevel and lock." }
            }
        }
    }

    fn set_lock(&mut self, unlocked: bool) -> Verdict {
        self.unlocked = unlocked;
        Verdict::Succeeded(json!({ "locked": !unlocked }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(action: &str, params: Value) -> Command {
        Command { action: action.to_owned(), params }
    }

    #[test]
    fn behaviours_by_table() {
        let set = command("setTemperature", json!({ "value": 24 }));
        for (behaviour, expected) in [
            (Behaviour::Answer, Some(Verdict::Succeeded(json!({ "currentTemperature": 24 })))),
            (
                Behaviour::Refuse,
                Some(Verdict::Rejected { code: "not_now", text: "The device refuses to do this now." }),
            ),
            (Behaviour::Fail, Some(Verdict::Failed { code: "motor_blocked", text: "The motor is blocked." })),
            (Behaviour::Silent, None),
        ] {
            assert_eq!(Model::new(behaviour).carry_out(&set), expected, "{behaviour:?}");
        }
    }

    #[test]
    fn a_device_has_what_it_was_set_to_and_nothing_that_it_did_not_do() {
        let mut model = Model::new(Behaviour::Answer);
        for (behaviour, params, expected) in [
            (Behaviour::Answer, json!({ "level": 1 }), json!({ "level": 1 })),
            (Behaviour::Fail, json!({ "level": 2 }), json!({ "level": 1 })),
            (Behaviour::Refuse, json!({ "level": 3 }), json!({ "level": 1 })),
            (Behaviour::Silent, json!({ "level": 4 }), json!({ "level": 1 })),
            (Behaviour::Withhold, json!({ "Lamp": { "level": 5 } }), json!({ "level": 5 })),
        ] {
            model.behave(behaviour);
            model.carry_out(&command("set", params));
            assert_eq!(Value::Object(model.values().clone()), expected, "{behaviour:?}");
        }
    }

    #[test]
    fn a_lockbox_is_set_only_while_it_is_unlocked() {
        let mut model = Model::new(Behaviour::Lockbox);
        let set = || command("setLevel", json!({ "level": 7 }));
        for (command, expected) in [
            (set(), Err("locked")),
            (command("getLevel", json!({})), Ok(json!({ "level": 0 }))),
            (command("unlock", json!({ "pin": "0000" })), Err("wrong_pin")),
            (command("unlock", json!({ "pin": PIN })), Ok(json!({ "locked": false }))),
            (set(), Ok(json!({}))),
            (command("getLevel", json!({})), Ok(json!({ "level": 7 }))),
            (command("lock", json!({})), Ok(json!({ "locked": true }))),
            (set(), Err("locked")),
        ] {
            let verdict = match model.carry_out(&command) {
                Some(Verdict::Succeeded(result)) => Ok(result),
                Some(Verdict::Failed { code, .. } | Verdict::Rejected { code, .. }) => Err(code),
                None => Err("silence"),
            };
            assert_eq!(verdict, expected, "{command:?}");
        }
    }
}
