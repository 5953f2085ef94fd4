//! Whether both sides do the same: what is compared must be the same work. Each call is made once natively and once as a
//! plugin, and what came of it is put into the same few words.

use crate::{native, open, records};
use dragoman_core::Intent as HostIntent;
use dragoman_plugin_sdk::testing::Deed;
use dragoman_plugin_sdk::{Dispatched, Intent, Northbound, Payload, Southbound};
use dragoman_wasm::{Attempt, PluginWrite};
use huawei_iotda::Iotda;

/// Ends the bench where a call of the plugin comes to something else than the same code does natively.
pub(crate) async fn check() {
    let (host, _folder, plugin) = open(None).await;

    let gateway = native::gateway();
    Iotda::handle_request(&gateway, &native::request()).expect("it waits for the end");
    let natively: Vec<String> = gateway.deeds.take().iter().map(submitted_natively).collect();
    let done = plugin.handle_request(records::call(&host), &records::request()).await.expect("it waits for the end");
    let as_plugin: Vec<String> = done.writes.iter().map(submitted_as_plugin).collect();
    assert_eq!(natively, as_plugin, "handle-request");

    let gateway = native::gateway();
    let natively = match Iotda::dispatch(&gateway, &native::device(), &native::execution()) {
        Ok(Dispatched::Send(messages)) => messages.iter().map(|one| sent_natively(&one.message)).collect(),
        other => vec![format!("{other:?}")],
    };
    let execution = records::execution();
    let attempt = Attempt { number: 1, frames: std::slice::from_ref(&execution.intent) };
    let done = plugin.dispatch(records::call(&host), &records::device(), &execution, attempt).await.expect("a message");
    let as_plugin = match done.value {
        dragoman_wasm::Dispatched::Send(messages) => messages.iter().map(|one| sent_as_plugin(&one.message)).collect(),
        other => vec![format!("{other:?}")],
    };
    assert_eq!(natively, as_plugin, "dispatch");

    let gateway = native::gateway();
    Iotda::handle_message(&gateway, &native::session(), &native::message()).expect("a report");
    let natively: Vec<String> = gateway.deeds.take().iter().map(told_natively).collect();
    let done = plugin.southbound_message(records::call(&host), &records::session(), &records::message()).await;
    let as_plugin: Vec<String> = done.expect("a report").writes.iter().map(told_as_plugin).collect();
    assert_eq!(natively, as_plugin, "handle-message");
}

fn submitted_natively(deed: &Deed) -> String {
    match deed {
        Deed::Submitted(_, command) => match &command.intent {
            Intent::Invoke(asked) => {
                format!("{} {:?} {} {}", command.device, asked.service, asked.action, asked.params)
            }
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn submitted_as_plugin(write: &PluginWrite) -> String {
    match write {
        PluginWrite::Submit(command) => match &command.intent {
            HostIntent::Invoke(asked) => {
                format!("{} {:?} {} {}", command.device, asked.service, asked.action, asked.params)
            }
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn sent_natively(message: &dragoman_plugin_sdk::Message) -> String {
    match &message.payload {
        Payload::Text(text) => format!("{} {text}", place(&message.topic)),
        other => format!("{} {other:?}", place(&message.topic)),
    }
}

fn sent_as_plugin(message: &dragoman_core::Message) -> String {
    match &message.payload {
        dragoman_core::Payload::Text(text) => format!("{} {text}", place(&message.topic)),
        other => format!("{} {other:?}", place(&message.topic)),
    }
}

/// A topic without the id at its end, which either side makes up for itself.
fn place(topic: &str) -> &str {
    topic.split_once("request_id=").map_or(topic, |(place, _)| place)
}

fn told_natively(deed: &Deed) -> String {
    match deed {
        Deed::Told(about, report, _) => format!("{} {} {}", about.reporter, about.key, verdict(&format!("{report:?}"))),
        other => format!("{other:?}"),
    }
}

fn told_as_plugin(write: &PluginWrite) -> String {
    match write {
        PluginWrite::Tell { about, report, .. } => {
            format!("{} {} {}", about.reporter, about.key, verdict(&format!("{report:?}")))
        }
        other => format!("{other:?}"),
    }
}

/// The kind of a report. The rest is JSON that both got from the same text.
fn verdict(report: &str) -> &str {
    ["Succeeded", "Failed", "Rejected"].into_iter().find(|kind| report.contains(kind)).unwrap_or("none")
}
