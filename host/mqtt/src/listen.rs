//! Listening, with room for everybody who comes at once.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Clients that may wait to be accepted; the system may allow fewer (`net.core.somaxconn`). With the 128 of the standard
/// library, a fleet that comes back after an outage has most of its connections dropped, to try again after a second or
/// to be reset.
pub(crate) const BACKLOG: u16 = 4096;

/// Listens on an address. Port 0 takes a free one.
///
/// # Errors
/// What the system says, e.g. that another program has the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of the run before that have not ended for good must not be in the way. Elsewhere it would mean that two
    // programs may have the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpStream;

    /// Nobody accepts them. Of those for whom there is no room the system drops what they say, again and again.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn many_who_come_at_once_have_room() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for number in 0..200 {
            let connected = tokio::time::timeout(Duration::from_secs(10), TcpStream::connect(address)).await;
            waiting.push(connected.unwrap_or_else(|_| panic!("no room for connection {number}")).unwrap());
        }
        assert!(listen(address).is_err(), "somebody listens there");
    }
}
