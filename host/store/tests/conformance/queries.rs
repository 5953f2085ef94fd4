//! Pages and counts of executions.

use crate::support::*;
use crate::{Place, commit};
use dragoman_core::{Execution, State};
use dragoman_store::{Backend, PAGE_MAX, Selection, StoreError};
use std::sync::Arc;

const STATES: [State; 4] = [State::Queued, State::Sent, State::Succeeded, State::TimedOut];

/// Sixty executions over all combinations of three devices, two origins, four states and labels, in order of creation;
/// some share a time, and the clock was set back between them.
fn filled(place: &impl Place) -> (Arc<dyn Backend>, Vec<Execution>) {
    let backend = place.open();
    let mut all: Vec<Execution> = (0..60_usize)
        .map(|n| {
            let device = ["lamp", "door", "hub"][n % 3];
            let mut execution = execution(&format!("e{n:02}"), device);
            execution.created_ms = 1_000 + n as u64 / 2 - if n >= 40 { 15 } else { 0 };
            execution.origin = ["globex", "initech"][n / 3 % 2].into();
            if n % 2 == 0 {
                execution.labels = pairs(&[("even", "yes"), ("tens", ["0", "1", "2", "3", "4", "5"][n / 10])]);
            }
            moved(execution, STATES[n / 6 % 4], 2_000 + n as u64)
        })
        .collect();
    commit(&backend, all.iter().cloned().map(put));
    // Those of one time stay in the order in which they were written.
    all.sort_by_key(|execution| execution.created_ms);
    (backend, all)
}

/// All pages of a selection, joined.
fn walk(backend: &Arc<dyn Backend>, mut selection: Selection) -> Vec<Execution> {
    let mut all = Vec::new();
    loop {
        let page = backend.executions(&selection).unwrap();
        assert!(page.items.len() <= selection.limit as usize);
        all.extend(page.items);
        match page.next {
            Some(next) => selection.after = Some(next),
            None => return all,
        }
    }
}

pub async fn pages_go_through_all_in_both_orders(place: &impl Place) {
    let (backend, mut all) = filled(place);
    for limit in [1, 7, 59, 60, 61] {
        assert_eq!(walk(&backend, Selection { limit, ..Selection::default() }), all, "limit {limit}");
    }
    all.reverse();
    for limit in [1, 7, 60] {
        let selection = Selection { limit, newest_first: true, ..Selection::default() };
        assert_eq!(walk(&backend, selection), all, "limit {limit}");
    }
}

pub async fn a_page_says_when_it_is_the_last(place: &impl Place) {
    let (backend, _) = filled(place);
    let page = |limit| backend.executions(&Selection { limit, ..Selection::default() }).unwrap();
    assert!(page(59).next.is_some());
    assert!(page(60).next.is_none());
    assert_eq!(page(60).items.len(), 60);
    let none = Selection { device: Some(dev("nobody")), limit: 10, ..Selection::default() };
    assert_eq!(backend.executions(&none).unwrap(), dragoman_store::Page::default());
}

pub async fn pages_stay_in_place_when_executions_are_added(place: &impl Place) {
    let (backend, all) = filled(place);
    let mut selection = Selection { limit: 25, newest_first: true, ..Selection::default() };
    let first = backend.executions(&selection).unwrap();
    commit(&backend, [put(Execution { created_ms: 2_000, ..execution("later", "lamp") })]);
    selection.after = first.next;
    let second = backend.executions(&selection).unwrap();
    assert_eq!(second.items.first(), all.get(34));
}

pub async fn each_filter_and_any_two_together(place: &impl Place) {
    let (backend, all) = filled(place);
    let devices = [None, Some(dev("door")), Some(dev("nobody"))];
    let origins: [Option<Arc<str>>; 3] = [None, Some("initech".into()), Some("nobody".into())];
    let states =
        [vec![], vec![State::Queued, State::Sent], vec![State::TimedOut], STATES.to_vec(), vec![State::Failed]];
    let labels =
        [vec![], pairs(&[("even", "yes")]), pairs(&[("even", "yes"), ("tens", "2")]), pairs(&[("even", "no")])];
    let times = [(None, None), (Some(1_006), Some(1_010)), (None, Some(1_000)), (Some(1_010), None)];
    for device in &devices {
        for origin in &origins {
            for states in &states {
                for (labels, (since_ms, before_ms)) in
                    labels.iter().flat_map(|labels| times.map(|times| (labels, times)))
                {
                    let selection = Selection {
                        device: device.clone(),
                        origin: origin.clone(),
                        states: states.clone(),
                        labels: labels.clone(),
                        since_ms,
                        before_ms,
                        newest_first: false,
                        after: None,
                        limit: 4,
                    };
                    let expected: Vec<Execution> = all
                        .iter()
                        .filter(|e| device.as_ref().is_none_or(|device| e.device == *device))
                        .filter(|e| origin.as_ref().is_none_or(|origin| e.origin == *origin))
                        .filter(|e| states.is_empty() || states.contains(&e.state))
                        .filter(|e| since_ms.is_none_or(|since_ms| e.created_ms >= since_ms))
                        .filter(|e| before_ms.is_none_or(|before_ms| e.created_ms < before_ms))
                        .filter(|e| labels.iter().all(|label| e.labels.contains(label)))
                        .cloned()
                        .collect();
                    assert_eq!(backend.count(&selection, 1_000).unwrap(), expected.len() as u64, "{selection:?}");
                    assert_eq!(walk(&backend, selection.clone()), expected, "{selection:?}");
                    let reversed = Selection { newest_first: true, ..selection };
                    assert!(walk(&backend, reversed).iter().eq(expected.iter().rev()));
                }
            }
        }
    }
}

pub async fn counts_match_pages_and_stop(place: &impl Place) {
    let (backend, _) = filled(place);
    assert_eq!(backend.count(&Selection::default(), 1_000).unwrap(), 60);
    assert_eq!(backend.count(&Selection::default(), 60).unwrap(), 60);
    assert_eq!(backend.count(&Selection::default(), 59).unwrap(), 59);
    assert_eq!(backend.count(&Selection::default(), 0).unwrap(), 0);
    let with_place = Selection { after: Some("1000-30".to_owned()), limit: 1, ..Selection::default() };
    assert_eq!(backend.count(&with_place, u64::MAX).unwrap(), 60);
}

pub async fn a_place_that_no_page_gave_is_refused(place: &impl Place) {
    let backend = place.open();
    for wrong in ["", "x", "1", "1-", "-1-", "1 OR 1-2", "1-99999999999999999999"] {
        let selection = Selection { after: Some(wrong.to_owned()), limit: 1, ..Selection::default() };
        let refused = backend.executions(&selection);
        assert!(matches!(&refused, Err(StoreError::BadCursor(text)) if text == wrong), "{refused:?}");
    }
}

pub async fn a_limit_is_kept_within_bounds(place: &impl Place) {
    let backend = place.open();
    commit(&backend, (0..PAGE_MAX + 5).map(|n| put(execution(&format!("{n:05}"), "lamp"))));
    let page = |limit| backend.executions(&Selection { limit, ..Selection::default() }).unwrap();
    assert_eq!(page(0).items.len(), 1);
    let largest = page(u32::MAX);
    assert_eq!(largest.items.len(), PAGE_MAX as usize);
    assert!(largest.next.is_some());
}
