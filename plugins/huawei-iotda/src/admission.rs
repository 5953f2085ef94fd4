//! A device that connects by MQTT.

use crate::client_id::{ClientId, LENGTH_MAX, mac_steps};
use crate::settings::Settings;
use crate::topics::{is_device_id, policy};
use crate::{ID_ALIAS, NAME};
use dragoman_plugin_sdk::{ConnectRefusal, Device, Error, Gateway, Grant, Session, Severity, Verdict};

/// The user name names the device. One that is not known may be another dialect's client; one that is known must show
/// a client id and a password as the platform asks for.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session, keep_alive_s: u16) -> Result<Verdict, Error> {
    let device_id = session.username.as_deref().filter(|name| name.len() <= LENGTH_MAX && is_device_id(name));
    let known = device_id.and_then(|device_id| Some((device_id, gateway.resolve(ID_ALIAS, device_id)?)));
    match known.filter(|(_, device)| device.dialect == NAME) {
        Some((device_id, device)) => check(gateway, session, keep_alive_s, device_id, &device),
        None => Ok(Verdict::NotMine),
    }
}

fn check(
    gateway: &impl Gateway,
    session: &Session,
    keep_alive_s: u16,
    device_id: &str,
    device: &Device,
) -> Result<Verdict, Error> {
    let settings = Settings::read(gateway)?;
    let refuse = |refusal, why: &str| {
        gateway.log(Severity::Info, &format!("refused device {} ({device_id}): {why}", device.id));
        Ok(Verdict::Refuse(refusal))
    };
    if device.parent.is_some() {
        return refuse(ConnectRefusal::NotAuthorized, "it hangs below a gateway, which speaks for it");
    }
    let Some(client_id) = ClientId::parse(&session.client_id).filter(|id| id.device_id == device_id) else {
        return refuse(ConnectRefusal::BadClientId, "its client id is not {device_id}_0_{0|1}_{YYYYMMDDHH}");
    };
    if !(settings.keep_alive_min_s..=settings.keep_alive_max_s).contains(&keep_alive_s) {
        return refuse(ConnectRefusal::BadClientId, "its keep-alive is out of range");
    }
    if !client_id.is_timely(gateway.now_ms(), settings.timestamp_tolerance_h) {
        return refuse(ConnectRefusal::BadCredentials, "the time stamp in its client id is not now");
    }
    match gateway.verify_mac(&mac_steps(client_id.timestamp, format!("device/{}", device.id))) {
        Ok(true) => Ok(Verdict::Accept(Grant {
            principal: format!("device/{device_id}"),
            device: Some(device.id.clone()),
            policy: policy(device_id, &settings.extra_topics),
        })),
        Ok(false) | Err(Error::Denied(_) | Error::Invalid(_)) => {
            refuse(ConnectRefusal::BadCredentials, "its password is wrong")
        }
        Err(Error::NotFound(why)) => refuse(ConnectRefusal::BadCredentials, &format!("it has no secret: {why}")),
        Err(error) => Err(error),
    }
}
