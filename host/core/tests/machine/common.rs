//! Commands to test with, and short words for what comes out.

use dragoman_core::{
    Answer, Change, Correlation, DeviceId, Effect, Event, Execution, ExecutionId, HandOver, Input, Intent, Invocation,
    Limits, Machine, Options, Outcome, Overflow, Owner, Phase, Place, Planned, Reason, Reply, Report, Stage, State,
    Submission, WhenAway,
};
use std::collections::BTreeMap;

pub(crate) fn id(text: &str) -> ExecutionId {
    ExecutionId::new(text)
}

pub(crate) fn device(text: &str) -> DeviceId {
    DeviceId::new(text)
}

pub(crate) fn roomy() -> Limits {
    Limits { open_max: 1000, open_per_device_max: 100 }
}

pub(crate) fn options() -> Options {
    Options {
        ttl_ms: 10_000,
        succeeds_at: Stage::Ended,
        lowered: false,
        when_away: WhenAway::Queue,
        queue: "q".into(),
        window: Stage::Ended,
        device_window: Stage::Accepted,
        queue_limit: 10,
        overflow: Overflow::RefuseNewest,
        attempts: 3,
        backoff_ms: 0,
        failed_to: Place::Tail,
    }
}

/// A command for a device that holds its own session.
pub(crate) fn submission(name: &str, to: &str) -> Submission {
    Submission {
        id: id(name),
        device: device(to),
        holder: device(to),
        intent: intent(name),
        options: options(),
        origin: "globex".into(),
        alias: None,
        context: None,
        labels: Vec::new(),
        idempotency: None,
        prior: None,
        handler: None,
        owner: Owner { node: "one".into(), lease_until_ms: u64::MAX },
    }
}

/// The same for `lamp`, with other options.
pub(crate) fn with(name: &str, change: impl FnOnce(&mut Options)) -> Submission {
    let mut submission = submission(name, "lamp");
    change(&mut submission.options);
    submission
}

pub(crate) fn intent(action: &str) -> Intent {
    Intent::Invoke(Invocation { service: None, action: action.to_owned(), params: "null".to_owned() })
}

/// A plan with one message whose answer comes from `reporter` under `key`.
pub(crate) fn send(reporter: &str, key: &str) -> Planned {
    Planned::Send {
        frames: vec![intent("frame")],
        correlations: vec![Correlation { reporter: device(reporter), key: key.to_owned() }],
        answerable: true,
        handler_state: None,
        reply_within_ms: None,
        digests: vec![("acme-things".to_owned(), "d1".to_owned())],
    }
}

/// There is nothing to send, and this is the outcome.
pub(crate) fn done(outcome: Outcome) -> Planned {
    Planned::Done { outcome, digests: Vec::new() }
}

/// A plan on which no report can come.
pub(crate) fn without_answers() -> Planned {
    Planned::Send {
        frames: vec![intent("frame")],
        correlations: Vec::new(),
        answerable: false,
        handler_state: None,
        reply_within_ms: None,
        digests: Vec::new(),
    }
}

pub(crate) fn succeeded() -> Outcome {
    Outcome::Succeeded(Some("1".to_owned()))
}

pub(crate) fn failed() -> Outcome {
    Outcome::Failed(Reason::new("jammed", "the lock is jammed"))
}

pub(crate) fn rejected() -> Outcome {
    Outcome::Rejected(Reason::new("locked", "the device is locked"))
}

/// A machine with its time and everything it ever asked for and recorded.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) now_ms: u64,
    committed: BTreeMap<ExecutionId, Execution>,
}

impl Bench {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { machine: Machine::new(limits), now_ms: 1_000, committed: BTreeMap::new() }
    }

    pub(crate) fn apply(&mut self, input: Input) -> (Answer, Vec<Effect>) {
        let mut effects = Vec::new();
        let answer = self.machine.apply(self.now_ms, input, &mut effects);
        (answer, effects)
    }

    /// Applies what must be taken.
    pub(crate) fn take(&mut self, input: Input) -> Vec<Effect> {
        let text = format!("{input:?}");
        let (answer, effects) = self.apply(input);
        assert_eq!(answer, Answer::Taken, "{text}");
        effects
    }

    pub(crate) fn submit(&mut self, submission: Submission) -> Vec<Effect> {
        self.take(Input::Submit(Box::new(submission)))
    }

    pub(crate) fn online(&mut self, holder: &str) -> Vec<Effect> {
        self.take(Input::Presence { holder: device(holder), online: true })
    }

    pub(crate) fn offline(&mut self, holder: &str) -> Vec<Effect> {
        self.take(Input::Presence { holder: device(holder), online: false })
    }

    pub(crate) fn planned(&mut self, name: &str, attempt: u32, plan: Planned) -> Vec<Effect> {
        self.take(Input::Planned { id: id(name), attempt, plan })
    }

    pub(crate) fn handed_over(&mut self, name: &str, attempt: u32, result: HandOver) -> Vec<Effect> {
        self.take(Input::HandedOver { id: id(name), attempt, result })
    }

    pub(crate) fn lost(&mut self, name: &str, attempt: u32) -> Vec<Effect> {
        self.take(Input::Lost { id: id(name), attempt, why: "the session closed".to_owned() })
    }

    pub(crate) fn report(&mut self, by: &str, key: &str, report: Report) -> (Answer, Vec<Effect>) {
        self.apply(Input::Report { by: device(by), key: key.to_owned(), report, attributes: Vec::new() })
    }

    pub(crate) fn report_for(&mut self, name: &str, report: Report) -> (Answer, Vec<Effect>) {
        self.apply(Input::ReportFor { id: id(name), report, attributes: Vec::new() })
    }

    /// The dialect says that the attempt under that key failed.
    pub(crate) fn attempt_failed(&mut self, by: &str, key: &str) -> (Answer, Vec<Effect>) {
        let reason = Reason::new("nack", "the device did not acknowledge it");
        self.apply(Input::AttemptFailed { by: device(by), key: key.to_owned(), reason, attributes: Vec::new() })
    }

    /// The process stops, and a new one goes on with what was committed.
    pub(crate) fn restart(&mut self) -> Vec<Effect> {
        let mut kept = BTreeMap::new();
        for change in self.machine.drain_changes() {
            self.committed.insert(change.execution.id.clone(), Execution::clone(&change.execution));
        }
        kept.append(&mut self.committed);
        self.machine = Machine::new(roomy());
        for execution in kept.values() {
            self.machine.restore(execution.clone());
        }
        self.committed = kept;
        let mut effects = Vec::new();
        self.machine.recovered(self.now_ms, &mut effects);
        effects
    }

    pub(crate) fn record(&self, name: &str) -> &Execution {
        self.machine.get(&id(name)).expect("the execution is there")
    }

    pub(crate) fn events(&mut self, name: &str) -> Vec<Event> {
        let changes = self.machine.drain_changes();
        let change = changes.into_iter().find(|change| change.execution.id == id(name));
        change.map_or_else(Vec::new, |change| change.transitions.iter().map(|line| line.event).collect())
    }
}

pub(crate) fn plan_of(name: &str, attempt: u32) -> Effect {
    Effect::Plan { id: id(name), attempt }
}

pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Sent => "sent",
        State::Acked => "acked",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Rejected => "rejected",
        State::TimedOut => "timed-out",
        State::Canceled => "canceled",
    }
}

pub(crate) fn phase_word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Planning => "planning",
        Phase::Resuming(Reply::Outcome(_)) => "resuming",
        Phase::Resuming(Reply::Silence) => "resuming-silence",
        Phase::HandingOver => "handing-over",
        Phase::AwaitingReply => "awaiting-reply",
        Phase::Ended => "ended",
    }
}

pub(crate) fn effect_words(effect: &Effect) -> String {
    match effect {
        Effect::Plan { id, attempt } => format!("plan {id} {attempt}"),
        Effect::Resume { id, attempt, reply: Reply::Silence } => format!("resume {id} {attempt} silence"),
        Effect::Resume { id, attempt, reply: Reply::Outcome(outcome) } => {
            format!("resume {id} {attempt} {}", outcome_word(outcome))
        }
        Effect::Withdraw { id, attempt } => format!("withdraw {id} {attempt}"),
    }
}

pub(crate) fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded(_) => "succeeded",
        Outcome::Failed(_) => "failed",
        Outcome::Rejected(_) => "rejected",
    }
}

pub(crate) fn answer_word(answer: &Answer) -> String {
    match answer {
        Answer::Taken => "taken".to_owned(),
        Answer::Existing(id) => format!("existing {id}"),
        Answer::Refused(refusal) => format!("refused {}", refusal.code()),
        Answer::Late => "late".to_owned(),
        Answer::Stale => "stale".to_owned(),
        Answer::Denied => "denied".to_owned(),
    }
}

/// The lines of one execution's history after a version: events with their reason codes.
pub(crate) fn line_words(changes: &[Change], of: &ExecutionId, after: u64) -> String {
    let lines = changes.iter().filter(|change| change.execution.id == *of).flat_map(|change| &change.transitions);
    let words = lines.filter(|line| line.seq > after).map(|line| {
        let reason = line.reason.as_ref().map_or_else(String::new, |reason| format!("({})", reason.code));
        format!("{:?}{reason}", line.event).to_lowercase()
    });
    words.collect::<Vec<_>>().join(" ")
}
