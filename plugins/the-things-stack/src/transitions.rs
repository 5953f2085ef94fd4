//! `down/queued`, `sent`, `ack`, `nack` and `failed`: what happens to a downlink, each once and in order.

use crate::context::Context;
use crate::downlink::{ConfirmedRetry, Downlink};
use crate::error::Details;
use crate::failure;
use crate::ids::{EndDeviceIds, Uid};
use crate::settings::Settings;
use crate::up::{self, Kind, Up};
use dragoman_plugin_sdk::refusal::Refusal;
use dragoman_plugin_sdk::{Error, Execution, Gateway, Reason, State, Transition, attribute, json, outcome};
use serde::Serialize;

/// The lines of a history that applications hear of.
pub(crate) const EVENTS: [&str; 4] = ["queued", "acked", "attempt-failed", "ended"];

/// Label of an execution with the attempt of which `down/sent` was told, so that it is told once: the gateway tells
/// transitions in several calls, and what a device says may come before the receipt of its network.
const TOLD_SENT: &str = "tts.told-sent";

/// One message about a downlink.
#[derive(Clone, Debug, PartialEq)]
struct Told<'a> {
    kind: Kind,
    of: &'a Transition,
}

#[derive(Serialize)]
struct Failed {
    downlink: Downlink,
    error: Details,
}

/// Publishes what the transitions mean to the application.
pub(crate) fn on_transitions(
    gateway: &impl Gateway,
    execution: &Execution,
    transitions: &[Transition],
) -> Result<(), Error> {
    let Some(context) = execution.context.as_deref().and_then(|text| json::parse_object::<Context>(text).ok()) else {
        return Ok(());
    };
    let Some(uid) = Uid::parse(&context.uid) else { return Ok(()) };
    let before = told_sent(gateway, execution, transitions);
    let (told, sent) = tell(transitions, context.downlink.confirmed, before);
    if told.is_empty() {
        return Ok(());
    }
    let settings = Settings::read(gateway)?;
    let device = gateway.device(&execution.device);
    for Told { kind, of } in told {
        let said = said(execution, of);
        let downlink = shown(&context.downlink, kind, of, said);
        let mut correlation_ids = downlink.correlation_ids.clone();
        correlation_ids.extend(said.iter().filter(|(n, _)| n == "lorawan.correlation-id").map(|(_, id)| id.clone()));
        let body = match kind {
            Kind::Failed => {
                let error = failure::of_end(of.state, why(execution, of), of.attempt).details(gateway);
                up::body(&Failed { downlink, error })?
            }
            _ => up::body(&downlink)?,
        };
        let ids = EndDeviceIds::new(&uid, &context.device_id, device.as_ref(), said);
        let up = Up { kind, ids, correlation_ids, received_at_ms: of.at_ms, body, simulated: false };
        up::publish(gateway, &settings, &uid, &context.device_id, up)?;
    }
    // After the end nothing more is told, so nothing needs to be remembered.
    let is_over = transitions.iter().any(|of| of.event == "ended");
    match sent {
        Some(attempt) if sent != before && !is_over => {
            gateway.set_label(&execution.id, TOLD_SENT, &attempt.to_string())
        }
        _ => Ok(()),
    }
}

/// The attempt of which `down/sent` has been told, where that matters: by the newest record, for the one that comes with
/// the transitions may be older than the label.
fn told_sent(gateway: &impl Gateway, execution: &Execution, transitions: &[Transition]) -> Option<u32> {
    if !transitions.iter().any(|of| matches!(of.event.as_str(), "acked" | "ended")) {
        return None;
    }
    let newest = gateway.execution(&execution.id);
    attribute(&newest.as_ref().unwrap_or(execution).labels, TOLD_SENT)?.parse().ok()
}

fn is_without_receipt(transition: &Transition) -> bool {
    transition.reason.as_ref().is_some_and(|reason| reason.code == "LORAWAN_NO_RECEIPT")
}

/// What is told about each transition, and the attempt of which `down/sent` has been told then.
fn tell(transitions: &[Transition], confirmed: bool, mut sent: Option<u32>) -> (Vec<Told<'_>>, Option<u32>) {
    let mut told = Vec::new();
    for of in transitions {
        let mut add = |kind| told.push(Told { kind, of });
        match (of.event.as_str(), of.state) {
            ("queued", _) => add(Kind::Queued),
            ("acked", _) if sent != Some(of.attempt) => {
                add(Kind::Sent);
                sent = Some(of.attempt);
            }
            // A network that lost the item, or its receipt, is no device that did not acknowledge it.
            ("attempt-failed", _) if confirmed && !is_without_receipt(of) => add(Kind::Nack),
            ("ended", State::Succeeded) => {
                if sent != Some(of.attempt) {
                    add(Kind::Sent);
                    sent = Some(of.attempt);
                }
                // What was delivered to a device that cannot answer is not acknowledged.
                if confirmed && !is_delivered_only(of) {
                    add(Kind::Ack);
                }
            }
            ("ended", State::Failed | State::Rejected | State::TimedOut) => add(Kind::Failed),
            // Items that were replaced or cleared vanish with no event; the rest has no word on this platform.
            _ => {}
        }
    }
    (told, sent)
}

fn is_delivered_only(of: &Transition) -> bool {
    of.reason.as_ref().is_some_and(|reason| reason.code == "$DELIVERED_ONLY")
}

/// The reason of the end: that of the line, else that of the record.
fn why<'a>(execution: &'a Execution, of: &'a Transition) -> Option<&'a Reason> {
    let own = |reason: &&Reason| Refusal::of(reason) != Refusal::Other || !reason.code.is_empty();
    of.reason.as_ref().filter(own).or_else(|| outcome::why(execution))
}

/// What the network said with it. Where a handler ended the command, that stands in the report that it was given.
fn said<'a>(execution: &'a Execution, of: &'a Transition) -> &'a [(String, String)] {
    if of.event == "ended" && of.attributes.is_empty() { &execution.report } else { &of.attributes }
}

/// The item as it is shown with an event: with what the network says about it, and without what it cannot know yet.
fn shown(item: &Downlink, kind: Kind, of: &Transition, said: &[(String, String)]) -> Downlink {
    let mut downlink = item.clone();
    let max_attempts = item.confirmed_retry.and_then(|retry| retry.max_attempts);
    // Shown from the second attempt on; at first only where it is queued, or was asked for.
    let retry = item.confirmed && (kind == Kind::Queued || of.attempt > 1 || max_attempts.is_some());
    downlink.confirmed_retry = retry.then(|| ConfirmedRetry { attempt: of.attempt.max(1), max_attempts });
    if matches!(kind, Kind::Sent | Kind::Ack | Kind::Nack) {
        let number = |name| attribute(said, name).and_then(|text| text.parse().ok()).unwrap_or_default();
        downlink.session_key_id = attribute(said, "lorawan.session-key-id").map(str::to_owned);
        downlink.f_cnt = number("lorawan.f-cnt");
        if downlink.f_port == 0 {
            downlink.f_port = number("lorawan.f-port");
        }
    }
    downlink
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &str, state: State, attempt: u32) -> Transition {
        let reason = match event {
            "ended*" => Some(outcome::reason("$DELIVERED_ONLY", "")),
            "attempt-failed*" => Some(outcome::reason("LORAWAN_NO_RECEIPT", "")),
            _ => None,
        };
        Transition {
            seq: 1,
            at_ms: 0,
            event: event.trim_end_matches('*').to_owned(),
            state,
            attempt,
            reason,
            detail: None,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn every_event_is_told_once_and_in_order() {
        use Kind::{Ack, Failed, Nack, Queued, Sent};
        use State::{Acked, Canceled, Failed as Lost, Queued as Waits, Sent as Out, Succeeded, TimedOut};
        let (queued, planned, sent) = (("queued", Waits, 0), ("planned", Waits, 1), ("sent", Out, 1));
        let (acked, ended) = (("acked", Acked, 1), ("ended", Succeeded, 1));
        type Row<'a> = (bool, Option<u32>, &'a [(&'a str, State, u32)], &'a [Kind]);
        let table: &[Row<'_>] = &[
            (true, None, &[queued, planned, sent, acked, ended], &[Queued, Sent, Ack]),
            (false, None, &[queued, planned, sent, acked, ended], &[Queued, Sent]),
            // The receipt was told in a call before.
            (true, Some(1), &[ended], &[Ack]),
            (false, Some(1), &[ended], &[]),
            (true, Some(1), &[acked, ended], &[Ack]),
            // The device's word came before the receipt, or there is none.
            (true, None, &[ended], &[Sent, Ack]),
            (false, None, &[ended], &[Sent]),
            (true, None, &[ended, acked], &[Sent, Ack]),
            (true, None, &[acked, ("ended*", Succeeded, 1)], &[Sent]),
            // A nack, and the second attempt.
            (
                true,
                Some(1),
                &[
                    ("attempt-failed", Waits, 1),
                    ("requeued", Waits, 1),
                    ("sent", Out, 2),
                    ("acked", Acked, 2),
                    ("ended", Succeeded, 2),
                ],
                &[Nack, Sent, Ack],
            ),
            (true, Some(8), &[("attempt-failed", Lost, 8), ("ended", Lost, 8)], &[Nack, Failed]),
            // The network told no receipt: whether the device heard it is not known.
            (true, None, &[("attempt-failed*", Waits, 1), ("requeued", Waits, 1)], &[]),
            (false, None, &[("attempt-failed", Waits, 1), ("requeued", Waits, 1)], &[]),
            (true, None, &[queued, ("ended", TimedOut, 0)], &[Queued, Failed]),
            (true, None, &[("ended", State::Rejected, 1)], &[Failed]),
            // Replaced and cleared items vanish.
            (true, None, &[queued, ("ended", Canceled, 0)], &[Queued]),
            (
                true,
                None,
                &[("progress", Out, 1), ("note", Out, 1), ("late", Succeeded, 1), ("unheard-of", Out, 1)],
                &[],
            ),
        ];
        for (confirmed, before, lines, expected) in table {
            let lines: Vec<_> = lines.iter().map(|(event, state, attempt)| line(event, *state, *attempt)).collect();
            let kinds: Vec<_> = tell(&lines, *confirmed, *before).0.iter().map(|told| told.kind).collect();
            assert_eq!(kinds, *expected, "{confirmed} {before:?} {lines:?}");
        }
        assert_eq!(tell(&[line("acked", Acked, 3)], true, Some(2)).1, Some(3));
    }

    #[test]
    fn an_attempt_is_shown_where_it_says_something() {
        let item = |text: &str| Downlink::read(text, 0).unwrap();
        for (text, kind, attempt, expected) in [
            (r#"{"confirmed":true}"#, Kind::Queued, 0, Some((1, None))),
            (r#"{"confirmed":true}"#, Kind::Ack, 1, None),
            (r#"{"confirmed":true}"#, Kind::Ack, 2, Some((2, None))),
            (r#"{"confirmed":true,"confirmed_retry":{"max_attempts":3}}"#, Kind::Sent, 1, Some((1, Some(3)))),
            (r#"{"confirmed":false,"confirmed_retry":{"max_attempts":3}}"#, Kind::Queued, 0, None),
        ] {
            let shown = shown(&item(text), kind, &line("x", State::Sent, attempt), &[]);
            let retry = shown.confirmed_retry.map(|retry| (retry.attempt, retry.max_attempts));
            assert_eq!(retry, expected, "{text} {kind:?} {attempt}");
        }
    }
}
