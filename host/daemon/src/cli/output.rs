//! What is printed: JSON for scripts, tables for people.

use super::failure::Failure;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// How to print.
pub(super) struct Output {
    json: bool,
}

impl Output {
    /// JSON, or for people.
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A value as JSON, or as what `text` makes of it.
    pub(super) fn print(&self, value: &Value, text: impl FnOnce(&Value) -> String) {
        let printed = if self.json { format!("{value:#}") } else { text(value) };
        line(&mut std::io::stdout().lock(), &printed);
    }

    /// Warnings of an answer, on standard error. In JSON they stand in the answer itself.
    pub(super) fn warnings(&self, value: &Value) {
        if !self.json {
            for warning in texts(value, "warnings") {
                line(&mut std::io::stderr().lock(), &format!("warning: {warning}"));
            }
        }
    }

    /// Why a command did not succeed, on standard error, and its exit code.
    pub(super) fn failure(&self, failure: &Failure) -> ExitCode {
        if let Some((code, message)) = failure.words() {
            let printed = if self.json {
                json!({"error": {"code": code, "message": message}}).to_string()
            } else {
                format!("error: {message}")
            };
            line(&mut std::io::stderr().lock(), &printed);
        }
        ExitCode::from(failure.exit_code())
    }
}

/// Where nobody reads any more, as behind `| head`, there is nothing to do about it.
fn line(to: &mut impl Write, text: &str) {
    let _ = writeln!(to, "{}", text.trim_end());
}

/// A member as text; numbers and truth values as JSON writes them, nothing for what is missing.
pub(super) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The texts of a member that is a list.
pub(super) fn texts<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    items(value, name).filter_map(Value::as_str).collect()
}

/// The items of a member that is a list.
pub(super) fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// An object as `a=1 b=2`.
pub(super) fn pairs(value: &Value, name: &str) -> String {
    let object = value.get(name).and_then(Value::as_object);
    let pairs = object.into_iter().flatten().map(|(key, value)| match value {
        Value::String(value) => format!("{key}={value}"),
        other => format!("{key}={other}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Rows in columns as wide as they must be. `none` is what is said where there are no rows.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>], none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let heading: Vec<String> = heading.iter().map(|&name| name.to_owned()).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..heading.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values in two columns; what is empty is left out.
pub(super) fn list(entries: &[(&str, String)]) -> String {
    let shown: Vec<_> = entries.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    shown.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect::<Vec<_>>().join("\n")
}

/// What to type for the page behind this one.
pub(super) fn more(value: &Value) -> String {
    match value.get("next").and_then(Value::as_str) {
        Some(next) => format!("\nThere are more: --after {next}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{list, pairs, table, text};
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "écu".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "NAME"], &rows, "none"), "ID    NAME\na     écu\nlong");
        assert_eq!(table(&["ID"], &[], "no devices"), "no devices");
        assert_eq!(
            list(&[("id", "a".to_owned()), ("empty", String::new()), ("state", "x".to_owned())]),
            "id     a\nstate  x"
        );
    }

    #[test]
    fn values_are_shown_without_quotes() {
        let value = json!({"a": "x", "b": 1, "c": null, "d": {"k": "v", "n": [1]}});
        assert_eq!([text(&value, "a"), text(&value, "b"), text(&value, "c"), text(&value, "e")], ["x", "1", "", ""]);
        assert_eq!(pairs(&value, "d"), "k=v n=[1]");
    }
}
