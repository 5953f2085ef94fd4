//! Answers and descriptions that the contract does not allow.

use crate::dragoman::gateway::types::{
    Decision, Error, Intent, Invocation, Outcome, Payload, Reason, Response, Stage, Wait,
};
use crate::exports::dragoman::gateway::{handler, plugin};
use crate::marks;
use std::hint::black_box;

/// What it says of itself.
pub(crate) fn description() -> plugin::Description {
    let route = || plugin::Claim::Http(format!("POST /{}/{{what}}", marks::name()));
    let mut claims = vec![marks::claim().map_or_else(route, |claim| match claim.split_once(':') {
        Some(("device", filter)) => plugin::Claim::DeviceTopic(filter.into()),
        Some(("application", filter)) => plugin::Claim::ApplicationTopic(filter.into()),
        _ => plugin::Claim::Http(claim.into()),
    })];
    let (mut version, mut summary, mut tells) = ("1".to_owned(), "does harm".to_owned(), Stage::Ended);
    let (mut schema, mut attributes, mut name) = (None, Vec::new(), marks::name().to_owned());
    match marks::deed() {
        "claim-ten-thousand" => claims = (0..10_000).map(|at| plugin::Claim::Http(format!("GET /h/{at}"))).collect(),
        "long-claim" => claims = vec![plugin::Claim::Http(format!("GET /{}", "x".repeat(1 << 20)))],
        "long-version" => version = "v".repeat(1 << 20),
        "version-of-two-lines" => version = "1\n2026-01-01 plugin acme-things serves".into(),
        "version-of-a-terminal" => version = "1\u{1b}[2J".into(),
        "long-summary" => summary = "s".repeat(1 << 20),
        "many-attributes" => attributes = (0..10_000).map(|at| (format!("acme.{at}"), String::new())).collect(),
        "long-name" => name = "n".repeat(1 << 20),
        "schema-that-is-none" => schema = Some("{".into()),
        "deep-schema" => schema = Some("[".repeat(100_000)),
        // A number that no stage has.
        "bad-stage" => tells = unsafe { std::mem::transmute::<u8, Stage>(black_box(9)) },
        "bad-text" => summary = unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe]) },
        _ => {}
    }
    let queue = plugin::Queue {
        name: "main-queue".into(),
        window: Stage::Ended,
        limit: 20,
        overflow: plugin::Overflow::RefuseNewest,
    };
    plugin::Description {
        name,
        version,
        summary,
        claims,
        tells,
        queues: vec![queue],
        credential_headers: Vec::new(),
        settings_schema: schema,
        attributes,
    }
}

/// What it answers a request, where it does not just tell what it saw.
pub(crate) fn decision(seen: String) -> Result<Decision, Error> {
    let large = || "x".repeat(40 << 20);
    let respond = |status, headers, body| Ok(Decision::Respond(Response { status, headers, body: Payload::Text(body) }));
    match marks::deed() {
        "answer-40-mib" => respond(200, Vec::new(), large()),
        "answer-5-mib" => respond(200, Vec::new(), "x".repeat(5 << 20)),
        "error-40-mib" => Err(Error::Internal(large())),
        "error-1-mib" => Err(Error::Internal("x".repeat(1 << 20))),
        "status-of-no-answer" => respond(99, Vec::new(), String::new()),
        "many-headers" => respond(200, vec![("x".into(), "y".into()); 200_000], String::new()),
        "wait-for-nothing" => Ok(Decision::Wait(Wait { context: "{}".into(), until: Stage::Ended })),
        "submit-a-large-context" => Ok(Decision::Wait(Wait { context: "{}".into(), until: Stage::Accepted })),
        // It submits and does not wait.
        "submit-and-answer" => {
            let act = Intent::Invoke(Invocation { service: None, action: "act".into(), params: "{}".into() });
            let command = crate::dragoman::gateway::executions::Submission::new("d1", &act);
            crate::dragoman::gateway::executions::submit(command);
            respond(200, Vec::new(), String::new())
        }
        _ => respond(200, Vec::new(), seen),
    }
}

/// What it plans, where it does not just tell what it saw.
pub(crate) fn step(seen: &str) -> Result<handler::Step, Error> {
    let frame = |params: &str| Intent::Invoke(Invocation { service: None, action: "act".into(), params: params.into() });
    let plan = |frames, state: String| Ok(handler::Step::Send(handler::Plan { frames, state, reply_within: None }));
    let finish = |outcome| Ok(handler::Step::Finish(outcome));
    let failed = |code: &str, text: String| Outcome::Failed(Reason { code: code.into(), text, detail: None });
    match marks::deed() {
        "state-1-mib" => plan(vec![frame("{}")], format!("\"{}\"", "s".repeat(1 << 20))),
        "state-of-no-json" => plan(vec![frame("{}")], "{".into()),
        "state-too-deep" => plan(vec![frame("{}")], "[".repeat(100_000)),
        "no-frames" => plan(Vec::new(), "{}".into()),
        "thousand-frames" => plan(vec![frame("{}"); 1000], "{}".into()),
        "frames-without-end" => plan(vec![frame("{}"); 200_000], "{}".into()),
        "large-frame" => plan(vec![frame(&format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20)))], "{}".into()),
        "code-of-the-host" => finish(failed("$NO_RESPONSE", "it was not me".into())),
        "long-reason" => finish(failed("LONG", "r".repeat(1 << 20))),
        "outcome-40-mib" => finish(Outcome::Succeeded(Some(format!("\"{}\"", "x".repeat(40 << 20))))),
        "outcome-of-no-json" => finish(Outcome::Succeeded(Some("}".into()))),
        "text-beyond-memory" => finish(failed("BEYOND", beyond_memory())),
        "text-of-no-text" => finish(failed("BROKEN", unsafe { String::from_utf8_unchecked(vec![0xff; 8]) })),
        _ => finish(Outcome::Succeeded(Some(format!("{seen:?}")))),
    }
}

/// A text whose length leads out of the guest's memory. It is never freed.
fn beyond_memory() -> String {
    let text = std::mem::ManuallyDrop::new(String::from("x"));
    let length = black_box(0x7fff_0000);
    unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), length, length) }
}
