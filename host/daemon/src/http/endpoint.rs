//! One request of an application on the dialects' listener: its route, its limits, its credential, its answer.

use super::answer;
use crate::runtime::conversation;
use crate::runtime::gateway::Gateway;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use axum::response::Response as HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::{Attributes, Payload};
use dragoman_wasm::{Plugin, Presented, Request, Secret};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take to send the body of a request.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The listener's router: every path belongs to whichever plugin claims it at that moment.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(serve).with_state(gateway)
}

async fn serve(State(gateway): State<Arc<Gateway>>, request: HttpRequest) -> HttpResponse {
    let request_id = uuid::Uuid::now_v7().to_string();
    let (parts, body) = request.into_parts();
    let plugin = gateway.catalog().route(parts.method.as_str(), parts.uri.path()).cloned();
    let (dialect, mut response) = match plugin {
        Some(plugin) => {
            let response = serve_with(&gateway, &plugin, &parts, body, &request_id).await;
            (plugin.name().to_string(), response)
        }
        None => ("none".to_owned(), answer::no_route(&parts.method, parts.uri.path(), &request_id)),
    };
    answer::add_request_id(&mut response, &request_id);
    let status = response.status().as_u16().to_string();
    metrics::counter!("dragoman_http_responses_total", "dialect" => dialect, "status" => status).increment(1);
    response
}

async fn serve_with(
    gateway: &Arc<Gateway>,
    plugin: &Arc<Plugin>,
    parts: &Parts,
    body: Body,
    request_id: &str,
) -> HttpResponse {
    let limit = gateway.config.http.body_max_bytes;
    let read = tokio::time::timeout(BODY_READ_TIMEOUT, Limited::new(body, limit).collect()).await;
    let body = match read {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return answer::body_too_large(limit, request_id),
        Ok(Err(_)) => return answer::body_broken(request_id),
        Err(_) => return answer::body_too_slow(BODY_READ_TIMEOUT, request_id),
    };
    let (headers, presented) = headers(parts, &plugin.description().credential_headers);
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: Payload::from(body.to_vec()),
        request_id: request_id.to_owned(),
    };
    match conversation::answer_request(gateway, plugin, request, presented).await {
        Ok(response) => answer::of_plugin(plugin.name(), response, request_id),
        Err(unanswered) => answer::unanswered(&unanswered, request_id),
    }
}

/// What the plugin sees of the headers, and what the client presented as its credential.
fn headers(parts: &Parts, credential_headers: &[String]) -> (Attributes, Option<Presented>) {
    let mut shown = Vec::with_capacity(parts.headers.len());
    let mut presented = None;
    for (name, value) in &parts.headers {
        if is_secret(name, credential_headers) {
            presented = presented.or_else(|| read_credential(name, value.as_bytes()));
        } else {
            shown.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    (shown, presented)
}

fn is_secret(name: &HeaderName, credential_headers: &[String]) -> bool {
    name == header::AUTHORIZATION
        || name == header::PROXY_AUTHORIZATION
        || name == header::COOKIE
        || credential_headers.iter().any(|secret| secret == name.as_str())
}

fn read_credential(name: &HeaderName, value: &[u8]) -> Option<Presented> {
    if name != header::AUTHORIZATION {
        let is_ours = name != header::COOKIE && name != header::PROXY_AUTHORIZATION;
        return is_ours.then(|| Presented {
            scheme: name.as_str().to_owned(),
            account: None,
            secret: Secret::new(value.to_vec()),
        });
    }
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (value.get(..space)?.to_ascii_lowercase(), value.get(space + 1..)?.trim_ascii());
    match scheme.as_slice() {
        b"bearer" => Some(Presented { scheme: "bearer".into(), account: None, secret: Secret::new(rest.to_vec()) }),
        b"basic" => {
            let decoded = STANDARD.decode(rest).ok()?;
            let colon = decoded.iter().position(|byte| *byte == b':')?;
            let account = String::from_utf8(decoded.get(..colon)?.to_vec()).ok()?;
            let secret = Secret::new(decoded.get(colon + 1..)?.to_vec());
            Some(Presented { scheme: "basic".into(), account: Some(account), secret })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request as Raw;

    /// Scheme, account and secret.
    type Credential = (String, Option<String>, Vec<u8>);

    fn read(lines: &[(&str, &str)]) -> (Attributes, Option<Credential>) {
        let mut request = Raw::builder();
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (shown, presented) = headers(&parts, &["x-auth-token".to_owned()]);
        (shown, presented.map(|found| (found.scheme.clone(), found.account.clone(), found.secret.expose().to_vec())))
    }

    #[test]
    fn a_plugin_never_sees_a_credential() {
        let secret = |scheme: &str, account: Option<&str>, secret: &str| {
            Some((scheme.to_owned(), account.map(str::to_owned), secret.as_bytes().to_vec()))
        };
        for (given, expected) in [
            (("authorization", "Basic YWs6cDp3"), secret("basic", Some("ak"), "p:w")),
            (("authorization", "bearer  abc "), secret("bearer", None, "abc")),
            (("authorization", "Basic !!!"), None),
            (("authorization", "Basic YWs="), None),
            (("authorization", "Digest x"), None),
            (("authorization", "Basic"), None),
            (("x-auth-token", "t"), secret("x-auth-token", None, "t")),
            (("cookie", "a=b"), None),
            (("proxy-authorization", "Basic YWs6cDp3"), None),
        ] {
            let (shown, presented) = read(&[given, ("x-other", "seen")]);
            assert_eq!(presented, expected, "{given:?}");
            assert_eq!(shown, [("x-other".to_owned(), "seen".to_owned())], "{given:?}");
        }
    }

    #[test]
    fn doubled_headers_stay_in_order() {
        let (shown, _) = read(&[("a", "1"), ("b", "2"), ("a", "3")]);
        let values: Vec<_> = shown.iter().filter(|(name, _)| name == "a").map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["1", "3"]);
    }
}
