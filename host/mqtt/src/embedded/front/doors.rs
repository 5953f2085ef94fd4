//! Who comes through a front: from which port inside, and from where outside.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The connections of the fronts to the library. A port inside is the front's own for as long as it is open, so nobody else
/// can come from it.
#[derive(Default)]
pub(in crate::embedded) struct Doors {
    /// The clients, by the front's own address on the loopback interface.
    open: Mutex<HashMap<SocketAddr, SocketAddr>>,
}

/// One connection; dropping it closes the door.
pub(super) struct Door<'d> {
    doors: &'d Doors,
    inside: SocketAddr,
}

impl Doors {
    /// A client at `remote` comes through `inside` from now on.
    pub(super) fn open(&self, inside: SocketAddr, remote: SocketAddr) -> Door<'_> {
        self.lock().insert(inside, remote);
        Door { doors: self, inside }
    }

    /// Where the client is that comes through there; none if that is no front's.
    pub(in crate::embedded) fn behind(&self, inside: SocketAddr) -> Option<SocketAddr> {
        self.lock().get(&inside).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, SocketAddr>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        self.doors.lock().remove(&self.inside);
    }
}
