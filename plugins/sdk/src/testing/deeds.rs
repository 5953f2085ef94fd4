//! What a plugin did, and what one call of it may do at most.

use crate::{
    Attributes, Correlation, Event, Message, Policy, Question, Readers, Reason, Registration, Report, Start, Submission,
};
use std::cell::{Cell, Ref, RefCell};

/// Imports of one call that read or write something of the gateway; clock, ids, settings and log are free.
const CALLS_MAX: usize = 1_000;
/// Commands that one call may submit.
const SUBMISSIONS_MAX: usize = 256;
/// Questions that one call may ask.
const QUESTIONS_MAX: usize = 1_000;
/// Everything that one call writes, in bytes.
const WRITES_MAX_BYTES: usize = 16 << 20;

/// What a plugin did that the gateway would have carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// It submitted this command; the id it was given.
    Submitted(String, Box<Submission>),
    /// It submitted what the gateway does not take, and `settled` is told why; the id it was given.
    Refused(String, Reason),
    /// It ended an execution as canceled.
    Canceled(String),
    /// It reported about a correlation.
    Told(Correlation, Report, Attributes),
    /// It vouched for a report about an execution.
    ToldFor(String, Report, Attributes),
    /// It said that an attempt came to nothing.
    AttemptFailed(Correlation, Reason, Attributes),
    /// It added to the history of an execution.
    Noted(String, String),
    /// It labelled an execution.
    Labelled(String, String, String),
    /// It wrote its record about a device.
    PutProfile(String, String, u64),
    /// It changed the record of a device.
    UpdatedDevice(String, Registration),
    /// It removed a device.
    RemovedDevice(String),
    /// It published a message that is no dispatch.
    Published(Readers, Message),
    /// It asked for an HTTP request: target, method, path, headers, body.
    Requested(String, String, String, Attributes, Option<String>),
    /// It told what a device said.
    Emitted(Event),
    /// It asked a device's handler.
    Asked(String, Question),
    /// It changed what a session may do.
    SetPolicy(String, Option<String>, Policy),
    /// It asked for a replay: session, tag, labels, start, limit, live.
    Followed(String, String, Attributes, Start, u32, bool),
    /// It ended a replay.
    Unfollowed(String, Option<String>),
    /// It closed a session.
    Closed(String),
}

/// What the plugin did, in order, within the budget of a call (`host_calls_max` and the like, as they are unless
/// configured). The gateway ends a call that goes past its budget as a fault; here the test fails.
#[derive(Debug, Default)]
pub struct Deeds {
    all: RefCell<Vec<Deed>>,
    calls: Cell<usize>,
    submissions: Cell<usize>,
    questions: Cell<usize>,
    written_bytes: Cell<usize>,
}

impl Deeds {
    /// What was done since the last look, and forgets it. What the plugin does next counts as another call.
    pub fn take(&self) -> Vec<Deed> {
        self.next_call();
        self.all.take()
    }

    /// What was done since the last [`Deeds::take`].
    pub fn borrow(&self) -> Ref<'_, Vec<Deed>> {
        self.all.borrow()
    }

    /// What the plugin does next counts as another call, with a budget of its own.
    pub fn next_call(&self) {
        for counter in [&self.calls, &self.submissions, &self.questions, &self.written_bytes] {
            counter.set(0);
        }
    }

    /// Counts imports, the last of which is that one.
    pub(super) fn enter(&self, imports: usize, last: &str) {
        spend(&self.calls, imports, CALLS_MAX, &format!("calls of the gateway, the last one of `{last}`"));
    }

    /// Counts what is written, in bytes.
    pub(super) fn charge(&self, bytes: usize) {
        spend(&self.written_bytes, bytes, WRITES_MAX_BYTES, "bytes that are written");
    }

    pub(super) fn push(&self, deed: Deed) {
        match &deed {
            Deed::Submitted(..) | Deed::Refused(..) => spend(&self.submissions, 1, SUBMISSIONS_MAX, "submissions"),
            Deed::Asked(..) => spend(&self.questions, 1, QUESTIONS_MAX, "questions"),
            _ => {}
        }
        self.all.borrow_mut().push(deed);
    }
}

fn spend(counter: &Cell<usize>, amount: usize, max: usize, what: &str) {
    counter.set(counter.get().saturating_add(amount));
    if counter.get() > max {
        fault(&format!("more than {max} {what}"));
    }
}

/// Fails the test over what the gateway would not let a call survive.
#[allow(clippy::panic, reason = "a failed assertion of a test")]
pub(super) fn fault(why: &str) -> ! {
    panic!("the gateway would end this call of the plugin as a fault: {why}");
}
