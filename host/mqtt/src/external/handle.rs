//! What the daemon holds of a connection.

use super::ledger::Outgoing;
use super::options::{ExternalError, ExternalOptions};
use super::runner::{Answer, Command, Desk};
use super::{ExternalEvents, Link, Published, wire};
use crate::broker::DeliveryToken;
use dragoman_core::{ExecutionId, Message};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Beyond the time that a shutdown may take, for the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection to an external broker, which is made again for as long as this exists.
pub struct ExternalConnection {
    /// What is in it is bounded by the places, and by what can be taken back.
    commands: mpsc::UnboundedSender<Command>,
    places: Arc<Semaphore>,
    link: watch::Receiver<Link>,
    name: String,
}

impl ExternalConnection {
    /// Begins to connect, on the runtime that this is called on. That the broker is there is not waited for.
    ///
    /// # Errors
    /// See [`ExternalOptions::check`].
    pub fn start(options: ExternalOptions, events: Arc<dyn ExternalEvents>) -> Result<Self, ExternalError> {
        options.check()?;
        let (commands, asked) = mpsc::unbounded_channel();
        let (told, link) = watch::channel(Link::Connecting);
        let (name, places) = (options.name.clone(), Arc::new(Semaphore::new(options.waiting_max)));
        tokio::spawn(Desk::new(Arc::new(options), events, asked, told).run());
        Ok(Self { commands, places, link, name })
    }

    /// As in [`ExternalOptions::name`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the connection stands.
    pub fn link(&self) -> Link {
        self.link.borrow().clone()
    }

    /// Waits until the connection stands as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Link) -> bool) {
        // It ends with the connection, and then there is nothing to wait for.
        let _ = self.link.clone().wait_for(wanted).await;
    }

    /// Publishes a message, with QoS 0 or 1 (2 becomes 1), and resolves when it is settled. While there is no connection
    /// it waits, but for no longer than `expires_in`; the broker is told to forget it after what is then left of that.
    /// Calls that begin one after another are sent in that order, except for what has to be sent again.
    ///
    /// A message without PUBACK is not given up because its time is over while the connection stands: the broker may have
    /// it. So this can resolve up to [`ExternalOptions::ack_timeout`] later.
    ///
    /// Dropping the future changes nothing about the message.
    pub async fn publish(
        &self,
        message: &Message,
        retain: bool,
        expires_in: Option<Duration>,
        token: Option<DeliveryToken>,
    ) -> Published {
        let publish = match wire::publish(message, retain) {
            Ok(publish) => publish,
            Err(why) => return Published::Invalid(why),
        };
        let expires = expires_in.and_then(|left| Instant::now().checked_add(left));
        let place = self.places.clone().acquire_owned();
        let place = match expires {
            None => place.await,
            Some(expires) => match timeout_at(expires, place).await {
                Ok(place) => place,
                Err(_) => return Published::Expired { sends: 0 },
            },
        };
        // The places are never closed.
        let Ok(place) = place else { return Published::Closed { sends: 0 } };
        let (tell, settled) = oneshot::channel();
        let outgoing = Box::new(Outgoing { publish, expires, token });
        if self.commands.send(Command::Publish(outgoing, Answer { tell, _place: place })).is_err() {
            return Published::Closed { sends: 0 };
        }
        settled.await.unwrap_or(Published::Closed { sends: 0 })
    }

    /// Publishes a message as [`ExternalConnection::publish`] does, and does not wait for what becomes of it. False: it
    /// cannot be put into a packet, or too much waits already.
    pub fn post(&self, message: &Message, retain: bool, expires_in: Option<Duration>) -> bool {
        let Ok(publish) = wire::publish(message, retain) else { return false };
        let Ok(place) = self.places.clone().try_acquire_owned() else { return false };
        let expires = expires_in.and_then(|left| Instant::now().checked_add(left));
        let outgoing = Box::new(Outgoing { publish, expires, token: None });
        let (tell, _) = oneshot::channel();
        self.commands.send(Command::Publish(outgoing, Answer { tell, _place: place })).is_ok()
    }

    /// Takes back what waits here of an attempt: it is not sent any more, and its [`ExternalConnection::publish`]
    /// resolves to [`Published::Withdrawn`]. What was sent and has no PUBACK yet stays.
    pub fn withdraw(&self, execution: &ExecutionId, attempt: u32) {
        // A connection that was shut down sends nothing.
        let _ = self.commands.send(Command::Withdraw(execution.clone(), attempt));
    }

    /// Sends nothing more, waits up to `within` for the PUBACKs that are missing, and takes leave of the broker, which
    /// keeps the session. Whatever was not settled is [`Published::Closed`]. A second call does nothing.
    pub async fn shutdown(&self, within: Duration) {
        let until = Instant::now() + within;
        if self.commands.send(Command::Stop { until }).is_ok() {
            // The time is kept by the connection itself; this is for the case that it hangs.
            let _ = timeout(within + LAST_WORDS, self.until(|link| *link == Link::Closed)).await;
        }
    }
}
