//! MQTT over WebSocket: RFC 6455, and section 6 of MQTT 3.1.1 and 5. Packets may be cut at any place into binary frames.

use super::Limits;
use super::carry::{CHUNK_BYTES, silence};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// As MQTT 3.1.1 and 5 have it, and what clients of MQTT 3.1 say. The first that a client offers is chosen.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// The first byte of a packet and at most four of its length.
const HEADER_BYTES: usize = 5;
/// How long the library may take to say its last once the client has.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Takes the request that turns a connection into a WebSocket, or answers what is wrong with it.
///
/// # Errors
/// What the connection is counted as.
pub(super) async fn upgrade<S>(
    stream: S,
    path: &str,
    limits: &Limits,
    until: Instant,
) -> Result<WebSocketStream<S>, &'static str>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let longest = limits.packet_bytes.saturating_add(HEADER_BYTES);
    let config = WebSocketConfig::default()
        .read_buffer_size(CHUNK_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    let mut cause = "no-websocket";
    #[allow(clippy::result_large_err)] // What the library calls has this shape.
    let decide = |request: &Request, response: Response| match judge(request, response, path) {
        Ok(response) => Ok(response),
        Err(refusal) => {
            let (why, answer) = *refusal;
            cause = why;
            Err(answer)
        }
    };
    let taken = timeout_at(until, accept_hdr_async_with_config(stream, decide, Some(config))).await;
    match taken {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(_)) => Err(cause),
        Err(_) => Err("no-connect"),
    }
}

type Refusal = Box<(&'static str, ErrorResponse)>;

fn judge(request: &Request, mut response: Response, path: &str) -> Result<Response, Refusal> {
    if request.uri().path() != path {
        return Err(refusal("wrong-path", StatusCode::NOT_FOUND, format!("MQTT is spoken at {path}, not here.\n")));
    }
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    match offered.find_map(|name| SUBPROTOCOLS.into_iter().find(|known| *known == name.trim())) {
        Some(chosen) => {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
            Ok(response)
        }
        None => {
            let text = "Only MQTT is spoken here; ask for it with the header sec-websocket-protocol: mqtt.\n";
            Err(refusal("wrong-subprotocol", StatusCode::BAD_REQUEST, text.to_owned()))
        }
    }
}

fn refusal(cause: &'static str, status: StatusCode, text: String) -> Refusal {
    let mut answer = ErrorResponse::new(Some(text));
    *answer.status_mut() = status;
    Box::new((cause, answer))
}

/// Carries until either side ends.
///
/// # Errors
/// What the connection is counted as where this side ended it.
pub(super) async fn carry<S>(
    socket: WebSocketStream<S>,
    broker: TcpStream,
    limits: &Limits,
    until: Instant,
) -> Result<(), &'static str>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut to_client, mut from_client) = socket.split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let answered = Notify::new();
    let (ended, code) = {
        let up = up(&mut from_client, &mut to_broker);
        let down = down(&mut from_broker, &mut to_client, &answered, limits.send);
        tokio::pin!(down);
        tokio::select! {
            ended = up => match ended {
                Ok(()) => {
                    // What the client sent last is still dealt with, and answered.
                    let _ = to_broker.shutdown().await;
                    let _ = timeout(LAST_WORDS, down).await;
                    (Ok(()), CloseCode::Normal)
                }
                Err((cause, code)) => (Err(cause), code),
            },
            ended = &mut down => (ended, CloseCode::Normal),
            () = silence(&answered, until) => (Err("no-connect"), CloseCode::Policy),
        }
    };
    let close = async {
        let _ = to_client.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
        let _ = to_client.close().await;
    };
    // A client that does not take its farewell gets no other.
    let _ = timeout(limits.send, close).await;
    ended
}

async fn up<S>(
    client: &mut SplitStream<WebSocketStream<S>>,
    broker: &mut OwnedWriteHalf,
) -> Result<(), (&'static str, CloseCode)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = client.next().await {
        match message {
            Ok(Message::Binary(bytes)) => {
                if broker.write_all(&bytes).await.is_err() {
                    return Ok(());
                }
            }
            // The library answers pings.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) => return Ok(()),
            Ok(Message::Text(_)) => return Err(("text-frame", CloseCode::Unsupported)),
            Err(Error::Capacity(_)) => return Err(("frame-too-large", CloseCode::Size)),
            Err(Error::Protocol(_) | Error::Utf8(_)) => return Err(("broken-frame", CloseCode::Protocol)),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

async fn down<S>(
    broker: &mut OwnedReadHalf,
    client: &mut SplitSink<WebSocketStream<S>, Message>,
    answered: &Notify,
    send: Duration,
) -> Result<(), &'static str>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = broker.read(&mut chunk).await {
        answered.notify_one();
        let Some(read) = chunk.get(..length) else { break };
        match timeout(send, client.send(Message::Binary(Bytes::copy_from_slice(read)))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => return Err("does-not-read"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Request, Response, StatusCode, judge};

    #[test]
    fn a_request_is_for_mqtt_or_is_told_what_is() {
        for (path, protocols, expected) in [
            ("/mqtt", &["mqtt"][..], Ok("mqtt")),
            ("/mqtt?token=1", &["chat, mqtt"], Ok("mqtt")),
            ("/mqtt", &["chat", "mqttv3.1 ,mqtt"], Ok("mqttv3.1")),
            ("/mqtt", &["MQTT"], Err(("wrong-subprotocol", StatusCode::BAD_REQUEST))),
            ("/mqtt", &[], Err(("wrong-subprotocol", StatusCode::BAD_REQUEST))),
            ("/mqtt/", &["mqtt"], Err(("wrong-path", StatusCode::NOT_FOUND))),
            ("/", &["mqtt"], Err(("wrong-path", StatusCode::NOT_FOUND))),
        ] {
            let mut request = Request::builder().uri(path);
            for protocol in protocols {
                request = request.header("sec-websocket-protocol", *protocol);
            }
            let judged = judge(&request.body(()).unwrap(), Response::new(()), "/mqtt");
            let judged = judged.map_err(|refusal| (refusal.0, refusal.1.status()));
            let chosen = judged
                .as_ref()
                .map(|response| response.headers().get("sec-websocket-protocol").unwrap().to_str().unwrap());
            assert_eq!(chosen.map_err(|refusal| *refusal), expected, "{path} {protocols:?}");
        }
    }
}
