//! Answers over HTTP: a plugin's, and the host's own where no plugin can give one.

use crate::runtime::conversation::Unanswered;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response as HttpResponse;
use dragoman_core::{ExecutionId, Payload};
use dragoman_wasm::{CallError, Fault};
use serde_json::json;
use std::time::Duration;

/// Longest part of a path that is repeated in an answer.
const SHOWN_PATH_MAX: usize = 200;
/// The header that names a request in logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No plugin claims the route.
pub fn no_route(method: &Method, path: &str, request_id: &str) -> HttpResponse {
    let path: String = path.chars().take(SHOWN_PATH_MAX).collect();
    let text = format!("no loaded dialect claims {method} {path}; `dragoman plugin list` shows the routes");
    own(StatusCode::NOT_FOUND, "$NO_ROUTE", &text, &[], request_id)
}

/// The body exceeds the limit.
pub fn body_too_large(limit: usize, request_id: &str) -> HttpResponse {
    let text = format!("the body exceeds {limit} bytes, the limit set by http.body_max_bytes");
    own(StatusCode::PAYLOAD_TOO_LARGE, "$LIMIT", &text, &[], request_id)
}

/// The body ended early or is not framed as HTTP asks.
pub fn body_broken(request_id: &str) -> HttpResponse {
    own(StatusCode::BAD_REQUEST, "$INVALID", "the body could not be read to its end", &[], request_id)
}

/// The body did not come in time.
pub fn body_too_slow(limit: Duration, request_id: &str) -> HttpResponse {
    let text = format!("the body did not arrive within {} s", limit.as_secs());
    own(StatusCode::REQUEST_TIMEOUT, "$LIMIT", &text, &[], request_id)
}

/// The dialect could not answer.
pub fn unanswered(why: &Unanswered, request_id: &str) -> HttpResponse {
    let (status, code, executions): (_, &str, &[ExecutionId]) = match why {
        Unanswered::Fault(fault) => (status_of(&fault.fault), fault.code(), &[]),
        // The commands are accepted: who is told that the service is unavailable would send them again.
        Unanswered::AnswerFault { fault, executions } => (StatusCode::INTERNAL_SERVER_ERROR, fault.code(), executions),
        Unanswered::Conflict(_) => (StatusCode::CONFLICT, "$CONFLICT", &[]),
        Unanswered::NotAllowed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "$PLUGIN_ERROR", &[]),
        Unanswered::TooMany { .. } => (StatusCode::SERVICE_UNAVAILABLE, "$LIMIT", &[]),
        Unanswered::Restarting { executions } => (StatusCode::SERVICE_UNAVAILABLE, "$RESTARTING", executions),
        Unanswered::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "$STORE", &[]),
    };
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::warn!(request_id, reason = %why, "a request was answered by the host because its dialect could not");
    }
    let mut response = own(status, code, &why.to_string(), executions, request_id);
    if let Unanswered::Fault(CallError { fault: Fault::Quarantined { again_in_ms }, .. }) = why {
        let seconds = again_in_ms.div_ceil(1000).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A plugin that is in quarantine is not there for now; one that failed is broken.
fn status_of(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Quarantined { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A plugin's answer. Headers that only the connection may set are left out, and what is no HTTP becomes a fault.
pub fn of_plugin(plugin: &str, response: dragoman_wasm::Response, request_id: &str) -> HttpResponse {
    let body = match response.body {
        Payload::Text(text) => Body::from(text),
        Payload::Bytes(bytes) => Body::from(bytes),
    };
    match build(response.status, &response.headers, body) {
        Ok(response) => response,
        Err(what) => {
            let text = format!("plugin {plugin} answered with {what}, which is no HTTP");
            tracing::warn!(request_id, %text, "an answer was replaced");
            own(StatusCode::INTERNAL_SERVER_ERROR, "$PLUGIN_ERROR", &text, &[], request_id)
        }
    }
}

/// Names the request, unless the plugin did in its platform's words.
pub fn add_request_id(response: &mut HttpResponse, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
}

fn build(status: u16, headers: &[(String, String)], body: Body) -> Result<HttpResponse, String> {
    let status = StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| format!("status {status}"))?;
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("the header name {name:?}"))?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| format!("the value of header {name}"))?;
        if [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE].contains(&name) {
            continue;
        }
        map.append(name, value);
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = map;
    Ok(response)
}

fn own(status: StatusCode, code: &str, text: &str, executions: &[ExecutionId], request_id: &str) -> HttpResponse {
    let mut error = json!({"code": code, "message": text, "request_id": request_id});
    if !executions.is_empty()
        && let Some(error) = error.as_object_mut()
    {
        error.insert("executions".into(), executions.iter().map(ExecutionId::as_str).collect());
    }
    let mut response = HttpResponse::new(Body::from(json!({ "error": error }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_http_is_not_passed_on() {
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for (status, headers, expected) in [
            (200, header("x-a", "b"), Ok(())),
            (99, Vec::new(), Err("status 99")),
            (101, Vec::new(), Err("status 101")),
            (1000, Vec::new(), Err("status 1000")),
            (200, header("x a", "b"), Err("the header name \"x a\"")),
            (200, header("x-a", "b\r\nset-cookie: c"), Err("the value of header x-a")),
        ] {
            let built = build(status, &headers, Body::empty()).map(drop);
            assert_eq!(built, expected.map_err(str::to_owned), "{status} {headers:?}");
        }
    }

    #[test]
    fn a_plugin_in_quarantine_is_unavailable_and_says_for_how_long() {
        let failed = |fault| CallError { plugin: "acme-things".into(), export: "northbound.handle-request", fault };
        for (why, status, after) in [
            (Unanswered::Fault(failed(Fault::Quarantined { again_in_ms: 4001 })), 503, Some("5")),
            (Unanswered::Fault(failed(Fault::Quarantined { again_in_ms: 0 })), 503, Some("1")),
            (Unanswered::Fault(failed(Fault::Trapped("unreachable".into()))), 500, None),
        ] {
            let response = unanswered(&why, "r1");
            let told = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), told), (status, after), "{why}");
        }
    }

    #[test]
    fn the_connection_s_own_headers_are_left_out() {
        let headers = [("Content-Length", "7"), ("x-a", "1"), ("Connection", "close"), ("x-a", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let response = build(204, &headers, Body::empty()).unwrap();
        let kept: Vec<_> = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(kept, [("x-a", b"1".as_slice()), ("x-a", b"2".as_slice())]);
    }
}
