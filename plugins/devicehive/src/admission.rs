//! A client that connects by MQTT: with a user's login and password, or with neither.

use crate::answer::Failure;
use crate::caller::Notes;
use crate::login::User;
use crate::settings::Settings;
use crate::{login, policy, token, users};
use dragoman_plugin_sdk::{ConnectRefusal, Encoding, Error, Gateway, Grant, MacStep, Session, Severity, Term, Verdict};

/// A client without user name and password is let in, to authenticate later. A user name that is nobody's here, and a
/// password without one, may be known to another dialect of the listener; a name that is must come with its password.
pub(crate) fn authenticate(gateway: &impl Gateway, session: &Session) -> Result<Verdict, Error> {
    let settings = Settings::read(gateway)?;
    // Wildcards cannot stand in the topics of its answers.
    if session.client_id.contains(['+', '#']) {
        return Ok(Verdict::NotMine);
    }
    let Some(name) = session.username.as_deref() else {
        let is_nobody = settings.anonymous && !has_password(gateway)?;
        return Ok(if is_nobody { anonymous(&settings, session) } else { Verdict::NotMine });
    };
    if !login::is_login(&settings, name) {
        return Ok(Verdict::NotMine);
    }
    match gateway.check_presented(Some(name)) {
        Ok(identity) => match login::active(gateway, identity) {
            Ok(user) => admit(gateway, &settings, session, &user),
            Err(Failure::Answer(error)) => {
                gateway.log(Severity::Info, &format!("refused user {name}: {}", error.text));
                Ok(Verdict::Refuse(ConnectRefusal::NotAuthorized))
            }
            Err(Failure::Fault(error)) => Err(error),
        },
        Err(Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_)) => {
            if users::by_login(gateway, name)?.is_none() {
                return Ok(Verdict::NotMine);
            }
            gateway.log(Severity::Info, &format!("refused user {name}: its password is wrong"));
            Ok(Verdict::Refuse(ConnectRefusal::BadCredentials))
        }
        Err(error) => Err(error),
    }
}

/// Whether the client presented a password, which this dialect has no account to compare with.
fn has_password(gateway: &impl Gateway) -> Result<bool, Error> {
    let step = MacStep { key: Term::Bytes(Vec::new()), data: Vec::new(), encoding: Encoding::HexLower };
    match gateway.verify_mac(&[step]) {
        Ok(_) => Ok(true),
        Err(Error::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn anonymous(settings: &Settings, session: &Session) -> Verdict {
    Verdict::Accept(Grant {
        // One of its own, so that nobody takes over what another one subscribed to.
        principal: format!("anonymous/{}", session.client_id),
        device: None,
        policy: policy::anonymous(settings, &session.client_id),
    })
}

fn admit(gateway: &impl Gateway, settings: &Settings, session: &Session, user: &User) -> Result<Verdict, Error> {
    let caller = user.caller(None);
    let policy = match policy::of(settings, &session.client_id, &caller) {
        Ok(policy) => policy,
        Err(error) => {
            gateway.log(Severity::Warn, &format!("refused user {}: {}", user.login, error.text));
            return Ok(Verdict::Refuse(ConnectRefusal::NotAuthorized));
        }
    };
    let principal = token::principal(&caller);
    // Nothing but notes may be written here, so what `user/getCurrent` tells of the user is among them.
    let user = Some(users::Kept::of(user, gateway.now_ms()));
    Notes { caller: Some(caller), user, subscriptions: Vec::new() }.write(gateway, &session.id)?;
    Ok(Verdict::Accept(Grant { principal, device: None, policy }))
}
