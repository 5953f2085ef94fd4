//! The life of a connection over all its connections: made, broken, made again from nothing.

use super::broken::Broken;
use super::ledger::{Ledger, Outgoing};
use super::options::ExternalOptions;
use super::{ExternalEvents, Link, Published, backoff, live};
use dragoman_core::ExecutionId;
use metrics::Counter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Before a broker that had no room for a message is asked again.
const NO_ROOM: Duration = Duration::from_millis(500);
/// A connection that stood for so long was none in a row of failures.
const STOOD: Duration = Duration::from_secs(10);
/// After so many connections in a row that ended over what the broker sent, it is asked to forget the session: it would
/// send the same again.
const UNREADABLE_MAX: u32 = 3;

/// What the handle asks.
pub(super) enum Command {
    Publish(Box<Outgoing>, Answer),
    /// What waits of an attempt.
    Withdraw(ExecutionId, u32),
    Stop {
        until: Instant,
    },
}

/// Who waits for a message to be settled, and its place among those that wait.
pub(super) struct Answer {
    pub(super) tell: oneshot::Sender<Published>,
    pub(super) _place: OwnedSemaphorePermit,
}

/// Why one connection ended.
pub(super) enum End {
    Broken(Broken),
    Stopped,
}

/// What outlives each connection.
pub(super) struct Desk {
    pub(super) options: Arc<ExternalOptions>,
    pub(super) events: Arc<dyn ExternalEvents>,
    pub(super) ledger: Ledger<Answer>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) link: watch::Sender<Link>,
    /// The broker's session has our subscriptions, if it still has the session.
    pub(super) standing: bool,
    /// Connections in a row that ended soon over what the broker sent.
    pub(super) unreadable: u32,
    /// No new message is sent any more; after that time, nothing is waited for either.
    pub(super) stopping: Option<Instant>,
    numbers: Numbers,
}

impl Desk {
    pub(super) fn new(
        options: Arc<ExternalOptions>,
        events: Arc<dyn ExternalEvents>,
        commands: mpsc::UnboundedReceiver<Command>,
        link: watch::Sender<Link>,
    ) -> Self {
        Self {
            ledger: Ledger::new(options.sends_max, NO_ROOM),
            numbers: Numbers::new(&options.name),
            options,
            events,
            commands,
            link,
            standing: false,
            unreadable: 0,
            stopping: None,
        }
    }

    /// Runs until it is stopped or its handle is gone.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        while self.stopping.is_none() {
            let began = Instant::now();
            let end = live::run(&mut self).await;
            let now = Instant::now();
            let refused = match &end {
                End::Broken(Broken::RefusedWith(code)) => Some(*code),
                End::Broken(_) | End::Stopped => None,
            };
            let settled = self.ledger.broken(now, refused);
            self.settle(settled);
            let End::Broken(why) = end else { break };
            if now.duration_since(began) >= STOOD {
                (failures, self.unreadable) = (0, 0);
            }
            failures += 1;
            self.down(&why);
            let ExternalOptions { backoff_min, backoff_max, .. } = *self.options;
            self.rest(now + backoff::wait(backoff_min, backoff_max, failures, backoff::chance())).await;
        }
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            self.serve(command);
        }
        let closed = self.ledger.close();
        self.settle(closed);
        self.link.send_replace(Link::Closed);
    }

    /// Does what the handle asks.
    pub(super) fn serve(&mut self, command: Command) {
        match command {
            Command::Publish(what, answer) => self.ledger.add(*what, answer),
            Command::Withdraw(execution, attempt) => {
                let withdrawn = self.ledger.withdraw(&execution, attempt);
                self.settle(withdrawn);
            }
            Command::Stop { until } => self.stopping = Some(until),
        }
    }

    /// The handle is gone; nobody waits for anything.
    pub(super) fn abandoned(&mut self) {
        self.stopping.get_or_insert_with(Instant::now);
    }

    /// Tells those who wait.
    pub(super) fn settle(&self, settled: impl IntoIterator<Item = (Answer, Published)>) {
        for (answer, published) in settled {
            self.numbers.published(&published);
            // Whoever asked may have gone away.
            let _ = answer.tell.send(published);
        }
    }

    /// Whether the broker is to forget the session with the next connection.
    pub(super) fn begins_anew(&self) -> bool {
        self.unreadable >= UNREADABLE_MAX
    }

    /// The connection stands.
    pub(super) fn up(&mut self, refused: Vec<(String, String)>) {
        let name = &self.options.name;
        for (filter, why) in &refused {
            tracing::error!(connection = %name, %filter, %why, "the broker refuses a subscription, so nothing comes under it; look at what it lets the gateway do");
        }
        tracing::info!(connection = %name, waiting = self.ledger.len(), "connected to the broker");
        self.numbers.connected.increment(1);
        self.link.send_replace(Link::Up { refused });
    }

    /// A message was taken from the broker.
    pub(super) fn heard(&self) {
        self.numbers.inbound.increment(1);
    }

    fn down(&mut self, why: &Broken) {
        let name = &self.options.name;
        self.unreadable = if matches!(why, Broken::Unreadable(_)) { self.unreadable + 1 } else { 0 };
        if self.begins_anew() {
            tracing::error!(connection = %name, "the broker sends what cannot be taken again and again; the session there is begun anew, and messages that it held for the gateway are lost");
        }
        tracing::warn!(connection = %name, %why, waiting = self.ledger.len(), "no connection to the broker; it is made again");
        self.numbers.broken.increment(1);
        self.link.send_replace(Link::Down(why.to_string()));
    }

    /// Waits before the next connection. What expires or is withdrawn meanwhile is settled.
    async fn rest(&mut self, until: Instant) {
        while self.stopping.is_none() {
            let wake = self.ledger.next_due().map_or(until, |due| due.min(until));
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.serve(command),
                    None => self.abandoned(),
                },
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    let settled = self.ledger.due(now);
                    self.settle(settled);
                    if now >= until {
                        return;
                    }
                }
            }
        }
    }
}

/// Counters of one connection.
struct Numbers {
    connected: Counter,
    broken: Counter,
    inbound: Counter,
    taken: Counter,
    no_subscriber: Counter,
    refused: Counter,
    given_up: Counter,
}

impl Numbers {
    fn new(name: &str) -> Self {
        let published = |result: &'static str| metrics::counter!("dragoman_external_published_total", "connection" => name.to_owned(), "result" => result);
        let connections = |result: &'static str| metrics::counter!("dragoman_external_connections_total", "connection" => name.to_owned(), "result" => result);
        Self {
            connected: connections("up"),
            broken: connections("broken"),
            inbound: metrics::counter!("dragoman_external_inbound_total", "connection" => name.to_owned()),
            taken: published("taken"),
            no_subscriber: published("no_subscriber"),
            refused: published("refused"),
            given_up: published("given_up"),
        }
    }

    fn published(&self, published: &Published) {
        let counter = match published {
            Published::Taken => &self.taken,
            Published::NoSubscriber => &self.no_subscriber,
            Published::Refused(_) | Published::TooLarge { .. } | Published::Invalid(_) => &self.refused,
            Published::Expired { .. }
            | Published::Unacknowledged { .. }
            | Published::Withdrawn
            | Published::Closed { .. } => &self.given_up,
        };
        counter.increment(1);
    }
}
