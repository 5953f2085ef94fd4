//! Notifications to applications: HTTP requests to the targets that the settings name.

use crate::instant::{basic, extended};
use crate::message::{Details, ErrorInfo, Status};
use crate::reports::TOPIC_ATTRIBUTE;
use crate::settings::{Settings, Shape, Subscriber};
use crate::{ID_ALIAS, message};
use dragoman_plugin_sdk::{
    Device, Error, Event, Execution, Gateway, Intent, Severity, State, Transition, attribute, json,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json as object};

/// What the gateway is asked to tell, as attributes of the description.
pub(crate) const WANTED: [(&str, &str); 7] = [
    // Only messages have a status that is told; a command or a property is answered to who asked.
    ("notifications.intents", "deliver"),
    ("notifications.transitions", "queued"),
    ("notifications.transitions", "sent"),
    ("notifications.transitions", "ended"),
    ("notifications.events", "properties"),
    ("notifications.events", "message"),
    ("notifications.events", "presence"),
];

/// Labels of a device with what the platform knows of it besides its id.
const APP_LABEL: &str = "huawei.app-id";
const NODE_LABEL: &str = "huawei.node-id";
const PRODUCT_LABEL: &str = "huawei.product-id";

#[derive(Serialize)]
struct Notification<'a, D> {
    resource: &'a str,
    event: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    occasion: Option<Occasion>,
    notify_data: D,
}

/// What the nested shape says besides.
#[derive(Serialize)]
struct Occasion {
    event_time: String,
    event_time_ms: String,
    request_id: String,
}

#[derive(Serialize)]
struct Nested<B> {
    header: Header,
    body: B,
}

#[derive(Serialize)]
struct Header {
    app_id: String,
    device_id: String,
    node_id: String,
    product_id: String,
    gateway_id: String,
    tags: Vec<Value>,
}

/// Tells the application how its message stands: pending where the device was away, then how it ended.
pub(crate) fn on_transitions(gateway: &impl Gateway, execution: &Execution, lines: &[Transition]) -> Result<(), Error> {
    let settings = Settings::read(gateway)?;
    let Some(subscriber) = &settings.push.message_status else { return Ok(()) };
    let (Some(details), Intent::Deliver(delivery)) = (Details::of(execution), &execution.intent) else { return Ok(()) };
    for line in lines {
        let Some(status) = status(execution, &details, line) else { continue };
        let name = delivery.name.as_deref();
        let error_info = Some(status)
            .filter(|status| *status == Status::Failed)
            .and_then(|_| line.reason.as_ref().map(ErrorInfo::of).or_else(|| ErrorInfo::of_execution(execution)));
        let resource = "device.message.status";
        let timestamp = basic(line.at_ms);
        match settings.push_shape {
            Shape::Flat => {
                #[derive(Serialize)]
                struct Flat<'a> {
                    message_id: &'a str,
                    name: Option<&'a str>,
                    device_id: &'a str,
                    status: &'a str,
                    timestamp: String,
                }
                let notify_data = Flat {
                    message_id: &details.message_id,
                    name,
                    device_id: &details.device_id,
                    status: status.text(),
                    timestamp,
                };
                request(gateway, subscriber, &Notification { resource, event: "update", occasion: None, notify_data })?;
            }
            Shape::Nested => {
                #[derive(Serialize)]
                struct Body<'a> {
                    message_id: &'a str,
                    #[serde(skip_serializing_if = "Option::is_none")]
                    name: Option<&'a str>,
                    #[serde(skip_serializing_if = "Option::is_none")]
                    topic: Option<String>,
                    status: &'a str,
                    timestamp: String,
                    #[serde(skip_serializing_if = "Option::is_none")]
                    error_info: Option<ErrorInfo>,
                }
                let body = Body {
                    message_id: &details.message_id,
                    name,
                    topic: message::topic_of(&delivery.attributes),
                    status: status.text(),
                    timestamp,
                    error_info,
                };
                let Some(device) = gateway.device(&execution.device) else { continue };
                nested(gateway, subscriber, (resource, "update"), &device, line.at_ms, body)?;
            }
        }
    }
    Ok(())
}

/// What a line of the history means for the application, each status once.
fn status(execution: &Execution, details: &Details, line: &Transition) -> Option<Status> {
    match line.event.as_str() {
        "queued" if !details.online => Some(Status::Pending),
        // A message that had to be sent again was delivered the first time.
        "sent" if execution.sent_ms.is_none_or(|first_ms| first_ms == line.at_ms) => Some(Status::Delivered),
        "ended" => match (line.state, execution.sent_ms) {
            (State::Failed | State::Rejected, _) => Some(Status::Failed),
            (State::TimedOut, None) => Some(Status::TimedOut),
            (State::Succeeded, None) => Some(Status::Delivered),
            // Delivered is the last word about what was sent; what was taken back is not told.
            _ => None,
        },
        _ => None,
    }
}

/// Tells what a device said, or that it came or went, of every device that has an id of the platform.
pub(crate) fn on_event(gateway: &impl Gateway, event: &Event) -> Result<(), Error> {
    let push = Settings::read(gateway)?.push;
    let (subscriber, resource, verb) = match event.kind.as_str() {
        "properties" => (push.property, "device.property", "report"),
        "message" => (push.message, "device.message", "report"),
        "presence" => (push.status, "device.status", "update"),
        _ => return Ok(()),
    };
    let Some(subscriber) = subscriber else { return Ok(()) };
    let Some(device) = gateway.device(&event.device).filter(|device| attribute(&device.aliases, ID_ALIAS).is_some())
    else {
        return Ok(());
    };
    let said = event.body.as_deref().unwrap_or("null");
    match event.kind.as_str() {
        "properties" => {
            let body = object!({"services": services(said, event.at_ms)});
            nested(gateway, &subscriber, (resource, verb), &device, event.at_ms, body)
        }
        "message" => {
            #[derive(Serialize)]
            struct Body<'a> {
                topic: &'a str,
                content: Box<RawValue>,
            }
            let topic = attribute(&event.attributes, TOPIC_ATTRIBUTE).unwrap_or_default();
            nested(
                gateway,
                &subscriber,
                (resource, verb),
                &device,
                event.at_ms,
                Body { topic, content: json::raw(said) },
            )
        }
        _ => {
            let online = json::parse::<Value>(said).is_ok_and(|said| said.get("online") == Some(&Value::Bool(true)));
            let status = if online { "ONLINE" } else { "OFFLINE" };
            let body = object!({"status": status, "status_update_time": extended(event.at_ms)});
            nested(gateway, &subscriber, (resource, verb), &device, event.at_ms, body)
        }
    }
}

/// `{"service": {"name": value}}` as the platform's list; values that stand outside of one are of the service `null`.
fn services(said: &str, at_ms: u64) -> Vec<Value> {
    let members: Map<String, Value> = json::parse_object(said).unwrap_or_default();
    let service = |id: Value, properties: Value| object!({"service_id": id, "properties": properties, "event_time": basic(at_ms)});
    let (of_services, alone): (Map<_, _>, Map<_, _>) = members.into_iter().partition(|(_, value)| value.is_object());
    let mut services: Vec<_> = of_services.into_iter().map(|(id, values)| service(Value::String(id), values)).collect();
    if !alone.is_empty() {
        services.push(service(Value::Null, Value::Object(alone)));
    }
    services
}

fn nested(
    gateway: &impl Gateway,
    subscriber: &Subscriber,
    (resource, event): (&str, &str),
    device: &Device,
    at_ms: u64,
    body: impl Serialize,
) -> Result<(), Error> {
    let label = |name: &str| attribute(&device.labels, name).unwrap_or_default().to_owned();
    let id_of = |device: &Device| attribute(&device.aliases, ID_ALIAS).unwrap_or_default().to_owned();
    let holder = device.parent.as_deref().and_then(|parent| gateway.device(parent));
    let header = Header {
        app_id: label(APP_LABEL),
        device_id: id_of(device),
        node_id: label(NODE_LABEL),
        product_id: label(PRODUCT_LABEL),
        gateway_id: holder.as_ref().map_or_else(|| id_of(device), id_of),
        tags: Vec::new(),
    };
    let occasion =
        Some(Occasion { event_time: basic(at_ms), event_time_ms: extended(at_ms), request_id: gateway.new_id() });
    request(gateway, subscriber, &Notification { resource, event, occasion, notify_data: Nested { header, body } })
}

/// Puts the notification into the gateway's outbox. A target that is not configured is the operator's to mend; the
/// message itself is not at fault.
fn request(gateway: &impl Gateway, subscriber: &Subscriber, notification: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(notification).map_err(|error| Error::Internal(error.to_string()))?;
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    match gateway.request(&subscriber.target, "POST", &subscriber.path, &headers, Some(&text)) {
        Err(Error::NotFound(why)) => {
            let text = format!("a notification was not sent: {why}; configure the target or take it out of push");
            gateway.log(Severity::Warn, &text);
            Ok(())
        }
        other => other,
    }
}
