//! What a plugin may ask of the gateway, as a trait, and the trait over the component's imports.

use crate::bindings::dragoman::gateway::{
    asks, credentials, devices, documents, events, executions, host, outbox, sessions,
};
use crate::{
    Correlation, Device, Document, Encoding, Error, Event, Execution, Identity, Intent, MacStep, Message, Page, Place,
    Policy, Question, Readers, Reason, Registration, Report, Selection, Session, Severity, Stage, Start, Subscription,
    WhenAway,
};

/// How often a failed attempt is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts in all, 1 to 1 000.
    pub max: u32,
    /// Wait between a failed one and the next.
    pub backoff_ms: u32,
    /// Where it goes back to in its queue.
    pub place: Place,
}

/// A command to be. What is `None` follows the dialect's queue and the gateway's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
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
    /// How often a failed attempt is tried again.
    pub attempts: Option<Attempts>,
}

impl Submission {
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
            attempts: None,
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
    /// Replaces everything but the id of a device that this dialect reaches, over that revision of its profile.
    fn update_device(&self, id: &str, what: &Registration, revision: u64) -> Result<(), Error>;
    /// Removes a device that this dialect reaches; its open executions end as canceled.
    fn remove_device(&self, id: &str) -> Result<(), Error>;
    /// A name in a namespace of this dialect for a device that another dialect reaches.
    fn add_alias(&self, id: &str, namespace: &str, name: &str) -> Result<(), Error>;
    /// How many devices carry all the labels, counted up to 100 000.
    fn count_devices(&self, labels: &[(String, String)]) -> u64;
    /// Submits a command and tells the id it will have; what became of it is told to `settled`.
    fn submit(&self, command: Submission) -> String;
    /// An execution by id, of whatever origin.
    fn execution(&self, id: &str) -> Option<Execution>;
    /// This dialect's executions, behind the cursor `after`.
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page;
    /// As `executions`, of those created at or after `since` and before `before`, in milliseconds since 1970.
    fn executions_between(
        &self,
        what: &Selection,
        since: Option<u64>,
        before: Option<u64>,
        after: Option<&str>,
        limit: u32,
    ) -> Page;
    /// An execution by this dialect's own id for it.
    fn execution_by_alias(&self, device: &str, alias: &str) -> Option<Execution>;
    /// Open executions of a device that this dialect reaches, of whatever origin, oldest first.
    fn open_executions(&self, device: &str) -> Vec<Execution>;
    /// How many `executions` would give in all, counted up to 100 000.
    fn count(&self, what: &Selection) -> u64;
    /// Ends an execution as canceled; `Conflict` where it has ended.
    fn cancel(&self, id: &str) -> Result<(), Error>;
    /// A device's word about what was dispatched under that key.
    fn tell(&self, about: &Correlation, what: &Report, attributes: &[(String, String)]) -> Result<(), Error>;
    /// As `tell`, where the dialect that reaches the device vouches for who speaks.
    fn tell_for(&self, id: &str, what: &Report, attributes: &[(String, String)]) -> Result<(), Error>;
    /// That attempt came to nothing; tried again while attempts are left.
    fn attempt_failed(&self, about: &Correlation, why: &Reason, attributes: &[(String, String)]) -> Result<(), Error>;
    /// Adds to the history in any state.
    fn note(&self, id: &str, note: &str) -> Result<(), Error>;
    /// Sets one of the 8 labels in any state.
    fn set_label(&self, id: &str, name: &str, value: &str) -> Result<(), Error>;
    /// Checks the presented credential; without an account, finds the one it belongs to.
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error>;
    /// Compares the last step's result with what was presented.
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error>;
    /// Checks a password that came in a body.
    fn check_password(&self, account: &str, password: &str) -> Result<Identity, Error>;
    /// A JSON Web Token, HS256, signed with the secret of the account `key`.
    fn sign_jwt(&self, key: &str, read_as: Encoding, claims: &str) -> Result<String, Error>;
    /// The claims of a token, whether or not it has expired; `None` is what was presented.
    fn verify_jwt(&self, key: &str, read_as: Encoding, token: Option<&str>) -> Result<String, Error>;
    /// A document of this plugin.
    fn document(&self, collection: &str, key: &str) -> Option<Document>;
    /// Documents whose indexed fields have these values, in key order behind `after`; at most 1 000.
    fn documents(
        &self,
        collection: &str,
        fields: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error>;
    /// How many `documents` would give in all, counted up to 100 000.
    fn count_documents(&self, collection: &str, fields: &[(String, String)]) -> Result<u64, Error>;
    /// Writes a document over that revision; 0 creates it.
    fn put_document(&self, collection: &str, key: &str, value: &str, revision: u64) -> Result<(), Error>;
    /// Removes that revision of a document.
    fn remove_document(&self, collection: &str, key: &str, revision: u64) -> Result<(), Error>;
    /// The next value of a counter, from 1.
    fn next_number(&self, counter: &str) -> u64;
    /// A live session of this dialect.
    fn session(&self, id: &str) -> Option<Session>;
    /// What a client subscribed to, in its own words.
    fn subscriptions(&self, session: &str) -> Vec<Subscription>;
    /// What a device's session subscribed to, also when it is away; none: no session.
    fn device_subscriptions(&self, device: &str) -> Option<Vec<Subscription>>;
    /// What the dialect noted about a session, JSON.
    fn notes(&self, session: &str) -> Option<String>;
    /// Replaces the notes about a session.
    fn put_notes(&self, session: &str, notes: &str) -> Result<(), Error>;
    /// Replaces what a session may do.
    fn set_policy(&self, session: &str, principal: Option<&str>, policy: &Policy) -> Result<(), Error>;
    /// Replays transitions to a session, at most `limit`, and goes on with what comes where `live`.
    fn follow(
        &self,
        session: &str,
        tag: &str,
        labels: &[(String, String)],
        start: &Start,
        limit: u32,
        live: bool,
    ) -> Result<(), Error>;
    /// Ends the following with that tag, or all of the session.
    fn unfollow(&self, session: &str, tag: Option<&str>) -> Result<(), Error>;
    /// Closes a session.
    fn close(&self, session: &str) -> Result<(), Error>;
    /// Publishes a message that is no dispatch.
    fn publish(&self, to: &Readers, message: &Message) -> Result<(), Error>;
    /// An HTTP request to a target that the operator configured by that name.
    fn request(
        &self,
        target: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&str>,
    ) -> Result<(), Error>;
    /// Tells what a device said of its own accord.
    fn emit(&self, event: &Event) -> Result<(), Error>;
    /// Asks a device's handler; the call must then wait, and hears in `answered`.
    fn ask(&self, device: &str, question: &Question);
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
    fn update_device(&self, id: &str, what: &Registration, revision: u64) -> Result<(), Error> {
        devices::update(id, what, revision)
    }
    fn remove_device(&self, id: &str) -> Result<(), Error> {
        devices::remove(id)
    }
    fn add_alias(&self, id: &str, namespace: &str, name: &str) -> Result<(), Error> {
        devices::add_alias(id, namespace, name)
    }
    fn count_devices(&self, labels: &[(String, String)]) -> u64 {
        devices::count(labels)
    }
    fn submit(&self, command: Submission) -> String {
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
        if let Some(attempts) = command.attempts {
            submission.attempts(attempts.max, attempts.backoff_ms, attempts.place);
        }
        executions::submit(submission)
    }
    fn execution(&self, id: &str) -> Option<Execution> {
        executions::get(id)
    }
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page {
        executions::query(what, after, limit)
    }
    fn executions_between(
        &self,
        what: &Selection,
        since: Option<u64>,
        before: Option<u64>,
        after: Option<&str>,
        limit: u32,
    ) -> Page {
        executions::query_between(what, since, before, after, limit)
    }
    fn execution_by_alias(&self, device: &str, alias: &str) -> Option<Execution> {
        executions::get_by_alias(device, alias)
    }
    fn open_executions(&self, device: &str) -> Vec<Execution> {
        executions::get_open(device)
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
    fn tell_for(&self, id: &str, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        executions::tell_for(id, what, attributes)
    }
    fn attempt_failed(&self, about: &Correlation, why: &Reason, attributes: &[(String, String)]) -> Result<(), Error> {
        executions::attempt_failed(about, why, attributes)
    }
    fn note(&self, id: &str, note: &str) -> Result<(), Error> {
        executions::note(id, note)
    }
    fn set_label(&self, id: &str, name: &str, value: &str) -> Result<(), Error> {
        executions::set_label(id, name, value)
    }
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error> {
        credentials::check_presented(account)
    }
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error> {
        credentials::verify_mac(steps)
    }
    fn check_password(&self, account: &str, password: &str) -> Result<Identity, Error> {
        credentials::check_password(account, password)
    }
    fn sign_jwt(&self, key: &str, read_as: Encoding, claims: &str) -> Result<String, Error> {
        credentials::sign_jwt(key, read_as, claims)
    }
    fn verify_jwt(&self, key: &str, read_as: Encoding, token: Option<&str>) -> Result<String, Error> {
        credentials::verify_jwt(key, read_as, token)
    }
    fn document(&self, collection: &str, key: &str) -> Option<Document> {
        documents::get(collection, key)
    }
    fn documents(
        &self,
        collection: &str,
        fields: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        documents::query(collection, fields, after, limit)
    }
    fn count_documents(&self, collection: &str, fields: &[(String, String)]) -> Result<u64, Error> {
        documents::count(collection, fields)
    }
    fn put_document(&self, collection: &str, key: &str, value: &str, revision: u64) -> Result<(), Error> {
        documents::put(collection, key, value, revision)
    }
    fn remove_document(&self, collection: &str, key: &str, revision: u64) -> Result<(), Error> {
        documents::remove(collection, key, revision)
    }
    fn next_number(&self, counter: &str) -> u64 {
        documents::next_number(counter)
    }
    fn session(&self, id: &str) -> Option<Session> {
        sessions::get(id)
    }
    fn subscriptions(&self, session: &str) -> Vec<Subscription> {
        sessions::subscriptions(session)
    }
    fn device_subscriptions(&self, device: &str) -> Option<Vec<Subscription>> {
        sessions::device_subscriptions(device)
    }
    fn notes(&self, session: &str) -> Option<String> {
        sessions::get_notes(session)
    }
    fn put_notes(&self, session: &str, notes: &str) -> Result<(), Error> {
        sessions::put_notes(session, notes)
    }
    fn set_policy(&self, session: &str, principal: Option<&str>, policy: &Policy) -> Result<(), Error> {
        sessions::set_policy(session, principal, policy)
    }
    fn follow(
        &self,
        session: &str,
        tag: &str,
        labels: &[(String, String)],
        start: &Start,
        limit: u32,
        live: bool,
    ) -> Result<(), Error> {
        sessions::follow(session, tag, labels, *start, limit, live)
    }
    fn unfollow(&self, session: &str, tag: Option<&str>) -> Result<(), Error> {
        sessions::unfollow(session, tag)
    }
    fn close(&self, session: &str) -> Result<(), Error> {
        sessions::close(session)
    }
    fn publish(&self, to: &Readers, message: &Message) -> Result<(), Error> {
        outbox::publish(to, message)
    }
    fn request(
        &self,
        target: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&str>,
    ) -> Result<(), Error> {
        outbox::request(target, method, path, headers, body)
    }
    fn emit(&self, event: &Event) -> Result<(), Error> {
        events::emit(event)
    }
    fn ask(&self, device: &str, question: &Question) {
        asks::ask(device, question);
    }
}
