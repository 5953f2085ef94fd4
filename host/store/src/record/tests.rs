//! Every record comes back as it was written, whatever it holds, and the form on disk does not change by accident.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::record::transition::EventBody;
use crate::registry::DeviceRecord;
use crate::write::OutboxRow;
use dragoman_core::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;

/// Text with what escaping may get wrong: quotes, controls, characters beyond the BMP.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z$.:-]{0,8}", "\\PC{0,6}", "[\\x00-\\x7f\"\\\\]{0,6}", Just("🜍\u{2028}\u{feff}".to_owned())]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    vec((text(), text()), 0..4)
}

fn device_id() -> impl Strategy<Value = DeviceId> {
    text().prop_map(DeviceId::new)
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![text().prop_map(Payload::Text), vec(any::<u8>(), 0..9).prop_map(Payload::Bytes)]
}

fn intent() -> impl Strategy<Value = Intent> {
    let property = (option::of(text()), text(), text());
    let name = (option::of(text()), text());
    prop_oneof![
        (option::of(text()), text(), text()).prop_map(|(service, action, params)| Intent::Invoke(Invocation {
            service,
            action,
            params
        })),
        vec(property.prop_map(|(service, name, value)| Property { service, name, value }), 0..3)
            .prop_map(Intent::Write),
        vec(name.prop_map(|(service, name)| PropertyName { service, name }), 0..3).prop_map(Intent::Read),
        (option::of(text()), payload(), attributes())
            .prop_map(|(name, payload, attributes)| Intent::Deliver(Delivery { name, payload, attributes })),
    ]
}

fn reason() -> impl Strategy<Value = Reason> {
    (text(), text(), option::of(text())).prop_map(|(code, text, detail)| Reason { code, text, detail })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        option::of(text()).prop_map(Outcome::Succeeded),
        reason().prop_map(Outcome::Failed),
        reason().prop_map(Outcome::Rejected),
    ]
}

fn state() -> impl Strategy<Value = State> {
    proptest::sample::select(vec![
        State::Queued,
        State::Sent,
        State::Acked,
        State::Succeeded,
        State::Failed,
        State::Rejected,
        State::TimedOut,
        State::Canceled,
    ])
}

fn stage() -> impl Strategy<Value = Stage> {
    proptest::sample::select(vec![Stage::Accepted, Stage::Sent, Stage::Acked, Stage::Ended])
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Waiting),
        Just(Phase::Planning),
        outcome().prop_map(|outcome| Phase::Resuming(Reply::Outcome(outcome))),
        Just(Phase::Resuming(Reply::Silence)),
        Just(Phase::HandingOver),
        Just(Phase::AwaitingReply),
        Just(Phase::Ended),
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let away = proptest::sample::select(vec![WhenAway::Fail, WhenAway::Queue]);
    let overflow = proptest::sample::select(vec![Overflow::RefuseNewest, Overflow::DropOldest]);
    let place = proptest::sample::select(vec![Place::Head, Place::Tail]);
    let numbers = any::<(u32, bool, u32, u32, u32)>();
    (numbers, [stage(), stage(), stage()], away, overflow, place, text()).prop_map(
        |(numbers, [succeeds_at, window, device_window], when_away, overflow, failed_to, queue)| {
            let (ttl_ms, lowered, queue_limit, attempts, backoff_ms) = numbers;
            Options {
                ttl_ms,
                succeeds_at,
                lowered,
                when_away,
                queue: queue.into(),
                window,
                device_window,
                queue_limit,
                overflow,
                attempts,
                backoff_ms,
                failed_to,
            }
        },
    )
}

fn execution() -> impl Strategy<Value = Execution> {
    let names = (text(), device_id(), device_id(), text(), option::of(text()), option::of(text()), attributes());
    let idempotency = option::of((text(), any::<u64>()));
    let plan =
        (intent(), options(), idempotency, (text(), any::<u64>()), option::of(text()), (attributes(), attributes()));
    let stand = (state(), phase(), any::<u64>(), any::<[u32; 5]>(), any::<[bool; 5]>());
    let correlation = (any::<u32>(), device_id(), text());
    let step = (
        vec(intent(), 0..3),
        option::of(text()),
        any::<Option<u32>>(),
        any::<Option<u64>>(),
        vec(correlation.prop_map(|(attempt, reporter, key)| (attempt, Correlation { reporter, key })), 0..4),
    );
    let again = (vec(any::<u32>(), 0..3), any::<u64>(), any::<Option<u64>>());
    let end = (option::of(outcome()), option::of(reason()), option::of(text()), attributes());
    let times = any::<(u64, u64, Option<u64>, Option<u64>, u64)>();
    (names, plan, stand, step, again, end, times).prop_map(|(names, plan, stand, step, again, end, times)| {
        let (id, device, holder, origin, alias, context, labels) = names;
        let (intent, options, idempotency, (node, lease_until_ms), handler, versions) = plan;
        let (digests, released) = versions;
        let (state, phase, version, counts, flags) = stand;
        let [attempt, lost, failed, step_attempt, receipts_missing] = counts;
        let [sent, acked, heard, answerable, delivered_only] = flags;
        let (closed, queue_position, not_before_ms) = again;
        let (frames, handler_state, reply_within_ms, step_deadline_ms, correlations) = step;
        let (outcome, reason, last_note, report) = end;
        let (created_ms, updated_ms, sent_ms, ended_ms, deadline_ms) = times;
        Execution {
            id: ExecutionId::new(id),
            device,
            holder,
            intent,
            options,
            origin: origin.into(),
            alias,
            context,
            labels,
            idempotency: idempotency.map(|(key, fingerprint)| Idempotency { key, fingerprint }),
            owner: Owner { node: node.into(), lease_until_ms },
            handler: handler.map(Into::into),
            digests,
            released,
            state,
            phase,
            version,
            attempt,
            told: Told { sent, acked, heard },
            step_attempt,
            lost,
            failed,
            closed,
            queue_position,
            not_before_ms,
            frames,
            handler_state,
            reply_within_ms,
            step_deadline_ms,
            correlations,
            receipts_missing,
            answerable,
            delivered_only,
            outcome,
            reason,
            last_note,
            report,
            created_ms,
            updated_ms,
            sent_ms,
            ended_ms,
            deadline_ms,
        }
    })
}

fn transition() -> impl Strategy<Value = Transition> {
    let event = proptest::sample::select(vec![
        Event::Queued,
        Event::Planned,
        Event::Sent,
        Event::Acked,
        Event::Progress,
        Event::Replied,
        Event::Silence,
        Event::AttemptFailed,
        Event::Requeued,
        Event::Ended,
        Event::Note,
        Event::Late,
    ]);
    (any::<(u64, u64, u32)>(), event, state(), option::of(reason()), option::of(text()), attributes()).prop_map(
        |((seq, at_ms, attempt), event, state, reason, detail, attributes)| Transition {
            seq,
            at_ms,
            event,
            state,
            attempt,
            reason,
            detail,
            attributes,
        },
    )
}

fn outbox_row() -> impl Strategy<Value = OutboxRow> {
    let message = (text(), payload(), any::<u8>(), any::<bool>(), attributes())
        .prop_map(|(topic, payload, qos, retain, attributes)| Message { topic, payload, qos, retain, attributes });
    (any::<(u64, u32, u32, bool, u64)>(), text(), device_id(), message).prop_map(
        |((seq, attempt, index, subscribed_only, expires_ms), execution, to_device, message)| OutboxRow {
            seq,
            execution: ExecutionId::new(execution),
            attempt,
            index,
            to_device,
            subscribed_only,
            message,
            expires_ms,
        },
    )
}

fn device() -> impl Strategy<Value = DeviceRecord> {
    let names = (device_id(), text(), option::of(text()), option::of(device_id()), attributes(), attributes());
    (names, any::<(bool, u64, u64)>()).prop_map(
        |((id, dialect, handler, parent, aliases, labels), (disabled, created_ms, updated_ms))| DeviceRecord {
            id,
            dialect: dialect.into(),
            handler: handler.map(Into::into),
            parent,
            aliases,
            labels,
            disabled,
            created_ms,
            updated_ms,
        },
    )
}

proptest! {
    #[test]
    fn executions_come_back(execution in execution()) {
        let text = write("execution", "x", &ExecutionBody::from(&execution)).unwrap();
        prop_assert_eq!(Execution::from(read::<ExecutionBody>("execution", "x", &text).unwrap()), execution);
    }

    #[test]
    fn transitions_come_back(transition in transition()) {
        let text = write("transition", "x", &TransitionBody::from(&transition)).unwrap();
        prop_assert_eq!(Transition::from(read::<TransitionBody>("transition", "x", &text).unwrap()), transition);
    }

    #[test]
    fn messages_come_back(row in outbox_row()) {
        let text = write("message", "x", &OutboxBody::from(&row)).unwrap();
        prop_assert_eq!(OutboxRow::from(read::<OutboxBody>("message", "x", &text).unwrap()), row);
    }

    #[test]
    fn devices_come_back(record in device()) {
        let text = write("device", "x", &DeviceBody::from(&record)).unwrap();
        prop_assert_eq!(DeviceRecord::from(read::<DeviceBody>("device", "x", &text).unwrap()), record);
    }
}

/// As the first version wrote it. This text is never changed: files that hold it are out there.
const FIRST_FORM: &str = r#"{"id":"e1","device":"lamp","holder":"hub","intent":{"invoke":{"action":"on","params":"{}"}},"options":{"ttl_ms":20000,"succeeds_at":"ended","when_away":"queue","queue":"commands","window":"acked","queue_limit":20,"overflow":"refuse-newest","attempts":3},"origin":"globex-units","owner":{"node":"one","lease_until_ms":18446744073709551615},"state":"timed-out","phase":"ended","version":4,"attempt":1,"told":{"sent":true,"acked":false,"heard":false},"step_attempt":1,"frames":[{"deliver":{"payload":{"base64":"/wA="}}}],"correlations":[{"attempt":1,"reporter":"hub","key":"k"}],"reason":{"code":"$NO_RESPONSE","text":"It said nothing."},"created_ms":1000,"updated_ms":21000,"sent_ms":1002,"ended_ms":21000,"deadline_ms":21000}"#;

fn first_form() -> Execution {
    Execution {
        id: ExecutionId::new("e1"),
        device: DeviceId::new("lamp"),
        holder: DeviceId::new("hub"),
        intent: Intent::Invoke(Invocation { service: None, action: "on".to_owned(), params: "{}".to_owned() }),
        options: Options {
            ttl_ms: 20_000,
            succeeds_at: Stage::Ended,
            lowered: false,
            when_away: WhenAway::Queue,
            queue: Arc::from("commands"),
            window: Stage::Acked,
            device_window: Stage::Accepted,
            queue_limit: 20,
            overflow: Overflow::RefuseNewest,
            attempts: 3,
            backoff_ms: 0,
            failed_to: Place::Tail,
        },
        origin: Arc::from("globex-units"),
        alias: None,
        context: None,
        labels: Vec::new(),
        idempotency: None,
        owner: Owner { node: Arc::from("one"), lease_until_ms: u64::MAX },
        handler: None,
        digests: Vec::new(),
        released: Vec::new(),
        state: State::TimedOut,
        phase: Phase::Ended,
        version: 4,
        attempt: 1,
        told: Told { sent: true, acked: false, heard: false },
        step_attempt: 1,
        lost: 0,
        failed: 0,
        closed: Vec::new(),
        queue_position: 1_000,
        not_before_ms: None,
        frames: vec![Intent::Deliver(Delivery {
            name: None,
            payload: Payload::Bytes(vec![0xff, 0]),
            attributes: Vec::new(),
        })],
        handler_state: None,
        reply_within_ms: None,
        step_deadline_ms: None,
        correlations: vec![(1, Correlation { reporter: DeviceId::new("hub"), key: "k".to_owned() })],
        receipts_missing: 0,
        answerable: true,
        delivered_only: false,
        outcome: None,
        reason: Some(Reason::new("$NO_RESPONSE", "It said nothing.")),
        last_note: None,
        report: Vec::new(),
        created_ms: 1_000,
        updated_ms: 21_000,
        sent_ms: Some(1_002),
        ended_ms: Some(21_000),
        deadline_ms: 21_000,
    }
}

/// What an execution looks like whose second attempt failed and rests, in the words of the file.
#[test]
fn what_is_tried_again_is_written_in_these_words() {
    let mut execution = first_form();
    execution.options.device_window = Stage::Acked;
    (execution.options.backoff_ms, execution.options.failed_to) = (500, Place::Head);
    (execution.lost, execution.failed, execution.closed) = (1, 1, vec![2]);
    (execution.queue_position, execution.not_before_ms) = (1_007, Some(2_000));
    (execution.answerable, execution.delivered_only) = (false, true);
    let text = write("execution", "e1", &ExecutionBody::from(&execution)).unwrap();
    let written: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = [
        ("/options/device_window", serde_json::json!("acked")),
        ("/options/backoff_ms", serde_json::json!(500)),
        ("/options/failed_to", serde_json::json!("head")),
        ("/failed", serde_json::json!(1)),
        ("/closed", serde_json::json!([2])),
        ("/queue_position", serde_json::json!(1_007)),
        ("/not_before_ms", serde_json::json!(2_000)),
        ("/unanswerable", serde_json::json!(true)),
        ("/delivered_only", serde_json::json!(true)),
    ];
    for (place, value) in expected {
        assert_eq!(written.pointer(place), Some(&value), "{place}");
    }
    assert_eq!(Execution::from(read::<ExecutionBody>("execution", "e1", &text).unwrap()), execution);
    for (event, word) in [(Event::AttemptFailed, r#""attempt-failed""#), (Event::Note, r#""note""#)] {
        assert_eq!(serde_json::to_string(&EventBody::from(event)).unwrap(), word);
    }
}

#[test]
fn the_first_form_is_read_for_ever() {
    assert_eq!(Execution::from(read::<ExecutionBody>("execution", "e1", FIRST_FORM).unwrap()), first_form());
}

#[test]
fn what_is_not_set_is_not_written() {
    assert_eq!(write("execution", "e1", &ExecutionBody::from(&first_form())).unwrap(), FIRST_FORM);
}

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let mut value: serde_json::Value = serde_json::from_str(FIRST_FORM).unwrap();
    for place in ["", "/options", "/owner", "/told", "/reason", "/intent/invoke", "/correlations/0"] {
        let object = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("from_the_future".to_owned(), serde_json::json!([{"deep": 1}]));
    }
    let read: ExecutionBody = read("execution", "e1", &value.to_string()).unwrap();
    assert_eq!(Execution::from(read), first_form());
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = read::<ExecutionBody>("execution", "e1", r#"{"id":"e1"}"#).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the record of execution e1 cannot be read (missing field `device` at line 1 column 11); a newer dragoman \
         may have written it"
    );
}
