//! One request and its answer: printed, then compared with what it should be.

use super::cast::{FLEETS_KEY, HUAWEI_TOKEN};
use super::http::{self, Answer, Request};
use super::stage::Addresses;
use anyhow::{Context, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Between two looks at an execution of Fleets.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// Within that a simulated device has long answered.
const ENDED_WITHIN: Duration = Duration::from_secs(15);

/// Sends a command the Fleets way: accepted at once, followed until it has ended. Gives its end.
pub(crate) fn fleets_command(
    addresses: &Addresses,
    thing: &str,
    action: &str,
    params: &Value,
) -> anyhow::Result<Value> {
    let command = json!({ "thingId": thing, "action": action, "params": params, "ttl": 30 });
    let request = with_fleets_key(Request::new("POST", "/api/v1/commands").body(&command));
    let accepted = shown(addresses, &request)?;
    ensure!(accepted.status == 201, "Fleets answers a command with 201, not {}", accepted.status);
    let execution = accepted.body["executionId"].as_str().context("the answer names no executionId")?;
    let (request, answer) = fleets_end(addresses, execution)?;
    print_exchange(addresses, &request, &answer);
    Ok(answer.body)
}

/// Asks for an execution of Fleets until it has ended. Gives the last request and its answer.
pub(crate) fn fleets_end(addresses: &Addresses, execution: &str) -> anyhow::Result<(Request, Answer)> {
    let request = with_fleets_key(Request::new("GET", format!("/api/v1/commands/{execution}")));
    let end = Instant::now() + ENDED_WITHIN;
    loop {
        let answer = http::send(&addresses.http, &request)?;
        if answer.body["status"] != "SENT" {
            return Ok((request, answer));
        }
        ensure!(Instant::now() < end, "the execution {execution} was still SENT after {} s", ENDED_WITHIN.as_secs());
        std::thread::sleep(POLL_EVERY);
    }
}

/// Sends a synchronous command the IoTDA way. Gives the body of the answer, which waited for the device.
pub(crate) fn huawei_command(addresses: &Addresses, device: &str, name: &str, paras: &Value) -> anyhow::Result<Value> {
    let command = json!({ "service_id": "Demo", "command_name": name, "paras": paras });
    let request = Request::new("POST", format!("/v5/iot/demo/devices/{device}/commands"))
        .header("x-auth-token", HUAWEI_TOKEN.1)
        .body(&command);
    let answer = shown(addresses, &request)?;
    ensure!(answer.status == 200, "IoTDA answers a command with 200, not {}", answer.status);
    Ok(answer.body)
}

/// Fails unless a part of an answer is what it should be.
pub(crate) fn expect(body: &Value, pointer: &str, wanted: &Value) -> anyhow::Result<()> {
    let found = body.pointer(pointer).unwrap_or(&Value::Null);
    ensure!(found == wanted, "{pointer} of the answer is {found}, not {wanted}: {body}");
    Ok(())
}

fn with_fleets_key(request: Request) -> Request {
    request.header("authorization", &basic(FLEETS_KEY))
}

/// An account and its secret as HTTP Basic has them.
pub(crate) fn basic((account, secret): (&str, &str)) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{account}:{secret}"));
    format!("Basic {encoded}")
}

fn shown(addresses: &Addresses, request: &Request) -> anyhow::Result<Answer> {
    let answer = http::send(&addresses.http, request)?;
    print_exchange(addresses, request, &answer);
    Ok(answer)
}

fn print_exchange(addresses: &Addresses, request: &Request, answer: &Answer) {
    println!("{}\n", indented('>', &request.text(&addresses.http)));
    println!("{}\n", indented('<', &answer.text));
}

fn indented(mark: char, text: &str) -> String {
    text.lines().map(|line| format!("  {mark} {line}")).collect::<Vec<_>>().join("\n")
}
