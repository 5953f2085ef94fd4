//! `dragoman target`.

use super::args::TargetVerb;
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, list, table, text};
use super::time;
use serde_json::{Value, json};

/// Does what was asked.
pub(super) fn run(verb: &TargetVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    match verb {
        TargetVerb::List => output.print(&daemon.get(&["targets"], &[])?, listed),
        TargetVerb::Show { name } => output.print(&daemon.get(&["targets", name], &[])?, shown),
        TargetVerb::Retry { name } => {
            let done = daemon.post(&["targets", name, "retry"], &json!({}))?;
            output.print(&done, |done| match text(done, "left").as_str() {
                "0" => format!("{} requests to {name} are sent again", text(done, "retried")),
                left => format!(
                    "{} requests to {name} are sent again; {left} are left, because no more may wait",
                    text(done, "retried")
                ),
            });
        }
        TargetVerb::Drop { name } => {
            let done = daemon.post(&["targets", name, "drop"], &json!({}))?;
            output.print(&done, |done| format!("{} requests to {name} are forgotten", text(done, "dropped")));
        }
    }
    Ok(())
}

fn listed(page: &Value) -> String {
    let rows: Vec<_> = items(page, "items")
        .map(|target| {
            let url = target.get("url").and_then(Value::as_str).unwrap_or("(not configured)").to_owned();
            let mut row = vec![text(target, "name"), url];
            row.extend(["waiting", "in_flight", "given_up", "held_ms", "last_answer"].map(|name| text(target, name)));
            row
        })
        .collect();
    let heading = ["NAME", "URL", "WAITING", "IN FLIGHT", "GIVEN UP", "HELD MS", "LAST ANSWER"];
    table(&heading, &rows, "no targets are configured")
}

fn shown(target: &Value) -> String {
    let facts = list(&[
        ("name", text(target, "name")),
        ("url", text(target, "url")),
        ("waiting", text(target, "waiting")),
        ("in flight", text(target, "in_flight")),
        ("given up", text(target, "given_up")),
        ("held for ms", text(target, "held_ms")),
        ("last answer", text(target, "last_answer")),
        ("answered at", time::shown(target, "last_answer_ms")),
    ]);
    let rows: Vec<_> = items(target, "requests")
        .map(|request| {
            vec![
                text(request, "seq"),
                text(request, "dialect"),
                format!("{} {}", text(request, "method"), text(request, "path")),
                text(request, "tries"),
                time::shown(request, "created_ms"),
                time::shown(request, "given_up_ms"),
                text(request, "last_answer"),
            ]
        })
        .collect();
    let heading = ["SEQ", "DIALECT", "REQUEST", "TRIES", "CREATED", "GIVEN UP", "LAST ANSWER"];
    format!("{facts}\n\n{}", table(&heading, &rows, "nothing was given up"))
}
