//! `dragoman device`.

use super::args::{Credential, DeviceAdd, DeviceVerb};
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, list, more, pairs, table, text};
use super::{input, time};
use reqwest::blocking::Body;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;

/// Does what was asked.
pub(super) fn run(verb: DeviceVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    match verb {
        DeviceVerb::Add(device) => {
            let added = daemon.post(&["devices"], &record(*device)?)?;
            output.print(&added, |added| format!("device {} is registered", text(added, "id")));
            output.warnings(&added);
        }
        DeviceVerb::Import { file } => return import(&file, daemon, output),
        DeviceVerb::List { labels, page } => {
            let mut query: Vec<_> = labels.into_iter().map(|(name, value)| (format!("label.{name}"), value)).collect();
            query.push(("limit".to_owned(), page.limit.to_string()));
            query.extend(page.after.map(|after| ("after".to_owned(), after)));
            output.print(&daemon.get(&["devices"], &query)?, listed);
        }
        DeviceVerb::Show { id } => output.print(&daemon.get(&["devices", &id], &[])?, shown),
        DeviceVerb::Remove { id } => {
            daemon.delete(&["devices", &id])?;
            output.print(&json!({"removed": id}), |_| format!("device {id} is forgotten"));
        }
    }
    Ok(())
}

fn record(device: DeviceAdd) -> Result<Value, Failure> {
    let kind = match device.credential {
        Credential::Password => "password",
        Credential::Key => "key",
    };
    let secret = device.secret.read()?;
    let fields = [
        ("id", Some(Value::from(device.id))),
        ("dialect", Some(Value::from(device.dialect))),
        ("handler", device.handler.map(Value::from)),
        ("parent", device.parent.map(Value::from)),
        ("aliases", Some(input::object(device.aliases))),
        ("labels", Some(input::object(device.labels))),
        ("profile", device.profile),
        ("credential", secret.map(|secret| json!({"kind": kind, "secret": secret.as_str()}))),
    ];
    let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(set.collect()))
}

/// Streams the file, so that a million lines need no memory on either side.
fn import(file: &Path, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    let body = if file == Path::new("-") {
        Body::new(std::io::stdin())
    } else {
        let opened = File::open(file);
        Body::from(opened.map_err(|error| Failure::failed(format!("{} cannot be read: {error}", file.display())))?)
    };
    let done = daemon.stream(&["devices", "import"], body)?;
    output.print(&done, |done| {
        let failed =
            items(done, "failed").map(|line| format!("line {}: {}", text(line, "line"), text(line, "message")));
        let head = format!("{} imported, {} failed", text(done, "imported"), text(done, "failed_total"));
        std::iter::once(head).chain(failed).collect::<Vec<_>>().join("\n")
    });
    if done.get("failed_total").and_then(Value::as_u64) == Some(0) { Ok(()) } else { Err(Failure::Printed) }
}

fn listed(page: &Value) -> String {
    let rows: Vec<_> = items(page, "items")
        .map(|device| {
            let online = if device.get("online") == Some(&Value::Bool(true)) { "online" } else { "away" };
            vec![
                text(device, "id"),
                text(device, "dialect"),
                text(device, "handler"),
                online.to_owned(),
                pairs(device, "aliases"),
                pairs(device, "labels"),
            ]
        })
        .collect();
    let heading = ["ID", "DIALECT", "HANDLER", "PRESENCE", "ALIASES", "LABELS"];
    table(&heading, &rows, "no devices; register one with dragoman device add") + &more(page)
}

fn shown(device: &Value) -> String {
    let credential = device.get("credential").map(|credential| text(credential, "kind")).unwrap_or_default();
    list(&[
        ("id", text(device, "id")),
        ("dialect", text(device, "dialect")),
        ("handler", text(device, "handler")),
        ("parent", text(device, "parent")),
        ("online", text(device, "online")),
        ("aliases", pairs(device, "aliases")),
        ("labels", pairs(device, "labels")),
        ("profile", text(device, "profile")),
        ("credential", credential),
        ("created", time::shown(device, "created_ms")),
        ("updated", time::shown(device, "updated_ms")),
    ])
}
