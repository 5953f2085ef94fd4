//! A network server that connects by MQTT. It is registered as a device; its LoRaWAN devices hang below it.

use crate::lorawan::SERVER_ALIAS;
use crate::{NAME, topic};
use dragoman_plugin_sdk::{ConnectRefusal, Error, Gateway, Grant, Session, Severity, Verdict};

/// The user name names the network server. One that is not known may be another dialect's client.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session) -> Result<Verdict, Error> {
    let known = session.username.as_deref().and_then(|name| gateway.resolve(SERVER_ALIAS, name));
    let Some(server) = known.filter(|device| device.dialect == NAME) else { return Ok(Verdict::NotMine) };
    match gateway.check_presented(Some(&format!("device/{}", server.id))) {
        Ok(_) => Ok(Verdict::Accept(Grant {
            principal: format!("server/{}", server.id),
            device: Some(server.id),
            policy: topic::policy(),
        })),
        Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => {
            gateway.log(Severity::Info, &format!("refused network server {}: its password is wrong", server.id));
            Ok(Verdict::Refuse(ConnectRefusal::BadCredentials))
        }
        Err(Error::Unavailable(_) | Error::Limit(_)) => Ok(Verdict::Refuse(ConnectRefusal::Unavailable)),
        Err(error) => Err(error),
    }
}
