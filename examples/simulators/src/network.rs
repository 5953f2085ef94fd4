//! The connection of a simulated network server: MQTT 5, one of a group of subscribers, QoS 0, as ChirpStack's default
//! configuration has it.

use crate::chirpstack::NetworkServer;
use crate::device::{DeviceEvent, Publish};
use crate::model::Behaviour;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What the network server subscribes to: any device of any application, shared with others of its kind.
const COMMANDS: &str = "$share/chirpstack/application/+/device/+/command/+";
/// Events that may wait for the connection.
const EVENTS_WAITING_MAX: usize = 10_000;
/// Between two attempts to connect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// ChirpStack's default.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct Access {
    /// Host name or address of the gateway's MQTT listener.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name, and client id.
    pub user: String,
    /// Password.
    pub password: String,
}

/// A running network server. Dropping it cuts the connection.
pub struct Network {
    pub(crate) events: mpsc::UnboundedReceiver<DeviceEvent>,
    pub(crate) link: Arc<Link>,
    tasks: [JoinHandle<()>; 2],
}

pub(crate) struct Link {
    client: AsyncClient,
    server: Mutex<NetworkServer>,
    tell: mpsc::UnboundedSender<DeviceEvent>,
}

impl Network {
    /// Starts a network server on the current tokio runtime. Its lamp speaks in that interval.
    pub fn start(access: &Access, server: NetworkServer, uplink_every: Duration) -> Self {
        let mut options = MqttOptions::new(&access.user, &access.host, access.port);
        options.set_credentials(&access.user, &access.password).set_clean_start(false).set_keep_alive(KEEP_ALIVE);
        let (client, connection) = AsyncClient::new(options, EVENTS_WAITING_MAX);
        let (tell, events) = mpsc::unbounded_channel();
        let link = Arc::new(Link { client, server: Mutex::new(server), tell });
        let connected = tokio::spawn(run(link.clone(), connection));
        let speaking = tokio::spawn(speak(link.clone(), uplink_every));
        Self { events, link, tasks: [connected, speaking] }
    }

    /// The next thing that happens; none once it gave up.
    pub async fn next_event(&mut self) -> Option<DeviceEvent> {
        self.events.recv().await
    }

    /// Treats commands differently from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.link.behave(behaviour);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Link {
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.server().model().behave(behaviour);
    }

    /// Lets something happen at the network server and tells what came of it.
    fn turn(&self, happen: impl FnOnce(&mut NetworkServer) -> Vec<Publish>) {
        let mut server = self.server();
        let before = server.model().values().clone();
        let events = happen(&mut server);
        let after = server.model().values().clone();
        drop(server);
        if after != before {
            self.tell(DeviceEvent::Has(after));
        }
        for event in events {
            match self.client.try_publish(&event.topic, QoS::AtMostOnce, false, event.payload.clone().into_bytes()) {
                // Reports come all the time and are no answer to anything.
                Ok(()) if event.topic.ends_with("/event/up") => {}
                Ok(()) => self.tell(DeviceEvent::Answered(event)),
                Err(error) => self.tell(DeviceEvent::Lost(error.to_string())),
            }
        }
    }

    fn tell(&self, event: DeviceEvent) {
        // Nobody listens any more: the loop ends at its next turn.
        let _ = self.tell.send(event);
    }

    fn server(&self) -> MutexGuard<'_, NetworkServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn speak(link: Arc<Link>, every: Duration) {
    let mut clock = tokio::time::interval(every);
    loop {
        clock.tick().await;
        link.turn(|server| server.uplink(SystemTime::now()));
    }
}

async fn run(link: Arc<Link>, mut connection: EventLoop) {
    while !link.tell.is_closed() {
        match connection.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if let Err(error) = link.client.try_subscribe(COMMANDS, QoS::AtMostOnce) {
                    link.tell(DeviceEvent::Lost(error.to_string()));
                }
            }
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                if !matches!(ack.return_codes.as_slice(), [SubscribeReasonCode::Success(_)]) {
                    link.tell(DeviceEvent::Refused(format!("{:?}", ack.return_codes)));
                    return;
                }
                link.tell(DeviceEvent::Ready);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                link.tell(DeviceEvent::Received { topic: topic.clone(), payload: publish.payload.to_vec() });
                link.turn(|server| server.command(&topic, &publish.payload, SystemTime::now()));
            }
            Ok(_) => {}
            Err(ConnectionError::ConnectionRefused(code)) if code != ConnectReturnCode::ServiceUnavailable => {
                link.tell(DeviceEvent::Refused(format!("{code:?}")));
                return;
            }
            Err(error) => {
                link.tell(DeviceEvent::Lost(error.to_string()));
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
}
