//! The plugins as they are now.

use super::request::{self, Names};
use super::{Failure, ReleasedPlugin, Shared, checks};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

/// The shortest beginning of a digest that names a version.
const DIGEST_MIN_CHARS: usize = 8;

/// `GET /v1/plugins`: `{"loaded":[…],"older":[…],"refused":[{"file","step","reason"}]}`.
pub(super) async fn list(State(control): State<Shared>) -> Json<Value> {
    let plugins = control.plugins();
    Json(json!({"loaded": plugins.loaded, "older": plugins.older, "refused": plugins.refused}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    digest: Option<String>,
}

/// `POST /v1/plugins/{name}/release` with `{"digest"}`, or `{}` for every older version: `{"released","waiting"}`.
pub(super) async fn release(
    State(control): State<Shared>,
    Names(name): Names<String>,
    body: Body,
) -> Result<Json<ReleasedPlugin>, Failure> {
    let Release { digest } = request::json(body).await?;
    if let Some(digest) = &digest {
        let is_hex = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || !(DIGEST_MIN_CHARS..=64).contains(&digest.len()) {
            let shown = checks::shown(digest);
            return Err(Failure::invalid(format!(
                "digest is {shown:?}; it is the first {DIGEST_MIN_CHARS} to 64 hexadecimal digits that the list of plugins \
                 shows"
            )));
        }
    }
    Ok(Json(control.release_plugin(&name, digest.as_deref()).await?))
}

/// `POST /v1/plugins/{name}/readmit`: `{"readmitted"}`, the number of versions whose quarantine is over.
pub(super) async fn readmit(State(control): State<Shared>, Names(name): Names<String>) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({"readmitted": control.readmit_plugin(&name)?})))
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
