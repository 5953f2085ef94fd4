//! How a script's last line wants the call answered. Without one, what the script said is the answer.

use crate::dragoman::gateway::executions::Correlation;
use crate::dragoman::gateway::types::{
    Decision, Device, Error, Execution, Message, Outcome, Payload, Policy, Response, Session, Settlement, Stage,
    Subscription, Wait,
};
use crate::exports::dragoman::gateway::{admission, southbound, subscriptions};
use crate::script;

fn words(ending: &[String]) -> Vec<&str> {
    ending.iter().map(String::as_str).collect()
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

pub(crate) fn decision(said: Vec<String>, ending: &[String]) -> Decision {
    match wait(ending) {
        Some(wait) => Decision::Wait(wait),
        None => Decision::Respond(response(said, ending)),
    }
}

pub(crate) fn wait(ending: &[String]) -> Option<Wait> {
    match words(ending).as_slice() {
        ["wait", context @ ..] => Some(Wait { context: context.join(" "), until: Stage::Ended }),
        _ => None,
    }
}

/// What was said, as an error, where the ending asks for it.
pub(crate) fn reported(said: &[String], ending: &[String]) -> Result<(), Error> {
    match words(ending).as_slice() {
        ["report"] => Err(Error::Conflict(said.join("\n"))),
        _ => Ok(()),
    }
}

pub(crate) fn subscription(ending: &[String]) -> subscriptions::Verdict {
    match words(ending).as_slice() {
        ["rewrite", filter] => subscriptions::Verdict::Rewritten(filter.to_string()),
        ["refuse"] => subscriptions::Verdict::Refuse,
        _ => subscriptions::Verdict::AsAsked,
    }
}

pub(crate) fn response(said: Vec<String>, ending: &[String]) -> Response {
    let (mut status, mut headers) = (200, vec![("content-type".to_string(), "text/plain".to_string())]);
    let mut body = Payload::Text(said.join("\n"));
    match words(ending).as_slice() {
        ["status", code] => status = code.parse().unwrap_or(0),
        ["body", bytes] => body = Payload::Text("x".repeat(number(bytes))),
        ["headers", count] => headers = vec![("h".into(), "v".into()); number(count)],
        _ => {}
    }
    Response { status, headers, body }
}

pub(crate) fn settlement(settlement: &Settlement) -> String {
    match &settlement.settled {
        Ok(execution) => script::execution(execution),
        Err(reason) => format!("{}:{}", settlement.id, reason.code),
    }
}

pub(crate) fn verdict(
    session: &Session,
    said: Vec<String>,
    ending: &[String],
    keep_alive_s: u16,
    clean: bool,
) -> admission::Verdict {
    let filter = match words(ending).as_slice() {
        ["refuse"] => return admission::Verdict::Refuse(admission::Refusal::BadCredentials),
        ["not-mine"] => return admission::Verdict::NotMine,
        ["filter", filter] => filter.to_string(),
        _ => format!("scripted/{}/up", session.client_id),
    };
    admission::Verdict::Accept(admission::Grant {
        principal: format!("{} {keep_alive_s} {clean}", said.join(",")).trim().to_string(),
        device: Some(session.client_id.clone()),
        policy: Policy {
            publish: vec![filter],
            subscribe: vec!["scripted/#".into()],
            receive: Vec::new(),
            implicit: vec![Subscription { filter: "scripted/down".into(), qos: 1 }],
        },
    })
}

pub(crate) fn dispatched(
    device: &Device,
    execution: &Execution,
    said: Vec<String>,
    ending: &[String],
) -> southbound::Dispatched {
    let (mut topic, mut qos, mut count) = (format!("scripted/{}/down", device.id), 1, 1);
    match words(ending).as_slice() {
        ["done"] => return southbound::Dispatched::Done(Outcome::Succeeded(Some("{\"stored\":1}".into()))),
        ["done", json] => return southbound::Dispatched::Done(Outcome::Succeeded(Some(json.to_string()))),
        ["unsupported", code] => return southbound::Dispatched::Unsupported(script::reason(code)),
        ["topic", wrong] => topic = wrong.to_string(),
        ["qos", wrong] => qos = wrong.parse().unwrap_or(0),
        ["messages", many] => count = number(many),
        _ => {}
    }
    let message = southbound::Outgoing {
        to: southbound::Audience::Subscribed,
        message: Message {
            topic,
            payload: Payload::Text(format!("{} {}", script::execution(execution), said.join(","))),
            qos,
            retain: false,
            attributes: Vec::new(),
        },
        correlation: Some(Correlation {
            reporter: device.id.clone(),
            key: format!("{}-{}", execution.id, execution.attempt),
        }),
    };
    southbound::Dispatched::Send(vec![message; count])
}
