//! What the gateway that a test made up answers.

use super::deeds::fault;
use super::lookup::page;
use super::{Deed, Fake, bounds};
use crate::refusal::is_host_code;
use crate::{
    Correlation, Device, Document, Encoding, Error, Event, Execution, Gateway, Identity, MacStep, Message, Outcome,
    Page, Policy, Question, Readers, Reason, Registration, Report, Selection, Session, Severity, Start, Submission,
    Subscription, Term, outcome,
};

impl Fake {
    fn reported(&self, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        if let Report::Ended(Outcome::Failed(reason) | Outcome::Rejected(reason)) = what {
            own_code(reason);
        }
        bounds::report(what, attributes)?;
        self.deeds.charge(bounds::report_bytes(what, attributes));
        Ok(())
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
        self.deeds.enter(1, "devices.get");
        self.devices.borrow().iter().find(|device| device.id == id).cloned()
    }
    fn resolve(&self, namespace: &str, name: &str) -> Option<Device> {
        self.deeds.enter(1, "devices.resolve");
        self.named(namespace, name)
    }
    fn devices(&self, labels: &[(String, String)], after: Option<&str>, limit: u32) -> Vec<Device> {
        self.deeds.enter(1, "devices.query");
        sure(bounds::attributes("labels of a query", labels));
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
        self.deeds.enter(1, "devices.create");
        bounds::registration(what)?;
        self.deeds.charge(bounds::registration_bytes(what));
        if let Some((namespace, name)) =
            what.aliases.iter().find(|(namespace, name)| self.named(namespace, name).is_some())
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
        self.deeds.enter(1, "devices.put-profile");
        bounds::json("a device's profile", profile)?;
        self.deeds.charge(profile.len());
        self.deeds.push(Deed::PutProfile(id.to_owned(), profile.to_owned(), revision));
        Ok(())
    }
    fn submit(&self, command: Submission) -> String {
        self.deeds.enter(bounds::submission_imports(&command), "executions.submit");
        self.deeds.charge(bounds::submission_bytes(&command));
        let id = self.new_id();
        self.deeds.push(match bounds::submission(&command) {
            Ok(()) => Deed::Submitted(id.clone(), Box::new(command)),
            Err(reason) => Deed::Refused(id.clone(), reason),
        });
        id
    }
    fn execution(&self, id: &str) -> Option<Execution> {
        self.deeds.enter(1, "executions.get");
        self.executions.iter().find(|execution| execution.id == id).cloned()
    }
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page {
        self.deeds.enter(1, "executions.query");
        query(what);
        page(&self.selected(what), after, limit)
    }
    fn count(&self, what: &Selection) -> u64 {
        self.deeds.enter(1, "executions.count");
        query(what);
        u64::try_from(self.selected(what).len()).unwrap_or(u64::MAX)
    }
    fn cancel(&self, id: &str) -> Result<(), Error> {
        self.deeds.enter(1, "executions.cancel");
        let execution = self.executions.iter().find(|execution| execution.id == id);
        let execution = execution.ok_or_else(|| Error::NotFound(id.to_owned()))?;
        if outcome::is_final(execution.state) {
            return Err(Error::Conflict(format!("execution {id} has ended")));
        }
        self.deeds.push(Deed::Canceled(id.to_owned()));
        Ok(())
    }
    fn tell(&self, about: &Correlation, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        self.deeds.enter(1, "executions.tell");
        bounds::name("a correlation key", &about.key)?;
        self.reported(what, attributes)?;
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.push(Deed::Told(about.clone(), what.clone(), attributes.to_vec()));
        Ok(())
    }
    fn check_presented(&self, account: Option<&str>) -> Result<Identity, Error> {
        self.deeds.enter(1, "credentials.check-presented");
        let presented = self.presented.as_ref().ok_or_else(|| Error::Denied("nothing was presented".to_owned()))?;
        let fits = |name: &str, secret: &str| secret == presented && account.is_none_or(|account| account == name);
        match self.accounts.iter().find(|(name, (secret, _))| fits(name, secret)) {
            Some((name, (_, rights))) => Ok(Identity { account: name.clone(), rights: rights.clone() }),
            None => Err(Error::Denied("it does not fit".to_owned())),
        }
    }
    fn verify_mac(&self, steps: &[MacStep]) -> Result<bool, Error> {
        self.deeds.enter(1, "credentials.verify-mac");
        self.mac_steps.borrow_mut().extend(steps.iter().cloned());
        let is_account = |term: &Term| matches!(term, Term::Secret(_));
        let names_account = steps.iter().any(|step| is_account(&step.key) || step.data.iter().any(is_account));
        match (&self.mac, &self.presented) {
            (Some(answer), _) => answer.clone(),
            (None, _) if names_account => Err(Error::NotFound("no such account".to_owned())),
            (None, None) => Err(Error::Denied("nothing was presented".to_owned())),
            (None, Some(_)) => Ok(false),
        }
    }
    fn update_device(&self, id: &str, what: &Registration, revision: u64) -> Result<(), Error> {
        self.deeds.enter(1, "devices.update");
        bounds::registration(what)?;
        self.deeds.charge(bounds::registration_bytes(what));
        let mut devices = self.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        if device.revision != revision {
            return Err(Error::Conflict(format!("{id} is at revision {}, not {revision}", device.revision)));
        }
        device.revision += 1;
        device.profile = Some(what.profile.clone());
        device.handler.clone_from(&what.handler);
        device.parent.clone_from(&what.parent);
        device.aliases.clone_from(&what.aliases);
        device.labels.clone_from(&what.labels);
        self.deeds.push(Deed::UpdatedDevice(id.to_owned(), what.clone()));
        Ok(())
    }
    fn remove_device(&self, id: &str) -> Result<(), Error> {
        self.deeds.enter(1, "devices.remove");
        let mut devices = self.devices.borrow_mut();
        let place = devices.iter().position(|device| device.id == id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        devices.remove(place);
        self.deeds.push(Deed::RemovedDevice(id.to_owned()));
        Ok(())
    }
    fn add_alias(&self, id: &str, namespace: &str, name: &str) -> Result<(), Error> {
        self.deeds.enter(1, "devices.add-alias");
        bounds::name("an alias's namespace", namespace)?;
        bounds::name("an alias", name)?;
        if self.named(namespace, name).is_some() {
            return Err(Error::Conflict(format!("{namespace} {name} is taken")));
        }
        let mut devices = self.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        device.aliases.push((namespace.to_owned(), name.to_owned()));
        Ok(())
    }
    fn count_devices(&self, labels: &[(String, String)]) -> u64 {
        self.deeds.enter(1, "devices.count");
        sure(bounds::attributes("labels of a query", labels));
        let carries = |device: &&Device| labels.iter().all(|label| device.labels.contains(label));
        u64::try_from(self.devices.borrow().iter().filter(carries).count()).unwrap_or(u64::MAX)
    }
    fn executions_between(
        &self,
        what: &Selection,
        since: Option<u64>,
        before: Option<u64>,
        after: Option<&str>,
        limit: u32,
    ) -> Page {
        self.deeds.enter(1, "executions.query-between");
        query(what);
        let all: Vec<_> = self
            .selected(what)
            .into_iter()
            .filter(|execution| since.is_none_or(|since| execution.created_ms >= since))
            .filter(|execution| before.is_none_or(|before| execution.created_ms < before))
            .collect();
        page(&all, after, limit)
    }
    fn execution_by_alias(&self, device: &str, alias: &str) -> Option<Execution> {
        self.deeds.enter(1, "executions.get-by-alias");
        let is_it = |execution: &&Execution| execution.device == device && execution.alias.as_deref() == Some(alias);
        self.executions.iter().find(is_it).cloned()
    }
    fn open_executions(&self, device: &str) -> Vec<Execution> {
        self.deeds.enter(1, "executions.get-open");
        let is_it = |execution: &&Execution| execution.device == device && !outcome::is_final(execution.state);
        self.executions.iter().filter(is_it).cloned().collect()
    }
    fn tell_for(&self, id: &str, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        self.deeds.enter(1, "executions.tell-for");
        self.reported(what, attributes)?;
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.push(Deed::ToldFor(id.to_owned(), what.clone(), attributes.to_vec()));
        Ok(())
    }
    fn attempt_failed(&self, about: &Correlation, why: &Reason, attributes: &[(String, String)]) -> Result<(), Error> {
        self.deeds.enter(1, "executions.attempt-failed");
        own_code(why);
        bounds::name("a correlation key", &about.key)?;
        bounds::reason(why)?;
        bounds::attributes("attributes of a report", attributes)?;
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.push(Deed::AttemptFailed(about.clone(), why.clone(), attributes.to_vec()));
        Ok(())
    }
    fn note(&self, id: &str, note: &str) -> Result<(), Error> {
        self.deeds.enter(1, "executions.note");
        bounds::json("a note", note)?;
        self.deeds.charge(note.len());
        self.deeds.push(Deed::Noted(id.to_owned(), note.to_owned()));
        Ok(())
    }
    fn set_label(&self, id: &str, name: &str, value: &str) -> Result<(), Error> {
        self.deeds.enter(1, "executions.set-label");
        bounds::label(name, value)?;
        self.deeds.push(Deed::Labelled(id.to_owned(), name.to_owned(), value.to_owned()));
        Ok(())
    }
    fn check_password(&self, account: &str, password: &str) -> Result<Identity, Error> {
        self.deeds.enter(1, "credentials.check-password");
        match self.accounts.get(account) {
            Some((secret, rights)) if secret == password => {
                Ok(Identity { account: account.to_owned(), rights: rights.clone() })
            }
            _ => Err(Error::Denied("it does not fit".to_owned())),
        }
    }
    fn sign_jwt(&self, key: &str, _: Encoding, claims: &str) -> Result<String, Error> {
        self.deeds.enter(1, "credentials.sign-jwt");
        bounds::json("the claims of a token", claims)?;
        if !self.accounts.contains_key(key) {
            return Err(Error::NotFound(format!("no account {key}")));
        }
        Ok(format!("jwt:{key}:{claims}"))
    }
    fn verify_jwt(&self, key: &str, _: Encoding, token: Option<&str>) -> Result<String, Error> {
        self.deeds.enter(1, "credentials.verify-jwt");
        let denied = || Error::Denied("no token of this key".to_owned());
        let token = token.or(self.presented.as_deref()).ok_or_else(denied)?;
        token.strip_prefix(&format!("jwt:{key}:")).map(str::to_owned).ok_or_else(denied)
    }
    fn document(&self, collection: &str, key: &str) -> Option<Document> {
        self.deeds.enter(1, "documents.get");
        self.documents.borrow().get(&(collection.to_owned(), key.to_owned())).cloned()
    }
    fn documents(
        &self,
        collection: &str,
        fields: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        self.deeds.enter(1, "documents.query");
        bounds::document_name(collection, "-")?;
        bounds::attributes("fields of a query", fields)?;
        let limit = usize::try_from(limit.min(1_000)).unwrap_or(1_000);
        let mut found = self.found_documents(collection, fields)?;
        found.retain(|document| after.is_none_or(|after| document.key.as_str() > after));
        found.truncate(limit);
        Ok(found)
    }
    fn count_documents(&self, collection: &str, fields: &[(String, String)]) -> Result<u64, Error> {
        self.deeds.enter(1, "documents.count");
        bounds::document_name(collection, "-")?;
        bounds::attributes("fields of a query", fields)?;
        Ok(u64::try_from(self.found_documents(collection, fields)?.len()).unwrap_or(u64::MAX))
    }
    fn put_document(&self, collection: &str, key: &str, value: &str, revision: u64) -> Result<(), Error> {
        self.deeds.enter(1, "documents.put");
        bounds::document(collection, key, value)?;
        self.deeds.charge(value.len());
        let mut documents = self.documents.borrow_mut();
        let place = (collection.to_owned(), key.to_owned());
        let newest = documents.get(&place).map_or(0, |document| document.revision);
        if newest != revision {
            return Err(Error::Conflict(format!("{collection} {key} is at revision {newest}, not {revision}")));
        }
        let document = Document { key: key.to_owned(), value: value.to_owned(), revision: revision + 1 };
        documents.insert(place, document);
        Ok(())
    }
    fn remove_document(&self, collection: &str, key: &str, revision: u64) -> Result<(), Error> {
        self.deeds.enter(1, "documents.remove");
        bounds::document_name(collection, key)?;
        let mut documents = self.documents.borrow_mut();
        let place = (collection.to_owned(), key.to_owned());
        match documents.get(&place) {
            None => Err(Error::NotFound(format!("{collection} {key}"))),
            Some(document) if document.revision != revision => {
                Err(Error::Conflict(format!("{collection} {key} is at revision {}", document.revision)))
            }
            Some(_) => {
                documents.remove(&place);
                Ok(())
            }
        }
    }
    fn next_number(&self, counter: &str) -> u64 {
        self.deeds.enter(1, "documents.next-number");
        sure(bounds::counter(counter));
        let mut counters = self.counters.borrow_mut();
        let value = counters.entry(counter.to_owned()).or_default();
        *value += 1;
        *value
    }
    fn session(&self, id: &str) -> Option<Session> {
        self.deeds.enter(1, "sessions.get");
        self.sessions.borrow().get(id).map(|(session, _)| session.clone())
    }
    fn subscriptions(&self, session: &str) -> Vec<Subscription> {
        self.deeds.enter(1, "sessions.subscriptions");
        self.sessions.borrow().get(session).map(|(_, subscriptions)| subscriptions.clone()).unwrap_or_default()
    }
    fn device_subscriptions(&self, device: &str) -> Option<Vec<Subscription>> {
        self.deeds.enter(1, "sessions.device-subscriptions");
        self.device_subscriptions.get(device).cloned()
    }
    fn notes(&self, session: &str) -> Option<String> {
        self.deeds.enter(1, "sessions.get-notes");
        self.notes.borrow().get(session).cloned()
    }
    fn put_notes(&self, session: &str, notes: &str) -> Result<(), Error> {
        self.deeds.enter(1, "sessions.put-notes");
        bounds::notes(notes)?;
        self.deeds.charge(notes.len());
        self.notes.borrow_mut().insert(session.to_owned(), notes.to_owned());
        Ok(())
    }
    fn set_policy(&self, session: &str, principal: Option<&str>, policy: &Policy) -> Result<(), Error> {
        self.deeds.enter(1, "sessions.set-policy");
        bounds::policy(policy)?;
        let deed = Deed::SetPolicy(session.to_owned(), principal.map(str::to_owned), policy.clone());
        self.deeds.push(deed);
        Ok(())
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
        self.deeds.enter(1, "sessions.follow");
        bounds::replay(tag, labels, limit)?;
        let deed = Deed::Followed(session.to_owned(), tag.to_owned(), labels.to_vec(), *start, limit, live);
        self.deeds.push(deed);
        Ok(())
    }
    fn unfollow(&self, session: &str, tag: Option<&str>) -> Result<(), Error> {
        self.deeds.enter(1, "sessions.unfollow");
        self.deeds.push(Deed::Unfollowed(session.to_owned(), tag.map(str::to_owned)));
        Ok(())
    }
    fn close(&self, session: &str) -> Result<(), Error> {
        self.deeds.enter(1, "sessions.close");
        self.deeds.push(Deed::Closed(session.to_owned()));
        Ok(())
    }
    fn publish(&self, to: &Readers, message: &Message) -> Result<(), Error> {
        self.deeds.enter(1, "outbox.publish");
        bounds::message(message)?;
        self.deeds.charge(bounds::message_bytes(message));
        self.deeds.push(Deed::Published(to.clone(), message.clone()));
        Ok(())
    }
    fn request(
        &self,
        target: &str,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<&str>,
    ) -> Result<(), Error> {
        self.deeds.enter(1, "outbox.request");
        if !self.targets.iter().any(|known| known == target) {
            return Err(Error::NotFound(format!("no target {target} is configured")));
        }
        bounds::request(method, path, headers, body)?;
        self.deeds.charge(path.len() + bounds::attributes_bytes(headers) + body.map_or(0, str::len));
        let deed = Deed::Requested(
            target.to_owned(),
            method.to_owned(),
            path.to_owned(),
            headers.to_vec(),
            body.map(str::to_owned),
        );
        self.deeds.push(deed);
        Ok(())
    }
    fn emit(&self, event: &Event) -> Result<(), Error> {
        self.deeds.enter(1, "events.emit");
        bounds::event(event)?;
        self.deeds.charge(bounds::event_bytes(event));
        self.deeds.push(Deed::Emitted(event.clone()));
        Ok(())
    }
    fn ask(&self, device: &str, question: &Question) {
        self.deeds.enter(1, "asks.ask");
        sure(bounds::question(question));
        self.deeds.charge(bounds::question_bytes(question));
        self.deeds.push(Deed::Asked(device.to_owned(), question.clone()));
    }
}

/// What is looked for among executions fits, or the call is a fault.
fn query(what: &Selection) {
    sure(bounds::selection(what));
}

/// For imports that have no error to answer with.
fn sure(checked: bounds::Checked) {
    if let Err(error) = checked {
        fault(outcome::error_text(&error));
    }
}

/// Codes that begin with `$` are the gateway's.
fn own_code(reason: &Reason) {
    if is_host_code(&reason.code) {
        fault(&format!("it used the reason code `{:.100}`", reason.code));
    }
}
