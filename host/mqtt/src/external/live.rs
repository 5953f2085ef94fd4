//! One connection, from the first packet to its end.

use super::broken::Broken;
use super::inbound::{Finished, Inbound};
use super::ledger::{Allowance, Step};
use super::pump::Pump;
use super::runner::{Desk, End};
use super::watchdog::Watchdog;
use super::{Heard, dial, wire};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Receive maximum of a broker that names none (MQTT 5.0, section 3.2.2.3.3).
const RECEIVE_MAX: u16 = u16::MAX;

/// How far a connection is.
enum Phase {
    Connecting,
    /// SUBSCRIBE is on its way; with SUBACK this is what the broker allows.
    Subscribing {
        since: Instant,
        allowance: Allowance,
    },
    Open,
    /// DISCONNECT is on its way.
    Leaving,
}

struct Live<'a> {
    desk: &'a mut Desk,
    client: AsyncClient,
    inbound: Inbound,
    watchdog: Watchdog,
    phase: Phase,
    /// Receipts that wait until the library has written others: a broker that has much for us sends it faster than that.
    receipts: VecDeque<Publish>,
    /// Receipts that the library has and did not write yet.
    unwritten_receipts: usize,
}

/// Makes a connection and keeps it until it breaks or is stopped.
pub(super) async fn run(desk: &mut Desk) -> End {
    let options = desk.options.clone();
    let (client, library) = match dial::client(&options, desk.begins_anew()) {
        Ok(made) => made,
        Err(why) => return End::Broken(Broken::Unreachable(why)),
    };
    let mut pump = Pump::start(library, options.keep_alive);
    let mut live = Live {
        inbound: Inbound::new(desk.events.clone(), options.receive_max),
        desk,
        client,
        watchdog: Watchdog::new(options.keep_alive, options.ack_timeout, Instant::now()),
        phase: Phase::Connecting,
        receipts: VecDeque::new(),
        unwritten_receipts: 0,
    };
    let end = live.keep(&mut pump).await;
    live.inbound.go_on_aside();
    end
}

impl Live<'_> {
    async fn keep(&mut self, pump: &mut Pump) -> End {
        let mut events = Vec::new();
        let mut look_at = Instant::now() + self.watchdog.every();
        loop {
            if let Some(end) = self.send_what_may_be() {
                return end;
            }
            if let Err(why) = self.hand_over_receipts() {
                return End::Broken(why);
            }
            let reads = self.inbound.has_room();
            let wake = self.desk.ledger.next_due().map_or(look_at, |due| due.min(look_at));
            tokio::select! {
                () = pump.next(&mut events), if reads => {}
                finished = self.inbound.next() => {
                    if let Err(why) = self.acknowledge(finished) {
                        return End::Broken(why);
                    }
                }
                command = self.desk.commands.recv() => match command {
                    Some(command) => self.desk.serve(command),
                    None => self.desk.abandoned(),
                },
                () = sleep_until(wake) => {
                    let settled = self.desk.ledger.due(Instant::now());
                    self.desk.settle(settled);
                }
            }
            let now = Instant::now();
            if !reads {
                self.watchdog.held_up(now);
            }
            for event in events.drain(..) {
                self.watchdog.event(now);
                match event {
                    Ok(Event::Outgoing(Outgoing::Disconnect)) => return End::Stopped,
                    Ok(event) => {
                        if let Err(why) = self.happened(event, now).await {
                            return End::Broken(why);
                        }
                    }
                    Err(why) => return End::Broken(why),
                }
            }
            if now >= look_at {
                look_at = now + self.watchdog.every();
                if let Some(end) = self.look(now) {
                    return end;
                }
            }
        }
    }

    /// Hands to the library what it can send at once.
    fn send_what_may_be(&mut self) -> Option<End> {
        match (&self.phase, self.desk.stopping) {
            (Phase::Open, None) => self.send(),
            (Phase::Open, Some(_)) if !self.desk.ledger.is_quiet() => None,
            (Phase::Open, Some(_)) => {
                self.phase = Phase::Leaving;
                self.client.try_disconnect().is_err().then_some(End::Stopped)
            }
            (Phase::Connecting | Phase::Subscribing { .. }, Some(_)) => Some(End::Stopped),
            (Phase::Leaving, _) | (_, None) => None,
        }
    }

    fn send(&mut self) -> Option<End> {
        let now = Instant::now();
        while let Some(step) = self.desk.ledger.next(now) {
            match step {
                Step::Settle(answer, published) => self.desk.settle([(answer, published)]),
                Step::Send(publish) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    let properties = publish.properties.unwrap_or_default();
                    let (qos, retain) = (publish.qos, publish.retain);
                    let handed =
                        self.client.try_publish_with_properties(topic, qos, retain, publish.payload, properties);
                    if handed.is_err() {
                        return Some(End::Broken(Broken::Lost("the client library takes nothing more".into())));
                    }
                }
            }
        }
        None
    }

    async fn happened(&mut self, event: Event, now: Instant) -> Result<(), Broken> {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => self.connected(&connack, now),
            Event::Incoming(Packet::SubAck(suback)) => self.subscribed(&suback),
            Event::Incoming(Packet::PubAck(puback)) => {
                let settled = self.desk.ledger.acknowledged(puback.pkid, puback.reason, now);
                let settled = settled.map_err(|_| Broken::Unreadable("a PUBACK for what it was not sent".into()))?;
                self.desk.settle(settled);
                Ok(())
            }
            Event::Incoming(Packet::Publish(publish)) => {
                self.inbound.take(publish).await?;
                self.desk.heard();
                Ok(())
            }
            Event::Incoming(Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_)) => {
                Err(Broken::Unreadable("a packet of QoS 2, which nobody asked for".into()))
            }
            Event::Outgoing(Outgoing::Publish(id)) => {
                let settled = self.desk.ledger.written(id, now);
                self.desk.settle(settled);
                Ok(())
            }
            Event::Outgoing(Outgoing::Subscribe(id)) => {
                if let Phase::Subscribing { allowance, .. } = &mut self.phase {
                    allowance.last_id = id;
                }
                Ok(())
            }
            Event::Outgoing(Outgoing::PubAck(_)) => {
                self.unwritten_receipts = self.unwritten_receipts.saturating_sub(1);
                Ok(())
            }
            Event::Outgoing(Outgoing::AwaitAck(id)) => {
                // The ledger keeps ids apart, so this cannot be; going on would lose the message.
                Err(Broken::Lost(format!("packet id {id} was given twice")))
            }
            Event::Incoming(_) | Event::Outgoing(_) => Ok(()),
        }
    }

    fn connected(&mut self, connack: &ConnAck, now: Instant) -> Result<(), Broken> {
        let options = self.desk.options.clone();
        let properties = connack.properties.as_ref();
        if properties.and_then(|p| p.max_qos) == Some(0) {
            return Err(Broken::Refused("it offers QoS 0 only, which loses messages; QoS 1 is needed".into()));
        }
        let receive_max = properties.and_then(|p| p.receive_max).unwrap_or(RECEIVE_MAX);
        if receive_max == 0 {
            return Err(Broken::Unreadable("a receive maximum of 0".into()));
        }
        if let Some(seconds) = properties.and_then(|p| p.server_keep_alive).filter(|seconds| *seconds > 0) {
            self.watchdog.keep_alive_is(Duration::from_secs(u64::from(seconds)));
        }
        let ids = receive_max.min(dial::ids_max(&options));
        let allowance = Allowance {
            ids,
            window: (receive_max / 2).clamp(1, options.inflight_max),
            packet_max: properties.and_then(|p| p.max_packet_size),
            retains: properties.and_then(|p| p.retain_available) != Some(0),
            last_id: 0,
        };
        if connack.session_present && self.desk.standing {
            self.open(allowance, Vec::new());
            return Ok(());
        }
        if !connack.session_present {
            self.desk.unreadable = 0;
        }
        self.desk.standing = false;
        let filters = options.subscriptions.iter().map(wire::filter);
        self.client
            .try_subscribe_many(filters)
            .map_err(|_| Broken::Lost("the client library did not take the subscriptions".into()))?;
        self.phase = Phase::Subscribing { since: now, allowance };
        Ok(())
    }

    fn subscribed(&mut self, suback: &SubAck) -> Result<(), Broken> {
        let Phase::Subscribing { allowance, .. } = self.phase else {
            return Err(Broken::Unreadable("a SUBACK that nobody waits for".into()));
        };
        let asked = &self.desk.options.subscriptions;
        if suback.return_codes.len() != asked.len() {
            return Err(Broken::Unreadable("a SUBACK for another number of subscriptions".into()));
        }
        let refused: Vec<(String, String)> = asked
            .iter()
            .zip(&suback.return_codes)
            .filter(|(_, code)| !matches!(code, SubscribeReasonCode::Success(_)))
            .map(|(subscription, code)| (subscription.filter.clone(), format!("{code:?}")))
            .collect();
        // What was refused is asked for again with the next connection.
        self.desk.standing = refused.is_empty();
        self.open(allowance, refused);
        Ok(())
    }

    fn open(&mut self, allowance: Allowance, refused: Vec<(String, String)>) {
        self.phase = Phase::Open;
        self.desk.ledger.connected(allowance);
        self.desk.up(refused);
    }

    fn acknowledge(&mut self, (receipt, heard): Finished) -> Result<(), Broken> {
        match heard {
            Heard::NotKept => Err(Broken::NotKept),
            Heard::Done => {
                self.receipts.push_back(receipt);
                Ok(())
            }
        }
    }

    /// In the order of the messages, and no more at a time than the library's queue has room for beside messages.
    fn hand_over_receipts(&mut self) -> Result<(), Broken> {
        while self.unwritten_receipts < dial::receipts_max(&self.desk.options)
            && let Some(receipt) = self.receipts.pop_front()
        {
            self.client.try_ack(&receipt).map_err(|_| Broken::Lost("the client library takes nothing more".into()))?;
            // A message of QoS 0 has none.
            self.unwritten_receipts += usize::from(receipt.qos != QoS::AtMostOnce);
        }
        Ok(())
    }

    /// What is overdue.
    fn look(&mut self, now: Instant) -> Option<End> {
        if self.desk.stopping.is_some_and(|until| now >= until) {
            return Some(End::Stopped);
        }
        let subscribing = match self.phase {
            Phase::Subscribing { since, .. } => Some(since),
            Phase::Connecting | Phase::Open | Phase::Leaving => None,
        };
        let unacknowledged = self.desk.ledger.unacknowledged_since();
        self.watchdog.stall(now, unacknowledged, subscribing).map(|stall| End::Broken(stall.into()))
    }
}
