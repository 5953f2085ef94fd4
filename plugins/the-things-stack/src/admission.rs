//! Applications that connect by MQTT: the application id as user name, an API key as password.

use crate::ids::Uid;
use crate::rights::Key;
use crate::topic;
use dragoman_plugin_sdk::{
    ConnectRefusal, Error, Gateway, Grant, Session, Severity, Subscription, SubscriptionVerdict, Verdict,
};

/// A user name that is no application id, or a key that is none of ours, may be another dialect's.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session) -> Result<Verdict, Error> {
    let Some(uid) = session.username.as_deref().and_then(Uid::parse) else { return Ok(Verdict::NotMine) };
    let identity = match gateway.check_presented(None) {
        Ok(identity) => identity,
        Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => return Ok(Verdict::NotMine),
        Err(Error::Unavailable(_) | Error::Limit(_)) => return Ok(Verdict::Refuse(ConnectRefusal::Unavailable)),
        Err(error) => return Err(error),
    };
    let key = Key::read(&identity)?;
    if key.uid != uid || !key.has_any() {
        let text = format!("refused a connection: key {} has no rights on application {uid}", identity.account);
        gateway.log(Severity::Info, &text);
        return Ok(Verdict::Refuse(ConnectRefusal::NotAuthorized));
    }
    Ok(Verdict::Accept(Grant { principal: uid.to_string(), device: None, policy: topic::policy(&key) }))
}

/// The session's principal is its application.
pub(crate) fn on_subscribe(session: &Session, asked: &Subscription) -> SubscriptionVerdict {
    let narrowed = session.principal.as_deref().and_then(|uid| topic::rewritten(&asked.filter, uid));
    narrowed.map_or(SubscriptionVerdict::Refuse, SubscriptionVerdict::Rewritten)
}
