//! The bytes of the lamp: items of a tag and a value, in any order, each tag once.

use serde_json::{Map, Value};

/// The port on which the lamp takes commands.
pub(crate) const F_PORT: u8 = 10;
/// The port on which it reports.
pub(crate) const F_PORT_UP: u8 = 11;
/// The brightest.
pub(crate) const LEVEL_MAX: u8 = 100;

/// What one item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Switch(bool),
    Level(u8),
    /// Tenths of a degree Celsius.
    Temperature(i16),
    Blink(u8),
    /// Asks for a report of everything.
    Report,
}

impl Item {
    fn tag(self) -> u8 {
        match self {
            Self::Report => 0,
            Self::Switch(_) => 1,
            Self::Level(_) => 2,
            Self::Temperature(_) => 3,
            Self::Blink(_) => 4,
        }
    }
}

/// The bytes of items; none are an error.
pub(crate) fn encode(items: &[Item]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.push(item.tag());
        match *item {
            Item::Report => {}
            Item::Switch(on) => bytes.push(u8::from(on)),
            Item::Level(value) | Item::Blink(value) => bytes.push(value),
            Item::Temperature(tenths) => bytes.extend(tenths.to_be_bytes()),
        }
    }
    if bytes.is_empty() { Err("there is nothing to set".to_owned()) } else { Ok(bytes) }
}

/// A JSON object and warnings, from the bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(String, Vec<String>), String> {
    let (mut object, mut warnings) = (Map::new(), Vec::new());
    let mut rest = bytes.iter().copied();
    while let Some(item) = next(&mut rest)? {
        let (name, value) = match item {
            Item::Report => ("report", Value::from(true)),
            Item::Switch(on) => ("switch", Value::from(on)),
            Item::Level(level) => ("level", Value::from(level)),
            Item::Temperature(tenths) => ("temperature", Value::from(f64::from(tenths) / 10.0)),
            Item::Blink(times) => ("blink", Value::from(times)),
        };
        if let Item::Level(level) = item
            && level > LEVEL_MAX
        {
            warnings.push(format!("level {level} is more than {LEVEL_MAX}"));
        }
        if object.insert(name.to_owned(), value).is_some() {
            warnings.push(format!("{name} is said twice; the last counts"));
        }
    }
    if object.is_empty() {
        Err("there are no bytes".to_owned())
    } else {
        Ok((Value::Object(object).to_string(), warnings))
    }
}

/// The item that begins here; `None` at the end.
fn next(rest: &mut impl Iterator<Item = u8>) -> Result<Option<Item>, String> {
    let Some(tag) = rest.next() else { return Ok(None) };
    let mut value = || rest.next().ok_or_else(|| format!("the value of item {tag} is cut short"));
    Ok(Some(match tag {
        0 => Item::Report,
        1 => Item::Switch(value()? != 0),
        2 => Item::Level(value()?),
        3 => Item::Temperature(i16::from_be_bytes([value()?, value()?])),
        4 => Item::Blink(value()?),
        _ => return Err(format!("item {tag} is not known")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_bytes_and_bytes_are_an_object() {
        for (items, bytes, object) in [
            (vec![Item::Switch(true)], vec![1, 1], r#"{"switch":true}"#),
            (vec![Item::Switch(false), Item::Level(50)], vec![1, 0, 2, 50], r#"{"level":50,"switch":false}"#),
            (vec![Item::Temperature(-25)], vec![3, 0xff, 0xe7], r#"{"temperature":-2.5}"#),
            (vec![Item::Temperature(215)], vec![3, 0, 0xd7], r#"{"temperature":21.5}"#),
            (vec![Item::Blink(3)], vec![4, 3], r#"{"blink":3}"#),
            (vec![Item::Report], vec![0], r#"{"report":true}"#),
        ] {
            assert_eq!(encode(&items), Ok(bytes.clone()), "{items:?}");
            assert_eq!(decode(&bytes), Ok((object.to_owned(), vec![])), "{bytes:?}");
        }
        assert!(encode(&[]).is_err());
    }

    #[test]
    fn bytes_that_mean_nothing_are_refused() {
        for bytes in [&[][..], &[1], &[3, 0], &[9], &[1, 1, 9], &[0xbe, 0xef]] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        let (object, warnings) = decode(&[2, 200, 2, 101]).unwrap();
        assert_eq!((object.as_str(), warnings.len()), (r#"{"level":101}"#, 3));
    }
}
