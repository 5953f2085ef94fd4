//! Registering, reading and forgetting devices.

use super::record::{Device, Written};
use super::request::{Names, json};
use super::{Failure, Shared, checks, plugins, query, words};
use crate::credentials::DeviceSecretKind;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use dragoman_core::DeviceId;
use serde_json::{Value, json};

/// `GET /v1/devices?label.NAME=VALUE&limit&after`: `{"items":[…],"next"}`, by id, without profiles.
pub(super) async fn list(State(control): State<Shared>, uri: Uri) -> Result<Json<Value>, Failure> {
    let filter = query::read(&uri, &["label.", "limit", "after"])?;
    let found = control.devices(filter.labels, filter.after.map(DeviceId::new), filter.limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|length| length >= filter.limit);
    let next = found.last().filter(|_| full).map(|device| device.record.id.as_str().to_owned());
    let items: Vec<Value> = found.iter().map(words::device).collect();
    Ok(Json(json!({"items": items, "next": next})))
}

/// `POST /v1/devices`: the device, 201.
pub(super) async fn add(State(control): State<Shared>, body: Body) -> Result<(StatusCode, Json<Value>), Failure> {
    let written: Written = json(body).await?;
    let Device { device, secret } = written.check().map_err(Failure::invalid)?;
    let (id, dialect) = (device.record.id.clone(), device.record.dialect.clone());
    let named: Vec<_> = [Some(dialect.clone()), device.record.handler.clone()].into_iter().flatten().collect();
    match control.add_devices(vec![device]).await.pop() {
        Some(added) => added?,
        None => return Err(Failure::unavailable("the gateway did not say what became of the device")),
    }
    if let Some((kind, secret)) = secret {
        set_secret(&control, &dialect, &id, kind, &secret).await?;
    }
    let mut shown = described(&control, &id).await?;
    let warnings = plugins::warnings(&control, named.iter().map(|name| &**name));
    if let Some(object) = shown.as_object_mut()
        && !warnings.is_empty()
    {
        object.insert("warnings".to_owned(), json!(warnings));
    }
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `GET /v1/devices/{id}`: the device with its profile and what kind of secret it has.
pub(super) async fn show(State(control): State<Shared>, Names(id): Names<String>) -> Result<Json<Value>, Failure> {
    if checks::device_id("id", &id).is_err() {
        return Err(Failure::no_device(&id));
    }
    Ok(Json(described(&control, &DeviceId::new(id)).await?))
}

/// `DELETE /v1/devices/{id}`: 204.
pub(super) async fn remove(State(control): State<Shared>, Names(id): Names<String>) -> Result<StatusCode, Failure> {
    if checks::device_id("id", &id).is_err() {
        return Err(Failure::no_device(&id));
    }
    let id = DeviceId::new(id);
    let Some(device) = control.device(&id).await? else { return Err(Failure::no_device(id.as_str())) };
    // The secret first: should the process end in between, the device is still there to be removed again.
    let account = crate::credentials::device_account(id.as_str());
    control.vault().remove(&device.record.dialect, &account).await?;
    if !control.remove_device(&id).await? {
        return Err(Failure::no_device(id.as_str()));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Sets the secret of a device that was just registered.
pub(super) async fn set_secret(
    control: &Shared,
    dialect: &str,
    id: &DeviceId,
    kind: DeviceSecretKind,
    secret: &[u8],
) -> Result<(), Failure> {
    let set = control.vault().set_device_secret(dialect, id.as_str(), kind, secret, words::now_ms()).await;
    set.map_err(|error| {
        let failure = Failure::from(error);
        let text = format!(
            "device {id} is registered, but its secret could not be kept: {}; remove the device and add it again",
            failure.message()
        );
        Failure::unavailable(text)
    })
}

async fn described(control: &Shared, id: &DeviceId) -> Result<Value, Failure> {
    let Some(device) = control.device(id).await? else { return Err(Failure::no_device(id.as_str())) };
    let mut shown = words::device(&device);
    let kind = control.vault().device_secret(&device.record.dialect, id.as_str()).await?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("profile".to_owned(), words::optional_json(device.profile.as_deref()));
        object.insert(
            "credential".to_owned(),
            kind.map_or(Value::Null, |kind| json!({"kind": words::secret_kind(kind)})),
        );
    }
    Ok(shown)
}
