//! Measures two things of an embedded broker, with clients over loopback in the same process:
//!
//! - how many QoS 0 messages of one client reach the daemon in a second when each verdict takes 2 ms;
//! - what a message of the daemon costs with many sessions of which none, one or all subscribed to it.
//!
//! `cargo run -p dragoman-mqtt --example flow -- 1000` connects 1,000 sessions. Needs two file descriptors for each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use async_trait::async_trait;
use dragoman_core::{ConnectRefusal, Grant, Message, Payload, Policy, Session, Subscription};
use dragoman_mqtt::{
    Broker, BrokerEvents, CloseReason, ConnectAttempt, DeliveryToken, EmbeddedBroker, EmbeddedOptions, InboundVerdict,
    KeptSession, ListenerOptions, Receipt, SubscribeVerdict,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const VERDICT: Duration = Duration::from_millis(2);
const MESSAGES: usize = 20_000;

#[derive(Default)]
struct Daemon {
    inbound: AtomicUsize,
    out_of_order: AtomicUsize,
}

#[async_trait]
impl BrokerEvents for Daemon {
    async fn authenticate(&self, attempt: ConnectAttempt) -> Result<Grant, ConnectRefusal> {
        let all = || vec!["#".to_owned()];
        let policy = Policy { publish: all(), subscribe: all(), receive: all(), implicit: Vec::new() };
        Ok(Grant { dialect: "acme-things".into(), principal: attempt.session.client_id, device: None, policy })
    }
    async fn opened(&self, _: Arc<Session>, _: bool) {}
    async fn closed(&self, _: Arc<Session>, _: CloseReason) {}
    async fn inbound(&self, _: Arc<Session>, message: Message) -> InboundVerdict {
        let number: usize = std::str::from_utf8(message.payload.as_bytes()).unwrap().parse().unwrap();
        if self.inbound.fetch_add(1, Relaxed) != number {
            self.out_of_order.fetch_add(1, Relaxed);
        }
        tokio::time::sleep(VERDICT).await;
        InboundVerdict::Accept
    }
    async fn subscribing(&self, _: Arc<Session>, _: Subscription) -> SubscribeVerdict {
        SubscribeVerdict::Refuse
    }
    async fn subscribed(&self, _: Arc<Session>, _: Subscription) {}
    async fn unsubscribed(&self, _: Arc<Session>, _: String) {}
    fn receipt(&self, _: DeliveryToken, _: Receipt) {}
    async fn keep_session(&self, _: KeptSession) {}
    async fn forget_session(&self, _: String) {}
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// Short packets only.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, u8::try_from(body.len()).ok().filter(|length| *length < 128).unwrap()];
    bytes.extend(body);
    bytes
}

async fn connect(address: SocketAddr, client_id: &str) -> TcpStream {
    let mut io = TcpStream::connect(address).await.unwrap();
    let body = [&text("MQTT")[..], &[4, 2, 0, 0], &text(client_id)].concat();
    io.write_all(&packet(0x10, &body)).await.unwrap();
    let mut connack = [0; 4];
    io.read_exact(&mut connack).await.unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0]);
    io
}

async fn subscribe(io: &mut TcpStream, filter: &str) {
    let body = [&[0, 1][..], &text(filter), &[0]].concat();
    io.write_all(&packet(0x82, &body)).await.unwrap();
    let mut suback = [0; 5];
    io.read_exact(&mut suback).await.unwrap();
    assert_eq!(suback[4], 0);
}

async fn flow_of_one_client(address: SocketAddr, daemon: &Daemon) {
    let mut io = connect(address, "busy").await;
    let mut bytes = Vec::new();
    for number in 0..MESSAGES {
        bytes.extend(packet(0x30, &[text("up/busy"), number.to_string().into_bytes()].concat()));
    }
    let begin = Instant::now();
    io.write_all(&bytes).await.unwrap();
    while daemon.inbound.load(Relaxed) < MESSAGES {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let rate = MESSAGES as f64 / begin.elapsed().as_secs_f64();
    let wrong = daemon.out_of_order.load(Relaxed);
    println!("one client, QoS 0, a verdict of {VERDICT:?}: {rate:.0} messages a second, {wrong} out of order");
}

async fn cost_of_a_message(broker: &EmbeddedBroker, topic: &str, times: u32) {
    let message = Message {
        topic: topic.to_owned(),
        payload: Payload::Text("{}".to_owned()),
        qos: 0,
        retain: false,
        attributes: Vec::new(),
    };
    let begin = Instant::now();
    let mut reached = 0;
    for _ in 0..times {
        reached = broker.publish(None, &message, None).await;
    }
    println!("a message to {reached} sessions: {:?}", begin.elapsed() / times);
}

#[tokio::main]
async fn main() {
    let sessions: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let daemon = Arc::new(Daemon::default());
    let listeners = vec![ListenerOptions::new("main", ([127, 0, 0, 1], 0).into())];
    let broker = EmbeddedBroker::start(EmbeddedOptions::new(listeners), daemon.clone()).await.unwrap();
    let address = broker.addresses()[0].1;
    flow_of_one_client(address, &daemon).await;
    let mut clients = Vec::new();
    for number in 0..sessions {
        let mut io = connect(address, &format!("c{number}")).await;
        subscribe(&mut io, &format!("things/{number}/#")).await;
        subscribe(&mut io, "news/#").await;
        clients.push(io);
    }
    println!("{sessions} sessions, each with two subscriptions");
    cost_of_a_message(&broker, "nobody/listens", 10_000).await;
    cost_of_a_message(&broker, "things/7/up", 1_000).await;
    cost_of_a_message(&broker, "news/all", 20).await;
    broker.shutdown(Duration::from_secs(10)).await;
}
