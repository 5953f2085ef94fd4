//! A thing that connects by MQTT.

use crate::NAME;
use crate::settings::{MqttAuthentication, Settings};
use crate::thing::{CLIENT_ID_ALIAS, NAME_ALIAS};
use dragoman_plugin_sdk::route::is_topic_level;
use dragoman_plugin_sdk::{
    ConnectRefusal, Device, Error, Gateway, Grant, Policy, Session, Severity, Verdict, attribute,
};

/// The client id names the thing; the password is that of the account `device/{device id}`. The platform documents no
/// rule for the user name, so it is not looked at.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session) -> Result<Verdict, Error> {
    let Some(device) = thing_of(gateway, &session.client_id) else { return Ok(Verdict::NotMine) };
    let Some(name) = attribute(&device.aliases, NAME_ALIAS).filter(|name| is_topic_level(name)) else {
        let text = format!("device {} needs an alias {NAME_ALIAS} that can be a topic level to connect", device.id);
        gateway.log(Severity::Warn, &text);
        return Ok(Verdict::Refuse(ConnectRefusal::NotAuthorized));
    };
    if Settings::read(gateway)?.mqtt_authentication == MqttAuthentication::Password {
        match gateway.check_presented(Some(&format!("device/{}", device.id))) {
            Ok(_) => {}
            Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => {
                return Ok(Verdict::Refuse(ConnectRefusal::BadCredentials));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::Accept(Grant {
        principal: format!("thing/{name}"),
        device: Some(device.id.clone()),
        policy: policy(name),
    }))
}

/// By the client id it was registered with; a thing without one connects with its name.
fn thing_of(gateway: &impl Gateway, client_id: &str) -> Option<Device> {
    gateway
        .resolve(CLIENT_ID_ALIAS, client_id)
        .or_else(|| {
            let named = gateway.resolve(NAME_ALIAS, client_id)?;
            attribute(&named.aliases, CLIENT_ID_ALIAS).is_none().then_some(named)
        })
        .filter(|device| device.dialect == NAME)
}

fn policy(name: &str) -> Policy {
    let prefix = format!("$emqx/commands/things/{name}");
    let requests = format!("{prefix}/executions/+/request");
    Policy {
        publish: vec![format!("{prefix}/executions/+/response")],
        // The whole prefix may be subscribed to; what is handed over are requests only.
        subscribe: vec![requests.clone(), format!("{prefix}/#")],
        receive: vec![requests],
        implicit: Vec::new(),
    }
}
