//! What must be in the store after each append, kept beside it.

use crate::seed::Seed;
use crate::support::*;
use dragoman_core::{Execution, State, Transition};
use dragoman_store::{
    Backend, DeviceRecord, DocumentRecord, OutboxRow, PAGE_MAX, Position, Selection, StoreError, TransitionQuery, Write,
};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

/// The content of a store. The revision of one profile says after how many appends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub appends: u64,
    executions: BTreeMap<String, (Execution, Vec<Transition>)>,
    outbox: BTreeMap<u64, OutboxRow>,
    devices: BTreeMap<String, DeviceRecord>,
    /// The devices that were ever there, to look for those that must be gone.
    ever: BTreeSet<String>,
    documents: BTreeMap<String, DocumentRecord>,
    /// Counts the changes of executions.
    counter: u64,
    /// Every line of every history.
    lines: Vec<Position>,
    /// How far a dialect was told, which is a line that was written in the same append or before.
    cursor: Option<u64>,
}

/// The field by which documents are asked for.
const FIELD: (&str, &str) = ("notes", "state");

/// What is declared in each life.
pub fn indexes() -> Vec<(String, String)> {
    pairs(&[FIELD])
}

impl Model {
    /// Makes up the next append and takes it in.
    pub fn next(&mut self, seed: &mut Seed) -> Vec<Write> {
        self.appends += 1;
        let mut writes = vec![Write::Profile(profile("counter", "test", self.appends))];
        for _ in 0..=seed.below(3) {
            match seed.below(11) {
                0..=2 => writes.extend(self.submit(seed)),
                3..=6 => writes.extend(self.progress(seed)),
                7 => writes.extend(self.leave(seed)),
                8 => writes.extend(self.register(seed)),
                9 => writes.extend(self.unregister(seed)),
                _ => writes.extend(self.tell(seed)),
            }
        }
        writes
    }

    fn submit(&mut self, seed: &mut Seed) -> Vec<Write> {
        let name = format!("e{:04}", self.executions.len());
        // Some are larger than a page.
        let mut execution = labelled(execution(&name, "lamp"), &[("kind", "test")]);
        execution.context = Some("x".repeat(seed.below(9_000) as usize / (1 + 8 * seed.below(2) as usize)));
        let execution = correlated(execution, 1, "lamp", &name);
        let row = OutboxRow { execution: id(&name), ..message(self.appends * 10 + self.outbox.len() as u64, &name) };
        self.executions.insert(name.clone(), (execution.clone(), vec![line(1, State::Queued)]));
        self.outbox.insert(row.seq, row.clone());
        let mut writes = vec![put(execution), self.line(&name, 1), Write::OutboxPut(row)];
        writes.extend(self.note(&name, "queued", seed));
        writes
    }

    /// A line at the next position.
    fn line(&mut self, name: &str, seq: u64) -> Write {
        let position = self.lines.last().map_or(1, |(last, ..)| last + 1);
        self.lines.push((position, id(name), line(seq, State::Queued)));
        lines_at(position, name, [seq])
    }

    /// What a plugin keeps about an execution, written with it: a document with a number of its own, or none any more.
    fn note(&mut self, name: &str, state: &str, seed: &mut Seed) -> Vec<Write> {
        self.counter += 1;
        let number = counter("changes", self.counter);
        if state == "succeeded" {
            self.documents.remove(name);
            return vec![remove_document(FIELD.0, name), number];
        }
        let filling = "x".repeat(seed.below(3_000) as usize);
        let json = format!("{{\"state\":\"{state}\",\"number\":{},\"filling\":\"{filling}\"}}", self.counter);
        let revision = self.documents.get(name).map_or(1, |document| document.revision + 1);
        let record = document(FIELD.0, name, &json, revision);
        self.documents.insert(name.to_owned(), record.clone());
        vec![Write::Document(record), number]
    }

    fn tell(&mut self, seed: &mut Seed) -> Vec<Write> {
        let count = self.lines.len() as u64;
        let Some((position, ..)) = self.lines.get(seed.below(count.max(1)) as usize) else { return Vec::new() };
        self.cursor = self.cursor.max(Some(*position));
        self.cursor.map(cursor).into_iter().collect()
    }

    fn progress(&mut self, seed: &mut Seed) -> Vec<Write> {
        let count = self.executions.len() as u64;
        let Some((name, (execution, history))) = self.executions.iter_mut().nth(seed.below(count.max(1)) as usize)
        else {
            return Vec::new();
        };
        let (state, word) =
            [(State::Sent, "sent"), (State::Acked, "acked"), (State::Succeeded, "succeeded")][seed.below(3) as usize];
        if execution.state.is_final() {
            return Vec::new();
        }
        *execution = moved(execution.clone(), state, execution.updated_ms + 1);
        let seq = execution.version;
        history.push(line(seq, State::Queued));
        let (name, execution) = (name.clone(), execution.clone());
        let mut writes = vec![self.line(&name, seq), put(execution)];
        writes.extend(self.note(&name, word, seed));
        writes
    }

    fn leave(&mut self, seed: &mut Seed) -> Vec<Write> {
        let count = self.outbox.len() as u64;
        let Some(seq) = self.outbox.keys().copied().nth(seed.below(count.max(1)) as usize) else { return Vec::new() };
        self.outbox.remove(&seq);
        vec![Write::OutboxRemove(seq)]
    }

    fn register(&mut self, seed: &mut Seed) -> Vec<Write> {
        let name = format!("d{}", seed.below(12));
        let mut record = device(&name, &[("n", &format!("{name}-{}", seed.below(3)))]);
        record.labels = pairs(&[("round", ["a", "b"][seed.below(2) as usize])]);
        self.devices.insert(name.clone(), record.clone());
        self.ever.insert(name);
        vec![Write::Device(record)]
    }

    fn unregister(&mut self, seed: &mut Seed) -> Vec<Write> {
        let count = self.devices.len() as u64;
        let Some(name) = self.devices.keys().nth(seed.below(count.max(1)) as usize).cloned() else { return Vec::new() };
        self.devices.remove(&name);
        vec![Write::DeviceRemove(dev(&name))]
    }
}

/// After how many appends a store is, by its own account.
pub fn appends_in(store: &dyn Backend) -> Result<u64, StoreError> {
    Ok(store.profile(&dev("counter"), "test")?.map_or(0, |profile| profile.revision))
}

/// Whether the store holds just this, seen through every index. An error says what differs.
pub fn compare(store: &dyn Backend, model: &Model) -> Result<(), Box<dyn Error>> {
    let expect = |what: &str, same: bool| if same { Ok(()) } else { Err(format!("{what} differs")) };
    let count = model.executions.len() as u64;
    expect("the number of executions", store.count(&Selection::default(), u64::MAX)? == count)?;
    let labelled = Selection { labels: pairs(&[("kind", "test")]), ..Selection::default() };
    expect("the number of labels", store.count(&labelled, u64::MAX)? == count)?;
    for (name, (execution, history)) in &model.executions {
        expect(name, store.execution(&id(name))?.as_ref() == Some(execution))?;
        expect(&format!("history of {name}"), store.history(&id(name))? == *history)?;
        let found = store.by_correlation(&dev("lamp"), name)?;
        expect(&format!("correlation of {name}"), found == Some((id(name), 1)))?;
    }
    compare_notes(store, model)?;
    let mut open = Vec::new();
    store.load_open(&mut |execution| open.push(execution.id.to_string()))?;
    let still: Vec<&String> =
        model.executions.iter().filter(|(_, (e, _))| !e.state.is_final()).map(|(name, _)| name).collect();
    expect("what is open", open.iter().eq(still))?;
    expect("the outbox", store.outbox()?.iter().eq(model.outbox.values()))?;
    for name in &model.ever {
        expect(name, store.device(&dev(name))?.as_ref() == model.devices.get(name))?;
        for n in 0..3 {
            let alias = format!("{name}-{n}");
            let found = store.device_by_alias("n", &alias)?;
            let known = model.devices.get(name).filter(|record| record.aliases[0].1 == alias);
            expect(&alias, found.as_ref() == known)?;
        }
    }
    Ok(())
}

/// The same for what plugins keep and are told.
fn compare_notes(store: &dyn Backend, model: &Model) -> Result<(), Box<dyn Error>> {
    let expect = |what: &str, same: bool| if same { Ok(()) } else { Err(format!("{what} differs")) };
    let all = store.documents("globex", FIELD.0, &Vec::new(), None, PAGE_MAX)?;
    expect("the documents", all.iter().eq(model.documents.values()))?;
    for state in ["queued", "sent", "acked", "succeeded"] {
        let found = store.documents("globex", FIELD.0, &pairs(&[(FIELD.1, state)]), None, PAGE_MAX)?;
        let has_it = |document: &&DocumentRecord| document.json.starts_with(&format!("{{\"state\":\"{state}\""));
        expect(&format!("what is found by {state}"), found.iter().eq(model.documents.values().filter(has_it)))?;
    }
    for (name, document) in &model.documents {
        expect(name, store.document("globex", FIELD.0, name)?.as_ref() == Some(document))?;
    }
    expect("the counter", store.counter("globex", "changes")? == model.counter)?;
    expect("the cursor", store.cursor("globex")? == model.cursor)?;
    expect("the last position", store.last_position()? == model.lines.last().map_or(0, |(last, ..)| *last))?;
    let all = TransitionQuery {
        origin: "globex".into(),
        after: 0,
        up_to: None,
        since_ms: None,
        labels: Vec::new(),
        limit: PAGE_MAX,
    };
    expect("the lines by position", store.transitions(&all)? == model.lines)?;
    Ok(())
}
