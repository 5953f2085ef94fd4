//! A handler of two steps. What the intent's action says decides how it behaves.

wit_bindgen::generate!({ world: "command-handler", path: "../../../../../wit" });

use dragoman::gateway::host;
use dragoman::gateway::types::{Decoded, Delivery, Device, Error, Intent, Invocation, Outcome, Payload, Reason, Stage};
use exports::dragoman::gateway::{decoder, handler, plugin};
use handler::{Command, Plan, Reply, Step};

struct Stepper;
export!(Stepper);

impl plugin::Guest for Stepper {
    fn describe() -> plugin::Description {
        plugin::Description {
            name: "stepper".into(),
            version: "1".into(),
            summary: "two steps".into(),
            claims: Vec::new(),
            tells: Stage::Ended,
            queues: Vec::new(),
            credential_headers: Vec::new(),
            settings_schema: None,
            attributes: Vec::new(),
        }
    }
}

impl handler::Guest for Stepper {
    fn commands() -> Vec<Command> {
        vec![Command {
            name: "open".into(),
            summary: "opens".into(),
            params_schema: Some("{\"type\":\"object\"}".into()),
        }]
    }

    fn start(device: Device, intent: Intent) -> Result<Step, Error> {
        let Intent::Invoke(Invocation { action, params, .. }) = intent else {
            return Ok(Step::Finish(Outcome::Rejected(reason("NO_ACTION"))));
        };
        host::log(host::Severity::Debug, &format!("starting {action} on {} at {}", device.id, host::now()));
        let plan = |frames, state: String| Ok(Step::Send(Plan { frames, state, reply_within: Some(2000) }));
        match action.as_str() {
            "open" => plan(vec![frame("unlock", &params)], format!("{{\"step\":1,\"settings\":{}}}", host::settings())),
            "host-code" => Ok(Step::Finish(Outcome::Failed(reason("$NO_RESPONSE")))),
            "large-state" => plan(vec![frame("x", "{}")], format!("\"{}\"", "s".repeat(64 << 10))),
            "bad-state" => plan(vec![frame("x", "{}")], "{".into()),
            "deep-state" => plan(vec![frame("x", "{}")], format!("{}{}", "[".repeat(65), "]".repeat(65))),
            "no-frames" => plan(Vec::new(), "{}".into()),
            "many-frames" => plan(vec![frame("x", "{}"); 65], "{}".into()),
            "bad-params" => plan(vec![frame("x", "[]")], "{}".into()),
            "error" => Err(Error::Internal("my fault".into())),
            _ => Ok(Step::Finish(Outcome::Rejected(reason("UNKNOWN_ACTION")))),
        }
    }

    fn resume(_device: Device, _intent: Intent, state: String, reply: Reply) -> Result<Step, Error> {
        match reply {
            Reply::Silence => Ok(Step::Finish(Outcome::Failed(reason("SILENT")))),
            Reply::Outcome(Outcome::Succeeded(value)) => {
                Ok(Step::Finish(Outcome::Succeeded(Some(format!("[{state},{}]", value.unwrap_or("null".into()))))))
            }
            Reply::Outcome(verdict) => Ok(Step::Finish(verdict)),
        }
    }
}

impl decoder::Guest for Stepper {
    /// What the payload says decides.
    fn decode(device: Device, direction: decoder::Direction, what: Delivery) -> Result<Decoded, Error> {
        let Payload::Text(text) = what.payload else { return Err(Error::Invalid("bytes mean nothing".into())) };
        let decoded = |value: String, warnings| Ok(Decoded { value, warnings });
        match text.as_str() {
            "internal" => Err(Error::Internal("my fault".into())),
            "panic" => panic!("while decoding"),
            "bad-value" => decoded("{".into(), Vec::new()),
            "many-warnings" => decoded("1".into(), vec!["careful".into(); 65]),
            _ => decoded(format!("\"{} {direction:?} {text}\"", device.id), vec!["careful".into()]),
        }
    }
}

fn frame(action: &str, params: &str) -> Intent {
    Intent::Invoke(Invocation { service: None, action: action.into(), params: params.into() })
}

fn reason(code: &str) -> Reason {
    Reason { code: code.into(), text: "because".into(), detail: None }
}
