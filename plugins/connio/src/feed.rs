//! Bodies that write: the Data Feed, the conventional object, and the feed of methods.

use dragoman_plugin_sdk::json::{self, Broken};
use dragoman_plugin_sdk::time;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Points of one feed or object.
pub(crate) const POINTS_MAX: usize = 64;
/// Annotations of one point.
const ANNOTATIONS_MAX: usize = 10;
/// Characters of an annotation.
const ANNOTATION_CHARS_MAX: usize = 128;

/// One value for one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// As the caller names it.
    pub(crate) property: String,
    /// JSON text.
    pub(crate) value: String,
    /// In milliseconds since 1970; none: now.
    pub(crate) at_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Feed {
    dps: Vec<Box<RawValue>>,
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    prop: Option<String>,
}

#[derive(Deserialize)]
struct DataPoint {
    #[serde(default)]
    v: Option<Box<RawValue>>,
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    tt: Option<i64>,
    #[serde(default)]
    prop: Option<String>,
    #[serde(default)]
    ann: Option<Value>,
}

/// Reads a feed. `property` is what the path names; it goes before what the feed does. A point that cannot be read is
/// told with why; the others stand.
pub(crate) fn read(text: &str, property: Option<&str>) -> Result<Vec<Result<Point, String>>, String> {
    let feed: Feed = json::parse_object(text).map_err(broken)?;
    limited(feed.dps.len())?;
    let base_ms =
        feed.t.as_deref().map(|text| time::iso_8601_with_zone(text).ok_or_else(|| bad_time(text))).transpose()?;
    Ok(feed.dps.iter().map(|point| read_point(point.get(), property, feed.prop.as_deref(), base_ms)).collect())
}

fn read_point(text: &str, of_path: Option<&str>, of_feed: Option<&str>, base_ms: Option<u64>) -> Result<Point, String> {
    let point: DataPoint = json::parse_object(text).map_err(broken)?;
    let property = of_path.or(point.prop.as_deref()).or(of_feed).ok_or("the point names no property")?;
    let value = point.v.ok_or("the point has no value")?;
    let at_ms = match (point.t, point.tt) {
        (Some(text), _) => Some(time::iso_8601_with_zone(&text).ok_or_else(|| bad_time(&text))?),
        (None, Some(delta_ms)) => {
            let base_ms = base_ms.ok_or("the point has a tt, but the feed has no t")?;
            Some(base_ms.checked_add_signed(delta_ms).ok_or("the point's tt leads to no time")?)
        }
        (None, None) => base_ms,
    };
    check_annotations(point.ann.as_ref())?;
    Ok(Point { property: property.to_owned(), value: value.get().to_owned(), at_ms })
}

fn check_annotations(annotations: Option<&Value>) -> Result<(), String> {
    let fits = |one: &Value| one.as_str().is_none_or(|text| text.chars().count() <= ANNOTATION_CHARS_MAX);
    match annotations.and_then(Value::as_array) {
        Some(all) if all.len() > ANNOTATIONS_MAX || !all.iter().all(fits) => Err(format!(
            "a point has at most {ANNOTATIONS_MAX} annotations of at most {ANNOTATION_CHARS_MAX} characters"
        )),
        _ => Ok(()),
    }
}

/// Reads `{"property": value, …}`.
pub(crate) fn read_conventional(text: &str) -> Result<Vec<Result<Point, String>>, String> {
    let object: BTreeMap<String, Box<RawValue>> = json::parse_object(text).map_err(broken)?;
    limited(object.len())?;
    let point =
        |(property, value): (String, Box<RawValue>)| Point { property, value: value.get().to_owned(), at_ms: None };
    Ok(object.into_iter().map(|member| Ok(point(member))).collect())
}

/// A call of a method: its name, and its argument as JSON text, `null` for none.
pub(crate) type MethodCall = (String, String);

/// Reads `{"dps": [{"method", "value"?}, …]}`.
pub(crate) fn read_methods(text: &str) -> Result<Vec<Result<MethodCall, String>>, String> {
    #[derive(Deserialize)]
    struct Calls {
        dps: Vec<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    struct Call {
        method: String,
        #[serde(default)]
        value: Option<Box<RawValue>>,
    }
    let calls: Calls = json::parse_object(text).map_err(broken)?;
    limited(calls.dps.len())?;
    let read = |text: &str| {
        let call: Call = json::parse_object(text).map_err(broken)?;
        Ok((call.method, call.value.map_or_else(|| "null".to_owned(), |value| value.get().to_owned())))
    };
    Ok(calls.dps.iter().map(|call| read(call.get())).collect())
}

fn limited(points: usize) -> Result<(), String> {
    if points <= POINTS_MAX {
        Ok(())
    } else {
        Err(format!("there are {points} points, at most {POINTS_MAX} are taken"))
    }
}

fn bad_time(text: &str) -> String {
    format!("{text:.64} is no ISO 8601 time with a zone")
}

fn broken(broken: Broken) -> String {
    match broken {
        Broken::Syntax(text) => format!("it is no JSON: {text}"),
        Broken::Shape(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(property: &str, value: &str, at_ms: Option<u64>) -> Point {
        Point { property: property.to_owned(), value: value.to_owned(), at_ms }
    }

    #[test]
    fn points_take_what_they_leave_out_from_the_feed() {
        for (text, path, expected) in [
            (r#"{"dps":[{"v":45}]}"#, Some("temp"), point("temp", "45", None)),
            (r#"{"dps":[{"v": {"a": 1.50},"prop":"temp"}]}"#, None, point("temp", r#"{"a": 1.50}"#, None)),
            (r#"{"dps":[{"v":1}],"prop":"temp","t":"1970-01-01T00:00:01Z"}"#, None, point("temp", "1", Some(1_000))),
            (r#"{"dps":[{"v":1,"tt":-400}],"prop":"x","t":"1970-01-01T00:00:01Z"}"#, None, point("x", "1", Some(600))),
            (
                r#"{"dps":[{"v":1,"tt":5,"t":"1970-01-01T00:00:02Z","prop":"y"}],"prop":"x"}"#,
                None,
                point("y", "1", Some(2_000)),
            ),
            (r#"{"dps":[{"v":1,"prop":"other"}]}"#, Some("temp"), point("temp", "1", None)),
        ] {
            assert_eq!(read(text, path), Ok(vec![Ok(expected)]), "{text}");
        }
    }

    #[test]
    fn a_point_that_cannot_be_read_leaves_the_others() {
        let long = format!(r#"{{"v":1,"ann":["{}"]}}"#, "x".repeat(129));
        for bad in [
            "7",
            "[]",
            "{}",
            r#"{"v":null}"#,
            r#"{"v":1,"t":"2025-05-28T00:00:00"}"#,
            r#"{"v":1,"t":1748390400}"#,
            r#"{"v":1,"tt":5}"#,
            r#"{"v":1,"tt":"5"}"#,
            r#"{"v":1,"prop":7}"#,
            r#"{"v":1,"ann":["1","2","3","4","5","6","7","8","9","10","11"]}"#,
            &long,
        ] {
            let points = read(&format!(r#"{{"dps":[{bad},{{"v":2}}],"prop":"p"}}"#), None).unwrap();
            assert!(points[0].is_err() && points[1].is_ok(), "{bad}");
        }
        assert!(read(r#"{"dps":[{"v":1}]}"#, None).unwrap()[0].is_err(), "no property");
    }

    #[test]
    fn a_body_that_is_no_feed_is_refused_whole() {
        let many = format!(r#"{{"dps":[{}1]}}"#, "1,".repeat(64));
        for bad in ["", "{", "[]", "{}", r#"{"dps":{}}"#, r#"{"dps":[],"t":"now"}"#, &many] {
            assert!(read(bad, Some("p")).is_err(), "{bad}");
        }
        for bad in ["", "[]", "7", r#"{"a":}"#] {
            assert!(read_conventional(bad).is_err(), "{bad}");
        }
        let all = read_conventional(r#"{"property1":23.30,"property2":"x"}"#).unwrap();
        assert_eq!(all, [Ok(point("property1", "23.30", None)), Ok(point("property2", "\"x\"", None))]);
    }

    #[test]
    fn methods_are_called_one_by_one() {
        let calls = read_methods(r#"{"dps":[{"method":"m","value":{"a":1}},{"method":"n"},{"value":1}]}"#).unwrap();
        assert_eq!(calls[0], Ok(("m".to_owned(), r#"{"a":1}"#.to_owned())));
        assert_eq!(calls[1], Ok(("n".to_owned(), "null".to_owned())));
        assert!(calls[2].is_err());
    }
}
