//! The texts by which the tests make one guest into many: each is replaced in the file by another of the same length.

use std::hint::black_box;

// A word, `=`, and room for forty bytes. They stand in the file as they are, so each must be found there once.
static DEED: &str = "hostile-deed=                                        ";
static PLACE: &str = "hostile-place=                                        ";
static NAME: &str = "hostile-name=                                        ";
static CLAIM: &str = "hostile-claim=                                        ";

/// What it does.
pub(crate) fn deed() -> &'static str {
    value(DEED)
}

/// In which export it does it.
pub(crate) fn is_place(export: &str) -> bool {
    value(PLACE) == export
}

/// How it calls itself.
pub(crate) fn name() -> &'static str {
    match value(NAME) {
        "" => "hostile",
        name => name,
    }
}

/// A route or a topic filter that it claims; none: a route of its own.
pub(crate) fn claim() -> Option<&'static str> {
    Some(value(CLAIM)).filter(|claim| !claim.is_empty())
}

fn value(text: &'static str) -> &'static str {
    black_box(text).split_once('=').map_or("", |(_, value)| value.trim_end())
}
