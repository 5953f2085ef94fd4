//! The one place where state changes: apply, append, then act.
//!
//! A turn applies inputs to the machine, appends what changed to the journal and queues what must be done about it,
//! all under one lock, so that memory, log and work have the same order. Plugin calls that follow may begin at once on
//! the applied state; whatever leaves the process first waits for [`Journal::committed`] with the turn's sequence
//! number. The lock is never held over an await, and nothing in a turn blocks.

use super::clock::Clock;
use super::waits::{Reached, Waits};
use dragoman_core::{
    Answer, Change, Effect, Execution, ExecutionId, HandOver, Input, Limits, Machine, Message, Planned, Stage,
    Transition,
};
use dragoman_store::{Durability, Journal, OutboxRow, Seq, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use tokio::sync::{Notify, oneshot, watch};

/// A message that a dispatch wants sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Only if the session subscribed to the topic.
    pub subscribed_only: bool,
    /// What to send.
    pub message: Message,
}

/// One thing that a turn applies.
#[derive(Debug)]
pub enum Step {
    /// Something happened.
    Input(Input),
    /// The plugins planned an attempt, with these messages.
    Dispatch { id: ExecutionId, attempt: u32, plan: Planned, messages: Vec<Outgoing> },
    /// A row that the machine does not know: of the registry, of a session, of the outbox.
    Write(Write),
    /// An execution that has ended, with lines that came later. The machine does not know it any more.
    Amend { execution: Arc<Execution>, lines: Vec<Transition> },
}

/// What a turn came to.
#[derive(Debug)]
pub struct Turn {
    /// Of each step, in order; [`Answer::Taken`] for rows.
    pub answers: Vec<Answer>,
    /// For each submission, in order, that was taken and is open: what tells when it got as far as was asked.
    pub reached: Vec<Option<oneshot::Receiver<Reached>>>,
    /// What covers everything the turn changed or saw.
    pub seq: Seq,
}

/// The journal can no longer be written: the daemon is stopping, because memory must not run ahead of a dead disk.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store cannot be written, so the daemon is stopping: {0}")]
pub struct Stopped(pub String);

/// Does what turns ask for. Called under the engine's lock, so it must only queue.
pub trait Actions: Send + Sync + 'static {
    /// What the machine wants done about an execution as it stands now. Called under the engine's lock, so nothing may
    /// wait here.
    fn act(&self, effect: Effect, execution: &Execution);
    /// Messages to hand to the broker once `seq` is committed.
    fn release(&self, rows: Vec<OutboxRow>, seq: Seq);
    /// Lines that a history grew by, the first of them at this position; positions rise from call to call.
    fn grew(&self, execution: &Arc<Execution>, lines: &[Transition], position: u64);
}

/// The single writer of execution state.
pub struct Engine {
    state: Mutex<State>,
    journal: Journal,
    durability: Durability,
    clock: Clock,
    actions: OnceLock<Weak<dyn Actions>>,
    deadline_moved: Notify,
    stopped: watch::Sender<Option<String>>,
}

struct State {
    machine: Machine,
    waits: Waits,
    outbox_seq: u64,
    /// Of the newest line of any history.
    position: u64,
    last: Seq,
    /// When the deadline keeper wakes by itself, in milliseconds since 1970.
    wakes_ms: u64,
}

impl Engine {
    /// An engine over an opened journal, with nothing open.
    pub fn new(journal: Journal, limits: Limits, durability: Durability) -> Self {
        Self {
            durability,
            state: Mutex::new(State {
                machine: Machine::new(limits),
                waits: Waits::default(),
                outbox_seq: 0,
                position: 0,
                last: Seq::default(),
                wakes_ms: u64::MAX,
            }),
            journal,
            clock: Clock::new(),
            actions: OnceLock::new(),
            deadline_moved: Notify::new(),
            stopped: watch::Sender::new(None),
        }
    }

    /// Names who does what turns ask for. Once, before the first turn.
    pub fn attach(&self, actions: Weak<dyn Actions>) {
        if self.actions.set(actions).is_err() {
            tracing::error!("the engine was attached twice; this is a bug in the daemon, please report it");
        }
    }

    /// The daemon's clock.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// What everything durable goes through.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Becomes `Some` when the journal failed and the daemon must stop.
    pub fn stopped(&self) -> watch::Receiver<Option<String>> {
        self.stopped.subscribe()
    }

    /// Takes over what was open when the process stopped. Before the first turn.
    pub fn restore(&self, execution: Execution) {
        self.lock().machine.restore(execution);
    }

    /// Numbers of outbox rows go on behind this one.
    pub fn outbox_continues_after(&self, seq: u64) {
        let mut state = self.lock();
        state.outbox_seq = state.outbox_seq.max(seq);
    }

    /// Positions of lines go on behind this one.
    pub fn positions_continue_after(&self, position: u64) {
        let mut state = self.lock();
        state.position = state.position.max(position);
    }

    /// The position of the newest line of any history.
    pub fn position(&self) -> u64 {
        self.lock().position
    }

    /// Goes on with what was restored, and hands over what an earlier run left in the outbox, in order: what is planned
    /// anew comes behind it. In one piece, for a delivery looks whether the machine still wants it.
    pub fn recovered(&self, rows: &[OutboxRow]) -> Result<(), Stopped> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let mut effects = Vec::new();
        state.machine.recovered(now_ms, &mut effects);
        if let Some(actions) = self.actions.get().and_then(Weak::upgrade) {
            for attempt in rows.chunk_by(|a, b| a.execution == b.execution && a.attempt == b.attempt) {
                actions.release(attempt.to_vec(), state.last);
            }
        }
        self.conclude(&mut state, Pending { effects, ..Pending::default() }).map(drop)
    }

    /// Applies steps in order, all or (when the journal is dead) none of them visibly; what stands behind a dispatch that
    /// is not taken is not applied and has no answer. With `until`, registers a caller for every submission.
    pub fn turn(&self, steps: Vec<Step>, until: Option<Stage>) -> Result<Turn, Stopped> {
        let now_ms = self.now_ms();
        let mut state = self.lock();
        let mut answers = Vec::with_capacity(steps.len());
        let mut reached = Vec::new();
        let mut pending = Pending::default();
        let Pending { effects, writes, rows, amended } = &mut pending;
        for step in steps {
            let answer = match step {
                Step::Write(write) => {
                    writes.push(write);
                    Answer::Taken
                }
                Step::Amend { execution, lines } => {
                    amended.push(Change { execution, transitions: lines });
                    Answer::Taken
                }
                Step::Input(Input::Submit(submission)) => {
                    let id = submission.id.clone();
                    let answer = state.machine.apply(now_ms, Input::Submit(submission), effects);
                    let stands = match &answer {
                        Answer::Taken => Some(&id),
                        Answer::Existing(id) => Some(id),
                        _ => None,
                    };
                    let State { machine, waits, .. } = &mut *state;
                    let execution = stands.and_then(|id| machine.get(id));
                    reached.push(until.zip(execution).map(|(until, execution)| waits.register(execution, until)));
                    answer
                }
                Step::Input(input) => state.machine.apply(now_ms, input, effects),
                Step::Dispatch { id, attempt, plan, messages } => {
                    let is_sent = matches!(plan, Planned::Send { .. });
                    let input = Input::Planned { id: id.clone(), attempt, plan };
                    let answer = state.machine.apply(now_ms, input, effects);
                    if answer != Answer::Taken {
                        // What else its call wrote was for an attempt that is not wanted any more.
                        answers.push(answer);
                        break;
                    }
                    if is_sent && messages.is_empty() {
                        // The plugin published what there was to publish, so there is nothing to hand over.
                        let result = HandOver::Accepted { receipts: 0 };
                        state.machine.apply(now_ms, Input::HandedOver { id, attempt, result }, effects);
                    } else {
                        rows.extend(outbox_rows(&mut state, &id, attempt, messages));
                    }
                    answer
                }
            };
            answers.push(answer);
        }
        let seq = self.conclude(&mut state, pending)?;
        Ok(Turn { answers, reached, seq })
    }

    /// An open execution, or one that the current turn ended.
    pub fn open_execution(&self, id: &ExecutionId) -> Option<Arc<Execution>> {
        self.lock().machine.get(id).cloned()
    }

    /// What tells when an open execution got that far; none where it is not open.
    pub fn wait_for(&self, id: &ExecutionId, until: Stage) -> Option<oneshot::Receiver<Reached>> {
        let mut state = self.lock();
        let State { machine, waits, .. } = &mut *state;
        machine.get(id).map(|execution| waits.register(execution, until))
    }

    /// Looks at the machine, in one piece and without waiting.
    pub fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.lock().machine)
    }

    /// What covers everything that was read until now.
    pub fn horizon(&self) -> Seq {
        self.lock().last
    }

    /// Counts what was appended to the journal past the engine, so that later answers wait for it too.
    pub fn also_covers(&self, seq: Seq) {
        let mut state = self.lock();
        state.last = state.last.max(seq);
    }

    /// Waits until everything up to there is durable.
    pub async fn committed(&self, seq: Seq) -> Result<(), Stopped> {
        self.journal.committed(seq).await.map_err(|error| self.stop(&error))
    }

    /// Waits until the disk has caught up enough for new work. What is under way goes on without asking: its appends
    /// are few for each command, and the journal's own bound lies far above this one.
    pub async fn has_room(&self) -> Result<(), Stopped> {
        while self.journal.pending() > NEW_WORK_PENDING_MAX {
            self.committed(self.horizon()).await?;
        }
        Ok(())
    }

    /// Applies deadlines as they come due, until the engine is stopped.
    pub async fn keep_deadlines(&self) {
        loop {
            let moved = self.deadline_moved.notified();
            let due_ms = {
                let mut state = self.lock();
                let due_ms = state.machine.next_deadline_ms();
                state.wakes_ms = due_ms.unwrap_or(u64::MAX);
                due_ms
            };
            let now_ms = self.now_ms();
            match due_ms {
                Some(due_ms) if due_ms <= now_ms => {
                    // A tick ends so many at most; the rest stays due, and the disk keeps up in between.
                    let ticked = self.turn(vec![Step::Input(Input::Tick)], None);
                    if ticked.is_err() || self.has_room().await.is_err() {
                        return;
                    }
                    // A deadline that a tick does not clear must not become a busy loop.
                    tokio::task::yield_now().await;
                }
                Some(due_ms) => {
                    let wait = std::time::Duration::from_millis((due_ms - now_ms).min(LONGEST_SLEEP_MS));
                    tokio::select! { () = moved => {}, () = tokio::time::sleep(wait) => {} }
                }
                None => moved.await,
            }
        }
    }

    /// Appends what changed, tells who waits, and queues what must be done. The order of the three does not show, for
    /// the lock is held throughout.
    fn conclude(&self, state: &mut State, pending: Pending) -> Result<Seq, Stopped> {
        let Pending { effects, mut writes, rows, amended } = pending;
        let effects: Vec<(Effect, Arc<Execution>)> = effects
            .into_iter()
            .filter_map(|effect| {
                let execution = state.machine.get(effect_id(&effect)).cloned();
                execution.map(|execution| (effect, execution))
            })
            .collect();
        let changes = state.machine.drain_changes();
        writes.reserve((changes.len() + amended.len()) * 2 + rows.len());
        let mut grown = Vec::new();
        for Change { execution, transitions } in changes.iter().chain(&amended) {
            writes.push(Write::Execution(execution.clone()));
            if !transitions.is_empty() {
                let position = state.position + 1;
                state.position += u64::try_from(transitions.len()).unwrap_or(u64::MAX);
                let lines = transitions.clone();
                writes.push(Write::Transitions { id: execution.id.clone(), position, lines });
                grown.push((execution, transitions, position));
            }
        }
        writes.extend(rows.iter().cloned().map(Write::OutboxPut));
        if !writes.is_empty() {
            // Who writes a device holds the registry's lock and has looked up its names.
            let appended = self.journal.append_vouched(writes, self.durability);
            state.last = state.last.max(appended.map_err(|error| self.stop(&error))?);
        }
        for change in &changes {
            state.waits.changed(&change.execution);
        }
        if let Some(actions) = self.actions.get().and_then(Weak::upgrade) {
            for (effect, execution) in effects {
                actions.act(effect, &execution);
            }
            for (execution, lines, position) in grown {
                actions.grew(execution, lines, position);
            }
            if !rows.is_empty() {
                actions.release(rows, state.last);
            }
        }
        if state.machine.next_deadline_ms().is_some_and(|due_ms| due_ms < state.wakes_ms) {
            self.deadline_moved.notify_one();
        }
        Ok(state.last)
    }

    fn stop(&self, error: &dyn std::error::Error) -> Stopped {
        let text = error.to_string();
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            if first {
                tracing::error!(error = %text, "the store cannot be written; the daemon stops and recovers at its next start");
                *stopped = Some(text.clone());
            }
            first
        });
        Stopped(text)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic inside a turn is a bug of the machine; going on with what it left is no worse than stopping here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the steps of a turn left to do.
#[derive(Default)]
struct Pending {
    effects: Vec<Effect>,
    writes: Vec<Write>,
    rows: Vec<OutboxRow>,
    amended: Vec<Change>,
}

/// Writes that may wait for the disk before new commands and messages wait too.
const NEW_WORK_PENDING_MAX: usize = 16_384;

/// The wall clock may be set while a long sleep is under way, so none is longer than this.
const LONGEST_SLEEP_MS: u64 = 1_000;

fn effect_id(effect: &Effect) -> &ExecutionId {
    match effect {
        Effect::Plan { id, .. } | Effect::Resume { id, .. } | Effect::Withdraw { id, .. } => id,
    }
}

fn outbox_rows(state: &mut State, id: &ExecutionId, attempt: u32, messages: Vec<Outgoing>) -> Vec<OutboxRow> {
    let State { machine, outbox_seq, .. } = state;
    let Some(execution) = machine.get(id) else { return Vec::new() };
    messages
        .into_iter()
        .zip(0..)
        .map(|(outgoing, index)| {
            *outbox_seq += 1;
            OutboxRow {
                seq: *outbox_seq,
                execution: id.clone(),
                attempt,
                index,
                to_device: execution.holder.clone(),
                subscribed_only: outgoing.subscribed_only,
                message: outgoing.message,
                expires_ms: execution.deadline_ms,
            }
        })
        .collect()
}
