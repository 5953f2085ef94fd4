//! The listener that operators call: devices, commands, executions, tokens, plugins and targets as
//! JSON over HTTP.
//!
//! Everything under `/v1` asks for `Authorization: Bearer` with the admin token; `/healthz`, `/readyz` and `/metrics`
//! do not. Errors are `{"error":{"code","message"}}`. What the API does goes through [`Control`].

mod api;
mod auth;
mod checks;
mod commands;
mod dead_letters;
mod devices;
mod executions;
mod failure;
mod health;
mod import;
mod plugins;
mod query;
mod record;
mod request;
mod targets;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

pub(crate) use api::{
    Command, Control, ControlError, DeviceState, NewDevice, OlderPlugin, PluginList, PluginQuarantine, PluginState,
    RefusedPlugin, ReleasedPlugin,
};

use auth::Gate;
use axum::Router;
use axum::routing::{delete, get, post};
use failure::Failure;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What every endpoint has at hand.
type Shared = Arc<dyn Control>;

/// The routes of the admin listener. `token` opens all that is under `/v1`.
pub(crate) fn router(control: Arc<dyn Control>, token: &Zeroizing<String>, metrics: PrometheusHandle) -> Router {
    let guarded = Router::new()
        .route("/v1/devices", get(devices::list).post(devices::add))
        .route("/v1/devices/import", post(import::import))
        .route("/v1/devices/{id}", get(devices::show).delete(devices::remove))
        .route("/v1/commands", post(commands::send))
        .route("/v1/executions", get(executions::list))
        .route("/v1/executions/{id}", get(executions::show))
        .route("/v1/executions/{id}/cancel", post(executions::cancel))
        .route("/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/v1/tokens/{dialect}/{account}", delete(tokens::remove))
        .route("/v1/plugins", get(plugins::list))
        .route("/v1/plugins/{name}/release", post(plugins::release))
        .route("/v1/plugins/{name}/readmit", post(plugins::readmit))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/replay", post(dead_letters::replay))
        .route("/v1/dead-letters/drop", post(dead_letters::forget))
        .route("/v1/dead-letters/{number}", get(dead_letters::show))
        .route("/v1/targets", get(targets::list))
        .route("/v1/targets/{name}", get(targets::show))
        .route("/v1/targets/{name}/retry", post(targets::retry))
        .route("/v1/targets/{name}/drop", post(targets::drop_given_up))
        .method_not_allowed_fallback(failure::method_not_allowed)
        .fallback(failure::no_such_path)
        .layer(axum::middleware::from_fn_with_state(Gate::new(token), auth::guard))
        .with_state(Arc::clone(&control));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz).with_state(control))
        .route("/metrics", get(move || health::metrics(metrics)))
        .method_not_allowed_fallback(failure::method_not_allowed)
        .fallback_service(guarded)
}
