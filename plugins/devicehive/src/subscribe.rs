//! What a client gets that subscribes to a topic filter.

use crate::actions;
use crate::answer::ApiError;
use crate::caller::{Caller, Notes};
use crate::catalogue::Catalogue;
use crate::policy;
use crate::settings::Settings;
use crate::topics::{self, Kind};
use dragoman_plugin_sdk::{Error, Gateway, Session, Subscription, SubscriptionVerdict as Verdict};

/// Levels of an event topic behind its kind: network, device type, device, name.
const EVENT_LEVELS: usize = 4;

/// Decides on a filter that the session's policy does not grant by itself. What a filter shows is limited by the policy
/// once more, so a wide one is no way around it.
pub(crate) fn decide(gateway: &impl Gateway, session: &Session, asked: &Subscription) -> Result<Verdict, Error> {
    let settings = Settings::read(gateway)?;
    let notes = Notes::read(gateway, &session.id)?;
    let caller = actions::live(gateway, &settings, &notes).ok();
    let filter = asked.filter.as_str();
    let first = filter.split('/').next().unwrap_or_default();
    if topics::is_wildcard(first) {
        return Ok(Verdict::AsAsked);
    }
    if first != "dh" {
        let is_open = policy::ordinary(&settings).iter().any(|open| topics::covers(open, filter));
        let granted = is_open && !topics::is_of_another(filter, &session.client_id);
        return Ok(if granted { Verdict::AsAsked } else { Verdict::Refuse });
    }
    if filter.starts_with(topics::REQUEST) || topics::REQUEST.starts_with(filter) {
        return Ok(Verdict::Refuse);
    }
    if let Some(action) = filter.strip_prefix(topics::RESPONSES) {
        let own = action.strip_suffix(session.client_id.as_str()).and_then(|action| action.strip_suffix('@'));
        let is_open = matches!(own, Some("token" | "authenticate"));
        let granted = own.is_some() && !filter.contains(['+', '#']) && (is_open || caller.is_some());
        return Ok(if granted { Verdict::AsAsked } else { Verdict::Refuse });
    }
    let Some(caller) = caller else { return Ok(Verdict::Refuse) };
    if filter.split('/').nth(1).is_some_and(topics::is_wildcard) {
        return Ok(Verdict::AsAsked);
    }
    match served(&settings, &session.client_id, filter) {
        Some((kind, levels)) => match allowed(gateway, caller, kind, &levels)? {
            Ok(()) if kind.join(&levels) == filter => Ok(Verdict::AsAsked),
            Ok(()) => Ok(Verdict::Rewritten(kind.join(&levels))),
            Err(_) => Ok(Verdict::Refuse),
        },
        None => Ok(Verdict::Refuse),
    }
}

/// A filter of events as it is served: names of networks and device types are their ids, and the client's own id behind
/// `@` is off. `None` for what is no such filter, or names what does not exist.
pub(crate) fn served(settings: &Settings, client_id: &str, filter: &str) -> Option<(Kind, Vec<String>)> {
    if topics::is_of_another(filter, client_id) {
        return None;
    }
    let own = filter.strip_suffix(client_id).and_then(|rest| rest.strip_suffix('@'));
    let (kind, levels) = Kind::split(own.unwrap_or(filter))?;
    let mut served: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
    for (level, of) in served.iter_mut().zip([Catalogue::Networks, Catalogue::DeviceTypes]) {
        if !topics::is_wildcard(level) {
            *level = of.by_level(settings, level)?.id.to_string();
        }
    }
    Some((kind, served))
}

/// Whether the caller may see what the filter asks for, as far as it names a network, a device type or a device.
fn allowed(
    gateway: &impl Gateway,
    caller: &Caller,
    kind: Kind,
    levels: &[String],
) -> Result<Result<(), ApiError>, Error> {
    let level = |at: usize| levels.get(at).map(String::as_str).filter(|level| !topics::is_wildcard(level));
    let number = |at: usize| level(at).and_then(|level| level.parse().ok());
    let check = || {
        caller.require(kind.permission())?;
        if caller.networks.is_empty() || caller.device_types.is_empty() {
            return Err(ApiError::new(403, "No access to any device type or network"));
        }
        if levels.len() > EVENT_LEVELS + 1 {
            return Err(ApiError::invalid());
        }
        let is_foreign = number(0).is_some_and(|id| !caller.networks.has(id))
            || number(1).is_some_and(|id| !caller.device_types.has(id));
        if is_foreign {
            return Err(ApiError::denied());
        }
        level(2).map_or(Ok(()), |device| caller.device(gateway, Some(device)).map(|_| ()))
    };
    Ok(check())
}
