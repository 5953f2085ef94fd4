//! What devices say of their own accord: read by the device's handler, told to every dialect that asked for its kind.

use super::again::{self, Failed};
use super::asks;
use super::gateway::Gateway;
use super::places::Places;
use super::sequencer::Sequencer;
use super::writes::About;
use dragoman_core::{Delivery, DeviceId, Payload};
use dragoman_wasm::{Decoded, DeviceEvent, Direction, Plugin};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Places for events that wait to be told: one each, and one more for each KiB, so 32 MiB. Past that, whoever emits
/// waits, and with it the sender's next message.
const PLACES: u32 = 32_768;
/// Events that may lead to each other, one to the next. Longer chains are those of plugins that keep themselves busy.
pub const LED_MAX: u8 = 2;
/// Events that a call may emit that is told of one.
pub const LED_BY_ONE_MAX: usize = 8;
/// How long it waits. An event that is emitted while another is told would else wait for itself.
const PLACE_WITHIN: Duration = Duration::from_secs(5);

/// Tells events in order for each device. What was not told when the process ends is lost.
pub struct DeviceEvents {
    queues: Sequencer<DeviceId>,
    places: Places,
}

impl DeviceEvents {
    /// Nothing to tell yet.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { queues: Sequencer::new(runtime), places: Places::new(PLACES) }
    }

    /// Puts an event behind those of its device; `led` is how many events led to it. Boxed, because what is told may write,
    /// and what is written may be an event again.
    pub fn push<'a>(&'a self, gateway: &'a Arc<Gateway>, event: DeviceEvent, led: u8) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            metrics::counter!("dragoman_device_events_total", "kind" => kind_label(&event.kind)).increment(1);
            if readers(gateway, &event).is_empty() {
                return;
            }
            if led > LED_MAX {
                metrics::counter!("dragoman_device_events_dropped_total").increment(1);
                tracing::warn!(device = %event.device, kind = %event.kind, "an event of a device is dropped: events that plugins are told keep leading to further ones");
                return;
            }
            let place = tokio::time::timeout(PLACE_WITHIN, self.places.take(bytes(&event))).await;
            let Ok(place) = place else {
                metrics::counter!("dragoman_device_events_dropped_total").increment(1);
                tracing::warn!(device = %event.device, kind = %event.kind, "an event of a device is dropped: too many wait to be told");
                return;
            };
            let gateway = gateway.clone();
            self.queues.push(event.device.clone(), async move {
                tell(&gateway, &event, led).await;
                drop(place);
            });
        })
    }
}

async fn tell(gateway: &Arc<Gateway>, event: &DeviceEvent, led: u8) {
    let decoded = decode(gateway, event).await;
    for plugin in readers(gateway, event) {
        if let Err(why) = tell_one(gateway, &plugin, event, decoded.as_ref(), led).await {
            metrics::counter!("dragoman_device_events_failed_total", "dialect" => plugin.name().to_string())
                .increment(1);
            tracing::warn!(dialect = %plugin.name(), device = %event.device, kind = %event.kind, %why, "an event of a device was not told");
        }
    }
}

async fn tell_one(
    gateway: &Arc<Gateway>,
    plugin: &Plugin,
    event: &DeviceEvent,
    decoded: Option<&Decoded>,
    led: u8,
) -> Result<(), Failed> {
    let call = gateway.call_context(None);
    let tell = || plugin.on_event(call.clone(), event, decoded);
    let about = || About { led: led + 1, ..About::default() };
    again::call_and_apply(gateway, plugin, tell, about).await.map(drop)
}

/// What the handler makes of the payload; an event without a payload, or of a device without a decoder, has none.
async fn decode(gateway: &Arc<Gateway>, event: &DeviceEvent) -> Option<Decoded> {
    let payload: &Payload = event.raw.as_ref()?;
    let (handler, device) = asks::handler_of(gateway, &event.device).await.ok().flatten()?;
    if !handler.roles().decoder {
        return None;
    }
    let what = Delivery { name: event.name.clone(), payload: payload.clone(), attributes: event.attributes.clone() };
    let call = gateway.call_context(None);
    match again::when_free(|| handler.decode(call.clone(), &device, Direction::Up, &what)).await {
        Ok(Ok(decoded)) => Some(decoded),
        Ok(Err(reason)) => {
            tracing::debug!(device = %event.device, reason = %reason.text, "a payload means nothing to the device's handler");
            None
        }
        Err(fault) => {
            tracing::warn!(device = %event.device, %fault, "a payload was not decoded");
            None
        }
    }
}

/// Roughly what an event holds in memory.
fn bytes(event: &DeviceEvent) -> usize {
    let raw = event.raw.as_ref().map_or(0, |raw| raw.as_bytes().len());
    let attributes: usize = event.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    raw + event.body.as_ref().map_or(0, String::len) + attributes
}

fn readers(gateway: &Gateway, event: &DeviceEvent) -> Vec<Arc<Plugin>> {
    let wants =
        |plugin: &&Arc<Plugin>| plugin.roles().notifications && plugin.description().events.contains(&event.kind);
    gateway.catalog().plugins.values().filter(wants).cloned().collect()
}

/// Documented kinds by name, so that a plugin cannot make metrics without end.
fn kind_label(kind: &str) -> &'static str {
    const KINDS: [&str; 8] = ["uplink", "join", "presence", "properties", "notification", "message", "location", "log"];
    KINDS.iter().find(|known| **known == kind).copied().unwrap_or("other")
}
