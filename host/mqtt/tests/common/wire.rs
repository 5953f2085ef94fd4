//! A client that speaks MQTT byte by byte, so that a test decides what is sent and sees what comes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything that works takes.
pub const SOON: Duration = Duration::from_secs(10);

/// What goes into a CONNECT.
#[derive(Clone)]
pub struct Connect {
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<String>,
    pub clean: bool,
    pub level: u8,
    pub keep_alive_s: u16,
    pub expiry_s: Option<u32>,
    pub max_packet_bytes: Option<u32>,
    /// Topic and payload, QoS 1.
    pub will: Option<(String, String)>,
}

pub fn v4(client_id: &str) -> Connect {
    Connect {
        client_id: client_id.to_owned(),
        username: Some(client_id.to_owned()),
        password: Some("secret".to_owned()),
        clean: true,
        level: 4,
        keep_alive_s: 60,
        expiry_s: None,
        max_packet_bytes: None,
        will: None,
    }
}

pub fn v5(client_id: &str) -> Connect {
    Connect { level: 5, ..v4(client_id) }
}

impl Connect {
    pub fn user(mut self, name: &str) -> Self {
        self.username = Some(name.to_owned());
        self
    }

    pub fn kept(mut self, expiry_s: u32) -> Self {
        self.clean = false;
        self.expiry_s = (self.level == 5).then_some(expiry_s);
        self
    }
}

/// What CONNACK said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connack {
    pub session_present: bool,
    pub code: u8,
}

/// A PUBLISH that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub dup: bool,
    pub retain: bool,
    pub id: u16,
    /// As on the wire; MQTT 5 only.
    pub properties: Vec<u8>,
}

pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

/// Over TCP, or over whatever else carries bytes.
pub struct Client<S = TcpStream> {
    pub io: S,
    level: u8,
    publishes: VecDeque<Publish>,
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut rest = body.len();
    loop {
        let more = rest >= 128;
        bytes.push((rest % 128) as u8 | if more { 0x80 } else { 0 });
        rest /= 128;
        if !more {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

fn connect_packet(c: &Connect) -> Vec<u8> {
    let mut body = text("MQTT");
    body.push(c.level);
    let mut flags = if c.clean { 2 } else { 0 };
    flags |= if c.username.is_some() { 0x80 } else { 0 } | if c.password.is_some() { 0x40 } else { 0 };
    flags |= if c.will.is_some() { 0x0c } else { 0 };
    body.push(flags);
    body.extend_from_slice(&c.keep_alive_s.to_be_bytes());
    if c.level == 5 {
        let mut properties = Vec::new();
        if let Some(s) = c.expiry_s {
            properties.push(0x11);
            properties.extend_from_slice(&s.to_be_bytes());
        }
        if let Some(bytes) = c.max_packet_bytes {
            properties.push(0x27);
            properties.extend_from_slice(&bytes.to_be_bytes());
        }
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend(text(&c.client_id));
    if let Some((topic, payload)) = &c.will {
        if c.level == 5 {
            body.push(0);
        }
        body.extend(text(topic));
        body.extend(text(payload));
    }
    body.extend(c.username.iter().flat_map(|t| text(t)));
    body.extend(c.password.iter().flat_map(|t| text(t)));
    packet(0x10, &body)
}

impl Client {
    /// Connects and panics unless it is let in.
    pub async fn connect(address: SocketAddr, connect: &Connect) -> (Self, Connack) {
        let (client, connack) = Self::try_connect(address, connect).await;
        assert_eq!(connack.code, 0, "{} is let in", connect.client_id);
        (client, connack)
    }

    pub async fn try_connect(address: SocketAddr, connect: &Connect) -> (Self, Connack) {
        let io = TcpStream::connect(address).await.unwrap();
        io.set_nodelay(true).unwrap();
        Self::try_connect_over(io, connect).await
    }

    /// Sends a CONNECT and does not wait for the answer.
    pub async fn begin(address: SocketAddr, connect: &Connect) -> Self {
        let io = TcpStream::connect(address).await.unwrap();
        let mut client = Self { io, level: connect.level, publishes: VecDeque::new() };
        client.send(&connect_packet(connect)).await;
        client
    }

    /// Ends the connection with RST.
    pub fn reset(self) {
        #[allow(deprecated)]
        self.io.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Connects over a stream that is open.
    pub async fn try_connect_over(io: S, connect: &Connect) -> (Self, Connack) {
        let mut client = Self { io, level: connect.level, publishes: VecDeque::new() };
        client.send(&connect_packet(connect)).await;
        let connack = client.packet().await.expect("CONNACK, not the end of the connection");
        assert_eq!(connack.first, 0x20);
        (client, Connack { session_present: connack.body[0] & 1 == 1, code: connack.body[1] })
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// The next packet; none at the end of the connection.
    pub async fn packet(&mut self) -> Option<Packet> {
        timeout(SOON, self.read()).await.expect("a packet within the time")
    }

    async fn read(&mut self) -> Option<Packet> {
        let first = self.io.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.io.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.io.read_exact(&mut body).await.ok()?;
        Some(Packet { first, body })
    }

    /// The next packet of a kind; publishes that come before it are kept for later.
    async fn expect(&mut self, kind: u8) -> Packet {
        loop {
            let packet = self.packet().await.unwrap_or_else(|| panic!("packet {kind:#x}, not the end"));
            if packet.first & 0xf0 == kind {
                return packet;
            }
            assert_eq!(packet.first & 0xf0, 0x30, "nothing else comes before {kind:#x}");
            let publish = self.parse(&packet);
            self.publishes.push_back(publish);
        }
    }

    fn parse(&self, packet: &Packet) -> Publish {
        let body = &packet.body;
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        let mut at = 2 + length;
        let qos = (packet.first >> 1) & 3;
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([body[at], body[at + 1]]);
            at += 2;
        }
        let mut properties = Vec::new();
        if self.level == 5 {
            let length = usize::from(body[at]);
            assert!(length < 128, "short properties");
            properties = body[at + 1..at + 1 + length].to_vec();
            at += 1 + length;
        }
        let payload = String::from_utf8(body[at..].to_vec()).unwrap();
        Publish { topic, payload, qos, dup: packet.first & 8 != 0, retain: packet.first & 1 != 0, id, properties }
    }

    /// The next message.
    pub async fn message(&mut self) -> Publish {
        if let Some(publish) = self.publishes.pop_front() {
            return publish;
        }
        let packet = self.packet().await.expect("a message, not the end of the connection");
        assert_eq!(packet.first & 0xf0, 0x30, "a message");
        self.parse(&packet)
    }

    /// The next message, acknowledged when it asks for it.
    pub async fn take(&mut self) -> Publish {
        let publish = self.message().await;
        if publish.qos == 1 {
            self.puback(publish.id).await;
        }
        publish
    }

    /// Panics if a message came before the answer to a ping, which is sent after everything that was on its way.
    pub async fn nothing_more(&mut self) {
        self.ping().await;
        assert_eq!(self.publishes.pop_front(), None);
    }

    pub async fn ping(&mut self) {
        self.send(&[0xc0, 0]).await;
        self.expect(0xd0).await;
    }

    pub async fn puback(&mut self, id: u16) {
        self.send(&packet(0x40, &id.to_be_bytes())).await;
    }

    pub async fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.send_subscribe(filters).await;
        self.granted().await
    }

    pub async fn send_subscribe(&mut self, filters: &[(&str, u8)]) {
        let mut body = vec![0, 7];
        body.extend((self.level == 5).then_some(0));
        for (filter, options) in filters {
            body.extend(text(filter));
            body.push(*options);
        }
        self.send(&packet(0x82, &body)).await;
    }

    /// What the next SUBACK says of each filter.
    pub async fn granted(&mut self) -> Vec<u8> {
        let suback = self.expect(0x90).await;
        suback.body[if self.level == 5 { 3 } else { 2 }..].to_vec()
    }

    pub async fn unsubscribe(&mut self, filter: &str) {
        let mut body = vec![0, 8];
        body.extend((self.level == 5).then_some(0));
        body.extend(text(filter));
        self.send(&packet(0xa2, &body)).await;
        self.expect(0xb0).await;
    }

    pub async fn send_publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool, id: u16) {
        let mut body = text(topic);
        if qos > 0 {
            body.extend_from_slice(&id.to_be_bytes());
        }
        body.extend((self.level == 5).then_some(0));
        body.extend_from_slice(payload.as_bytes());
        self.send(&packet(0x30 | qos << 1 | u8::from(retain), &body)).await;
    }

    /// Publishes with QoS 1 and returns the reason code of the PUBACK.
    pub async fn publish(&mut self, topic: &str, payload: &str) -> u8 {
        self.send_publish(topic, payload, 1, false, 21).await;
        self.acknowledged(0x40).await
    }

    /// The reason code of the next PUBACK, PUBREC or PUBCOMP.
    pub async fn acknowledged(&mut self, kind: u8) -> u8 {
        self.expect(kind).await.body.get(2).copied().unwrap_or(0)
    }

    /// Waits until the other side closed.
    pub async fn closed(&mut self) {
        while self.packet().await.is_some() {}
    }

    pub async fn disconnect(&mut self) {
        self.send(&[0xe0, 0]).await;
    }
}
