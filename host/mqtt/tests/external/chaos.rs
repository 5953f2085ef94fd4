//! Every fault of the other tests, mixed by chance. Each life has a seed, which a failure names.

use crate::ears::{Ears, connect};
use crate::fake::{FILTER, Fake, Peer, SENDS_MAX, SOON, Tally, limits, payload, publish_many};
use dragoman_mqtt::Published;
use futures::StreamExt;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, Publish};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

const SEEDS: u64 = 60;
const AT_ONCE: usize = 6;
const MESSAGES: usize = 30;
const UPLINKS: u16 = 20;
/// After so many faults the broker behaves.
const FAULTS: u32 = 12;

/// A small generator (xorshift), so that a seed is a life.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What the broker did, for judging the verdicts.
struct Broker {
    chance: Chance,
    faults: u32,
    tally: Tally,
    told: HashMap<String, HashSet<u8>>,
    /// Uplinks without PUBACK.
    uplinks: BTreeSet<u16>,
}

enum Act {
    Tell(PubAckReason),
    Late,
    Nothing,
    Cut,
    Hang,
}

impl Broker {
    fn act(&mut self) -> Act {
        let act = match self.chance.below(100) {
            0..70 => return Act::Tell(PubAckReason::Success),
            70..75 => return Act::Tell(PubAckReason::NoMatchingSubscribers),
            75..80 => return Act::Tell(PubAckReason::NotAuthorized),
            80..84 => Act::Tell(PubAckReason::QuotaExceeded),
            84..90 => Act::Late,
            90..94 => Act::Nothing,
            94..99 => Act::Cut,
            _ => Act::Hang,
        };
        self.faults += 1;
        if self.faults > FAULTS { Act::Tell(PubAckReason::Success) } else { act }
    }

    fn told(&mut self, publish: &Publish, reason: PubAckReason) {
        let code = match reason {
            PubAckReason::Success => 0x00,
            PubAckReason::NoMatchingSubscribers => 0x10,
            PubAckReason::NotAuthorized => 0x87,
            _ => 0x97,
        };
        self.told.entry(payload(publish)).or_default().insert(code);
    }

    /// One connection, to its end. True: `over` said that it is enough.
    async fn serve(&mut self, fake: &Fake, present: bool, over: &mut watch::Receiver<bool>) -> bool {
        let accepted = tokio::select! { peer = fake.accept() => peer, _ = over.wait_for(|over| *over) => return true };
        let mut peer: Peer = accepted;
        peer.welcome(present, limits(1 + u16::try_from(self.chance.below(20)).unwrap())).await;
        // What the session holds is sent again, no more than the receive maximum of the client at a time.
        let mut unsent: VecDeque<u16> = self.uplinks.iter().copied().collect();
        for pkid in unsent.drain(..unsent.len().min(8)).collect::<Vec<_>>() {
            peer.send(uplink(pkid)).await;
        }
        let mut late: Vec<Publish> = Vec::new();
        loop {
            let packet = tokio::select! { packet = peer.next_whenever() => packet, _ = over.wait_for(|over| *over) => return true };
            let publish = match packet {
                None => return false,
                Some(Packet::Subscribe(subscribe)) => {
                    assert_eq!(subscribe.filters[0].path, FILTER);
                    peer.grant(&subscribe).await;
                    continue;
                }
                Some(Packet::PubAck(ack)) => {
                    self.uplinks.remove(&ack.pkid);
                    if let Some(pkid) = unsent.pop_front() {
                        peer.send(uplink(pkid)).await;
                    }
                    continue;
                }
                Some(Packet::Publish(publish)) => publish,
                Some(other) => panic!("unexpected {other:?}"),
            };
            self.tally.count(&publish);
            match self.act() {
                Act::Tell(reason) => {
                    self.told(&publish, reason);
                    peer.ack(publish.pkid, reason).await;
                    for late in late.drain(..) {
                        self.told(&late, PubAckReason::Success);
                        peer.ack(late.pkid, PubAckReason::Success).await;
                    }
                }
                Act::Late => late.push(publish),
                Act::Nothing => {}
                Act::Cut => return false,
                Act::Hang => {
                    // The socket stays open and nothing is read, until the client has had enough of it.
                    let next = fake.accept();
                    tokio::select! { _ = next => return false, _ = over.wait_for(|over| *over) => return true }
                }
            }
        }
    }
}

fn uplink(pkid: u16) -> Packet {
    let uplink = Publish::new("acme/d1/up", QoS::AtLeastOnce, format!("u{pkid}"), None);
    Packet::Publish(Publish { pkid, ..uplink })
}

async fn hear_all(mut ears: Ears) -> HashSet<String> {
    let mut heard = HashSet::new();
    while heard.len() < usize::from(UPLINKS) {
        heard.insert(ears.hear().await.done());
    }
    // Later repetitions are acknowledged too.
    tokio::spawn(async move {
        loop {
            ears.hear().await.done();
        }
    });
    heard
}

async fn live(seed: u64) {
    let fake = Fake::start().await;
    let mut options = fake.options();
    options.ack_timeout = Duration::from_millis(150);
    let (connection, ears) = connect(options);
    let verdicts = publish_many(&connection, MESSAGES).await;
    let (enough, mut over) = watch::channel(false);
    let serve = tokio::spawn(async move {
        let chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut broker = Broker {
            chance,
            faults: 0,
            tally: Tally::default(),
            told: HashMap::new(),
            uplinks: (1..=UPLINKS).collect(),
        };
        let mut present = false;
        while !broker.serve(&fake, present, &mut over).await {
            present = broker.chance.below(2) == 0;
        }
        broker
    });
    let heard = tokio::spawn(hear_all(ears));
    let mut all = Vec::new();
    for verdict in verdicts {
        all.push(
            timeout(SOON, verdict).await.unwrap_or_else(|_| panic!("seed {seed}: a message is not settled")).unwrap(),
        );
    }
    let heard =
        timeout(SOON, heard).await.unwrap_or_else(|_| panic!("seed {seed}: not every uplink is heard")).unwrap();
    assert_eq!(heard.len(), usize::from(UPLINKS), "seed {seed}");
    enough.send_replace(true);
    let broker = serve.await.unwrap();
    assert!(broker.tally.most() <= SENDS_MAX, "seed {seed}: {:?}", broker.tally);
    for (number, verdict) in all.iter().enumerate() {
        let text = format!("m{number}");
        let told = |code: u8| broker.told.get(&text).is_some_and(|told| told.contains(&code));
        let sends = broker.tally.0.get(&text).copied().unwrap_or(0);
        let honest = match verdict {
            Published::Taken => told(0x00),
            Published::NoSubscriber => told(0x10),
            Published::Refused(code) => told(*code),
            Published::Unacknowledged { sends: counted } => *counted == SENDS_MAX && sends <= SENDS_MAX,
            _ => false,
        };
        assert!(honest, "seed {seed}: {text} is {verdict:?}, told {:?}, came {sends} times", broker.told.get(&text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_wrong_or_sent_too_often_whatever_the_broker_does() {
    let lives = (1..=SEEDS).map(|seed| async move { tokio::spawn(live(seed)).await });
    let mut lives = futures::stream::iter(lives).buffer_unordered(AT_ONCE);
    while let Some(ended) = lives.next().await {
        ended.unwrap();
    }
}
