//! A dialect that does what its input says: one word and its arguments a line, one line of answer each.
//!
//! The script is the body of a request, the context of `settled`, the user name of a client, the payload of a message,
//! or the payload of a frame.

mod answer;
mod harm;
mod imports;
mod script;

wit_bindgen::generate!({ world: "dialect", path: "../../../../../wit" });

use dragoman::gateway::types::{
    Decision, Decoded, Device, Error, Event, Execution, Intent, Message, Payload, Response, Session, Settlement, Stage,
    Subscription, Transition, Wait,
};
use exports::dragoman::gateway::{
    admission, answers, northbound, notifications, plugin, southbound, subscriptions, topics,
};
use std::hint::black_box;

struct Scripted;
export!(Scripted);

// The tests make other plugins of this one by replacing these texts in the file by texts of the same length, so they
// must stand there as they are.
static NAME: &str = "scripted";
static VERSION: &str = "version-one";
static ROUTE: &str = "POST /scripted/{what}";
static TOPIC: &str = "scripted/+/up";
static APPLICATIONS: &str = "apps/scripted/#";
static ATTRIBUTE: &str = "acme.own-attributes=anything-at-all";
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
        let applications = plugin::Claim::ApplicationTopic(black_box(APPLICATIONS).to_owned());
        let (attribute, value) = black_box(ATTRIBUTE).split_once('=').unwrap_or_default();
        let attributes = [
            (attribute, value.trim_end()),
            ("documents.index", "things.kind"),
            ("notifications.transitions", "all"),
            ("notifications.events", "uplink"),
        ];
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
            claims: vec![route, topic, applications, plugin::Claim::Connections],
            tells: Stage::Ended,
            queues: vec![queue],
            credential_headers: vec!["x-token".into()],
            settings_schema: Some("{}".into()),
            attributes: attributes.map(|(name, value)| (name.into(), value.into())).to_vec(),
        }
    }
}

impl northbound::Guest for Scripted {
    fn handle_request(request: northbound::Request) -> Result<Decision, Error> {
        let script = text(&request.body);
        let (said, ending) = script::run(&script, Some(&request))?;
        Ok(answer::decision(said, &ending))
    }

    fn settled(context: String, settlements: Vec<Settlement>) -> Result<Response, Error> {
        let (mut said, ending) = script::run(&in_json(&context), None)?;
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
        silent(&text(&message.payload), Vec::new())
    }
}

impl topics::Guest for Scripted {
    fn handle_message(_session: Session, message: Message) -> Result<Option<Wait>, Error> {
        let (said, ending) = script::run(&text(&message.payload), None)?;
        answer::reported(&said, &ending)?;
        Ok(answer::wait(&ending))
    }

    fn settled(context: String, settlements: Vec<Settlement>) -> Result<(), Error> {
        silent(&in_json(&context), settlements.iter().map(answer::settlement).collect())
    }
}

impl subscriptions::Guest for Scripted {
    fn on_subscribe(session: Session, asked: Subscription) -> Result<subscriptions::Verdict, Error> {
        let (mut said, ending) = script::run(session.username.as_deref().unwrap_or_default(), None)?;
        said.push(format!("{} {}", asked.filter, asked.qos));
        answer::reported(&said, &ending)?;
        Ok(answer::subscription(&ending))
    }
}

impl notifications::Guest for Scripted {
    /// The script is the details of the transitions, one behind the other.
    fn on_transitions(
        execution: Execution,
        transitions: Vec<Transition>,
        position: u64,
        followers: Vec<notifications::Follower>,
    ) -> Result<(), Error> {
        reads_context(&execution)?;
        let details = transitions.iter().filter_map(|line| line.detail.as_deref());
        let script = details.map(in_json).collect::<Vec<_>>().join("\n");
        let mut told = vec![format!("{} at {position}", script::execution(&execution))];
        told.extend(transitions.iter().map(|line| format!("{}:{}:{:?}", line.seq, line.event, line.state)));
        told.extend(followers.iter().map(|follower| format!("{}:{}", follower.session, follower.tag)));
        silent(&script, told)
    }

    /// The script is the body of the event.
    fn on_event(event: Event, decoded: Option<Decoded>) -> Result<(), Error> {
        let told = format!("{}:{}:{:?}:{decoded:?}", event.device, event.kind, event.name);
        silent(&in_json(&event.body.unwrap_or_default()), vec![told])
    }
}

impl answers::Guest for Scripted {
    fn answered(context: String, answers: Vec<answers::Answer>) -> Result<Option<Decision>, Error> {
        let (mut said, ending) = script::run(&in_json(&context), None)?;
        said.extend(answers.iter().map(|answer| format!("{answer:?}")));
        Ok(match ending.first().map(String::as_str) {
            Some("nothing") => None,
            _ => Some(answer::decision(said, &ending)),
        })
    }
}

/// Runs a script where nothing can be answered; the ending `report` answers with an error that tells what was said.
fn silent(script: &str, told: Vec<String>) -> Result<(), Error> {
    let (mut said, ending) = script::run(script, None)?;
    said.extend(told);
    answer::reported(&said, &ending)
}

/// Whether this is that version of the plugin.
pub(crate) fn is_version(version: &str) -> bool {
    black_box(VERSION) == version
}

/// A context that names a version is read by that one only: others say so, or trap.
fn reads_context(execution: &Execution) -> Result<(), Error> {
    let context = in_json(execution.context.as_deref().unwrap_or_default());
    match context.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["read-by", version] if !is_version(version) => Err(Error::Invalid("this context is not mine".into())),
        ["trap-but-in", version] if !is_version(version) => panic!("this context is not mine"),
        _ => Ok(()),
    }
}

/// A script that stands in a JSON string.
fn in_json(text: &str) -> String {
    text.trim_matches('"').replace("\\n", "\n")
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => text.clone(),
        Payload::Bytes(bytes) => format!("# {} bytes", bytes.len()),
    }
}
