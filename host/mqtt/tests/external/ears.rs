//! The daemon's side of what comes in, held in the test's hand.

use crate::fake::{Fake, SOON};
use async_trait::async_trait;
use dragoman_core::Message;
use dragoman_mqtt::{ExternalConnection, ExternalEvents, ExternalOptions, Heard};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

struct Mouth(mpsc::UnboundedSender<Said>);

#[async_trait]
impl ExternalEvents for Mouth {
    async fn inbound(&self, message: Message) -> Heard {
        let (verdict, decided) = oneshot::channel();
        let _ = self.0.send(Said { message, verdict });
        // A test that lets go of a message has it kept waiting.
        match decided.await {
            Ok(heard) => heard,
            Err(_) => std::future::pending().await,
        }
    }
}

/// A message that came, and the verdict on it.
pub struct Said {
    pub message: Message,
    pub verdict: oneshot::Sender<Heard>,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8(self.message.payload.as_bytes().to_vec()).unwrap()
    }

    /// Decides, and tells what it was.
    pub fn done(self) -> String {
        let text = self.text();
        let _ = self.verdict.send(Heard::Done);
        text
    }
}

pub struct Ears(mpsc::UnboundedReceiver<Said>);

impl Ears {
    pub async fn hear(&mut self) -> Said {
        timeout(SOON, self.0.recv()).await.expect("a message comes").unwrap()
    }
}

/// A connection with these options.
pub fn connect(options: ExternalOptions) -> (Arc<ExternalConnection>, Ears) {
    let (said, ears) = mpsc::unbounded_channel();
    let connection = ExternalConnection::start(options, Arc::new(Mouth(said))).unwrap();
    (Arc::new(connection), Ears(ears))
}

/// A broker and a connection to it with the usual options of these tests.
pub async fn connected() -> (Fake, Arc<ExternalConnection>, Ears) {
    let fake = Fake::start().await;
    let (connection, ears) = connect(fake.options());
    (fake, connection, ears)
}
