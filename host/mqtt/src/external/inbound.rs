//! Messages of the broker on their way through the daemon, acknowledged in their order.

use super::broken::Broken;
use super::wire;
use super::{ExternalEvents, Heard};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use rumqttc::v5::mqttbytes::v5::Publish;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

/// A message that is dealt with, by what its acknowledgement needs.
pub(super) type Finished = (Publish, Heard);

/// Those of one connection.
pub(super) struct Inbound {
    events: Arc<dyn ExternalEvents>,
    receive_max: usize,
    /// Topics that the broker abbreviates, although it was never told that it may.
    aliases: HashMap<u16, Bytes>,
    pending: FuturesOrdered<BoxFuture<'static, Finished>>,
}

impl Inbound {
    pub(super) fn new(events: Arc<dyn ExternalEvents>, receive_max: u16) -> Self {
        Self { events, receive_max: usize::from(receive_max), aliases: HashMap::new(), pending: FuturesOrdered::new() }
    }

    /// Whether more may be read; else it waits in the socket. QoS 0 can use this up, and a broker that sends more of the
    /// others than it was told, as Mosquitto 2.0.11 does by some under load. To break with it would lose what it holds.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < self.receive_max * 2
    }

    /// Hands a message to the daemon; its turn is taken when this returns.
    pub(super) async fn take(&mut self, publish: Publish) -> Result<(), Broken> {
        let topic = self.topic(&publish)?;
        let message = wire::message(&publish, &topic).map_err(Broken::Unreadable)?;
        // The acknowledgement needs no more than this of it.
        let receipt = Publish { qos: publish.qos, pkid: publish.pkid, ..Publish::default() };
        let events = self.events.clone();
        let mut heard = Box::pin(async move { events.inbound(message).await });
        let first = poll_fn(|context| Poll::Ready(heard.as_mut().poll(context))).await;
        self.pending.push_back(Box::pin(async move {
            match first {
                Poll::Ready(heard) => (receipt, heard),
                Poll::Pending => (receipt, heard.await),
            }
        }));
        Ok(())
    }

    /// The next message that is dealt with, after all that came before it. Never, where there is none.
    pub(super) async fn next(&mut self) -> Finished {
        match self.pending.next().await {
            Some(finished) => finished,
            None => std::future::pending().await,
        }
    }

    /// The connection is gone. What is on its way goes on, without an acknowledgement; the broker sends it again.
    pub(super) fn go_on_aside(mut self) {
        if !self.pending.is_empty() {
            tokio::spawn(async move { while self.pending.next().await.is_some() {} });
        }
    }

    fn topic(&mut self, publish: &Publish) -> Result<Bytes, Broken> {
        let alias = publish.properties.as_ref().and_then(|properties| properties.topic_alias);
        match alias {
            Some(alias) if publish.topic.is_empty() => self
                .aliases
                .get(&alias)
                .cloned()
                .ok_or_else(|| Broken::Unreadable(format!("topic alias {alias}, which stands for nothing"))),
            Some(alias) => {
                self.aliases.insert(alias, publish.topic.clone());
                Ok(publish.topic.clone())
            }
            None => Ok(publish.topic.clone()),
        }
    }
}
