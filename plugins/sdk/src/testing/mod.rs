//! A gateway for native tests: a registry and executions that a test fills in, and a record of what the plugin did.
//!
//! It keeps the contract where a plugin could notice: ids repeat per call sequence, aliases are unique, writes are only
//! recorded, what is too large or malformed is refused, and a call that goes past its budget fails the test, as it would
//! be a fault in the gateway. It runs no state machine; a test says itself what became of a command.

mod bounds;
mod deeds;
mod gateway;
mod lookup;
mod records;
mod transcript;

pub use deeds::{Deed, Deeds};
pub use records::{ended, ended_by_host, execution, request, session};
pub use transcript::Transcript;

use crate::{Device, Document, Error, Execution, MacStep, Session, Severity, Submission, Subscription};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The gateway that a test made up.
#[derive(Debug, Default)]
pub struct Fake {
    /// What `now_ms` tells.
    pub now_ms: u64,
    /// What `settings` tells; empty is `{}`.
    pub settings: String,
    /// The registry, in id order.
    pub devices: RefCell<Vec<Device>>,
    /// All executions, in order of creation.
    pub executions: Vec<Execution>,
    /// Accounts by name: the secret and the rights.
    pub accounts: BTreeMap<String, (String, String)>,
    /// The secret that came with the call.
    pub presented: Option<String>,
    /// What `verify_mac` answers; it has no crypto of its own. None: no account has a secret, and nothing fits.
    pub mac: Option<Result<bool, Error>>,
    /// What `tell` answers.
    pub tell_error: Option<Error>,
    /// What the plugin asked `verify_mac` for.
    pub mac_steps: RefCell<Vec<MacStep>>,
    /// Documents by collection and key; a put or a remove changes them at once.
    pub documents: RefCell<BTreeMap<(String, String), Document>>,
    /// Fields that `documents` may name, as `describe` declares them: `collection.field`.
    pub indexes: Vec<String>,
    /// Counters of `next_number`: the last value given.
    pub counters: RefCell<BTreeMap<String, u64>>,
    /// Live sessions by id, with what they subscribed to.
    pub sessions: RefCell<BTreeMap<String, (Session, Vec<Subscription>)>>,
    /// What devices' sessions subscribed to, by device.
    pub device_subscriptions: BTreeMap<String, Vec<Subscription>>,
    /// Notes about sessions; a put changes them at once.
    pub notes: RefCell<BTreeMap<String, String>>,
    /// Targets of HTTP requests that the operator configured.
    pub targets: Vec<String>,
    /// What the plugin did, in order, and what it has left to do in one call.
    pub deeds: Deeds,
    /// What the plugin logged.
    pub log: RefCell<Vec<(Severity, String)>>,
    /// How many ids were given.
    pub ids: Cell<u32>,
}

impl Fake {
    /// The `number`th id that `new_id` gives, counted from 1.
    pub fn id(number: u32) -> String {
        format!("01900000-0000-7000-8000-{number:012}")
    }

    /// Adds an online device with these aliases and tells its id.
    pub fn add_device(&self, id: &str, dialect: &str, aliases: &[(&str, &str)]) -> String {
        self.insert(Device {
            id: id.to_owned(),
            dialect: dialect.to_owned(),
            handler: None,
            parent: None,
            online: true,
            session: Some(format!("session-of-{id}")),
            aliases: aliases.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            labels: Vec::new(),
            profile: None,
            revision: 0,
            created_ms: self.now_ms,
        });
        id.to_owned()
    }

    /// The only command that was submitted, with its id.
    pub fn submitted(&self) -> Option<(String, Submission)> {
        let deeds = self.deeds.borrow();
        let mut all = deeds.iter().filter_map(|deed| match deed {
            Deed::Submitted(id, command) => Some((id.clone(), Submission::clone(command))),
            _ => None,
        });
        all.next().filter(|_| all.next().is_none())
    }

    fn insert(&self, device: Device) {
        let mut devices = self.devices.borrow_mut();
        let place = devices.partition_point(|known| known.id < device.id);
        devices.insert(place, device);
    }
}
