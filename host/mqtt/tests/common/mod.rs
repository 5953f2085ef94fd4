//! A broker under test and a daemon that writes down what it hears.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod wire;

use async_trait::async_trait;
use dragoman_core::{ConnectRefusal, DeviceId, ExecutionId, Grant, Message, Payload, Policy, Session, Subscription};
use dragoman_mqtt::{
    Broker, BrokerEvents, CloseReason, ConnectAttempt, DeliveryToken, EmbeddedBroker, EmbeddedOptions, InboundVerdict,
    KeptSession, ListenerOptions, Receipt, SubscribeVerdict,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Barrier, Semaphore, mpsc};
use tokio::time::timeout;
use wire::SOON;

/// What the daemon heard.
#[derive(Debug, Clone)]
pub enum Heard {
    Asked(ConnectAttempt),
    Opened(Arc<Session>, bool),
    Closed(Arc<Session>, CloseReason),
    Inbound(Arc<Session>, Message),
    Subscribing(Arc<Session>, Subscription),
    Subscribed(Arc<Session>, Subscription),
    Unsubscribed(Arc<Session>, String),
    Receipt(DeliveryToken, Receipt),
    Keep(KeptSession),
    Forget(String),
}

type Admit = dyn Fn(&ConnectAttempt) -> Result<Grant, ConnectRefusal> + Send + Sync;
type Judge = dyn Fn(&Message) -> InboundVerdict + Send + Sync;
type Grants = dyn Fn(&Session, &Subscription) -> SubscribeVerdict + Send + Sync;

pub struct Daemon {
    admit: Box<Admit>,
    judge: Box<Judge>,
    subscribing: Box<Grants>,
    /// One permit lets one message through; none means that all pass. Topics that begin with `free` need none.
    gate: Option<Arc<Semaphore>>,
    /// The same for sessions that open.
    open_gate: Option<Arc<Semaphore>>,
    /// Those who are let in wait here for each other.
    together: Option<Arc<Barrier>>,
    heard: mpsc::UnboundedSender<Heard>,
}

#[async_trait]
impl BrokerEvents for Daemon {
    async fn authenticate(&self, attempt: ConnectAttempt) -> Result<Grant, ConnectRefusal> {
        let answer = (self.admit)(&attempt);
        self.note(Heard::Asked(attempt));
        if let Some(together) = &self.together {
            together.wait().await;
        }
        answer
    }
    async fn opened(&self, session: Arc<Session>, resumed: bool) {
        self.note(Heard::Opened(session, resumed));
        if let Some(gate) = &self.open_gate {
            gate.acquire().await.unwrap().forget();
        }
    }
    async fn closed(&self, session: Arc<Session>, reason: CloseReason) {
        self.note(Heard::Closed(session, reason));
    }
    async fn inbound(&self, session: Arc<Session>, message: Message) -> InboundVerdict {
        let verdict = (self.judge)(&message);
        let is_free = message.topic.starts_with("free");
        self.note(Heard::Inbound(session, message));
        if let Some(gate) = self.gate.as_ref().filter(|_| !is_free) {
            gate.acquire().await.unwrap().forget();
        }
        verdict
    }
    async fn subscribing(&self, session: Arc<Session>, asked: Subscription) -> SubscribeVerdict {
        let verdict = (self.subscribing)(&session, &asked);
        self.note(Heard::Subscribing(session, asked));
        verdict
    }
    async fn subscribed(&self, session: Arc<Session>, subscription: Subscription) {
        self.note(Heard::Subscribed(session, subscription));
    }
    async fn unsubscribed(&self, session: Arc<Session>, filter: String) {
        self.note(Heard::Unsubscribed(session, filter));
    }
    fn receipt(&self, token: DeliveryToken, receipt: Receipt) {
        self.note(Heard::Receipt(token, receipt));
    }
    async fn keep_session(&self, kept: KeptSession) {
        self.note(Heard::Keep(kept));
    }
    async fn forget_session(&self, client_id: String) {
        self.note(Heard::Forget(client_id));
    }
}

impl Daemon {
    fn note(&self, heard: Heard) {
        // A test that has ended does not listen any more.
        let _ = self.heard.send(heard);
    }
}

/// A policy that allows everything but topics that begin with `$`, except `$oc`.
pub fn open_policy() -> Policy {
    let all = || vec!["#".to_owned(), "$oc/#".to_owned()];
    Policy { publish: all(), subscribe: all(), receive: all(), implicit: Vec::new() }
}

/// The user name is the principal and the device.
pub fn grant(attempt: &ConnectAttempt, policy: Policy) -> Grant {
    let name = attempt.session.username.clone().unwrap_or_default();
    Grant { dialect: "test".into(), device: Some(DeviceId::new(name.as_str())), principal: name, policy }
}

pub struct Setup {
    pub options: EmbeddedOptions,
    pub admit: Box<Admit>,
    pub judge: Box<Judge>,
    pub subscribing: Box<Grants>,
    pub gate: Option<Arc<Semaphore>>,
    pub open_gate: Option<Arc<Semaphore>>,
    pub together: Option<Arc<Barrier>>,
}

impl Setup {
    pub fn new() -> Self {
        let mut options = EmbeddedOptions::new(vec![ListenerOptions::new("main", ([127, 0, 0, 1], 0).into())]);
        options.sweep_every = Duration::from_millis(50);
        Self {
            options,
            admit: Box::new(|attempt| Ok(grant(attempt, open_policy()))),
            judge: Box::new(|_| InboundVerdict::Route),
            subscribing: Box::new(|_, _| SubscribeVerdict::Refuse),
            gate: None,
            open_gate: None,
            together: None,
        }
    }

    pub fn policy(mut self, policy: Policy) -> Self {
        self.admit = Box::new(move |attempt| Ok(grant(attempt, policy.clone())));
        self
    }

    pub async fn start(self) -> Stage {
        let (heard, listen) = mpsc::unbounded_channel();
        let Self { options, admit, judge, subscribing, gate, open_gate, together } = self;
        let daemon = Daemon { admit, judge, subscribing, gate, open_gate, together, heard };
        let broker = EmbeddedBroker::start(options, Arc::new(daemon)).await.unwrap();
        let address = broker.addresses()[0].1;
        Stage { broker: Arc::new(broker), address, listen, seen: Mutex::default() }
    }
}

/// A broker and what its daemon heard.
pub struct Stage {
    pub broker: Arc<EmbeddedBroker>,
    pub address: SocketAddr,
    listen: mpsc::UnboundedReceiver<Heard>,
    seen: Mutex<Vec<Heard>>,
}

impl Stage {
    /// The next thing of a kind; what comes before it stays for [`Stage::seen`].
    pub async fn hear<T>(&mut self, kind: impl Fn(&Heard) -> Option<T>) -> T {
        loop {
            let heard = timeout(SOON, self.listen.recv()).await;
            let heard = heard.unwrap_or_else(|_| panic!("nothing came but {:?}", self.seen)).unwrap();
            let found = kind(&heard);
            self.seen.lock().unwrap().push(heard);
            if let Some(found) = found {
                return found;
            }
        }
    }

    pub async fn opened(&mut self) -> (Arc<Session>, bool) {
        self.hear(|heard| match heard {
            Heard::Opened(session, resumed) => Some((session.clone(), *resumed)),
            _ => None,
        })
        .await
    }

    pub async fn closed(&mut self) -> (Arc<Session>, CloseReason) {
        self.hear(|heard| match heard {
            Heard::Closed(session, reason) => Some((session.clone(), reason.clone())),
            _ => None,
        })
        .await
    }

    pub async fn inbound(&mut self) -> Message {
        self.hear(|heard| match heard {
            Heard::Inbound(_, message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    pub async fn receipt(&mut self) -> (DeliveryToken, Receipt) {
        self.hear(|heard| match heard {
            Heard::Receipt(token, receipt) => Some((token.clone(), receipt.clone())),
            _ => None,
        })
        .await
    }

    pub async fn kept(&mut self) -> KeptSession {
        self.hear(|heard| match heard {
            Heard::Keep(kept) => Some(kept.clone()),
            _ => None,
        })
        .await
    }

    /// Everything heard so far.
    pub fn seen(&mut self) -> Vec<Heard> {
        while let Ok(heard) = self.listen.try_recv() {
            self.seen.lock().unwrap().push(heard);
        }
        self.seen.lock().unwrap().clone()
    }

    pub fn receipts(&mut self) -> Vec<(DeliveryToken, Receipt)> {
        let receipts = self.seen().into_iter().filter_map(|heard| match heard {
            Heard::Receipt(token, receipt) => Some((token, receipt)),
            _ => None,
        });
        receipts.collect()
    }

    pub async fn stop(&self) {
        self.broker.shutdown(SOON).await;
    }
}

pub fn device(name: &str) -> DeviceId {
    DeviceId::new(name)
}

pub fn token(index: u32) -> DeliveryToken {
    DeliveryToken { execution: ExecutionId::new("exec-1"), attempt: 1, index }
}

pub fn message(topic: &str, payload: &str, qos: u8) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: Payload::Text(payload.to_owned()),
        qos,
        retain: false,
        attributes: Vec::new(),
    }
}
