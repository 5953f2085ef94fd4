//! `ApplicationUp`: every message to an application, by MQTT and to its webhooks.

use crate::ids::{EndDeviceIds, Uid};
use crate::settings::Settings;
use crate::ulid;
use dragoman_plugin_sdk::{Error, Gateway, Message, Payload, Readers, Severity, time};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Join,
    Uplink,
    Queued,
    Sent,
    Ack,
    Nack,
    Failed,
    Location,
    Service,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Join,
        Self::Uplink,
        Self::Queued,
        Self::Sent,
        Self::Ack,
        Self::Nack,
        Self::Failed,
        Self::Location,
        Self::Service,
    ];

    /// What stands behind the device id in its topic.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Uplink => "up",
            Self::Queued => "down/queued",
            Self::Sent => "down/sent",
            Self::Ack => "down/ack",
            Self::Nack => "down/nack",
            Self::Failed => "down/failed",
            Self::Location => "location/solved",
            Self::Service => "service/data",
        }
    }

    /// The member of the message that holds its body.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::Join => "join_accept",
            Self::Uplink => "uplink_message",
            Self::Queued => "downlink_queued",
            Self::Sent => "downlink_sent",
            Self::Ack => "downlink_ack",
            Self::Nack => "downlink_nack",
            Self::Failed => "downlink_failed",
            Self::Location => "location_solved",
            Self::Service => "service_data",
        }
    }
}

/// A message before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Up {
    pub(crate) kind: Kind,
    pub(crate) ids: EndDeviceIds,
    /// Without the one that every message gets.
    pub(crate) correlation_ids: Vec<String>,
    pub(crate) received_at_ms: u64,
    pub(crate) body: Box<RawValue>,
    pub(crate) simulated: bool,
}

impl Serialize for Up {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("end_device_ids", &self.ids)?;
        map.serialize_entry("correlation_ids", &self.correlation_ids)?;
        map.serialize_entry("received_at", &time::rfc3339(self.received_at_ms))?;
        map.serialize_entry(self.kind.member(), &self.body)?;
        if self.simulated {
            map.serialize_entry("simulated", &true)?;
        }
        map.end()
    }
}

/// The body of a message.
pub(crate) fn body(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(|error| Error::Internal(error.to_string()))
}

/// Publishes a message to the application's readers and to those of its webhooks that want it.
pub(crate) fn publish(
    gateway: &impl Gateway,
    settings: &Settings,
    uid: &Uid,
    device_id: &str,
    mut up: Up,
) -> Result<(), Error> {
    up.correlation_ids.push(ulid::correlation_id("as:up", &gateway.new_id()));
    up.correlation_ids.sort_unstable();
    up.correlation_ids.dedup();
    let text = serde_json::to_string(&up).map_err(|error| Error::Internal(error.to_string()))?;
    let message = Message {
        topic: format!("v3/{uid}/devices/{device_id}/{}", up.kind.suffix()),
        payload: Payload::Text(text.clone()),
        // The platform's server publishes at QoS 0 and never retains.
        qos: 0,
        retain: false,
        attributes: Vec::new(),
    };
    gateway.publish(&Readers::Subscribers, &message)?;
    request(gateway, settings, uid, device_id, up.kind, &text)
}

fn request(
    gateway: &impl Gateway,
    settings: &Settings,
    uid: &Uid,
    device_id: &str,
    kind: Kind,
    text: &str,
) -> Result<(), Error> {
    let own = uid.to_string();
    for (id, webhook) in settings.webhooks.iter().filter(|(_, hook)| hook.application == own && !hook.paused) {
        let (Some(target), Some(path)) = (&webhook.target, webhook.paths.get(kind.member())) else { continue };
        let path = path_of(path, uid, device_id);
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        match gateway.request(target, "POST", &path, &headers, Some(text)) {
            Ok(()) => {}
            // The operator's to mend, and no reason to tell it to nobody.
            Err(Error::NotFound(why) | Error::Invalid(why) | Error::Limit(why)) => {
                gateway.log(Severity::Warn, &format!("webhook {id} of application {own} is not called: {why}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The path of a webhook, with the ids in the place of their names.
fn path_of(template: &str, uid: &Uid, device_id: &str) -> String {
    let names = [
        ("{appID}", uid.application.as_str()),
        ("{applicationID}", uid.application.as_str()),
        ("{devID}", device_id),
        ("{deviceID}", device_id),
    ];
    names.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::UPSTREAM;
    use dragoman_plugin_sdk::json;
    use dragoman_plugin_sdk::testing::{Deed, Fake};

    #[test]
    fn every_message_goes_where_applications_may_read() {
        assert!(Kind::ALL.iter().all(|kind| UPSTREAM.contains(&kind.suffix())));
    }

    #[test]
    fn a_webhook_gets_what_it_wants_and_nothing_while_it_is_paused() {
        let settings: Settings = json::parse(
            r#"{"webhooks":{
                "a":{"application":"app1","target":"t","paths":{"join_accept":"/j/{appID}/{devID}"}},
                "b":{"application":"app1","target":"t","paused":true,"paths":{"join_accept":"/p"}},
                "c":{"application":"app2","target":"t","paths":{"join_accept":"/p"}},
                "d":{"application":"app1","target":"t","paths":{"uplink_message":"/p"}},
                "e":{"application":"app1","target":"gone","paths":{"join_accept":"/p"}}
            }}"#,
        )
        .unwrap();
        let fake = Fake { targets: vec!["t".to_owned()], ..Fake::default() };
        let uid = Uid::parse("app1").unwrap();
        let up = Up {
            kind: Kind::Join,
            ids: EndDeviceIds::new(&uid, "dev1", None, &[]),
            correlation_ids: Vec::new(),
            received_at_ms: 0,
            body: json::raw("{}"),
            simulated: false,
        };
        publish(&fake, &settings, &uid, "dev1", up).unwrap();
        let deeds = fake.deeds.take();
        let [Deed::Published(_, message), Deed::Requested(target, method, path, _, Some(body))] = deeds.as_slice()
        else {
            panic!("{deeds:?}")
        };
        assert_eq!((target.as_str(), method.as_str(), path.as_str()), ("t", "POST", "/j/app1/dev1"));
        assert_eq!(message.payload, Payload::Text(body.clone()));
        assert!(matches!(fake.log.take().as_slice(), [(Severity::Warn, text)] if text.contains("webhook e")));
    }
}
