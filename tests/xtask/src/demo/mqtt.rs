//! MQTT 3.1.1 as small as an application of the demonstration needs it: connect, subscribe, publish and hear at QoS 0.
//! Packets are those of the standard, sections 3.1 to 3.9.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Within that a simulated device has long answered.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// Bytes of a packet; those of the demonstration are far smaller.
const PACKET_BYTES_MAX: usize = 1 << 20;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
/// CONNECT flags: user name, password, clean session.
const FLAGS: u8 = 0xC2;
const SUBACK_FAILURE: u8 = 0x80;

/// A connected application.
pub(crate) struct Client {
    connection: TcpStream,
}

impl Client {
    /// Connects and subscribes to every filter.
    pub(crate) fn connect(
        address: &str,
        client_id: &str,
        (username, password): (&str, &str),
        filters: &[&str],
    ) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(HEARD_WITHIN))?;
        let mut client = Self { connection };
        let mut connect = text("MQTT")?;
        // Protocol level 4, and no keep-alive.
        connect.extend([4, FLAGS, 0, 0]);
        for field in [client_id, username, password] {
            connect.extend(text(field)?);
        }
        client.send(CONNECT, &connect)?;
        let (_, answer) = client.packet(CONNACK)?;
        ensure!(answer.get(1) == Some(&0), "the broker refused {username}: {answer:?}");
        for filter in filters {
            let mut subscribe = vec![0, 1];
            subscribe.extend(text(filter)?);
            subscribe.push(0);
            client.send(SUBSCRIBE, &subscribe)?;
            let (_, answer) = client.packet(SUBACK)?;
            ensure!(answer.last() != Some(&SUBACK_FAILURE), "the broker refused {username} the filter {filter}");
        }
        Ok(client)
    }

    /// Publishes JSON.
    pub(crate) fn publish(&mut self, topic: &str, body: &Value) -> anyhow::Result<()> {
        let mut publish = text(topic)?;
        publish.extend(body.to_string().into_bytes());
        self.send(PUBLISH, &publish)
    }

    /// The next message that is wanted, by topic and body; others are passed over.
    pub(crate) fn hear<T>(&mut self, wanted: impl Fn(&str, &Value) -> Option<T>) -> anyhow::Result<T> {
        loop {
            let (first, packet) = self.packet(PUBLISH)?;
            let length = packet.first_chunk::<2>().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
            let end = length.unwrap_or_default() + 2;
            let topic = String::from_utf8_lossy(packet.get(2..end).unwrap_or_default()).into_owned();
            // Behind the topic of a message of QoS 1 stands its packet identifier; here it is never more than QoS 0.
            ensure!(first & 0x06 == 0, "a message on {topic} has a QoS that nobody asked for");
            let body = serde_json::from_slice(packet.get(end..).unwrap_or_default()).unwrap_or(Value::Null);
            if let Some(found) = wanted(&topic, &body) {
                return Ok(found);
            }
        }
    }

    fn send(&mut self, first: u8, body: &[u8]) -> anyhow::Result<()> {
        let mut packet = vec![first];
        packet.extend(length(body.len()));
        packet.extend(body);
        self.connection.write_all(&packet).context("sending to the broker")
    }

    /// The next packet of that kind: its first byte and what stands behind its length; others are passed over.
    fn packet(&mut self, kind: u8) -> anyhow::Result<(u8, Vec<u8>)> {
        loop {
            let first = self.byte()?;
            let mut length = 0;
            for shift in [0, 7, 14, 21] {
                let byte = self.byte()?;
                length |= usize::from(byte & 0x7F) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            ensure!(length <= PACKET_BYTES_MAX, "a packet of {length} bytes is too large");
            let mut body = vec![0; length];
            self.connection.read_exact(&mut body).context("hearing from the broker")?;
            if first & 0xF0 == kind {
                return Ok((first, body));
            }
        }
    }

    fn byte(&mut self) -> anyhow::Result<u8> {
        let mut byte = [0];
        if let Err(error) = self.connection.read_exact(&mut byte) {
            bail!("nothing was heard within {} s: {error}", HEARD_WITHIN.as_secs());
        }
        Ok(byte[0])
    }
}

/// A string with its length in front.
fn text(text: &str) -> anyhow::Result<Vec<u8>> {
    let length = u16::try_from(text.len()).context("a text is too long for MQTT")?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    Ok(bytes)
}

/// A remaining length: seven bits a byte, the lowest first.
fn length(mut rest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest & 0x7F).unwrap_or_default();
        rest >>= 7;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lengths_of_the_standards_table() {
        for (bytes, expected) in [
            (0, &[0x00][..]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
        ] {
            assert_eq!(length(bytes), expected, "{bytes}");
        }
        assert_eq!(text("ab").unwrap(), [0, 2, b'a', b'b']);
    }
}
