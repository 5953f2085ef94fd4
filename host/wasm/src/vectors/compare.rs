//! What differs between two JSON values, place by place. A member that is null and one that is missing are the same.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// Differences that are told of one vector; beyond that it is not the differences that help.
const DIFFERENCES_MAX: usize = 50;

/// One place where what came of a call is not what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// E.g. `answer.send.frames[0]`; empty for the whole.
    pub place: String,
    /// What the vector says; null: nothing.
    pub expected: Value,
    /// What came of the call; null: nothing.
    pub actual: Value,
}

impl Difference {
    /// Something to say that is no difference between two values.
    pub(super) fn note(text: impl Into<String>) -> Self {
        Self { place: text.into(), expected: Value::Null, actual: Value::Null }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, expected, actual } = self;
        if expected.is_null() && actual.is_null() {
            return f.write_str(place);
        }
        writeln!(f, "{}:", if place.is_empty() { "all of it" } else { place })?;
        writeln!(f, "  expected {}", shown(expected))?;
        write!(f, "  actual   {}", shown(actual))
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

/// Where the two differ, as deep as they have a place in common; at most 50.
pub(super) fn differences(expected: &Value, actual: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), expected, actual, &mut found);
    found
}

fn compare(place: String, expected: &Value, actual: &Value, found: &mut Vec<Difference>) {
    if found.len() >= DIFFERENCES_MAX {
        return;
    }
    match (expected, actual) {
        (Value::Object(one), Value::Object(two)) => {
            let names: BTreeSet<_> = one.keys().chain(two.keys()).collect();
            for name in names {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                let member = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                compare(place, &member(one), &member(two), found);
            }
        }
        (Value::Array(one), Value::Array(two)) => {
            for at in 0..one.len().max(two.len()) {
                let item = |items: &[Value]| items.get(at).cloned().unwrap_or_default();
                compare(format!("{place}[{at}]"), &item(one), &item(two), found);
            }
            // An item that is null and one that is missing are two things.
            if one.len() != two.len()
                && one.iter().skip(two.len()).chain(two.iter().skip(one.len())).all(Value::is_null)
            {
                found.push(Difference { place, expected: expected.clone(), actual: actual.clone() });
            }
        }
        _ if expected == actual => {}
        _ => found.push(Difference { place, expected: expected.clone(), actual: actual.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_told_where_they_are() {
        for (expected, actual, told) in [
            (json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]}), vec![]),
            (json!({"a": null}), json!({}), vec![]),
            (json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 3}]}), vec!["a[1].b:\n  expected 2\n  actual   3"]),
            (
                json!({"a": 1}),
                json!({"b": 1}),
                vec!["a:\n  expected 1\n  actual   nothing", "b:\n  expected nothing\n  actual   1"],
            ),
            (json!([1]), json!([1, 2]), vec!["[1]:\n  expected nothing\n  actual   2"]),
            (json!([1]), json!([1, null]), vec![":\n  expected [1]\n  actual   [1,null]"]),
            (json!(5), json!(5.0), vec!["all of it:\n  expected 5\n  actual   5.0"]),
            (json!({"a": {"b": 1}}), json!({"a": "b"}), vec!["a:\n  expected {\"b\":1}\n  actual   \"b\""]),
        ] {
            let found: Vec<_> = differences(&expected, &actual).iter().map(ToString::to_string).collect();
            let told: Vec<_> = told
                .iter()
                .map(|text| text.strip_prefix(':').map_or((*text).to_owned(), |rest| format!("all of it:{rest}")))
                .collect();
            assert_eq!(found, told, "{expected} {actual}");
        }
        let many = json!((0..100).collect::<Vec<_>>());
        assert_eq!(differences(&many, &json!(vec![-1; 100])).len(), DIFFERENCES_MAX);
    }
}
