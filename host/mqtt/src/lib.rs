//! MQTT for dragoman: the embedded broker behind one trait, and connections to brokers that others run.
//!
//! The daemon implements [`BrokerEvents`] and calls [`Broker`]; nothing else crosses the border. In particular no type of
//! the broker library does: `rmqtt` appears only below `embedded`, so that it can be replaced. `external` is the same for
//! the client library: the daemon implements [`ExternalEvents`] and calls [`ExternalConnection`].
//!
//! ```text
//! device ── CONNECT ──▶ BrokerEvents::authenticate ─▶ Grant (policy as data, enforced here without further calls)
//! device ── PUBLISH ──▶ policy ─▶ BrokerEvents::inbound ─▶ PUBACK after it resolved
//! daemon ── Broker::publish_to ─▶ device ── PUBACK ─▶ BrokerEvents::receipt
//! ```

mod attributes;
mod broker;
mod embedded;
mod events;
mod external;
mod listen;
mod options;

pub use broker::{Broker, BrokerError, BrokerStats, Delivery, DeliveryToken, Receipt};
pub use embedded::EmbeddedBroker;
pub use events::{
    BrokerEvents, CloseReason, ConnectAttempt, InboundVerdict, KeptSession, KeptSubscription, RetainHandling,
    SubscribeVerdict,
};
pub use external::{
    ExternalConnection, ExternalError, ExternalEvents, ExternalOptions, Heard, Link, Published, TlsOptions,
};
pub use listen::listen;
pub use options::{EmbeddedOptions, ListenerOptions, TlsAccept};
