//! A request and its refusal, as a row of a table.

/// Who asks.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Nobody,
    Basic(&'static str, &'static str),
    Bearer(&'static str),
    Header(&'static str, &'static str),
}

/// A request and what must come back.
pub(crate) struct HttpRow {
    pub(crate) what: &'static str,
    /// Method and path; `{open}` and `{ended}` stand for executions.
    pub(crate) request: &'static str,
    pub(crate) who: Who,
    pub(crate) body: fn() -> Vec<u8>,
    /// The dialect that the answer is counted for.
    pub(crate) dialect: &'static str,
    pub(crate) status: u16,
    /// The body, UUIDs replaced by `<id>`.
    pub(crate) answer: &'static str,
}

/// Name, request, who asks, body, dialect, status and answer.
macro_rules! row {
    ($what:literal, $request:expr, $who:expr, $body:expr, $dialect:expr, $status:literal, $answer:expr) => {
        HttpRow {
            what: $what,
            request: $request,
            who: $who,
            body: || Vec::from($body),
            dialect: $dialect,
            status: $status,
            answer: $answer,
        }
    };
}
pub(crate) use row;

/// An object around so many objects, and a value in the innermost.
pub(crate) fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}
