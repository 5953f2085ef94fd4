//! MQTT for dragoman: the embedded broker behind one trait.
//!
//! The daemon implements [`BrokerEvents`] and calls [`Broker`]; nothing else crosses the border. In particular no type of
//! the broker library does: `rmqtt` appears only below `embedded`, so that it can be replaced.
//!
//! ```text
//! device ── CONNECT ──▶ BrokerEvents::authenticate ─▶ Grant (policy as data, enforced here without further calls)
//! device ── PUBLISH ──▶ policy ─▶ BrokerEvents::inbound ─▶ PUBACK after it resolved
//! daemon ── Broker::publish_to ─▶ device ── PUBACK ─▶ BrokerEvents::receipt
//! ```

mod broker;
mod embedded;
mod events;
mod options;

pub use broker::{Broker, BrokerError, BrokerStats, Delivery, DeliveryToken, Receipt};
pub use embedded::EmbeddedBroker;
pub use events::{
    BrokerEvents, CloseReason, ConnectAttempt, InboundVerdict, KeptSession, KeptSubscription, RetainHandling,
    SubscribeVerdict,
};
pub use options::{EmbeddedOptions, ListenerOptions};
