//! A gateway for native tests: a registry and executions that a test fills in, and a record of what the plugin did.
//!
//! It keeps the contract where a plugin could notice: ids repeat per call sequence, aliases are unique, writes are only
//! recorded. It runs no state machine; a test says itself what became of a command.

mod records;
mod transcript;

pub use records::{ended, ended_by_host, execution, request, session};
pub use transcript::Transcript;

use crate::{
    Attributes, Command, Correlation, Device, Error, Execution, Gateway, Identity, MacStep, Page, Registration, Report,
    Selection, Severity, outcome,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What a plugin did that the gateway would have carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// It submitted this command; the id it was given.
    Submitted(String, Box<Command>),
    /// It ended an execution as canceled.
    Canceled(String),
    /// It reported about a correlation.
    Told(Correlation, Report, Attributes),
    /// It wrote its record about a device.
    PutProfile(String, String, u64),
}

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
    /// What `verify_mac` answers; it has no crypto of its own.
    pub mac: Option<Result<bool, Error>>,
    /// What `tell` answers.
    pub tell_error: Option<Error>,
    /// What the plugin asked `verify_mac` for.
    pub mac_steps: RefCell<Vec<MacStep>>,
    /// What the plugin did, in order.
    pub deeds: RefCell<Vec<Deed>>,
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
    pub fn submitted(&self) -> Option<(String, Command)> {
        let deeds = self.deeds.borrow();
        let mut all = deeds.iter().filter_map(|deed| match deed {
            Deed::Submitted(id, command) => Some((id.clone(), Command::clone(command))),
            _ => None,
        });
        all.next().filter(|_| all.next().is_none())
    }

    fn insert(&self, device: Device) {
        let mut devices = self.devices.borrow_mut();
        let place = devices.partition_point(|known| known.id < device.id);
        devices.insert(place, device);
    }

    fn selected(&self, what: &Selection) -> Vec<&Execution> {
        let mut found: Vec<_> = self
            .executions
            .iter()
            .filter(|execution| what.device.as_ref().is_none_or(|device| *device == execution.device))
            .filter(|execution| what.states.is_empty() || what.states.contains(&execution.state))
            .filter(|execution| what.labels.iter().all(|label| execution.labels.contains(label)))
            .collect();
        if what.newest_first {
            found.reverse();
        }
        found
    }
}

impl Gateway for Fake {
    fn now_ms(&self) -> u64 {
        self.now_ms
    }
    fn new_id(&self) -> String {
        self.ids.set(self.ids.get() + 1);
        Self::id(self.ids.get())
    }
    fn settings(&self) -> String {
        if self.settings.is_empty() { "{}".to_owned() } else { self.settings.clone() }
    }
    fn log(&self, severity: Severity, text: &str) {
        self.log.borrow_mut().push((severity, text.to_owned()));
    }
    fn device(&self, id: &str) -> Option<Device> {
        self.devices.borrow().iter().find(|device| device.id == id).cloned()
    }
    fn resolve(&self, namespace: &str, name: &str) -> Option<Device> {
        let wanted = (namespace.to_owned(), name.to_owned());
        self.devices.borrow().iter().find(|device| device.aliases.contains(&wanted)).cloned()
    }
    fn devices(&self, labels: &[(String, String)], after: Option<&str>, limit: u32) -> Vec<Device> {
        self.devices
            .borrow()
            .iter()
            .filter(|device| after.is_none_or(|after| device.id.as_str() > after))
            .filter(|device| labels.iter().all(|label| device.labels.contains(label)))
            .take(usize::try_from(limit.min(1_000)).unwrap_or(1_000))
            .cloned()
            .collect()
    }
    fn register(&self, what: &Registration) -> Result<String, Error> {
        if let Some((namespace, name)) =
            what.aliases.iter().find(|(namespace, name)| self.resolve(namespace, name).is_some())
        {
            return Err(Error::Conflict(format!("{namespace} {name} is taken")));
        }
        let id = what.id.clone().unwrap_or_else(|| format!("device-{}", self.devices.borrow().len() + 1));
        self.insert(Device {
            id: id.clone(),
            dialect: "the-caller".to_owned(),
            handler: what.handler.clone(),
            parent: what.parent.clone(),
            online: false,
            session: None,
            aliases: what.aliases.clone(),
            labels: what.labels.clone(),
            profile: Some(what.profile.clone()),
            revision: 1,
            created_ms: self.now_ms,
        });
        Ok(id)
    }
    fn put_profile(&self, id: &str, profile: &str, revision: u64) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::PutProfile(id.to_owned(), profile.to_owned(), revision));
        Ok(())
    }
    fn submit(&self, command: Command) -> String {
        let id = self.new_id();
        self.deeds.borrow_mut().push(Deed::Submitted(id.clone(), Box::new(command)));
        id
    }
    fn execution(&self, id: &str) -> Option<Execution> {
        self.executions.iter().find(|execution| execution.id == id).cloned()
    }
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page {
        let all = self.selected(what);
        let from = after.and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let items: Vec<_> = all.iter().skip(from).take(limit).map(|execution| (*execution).clone()).collect();
        let next = from + items.len();
        Page { items, next: (next < all.len()).then(|| next.to_string()) }
    }
    fn count(&self, what: &Selection) -> u64 {
        u64::try_from(self.selected(what).len()).unwrap_or(u64::MAX)
    }
    fn cancel(&self, id: &str) -> Result<(), Error> {
        let execution = self.execution(id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        if outcome::is_final(execution.state) {
            return Err(Error::Conflict(format!("execution {id} has ended")));
        }
        self.deeds.borrow_mut().push(Deed::Canceled(id.to_owned()));
        Ok(())
    }
    fn tell(&self, about: &Correlation, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.borrow_mut().push(Deed::Told(about.clone(), what.clone(), attributes.to_vec()));
        Ok(())
    }
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error> {
        let presented = self.presented.as_ref().ok_or_else(|| Error::Denied("nothing was presented".to_owned()))?;
        let fits = |name: &str, secret: &str| secret == presented && account.is_none_or(|account| account == name);
        match self.accounts.iter().find(|(name, (secret, _))| fits(name, secret)) {
            Some((name, (_, rights))) => Ok(Identity { account: name.clone(), rights: rights.clone() }),
            None => Err(Error::Denied("it does not fit".to_owned())),
        }
    }
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error> {
        self.mac_steps.borrow_mut().extend(steps.iter().cloned());
        self.mac.clone().unwrap_or_else(|| Err(Error::NotFound("no such account".to_owned())))
    }
}
