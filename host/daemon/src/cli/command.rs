//! `dragoman command`.

use super::args::{CommandSend, CommandVerb};
use super::client::Daemon;
use super::execution;
use super::failure::Failure;
use super::output::{Output, text};
use serde_json::{Map, Value, json};

/// Does what was asked.
pub(super) fn run(verb: CommandVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    let CommandVerb::Send(send) = verb;
    if !send.wait {
        let accepted = daemon.post(&["commands"], &body(*send))?;
        output.print(&accepted, |accepted| {
            let id = text(accepted, "id");
            format!("execution {id} is accepted; dragoman execution show {id} says what became of it")
        });
        return Ok(());
    }
    let ended = daemon.post_and_wait(&["commands"], &body(*send))?;
    output.print(&ended, execution::shown);
    if text(&ended, "state") == "SUCCEEDED" { Ok(()) } else { Err(Failure::Printed) }
}

fn body(send: CommandSend) -> Value {
    let service = send.service;
    let property = |(name, value): (String, Value)| json!({"service": service, "name": name, "value": value});
    let name = |name: &String| json!({"service": service, "name": name});
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| drop(body.insert(field.to_owned(), value));
    set("device", Value::from(send.device));
    if let Some(action) = send.invoke {
        set("invoke", json!({"service": service, "action": action, "params": send.params}));
    } else if let Some(message) = send.deliver {
        set("deliver", json!({"name": service, "text": message}));
    } else if send.write.is_empty() {
        // `--read` without a name asks for everything, which is an empty list.
        set("read", send.read.iter().filter(|name| !name.is_empty()).map(name).collect());
    } else {
        set("write", send.write.into_iter().map(property).collect());
    }
    if let Some(ttl_ms) = send.ttl_ms {
        set("ttl_ms", Value::from(ttl_ms));
    }
    if let Some(key) = send.idempotency_key {
        set("idempotency_key", Value::from(key));
    }
    set("wait", Value::from(send.wait));
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::body;
    use crate::cli::args::{Cli, CommandVerb, Verb};
    use clap::Parser;
    use serde_json::{Value, json};

    fn sent(arguments: &[&str]) -> Result<Value, String> {
        let all = ["dragoman", "command", "send", "lamp-1"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.to_string())?.verb {
            Verb::Command(noun) => {
                let CommandVerb::Send(send) = noun.verb;
                Ok(body(*send))
            }
            _ => Err("another verb".to_owned()),
        }
    }

    #[test]
    fn each_intent_becomes_its_body() {
        let cases: [(&[&str], Value); 6] = [
            (
                &["--invoke", "set", "--service", "s", "--params", "{\"a\":1}", "--ttl-ms", "5", "--wait"],
                json!({"device": "lamp-1", "invoke": {"service": "s", "action": "set", "params": {"a": 1}}, "ttl_ms": 5, "wait": true}),
            ),
            (
                &["--write", "a=1", "--write", "b=\"x\"", "--idempotency-key", "k"],
                json!({"device": "lamp-1", "write": [{"service": null, "name": "a", "value": 1}, {"service": null, "name": "b", "value": "x"}],
                       "idempotency_key": "k", "wait": false}),
            ),
            (
                &["--read", "a", "--read", "b"],
                json!({"device": "lamp-1", "read": [{"service": null, "name": "a"}, {"service": null, "name": "b"}], "wait": false}),
            ),
            (&["--read"], json!({"device": "lamp-1", "read": [], "wait": false})),
            (
                &["--deliver", "text"],
                json!({"device": "lamp-1", "deliver": {"name": null, "text": "text"}, "wait": false}),
            ),
            (
                &["--invoke", "a"],
                json!({"device": "lamp-1", "invoke": {"service": null, "action": "a", "params": null}, "wait": false}),
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(sent(arguments), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn exactly_one_intent_is_asked_for() {
        for arguments in [&[][..], &["--invoke", "a", "--deliver", "b"], &["--params", "{}"], &["--write", "a=x"]] {
            assert!(sent(arguments).is_err(), "{arguments:?}");
        }
    }
}
