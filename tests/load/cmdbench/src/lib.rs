//! Shared by the three programs: the request/response correlation core over MQTT,
//! in the Huawei IoTDA dialect:
//!   request   $oc/devices/{device}/sys/commands/request_id={id}
//!   response  $oc/devices/{device}/sys/commands/response/request_id={id}
use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

pub fn qos(n: u8) -> QoS {
    match n {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

pub fn connect(id: &str, host: &str, port: u16, nodelay: bool, cap: usize) -> (AsyncClient, EventLoop) {
    connect_with(MqttOptions::new(id, host, port), nodelay, cap)
}

/// The same with options that hold more, such as a password.
pub fn connect_with(mut o: MqttOptions, nodelay: bool, cap: usize) -> (AsyncClient, EventLoop) {
    o.set_keep_alive(Duration::from_secs(30));
    o.set_inflight(4096);
    o.set_max_packet_size(1 << 20, 1 << 20);
    let (c, mut e) = AsyncClient::new(o, cap);
    let mut n = e.network_options();
    n.set_tcp_nodelay(nodelay);
    e.set_network_options(n);
    (c, e)
}

const SHARDS: usize = 64;
type Waiters = Mutex<HashMap<u64, oneshot::Sender<Bytes>>>;

/// In-memory correlation table: request id -> waiting HTTP call.
pub struct Table {
    next: AtomicU64,
    shards: Vec<Waiters>,
}

impl Table {
    pub fn new() -> Arc<Self> {
        Arc::new(Table { next: AtomicU64::new(1), shards: (0..SHARDS).map(|_| Default::default()).collect() })
    }
    pub fn register(&self) -> (u64, oneshot::Receiver<Bytes>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tx, rx) = oneshot::channel();
        self.shards[id as usize % SHARDS].lock().unwrap().insert(id, tx);
        (id, rx)
    }
    pub fn complete(&self, id: u64, b: Bytes) -> bool {
        let w = self.shards[id as usize % SHARDS].lock().unwrap().remove(&id);
        w.map(|w| w.send(b).is_ok()).unwrap_or(false)
    }
    pub fn forget(&self, id: u64) {
        self.shards[id as usize % SHARDS].lock().unwrap().remove(&id);
    }
}

/// N MQTT connections; each subscribes to its own share of responses. With one
/// connection (the default, as Node-RED has) everything goes through it.
pub struct Gateway {
    pub clients: Vec<AsyncClient>,
    pub table: Arc<Table>,
    pub qos: QoS,
}

impl Gateway {
    pub async fn start(host: &str, port: u16, conns: usize, q: u8, nodelay: bool, name: &str) -> Arc<Self> {
        let table = Table::new();
        let mut clients = vec![];
        for i in 0..conns {
            let (c, mut e) = connect(&format!("{name}-{i}"), host, port, nodelay, 16384);
            let again = c.clone();
            let t = table.clone();
            let (ready_tx, ready_rx) = oneshot::channel();
            let mut ready = Some(ready_tx);
            tokio::spawn(async move {
                loop {
                    match e.poll().await {
                        Ok(Event::Incoming(Packet::Publish(p))) => {
                            if let Some(id) = p.topic.rsplit_once("request_id=").and_then(|(_, s)| s.parse().ok()) {
                                t.complete(id, p.payload);
                            }
                        }
                        Ok(Event::Incoming(Packet::SubAck(_))) if i == 0 => {
                            if let Some(r) = ready.take() {
                                let _ = r.send(());
                            }
                        }
                        // rumqttc does not subscribe again by itself after a lost session.
                        // Only connection 0 receives; the others spread the publishing load.
                        Ok(Event::Incoming(Packet::ConnAck(_))) => {
                            if i == 0 {
                                let _ = again.try_subscribe("$oc/devices/+/sys/commands/response/+", qos(q));
                            } else if let Some(r) = ready.take() {
                                let _ = r.send(());
                            }
                        }
                        Ok(_) => {}
                        Err(err) => {
                            eprintln!("mqtt: {err}");
                            tokio::time::sleep(Duration::from_millis(200)).await;
                        }
                    }
                }
            });
            let _ = ready_rx.await;
            clients.push(c);
        }
        Arc::new(Gateway { clients, table, qos: qos(q) })
    }

    /// Publish one command and wait for the device's answer.
    pub async fn call(&self, device: &str, payload: Vec<u8>, timeout: Duration) -> Option<(u64, Bytes)> {
        let (id, rx) = self.table.register();
        let topic = format!("$oc/devices/{device}/sys/commands/request_id={id}");
        let c = &self.clients[id as usize % self.clients.len()];
        if c.publish(topic, self.qos, false, payload).await.is_err() {
            self.table.forget(id);
            return None;
        }
        match tokio::time::timeout(timeout, rx).await {
            Ok(Ok(b)) => Some((id, b)),
            _ => {
                self.table.forget(id);
                None
            }
        }
    }
}
