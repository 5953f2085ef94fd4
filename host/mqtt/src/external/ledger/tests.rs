//! The ledger by itself, with a time that the test makes.

use super::*;
use dragoman_core::{ExecutionId, Message, Payload};

const S: Duration = Duration::from_secs(1);
const SENDS_MAX: u32 = 4;

/// A ledger whose answers are the payloads, and its clock.
struct Case {
    ledger: Ledger<String>,
    start: Instant,
}

fn case() -> Case {
    Case { ledger: Ledger::new(SENDS_MAX, S), start: Instant::now() }
}

fn allowance(ids: u16) -> Allowance {
    Allowance { ids, window: (ids / 2).max(1), packet_max: None, retains: true, last_id: 0 }
}

fn token(text: &str) -> DeliveryToken {
    DeliveryToken { execution: ExecutionId::new(text), attempt: 1, index: 0 }
}

impl Case {
    fn at(&self, seconds: u32) -> Instant {
        self.start + S * seconds
    }

    fn add(&mut self, text: &str, qos: u8, expires_s: Option<u32>) {
        let message = Message {
            topic: "acme/d1/down".into(),
            payload: Payload::Text(text.into()),
            qos,
            retain: false,
            attributes: Vec::new(),
        };
        let outgoing = Outgoing {
            publish: wire::publish(&message, false).unwrap(),
            expires: expires_s.map(|seconds| self.at(seconds)),
            token: Some(token(text)),
        };
        self.ledger.add(outgoing, text.to_owned());
    }

    /// What is sent now, all of it.
    fn sent(&mut self, seconds: u32) -> Vec<String> {
        let now = self.at(seconds);
        std::iter::from_fn(|| match self.ledger.next(now)? {
            Step::Send(publish) => Some(String::from_utf8(publish.payload.to_vec()).unwrap()),
            Step::Settle(answer, published) => Some(format!("{answer}: {published:?}")),
        })
        .collect()
    }

    fn written(&mut self, ids: impl IntoIterator<Item = u16>, seconds: u32) {
        for id in ids {
            assert_eq!(self.ledger.written(id, self.at(seconds)), None);
        }
    }

    fn ack(&mut self, id: u16, reason: PubAckReason, seconds: u32) -> Result<Option<(String, Published)>, Unknown> {
        self.ledger.acknowledged(id, reason, self.at(seconds))
    }
}

fn taken(text: &str) -> Result<Option<(String, Published)>, Unknown> {
    Ok(Some((text.to_owned(), Published::Taken)))
}

#[test]
fn half_of_the_ids_may_be_without_puback() {
    let mut case = case();
    for text in ["a", "b", "c", "d"] {
        case.add(text, 1, None);
    }
    assert!(case.sent(0).is_empty(), "there is no connection");
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["a", "b"]);
    case.written([1, 2], 0);
    assert!(case.sent(0).is_empty());
    assert_eq!(case.ack(2, PubAckReason::Success, 0), taken("b"));
    assert_eq!(case.sent(0), ["c"]);
    assert_eq!(case.ack(3, PubAckReason::Success, 0), Err(Unknown), "it is not written yet");
    case.written([3], 0);
    assert_eq!(case.ack(3, PubAckReason::Success, 0), taken("c"));
    assert_eq!(case.ledger.len(), 2);
}

#[test]
fn an_id_that_is_not_free_is_waited_for() {
    let mut case = case();
    for text in ["a", "b", "c", "d", "e"] {
        case.add(text, 1, None);
    }
    case.ledger.connected(Allowance { window: 3, ..allowance(4) });
    assert_eq!(case.sent(0), ["a", "b", "c"]);
    case.written([1, 2, 3], 0);
    assert_eq!(case.ack(2, PubAckReason::Success, 0), taken("b"));
    assert_eq!(case.ack(3, PubAckReason::Success, 0), taken("c"));
    assert_eq!(case.sent(0), ["d"], "the next id is 4, and the one after it is taken");
    case.written([4], 0);
    assert_eq!(case.ack(4, PubAckReason::Success, 0), taken("d"));
    assert!(case.sent(0).is_empty(), "the next id is 1");
    assert_eq!(case.ack(1, PubAckReason::Success, 0), taken("a"));
    assert_eq!(case.sent(0), ["e"]);
}

#[test]
fn one_id_is_enough() {
    let mut case = case();
    case.add("a", 1, None);
    case.add("b", 1, None);
    case.ledger.connected(Allowance { last_id: 1, ..allowance(1) });
    for text in ["a", "b"] {
        assert_eq!(case.sent(0), [text]);
        case.written([1], 0);
        assert_eq!(case.ack(1, PubAckReason::Success, 0), taken(text));
    }
}

#[test]
fn what_has_no_puback_is_sent_again_in_its_order_and_not_for_ever() {
    let mut case = case();
    for text in ["a", "b", "c"] {
        case.add(text, 1, None);
    }
    for send in 1..=SENDS_MAX {
        case.ledger.connected(allowance(4));
        let alone = send > ALONE_FROM;
        assert_eq!(case.sent(0), if alone { vec!["a"] } else { vec!["a", "b"] }, "send {send}");
        case.written(if alone { 1..=1 } else { 1..=2 }, 0);
        let lost = case.ledger.broken(case.at(0), None);
        let expected = [("a".to_owned(), Published::Unacknowledged { sends: SENDS_MAX })];
        assert_eq!(lost, if send == SENDS_MAX { expected.to_vec() } else { Vec::new() });
    }
    // The one next to it was not sent with it to the end.
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["b"]);
    case.written([1], 0);
    assert_eq!(case.ack(1, PubAckReason::Success, 0), taken("b"));
    assert_eq!(case.sent(0), ["c"]);
}

#[test]
fn what_was_handed_over_and_not_written_was_not_sent() {
    let mut case = case();
    case.add("a", 1, None);
    for _ in 0..SENDS_MAX * 2 {
        case.ledger.connected(allowance(4));
        assert_eq!(case.sent(0), ["a"]);
        assert_eq!(case.ledger.broken(case.at(0), None), []);
    }
}

#[test]
fn each_reason_code_has_its_meaning() {
    use PubAckReason as Code;
    for (reason, verdict) in [
        (Code::Success, Published::Taken),
        (Code::NoMatchingSubscribers, Published::NoSubscriber),
        (Code::UnspecifiedError, Published::Refused(0x80)),
        (Code::ImplementationSpecificError, Published::Refused(0x83)),
        (Code::NotAuthorized, Published::Refused(0x87)),
        (Code::TopicNameInvalid, Published::Refused(0x90)),
        (Code::PayloadFormatInvalid, Published::Refused(0x99)),
    ] {
        let mut case = case();
        case.add("a", 1, None);
        case.ledger.connected(allowance(4));
        case.sent(0);
        case.written([1], 0);
        assert_eq!(case.ack(1, reason, 0), Ok(Some(("a".to_owned(), verdict))));
        assert_eq!(case.ack(1, reason, 0), Err(Unknown), "only once");
    }
}

#[test]
fn a_broker_without_room_is_asked_again_after_a_rest() {
    for (reason, last) in [(PubAckReason::QuotaExceeded, 0x97), (PubAckReason::PacketIdentifierInUse, 0x91)] {
        let mut case = case();
        case.add("a", 1, None);
        case.add("b", 1, None);
        case.ledger.connected(allowance(2));
        let mut id = 0;
        for send in 1..=SENDS_MAX {
            assert_eq!(case.sent(send), ["a"]);
            id = following(id, 2);
            case.written([id], send);
            let answer = case.ack(id, reason, send);
            if send == SENDS_MAX {
                assert_eq!(answer, Ok(Some(("a".to_owned(), Published::Refused(last)))));
                continue;
            }
            assert_eq!(answer, Ok(None));
            assert_eq!(case.ledger.next_due(), Some(case.at(send + 1)));
            if send == 1 {
                assert_eq!(case.sent(send), ["b"], "the others do not rest");
                id = following(id, 2);
                case.written([id], send);
                assert_eq!(case.ack(id, PubAckReason::Success, send), taken("b"));
            }
            assert!(case.sent(send).is_empty());
            assert_eq!(case.ledger.due(case.at(send + 1)), []);
        }
        assert_eq!(case.ledger.len(), 0);
    }
}

#[test]
fn what_is_over_is_not_sent() {
    let mut case = case();
    case.add("waits", 1, Some(2));
    case.add("late", 1, Some(3));
    case.add("good", 1, Some(9));
    assert_eq!(case.ledger.next_due(), Some(case.at(2)));
    assert_eq!(case.ledger.due(case.at(2)), [("waits".to_owned(), Published::Expired { sends: 0 })]);
    case.ledger.connected(allowance(8));
    assert_eq!(case.sent(3), ["late: Expired { sends: 0 }", "good"]);
    case.written([1], 3);
    assert_eq!(case.ledger.due(case.at(20)), [], "the broker may have it");
    assert_eq!(case.ledger.broken(case.at(20), None), [("good".to_owned(), Published::Expired { sends: 1 })]);
}

#[test]
fn what_rests_expires_too() {
    let mut case = case();
    case.add("a", 1, Some(1));
    case.ledger.connected(allowance(4));
    case.sent(0);
    case.written([1], 0);
    assert_eq!(case.ack(1, PubAckReason::QuotaExceeded, 0), Ok(None));
    assert_eq!(case.ledger.due(case.at(1)), [("a".to_owned(), Published::Expired { sends: 1 })]);
    assert_eq!((case.ledger.next_due(), case.ledger.len()), (None, 0));
}

#[test]
fn a_packet_that_is_too_large_or_retained_for_nobody_does_not_leave() {
    let mut case = case();
    case.add(&"x".repeat(200), 1, None);
    case.add("small", 1, None);
    case.ledger.connected(Allowance { packet_max: Some(100), ..allowance(4) });
    let sent = case.sent(0);
    assert!(sent[0].contains("TooLarge") && sent[0].ends_with("max: 100 }"), "{sent:?}");
    assert_eq!(sent[1], "small");

    let mut case = self::case();
    case.add("kept", 1, None);
    case.ledger.entries.get_mut(&1).unwrap().what.publish.retain = true;
    case.ledger.connected(Allowance { retains: false, ..allowance(4) });
    assert_eq!(case.sent(0), ["kept: Refused(154)"]);
}

#[test]
fn qos_0_is_settled_when_it_is_written() {
    let mut case = case();
    case.add("zero", 0, None);
    case.add("one", 1, None);
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["zero", "one"]);
    assert_eq!(case.ledger.written(0, case.at(0)), Some(("zero".to_owned(), Published::Taken)));
    case.written([1], 0);
    assert_eq!(case.ack(1, PubAckReason::Success, 0), taken("one"));
}

#[test]
fn what_waits_can_be_taken_back_and_what_is_out_cannot() {
    let mut case = case();
    case.add("out", 1, None);
    case.add("waits", 1, None);
    case.ledger.connected(allowance(2));
    assert_eq!(case.sent(0), ["out"]);
    let withdraw = |case: &mut Case, text: &str| case.ledger.withdraw(&ExecutionId::new(text), 1);
    assert_eq!(withdraw(&mut case, "out"), [], "it is with the library");
    case.written([1], 0);
    assert_eq!(withdraw(&mut case, "out"), [], "it is on the wire");
    assert_eq!(case.ledger.withdraw(&ExecutionId::new("waits"), 2), [], "another attempt");
    assert_eq!(withdraw(&mut case, "waits"), [("waits".to_owned(), Published::Withdrawn)]);
    assert_eq!(withdraw(&mut case, "waits"), [], "once");
    assert_eq!(case.ack(1, PubAckReason::QuotaExceeded, 0), Ok(None));
    assert_eq!(withdraw(&mut case, "out"), [("out".to_owned(), Published::Withdrawn)], "it rests");
    assert_eq!((case.ledger.next_due(), case.ledger.len()), (None, 0));
}

#[test]
fn the_end_settles_everything_in_order() {
    let mut case = case();
    for text in ["a", "b", "c"] {
        case.add(text, 1, Some(9));
    }
    case.ledger.connected(allowance(2));
    case.sent(0);
    case.written([1], 0);
    assert!(!case.ledger.is_quiet());
    let closed: Vec<_> = case.ledger.close();
    let expected = [("a", 1), ("b", 0), ("c", 0)];
    assert_eq!(closed, expected.map(|(text, sends)| (text.to_owned(), Published::Closed { sends })));
    assert_eq!((case.ledger.next_due(), case.ledger.len()), (None, 0));
}

#[test]
fn the_oldest_without_puback_is_known() {
    let mut case = case();
    case.add("a", 1, None);
    case.add("b", 1, None);
    case.ledger.connected(allowance(4));
    case.sent(0);
    assert_eq!(case.ledger.unacknowledged_since(), None);
    case.written([1], 1);
    case.written([2], 2);
    assert_eq!(case.ledger.unacknowledged_since(), Some(case.at(1)));
    assert_eq!(case.ack(1, PubAckReason::Success, 3), taken("a"));
    assert_eq!(case.ledger.unacknowledged_since(), Some(case.at(2)));
    case.ledger.broken(case.at(3), None);
    assert_eq!(case.ledger.unacknowledged_since(), None);
}

#[test]
fn a_refusal_that_cannot_be_read_is_found_to_be_for_one_of_those_that_were_out() {
    let mut case = case();
    for text in ["good", "bad", "late"] {
        case.add(text, 1, None);
    }
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["good", "bad"]);
    case.written([1, 2], 0);
    assert_eq!(case.ledger.broken(case.at(0), Some(0x93)), [], "it may be either");
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["good"], "alone");
    case.written([1], 0);
    assert_eq!(case.ack(1, PubAckReason::Success, 0), taken("good"));
    assert_eq!(case.sent(0), ["bad"], "alone");
    case.written([2], 0);
    assert_eq!(case.ledger.broken(case.at(0), Some(0x93)), [("bad".to_owned(), Published::Refused(0x93))]);
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["late"]);
}

#[test]
fn a_size_that_was_refused_is_not_tried_again_on_the_next_connections_but_after_the_broker_was_away() {
    let mut case = case();
    case.add("much too large", 1, None);
    case.ledger.connected(allowance(4));
    assert_eq!(case.sent(0), ["much too large"]);
    case.written([1], 0);
    case.ledger.broken(case.at(0), Some(0x95));
    case.ledger.connected(allowance(4));
    case.add("just as large!", 1, None);
    case.add("small", 1, None);
    let refused = case.sent(0);
    assert!(refused[0].starts_with("just as large!: TooLarge"), "{refused:?}");
    assert_eq!(refused[1..], ["small"]);
    case.written([1], 0);
    assert_eq!(case.ack(1, PubAckReason::Success, 0), taken("small"));
    case.ledger.broken(case.at(0), None);
    case.ledger.connected(allowance(4));
    case.add("just as large!", 1, None);
    assert_eq!(case.sent(0), ["just as large!"]);
}
