//! What must be in the store after each append, kept beside it.

use crate::seed::Seed;
use crate::support::*;
use dragoman_core::{Execution, State, Transition};
use dragoman_store::{Backend, DeviceRecord, OutboxRow, Selection, StoreError, Write};
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
}

impl Model {
    /// Makes up the next append and takes it in.
    pub fn next(&mut self, seed: &mut Seed) -> Vec<Write> {
        self.appends += 1;
        let mut writes = vec![Write::Profile(profile("counter", "test", self.appends))];
        for _ in 0..=seed.below(3) {
            match seed.below(10) {
                0..=2 => writes.extend(self.submit(seed)),
                3..=6 => writes.extend(self.progress(seed)),
                7 => writes.extend(self.leave(seed)),
                8 => writes.extend(self.register(seed)),
                _ => writes.extend(self.unregister(seed)),
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
        vec![put(execution), lines(&name, [1]), Write::OutboxPut(row)]
    }

    fn progress(&mut self, seed: &mut Seed) -> Vec<Write> {
        let count = self.executions.len() as u64;
        let Some((name, (execution, history))) = self.executions.iter_mut().nth(seed.below(count.max(1)) as usize)
        else {
            return Vec::new();
        };
        let state = [State::Sent, State::Acked, State::Succeeded][seed.below(3) as usize];
        if execution.state.is_final() {
            return Vec::new();
        }
        *execution = moved(execution.clone(), state, execution.updated_ms + 1);
        let seq = execution.version;
        history.push(line(seq, State::Queued));
        vec![lines(name, [seq]), put(execution.clone())]
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
