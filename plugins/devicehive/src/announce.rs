//! Events: what is published when a command is inserted or updated, or a notification inserted.

use crate::command::Command;
use crate::settings::Settings;
use crate::subscribe;
use crate::topics::{self, Kind};
use dragoman_plugin_sdk::{Error, Gateway, Message, Payload, Readers, Severity};
use serde::Serialize;

/// `subscriptionId` of an event that goes to everybody. On the platform too it is that of one of the subscribers and
/// says nothing to the others.
pub(crate) const SHARED_SUBSCRIPTION: i64 = 1;

/// Bytes of an event: what the gateway takes for one message. Clients' commands are kept below it; a result of another
/// dialect's device may pass it.
const EVENT_BYTES_MAX: usize = 256 * 1_024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    action: &'static str,
    command: &'a Command,
    subscription_id: i64,
}

/// Publishes the event of a command that is new.
pub(crate) fn inserted(gateway: &impl Gateway, command: &Command) -> Result<(), Error> {
    tell(gateway, &Readers::Subscribers, Kind::Command, command, SHARED_SUBSCRIPTION)
}

/// Publishes the event of a command that was updated: to everybody or, where the settings say so, to the session that
/// inserted it.
pub(crate) fn updated(
    gateway: &impl Gateway,
    settings: &Settings,
    command: &Command,
    creator: Option<&str>,
) -> Result<(), Error> {
    if !settings.tells_creator_only() {
        return tell(gateway, &Readers::Subscribers, Kind::CommandUpdate, command, SHARED_SUBSCRIPTION);
    }
    let Some(session) = creator.and_then(|creator| gateway.session(creator)) else { return Ok(()) };
    let topic = command.topic(Kind::CommandUpdate);
    for held in gateway.subscriptions(&session.id) {
        let served = match subscribe::served(settings, &session.client_id, &held.filter) {
            Some((kind, levels)) => kind.join(&levels),
            None => held.filter,
        };
        if topics::matches(&served, &topic) {
            return tell(gateway, &Readers::Session(session.id), Kind::CommandUpdate, command, SHARED_SUBSCRIPTION);
        }
    }
    Ok(())
}

/// Publishes the event of a command to some readers.
pub(crate) fn tell(
    gateway: &impl Gateway,
    to: &Readers,
    kind: Kind,
    command: &Command,
    subscription: i64,
) -> Result<(), Error> {
    let action = if kind == Kind::CommandUpdate { "command/update" } else { "command/insert" };
    publish(gateway, to, command.topic(kind), &Event { action, command, subscription_id: subscription })
}

/// Publishes an event. QoS 1, so that who subscribed with it gets it so.
pub(crate) fn publish(
    gateway: &impl Gateway,
    to: &Readers,
    topic: String,
    event: &impl Serialize,
) -> Result<(), Error> {
    let text = serde_json::to_string(event).map_err(|error| Error::Internal(error.to_string()))?;
    if text.len() > EVENT_BYTES_MAX {
        gateway.log(Severity::Warn, &format!("the event on {topic} has {} bytes and is not sent", text.len()));
        return Ok(());
    }
    let message = Message { topic, payload: Payload::Text(text), qos: 1, retain: false, attributes: Vec::new() };
    gateway.publish(to, &message)
}
