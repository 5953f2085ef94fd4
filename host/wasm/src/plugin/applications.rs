//! What a dialect is asked on its application side: requests, application topics, and what came of them.

use super::Plugin;
use crate::access::Export;
use crate::context::CallContext;
use crate::convert;
use crate::error::{CallError, Fault};
use crate::state::About;
use crate::unit::Role;
use crate::words::{Answer, Decision, Request, Response, Settlement, Wait};
use crate::writes::Done;
use dragoman_core::{Message, Session};

impl Plugin {
    /// `northbound.handle-request`.
    pub async fn handle_request(&self, call: CallContext, request: &Request) -> Result<Done<Decision>, CallError> {
        let export = Export::HandleRequest;
        self.guarded(export, async {
            let role = self.unit.northbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let asked = convert::request(request, call.presented.as_ref());
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result = deadline.run(async { role.of(live)?.call_handle_request(&mut live.store, &asked).await });
            let result = result.await;
            let decision = convert::decision(active.answered(result)?);
            self.bounds().decision(&decision, active.must_wait())?;
            Ok(active.done(decision))
        })
        .await
    }

    /// `northbound.settled`. The settlements in the order of the submissions.
    pub async fn settled(
        &self,
        call: CallContext,
        context: &str,
        settlements: &[Settlement],
    ) -> Result<Done<Response>, CallError> {
        let export = Export::Settled;
        self.guarded(export, async {
            let role = self.unit.northbound.as_ref().ok_or(Fault::NoSuchExport)?;
            let context = context.to_owned();
            let settlements: Vec<_> = settlements.iter().map(|one| convert::settlement(one, self.name())).collect();
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_settled(&mut live.store, &context, &settlements).await });
            let result = result.await;
            let response = convert::response(active.answered(result)?);
            self.bounds().response(&response)?;
            Ok(active.done(response))
        })
        .await
    }

    /// `topics.handle-message`. None: the call submitted and asked nothing.
    pub async fn topics_message(
        &self,
        call: CallContext,
        session: &Session,
        message: &Message,
    ) -> Result<Done<Option<Wait>>, CallError> {
        let export = Export::TopicsMessage;
        self.guarded(export, async {
            let role = self.unit.topics.as_ref().ok_or(Fault::NoSuchExport)?;
            let mut active = self.begin_spoken(export, call, session).await?;
            let (session, message) = (convert::session(session), convert::message_to_wit(message));
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_handle_message(&mut live.store, &session, &message).await });
            let result = result.await;
            let wait = active.answered(result)?.map(convert::wait);
            self.bounds().wait_option(wait.as_ref(), active.must_wait())?;
            Ok(active.done(wait))
        })
        .await
    }

    /// `topics.settled`. The settlements in the order of the submissions.
    pub async fn topics_settled(
        &self,
        call: CallContext,
        context: &str,
        settlements: &[Settlement],
    ) -> Result<Done<()>, CallError> {
        let export = Export::TopicsSettled;
        self.guarded(export, async {
            let role = self.unit.topics.as_ref().ok_or(Fault::NoSuchExport)?;
            let context = context.to_owned();
            let settlements: Vec<_> = settlements.iter().map(|one| convert::settlement(one, self.name())).collect();
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_settled(&mut live.store, &context, &settlements).await });
            let result = result.await;
            active.answered(result)?;
            Ok(active.done(()))
        })
        .await
    }

    /// `answers.answered`. The answers in the order of the questions; none: nobody waits for a response.
    pub async fn answered(
        &self,
        call: CallContext,
        context: &str,
        answers: &[Answer],
    ) -> Result<Done<Option<Decision>>, CallError> {
        let export = Export::Answered;
        self.guarded(export, async {
            let role = self.unit.answers.as_ref().ok_or(Fault::NoSuchExport)?;
            let context = context.to_owned();
            let answers: Vec<_> = answers.iter().map(convert::answer).collect();
            let mut active = self.begin(export, call, About::default()).await?;
            let deadline = active.deadline();
            let live = active.live();
            let result =
                deadline.run(async { role.of(live)?.call_answered(&mut live.store, &context, &answers).await });
            let result = result.await;
            let decision = active.answered(result)?.map(convert::decision);
            self.bounds().decision_option(decision.as_ref(), active.must_wait())?;
            Ok(active.done(decision))
        })
        .await
    }
}
