//! What a load balancer, a service manager and a metrics collector ask.

use super::{Failure, Shared};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

/// The process runs.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Calls and devices are served.
pub(super) async fn readyz(State(control): State<Shared>) -> Result<Json<Value>, Failure> {
    control.ready().map_err(Failure::unavailable)?;
    Ok(Json(json!({"status": "ready"})))
}

/// Every series in the text format of Prometheus.
pub(super) async fn metrics(handle: PrometheusHandle) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
}
