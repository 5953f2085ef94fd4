//! `dragoman execution`.

use super::args::ExecutionVerb;
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, list, more, pairs, table, text};
use super::time;
use serde_json::{Value, json};

/// Does what was asked.
pub(super) fn run(verb: ExecutionVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    match verb {
        ExecutionVerb::List { device, origin, states, labels, page } => {
            let mut query: Vec<_> = labels.into_iter().map(|(name, value)| (format!("label.{name}"), value)).collect();
            query.extend(states.into_iter().map(|state| ("state".to_owned(), state.replace('-', "_"))));
            query.push(("limit".to_owned(), page.limit.to_string()));
            let given = [("device", device), ("origin", origin), ("after", page.after)];
            query.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            output.print(&daemon.get(&["executions"], &query)?, listed);
        }
        ExecutionVerb::Show { id } => output.print(&daemon.get(&["executions", &id], &[])?, shown),
        ExecutionVerb::Cancel { id } => {
            let canceled = daemon.post(&["executions", &id, "cancel"], &json!({}))?;
            output.print(&canceled, |_| format!("execution {id} is canceled"));
        }
    }
    Ok(())
}

fn listed(page: &Value) -> String {
    let rows: Vec<_> = items(page, "items")
        .map(|execution| {
            vec![
                text(execution, "id"),
                text(execution, "device"),
                intent(execution),
                text(execution, "state"),
                why(execution),
                text(execution, "origin"),
                time::shown(execution, "created_ms"),
            ]
        })
        .collect();
    let heading = ["ID", "DEVICE", "COMMAND", "STATE", "REASON", "ORIGIN", "CREATED"];
    table(&heading, &rows, "no executions") + &more(page)
}

/// An execution, and its history where it came along.
pub(super) fn shown(execution: &Value) -> String {
    let reasons = ["/reason", "/outcome/reason"];
    let reason = reasons.into_iter().find_map(|place| execution.pointer(place).filter(|reason| !reason.is_null()));
    let head = list(&[
        ("id", text(execution, "id")),
        ("device", text(execution, "device")),
        ("command", intent(execution)),
        ("content", text(execution, "intent")),
        ("state", text(execution, "state")),
        ("phase", text(execution, "phase")),
        ("result", execution.get("outcome").map(|outcome| text(outcome, "result")).unwrap_or_default()),
        ("reason", why(execution)),
        ("because", reason.map(|reason| text(reason, "text")).unwrap_or_default()),
        ("attempt", text(execution, "attempt")),
        ("origin", text(execution, "origin")),
        ("alias", text(execution, "alias")),
        ("labels", pairs(execution, "labels")),
        ("handler", text(execution, "handler")),
        ("plugins", pairs(execution, "plugins")),
        ("created", time::shown(execution, "created_ms")),
        ("sent", time::shown(execution, "sent_ms")),
        ("ended", time::shown(execution, "ended_ms")),
        ("expires", time::shown(execution, "deadline_ms")),
    ]);
    let rows: Vec<_> = items(execution, "history")
        .map(|line| {
            vec![
                text(line, "seq"),
                time::shown(line, "at_ms"),
                text(line, "event"),
                text(line, "state"),
                text(line, "attempt"),
                line.get("reason").map(|reason| text(reason, "code")).unwrap_or_default(),
                text(line, "detail"),
            ]
        })
        .collect();
    if rows.is_empty() {
        return head;
    }
    let heading = ["SEQ", "AT", "EVENT", "STATE", "ATTEMPT", "REASON", "DETAIL"];
    format!("{head}\n\n{}", table(&heading, &rows, ""))
}

/// The code of why it ended as it did.
fn why(execution: &Value) -> String {
    let codes = ["/reason/code", "/outcome/reason/code"];
    codes.into_iter().find_map(|code| execution.pointer(code)?.as_str()).unwrap_or_default().to_owned()
}

/// The kind of an intent and what it names.
fn intent(execution: &Value) -> String {
    let Some((kind, what)) = execution.get("intent").and_then(Value::as_object).and_then(|intent| intent.iter().next())
    else {
        return String::new();
    };
    let names: Vec<String> = match what {
        Value::Array(properties) => properties.iter().map(|property| text(property, "name")).collect(),
        what => vec![text(what, "action") + &text(what, "name")],
    };
    format!("{kind} {}", names.join(",")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{listed, shown};
    use serde_json::json;

    #[test]
    fn an_execution_is_shown_with_why_it_stands_where_it_stands() {
        let execution = json!({
            "id": "e1", "device": "d1", "intent": {"write": [{"name": "a", "value": 1}, {"name": "b", "value": 2}]},
            "state": "FAILED", "phase": "ended", "attempt": 1, "origin": "admin", "created_ms": 0,
            "outcome": {"verdict": "FAILED", "reason": {"code": "jam", "text": "the door is jammed"}}, "reason": null,
            "history": [{"seq": 1, "at_ms": 0, "event": "queued", "state": "QUEUED", "attempt": 0, "detail": null}],
        });
        let expected = "\
ID  DEVICE  COMMAND    STATE   REASON  ORIGIN  CREATED
e1  d1      write a,b  FAILED  jam     admin   1970-01-01 00:00:00.000Z
There are more: --after p2";
        assert_eq!(listed(&json!({"items": [execution], "next": "p2"})), expected);
        let text = shown(&execution);
        assert!(text.contains("because  the door is jammed\n"), "{text}");
        assert!(text.ends_with("\n\nSEQ  AT                        EVENT   STATE   ATTEMPT  REASON  DETAIL\n1    1970-01-01 00:00:00.000Z  queued  QUEUED  0"), "{text}");
    }
}
