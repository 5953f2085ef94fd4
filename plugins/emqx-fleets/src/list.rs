//! `GET /api/v1/commands` and the paging that all lists share.

use crate::answer::{Failure, bad_request};
use crate::send::ACTION_LABEL;
use crate::thing::Thing;
use crate::view;
use dragoman_plugin_sdk::http::{Query, json_response};
use dragoman_plugin_sdk::{Error, Gateway, Request, Response, Selection, State};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 200;
/// `page` times `limit` may not exceed this: a page is reached by reading all that stands before it.
const REACH_MAX: usize = 5_000;
/// Executions that are read at once. Each may be as large as a request.
const STEP: usize = 25;
/// Bytes of a page; the gateway takes answers of 4 MiB.
const PAGE_BYTES_MAX: usize = 3 * 1_024 * 1_024;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// From 1.
    pub(crate) page: usize,
    pub(crate) limit: usize,
}

impl Paging {
    pub(crate) fn read(query: &Query) -> Result<Self, Failure> {
        let number = |name: &str, default: usize, max: usize| match query.first(name) {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if (1..=max).contains(&number) => Ok(number),
                _ => Err(bad_request(format!("{name} must be a whole number from 1 to {max}"))),
            },
        };
        let paging = Self { page: number("page", 1, REACH_MAX)?, limit: number("limit", LIMIT_DEFAULT, LIMIT_MAX)? };
        if paging.end() > REACH_MAX {
            return Err(bad_request(format!(
                "page times limit must be at most {REACH_MAX}; narrow the list by a filter"
            )));
        }
        Ok(paging)
    }

    /// Items before the page.
    pub(crate) fn start(self) -> usize {
        (self.page - 1) * self.limit
    }

    /// Items up to the end of the page.
    pub(crate) fn end(self) -> usize {
        self.page * self.limit
    }
}

/// A page of a list, as the API shows it.
#[derive(Serialize)]
pub(crate) struct Listing<T> {
    pub(crate) data: Vec<T>,
    pub(crate) meta: Meta,
}

#[derive(Serialize)]
pub(crate) struct Meta {
    pub(crate) page: usize,
    pub(crate) limit: usize,
    /// Items in all; left out where they were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    pub(crate) hasnext: bool,
}

/// The newest commands first.
pub(crate) fn list(gateway: &impl Gateway, request: &Request) -> Result<Response, Failure> {
    let query = Query::parse(&request.query).ok_or_else(|| bad_request("the query is not percent-encoded UTF-8"))?;
    let paging = Paging::read(&query)?;
    let states = match query.first("status") {
        None => Vec::new(),
        Some(status) => states_of(status).ok_or_else(|| {
            bad_request("status must be one of SENT, SUCCEEDED, FAILED, REJECTED, TIMED_OUT, CANCELED")
        })?,
    };
    let thing = query.first("thingId").map(|id| Thing::find(gateway, id));
    let (data, count) = match thing {
        // A filter that fits no thing is a filter that fits no command.
        Some(None) => (Vec::new(), 0),
        thing => {
            let selection = Selection {
                device: thing.flatten().map(|thing| thing.device.id),
                states,
                labels: query.first("action").map(|a| (ACTION_LABEL.to_owned(), a.to_owned())).into_iter().collect(),
                newest_first: true,
            };
            (read_page(gateway, &selection, paging)?, gateway.count(&selection))
        }
    };
    let meta = Meta {
        page: paging.page,
        limit: paging.limit,
        count: Some(count),
        hasnext: count > u64::try_from(paging.end()).unwrap_or(u64::MAX),
    };
    Ok(json_response(200, &Listing { data, meta }))
}

fn read_page(gateway: &impl Gateway, selection: &Selection, paging: Paging) -> Result<Vec<Box<RawValue>>, Failure> {
    let (mut found, mut bytes, mut skip, mut after) = (Vec::new(), 0, paging.start(), None::<String>);
    loop {
        let wanted = (skip + paging.limit - found.len()).min(STEP);
        let step = gateway.executions(selection, after.as_deref(), u32::try_from(wanted).unwrap_or(u32::MAX));
        for execution in step.items.iter().skip(skip) {
            let item = to_raw_value(&view::of(execution)).map_err(|error| Error::Internal(error.to_string()))?;
            bytes += item.get().len();
            found.push(item);
        }
        if bytes > PAGE_BYTES_MAX {
            return Err(bad_request(format!("the page exceeds {PAGE_BYTES_MAX} bytes; ask with a smaller limit")));
        }
        skip = skip.saturating_sub(step.items.len());
        match step.next {
            Some(next) if found.len() < paging.limit && !step.items.is_empty() => after = Some(next),
            _ => return Ok(found),
        }
    }
}

fn states_of(status: &str) -> Option<Vec<State>> {
    Some(match status {
        "SENT" => vec![State::Queued, State::Sent, State::Acked],
        "SUCCEEDED" => vec![State::Succeeded],
        "FAILED" => vec![State::Failed],
        "REJECTED" => vec![State::Rejected],
        "TIMED_OUT" => vec![State::TimedOut],
        "CANCELED" => vec![State::Canceled],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::status_of;

    #[test]
    fn paging_has_defaults_and_bounds() {
        for (query, expected) in [
            ("", Some((1, 100))),
            ("page=3&limit=10", Some((3, 10))),
            ("page=0", None),
            ("page=x", None),
            ("limit=201", None),
            ("limit=0", None),
            ("limit=-1", None),
            ("page=25&limit=200", Some((25, 200))),
            ("page=26&limit=200", None),
            ("page=99999999999999999999", None),
        ] {
            let paging = Paging::read(&Query::parse(query).unwrap()).ok().map(|paging| (paging.page, paging.limit));
            assert_eq!(paging, expected, "{query}");
        }
    }

    #[test]
    fn a_status_filter_selects_the_states_that_show_it() {
        for status in ["SENT", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED"] {
            for state in states_of(status).unwrap() {
                assert_eq!(status_of(state), status);
            }
        }
        assert_eq!(states_of("sent"), None);
    }
}
