//! A dialect that does what its input says: one word and its arguments a line, one line of answer each.
//!
//! The script is the body of a request, the context of `settled`, the user name of a client, the payload of a message,
//! or the payload of a frame.

mod answer;
mod harm;
mod script;

wit_bindgen::generate!({ world: "dialect", path: "../../../../../wit" });

use dragoman::gateway::types::{Device, Error, Execution, Intent, Message, Payload, Session, Stage};
use exports::dragoman::gateway::{admission, northbound, plugin, southbound};
use std::hint::black_box;

struct Scripted;
export!(Scripted);

// The tests make other plugins of this one by replacing these texts in the file by texts of the same length, so they
// must stand there as they are.
static NAME: &str = "scripted";
static VERSION: &str = "version-one";
static ROUTE: &str = "POST /scripted/{what}";
static TOPIC: &str = "scripted/+/up";
static QUEUE: &str = "main-queue";

impl plugin::Guest for Scripted {
    fn describe() -> plugin::Description {
        let mut name = black_box(NAME).to_owned();
        match name.as_str() {
            "spinning" => harm::spin(),
            "trapping" => panic!("no description today"),
            "importer" => name = dragoman::gateway::host::new_id(),
            _ => {}
        }
        let route = plugin::Claim::Http(black_box(ROUTE).to_owned());
        let topic = plugin::Claim::DeviceTopic(black_box(TOPIC).to_owned());
        let queue = plugin::Queue {
            name: black_box(QUEUE).to_owned(),
            window: Stage::Ended,
            limit: 20,
            overflow: plugin::Overflow::DropOldest,
        };
        plugin::Description {
            name,
            version: black_box(VERSION).to_owned(),
            summary: "does what it is told".into(),
            claims: vec![route, topic, plugin::Claim::Connections],
            tells: Stage::Ended,
            queues: vec![queue],
            credential_headers: vec!["x-token".into()],
            settings_schema: Some("{}".into()),
            attributes: vec![("a".into(), "b".into())],
        }
    }
}

impl northbound::Guest for Scripted {
    fn handle_request(request: northbound::Request) -> Result<northbound::Decision, Error> {
        let script = text(&request.body);
        let (said, ending) = script::run(&script, Some(&request))?;
        Ok(answer::decision(said, &ending))
    }

    fn settled(context: String, settlements: Vec<northbound::Settlement>) -> Result<northbound::Response, Error> {
        // The context is a JSON string that holds the script.
        let script = context.trim_matches('"').replace("\\n", "\n");
        let (mut said, ending) = script::run(&script, None)?;
        said.extend(settlements.iter().map(answer::settlement));
        Ok(answer::response(said, &ending))
    }
}

impl admission::Guest for Scripted {
    fn authenticate(session: Session, keep_alive_s: u16, clean: bool) -> Result<admission::Verdict, Error> {
        let (said, ending) = script::run(session.username.as_deref().unwrap_or_default(), None)?;
        Ok(answer::verdict(&session, said, &ending, keep_alive_s, clean))
    }
}

impl southbound::Guest for Scripted {
    fn dispatch(device: Device, execution: Execution) -> Result<southbound::Dispatched, Error> {
        let script = match execution.frames.first() {
            Some(Intent::Deliver(delivery)) => text(&delivery.payload),
            _ => String::new(),
        };
        let (said, ending) = script::run(&script, None)?;
        Ok(answer::dispatched(&device, &execution, said, &ending))
    }

    fn handle_message(_session: Session, message: Message) -> Result<(), Error> {
        script::run(&text(&message.payload), None).map(drop)
    }
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => text.clone(),
        Payload::Bytes(bytes) => format!("# {} bytes", bytes.len()),
    }
}
