//! HTTP/1.1 one request a connection, so that what is printed is exactly what went over the wire.

use anyhow::{Context, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than the longest wait of a dialect: a synchronous command of IoTDA waits 20 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// An answer of the demonstration is far smaller.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What is asked.
pub(crate) struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Request {
    /// A request without a body.
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: String::new() }
    }

    /// With one header more.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a JSON body.
    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("content-type", "application/json")
    }

    /// As it goes over the wire.
    pub(crate) fn text(&self, address: &str) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        format!("{text}\r\n{}", self.body)
    }
}

/// What came back.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// As it came over the wire.
    pub(crate) text: String,
    /// The body, where it is JSON; else null.
    pub(crate) body: Value,
}

/// Sends a request and reads the answer to its end.
pub(crate) fn send(address: &str, request: &Request) -> anyhow::Result<Answer> {
    let mut connection = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(ANSWER_WITHIN))?;
    connection.write_all(request.text(address).as_bytes()).with_context(|| format!("sending to {address}"))?;
    let mut text = String::new();
    connection
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("reading the answer of {address}"))?;
    parse(text)
}

fn parse(text: String) -> anyhow::Result<Answer> {
    ensure!(text.starts_with("HTTP/1.1 "), "this is no answer in HTTP/1.1: {text:?}");
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no status in {text:?}"))?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Answer { status, body: serde_json::from_str(body).unwrap_or(Value::Null), text })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_as_it_goes_over_the_wire() {
        let request = Request::new("POST", "/x").header("a", "b").body(&json!({ "n": 1 }));
        assert_eq!(
            request.text("h:1"),
            "POST /x HTTP/1.1\r\nhost: h:1\r\nconnection: close\r\na: b\r\ncontent-type: application/json\r\n\
             content-length: 7\r\n\r\n{\"n\":1}"
        );
    }

    #[test]
    fn answers_are_taken_apart() {
        let answer = parse("HTTP/1.1 201 Created\r\ncontent-length: 7\r\n\r\n{\"n\":1}".to_owned()).unwrap();
        assert_eq!((answer.status, answer.body), (201, json!({ "n": 1 })));
        assert!(parse("SSH-2.0".to_owned()).is_err());
    }
}
