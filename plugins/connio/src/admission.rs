//! A device that connects by MQTT: device id as client id, key id as user name, key secret as password.

use crate::definition::Model;
use crate::key::{Rights, by_id};
use crate::settings::Settings;
use crate::topics::policy;
use crate::{ID_ALIAS, KEY_ALIAS, NAME};
use dragoman_plugin_sdk::route::is_topic_level;
use dragoman_plugin_sdk::{ConnectRefusal, Device, Error, Gateway, Grant, Session, Severity, Verdict, attribute};

/// Devices that one session may speak for besides its own.
const LINKED_MAX: usize = 32;

/// The client id names the device. One that is not known may be another dialect's client.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session) -> Result<Verdict, Error> {
    match by_id(gateway, &session.client_id).filter(|device| device.dialect == NAME) {
        Some(device) => check(gateway, session, &device),
        None => Ok(Verdict::NotMine),
    }
}

fn check(gateway: &impl Gateway, session: &Session, device: &Device) -> Result<Verdict, Error> {
    let refuse = |refusal, why: &str| {
        gateway.log(Severity::Info, &format!("refused device {} ({:.128}): {why}", device.id, session.client_id));
        Ok(Verdict::Refuse(refusal))
    };
    if device.parent.is_some() {
        return refuse(ConnectRefusal::NotAuthorized, "it hangs below a gateway, which speaks for it");
    }
    let id = attribute(&device.aliases, ID_ALIAS).unwrap_or_default();
    if !is_topic_level(id) {
        return refuse(ConnectRefusal::BadClientId, "its alias connio.id can be no topic level");
    }
    let Some(key) = session.username.as_deref().filter(|key| !key.is_empty()) else {
        return refuse(ConnectRefusal::BadCredentials, "it names no key; the user name is the key id");
    };
    let account = match attribute(&device.aliases, KEY_ALIAS) {
        Some(own) if own.to_lowercase() == key.to_lowercase() => format!("device/{}", device.id),
        Some(_) => return refuse(ConnectRefusal::BadCredentials, "the key in its user name is not its own"),
        None if key.starts_with("device/") => {
            return refuse(ConnectRefusal::BadCredentials, "its user name is no key id");
        }
        None => key.to_owned(),
    };
    let identity = match gateway.check_presented(Some(&account)) {
        Ok(identity) => identity,
        Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => {
            return refuse(ConnectRefusal::BadCredentials, "its key secret is wrong, or it has none");
        }
        Err(error) => return Err(error),
    };
    let mut linked = Model::of(&Settings::read(gateway)?, device)?.linked;
    if account == key {
        let rights = Rights::of(&identity)?;
        if !rights.context.names(id) {
            return refuse(ConnectRefusal::NotAuthorized, "its key is for other devices");
        }
        linked.extend(rights.context.ids);
    }
    linked.retain(|one| one.to_lowercase() != id.to_lowercase() && is_topic_level(one));
    if linked.len() > LINKED_MAX {
        return refuse(ConnectRefusal::NotAuthorized, "it speaks for more than 32 other devices");
    }
    let mut ids = vec![id];
    if session.client_id != id {
        ids.push(&session.client_id);
    }
    ids.extend(linked.iter().map(String::as_str));
    Ok(Verdict::Accept(Grant {
        principal: format!("device/{id}"),
        device: Some(device.id.clone()),
        policy: policy(ids),
    }))
}
