//! Requests on their way to targets.

use crate::support::*;
use crate::{Place, commit, journal};
use dragoman_store::{Durability, RequestRow, StoreError, Write};

fn numbers(rows: &[RequestRow]) -> Vec<u64> {
    rows.iter().map(|row| row.seq).collect()
}

pub async fn a_request_comes_back_whole(place: &impl Place) {
    let full = RequestRow {
        headers: pairs(&[("x-a", "1"), ("x-a", "2 \"quoted\"")]),
        body: Some("{\"text\":\"é\\u0000\",\"n\":12345678901234567890123}".to_owned()),
        created_ms: u64::MAX,
        tries: u32::MAX,
        next_ms: u64::MAX,
        last_answer: Some("503 Service Unavailable: later".to_owned()),
        given_up_ms: Some(u64::MAX),
        ..request(u64::try_from(i64::MAX).unwrap(), "alarms")
    };
    commit(&place.open(), [Write::RequestPut(full.clone()), Write::RequestPut(request(0, "alarms"))]);
    assert_eq!(place.open().requests().unwrap(), [request(0, "alarms"), full]);
}

pub async fn requests_are_replaced_removed_and_in_order(place: &impl Place) {
    let journal = journal(place);
    journal.append([3, 1, 2].map(|seq| Write::RequestPut(request(seq, "alarms"))).to_vec()).unwrap();
    assert_eq!(numbers(&journal.requests().await.unwrap()), [1, 2, 3], "a read sees what was appended");
    let tried = RequestRow { tries: 1, last_answer: Some("no answer".to_owned()), ..request(2, "alarms") };
    let writes = vec![
        Write::RequestRemove(1),
        Write::RequestPut(tried.clone()),
        Write::RequestRemove(99),
        Write::RequestPut(request(4, "alarms")),
        Write::RequestRemove(4),
    ];
    journal.append(writes).unwrap();
    assert_eq!(journal.requests().await.unwrap(), [tried, request(3, "alarms")]);
}

pub async fn requests_are_counted_by_target(place: &impl Place) {
    let journal = journal(place);
    let rows = [(1, "alarms"), (2, "alarms"), (3, "reports")];
    journal.append(rows.map(|(seq, target)| Write::RequestPut(request(seq, target))).to_vec()).unwrap();
    journal.append(vec![Write::RequestPut(request(2, "reports"))]).unwrap();
    for (target, expected) in [("alarms", 1), ("reports", 2), ("Alarms", 0), ("", 0)] {
        assert_eq!(journal.request_count(target).await.unwrap(), expected, "{target}");
    }
}

pub async fn a_number_that_does_not_fit_is_refused(place: &impl Place) {
    let backend = place.open();
    let writes = [Write::RequestPut(request(1, "alarms")), Write::RequestPut(request(1 << 63, "alarms"))];
    let error = backend.commit(&writes, Durability::Committed).unwrap_err();
    assert!(matches!(&error, StoreError::Unwritable { what: "request", .. }), "{error}");
    assert_eq!(backend.requests().unwrap(), [], "nothing of that commit was kept");
}
