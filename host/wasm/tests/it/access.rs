//! Who may do what: every import is called from every export.

use crate::host::{device, execution};
use crate::told::{happened, line};
use crate::world::{World, message, patient, request, session, world};
use dragoman_core::{Delivery, Intent, Payload, State, Subscription};
use dragoman_wasm::{Attempt, CallError, PluginOptions};

/// What an import does, as `wit/worlds.wit` and the interfaces' own words group them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Own,
    Reads,
    Notes,
    Writes,
    Emits,
    Tells,
    Submits,
    Asks,
}

use Does::{Asks, Emits, Notes, Own, Reads, Submits, Tells, Writes};

const IMPORTS: [(&str, &str, Does); 50] = [
    ("host.now", "now", Own),
    ("host.new-id", "id", Own),
    ("host.settings", "settings", Own),
    ("host.log", "log x", Own),
    ("devices.get", "get d1", Reads),
    ("devices.resolve", "resolve ns one", Reads),
    ("devices.query", "devices 1", Reads),
    ("devices.count", "devices-count", Reads),
    ("devices.create", "create n1 ns two", Writes),
    ("devices.put-profile", "put d1 1 {}", Writes),
    ("devices.update", "update d1 1 ns two", Writes),
    ("devices.remove", "remove d1", Writes),
    ("devices.add-alias", "add-alias d1 ns two", Writes),
    ("executions.submission", "submit d1", Submits),
    ("executions.get", "execution e1", Reads),
    ("executions.query", "executions -", Reads),
    ("executions.query-between", "between 1 2", Reads),
    ("executions.get-by-alias", "by-alias d1 a1", Reads),
    ("executions.get-open", "open d1", Reads),
    ("executions.count", "count -", Reads),
    ("executions.cancel", "cancel e1", Tells),
    ("executions.tell", "progress d1 open {}", Tells),
    ("executions.tell-for", "ended-for e1 NO", Tells),
    ("executions.attempt-failed", "attempt-failed d1 open NO", Tells),
    ("executions.note", "note e1 {}", Tells),
    ("executions.set-label", "label e1 a b", Writes),
    ("credentials.check-presented", "check", Reads),
    ("credentials.verify-mac", "mac k data", Reads),
    ("credentials.check-password", "password user right", Reads),
    ("credentials.sign-jwt", "sign k raw {}", Reads),
    ("credentials.verify-jwt", "verify k raw x", Reads),
    ("documents.get", "document get things k1", Reads),
    ("documents.query", "document query things", Reads),
    ("documents.count", "document count things", Reads),
    ("documents.put", "document put things k3 0 {}", Writes),
    ("documents.remove", "document remove things k1 1", Writes),
    ("documents.next-number", "number n", Writes),
    ("sessions.get", "session s1", Reads),
    ("sessions.subscriptions", "subscriptions s1", Reads),
    ("sessions.device-subscriptions", "device-subscriptions d1", Reads),
    ("sessions.get-notes", "notes s1", Reads),
    ("sessions.put-notes", "put-notes s1 {}", Notes),
    ("sessions.set-policy", "policy s1 a/b", Writes),
    ("sessions.follow", "follow s1 t 1", Writes),
    ("sessions.unfollow", "unfollow s1", Writes),
    ("sessions.close", "close s1", Writes),
    ("outbox.publish", "publish a/b 0", Writes),
    ("outbox.request", "call hooks POST /x", Writes),
    ("events.emit", "emit d1 uplink", Emits),
    ("asks.ask", "ask d1 up", Asks),
];

const READS: &[Does] = &[Own, Reads];
const READS_AND_NOTES: &[Does] = &[Own, Reads, Notes];
const WRITES: &[Does] = &[Own, Reads, Notes, Writes];
const EMITS: &[Does] = &[Own, Reads, Notes, Writes, Emits];
const TELLS: &[Does] = &[Own, Reads, Notes, Writes, Emits, Tells];
const SUBMITS: &[Does] = &[Own, Reads, Notes, Writes, Emits, Tells, Submits];
const EVERYTHING: &[Does] = &[Own, Reads, Notes, Writes, Emits, Tells, Submits, Asks];

const EXPORTS: [(&str, &[Does]); 11] = [
    ("admission.authenticate", READS_AND_NOTES),
    ("northbound.handle-request", EVERYTHING),
    ("northbound.settled", READS),
    ("topics.handle-message", EVERYTHING),
    ("topics.settled", TELLS),
    ("answers.answered", SUBMITS),
    ("southbound.dispatch", TELLS),
    ("southbound.handle-message", TELLS),
    ("subscriptions.on-subscribe", TELLS),
    ("notifications.on-transitions", WRITES),
    ("notifications.on-event", EMITS),
];

/// Runs a script in an export.
async fn run(world: &World, export: &str, script: &str) -> Result<(), CallError> {
    let (plugin, call) = (&world.plugin, world.call());
    match export {
        "admission.authenticate" => plugin.authenticate(call, &session(script), 0, true).await.map(drop),
        "northbound.handle-request" => plugin.handle_request(call, &request(script)).await.map(drop),
        "northbound.settled" => plugin.settled(call, script, &[]).await.map(drop),
        "topics.handle-message" => plugin.topics_message(call, &session(""), &message(script)).await.map(drop),
        "topics.settled" => plugin.topics_settled(call, script, &[]).await.map(drop),
        "answers.answered" => plugin.answered(call, script, &[]).await.map(drop),
        "southbound.dispatch" => {
            let frame = Delivery { name: None, payload: Payload::Text(script.into()), attributes: Vec::new() };
            let attempt = Attempt { number: 1, frames: &[Intent::Deliver(frame)] };
            let execution = execution("e1", "d1", "scripted", State::Queued);
            plugin.dispatch(call, &device("d1", 1), &execution, attempt).await.map(drop)
        }
        "southbound.handle-message" => plugin.southbound_message(call, &session(""), &message(script)).await.map(drop),
        "subscriptions.on-subscribe" => {
            let asked = Subscription { filter: "a/b".into(), qos: 0 };
            plugin.on_subscribe(call, &session(script), &asked).await.map(drop)
        }
        "notifications.on-transitions" => {
            let execution = execution("e1", "d1", "scripted", State::Queued);
            plugin.on_transitions(call, &execution, &[line(script)], 1, &[]).await.map(drop)
        }
        "notifications.on-event" => plugin.on_event(call, &happened(script), None).await.map(drop),
        _ => panic!("{export}"),
    }
}

#[tokio::test]
async fn every_export_may_call_what_its_contract_says_and_nothing_else() {
    let world = world(patient(), PluginOptions::default()).await;
    for (export, may) in EXPORTS {
        for (import, script, does) in IMPORTS {
            let refused = format!(
                "plugin scripted broke the contract in {export}: it called `{import}`, which is not allowed there"
            );
            let said = run(&world, export, script).await.err().map(|error| error.to_string());
            assert_eq!(said == Some(refused), !may.contains(&does), "{export} {import}: {said:?}");
        }
    }
}
