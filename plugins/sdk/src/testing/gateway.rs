//! What the gateway that a test made up answers.

use super::{Deed, Fake};
use crate::{
    Correlation, Device, Document, Encoding, Error, Event, Execution, Gateway, Identity, MacStep, Message, Page,
    Policy, Question, Readers, Reason, Registration, Report, Selection, Session, Severity, Start, Submission,
    Subscription, outcome,
};

impl Fake {
    fn found_documents(&self, collection: &str, fields: &[(String, String)]) -> Result<Vec<Document>, Error> {
        if let Some((field, _)) =
            fields.iter().find(|(field, _)| !self.indexes.contains(&format!("{collection}.{field}")))
        {
            return Err(Error::Invalid(format!("{collection}.{field} is not declared as an index")));
        }
        let documents = self.documents.borrow();
        let fits = |document: &Document| {
            let value: serde_json::Value = serde_json::from_str(&document.value).unwrap_or_default();
            fields.iter().all(|(field, wanted)| match value.get(field) {
                Some(serde_json::Value::String(text)) => text == wanted,
                Some(other) => format!("{other}") == *wanted,
                None => false,
            })
        };
        let of_it = documents.iter().filter(|((of, _), _)| of == collection).map(|(_, document)| document.clone());
        Ok(of_it.filter(fits).collect())
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
    fn submit(&self, command: Submission) -> String {
        let id = self.new_id();
        self.deeds.borrow_mut().push(Deed::Submitted(id.clone(), Box::new(command)));
        id
    }
    fn execution(&self, id: &str) -> Option<Execution> {
        self.executions.iter().find(|execution| execution.id == id).cloned()
    }
    fn executions(&self, what: &Selection, after: Option<&str>, limit: u32) -> Page {
        page(&self.selected(what), after, limit)
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
    fn update_device(&self, id: &str, what: &Registration, revision: u64) -> Result<(), Error> {
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
        self.deeds.borrow_mut().push(Deed::UpdatedDevice(id.to_owned(), what.clone()));
        Ok(())
    }
    fn remove_device(&self, id: &str) -> Result<(), Error> {
        let mut devices = self.devices.borrow_mut();
        let place = devices.iter().position(|device| device.id == id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        devices.remove(place);
        self.deeds.borrow_mut().push(Deed::RemovedDevice(id.to_owned()));
        Ok(())
    }
    fn add_alias(&self, id: &str, namespace: &str, name: &str) -> Result<(), Error> {
        if self.resolve(namespace, name).is_some() {
            return Err(Error::Conflict(format!("{namespace} {name} is taken")));
        }
        let mut devices = self.devices.borrow_mut();
        let device = devices.iter_mut().find(|device| device.id == id).ok_or_else(|| Error::NotFound(id.to_owned()))?;
        device.aliases.push((namespace.to_owned(), name.to_owned()));
        Ok(())
    }
    fn count_devices(&self, labels: &[(String, String)]) -> u64 {
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
        let all: Vec<_> = self
            .selected(what)
            .into_iter()
            .filter(|execution| since.is_none_or(|since| execution.created_ms >= since))
            .filter(|execution| before.is_none_or(|before| execution.created_ms < before))
            .collect();
        page(&all, after, limit)
    }
    fn execution_by_alias(&self, device: &str, alias: &str) -> Option<Execution> {
        let is_it = |execution: &&Execution| execution.device == device && execution.alias.as_deref() == Some(alias);
        self.executions.iter().find(is_it).cloned()
    }
    fn open_executions(&self, device: &str) -> Vec<Execution> {
        let is_it = |execution: &&Execution| execution.device == device && !outcome::is_final(execution.state);
        self.executions.iter().filter(is_it).cloned().collect()
    }
    fn tell_for(&self, id: &str, what: &Report, attributes: &[(String, String)]) -> Result<(), Error> {
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.borrow_mut().push(Deed::ToldFor(id.to_owned(), what.clone(), attributes.to_vec()));
        Ok(())
    }
    fn attempt_failed(&self, about: &Correlation, why: &Reason, attributes: &[(String, String)]) -> Result<(), Error> {
        if let Some(error) = &self.tell_error {
            return Err(error.clone());
        }
        self.deeds.borrow_mut().push(Deed::AttemptFailed(about.clone(), why.clone(), attributes.to_vec()));
        Ok(())
    }
    fn note(&self, id: &str, note: &str) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Noted(id.to_owned(), note.to_owned()));
        Ok(())
    }
    fn set_label(&self, id: &str, name: &str, value: &str) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Labelled(id.to_owned(), name.to_owned(), value.to_owned()));
        Ok(())
    }
    fn check_password(&self, account: &str, password: &str) -> Result<Identity, Error> {
        match self.accounts.get(account) {
            Some((secret, rights)) if secret == password => {
                Ok(Identity { account: account.to_owned(), rights: rights.clone() })
            }
            _ => Err(Error::Denied("it does not fit".to_owned())),
        }
    }
    fn sign_jwt(&self, key: &str, _: Encoding, claims: &str) -> Result<String, Error> {
        if !self.accounts.contains_key(key) {
            return Err(Error::NotFound(format!("no account {key}")));
        }
        Ok(format!("jwt:{key}:{claims}"))
    }
    fn verify_jwt(&self, key: &str, _: Encoding, token: Option<&str>) -> Result<String, Error> {
        let denied = || Error::Denied("no token of this key".to_owned());
        let token = token.or(self.presented.as_deref()).ok_or_else(denied)?;
        token.strip_prefix(&format!("jwt:{key}:")).map(str::to_owned).ok_or_else(denied)
    }
    fn document(&self, collection: &str, key: &str) -> Option<Document> {
        self.documents.borrow().get(&(collection.to_owned(), key.to_owned())).cloned()
    }
    fn documents(
        &self,
        collection: &str,
        fields: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Document>, Error> {
        let limit = usize::try_from(limit.min(1_000)).unwrap_or(1_000);
        let mut found = self.found_documents(collection, fields)?;
        found.retain(|document| after.is_none_or(|after| document.key.as_str() > after));
        found.truncate(limit);
        Ok(found)
    }
    fn count_documents(&self, collection: &str, fields: &[(String, String)]) -> Result<u64, Error> {
        Ok(u64::try_from(self.found_documents(collection, fields)?.len()).unwrap_or(u64::MAX))
    }
    fn put_document(&self, collection: &str, key: &str, value: &str, revision: u64) -> Result<(), Error> {
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
        let mut counters = self.counters.borrow_mut();
        let value = counters.entry(counter.to_owned()).or_default();
        *value += 1;
        *value
    }
    fn session(&self, id: &str) -> Option<Session> {
        self.sessions.borrow().get(id).map(|(session, _)| session.clone())
    }
    fn subscriptions(&self, session: &str) -> Vec<Subscription> {
        self.sessions.borrow().get(session).map(|(_, subscriptions)| subscriptions.clone()).unwrap_or_default()
    }
    fn device_subscriptions(&self, device: &str) -> Option<Vec<Subscription>> {
        self.device_subscriptions.get(device).cloned()
    }
    fn notes(&self, session: &str) -> Option<String> {
        self.notes.borrow().get(session).cloned()
    }
    fn put_notes(&self, session: &str, notes: &str) -> Result<(), Error> {
        self.notes.borrow_mut().insert(session.to_owned(), notes.to_owned());
        Ok(())
    }
    fn set_policy(&self, session: &str, principal: Option<&str>, policy: &Policy) -> Result<(), Error> {
        let deed = Deed::SetPolicy(session.to_owned(), principal.map(str::to_owned), policy.clone());
        self.deeds.borrow_mut().push(deed);
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
        let deed = Deed::Followed(session.to_owned(), tag.to_owned(), labels.to_vec(), *start, limit, live);
        self.deeds.borrow_mut().push(deed);
        Ok(())
    }
    fn unfollow(&self, session: &str, tag: Option<&str>) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Unfollowed(session.to_owned(), tag.map(str::to_owned)));
        Ok(())
    }
    fn close(&self, session: &str) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Closed(session.to_owned()));
        Ok(())
    }
    fn publish(&self, to: &Readers, message: &Message) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Published(to.clone(), message.clone()));
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
        if !self.targets.iter().any(|known| known == target) {
            return Err(Error::NotFound(format!("no target {target} is configured")));
        }
        let deed = Deed::Requested(
            target.to_owned(),
            method.to_owned(),
            path.to_owned(),
            headers.to_vec(),
            body.map(str::to_owned),
        );
        self.deeds.borrow_mut().push(deed);
        Ok(())
    }
    fn emit(&self, event: &Event) -> Result<(), Error> {
        self.deeds.borrow_mut().push(Deed::Emitted(event.clone()));
        Ok(())
    }
    fn ask(&self, device: &str, question: &Question) {
        self.deeds.borrow_mut().push(Deed::Asked(device.to_owned(), question.clone()));
    }
}

/// A page of those, behind a cursor that counts them.
fn page(all: &[&Execution], after: Option<&str>, limit: u32) -> Page {
    let from = after.and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<_> = all.iter().skip(from).take(limit).map(|execution| (*execution).clone()).collect();
    let next = from + items.len();
    Page { items, next: (next < all.len()).then(|| next.to_string()) }
}
