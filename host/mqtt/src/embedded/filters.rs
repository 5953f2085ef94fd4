//! The name under which the library keeps a subscription.
//!
//! The library has one subscription for each filter of a session. Here a client may have several that are served with the
//! same filter: one of its own and one in a group, or two that were rewritten alike. So what is kept says all of it: the
//! filter that is served and, where they differ, the group and the filter that the client asked for. Both sides of the
//! library that read it again, the router and the retained messages, see only the served filter.

use crate::events::KeptSubscription;

/// Stands between the parts. It is a control character, which no filter and no group may have.
const BETWEEN: char = '\u{1}';

/// The name of a subscription to what a client asked for, in its group, that is served with another filter or the same.
pub(super) fn name(asked: &str, share: Option<&str>, served: &str) -> String {
    match share {
        None if asked == served => asked.to_owned(),
        share => format!("{served}{BETWEEN}{}{BETWEEN}{asked}", share.unwrap_or_default()),
    }
}

/// The name of a subscription that is kept.
pub(super) fn name_of(kept: &KeptSubscription) -> String {
    name(&kept.filter, kept.share.as_deref(), kept.served())
}

/// The name of a subscription that a policy makes.
pub(super) fn implicit_name(filter: &str) -> String {
    format!("{filter}{BETWEEN}")
}

/// The filter that a named subscription is served with.
pub(super) fn served(name: &str) -> &str {
    name.split(BETWEEN).next().unwrap_or(name)
}

/// The filter that the client asked for, without its group.
pub(super) fn asked(name: &str) -> &str {
    name.split(BETWEEN).nth(2).unwrap_or(name)
}

/// Whether a named subscription is a group's.
pub(super) fn is_shared(name: &str) -> bool {
    name.split(BETWEEN).nth(1).is_some_and(|group| !group.is_empty())
}

/// A filter in a client's words, from its group and the filter in it.
pub(super) fn in_words(filter: &str, share: Option<&str>) -> String {
    share.map_or_else(|| filter.to_owned(), |group| format!("$share/{group}/{filter}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetainHandling;

    fn kept(filter: &str, share: Option<&str>, rewritten: Option<&str>) -> KeptSubscription {
        KeptSubscription {
            filter: filter.into(),
            rewritten: rewritten.map(Into::into),
            granted: false,
            qos: 0,
            share: share.map(Into::into),
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Always,
            subscription_id: None,
        }
    }

    #[test]
    fn a_name_tells_what_was_asked_and_what_is_served() {
        let rows = [
            (kept("a/#", None, None), "a/#", false),
            (kept("a/#", Some("g"), None), "a/#", true),
            (kept("#", None, Some("v3/app1/#")), "v3/app1/#", false),
            (kept("#", Some("g"), Some("v3/app1/#")), "v3/app1/#", true),
        ];
        let names: Vec<_> = rows.iter().map(|(kept, ..)| name_of(kept)).collect();
        for ((kept, expected, shared), name) in rows.iter().zip(&names) {
            assert_eq!(served(name), *expected);
            assert_eq!(asked(name), kept.filter);
            assert_eq!(is_shared(name), *shared);
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name:?} is unique");
            assert_ne!(*name, implicit_name(expected));
        }
        assert_eq!(in_words("a/#", Some("g")), "$share/g/a/#");
    }
}
