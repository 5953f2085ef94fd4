//! The words of a script.

use crate::dragoman::gateway::types::{
    Delivery, Device, Error, Execution, Intent, Invocation, Outcome, Payload, Reason, Stage,
};
use crate::dragoman::gateway::{credentials, devices, executions, host};
use crate::exports::dragoman::gateway::northbound::Request;
use crate::{harm, imports};

/// What each line came to, and the last line that says how to answer.
type Run = (Vec<String>, Vec<String>);

pub(crate) fn run(script: &str, request: Option<&Request>) -> Result<Run, Error> {
    let (mut said, mut ending) = (Vec::new(), Vec::new());
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A line that begins so is for that version only.
        let words = match words.as_slice() {
            ["by", version, ..] if !crate::is_version(version) => continue,
            ["by", _, rest @ ..] => rest,
            all => all,
        };
        let rest = |from: usize| words.iter().skip(from).copied().collect::<Vec<_>>().join(" ");
        match words {
            ["#", ..] => {}
            ["request"] => said.extend(request.map(about)),
            ["now"] => said.push(host::now().to_string()),
            ["id"] => said.push(host::new_id()),
            ["settings"] => said.push(host::settings()),
            ["log", ..] => host::log(host::Severity::Info, &rest(1)),
            ["get", id] => said.push(devices::get(id).as_ref().map_or("none".into(), device)),
            ["resolve", space, name] => {
                said.push(devices::resolve(space, name).as_ref().map_or("none".into(), device));
            }
            ["devices", limit] => {
                let all = devices::query(&Vec::new(), None, limit.parse().unwrap_or(0));
                said.push(all.iter().map(device).collect::<Vec<_>>().join(" "));
            }
            ["create", id, space, name] => said.push(answer(devices::create(&devices::Registration {
                id: (*id != "-").then(|| id.to_string()),
                handler: None,
                parent: None,
                aliases: vec![(space.to_string(), name.to_string())],
                labels: Vec::new(),
                profile: "{}".into(),
            }))),
            ["child", id, parent] => said.push(answer(devices::create(&devices::Registration {
                id: Some(id.to_string()),
                handler: Some("stepper".into()),
                parent: Some(parent.to_string()),
                aliases: Vec::new(),
                labels: vec![("a".into(), "b".into())],
                profile: "null".into(),
            }))),
            ["put", id, revision, ..] => {
                said.push(unit(devices::put_profile(id, &rest(3), revision.parse().unwrap_or(0))));
            }
            ["submit", device, options @ ..] => said.push(executions::submit(submission(device, options))),
            ["hold", device] => std::mem::forget(submission(device, &[])),
            ["drop", device] => drop(submission(device, &[])),
            ["execution", id] => said.push(executions::get(id).as_ref().map_or("none".into(), execution)),
            ["executions", device] => {
                let page = executions::query(&selection(device), None, 5);
                said.push(page.items.iter().map(execution).chain(page.next).collect::<Vec<_>>().join(" "));
            }
            ["count", device] => said.push(executions::count(&selection(device)).to_string()),
            ["cancel", id] => said.push(unit(executions::cancel(id))),
            ["progress", reporter, key, ..] => {
                let note = executions::Report::Progress(Some(rest(3)));
                said.push(tell(reporter, key, &note));
            }
            ["ended", reporter, key, code] => {
                said.push(tell(reporter, key, &executions::Report::Ended(Outcome::Failed(reason(code)))));
            }
            ["check"] => said.push(answer(credentials::check_presented(None).map(|who| who.account))),
            ["check", account] => {
                said.push(answer(credentials::check_presented(Some(account)).map(|who| who.rights)));
            }
            ["mac", account, data] => said.push(answer(
                credentials::verify_mac(&[credentials::MacStep {
                    key: credentials::Term::Secret(account.to_string()),
                    data: vec![credentials::Term::Bytes(data.as_bytes().to_vec())],
                    encoding: credentials::Encoding::HexLower,
                }])
                .map(|fits| fits.to_string()),
            )),
            ["harm", what @ ..] => said.push(harm::run(what)),
            ["error", text] => return Err(Error::Conflict(text.to_string())),
            _ if imports::run(words, &rest, &mut said) => {}
            _ => ending = words.iter().map(ToString::to_string).collect(),
        }
    }
    Ok((said, ending))
}

pub(crate) fn submission(device: &str, options: &[&str]) -> executions::Submission {
    let intent = match options.first() {
        Some(&"bytes") => Intent::Deliver(Delivery {
            name: None,
            payload: Payload::Bytes(vec![0; options.get(1).and_then(|size| size.parse().ok()).unwrap_or(0)]),
            attributes: Vec::new(),
        }),
        Some(&"params") => invoke(options.get(1).unwrap_or(&"")),
        _ => invoke("{}"),
    };
    let made = executions::Submission::new(device, &intent);
    for option in options {
        match option.split_once('=') {
            Some(("alias", value)) => made.alias(value),
            Some(("key", value)) => made.idempotency_key(value),
            Some(("context", value)) => made.context(value),
            Some(("label", value)) => made.label("label", value),
            Some(("ttl", value)) => made.ttl(value.parse().unwrap_or(0)),
            Some(("succeeds", "acked")) => made.succeeds_at(Stage::Acked),
            Some(("succeeds", _)) => made.succeeds_at(Stage::Sent),
            Some(("away", "fail")) => made.when_away(executions::WhenAway::Fail),
            Some(("away", _)) => made.when_away(executions::WhenAway::Queue),
            Some(("queue", value)) => made.queue(value),
            Some(("attempts", value)) => {
                let (max, backoff) = value.split_once(':').unwrap_or_default();
                made.attempts(max.parse().unwrap_or(0), backoff.parse().unwrap_or(0), executions::Place::Head);
            }
            _ => {}
        }
    }
    made
}

pub(crate) fn invoke(params: &str) -> Intent {
    Intent::Invoke(Invocation { service: None, action: "act".into(), params: params.into() })
}

pub(crate) fn reason(code: &str) -> Reason {
    Reason { code: code.into(), text: "because".into(), detail: None }
}

fn tell(reporter: &str, key: &str, report: &executions::Report) -> String {
    let about = executions::Correlation { reporter: reporter.into(), key: key.into() };
    unit(executions::tell(&about, report, &vec![("a".into(), "b".into())]))
}

pub(crate) fn selection(device: &str) -> executions::Selection {
    executions::Selection {
        device: (device != "-").then(|| device.to_string()),
        states: Vec::new(),
        labels: Vec::new(),
        newest_first: true,
    }
}

fn about(request: &Request) -> String {
    let presented = request.presented.as_ref().map(|given| (given.scheme.as_str(), given.account.as_deref()));
    format!(
        "{} {}?{} {:?} {presented:?} {}",
        request.method, request.path, request.query, request.headers, request.request_id
    )
}

pub(crate) fn device(device: &Device) -> String {
    format!("{}:{}:{}", device.id, device.revision, device.profile.as_deref().unwrap_or("none"))
}

pub(crate) fn execution(execution: &Execution) -> String {
    let context = execution.context.as_deref().unwrap_or("none");
    format!("{}:{:?}:{}:{context}", execution.id, execution.state, execution.attempt)
}

pub(crate) fn unit(result: Result<(), Error>) -> String {
    answer(result.map(|()| "ok".into()))
}

pub(crate) fn answer(result: Result<String, Error>) -> String {
    result.unwrap_or_else(|error| format!("{error:?}"))
}
