//! MQTT 3.1.1 byte by byte, so that what no client library would send can be sent, and what comes is seen in order.

use anyhow::{Context, bail};
use dragoman_e2e::wait::SOON;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
/// PUBLISH of QoS 1, neither retained nor repeated.
const PUBLISH: u8 = 0x32;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGREQ: u8 = 0xc0;
const PINGRESP: u8 = 0xd0;
/// Flags of CONNECT: a clean session with user name and password, and one with neither.
const WITH_CREDENTIALS: u8 = 0xc2;
const CLEAN: u8 = 0x02;
const KEEP_ALIVE_S: u16 = 60;
/// The id of every packet of this client: it waits for each answer before it sends the next.
const PACKET_ID: u16 = 1;

/// What is said in CONNECT.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) client_id: String,
    /// User name and password.
    pub(crate) credentials: Option<(String, String)>,
}

impl Login {
    pub(crate) fn new(client_id: &str, username: &str, password: &str) -> Self {
        let credentials = Some((username.to_owned(), password.to_owned()));
        Self { client_id: client_id.to_owned(), credentials }
    }

    pub(crate) fn anonymous(client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), credentials: None }
    }
}

/// A packet of the broker, or the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The code of CONNACK.
    Welcome(u8),
    Taken,
    /// The code of SUBACK.
    Granted(u8),
    Pong,
    Message(Arrived),
    Gone,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) topic: String,
    pub(crate) payload: String,
}

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    /// Messages that came since it was last emptied.
    pub(crate) inbox: Vec<Arrived>,
}

impl Wire {
    /// Connects. Gives the code of the CONNACK too; a connection that was refused ends.
    ///
    /// # Errors
    /// When the broker does not answer soon.
    pub(crate) async fn open(port: u16, login: &Login) -> anyhow::Result<(Self, u8)> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connecting to the broker")?;
        let mut wire = Self { stream, read: Vec::new(), inbox: Vec::new() };
        wire.send(&connect(login)).await?;
        match wire.answer().await? {
            Heard::Welcome(code) => Ok((wire, code)),
            other => bail!("{other:?} is no answer to CONNECT"),
        }
    }

    /// Publishes with QoS 1. Gives PUBACK, or the end.
    ///
    /// # Errors
    /// When there is neither soon.
    pub(crate) async fn publish(&mut self, topic: &[u8], payload: &[u8]) -> anyhow::Result<Heard> {
        self.send(&publish(topic, payload)).await?;
        self.answer().await
    }

    /// Subscribes with QoS 1. Gives SUBACK, or the end.
    ///
    /// # Errors
    /// When there is neither soon.
    pub(crate) async fn subscribe(&mut self, filter: &[u8]) -> anyhow::Result<Heard> {
        self.send(&subscribe(filter)).await?;
        self.answer().await
    }

    /// Sends bytes as they are, and asks whether the broker is still there. Gives all that it answers, up to that.
    ///
    /// # Errors
    /// When it neither answers nor ends the connection soon.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<Heard>> {
        self.send(&[bytes, &[PINGREQ, 0]].concat()).await?;
        let mut answers = Vec::new();
        while !matches!(answers.last(), Some(Heard::Pong | Heard::Gone)) {
            answers.push(self.answer().await?);
        }
        Ok(answers)
    }

    /// Waits for a message, behind those that came already. It and all before it are in the inbox then.
    ///
    /// # Errors
    /// When it does not come soon.
    pub(crate) async fn message(&mut self, what: &str, wanted: impl Fn(&Arrived) -> bool) -> anyhow::Result<Arrived> {
        loop {
            match self.next().await.with_context(|| format!("waited in vain for {what}"))? {
                Heard::Message(message) => {
                    self.inbox.push(message.clone());
                    if wanted(&message) {
                        return Ok(message);
                    }
                }
                Heard::Gone => bail!("the connection ended before {what}"),
                _ => {}
            }
        }
    }

    /// The next packet that is no message; messages go into the inbox.
    async fn answer(&mut self) -> anyhow::Result<Heard> {
        loop {
            match self.next().await? {
                Heard::Message(message) => self.inbox.push(message),
                other => return Ok(other),
            }
        }
    }

    /// A connection that the broker has closed takes nothing; what it said before that is still to be read.
    async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let _ = tokio::time::timeout(SOON, self.stream.write_all(bytes)).await.context("the broker does not read")?;
        Ok(())
    }

    /// The next packet. A message of QoS 1 is acknowledged.
    async fn next(&mut self) -> anyhow::Result<Heard> {
        loop {
            if let Some((first, body)) = self.packet()? {
                let (heard, packet_id) = read(first, &body)?;
                if let Some([high, low]) = packet_id {
                    self.send(&[PUBACK, 2, high, low]).await?;
                }
                return Ok(heard);
            }
            let read = self.stream.read_buf(&mut self.read);
            match tokio::time::timeout(SOON, read).await.context("the broker is silent")? {
                Ok(0) | Err(_) => return Ok(Heard::Gone),
                Ok(_) => {}
            }
        }
    }

    /// First byte and body of the packet that has come whole, if one has.
    fn packet(&mut self) -> anyhow::Result<Option<(u8, Vec<u8>)>> {
        let Some(first) = self.read.first().copied() else { return Ok(None) };
        let mut length = 0;
        for (index, byte) in self.read.iter().skip(1).take(4).enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let head = index + 2;
                if self.read.len() < head + length {
                    return Ok(None);
                }
                let packet: Vec<u8> = self.read.drain(..head + length).skip(head).collect();
                return Ok(Some((first, packet)));
            }
        }
        anyhow::ensure!(self.read.len() < 5, "the broker sent a length of more than four bytes");
        Ok(None)
    }
}

/// A packet, and the id under which it is to be acknowledged.
fn read(first: u8, body: &[u8]) -> anyhow::Result<(Heard, Option<[u8; 2]>)> {
    let code = |at: usize| body.get(at).copied().context("a packet is too short");
    let heard = match first & 0xf0 {
        CONNACK => Heard::Welcome(code(1)?),
        SUBACK => Heard::Granted(code(2)?),
        PUBACK => Heard::Taken,
        PINGRESP => Heard::Pong,
        0x30 => {
            let length = usize::from(u16::from_be_bytes([code(0)?, code(1)?]));
            let (topic, rest) = body.split_at_checked(length + 2).context("a topic is too short")?;
            let acknowledged = first & 0x06 != 0;
            let (id, payload) = rest.split_at_checked(if acknowledged { 2 } else { 0 }).context("no packet id")?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let topic = text(topic.get(2..).unwrap_or_default());
            return Ok((Heard::Message(Arrived { topic, payload: text(payload) }), id.try_into().ok()));
        }
        other => bail!("a packet of kind {other:#x} that was not asked for"),
    };
    Ok((heard, None))
}

fn connect(login: &Login) -> Vec<u8> {
    let flags = if login.credentials.is_some() { WITH_CREDENTIALS } else { CLEAN };
    let mut body = [text(b"MQTT"), vec![4, flags], KEEP_ALIVE_S.to_be_bytes().to_vec()].concat();
    body.extend(text(login.client_id.as_bytes()));
    for part in login.credentials.iter().flat_map(|(username, password)| [username, password]) {
        body.extend(text(part.as_bytes()));
    }
    packet(CONNECT, &body)
}

/// PUBLISH of QoS 1.
pub(crate) fn publish(topic: &[u8], payload: &[u8]) -> Vec<u8> {
    packet(PUBLISH, &[text(topic).as_slice(), &PACKET_ID.to_be_bytes(), payload].concat())
}

/// SUBSCRIBE to one filter with QoS 1.
pub(crate) fn subscribe(filter: &[u8]) -> Vec<u8> {
    packet(SUBSCRIBE, &[PACKET_ID.to_be_bytes().as_slice(), &text(filter), &[1]].concat())
}

/// A packet with its length in front.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    loop {
        let more = if rest > 0x7f { 0x80 } else { 0 };
        packet.push(u8::try_from(rest & 0x7f).unwrap_or_default() | more);
        rest >>= 7;
        if rest == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

/// Bytes with their length in front.
fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}
