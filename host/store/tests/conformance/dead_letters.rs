//! Messages that no plugin could read.

use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_core::{DeviceId, Message, Payload, Reason, Session};
use dragoman_store::{DeadLetterRow, Durability, StoreError, Write};

fn put(row: DeadLetterRow) -> Write {
    Write::DeadLetterPut(Box::new(row))
}

fn numbers(rows: &[DeadLetterRow]) -> Vec<u64> {
    rows.iter().map(|row| row.seq).collect()
}

pub async fn a_dead_letter_comes_back_whole(place: &impl Place) {
    let plain = dead_letter(1, "globex");
    let full = DeadLetterRow {
        seq: u64::try_from(i64::MAX).unwrap(),
        at_ms: u64::MAX,
        tries: u32::MAX,
        reason: Reason { detail: Some("{\"é\":\"\\u0000\"}".to_owned()), ..plain.reason.clone() },
        session: Session {
            username: Some("user".to_owned()),
            principal: Some("who \"quoted\"".to_owned()),
            device: Some(DeviceId::new("lamp")),
            protocol_level: 5,
            ..plain.session.clone()
        },
        message: Message {
            payload: Payload::Bytes(vec![0, 255, 13]),
            retain: true,
            attributes: pairs(&[("mqtt.content-type", "x/y"), ("a", "1"), ("a", "2")]),
            ..plain.message.clone()
        },
        ..plain.clone()
    };
    commit(&place.open(), [put(full.clone()), put(plain.clone())]);
    assert_eq!(place.open().dead_letters(None, 0, 10).unwrap(), [plain, full]);
}

pub async fn dead_letters_are_replaced_removed_and_paged_by_plugin(place: &impl Place) {
    let journal = journal(place);
    let rows = [(3, "acme"), (1, "acme"), (2, "globex"), (5, "acme"), (4, "globex")];
    journal.append(rows.map(|(seq, plugin)| put(dead_letter(seq, plugin))).to_vec()).unwrap();
    let list = async |plugin, after, limit| numbers(&journal.dead_letters(plugin, after, limit).await.unwrap());
    assert_eq!(list(None, 0, 10).await, [1, 2, 3, 4, 5], "a read sees what was appended");
    assert_eq!(list(None, 2, 2).await, [3, 4]);
    assert_eq!(list(Some("acme"), 1, 10).await, [3, 5]);
    assert!(list(Some("Acme"), 0, 10).await.is_empty());
    let again = DeadLetterRow { tries: 2, ..dead_letter(2, "globex") };
    journal
        .append(vec![
            Write::DeadLetterRemove(1),
            put(again.clone()),
            Write::DeadLetterRemove(4),
            Write::DeadLetterRemove(9),
        ])
        .unwrap();
    assert_eq!(journal.dead_letters(Some("globex"), 0, 10).await.unwrap(), [again]);
    assert_eq!(list(None, 0, 10).await, [2, 3, 5]);
    journal.append(vec![Write::DeadLetterRemove(5)]).unwrap();
    assert_eq!(journal.last_dead_letter().await.unwrap(), 5, "also where it is gone");
}

pub async fn a_dead_letter_whose_number_does_not_fit_is_refused(place: &impl Place) {
    let backend = place.open();
    let writes = [put(dead_letter(1, "acme")), put(dead_letter(1 << 63, "acme"))];
    let error = backend.commit(&writes, Durability::Committed).unwrap_err();
    assert!(matches!(&error, StoreError::Unwritable { what: "dead letter", .. }), "{error}");
    assert_eq!(backend.dead_letters(None, 0, 10).unwrap(), [], "nothing of that commit was kept");
}
