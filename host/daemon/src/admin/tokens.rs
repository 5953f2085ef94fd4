//! Credentials of applications.

use super::request::{Names, Secret, json as read_json};
use super::{Failure, Shared, checks, plugins, query, words};
use crate::credentials::TokenKind;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use dragoman_store::{CredentialKind, CredentialRecord};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// `{"dialect","account","rights"?,"kind"?,"secret"?}`; the kind is `token`, `password` or `key`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    dialect: String,
    account: String,
    rights: Option<Box<RawValue>>,
    kind: Option<Kind>,
    secret: Option<Secret>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Token,
    Password,
    Key,
}

/// `GET /v1/tokens?dialect`: `{"items":[…]}`, without secrets. Without `dialect` those of every loaded plugin.
pub(super) async fn list(State(control): State<Shared>, uri: Uri) -> Result<Json<Value>, Failure> {
    let filter = query::read(&uri, &["dialect"])?;
    let dialects = match filter.dialect {
        Some(dialect) => vec![dialect],
        None => control.plugins().loaded.into_iter().map(|plugin| plugin.name).collect(),
    };
    let mut items = Vec::new();
    for dialect in dialects {
        items.extend(control.vault().tokens(&dialect).await?.iter().map(described));
    }
    Ok(Json(json!({"items": items})))
}

/// `POST /v1/tokens`: `{"dialect","account","secret"?,"warnings"?}`, 201. The secret is shown where none was given, this
/// once.
pub(super) async fn create(State(control): State<Shared>, body: Body) -> Result<(StatusCode, Json<Value>), Failure> {
    let Written { dialect, account, rights, kind, secret } = read_json(body).await?;
    checks::plugin_name("dialect", &dialect).map_err(Failure::invalid)?;
    let rights = rights.map_or_else(|| "{}".to_owned(), |rights| rights.get().to_owned());
    let chosen = secret.as_ref().map(Secret::bytes);
    let kind = kind.map(|kind| match kind {
        Kind::Token => TokenKind::Token,
        Kind::Password => TokenKind::Password,
        Kind::Key => TokenKind::Key,
    });
    let made = control.vault().create_token(&dialect, &account, &rights, kind, chosen, words::now_ms()).await?;
    let mut warnings = plugins::warnings(&control, [dialect.as_str()]);
    warnings.extend(made.warning.map(str::to_owned));
    let mut shown = json!({"dialect": dialect, "account": account});
    if let Some(object) = shown.as_object_mut() {
        if let Some(secret) = made.secret {
            object.insert("secret".to_owned(), Value::from(secret.as_str()));
        }
        if !warnings.is_empty() {
            object.insert("warnings".to_owned(), json!(warnings));
        }
    }
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `DELETE /v1/tokens/{dialect}/{account}`: 204.
pub(super) async fn remove(
    State(control): State<Shared>,
    Names((dialect, account)): Names<(String, String)>,
) -> Result<StatusCode, Failure> {
    if account.starts_with("device/") {
        return Err(Failure::conflict("this is the secret of a device; it goes with the device"));
    }
    if control.vault().remove(&dialect, &account).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let (dialect, account) = (checks::shown(&dialect), checks::shown(&account));
    Err(Failure::not_found(format!("{dialect} has no account {account}")))
}

fn described(record: &CredentialRecord) -> Value {
    json!({
        "dialect": &*record.dialect,
        "account": record.account,
        "kind": match record.kind {
            CredentialKind::Token => "token",
            CredentialKind::Password => "password",
            CredentialKind::Sealed => "key",
        },
        "rights": words::optional_json(Some(&record.rights)),
        "created_ms": record.created_ms,
    })
}
