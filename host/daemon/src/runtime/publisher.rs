//! What leaves by MQTT and is no dispatch: events, answers, closed connections. In order, after the commit.

use super::engine::Engine;
use super::places::Places;
use dragoman_core::{DeviceId, Message, SessionId};
use dragoman_mqtt::Broker;
use dragoman_store::Seq;
use dragoman_wasm::Readers;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

/// Places for departures that wait for the disk: one each, and one more for each KiB of a message, so 64 MiB. Past that,
/// whoever writes one waits too.
const PLACES: u32 = 65_536;

/// One thing that leaves.
#[derive(Debug)]
pub enum Departure {
    /// A message.
    Publish {
        /// Whose it is. Nobody of another dialect gets it.
        dialect: Arc<str>,
        /// Whom it goes to.
        to: Readers,
        /// The message.
        message: Message,
    },
    /// A session is closed.
    Close(SessionId),
    /// The connection of a device that was removed is closed.
    Forget(DeviceId),
}

impl Departure {
    /// Roughly what it holds in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { message, .. } => {
                let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
                message.topic.len() + message.payload.as_bytes().len() + attributes
            }
            Self::Close(_) | Self::Forget(_) => 0,
        }
    }
}

/// The queue of departures. At most once: what is in it when the process ends is lost, and so are the connections that
/// it was for.
pub struct Publisher {
    queue: mpsc::UnboundedSender<Waiting>,
    places: Places,
}

/// A departure in its place.
struct Waiting {
    seq: Seq,
    departure: Departure,
    _place: Option<OwnedSemaphorePermit>,
}

impl Publisher {
    /// A queue that is worked off for as long as it exists.
    pub fn start(engine: Arc<Engine>, broker: watch::Receiver<Option<Arc<dyn Broker>>>) -> Self {
        // Bounded by its places.
        let (queue, departures) = mpsc::unbounded_channel();
        tokio::spawn(work_off(engine, broker, departures));
        Self { queue, places: Places::new(PLACES) }
    }

    /// Puts a departure behind those before it. It leaves once `seq` is committed.
    pub async fn push(&self, seq: Seq, departure: Departure) {
        let place = self.places.take(departure.bytes()).await;
        // The queue ends with the daemon, and so does every connection.
        let _ = self.queue.send(Waiting { seq, departure, _place: place });
    }
}

async fn work_off(
    engine: Arc<Engine>,
    mut broker: watch::Receiver<Option<Arc<dyn Broker>>>,
    mut departures: mpsc::UnboundedReceiver<Waiting>,
) {
    let running = match broker.wait_for(Option::is_some).await {
        Ok(running) => running.clone(),
        Err(_) => None,
    };
    let Some(broker) = running else { return };
    // Its place is held until it has left.
    while let Some(Waiting { seq, departure, _place }) = departures.recv().await {
        // A store that failed stops the daemon; nothing leaves that it did not keep.
        if engine.committed(seq).await.is_err() {
            return;
        }
        match departure {
            Departure::Publish { dialect, to: Readers::Subscribers, message } => {
                let readers = broker.publish(Some(&dialect), &message, None).await;
                let readers = u64::try_from(readers).unwrap_or(u64::MAX);
                metrics::counter!("dragoman_published_total", "to" => "subscribers").increment(readers);
            }
            Departure::Publish { to: Readers::Session(session), message, .. } => {
                let result = if broker.publish_to_session(&session, &message).await { "session" } else { "nobody" };
                metrics::counter!("dragoman_published_total", "to" => result).increment(1);
            }
            Departure::Close(session) => broker.close_session(&session).await,
            Departure::Forget(device) => broker.close_device(&device).await,
        }
    }
}
