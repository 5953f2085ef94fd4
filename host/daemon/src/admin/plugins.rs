//! The plugins as they are now.

use super::Shared;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// `GET /v1/plugins`: `{"loaded":[…],"refused":[{"file","reason"}]}`.
pub(super) async fn list(State(control): State<Shared>) -> Json<Value> {
    let plugins = control.plugins();
    Json(json!({"loaded": plugins.loaded, "refused": plugins.refused}))
}

/// What an operator should know who names these plugins: those that are not loaded.
pub(super) fn warnings<'a>(control: &Shared, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let loaded = control.plugins().loaded;
    names
        .into_iter()
        .filter(|name| loaded.iter().all(|plugin| plugin.name != **name))
        .map(|name| format!("no plugin {name} is loaded now; nothing of it works until it is"))
        .collect()
}
