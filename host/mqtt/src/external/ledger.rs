//! What was given to be published, until it is settled. Pure: time is an argument, and nothing leaves from here.
//!
//! An entry is *ready*, or *resting* until a broker that had no room is asked again, or *handed* to the client library,
//! or *in flight* under a packet id. It is settled once, and what is settled is gone.

use super::Published;
use super::wire;
use crate::broker::DeliveryToken;
use dragoman_core::ExecutionId;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{PubAckReason, Publish};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Reason code: the broker keeps no messages.
const RETAIN_NOT_SUPPORTED: u8 = 0x9a;
/// Reason code: the packet is too large.
const PACKET_TOO_LARGE: u8 = 0x95;
/// From this many sends without a PUBACK an entry is sent alone, so that one at which the broker takes offence is found
/// out, and the others do not use up their sends with it.
const ALONE_FROM: u32 = 2;

/// What is to be published.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// Without packet id.
    pub(super) publish: Publish,
    /// After that it is not sent any more.
    pub(super) expires: Option<Instant>,
    /// For taking it back.
    pub(super) token: Option<DeliveryToken>,
}

/// What the broker of this connection allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Packet ids go from 1 to here, as the client library counts them.
    pub(super) ids: u16,
    /// Messages that may be without PUBACK.
    pub(super) window: u16,
    /// Largest packet.
    pub(super) packet_max: Option<u32>,
    /// Whether it keeps messages.
    pub(super) retains: bool,
    /// The packet id that was used last; 0 before the first.
    pub(super) last_id: u16,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step<A> {
    /// Hand this to the client library now.
    Send(Publish),
    /// This will not be sent.
    Settle(A, Published),
}

/// The broker acknowledged what it was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

#[derive(Debug)]
struct Entry<A> {
    what: Outgoing,
    answer: A,
    sends: u32,
    sent: Option<Instant>,
    rests_until: Option<Instant>,
    /// It may be the one over which the broker takes offence.
    suspect: bool,
}

impl<A> Entry<A> {
    /// Whether nothing else may be out at the same time.
    fn goes_alone(&self) -> bool {
        self.suspect || self.sends >= ALONE_FROM
    }
}

/// All that is not settled. `A` is what is told of it in the end.
#[derive(Debug)]
pub(super) struct Ledger<A> {
    sends_max: u32,
    rest: Duration,
    newest: u64,
    entries: HashMap<u64, Entry<A>>,
    /// Those of an attempt.
    attempts: BTreeSet<(ExecutionId, u32, u64)>,
    ready: BTreeSet<u64>,
    resting: BTreeSet<(Instant, u64)>,
    /// Of entries that are ready or resting.
    expiries: BTreeSet<(Instant, u64)>,
    handed: VecDeque<u64>,
    in_flight: HashMap<u16, u64>,
    /// None: there is no connection.
    allowance: Option<Allowance>,
    /// Bytes of the smallest packet that the broker refused as too large, without having said before what it takes. Known
    /// as long as connections end over nothing else: a broker with other limits has been started again.
    too_large: Option<usize>,
}

impl<A> Ledger<A> {
    /// Nothing yet. An entry is sent so often at most, and after a broker had no room rests so long.
    pub(super) fn new(sends_max: u32, rest: Duration) -> Self {
        Self {
            sends_max,
            rest,
            newest: 0,
            entries: HashMap::new(),
            attempts: BTreeSet::new(),
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            expiries: BTreeSet::new(),
            handed: VecDeque::new(),
            in_flight: HashMap::new(),
            allowance: None,
            too_large: None,
        }
    }

    /// Takes an entry in, behind all others.
    pub(super) fn add(&mut self, what: Outgoing, answer: A) {
        self.newest += 1;
        let number = self.newest;
        if let Some(token) = &what.token {
            self.attempts.insert((token.execution.clone(), token.attempt, number));
        }
        if let Some(expires) = what.expires {
            self.expiries.insert((expires, number));
        }
        self.entries.insert(number, Entry { what, answer, sends: 0, sent: None, rests_until: None, suspect: false });
        self.ready.insert(number);
    }

    /// A connection stands.
    pub(super) fn connected(&mut self, allowance: Allowance) {
        self.allowance = Some(allowance);
    }

    /// What to do next; none where nothing can be done before something else happens.
    pub(super) fn next(&mut self, now: Instant) -> Option<Step<A>> {
        let allowance = self.allowance?;
        let number = *self.ready.first()?;
        let entry = self.entries.get(&number)?;
        if entry.what.expires.is_some_and(|expires| expires <= now) {
            let sends = entry.sends;
            return self.settle(number, Published::Expired { sends });
        }
        let learned = self.too_large.map(|bytes| u32::try_from(bytes - 1).unwrap_or(u32::MAX));
        let max = allowance.packet_max.into_iter().chain(learned).min();
        let bytes = wire::packet_bytes(&entry.what.publish);
        if let Some(max) = max.filter(|max| bytes > usize::try_from(*max).unwrap_or(usize::MAX)) {
            return self.settle(number, Published::TooLarge { bytes, max });
        }
        if entry.what.publish.retain && !allowance.retains {
            return self.settle(number, Published::Refused(RETAIN_NOT_SUPPORTED));
        }
        if !self.has_room(allowance, entry) {
            return None;
        }
        let left = entry.what.expires.map(|expires| expires.duration_since(now));
        let publish = wire::expiring(&entry.what.publish, left);
        self.ready.remove(&number);
        self.forget_expiry(number);
        self.handed.push_back(number);
        Some(Step::Send(publish))
    }

    /// The client library wrote the first of what was handed to it, under this packet id, or 0 for QoS 0.
    pub(super) fn written(&mut self, id: u16, now: Instant) -> Option<(A, Published)> {
        let number = self.handed.pop_front()?;
        if id == 0 {
            return self.take(number, Published::Taken);
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.last_id = id;
        }
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.sends += 1;
            entry.sent = Some(now);
            self.in_flight.insert(id, number);
        }
        None
    }

    /// The broker sent a PUBACK.
    pub(super) fn acknowledged(
        &mut self,
        id: u16,
        reason: PubAckReason,
        now: Instant,
    ) -> Result<Option<(A, Published)>, Unknown> {
        let number = self.in_flight.remove(&id).ok_or(Unknown)?;
        let verdict = match reason {
            PubAckReason::Success => Published::Taken,
            PubAckReason::NoMatchingSubscribers => Published::NoSubscriber,
            PubAckReason::QuotaExceeded | PubAckReason::PacketIdentifierInUse => {
                let again = self.entries.get(&number).is_some_and(|entry| entry.sends < self.sends_max);
                if again {
                    self.back(number, Some(now + self.rest));
                    return Ok(None);
                }
                Published::Refused(code(reason))
            }
            reason => Published::Refused(code(reason)),
        };
        Ok(self.take(number, verdict))
    }

    /// The connection ended. What has no PUBACK is ready again, unless it was sent often enough or its time is over.
    ///
    /// With `refused` it ended over a PUBACK whose reason code the client library cannot read, and with it its packet id.
    /// It was for one of those in flight: for the only one, or each of them goes alone from now on.
    pub(super) fn broken(&mut self, now: Instant, refused: Option<u8>) -> Vec<(A, Published)> {
        self.allowance = None;
        let mut settled = Vec::new();
        let in_flight: Vec<u64> = self.in_flight.drain().map(|(_, number)| number).collect();
        match (refused, in_flight.as_slice()) {
            (Some(code), [only]) => {
                if code == PACKET_TOO_LARGE {
                    self.too_large = self.entries.get(only).map(|entry| wire::packet_bytes(&entry.what.publish));
                }
                settled.extend(self.take(*only, Published::Refused(code)));
            }
            (Some(_), several) => self.suspect(several),
            (None, _) => self.too_large = None,
        }
        for number in in_flight.into_iter().chain(std::mem::take(&mut self.handed)) {
            let Some(entry) = self.entries.get(&number) else { continue };
            let sends = entry.sends;
            let expired = entry.what.expires.is_some_and(|expires| expires <= now);
            if sends >= self.sends_max {
                settled.extend(self.take(number, Published::Unacknowledged { sends }));
            } else if expired {
                settled.extend(self.take(number, Published::Expired { sends }));
            } else {
                self.back(number, None);
            }
        }
        settled
    }

    /// Settles what expired while it waited, and wakes what has rested.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(A, Published)> {
        let mut settled = Vec::new();
        while let Some((_, number)) = self.expiries.first().copied().filter(|(expires, _)| *expires <= now) {
            self.expiries.pop_first();
            let sends = self.entries.get(&number).map_or(0, |entry| entry.sends);
            settled.extend(self.take(number, Published::Expired { sends }));
        }
        while let Some((_, number)) = self.resting.first().copied().filter(|(until, _)| *until <= now) {
            self.resting.pop_first();
            if let Some(entry) = self.entries.get_mut(&number) {
                entry.rests_until = None;
                self.ready.insert(number);
            }
        }
        settled
    }

    /// When [`Ledger::due`] has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (expiry, rest) = (self.expiries.first(), self.resting.first());
        expiry.into_iter().chain(rest).map(|(at, _)| *at).min()
    }

    /// Since when the oldest message waits for its PUBACK.
    pub(super) fn unacknowledged_since(&self) -> Option<Instant> {
        self.in_flight.values().filter_map(|number| self.entries.get(number)?.sent).min()
    }

    /// Takes back what waits of an attempt and is not with the client library.
    pub(super) fn withdraw(&mut self, execution: &ExecutionId, attempt: u32) -> Vec<(A, Published)> {
        let of_attempt = (execution.clone(), attempt, 0)..=(execution.clone(), attempt, u64::MAX);
        let waits = |number: &u64| {
            let rests = self.entries.get(number).is_some_and(|entry| entry.rests_until.is_some());
            rests || self.ready.contains(number)
        };
        let numbers: Vec<u64> = self.attempts.range(of_attempt).map(|(.., number)| *number).filter(waits).collect();
        numbers.into_iter().filter_map(|number| self.take(number, Published::Withdrawn)).collect()
    }

    /// How many are not settled.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether anything has no PUBACK or is about to be sent.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.is_empty() && self.handed.is_empty()
    }

    /// Settles everything, in the order in which it came.
    pub(super) fn close(&mut self) -> Vec<(A, Published)> {
        self.allowance = None;
        self.in_flight.clear();
        self.handed.clear();
        let mut numbers: Vec<u64> = self.entries.keys().copied().collect();
        numbers.sort_unstable();
        let closed = numbers.into_iter().filter_map(|number| {
            let sends = self.entries.get(&number)?.sends;
            self.take(number, Published::Closed { sends })
        });
        closed.collect()
    }

    fn suspect(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(entry) = self.entries.get_mut(number) {
                entry.suspect = true;
            }
        }
    }

    fn has_room(&self, allowance: Allowance, next: &Entry<A>) -> bool {
        if next.what.publish.qos == QoS::AtMostOnce {
            // It needs neither id nor PUBACK, but the library's queue is no place to wait either.
            return self.handed.len() < usize::from(allowance.window);
        }
        let out = self.handed.len() + self.in_flight.len();
        let mut others = self.in_flight.values().chain(&self.handed).filter_map(|number| self.entries.get(number));
        out < usize::from(allowance.window)
            && !others.any(Entry::goes_alone)
            && (out == 0 || !next.goes_alone())
            && self.id_is_free(allowance)
    }

    /// Whether the packet id that the library will give to the next message is free. Given one that is not, it would
    /// put the message aside, and lose or hold it for ever.
    fn id_is_free(&self, allowance: Allowance) -> bool {
        let with_id =
            |number: &&u64| self.entries.get(number).is_some_and(|entry| entry.what.publish.qos != QoS::AtMostOnce);
        let before = self.handed.iter().filter(with_id).count();
        let mut last = allowance.last_id;
        for _ in 0..before {
            last = following(last, allowance.ids);
        }
        !self.in_flight.contains_key(&following(last, allowance.ids))
    }

    fn settle(&mut self, number: u64, verdict: Published) -> Option<Step<A>> {
        self.take(number, verdict).map(|(answer, verdict)| Step::Settle(answer, verdict))
    }

    fn take(&mut self, number: u64, verdict: Published) -> Option<(A, Published)> {
        self.ready.remove(&number);
        self.forget_expiry(number);
        let entry = self.entries.remove(&number)?;
        if let Some(until) = entry.rests_until {
            self.resting.remove(&(until, number));
        }
        if let Some(token) = entry.what.token {
            self.attempts.remove(&(token.execution, token.attempt, number));
        }
        Some((entry.answer, verdict))
    }

    fn back(&mut self, number: u64, rests_until: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        entry.sent = None;
        entry.rests_until = rests_until;
        if let Some(expires) = entry.what.expires {
            self.expiries.insert((expires, number));
        }
        match rests_until {
            Some(until) => self.resting.insert((until, number)),
            None => self.ready.insert(number),
        };
    }

    fn forget_expiry(&mut self, number: u64) {
        if let Some(expires) = self.entries.get(&number).and_then(|entry| entry.what.expires) {
            self.expiries.remove(&(expires, number));
        }
    }
}

/// The packet id after this one, as the client library counts.
fn following(last: u16, ids: u16) -> u16 {
    if last >= ids { 1 } else { last + 1 }
}

/// MQTT 5.0, section 3.4.2.1.
fn code(reason: PubAckReason) -> u8 {
    match reason {
        PubAckReason::Success => 0x00,
        PubAckReason::NoMatchingSubscribers => 0x10,
        PubAckReason::UnspecifiedError => 0x80,
        PubAckReason::ImplementationSpecificError => 0x83,
        PubAckReason::NotAuthorized => 0x87,
        PubAckReason::TopicNameInvalid => 0x90,
        PubAckReason::PacketIdentifierInUse => 0x91,
        PubAckReason::QuotaExceeded => 0x97,
        PubAckReason::PayloadFormatInvalid => 0x99,
    }
}

#[cfg(test)]
mod tests;
