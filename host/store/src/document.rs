//! What a dialect keeps on its own account.

use dragoman_core::Json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One document of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRecord {
    /// The dialect it belongs to.
    pub dialect: Arc<str>,
    /// The collection it is in.
    pub collection: String,
    /// Unique in its collection.
    pub key: String,
    /// JSON text, opaque but for the fields that are indexed.
    pub json: Json,
    /// Counts writes, from 1. The caller compares it before it writes; the store does not.
    pub revision: u64,
}

/// What these fields of a document are indexed by, in their order; none where a field cannot be searched for.
pub(crate) fn indexed_values(json: &str, fields: &[String]) -> Vec<Option<String>> {
    // What is no object has no fields.
    let mut members: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
    fields.iter().map(|field| members.remove(field).and_then(indexed_value)).collect()
}

/// The text of a string, the JSON form of a number or boolean.
fn indexed_value(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn top_level_scalars_are_indexed() {
        let json = r#"{"text":"a \"b\"","whole":7,"part":1.5,"big":18446744073709551615,"yes":true,"no":false,
            "nothing":null,"list":["x"],"object":{"deep":"y"},"twice":"1","twice":"2"}"#;
        for (field, value) in [
            ("text", Some("a \"b\"")),
            ("whole", Some("7")),
            ("part", Some("1.5")),
            ("big", Some("18446744073709551615")),
            ("yes", Some("true")),
            ("no", Some("false")),
            ("nothing", None),
            ("list", None),
            ("object", None),
            ("deep", None),
            ("missing", None),
            ("twice", Some("2")),
        ] {
            let found = super::indexed_values(json, &[field.to_owned()]);
            assert_eq!(found, [value.map(str::to_owned)], "{field}");
        }
        for json in ["[1]", "7", "\"text\"", "null", "not JSON"] {
            assert_eq!(super::indexed_values(json, &["text".to_owned()]), [None], "{json}");
        }
    }
}
