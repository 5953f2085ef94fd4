//! The admin API over a gateway that only remembers what it was asked.

mod answers;
mod fake;
mod import;
mod refusals;

use super::Control;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use fake::Fake;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;
use zeroize::Zeroizing;

const TOKEN: &str = "0123456789abcdef";

/// The API and the gateway under it.
struct Bench {
    fake: Arc<Fake>,
    router: Router,
}

impl Bench {
    fn new() -> Self {
        let fake = Arc::new(Fake::new());
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let control: Arc<dyn Control> = fake.clone();
        Self { fake, router: super::router(control, &Zeroizing::new(TOKEN.to_owned()), metrics) }
    }

    /// Status and body of the answer to a request line, such as `GET /v1/devices`, with the token.
    async fn call(&self, line: &str, body: impl Into<Body>) -> (u16, String) {
        self.send(line, Some(&format!("Bearer {TOKEN}")), body).await
    }

    /// The same with any `Authorization`, or none.
    async fn send(&self, line: &str, authorization: Option<&str>, body: impl Into<Body>) -> (u16, String) {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The JSON of an answer that must have this status.
    async fn json(&self, line: &str, body: &str, status: u16) -> Value {
        let (got, text) = self.call(line, body.to_owned()).await;
        assert_eq!(got, status, "{line} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}
