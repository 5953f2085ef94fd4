//! The connections that read.

use rusqlite::Connection;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, PoisonError};

/// A fixed set of connections, lent one at a time.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

/// A connection on loan; goes back when dropped.
pub(super) struct Reader<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    /// With no connection at all every [`Readers::take`] would wait for ever, so there is none then.
    pub(super) fn new(connections: Vec<Connection>) -> Option<Self> {
        (!connections.is_empty()).then(|| Self { idle: Mutex::new(connections), returned: Condvar::new() })
    }

    /// Waits for a connection.
    pub(super) fn take(&self) -> Reader<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = idle.pop() {
                return Reader { readers: self, connection: Some(connection) };
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("the connection is taken out on drop only"),
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}
