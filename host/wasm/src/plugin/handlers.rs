//! What a handler is asked. It is pure, so nothing that it wrote comes back.

use super::Plugin;
use crate::access::Export;
use crate::context::CallContext;
use crate::convert;
use crate::error::{CallError, Fault, GuestError};
use crate::reads::DeviceView;
use crate::state::About;
use crate::unit::Role;
use crate::words::{Decoded, Direction, HandlerCommand, Step};
use dragoman_core::{Delivery, Intent, Reason, Reply};

impl Plugin {
    /// `handler.commands`.
    pub async fn handler_commands(&self, call: CallContext) -> Result<Vec<HandlerCommand>, CallError> {
        let export = Export::Commands;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline.run(async { role.of(live)?.call_commands(&mut live.store).await }).await;
            let commands = convert::handler_commands(active.returned(result)?);
            self.bounds().handler_commands(&commands)?;
            Ok(active.done(commands).value)
        })
        .await
    }

    /// `handler.start`.
    pub async fn handler_start(
        &self,
        call: CallContext,
        device: &DeviceView,
        intent: &Intent,
    ) -> Result<Step, CallError> {
        let export = Export::Start;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let (device, intent) = (convert::device(device), convert::intent_to_wit(intent));
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline.run(async { role.of(live)?.call_start(&mut live.store, &device, &intent).await });
            let result = result.await;
            let step = convert::step(active.answered(result)?);
            self.bounds().step(&step)?;
            Ok(active.done(step).value)
        })
        .await
    }

    /// `handler.resume`, with the state that the step before left.
    pub async fn handler_resume(
        &self,
        call: CallContext,
        device: &DeviceView,
        intent: &Intent,
        state: &str,
        reply: &Reply,
    ) -> Result<Step, CallError> {
        let export = Export::Resume;
        self.guarded(export, async {
            let role = self.unit.handler.as_ref().ok_or(Fault::NoSuchExport)?;
            let (device, intent) = (convert::device(device), convert::intent_to_wit(intent));
            let (state, reply) = (state.to_owned(), convert::reply_to_wit(reply));
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline
                .run(async { role.of(live)?.call_resume(&mut live.store, &device, &intent, &state, &reply).await });
            let result = result.await;
            let step = convert::step(active.answered(result)?);
            self.bounds().step(&step)?;
            Ok(active.done(step).value)
        })
        .await
    }

    /// `decoder.decode`. What means nothing is an answer, with the code `$UNDECODABLE`.
    pub async fn decode(
        &self,
        call: CallContext,
        device: &DeviceView,
        direction: Direction,
        what: &Delivery,
    ) -> Result<Result<Decoded, Reason>, CallError> {
        let export = Export::Decode;
        self.guarded(export, async {
            let role = self.unit.decoder.as_ref().ok_or(Fault::NoSuchExport)?;
            let device = convert::device(device);
            let (direction, what) = convert::to_decode(direction, what);
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_decode(&mut live.store, &device, direction, &what).await });
            let result = result.await;
            let decoded = match active.answered(result) {
                Ok(decoded) => Ok(convert::decoded(decoded)),
                Err(Fault::Guest(GuestError::Invalid(text))) => Err(Reason::new("$UNDECODABLE", text)),
                Err(fault) => return Err(fault),
            };
            if let Ok(decoded) = &decoded {
                self.bounds().decoded(decoded)?;
            }
            Ok(active.done(decoded).value)
        })
        .await
    }
}
