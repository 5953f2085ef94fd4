//! Query parameters of the lists.

use super::Failure;
use super::checks;
use axum::extract::Query;
use axum::http::Uri;
use dragoman_core::{Attributes, State};

/// Items of a page where the caller names no limit.
const LIMIT_DEFAULT: u32 = 100;
/// Most items of a page.
const LIMIT_MAX: u32 = 1_000;

/// The parameters of a list, checked. Which of them a list knows is said by its caller.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) device: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) dialect: Option<String>,
    pub(super) plugin: Option<String>,
    pub(super) states: Vec<State>,
    pub(super) labels: Attributes,
    pub(super) after: Option<String>,
    pub(super) oldest_first: bool,
    pub(super) limit: u32,
}

/// Reads the query. `known` are the parameters of this list; `label.` stands for every label.
pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Filter, Failure> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Failure::invalid("the query is not made of NAME=VALUE"))?;
    let mut filter = Filter { limit: LIMIT_DEFAULT, ..Filter::default() };
    for (name, value) in pairs {
        let label = name.strip_prefix("label.").filter(|_| known.contains(&"label."));
        match (label, name.as_str()) {
            (Some(label), _) => filter.labels.push((label.to_owned(), value)),
            (None, name) if !known.contains(&name) => {
                let name = checks::shown(name);
                return Err(Failure::invalid(format!("{name} is no parameter here; known are {}", known.join(", "))));
            }
            (None, "device") => filter.device = Some(value),
            (None, "origin") => filter.origin = Some(value),
            (None, "dialect") => filter.dialect = Some(value),
            (None, "plugin") => filter.plugin = Some(value),
            (None, "after") => filter.after = Some(value),
            (None, "state") => filter.states.extend(states(&value)?),
            (None, "order") => filter.oldest_first = oldest_first(&value)?,
            (None, _) => filter.limit = limit(&value)?,
        }
    }
    Ok(filter)
}

fn states(value: &str) -> Result<Vec<State>, Failure> {
    let state = |word: &str| {
        super::words::STATES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, state)| *state)
            .ok_or_else(|| {
                let known: Vec<&str> = super::words::STATES.iter().map(|(name, _)| *name).collect();
                Failure::invalid(format!("state {} is not known; known are {}", checks::shown(word), known.join(", ")))
            })
    };
    value.split(',').map(state).collect()
}

fn oldest_first(value: &str) -> Result<bool, Failure> {
    match value {
        "newest" => Ok(false),
        "oldest" => Ok(true),
        other => Err(Failure::invalid(format!("order is {}; expected newest or oldest first", checks::shown(other)))),
    }
}

fn limit(value: &str) -> Result<u32, Failure> {
    value
        .parse()
        .ok()
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| Failure::invalid(format!("limit is {}; allowed are 1 to {LIMIT_MAX}", checks::shown(value))))
}
