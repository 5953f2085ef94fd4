//! `dragoman plugin dead-letter`.

use super::args::{DeadLetterVerb, WhichLetters};
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, list, more, table, text};
use super::time;
use serde_json::{Value, json};

/// Does what was asked.
pub(super) fn run(verb: &DeadLetterVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    match verb {
        DeadLetterVerb::List { plugin, page } => {
            let mut query = vec![("limit".to_owned(), page.limit.to_string())];
            query.extend(plugin.iter().map(|plugin| ("plugin".to_owned(), plugin.clone())));
            query.extend(page.after.iter().map(|after| ("after".to_owned(), after.clone())));
            output.print(&daemon.get(&["dead-letters"], &query)?, listed);
        }
        DeadLetterVerb::Show { number } => {
            output.print(&daemon.get(&["dead-letters", &number.to_string()], &[])?, shown);
        }
        DeadLetterVerb::Replay(which) => {
            let done = daemon.post_and_wait(&["dead-letters", "replay"], &body(which))?;
            output.print(&done, replayed);
        }
        DeadLetterVerb::Drop(which) => {
            let done = daemon.post(&["dead-letters", "drop"], &body(which))?;
            output.print(&done, |done| format!("{} dead letters are forgotten", text(done, "dropped")));
        }
    }
    Ok(())
}

fn body(which: &WhichLetters) -> Value {
    match (&which.plugin, which.number) {
        (Some(plugin), _) => json!({"plugin": plugin}),
        (None, number) => json!({"number": number}),
    }
}

fn listed(page: &Value) -> String {
    let rows: Vec<_> = items(page, "items")
        .map(|letter| {
            vec![
                text(letter, "number"),
                text(letter, "plugin"),
                time::shown(letter, "at_ms"),
                text(letter, "client_id"),
                text(letter, "topic"),
                text(letter, "payload_bytes"),
                text(letter, "tries"),
                text(&letter["reason"], "text"),
            ]
        })
        .collect();
    let heading = ["NUMBER", "PLUGIN", "AT", "CLIENT", "TOPIC", "BYTES", "TRIES", "REASON"];
    table(&heading, &rows, "no dead letters") + &more(page)
}

fn shown(letter: &Value) -> String {
    let named = ["number", "plugin", "digest", "export", "tries", "client_id", "device", "principal", "topic", "qos"];
    let mut facts: Vec<(&str, String)> = named.iter().map(|name| (*name, text(letter, name))).collect();
    facts.push(("at", time::shown(letter, "at_ms")));
    facts.push(("attributes", super::output::pairs(letter, "attributes")));
    facts.push(("reason", text(&letter["reason"], "text")));
    facts.push(("payload", text(letter, "payload")));
    facts.push(("payload in base64", text(letter, "payload_base64")));
    list(&facts)
}

fn replayed(done: &Value) -> String {
    let first = format!("{} were read, {} failed again", text(done, "replayed"), text(done, "failed"));
    let reasons = items(done, "reasons").map(|one| format!("{}: {}", text(one, "number"), text(one, "text")));
    let left = text(done, "left");
    let left = (left != "0").then(|| format!("{left} of the plugin are left"));
    std::iter::once(first).chain(reasons).chain(left).collect::<Vec<_>>().join("\n")
}
