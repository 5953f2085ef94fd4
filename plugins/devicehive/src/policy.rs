//! What a session may do, as the filters that the gateway enforces by itself.

use crate::answer::ApiError;
use crate::caller::Caller;
use crate::settings::Settings;
use crate::topics::{self, Kind};
use dragoman_plugin_sdk::Policy;

/// Pairs of network and device type that one session may be limited to: each is a filter for each kind of event, and a
/// policy has 256.
pub(crate) const PAIRS_MAX: usize = 64;

/// Ordinary topics that are looked at.
const ORDINARY_MAX: usize = 32;

/// A client that has not authenticated: it may ask, hear the two answers that let it in, and use ordinary topics. Those
/// are not in `subscribe`, because one of them may be another client's own.
pub(crate) fn anonymous(settings: &Settings, client_id: &str) -> Policy {
    let ordinary = ordinary(settings);
    let subscribe: Vec<_> = ["token", "authenticate"].map(|action| topics::response(action, client_id)).into();
    let mut receive = subscribe.clone();
    receive.extend(ordinary.iter().cloned());
    let mut publish = vec![topics::REQUEST.to_owned()];
    publish.extend(ordinary);
    Policy { publish, subscribe, receive, implicit: Vec::new() }
}

/// A client that has authenticated. Event topics are not in `subscribe`, because each is decided when it is asked for.
pub(crate) fn of(settings: &Settings, client_id: &str, caller: &Caller) -> Result<Policy, ApiError> {
    let narrow = anonymous(settings, client_id);
    let mut publish = narrow.publish;
    publish.extend(Kind::ALL.map(Kind::filter));
    let mut receive = narrow.receive;
    // Nobody may publish below it, and answers go to the session that asked and to no subscriber: what reaches a session
    // there is its own.
    receive.push(format!("{}#", topics::RESPONSES));
    let (networks, device_types) = (caller.networks.levels(), caller.device_types.levels());
    if networks.len().saturating_mul(device_types.len()) > PAIRS_MAX {
        let text = format!("The token names more than {PAIRS_MAX} pairs of network and device type. Name fewer, or *.");
        return Err(ApiError::new(400, text));
    }
    for kind in Kind::ALL.into_iter().filter(|kind| caller.actions.allow(kind.permission())) {
        for network in &networks {
            receive.extend(device_types.iter().map(|device_type| kind.filter_of(network, device_type)));
        }
    }
    Ok(Policy { publish, subscribe: narrow.subscribe, receive, implicit: Vec::new() })
}

/// Ordinary topics that the operator opened. A filter that would show the platform's own is left out.
pub(crate) fn ordinary(settings: &Settings) -> Vec<String> {
    let is_apart = |filter: &&String| {
        let first = filter.split('/').next().unwrap_or_default();
        !topics::is_wildcard(first) && first != "dh" && !first.starts_with('$')
    };
    settings.ordinary_topics.iter().filter(is_apart).take(ORDINARY_MAX).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::{Actions, Scope};

    fn caller(actions: &[&str], networks: Scope, device_types: Scope) -> Caller {
        let names: Vec<_> = actions.iter().map(|name| (*name).to_owned()).collect();
        Caller { user: 2, actions: Actions::of_names(&names).unwrap(), networks, device_types, expires_ms: None }
    }

    #[test]
    fn a_session_receives_what_its_token_may_see() {
        let events = |caller: &Caller| -> Vec<String> {
            let policy = of(&Settings::default(), "c", caller).unwrap();
            policy.receive.into_iter().filter(|filter| !filter.starts_with("dh/response/")).collect()
        };
        let only = |ids: &[i64]| Scope::Only(ids.iter().copied().collect());
        assert_eq!(
            events(&caller(&["*"], Scope::All, Scope::All)),
            ["dh/command/+/+/#", "dh/command_update/+/+/#", "dh/notification/+/+/#"]
        );
        assert_eq!(
            events(&caller(&["GetDeviceNotification"], only(&[1, 2]), only(&[7]))),
            ["dh/notification/1/7/#", "dh/notification/2/7/#"]
        );
        assert_eq!(events(&caller(&["GetNetwork"], Scope::All, Scope::All)), [""; 0]);
        assert_eq!(events(&caller(&["*"], only(&[]), Scope::All)), [""; 0]);
        let many = |last: i64| Scope::Only((1..=last).collect());
        assert_eq!(events(&caller(&["*"], many(64), Scope::All)).len(), 192);
        assert!(of(&Settings::default(), "c", &caller(&["*"], many(65), Scope::All)).is_err());
    }

    #[test]
    fn ordinary_topics_never_show_the_platforms() {
        let open = |filters: &[&str]| {
            let ordinary_topics = filters.iter().map(|filter| (*filter).to_owned()).collect();
            ordinary(&Settings { ordinary_topics, ..Settings::default() })
        };
        assert_eq!(open(&["home/#", "#", "+/command/#", "dh/command/#", "$SYS/#", "a"]), ["home/#", "a"]);
    }
}
