//! What a dialect is told after the commit.

use super::Plugin;
use crate::access::Export;
use crate::context::CallContext;
use crate::convert;
use crate::error::{CallError, Fault};
use crate::state::About;
use crate::unit::Role;
use crate::words::{Decoded, DeviceEvent, Follower};
use crate::writes::Done;
use dragoman_core::{Execution, Transition};

impl Plugin {
    /// `notifications.on-transitions`. With followers it is a replay for them.
    pub async fn on_transitions(
        &self,
        call: CallContext,
        execution: &Execution,
        transitions: &[Transition],
        position: u64,
        followers: &[Follower],
    ) -> Result<Done<()>, CallError> {
        let export = Export::OnTransitions;
        self.guarded(export, async {
            let role = self.unit.notifications.as_ref().ok_or(Fault::NoSuchExport)?;
            let execution = convert::execution(execution, self.name());
            let transitions: Vec<_> = transitions.iter().map(convert::transition).collect();
            let followers: Vec<_> = followers.iter().map(convert::follower).collect();
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline.run(async {
                role.of(live)?
                    .call_on_transitions(&mut live.store, &execution, &transitions, position, &followers)
                    .await
            });
            let result = result.await;
            active.answered(result)?;
            Ok(active.done(()))
        })
        .await
    }

    /// `notifications.on-event`.
    pub async fn on_event(
        &self,
        call: CallContext,
        event: &DeviceEvent,
        decoded: Option<&Decoded>,
    ) -> Result<Done<()>, CallError> {
        let export = Export::OnEvent;
        self.guarded(export, async {
            let role = self.unit.notifications.as_ref().ok_or(Fault::NoSuchExport)?;
            let (event, decoded) = (convert::event_to_wit(event), decoded.map(convert::decoded_to_wit));
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_on_event(&mut live.store, &event, decoded.as_ref()).await });
            let result = result.await;
            active.answered(result)?;
            Ok(active.done(()))
        })
        .await
    }
}
