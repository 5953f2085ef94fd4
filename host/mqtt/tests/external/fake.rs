//! A broker that is a script: it does nothing that the test does not say. Packets are those of the client library's codec.

use bytes::BytesMut;
use dragoman_core::{ExecutionId, Message, Payload, Subscription};
use dragoman_mqtt::{DeliveryToken, ExternalConnection, ExternalOptions, Published};
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, Connect, ConnectReturnCode, Disconnect, DisconnectReasonCode, Login, Packet, PingResp,
    PubAck, PubAckReason, Publish, SubAck, Subscribe, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything that works takes.
pub const SOON: Duration = Duration::from_secs(20);
/// Long enough that what is not to happen would have happened; nothing is asserted to be there after it.
pub const A_WHILE: Duration = Duration::from_millis(150);
/// Most sends of one message in these tests.
pub const SENDS_MAX: u32 = 4;
/// What the connections of these tests subscribe to.
pub const FILTER: &str = "acme/+/up";

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub struct Fake {
    listener: TcpListener,
    pub port: u16,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// Times that a test need not wait for, and limits that it can reach.
    pub fn options(&self) -> ExternalOptions {
        ExternalOptions {
            subscriptions: vec![Subscription { filter: FILTER.into(), qos: 1 }],
            ack_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_millis(40),
            receive_max: 8,
            inflight_max: 16,
            sends_max: SENDS_MAX,
            ..ExternalOptions::new("plant", "127.0.0.1", self.port, "gateway-1")
        }
    }

    pub async fn socket(&self) -> TcpStream {
        let (socket, _) = timeout(SOON, self.listener.accept()).await.expect("a connection comes").unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// The next connection, up to its CONNECT.
    pub async fn accept(&self) -> Peer {
        Peer::of(self.socket().await).await
    }

    /// The next connection, answered; and its subscriptions, unless the session is present.
    pub async fn up(&self, present: bool) -> Peer {
        let mut peer = self.accept().await;
        peer.welcome(present, limits(10)).await;
        if !present {
            assert_eq!(peer.subscribed().await, [FILTER]);
        }
        peer
    }

    /// The next connection, answered with these limits and `change`, and its subscriptions.
    pub async fn up_with(&self, receive_max: u16, change: impl FnOnce(&mut ConnAckProperties)) -> Peer {
        let mut peer = self.accept().await;
        let mut properties = limits(receive_max);
        change(&mut properties);
        peer.welcome(false, properties).await;
        assert_eq!(peer.subscribed().await, [FILTER]);
        peer
    }

    /// Whether a connection comes within a while.
    pub async fn nobody_comes(&self) -> bool {
        timeout(A_WHILE, self.listener.accept()).await.is_err()
    }
}

/// CONNACK properties with nothing but a receive maximum.
pub fn limits(receive_max: u16) -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: None,
        receive_max: Some(receive_max),
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

/// One connection, as the broker has it.
pub struct Peer {
    io: Box<dyn Io>,
    bytes: BytesMut,
    pings: usize,
    pub connect: Connect,
    pub login: Option<Login>,
}

impl Peer {
    pub async fn of(io: impl Io + 'static) -> Self {
        let connect = Connect { keep_alive: 0, client_id: String::new(), clean_start: false, properties: None };
        let mut peer = Self { io: Box::new(io), bytes: BytesMut::new(), pings: 0, connect, login: None };
        match peer.next().await {
            Some(Packet::Connect(connect, None, login)) => Self { connect, login, ..peer },
            other => panic!("expected CONNECT, got {other:?}"),
        }
    }

    /// The next packet; none when the connection is closed. Pings are answered.
    pub async fn next(&mut self) -> Option<Packet> {
        timeout(SOON, self.next_whenever()).await.expect("a packet comes")
    }

    /// The next packet, if one comes within a while.
    pub async fn soon(&mut self) -> Option<Packet> {
        timeout(A_WHILE, self.next_whenever()).await.ok().flatten()
    }

    /// The next packet, however long it takes.
    pub async fn next_whenever(&mut self) -> Option<Packet> {
        loop {
            // The codec does not know the short form of DISCONNECT (MQTT 5.0, section 3.14.2.1).
            if self.bytes.starts_with(&[0xe0, 0x00]) {
                let _ = self.bytes.split_to(2);
                return Some(Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)));
            }
            match Packet::read(&mut self.bytes, None) {
                Ok(Packet::PingReq(_)) => {
                    self.pings += 1;
                    self.send(Packet::PingResp(PingResp)).await;
                }
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => match self.io.read_buf(&mut self.bytes).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                },
                Err(error) => panic!("the client sent what cannot be read: {error}"),
            }
        }
    }

    /// How many pings were answered.
    pub fn pings(&self) -> usize {
        self.pings
    }

    /// Sends a packet, if the connection still stands.
    pub async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        let _ = self.io.write_all(&bytes).await;
    }

    pub async fn welcome(&mut self, session_present: bool, properties: ConnAckProperties) {
        let code = ConnectReturnCode::Success;
        self.send(Packet::ConnAck(ConnAck { session_present, code, properties: Some(properties) })).await;
    }

    /// Grants the subscriptions that come next, and tells which they are.
    pub async fn subscribed(&mut self) -> Vec<String> {
        match self.next().await {
            Some(Packet::Subscribe(subscribe)) => {
                self.grant(&subscribe).await;
                subscribe.filters.into_iter().map(|filter| filter.path).collect()
            }
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        }
    }

    pub async fn grant(&mut self, subscribe: &Subscribe) {
        let return_codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        self.send(Packet::SubAck(SubAck { pkid: subscribe.pkid, return_codes, properties: None })).await;
    }

    /// The next packet, which is a PUBLISH.
    pub async fn publish(&mut self) -> Publish {
        match self.next().await {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    /// So many of them.
    pub async fn publishes(&mut self, count: usize) -> Vec<Publish> {
        let mut publishes = Vec::new();
        while publishes.len() < count {
            publishes.push(self.publish().await);
        }
        publishes
    }

    /// Sends a PUBACK with a reason code that the codec does not know.
    pub async fn ack_oddly(&mut self, pkid: u16, code: u8) {
        let [high, low] = pkid.to_be_bytes();
        let _ = self.io.write_all(&[0x40, 3, high, low, code]).await;
    }

    pub async fn ack(&mut self, pkid: u16, reason: PubAckReason) {
        self.send(Packet::PubAck(PubAck { pkid, reason, properties: None })).await;
    }

    /// The packet id of the next packet, which is a PUBACK.
    pub async fn acked(&mut self) -> u16 {
        match self.next().await {
            Some(Packet::PubAck(ack)) => ack.pkid,
            other => panic!("expected PUBACK, got {other:?}"),
        }
    }

    /// Takes and acknowledges what comes until the connection is closed.
    pub async fn serve(mut self, tally: &mut Tally) {
        while let Some(packet) = self.next().await {
            if let Packet::Publish(publish) = packet {
                tally.count(&publish);
                self.ack(publish.pkid, PubAckReason::Success).await;
            }
        }
    }

    /// Waits until the client has closed the connection.
    pub async fn gone(mut self) {
        while self.next().await.is_some() {}
    }
}

/// How often each payload came.
#[derive(Debug, Default)]
pub struct Tally(pub HashMap<String, u32>);

impl Tally {
    pub fn count(&mut self, publish: &Publish) -> u32 {
        let times = self.0.entry(payload(publish)).or_default();
        *times += 1;
        *times
    }

    pub fn most(&self) -> u32 {
        self.0.values().copied().max().unwrap_or(0)
    }
}

pub fn payload(publish: &Publish) -> String {
    String::from_utf8(publish.payload.to_vec()).unwrap()
}

pub fn message(text: &str) -> Message {
    Message {
        topic: "acme/d1/down".into(),
        payload: Payload::Text(text.into()),
        qos: 1,
        retain: false,
        attributes: Vec::new(),
    }
}

pub fn token(text: &str) -> DeliveryToken {
    DeliveryToken { execution: ExecutionId::new(text), attempt: 1, index: 0 }
}

/// Publishes without waiting for the verdict.
pub fn publish(connection: &Arc<ExternalConnection>, message: Message) -> JoinHandle<Published> {
    let connection = connection.clone();
    let text = String::from_utf8_lossy(message.payload.as_bytes()).into_owned();
    tokio::spawn(async move { connection.publish(&message, false, None, Some(token(&text))).await })
}

/// Publishes `m0`, `m1`, … in this order.
pub async fn publish_many(connection: &Arc<ExternalConnection>, count: usize) -> Vec<JoinHandle<Published>> {
    let mut verdicts = Vec::new();
    for number in 0..count {
        verdicts.push(publish(connection, message(&format!("m{number}"))));
        // The next one is to come behind it.
        tokio::task::yield_now().await;
    }
    verdicts
}

pub async fn settled(verdict: JoinHandle<Published>) -> Published {
    timeout(SOON, verdict).await.expect("a verdict comes").unwrap()
}

pub async fn all_settled(verdicts: Vec<JoinHandle<Published>>) -> Vec<Published> {
    let mut all = Vec::new();
    for verdict in verdicts {
        all.push(settled(verdict).await);
    }
    all
}
