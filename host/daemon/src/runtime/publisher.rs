//! What leaves by MQTT and is no dispatch: events, answers, closed connections. In order, after the commit.

use super::engine::Engine;
use dragoman_core::{DeviceId, Message, SessionId};
use dragoman_mqtt::Broker;
use dragoman_store::Seq;
use dragoman_wasm::Readers;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Departures that may wait for the disk; past that, whoever writes one waits too.
const WAITING_MAX: usize = 16_384;

/// One thing that leaves.
#[derive(Debug)]
pub enum Departure {
    /// A message.
    Publish {
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

/// The queue of departures. At most once: what is in it when the process ends is lost, and so are the connections that
/// it was for.
pub struct Publisher {
    queue: mpsc::Sender<(Seq, Departure)>,
}

impl Publisher {
    /// A queue that is worked off for as long as it exists.
    pub fn start(engine: Arc<Engine>, broker: watch::Receiver<Option<Arc<dyn Broker>>>) -> Self {
        let (queue, departures) = mpsc::channel(WAITING_MAX);
        tokio::spawn(work_off(engine, broker, departures));
        Self { queue }
    }

    /// Puts a departure behind those before it. It leaves once `seq` is committed.
    pub async fn push(&self, seq: Seq, departure: Departure) {
        // The queue ends with the daemon, and so does every connection.
        let _ = self.queue.send((seq, departure)).await;
    }
}

async fn work_off(
    engine: Arc<Engine>,
    mut broker: watch::Receiver<Option<Arc<dyn Broker>>>,
    mut departures: mpsc::Receiver<(Seq, Departure)>,
) {
    let running = match broker.wait_for(Option::is_some).await {
        Ok(running) => running.clone(),
        Err(_) => None,
    };
    let Some(broker) = running else { return };
    while let Some((seq, departure)) = departures.recv().await {
        // A store that failed stops the daemon; nothing leaves that it did not keep.
        if engine.committed(seq).await.is_err() {
            return;
        }
        match departure {
            Departure::Publish { to: Readers::Subscribers, message } => {
                let readers = broker.publish(&message, None).await;
                let readers = u64::try_from(readers).unwrap_or(u64::MAX);
                metrics::counter!("dragoman_published_total", "to" => "subscribers").increment(readers);
            }
            Departure::Publish { to: Readers::Session(session), message } => {
                let result = if broker.publish_to_session(&session, &message).await { "session" } else { "nobody" };
                metrics::counter!("dragoman_published_total", "to" => result).increment(1);
            }
            Departure::Close(session) => broker.close_session(&session).await,
            Departure::Forget(device) => broker.close_device(&device).await,
        }
    }
}
