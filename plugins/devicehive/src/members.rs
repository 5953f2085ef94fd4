//! Members of a JSON object as the platform reads them: `null` is absent, and a number written as text is a number.

use dragoman_plugin_sdk::json;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An object whose members keep their text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(BTreeMap<String, Box<RawValue>>);

/// A member is of another type than the one it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongType;

impl Members {
    /// Reads an object; `None` for any other JSON, and for what is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        json::parse_object(text).ok().map(Self)
    }

    /// A member as it was written.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(AsRef::as_ref).filter(|raw| raw.get() != "null")
    }

    /// A member of any type, kept.
    pub(crate) fn kept(&self, name: &str) -> Option<Box<RawValue>> {
        self.raw(name).map(ToOwned::to_owned)
    }

    /// Whether a member is there and is no string.
    pub(crate) fn is_other_than_text(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|raw| !raw.get().starts_with('"'))
    }

    /// A text; numbers and booleans as they are written.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, WrongType> {
        self.read(name, text_of)
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, WrongType> {
        self.read(name, number_of)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, WrongType> {
        self.read(name, |value| value.as_bool())
    }

    /// A list of whole numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<i64>>, WrongType> {
        self.read(name, |value| value.as_array()?.iter().map(number_of).collect())
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, WrongType> {
        self.read(name, |value| value.as_array()?.iter().map(text_of).collect())
    }

    /// An object in this one.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, WrongType> {
        self.raw(name).map(|raw| Self::parse(raw.get()).ok_or(WrongType)).transpose()
    }

    fn read<T>(&self, name: &str, as_type: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, WrongType> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let value = json::parse::<Value>(raw.get()).map_err(|_| WrongType)?;
        as_type(&value).map(Some).ok_or(WrongType)
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_the_platform_reads_them() {
        let members = Members::parse(
            r#"{"t":"a","n":7,"m":"7","f":1.5,"b":true,"z":null,"l":[1,"2"],"x":["a",2],"o":{"p": 1.50},"h":9223372036854775808}"#,
        )
        .unwrap();
        assert_eq!(members.text("t"), Ok(Some("a".to_owned())));
        assert_eq!(members.text("n"), Ok(Some("7".to_owned())));
        assert_eq!(members.text("l"), Err(WrongType));
        assert_eq!((members.number("n"), members.number("m")), (Ok(Some(7)), Ok(Some(7))));
        for wrong in ["t", "f", "b", "l", "o", "h"] {
            assert_eq!(members.number(wrong), Err(WrongType), "{wrong}");
        }
        assert_eq!((members.number("z"), members.text("missing")), (Ok(None), Ok(None)));
        assert_eq!((members.flag("b"), members.flag("n")), (Ok(Some(true)), Err(WrongType)));
        assert_eq!((members.numbers("l"), members.numbers("x")), (Ok(Some(vec![1, 2])), Err(WrongType)));
        assert_eq!(members.texts("x"), Ok(Some(vec!["a".to_owned(), "2".to_owned()])));
        assert_eq!(members.object("o").unwrap().unwrap().raw("p").unwrap().get(), "1.50");
        assert!(members.object("t").is_err() && members.raw("z").is_none());
        assert!(members.is_other_than_text("z") && !members.is_other_than_text("t"));
        assert!(Members::parse("[1]").is_none() && Members::parse("{").is_none());
    }
}
