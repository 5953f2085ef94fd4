//! What a plugin may ask of the gateway, as a trait, and the trait over the component's imports.

use crate::bindings::dragoman::gateway::{credentials, devices, executions, host};
use crate::{
    Correlation, Device, Error, Execution, Identity, Intent, MacStep, Page, Registration, Report, Selection, Severity,
    Stage, WhenAway,
};

/// A command to be. What is `None` follows the dialect's queue and the gateway's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The gateway's id of the device.
    pub device: String,
    /// What is wanted.
    pub intent: Intent,
    /// The platform's own id, unique per dialect and device.
    pub alias: Option<String>,
    /// Same key, device and intent: the same execution.
    pub idempotency_key: Option<String>,
    /// JSON for the dialect itself, handed back with the execution.
    pub context: Option<String>,
    /// At most 8, indexed.
    pub labels: Vec<(String, String)>,
    /// Time to live from now: 1 s to 49 days.
    pub ttl_ms: Option<u32>,
    /// `Acked` or `Ended`: what counts as success.
    pub succeeds_at: Option<Stage>,
    /// What happens when the device is not there.
    pub when_away: Option<WhenAway>,
    /// A queue that the description names; `None` is the first.
    pub queue: Option<String>,
}

impl Command {
    /// A command of which nothing but device and intent is set.
    pub fn new(device: impl Into<String>, intent: Intent) -> Self {
        Self {
            device: device.into(),
            intent,
            alias: None,
            idempotency_key: None,
            context: None,
            labels: Vec::new(),
            ttl_ms: None,
            succeeds_at: None,
            when_away: None,
            queue: None,
        }
    }
}

/// The imports of a dialect; each method is the function of the same meaning in `wit/imports.wit`. Reads see the applied
/// state, writes are kept back until the call has returned ok.
pub trait Gateway {
    /// Milliseconds since 1970, the same throughout one call.
    fn now_ms(&self) -> u64;
    /// A fresh UUID, version 7.
    fn new_id(&self) -> String;
    /// The plugin's settings, a JSON object.
    fn settings(&self) -> String;
    /// A line for the operator, written at once.
    fn log(&self, severity: Severity, text: &str);
    /// A device by the gateway's id.
    fn device(&self, id: &str) -> Option<Device>;
    /// A device by a platform's name for it.
    fn resolve(&self, namespace: &str, name: &str) -> Option<Device>;
    /// Devices that carry all the labels, in id order behind `after`; at most 1 000.
    fn devices(&self, labels: &[(String, String)], after: Option<&str>, limit: u32) -> Vec<Device>;
    /// Registers a device; `Conflict` where an alias is taken.
    fn register(&self, what: &Registration) -> Result<String, Error>;
    /// Replaces the plugin's record about a device.
    fn put_profile(&self, id: &str, profile: &str, revision: u64) -> Result<(), Error>;
    /// Submits a command and tells the id it will have; what became of it is told to `settled`.
    fn submit(&self, command: Command) -> String;
    /// An execution by id, of whatever origin.
    fn execution(&self, id: &str) -> Option<Execution>;
    /// This dialect's executions, behind the cursor `after`.
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page;
    /// How many `executions` would give in all, counted up to 100 000.
    fn count(&self, what: &Selection) -> u64;
    /// Ends an execution as canceled; `Conflict` where it has ended.
    fn cancel(&self, id: &str) -> Result<(), Error>;
    /// A device's word about what was dispatched under that key.
    fn tell(&self, about: &Correlation, what: &Report, attributes: &[(String, String)]) -> Result<(), Error>;
    /// Checks the presented credential; without an account, finds the one it belongs to.
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error>;
    /// Compares the last step's result with what was presented.
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error>;
}

/// The [`Gateway`] that the component imports. Its methods panic outside of a component.
#[derive(Clone, Copy, Debug)]
pub struct Imports;

impl Gateway for Imports {
    fn now_ms(&self) -> u64 {
        host::now()
    }
    fn new_id(&self) -> String {
        host::new_id()
    }
    fn settings(&self) -> String {
        host::settings()
    }
    fn log(&self, severity: Severity, text: &str) {
        host::log(severity, text);
    }
    fn device(&self, id: &str) -> Option<Device> {
        devices::get(id)
    }
    fn resolve(&self, namespace: &str, name: &str) -> Option<Device> {
        devices::resolve(namespace, name)
    }
    fn devices(&self, labels: &[(String, String)], after: Option<&str>, limit: u32) -> Vec<Device> {
        devices::query(labels, after, limit)
    }
    fn register(&self, what: &Registration) -> Result<String, Error> {
        devices::create(what)
    }
    fn put_profile(&self, id: &str, profile: &str, revision: u64) -> Result<(), Error> {
        devices::put_profile(id, profile, revision)
    }
    fn submit(&self, command: Command) -> String {
        let submission = executions::Submission::new(&command.device, &command.intent);
        if let Some(alias) = &command.alias {
            submission.alias(alias);
        }
        if let Some(key) = &command.idempotency_key {
            submission.idempotency_key(key);
        }
        if let Some(context) = &command.context {
            submission.context(context);
        }
        for (name, value) in &command.labels {
            submission.label(name, value);
        }
        if let Some(ttl_ms) = command.ttl_ms {
            submission.ttl(ttl_ms);
        }
        if let Some(stage) = command.succeeds_at {
            submission.succeeds_at(stage);
        }
        if let Some(what) = command.when_away {
            submission.when_away(what);
        }
        if let Some(name) = &command.queue {
            submission.queue(name);
        }
        executions::submit(submission)
    }
    fn execution(&self, id: &str) -> Option<Execution> {
        executions::get(id)
    }
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page {
        executions::query(what, after, limit)
    }
    fn count(&self, what: &Selection) -> u64 {
        executions::count(what)
    }
    fn cancel(&self, id: &str) -> Result<(), Error> {
        executions::cancel(id)
    }
    fn tell(&self, about: &Correlation, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        executions::tell(about, what, attributes)
    }
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error> {
        credentials::check_presented(account)
    }
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error> {
        credentials::verify_mac(steps)
    }
}
