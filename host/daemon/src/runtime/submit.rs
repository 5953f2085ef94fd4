//! From what a plugin submitted to what the machine accepts: the device, its queue, and what it can tell.

use super::engine::Step;
use super::gateway::Gateway;
use dragoman_core::{
    DeviceId, Execution, Idempotency, Input, Intent, Options, Owner, Place, Prior, Reason, Stage, Submission, WhenAway,
};
use dragoman_store::{DeviceRecord, StoreError};
use dragoman_wasm::{Plugin, Queue, Submit};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Time to live where the dialect sets none, in milliseconds.
const TTL_MS: u32 = 30_000;
/// Dispatches that may come to nothing, for a command that may wait for its device. A connection that breaks and a
/// restart of the gateway each cost one, so there are enough of them for a bad day; the time to live bounds the rest.
const ATTEMPTS_QUEUED: u32 = 16;
/// Label of a device that says another window than its dialect's, in the contract's words for a stage.
const WINDOW_LABEL: &str = "device.window";
/// Name of this node while one node carries everything.
const NODE: &str = "local";

/// A submission after everything that needs the registry was looked up.
pub enum Prepared {
    /// Steps for the machine, of which the last is the submission.
    Steps(Vec<Step>),
    /// Not acceptable.
    Refused(Reason),
}

/// What two submissions must not do at the same time: use one alias or one idempotency key.
pub fn keys(origin: &str, submit: &Submit) -> Vec<String> {
    let alias = submit.alias.as_ref().map(|alias| format!("a\0{origin}\0{}\0{alias}", submit.device));
    let key = submit.idempotency_key.as_ref().map(|key| format!("k\0{origin}\0{key}"));
    alias.into_iter().chain(key).collect()
}

/// The locks of a submission from the look to the turn: its keys, and its device, which must not be removed meanwhile.
pub fn locks(origin: &str, submit: &Submit) -> Vec<String> {
    let mut locks = keys(origin, submit);
    locks.push(device(&submit.device));
    locks
}

/// Names a device that somebody relies on, or removes.
pub fn device(id: &DeviceId) -> String {
    format!("r\0{id}")
}

/// Looks up what the machine must be told.
pub async fn prepare(gateway: &Gateway, plugin: &Plugin, submit: Submit) -> Result<Prepared, StoreError> {
    if gateway.plugin(plugin.name()).is_none() {
        let text = format!(
            "plugin {} was removed and begins nothing new; put its file back into the plugin folder",
            plugin.name()
        );
        return Ok(Prepared::Refused(Reason::new("$PLUGIN_REMOVED", text)));
    }
    let queues = &plugin.description().queues;
    let queue = match &submit.queue {
        None => queues.first(),
        Some(name) => queues.iter().find(|queue| *queue.name == **name),
    };
    let Some(queue) = queue else {
        let text = format!("plugin {} has no queue {:?}", plugin.name(), submit.queue.unwrap_or_default());
        return Ok(Prepared::Refused(Reason::new("$INVALID", text)));
    };
    prepare_for(gateway, plugin.name().clone(), queue, submit).await
}

/// The same for an origin that is no plugin.
pub async fn prepare_for(
    gateway: &Gateway,
    origin: Arc<str>,
    queue: &Queue,
    submit: Submit,
) -> Result<Prepared, StoreError> {
    if let Some(reason) = submit.refused {
        return Ok(Prepared::Refused(reason));
    }
    let Some(device) = gateway.engine.journal().device(&submit.device).await? else {
        let text = format!("no device {} is registered", submit.device);
        return Ok(Prepared::Refused(Reason::new("$UNKNOWN_DEVICE", text)));
    };
    if device.disabled {
        let text = format!("device {} is disabled; enable it first", device.id);
        return Ok(Prepared::Refused(Reason::new("$DISABLED", text)));
    }
    let Some(dialect) = gateway.plugin(&device.dialect) else {
        let text = format!("the dialect {} that reaches device {} is not loaded", device.dialect, device.id);
        return Ok(Prepared::Refused(Reason::new("$UNSUPPORTED", text)));
    };
    let description = dialect.description();
    let options = options(queue, description.tells, device_window(&device, description.device_window), &submit);
    let idempotency = submit
        .idempotency_key
        .map(|key| Idempotency { key, fingerprint: fingerprint(submit.device.as_str(), &submit.intent) });
    let prior = find_prior(gateway, &origin, &device, submit.alias.as_deref(), idempotency.as_ref()).await?;
    let submission = Submission {
        id: submit.id,
        holder: device.parent.clone().unwrap_or_else(|| device.id.clone()),
        device: submit.device,
        intent: submit.intent,
        options,
        origin,
        alias: submit.alias,
        context: submit.context,
        labels: submit.labels,
        idempotency,
        prior,
        handler: device.handler.clone(),
        owner: Owner { node: NODE.into(), lease_until_ms: u64::MAX },
    };
    // A device that needs no session counts as there whenever its dialect is.
    let present = Step::Input(Input::Presence { holder: submission.holder.clone(), online: true });
    let mut steps: Vec<Step> = gateway.is_always_present(&device.dialect).then_some(present).into_iter().collect();
    steps.push(Step::Input(Input::Submit(Box::new(submission))));
    Ok(Prepared::Steps(steps))
}

async fn find_prior(
    gateway: &Gateway,
    origin: &str,
    device: &DeviceRecord,
    alias: Option<&str>,
    idempotency: Option<&Idempotency>,
) -> Result<Option<Prior>, StoreError> {
    if let Some(idempotency) = idempotency
        && let Some(found) = gateway.engine.journal().by_idempotency(origin, &idempotency.key).await?
        && still_counts(&found, gateway.engine.now_ms(), gateway.config.limits.idempotency_hours)
    {
        let fingerprint = found.idempotency.as_ref().map(|found| found.fingerprint);
        return Ok(Some(Prior { id: found.id.clone(), fingerprint }));
    }
    if let Some(alias) = alias
        && let Some(found) = gateway.engine.journal().by_alias(origin, &device.id, alias).await?
    {
        return Ok(Some(Prior { id: found.id.clone(), fingerprint: None }));
    }
    Ok(None)
}

/// How far a device's command must have got before its next is dispatched: its own label says, else its dialect.
fn device_window(device: &DeviceRecord, of_dialect: Option<Stage>) -> Option<Stage> {
    let label = device.labels.iter().find(|(name, _)| name == WINDOW_LABEL).map(|(_, value)| value.as_str());
    match label {
        Some("accepted") => None,
        Some("sent") => Some(Stage::Sent),
        Some("acked") => Some(Stage::Acked),
        Some("ended") => Some(Stage::Ended),
        _ => of_dialect,
    }
}

/// Whether an idempotency key is still remembered: as long as its execution is open, and that many hours from its
/// creation.
fn still_counts(found: &Execution, now_ms: u64, hours: u32) -> bool {
    const HOUR_MS: u64 = 60 * 60 * 1_000;
    !found.state.is_final() || now_ms.saturating_sub(found.created_ms) < u64::from(hours) * HOUR_MS
}

/// How the command is carried out: the dialect's wishes, its queue, and no more than the device can tell.
fn options(queue: &Queue, tells: Stage, device_window: Option<Stage>, submit: &Submit) -> Options {
    let wish = submit.succeeds_at.unwrap_or(Stage::Ended);
    let when_away = submit.when_away.unwrap_or(WhenAway::Queue);
    let attempts = submit.attempts;
    Options {
        ttl_ms: submit.ttl_ms.unwrap_or(TTL_MS),
        succeeds_at: wish.min(tells),
        lowered: tells < wish,
        when_away,
        queue: queue.name.clone(),
        window: queue.window,
        device_window: device_window.unwrap_or(Stage::Accepted),
        queue_limit: queue.limit,
        overflow: queue.overflow,
        attempts: match (attempts, when_away) {
            (Some(attempts), _) => attempts.max,
            // A caller that wants to hear at once that the device is away does not want a second try either.
            (None, WhenAway::Fail) => 1,
            (None, WhenAway::Queue) => ATTEMPTS_QUEUED,
        },
        backoff_ms: attempts.map_or(0, |attempts| attempts.backoff_ms),
        failed_to: attempts.map_or(Place::Tail, |attempts| attempts.place),
    }
}

/// A hash over a device and an intent in canonical form (RFC 8785), the same for the same command however its JSON was
/// written.
pub fn fingerprint(device: &str, intent: &Intent) -> u64 {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    part(device.as_bytes());
    match intent {
        Intent::Invoke(what) => {
            part(b"invoke");
            part(what.service.as_deref().unwrap_or_default().as_bytes());
            part(what.action.as_bytes());
            part(&canonical(&what.params));
        }
        Intent::Write(properties) => {
            part(b"write");
            for property in properties {
                part(property.service.as_deref().unwrap_or_default().as_bytes());
                part(property.name.as_bytes());
                part(&canonical(&property.value));
            }
        }
        Intent::Read(names) => {
            part(b"read");
            for name in names {
                part(name.service.as_deref().unwrap_or_default().as_bytes());
                part(name.name.as_bytes());
            }
        }
        Intent::Deliver(what) => {
            part(b"deliver");
            part(what.name.as_deref().unwrap_or_default().as_bytes());
            part(what.payload.as_bytes());
            for (name, value) in &what.attributes {
                part(name.as_bytes());
                part(value.as_bytes());
            }
        }
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Canonical JSON, or the text as it is where it cannot be read.
fn canonical(json: &str) -> Vec<u8> {
    serde_json::from_str::<serde_json::Value>(json)
        .ok()
        .and_then(|value| serde_json_canonicalizer::to_vec(&value).ok())
        .unwrap_or_else(|| json.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::{Invocation, Overflow};
    use dragoman_wasm::Attempts;

    fn invoke(params: &str) -> Intent {
        Intent::Invoke(Invocation { service: None, action: "a".into(), params: params.into() })
    }

    #[test]
    fn a_fingerprint_sees_the_command_and_not_how_it_was_written() {
        let of = |params| fingerprint("d", &invoke(params));
        assert_eq!(of(r#"{"a":1,"b":[1.0,2]}"#), of("{ \"b\": [1, 2.0], \"a\": 1 }"));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
        assert_ne!(fingerprint("d", &invoke("{}")), fingerprint("e", &invoke("{}")));
    }

    fn submit(attempts: Option<Attempts>) -> Submit {
        Submit {
            id: dragoman_core::ExecutionId::new("e"),
            device: dragoman_core::DeviceId::new("d"),
            intent: invoke("{}"),
            alias: None,
            idempotency_key: None,
            context: None,
            labels: Vec::new(),
            ttl_ms: None,
            succeeds_at: None,
            when_away: None,
            queue: None,
            attempts,
            refused: None,
        }
    }

    #[test]
    fn attempts_are_the_dialect_s_or_follow_what_happens_when_the_device_is_away() {
        let queue = Queue { name: "q".into(), window: Stage::Accepted, limit: 5, overflow: Overflow::RefuseNewest };
        let asked = Attempts { max: 8, backoff_ms: 50, place: Place::Head };
        for (attempts, when_away, expected) in [
            (None, None, (ATTEMPTS_QUEUED, 0, Place::Tail)),
            (None, Some(WhenAway::Fail), (1, 0, Place::Tail)),
            (Some(asked), None, (8, 50, Place::Head)),
            (Some(asked), Some(WhenAway::Fail), (8, 50, Place::Head)),
        ] {
            let submit = Submit { when_away, ..submit(attempts) };
            let options = options(&queue, Stage::Ended, Some(Stage::Acked), &submit);
            assert_eq!((options.attempts, options.backoff_ms, options.failed_to), expected, "{submit:?}");
            assert_eq!(options.device_window, Stage::Acked);
        }
    }

    #[test]
    fn a_wish_is_lowered_to_what_the_device_can_tell() {
        let queue = Queue { name: "q".into(), window: Stage::Accepted, limit: 5, overflow: Overflow::RefuseNewest };
        for (tells, wish, expected, lowered) in [
            (Stage::Ended, None, Stage::Ended, false),
            (Stage::Acked, None, Stage::Acked, true),
            (Stage::Sent, Some(Stage::Acked), Stage::Sent, true),
            (Stage::Ended, Some(Stage::Sent), Stage::Sent, false),
        ] {
            let options = options(&queue, tells, None, &Submit { succeeds_at: wish, ..submit(None) });
            assert_eq!((options.succeeds_at, options.lowered), (expected, lowered), "{tells:?} for {wish:?}");
        }
    }
}
