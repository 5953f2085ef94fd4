//! Calls of every export of a plugin, with something to read in each.

use super::Den;
use crate::host::{device, execution};
use crate::told::{happened, line};
use crate::world::{message, request, session};
use dragoman_core::{Delivery, ExecutionId, Intent, Invocation, Outcome, Payload, Reply, State, Subscription};
use dragoman_wasm::{Answer, Attempt, CallError, Decision, Direction, Done, Plugin, Settlement, Step};
use std::fmt::Debug;
use std::sync::Arc;

/// Every export but `plugin.describe`, which is called when a file is loaded.
pub(super) const PLACES: [&str; 15] = [
    "admission.authenticate",
    "northbound.handle-request",
    "northbound.settled",
    "topics.handle-message",
    "topics.settled",
    "answers.answered",
    "southbound.dispatch",
    "southbound.handle-message",
    "subscriptions.on-subscribe",
    "notifications.on-transitions",
    "notifications.on-event",
    "handler.commands",
    "handler.start",
    "handler.resume",
    "decoder.decode",
];

/// Calls one export. Tells what it answered, and how many writes came with it.
pub(super) async fn call(den: &Den, plugin: &Plugin, place: &str) -> Result<(String, usize), CallError> {
    let call = den.call();
    let act = Intent::Invoke(Invocation { service: None, action: "act".into(), params: "{\"a\":1}".into() });
    let own = device("d1", 1);
    let sent = execution("e1", "d1", "other", State::Sent);
    let settlement = || Settlement { id: ExecutionId::new("e1"), settled: Ok(Arc::new(sent.clone())) };
    let delivery = || Delivery { name: None, payload: Payload::Text("x".into()), attributes: Vec::new() };
    match place {
        "admission.authenticate" => told(plugin.authenticate(call, &session("x"), 60, true).await),
        "northbound.handle-request" => plugin.handle_request(call, &request("x")).await.map(|done| {
            let writes = done.writes.len();
            match done.value {
                Decision::Respond(response) => (text(response.body.as_bytes()), writes),
                Decision::Wait(wait) => (format!("waits with {}", wait.context), writes),
            }
        }),
        "northbound.settled" => told(plugin.settled(call, "{}", &[settlement()]).await),
        "topics.handle-message" => told(plugin.topics_message(call, &session("x"), &message("x")).await),
        "topics.settled" => told(plugin.topics_settled(call, "{}", &[settlement()]).await),
        "answers.answered" => told(plugin.answered(call, "{}", &[Answer::Frames(vec![act])]).await),
        "southbound.dispatch" => {
            let attempt = Attempt { number: 1, frames: &[act] };
            told(plugin.dispatch(call, &own, &sent, attempt).await)
        }
        "southbound.handle-message" => told(plugin.southbound_message(call, &session("x"), &message("x")).await),
        "subscriptions.on-subscribe" => {
            let asked = Subscription { filter: "a/#".into(), qos: 1 };
            told(plugin.on_subscribe(call, &session("x"), &asked).await)
        }
        "notifications.on-transitions" => told(plugin.on_transitions(call, &sent, &[line("x")], 7, &[]).await),
        "notifications.on-event" => told(plugin.on_event(call, &happened("1"), None).await),
        "handler.commands" => plugin.handler_commands(call).await.map(|commands| (format!("{commands:?}"), 0)),
        "handler.start" => plugin.handler_start(call, &own, &act).await.map(step),
        "handler.resume" => {
            let reply = Reply::Outcome(Outcome::Succeeded(None));
            plugin.handler_resume(call, &own, &act, "{}", &reply).await.map(step)
        }
        "decoder.decode" => {
            let decoded = plugin.decode(call, &own, Direction::Up, &delivery()).await;
            decoded.map(|decoded| (format!("{decoded:?}"), 0))
        }
        other => panic!("there is no export {other}"),
    }
}

fn told<T: Debug>(result: Result<Done<T>, CallError>) -> Result<(String, usize), CallError> {
    result.map(|done| (format!("{:?}", done.value), done.writes.len()))
}

fn step(step: Step) -> (String, usize) {
    match step {
        Step::Finish(Outcome::Succeeded(Some(said))) => (serde_json::from_str(&said).unwrap_or(said), 0),
        other => (format!("{other:?}"), 0),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
