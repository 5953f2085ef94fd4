//! Carries bytes between a client and the library, within the limits of a connection.

use super::Limits;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// Of each direction. Most packets are smaller, and connections are many.
pub(super) const CHUNK_BYTES: usize = 4 * 1024;
/// How long the library may take to say its last once the client has.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Carries until either side ends.
///
/// # Errors
/// What the connection is counted as where this side ended it.
pub(super) async fn bytes<S>(client: S, broker: TcpStream, limits: &Limits, until: Instant) -> Result<(), &'static str>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_broker, mut to_broker) = broker.into_split();
    let answered = Notify::new();
    let ended = {
        let up = up(&mut from_client, &mut to_broker);
        let down = down(&mut from_broker, &mut to_client, &answered, limits.send);
        tokio::pin!(down);
        tokio::select! {
            () = up => {
                // What the client sent last is still dealt with, and answered.
                let _ = to_broker.shutdown().await;
                let _ = timeout(LAST_WORDS, down).await;
                Ok(())
            }
            ended = &mut down => ended,
            () = silence(&answered, until) => Err("no-connect"),
        }
    };
    // With TLS this is the word that nothing was cut off. A client that does not take it gets no other.
    let _ = timeout(limits.send, to_client.shutdown()).await;
    ended
}

async fn up(client: &mut (impl AsyncRead + Unpin), broker: &mut OwnedWriteHalf) {
    let mut chunk = vec![0; CHUNK_BYTES];
    // An error of either side ends the connection as its end does; the library tells what it was.
    while let Ok(length @ 1..) = client.read(&mut chunk).await {
        let Some(read) = chunk.get(..length) else { return };
        if broker.write_all(read).await.is_err() {
            return;
        }
    }
}

async fn down(
    broker: &mut OwnedReadHalf,
    client: &mut (impl AsyncWrite + Unpin),
    answered: &Notify,
    send: Duration,
) -> Result<(), &'static str> {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = broker.read(&mut chunk).await {
        answered.notify_one();
        let Some(read) = chunk.get(..length) else { break };
        let written = timeout(send, async {
            client.write_all(read).await?;
            client.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => return Err("does-not-read"),
        }
    }
    Ok(())
}

/// Resolves when there was no answer in time; never, once there was one.
pub(super) async fn silence(answered: &Notify, until: Instant) {
    tokio::select! {
        () = sleep_until(until) => {}
        () = answered.notified() => std::future::pending().await,
    }
}
