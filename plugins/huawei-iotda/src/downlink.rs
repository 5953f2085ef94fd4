//! What is sent to a device: commands, requests to set and to report properties, and messages.

use crate::context::{Call, Context};
use crate::settings::Settings;
use crate::wording::{self, About, Words};
use crate::{ID_ALIAS, NAME, topics};
use dragoman_plugin_sdk::{
    Attributes, Audience, Correlation, Device, Dispatched, Error, Execution, Gateway, Intent, Message, Outgoing,
    Payload, attribute, outcome,
};

/// One message for each frame, to the session of the device or of its gateway. What is answered has a fresh request id.
pub(crate) fn dispatch(gateway: &impl Gateway, device: &Device, execution: &Execution) -> Result<Dispatched, Error> {
    let settings = Settings::read(gateway)?;
    let holder = match &device.parent {
        None => Some(device.clone()),
        Some(parent) => gateway.device(parent),
    };
    let id_of =
        |device: &Device| attribute(&device.aliases, ID_ALIAS).filter(|id| topics::is_device_id(id)).map(str::to_owned);
    let ids = holder.as_ref().and_then(|holder| Some((holder.id.as_str(), id_of(holder)?, id_of(device)?)));
    let Some((reporter, topic_id, object_id)) = ids else {
        let text = format!("device {} or its gateway has no alias {ID_ALIAS} of the platform's letters", device.id);
        return Ok(Dispatched::Unsupported(outcome::reason("NO_DEVICE_ID", text)));
    };
    let asked_service = asked_service(execution);
    let about = About {
        object_device_id: &object_id,
        topic_device_id: &topic_id,
        default_service: asked_service.as_deref().or(settings.default_service_id.as_deref()),
        user_topics: &settings.user_topics,
        execution_id: &execution.id,
    };
    let mut messages = Vec::with_capacity(execution.frames.len());
    for frame in &execution.frames {
        match wording::of(frame, &about) {
            Err(reason) => return Ok(Dispatched::Unsupported(reason)),
            Ok(Words::Message { to, topic, payload }) => {
                messages.push(Outgoing {
                    to,
                    message: message(topic, payload, settings.downlink_qos, mqtt_attributes(frame)),
                    correlation: None,
                });
            }
            Ok(Words::Request(kind, text)) => {
                let request_id = gateway.new_id();
                let topic = kind.request(&topic_id, &request_id);
                messages.push(Outgoing {
                    to: Audience::Session,
                    message: message(topic, Payload::Text(text), settings.downlink_qos, Vec::new()),
                    correlation: Some(Correlation { reporter: reporter.to_owned(), key: request_id }),
                });
            }
        }
    }
    Ok(Dispatched::Send(messages))
}

/// The service whose properties this dialect's own application asked for.
fn asked_service(execution: &Execution) -> Option<String> {
    let own = execution.origin == NAME && outcome::is_plain(execution);
    match Context::read(execution.context.as_deref().filter(|_| own)?).ok()?.call {
        Call::GetProperties(_, service) => Some(service),
        Call::Command(_) | Call::SetProperties(_) | Call::Message(_) => None,
    }
}

/// Properties of MQTT 5 that a message was given.
fn mqtt_attributes(frame: &Intent) -> Attributes {
    let Intent::Deliver(delivery) = frame else { return Vec::new() };
    let is_mqtt = |name: &str| name.starts_with("mqtt.") || name.starts_with("user.");
    delivery.attributes.iter().filter(|(name, _)| is_mqtt(name)).cloned().collect()
}

fn message(topic: String, payload: Payload, qos: u8, attributes: Attributes) -> Message {
    // The platform's implicit subscriptions are of QoS 0; only a device that subscribes itself can be sent more.
    Message { topic, payload, qos, retain: false, attributes }
}
