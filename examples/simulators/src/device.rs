//! The connection of one simulated device: keeps it up, hands messages to the firmware, sends what it answers.

use crate::model::{Behaviour, Model};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeReasonCode,
    Transport,
};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Largest packet a device sends or takes, in bytes: the platforms' 256 KiB of message and room for the topic.
const PACKET_BYTES_MAX: usize = 300 * 1024;
/// Answers that may wait for the connection. A device that is asked more than that at once drops answers, as a small
/// one does.
const ANSWERS_WAITING_MAX: usize = 20_000;
/// Between two attempts to connect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// What a device presents in CONNECT.
#[derive(Clone, Debug)]
pub struct Login {
    /// Client id.
    pub client_id: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// Whether the broker forgets the session when the connection ends.
    pub clean: bool,
    /// Keep-alive.
    pub keep_alive: Duration,
}

/// A message that a device sends, with QoS 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Topic name.
    pub topic: String,
    /// JSON text.
    pub payload: String,
}

/// What differs between the platforms' devices. No method does I/O.
pub trait Firmware: Send + Sync + 'static {
    /// For a connection that is made now.
    fn login(&self) -> Login;
    /// Filters to subscribe to with QoS 1 on every connection; empty for a device that never subscribes.
    fn subscriptions(&self) -> Vec<String>;
    /// A message arrived. None: nothing is answered.
    fn receive(&self, model: &mut Model, topic: &str, payload: &[u8]) -> Option<Publish>;
}

/// What happened to a device, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// It is connected and every subscription is confirmed.
    Ready,
    /// The broker refused the login or a subscription; the device gives up.
    Refused(String),
    /// The connection is lost; the device tries again.
    Lost(String),
    /// A message reached it.
    Received {
        /// Topic name.
        topic: String,
        /// As it came.
        payload: Vec<u8>,
    },
    /// It answered.
    Answered(Publish),
    /// What it was set to, after a command that changed it.
    Has(Map<String, Value>),
}

/// A running device. Dropping it cuts the connection without a DISCONNECT, as a power loss does.
pub struct Device {
    pub(crate) events: mpsc::UnboundedReceiver<DeviceEvent>,
    pub(crate) link: Arc<Link>,
    task: JoinHandle<()>,
}

/// What the connection and the owner of a device share.
pub(crate) struct Link {
    client: AsyncClient,
    state: Mutex<State>,
    tell: mpsc::UnboundedSender<DeviceEvent>,
}

struct State {
    model: Model,
    /// Answers that the device keeps to itself for now.
    withheld: Vec<Publish>,
}

impl Device {
    /// Starts a device on the current tokio runtime; it connects in the background and reconnects until it is dropped.
    pub fn start(host: &str, port: u16, firmware: impl Firmware, behaviour: Behaviour) -> Self {
        Self::start_over(Transport::Tcp, host, port, firmware, behaviour)
    }

    /// The same, over TCP or TLS.
    pub fn start_over(
        transport: Transport,
        host: &str,
        port: u16,
        firmware: impl Firmware,
        behaviour: Behaviour,
    ) -> Self {
        let login = firmware.login();
        let mut options = MqttOptions::new(login.client_id, host, port);
        options
            .set_transport(transport)
            .set_credentials(login.username, login.password)
            .set_clean_session(login.clean)
            .set_keep_alive(login.keep_alive)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, mut connection) = AsyncClient::new(options, ANSWERS_WAITING_MAX);
        let mut network = connection.network_options();
        network.set_tcp_nodelay(true);
        connection.set_network_options(network);
        let (tell, events) = mpsc::unbounded_channel();
        let state = Mutex::new(State { model: Model::new(behaviour), withheld: Vec::new() });
        let link = Arc::new(Link { client, state, tell });
        let runner = Runner { firmware, link: link.clone(), confirmations_missing: 0 };
        let task = tokio::spawn(runner.run(connection));
        Self { events, link, task }
    }

    /// The next thing that happens; none once the device gave up.
    pub async fn next_event(&mut self) -> Option<DeviceEvent> {
        self.events.recv().await
    }

    /// Treats commands differently from now on, and gives the answers that it withheld.
    pub fn behave(&self, behaviour: Behaviour) {
        self.link.behave(behaviour);
    }

    /// Sends a message that nobody asked for.
    ///
    /// # Errors
    /// When the device gave up.
    pub async fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) -> anyhow::Result<()> {
        self.link.client.publish(topic, QoS::AtLeastOnce, false, payload).await?;
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        let withheld = {
            let mut state = self.state();
            state.model.behave(behaviour);
            if behaviour == Behaviour::Withhold { Vec::new() } else { std::mem::take(&mut state.withheld) }
        };
        for answer in withheld {
            self.answer(answer);
        }
    }

    fn receive(&self, firmware: &impl Firmware, topic: &str, payload: &[u8]) {
        let mut state = self.state();
        let before = state.model.values().clone();
        let mut answer = firmware.receive(&mut state.model, topic, payload);
        let after = state.model.values().clone();
        if state.model.behaviour() == Behaviour::Withhold {
            state.withheld.extend(answer.take());
        }
        drop(state);
        if after != before {
            self.tell(DeviceEvent::Has(after));
        }
        if let Some(answer) = answer {
            self.answer(answer);
        }
    }

    fn answer(&self, answer: Publish) {
        match self.client.try_publish(&answer.topic, QoS::AtLeastOnce, false, answer.payload.as_bytes()) {
            Ok(()) => self.tell(DeviceEvent::Answered(answer)),
            Err(error) => self.tell(DeviceEvent::Lost(error.to_string())),
        }
    }

    fn tell(&self, event: DeviceEvent) {
        // Nobody listens any more: the loop ends at its next turn.
        let _ = self.tell.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Runner<F> {
    firmware: F,
    link: Arc<Link>,
    confirmations_missing: usize,
}

impl<F: Firmware> Runner<F> {
    async fn run(mut self, mut connection: EventLoop) {
        // A closed channel means that the device was dropped.
        while !self.link.tell.is_closed() {
            match connection.poll().await {
                Ok(Event::Incoming(packet)) => {
                    if let Err(refused) = self.on_packet(packet) {
                        self.link.tell(DeviceEvent::Refused(refused));
                        return;
                    }
                }
                Ok(Event::Outgoing(_)) => {}
                Err(ConnectionError::ConnectionRefused(code)) if code != ConnectReturnCode::ServiceUnavailable => {
                    self.link.tell(DeviceEvent::Refused(format!("{code:?}")));
                    return;
                }
                Err(error) => {
                    self.link.tell(DeviceEvent::Lost(error.to_string()));
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }

    /// An error says what the broker refused.
    fn on_packet(&mut self, packet: Packet) -> Result<(), String> {
        match packet {
            Packet::ConnAck(_) => {
                let filters = self.firmware.subscriptions();
                self.confirmations_missing = filters.len();
                for filter in filters {
                    if let Err(error) = self.link.client.try_subscribe(filter, QoS::AtLeastOnce) {
                        self.link.tell(DeviceEvent::Lost(error.to_string()));
                    }
                }
                self.tell_if_ready();
            }
            Packet::SubAck(ack) => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err("a subscription of the device".to_owned());
                }
                self.confirmations_missing = self.confirmations_missing.saturating_sub(1);
                self.tell_if_ready();
            }
            Packet::Publish(publish) => {
                let (topic, payload) = (publish.topic, publish.payload.to_vec());
                self.link.tell(DeviceEvent::Received { topic: topic.clone(), payload: payload.clone() });
                self.link.receive(&self.firmware, &topic, &payload);
            }
            _ => {}
        }
        Ok(())
    }

    fn tell_if_ready(&self) {
        if self.confirmations_missing == 0 {
            self.link.tell(DeviceEvent::Ready);
        }
    }
}
