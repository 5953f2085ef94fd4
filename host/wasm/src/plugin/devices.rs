//! What a dialect is asked on its device side: who may connect, attempts, messages and subscriptions.

use super::Plugin;
use crate::access::Export;
use crate::check::Bounds;
use crate::context::CallContext;
use crate::convert;
use crate::error::{CallError, Fault};
use crate::reads::DeviceView;
use crate::state::About;
use crate::unit::Role;
use crate::words::{Attempt, Dispatched, SubscriptionVerdict, Verdict};
use crate::writes::Done;
use dragoman_core::{Execution, Message, Session, Subscription};

impl Plugin {
    /// `admission.authenticate`. `clean`: the client asked for a clean start.
    pub async fn authenticate(
        &self,
        call: CallContext,
        session: &Session,
        keep_alive_s: u16,
        clean: bool,
    ) -> Result<Done<Verdict>, CallError> {
        let export = Export::Authenticate;
        self.guarded(export, async {
            let role = self.unit.admission.as_ref().ok_or(Fault::NoSuchExport)?;
            let about = About { admitting: Some(session.id.clone()), ..About::default() };
            let session = convert::session(session);
            let mut active = self.begin(export, call, about).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline
                .run(async { role.of(live)?.call_authenticate(&mut live.store, &session, keep_alive_s, clean).await });
            let result = result.await;
            let verdict = convert::verdict(active.answered(result)?, self.name());
            self.bounds().verdict(&verdict)?;
            Ok(active.done(verdict))
        })
        .await
    }

    /// `southbound.dispatch`.
    pub async fn dispatch(
        &self,
        call: CallContext,
        device: &DeviceView,
        execution: &Execution,
        attempt: Attempt<'_>,
    ) -> Result<Done<Dispatched>, CallError> {
        let export = Export::Dispatch;
        self.guarded(export, async {
            let role = self.unit.southbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let execution = convert::attempt(execution, self.name(), attempt);
            let mut active = self.begin(export, call, About::default()).await?;
            active.state().call.memo.know_device(device);
            let device = convert::device(device);
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_dispatch(&mut live.store, &device, &execution).await });
            let result = result.await;
            let dispatched = convert::dispatched(active.answered(result)?);
            self.bounds().dispatched(&dispatched)?;
            Ok(active.done(dispatched))
        })
        .await
    }

    /// `southbound.handle-message`.
    pub async fn southbound_message(
        &self,
        call: CallContext,
        session: &Session,
        message: &Message,
    ) -> Result<Done<()>, CallError> {
        let export = Export::SouthboundMessage;
        self.guarded(export, async {
            let role = self.unit.southbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin_spoken(export, call, session).await?;
            let (session, message) = (convert::session(session), convert::message_to_wit(message));
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_handle_message(&mut live.store, &session, &message).await });
            let result = result.await;
            active.answered(result)?;
            Ok(active.done(()))
        })
        .await
    }

    /// `subscriptions.on-subscribe`.
    pub async fn on_subscribe(
        &self,
        call: CallContext,
        session: &Session,
        asked: &Subscription,
    ) -> Result<Done<SubscriptionVerdict>, CallError> {
        let export = Export::OnSubscribe;
        self.guarded(export, async {
            let role = self.unit.subscriptions.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin_spoken(export, call, session).await?;
            let (session, asked) = (convert::session(session), convert::subscription(asked));
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_on_subscribe(&mut live.store, &session, &asked).await });
            let result = result.await;
            let verdict = convert::subscription_verdict(active.answered(result)?);
            Bounds::subscription(&verdict)?;
            Ok(active.done(verdict))
        })
        .await
    }
}
