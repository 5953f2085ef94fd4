//! The client library's loop, in a task of its own.
//!
//! Its `poll` must not be abandoned half-way: a packet that it has counted may not be written yet. So nothing races with
//! it; and where it hangs on a socket that takes nothing, or panics over a packet, the task is what is given up.

use super::broken::Broken;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Event, EventLoop};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Events that may wait to be looked at. Past it the loop waits, and with it the broker.
const WAITING_MAX: usize = 128;

/// What the library does, event by event, up to the first error.
pub(super) struct Pump {
    events: mpsc::Receiver<Result<Event, Broken>>,
    task: JoinHandle<()>,
}

impl Pump {
    /// Connects, and goes on from there. `keep_alive` counts where the broker asks for none.
    pub(super) fn start(library: EventLoop, keep_alive: Duration) -> Self {
        let (tell, events) = mpsc::channel(WAITING_MAX);
        Self { events, task: tokio::spawn(run(library, keep_alive, tell)) }
    }

    /// The next events, one at least, the last of which may be the end.
    pub(super) async fn next(&mut self, into: &mut Vec<Result<Event, Broken>>) {
        if self.events.recv_many(into, WAITING_MAX).await == 0 {
            into.push(Err(Broken::Unreadable("the client library failed over a packet".into())));
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut library: EventLoop, keep_alive: Duration, tell: mpsc::Sender<Result<Event, Broken>>) {
    loop {
        match library.poll().await {
            Ok(event) => {
                if let Event::Incoming(Packet::ConnAck(connack)) = &event
                    && connack.properties.as_ref().and_then(|p| p.server_keep_alive) == Some(0)
                {
                    // The library would ping without a pause.
                    library.options.set_keep_alive(keep_alive);
                }
                if tell.send(Ok(event)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // What it had read and written before the error: acknowledgements that count, and messages that may
                // have left. Whoever listens may be gone.
                for event in library.state.events.drain(..) {
                    let _ = tell.send(Ok(event)).await;
                }
                let _ = tell.send(Err(error.into())).await;
                return;
            }
        }
    }
}
