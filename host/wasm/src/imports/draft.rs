//! `executions.submission`: a command to be. No method fails; the first thing found wrong is kept, and told to
//! `northbound.settled` as a refusal.

use crate::access::Import;
use crate::bindings::dragoman::gateway::{executions, types};
use crate::check::{self, Checked};
use crate::convert;
use crate::error::Fault;
use crate::state::State;
use crate::writes::{Attempts, Submit};
use dragoman_core::{Delivery, DeviceId, ExecutionId, Intent, Place, Reason, Stage, WhenAway};
use wasmtime::component::Resource;

pub(super) const DEVICE_UNKNOWN: &str = "$UNKNOWN_DEVICE";
const ATTEMPTS_MAX: u32 = 1000;
const TTL_MIN_MS: u32 = 1000;
const TTL_MAX_MS: u32 = 49 * 24 * 60 * 60 * 1000;

/// A submission that a plugin is building.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, inside this crate")]
pub struct Draft {
    pub(super) submit: Box<Submit>,
}

impl executions::HostSubmission for State {
    fn new(&mut self, device: String, intent: types::Intent) -> wasmtime::Result<Resource<Draft>> {
        self.call.enter(Import::Submission)?;
        let max = self.call.facts.options.submissions_max;
        self.drafts += 1;
        if self.drafts > max {
            return Err(Fault::Output(format!("it holds more than {max} submissions at once")).into());
        }
        let intent = convert::intent(intent);
        self.call.charge(device.len() + intent_bytes(&intent))?;
        let checked = self.call.facts.bounds.intent(&intent);
        let mut draft = Draft {
            submit: Box::new(Submit {
                id: ExecutionId::new(""),
                device: DeviceId::new(device),
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
                refused: None,
            }),
        };
        draft.note(checked);
        Ok(self.table.push(draft)?)
    }

    fn alias(&mut self, draft: Resource<Draft>, id: String) -> wasmtime::Result<()> {
        let checked = check::name("the alias of a command", &id);
        self.set(&draft, id.len(), checked, |submit| submit.alias = Some(id))
    }

    fn idempotency_key(&mut self, draft: Resource<Draft>, key: String) -> wasmtime::Result<()> {
        let checked = check::name("an idempotency key", &key);
        self.set(&draft, key.len(), checked, |submit| submit.idempotency_key = Some(key))
    }

    fn context(&mut self, draft: Resource<Draft>, context: String) -> wasmtime::Result<()> {
        let checked = self.call.facts.bounds.json("the context of a command", &context);
        self.set(&draft, context.len(), checked, |submit| submit.context = Some(context))
    }

    fn label(&mut self, draft: Resource<Draft>, name: String, value: String) -> wasmtime::Result<()> {
        let labels = self.table.get(&draft)?.submit.labels.len();
        let checked = check::label(&name, &value)
            .and_then(|()| check::count("labels of a command", labels + 1, 0, check::LABELS_MAX));
        self.set(&draft, name.len() + value.len(), checked, |submit| submit.labels.push((name, value)))
    }

    fn ttl(&mut self, draft: Resource<Draft>, ttl_ms: u32) -> wasmtime::Result<()> {
        let checked = if (TTL_MIN_MS..=TTL_MAX_MS).contains(&ttl_ms) {
            Ok(())
        } else {
            Err(Fault::DoesNotFit(format!("a time to live of {ttl_ms} ms is not between 1 s and 49 days")))
        };
        self.set(&draft, 0, checked, |submit| submit.ttl_ms = Some(ttl_ms))
    }

    fn succeeds_at(&mut self, draft: Resource<Draft>, stage: types::Stage) -> wasmtime::Result<()> {
        let stage = convert::stage(stage);
        let checked = match stage {
            Stage::Acked | Stage::Ended => Ok(()),
            Stage::Accepted | Stage::Sent => {
                Err(Fault::DoesNotFit("a command succeeds when it is acked or ended, not before".into()))
            }
        };
        self.set(&draft, 0, checked, |submit| submit.succeeds_at = Some(stage))
    }

    fn when_away(&mut self, draft: Resource<Draft>, what: executions::WhenAway) -> wasmtime::Result<()> {
        let what = match what {
            executions::WhenAway::Fail => WhenAway::Fail,
            executions::WhenAway::Queue => WhenAway::Queue,
        };
        self.set(&draft, 0, Ok(()), |submit| submit.when_away = Some(what))
    }

    fn queue(&mut self, draft: Resource<Draft>, name: String) -> wasmtime::Result<()> {
        let checked = if self.call.facts.queues.iter().any(|queue| **queue == *name) {
            Ok(())
        } else {
            Err(Fault::DoesNotFit(format!("the dialect describes no queue `{name:.100}`")))
        };
        self.set(&draft, name.len(), checked, |submit| submit.queue = Some(name))
    }

    fn attempts(
        &mut self,
        draft: Resource<Draft>,
        max: u32,
        backoff_ms: u32,
        place: executions::Place,
    ) -> wasmtime::Result<()> {
        let checked = if !(1..=ATTEMPTS_MAX).contains(&max) {
            Err(Fault::DoesNotFit(format!("{max} attempts are not between 1 and {ATTEMPTS_MAX}")))
        } else if backoff_ms > TTL_MAX_MS {
            Err(Fault::DoesNotFit(format!("a backoff of {backoff_ms} ms is longer than 49 days")))
        } else {
            Ok(())
        };
        let place = match place {
            executions::Place::Head => Place::Head,
            executions::Place::Tail => Place::Tail,
        };
        self.set(&draft, 0, checked, |submit| submit.attempts = Some(Attempts { max, backoff_ms, place }))
    }

    fn drop(&mut self, draft: Resource<Draft>) -> wasmtime::Result<()> {
        self.table.delete(draft)?;
        self.drafts = self.drafts.saturating_sub(1);
        Ok(())
    }
}

impl State {
    /// Sets one option, where it is well formed; else the command will be refused.
    fn set(
        &mut self,
        draft: &Resource<Draft>,
        bytes: usize,
        checked: Checked,
        set: impl FnOnce(&mut Submit),
    ) -> wasmtime::Result<()> {
        self.call.enter(Import::Submission)?;
        self.call.charge(bytes)?;
        let draft = self.table.get_mut(draft)?;
        if checked.is_ok() {
            set(&mut draft.submit);
        }
        draft.note(checked);
        Ok(())
    }
}

impl Draft {
    fn note(&mut self, checked: Checked) {
        let Err(fault) = checked else { return };
        let code = if matches!(fault, Fault::Output(_)) { "$LIMIT" } else { "$INVALID" };
        self.submit.refused.get_or_insert_with(|| Reason::new(code, fault.to_string()));
    }
}

/// What keeping an intent costs, in bytes.
pub(super) fn intent_bytes(intent: &Intent) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match intent {
        Intent::Invoke(one) => length(&one.service) + one.action.len() + one.params.len(),
        Intent::Write(all) => all.iter().map(|one| length(&one.service) + one.name.len() + one.value.len()).sum(),
        Intent::Read(all) => all.iter().map(|one| length(&one.service) + one.name.len()).sum(),
        Intent::Deliver(one) => delivery_bytes(one),
    }
}

/// What keeping a delivery costs, in bytes.
pub(super) fn delivery_bytes(one: &Delivery) -> usize {
    let name = one.name.as_ref().map_or(0, String::len);
    name + one.payload.as_bytes().len() + check::attributes_bytes(&one.attributes)
}
