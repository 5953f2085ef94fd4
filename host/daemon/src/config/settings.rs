//! A plugin's settings: any TOML table, as JSON.

use super::ConfigError;
use super::reader::{Place, Section};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

/// Tables and arrays that a settings table may hold inside each other.
const DEPTH_MAX: usize = 32;

/// The JSON object of a settings table. Dates become their text.
pub(super) fn object(section: &Section<'_>) -> Result<Map<String, Value>, ConfigError> {
    let (place, path, table) = section.raw();
    table.map_or_else(|| Ok(Map::new()), |table| members(place, path, table, DEPTH_MAX))
}

fn members(
    place: &Place<'_>,
    path: &str,
    table: &DeTable<'_>,
    depth: usize,
) -> Result<Map<String, Value>, ConfigError> {
    table
        .iter()
        .map(|(key, value)| {
            let path = format!("{path}.{}", key.get_ref());
            let json = json(place, &path, value.span().start, value.get_ref(), depth)?;
            Ok((key.get_ref().to_string(), json))
        })
        .collect()
}

fn json(place: &Place<'_>, path: &str, at: usize, value: &DeValue<'_>, depth: usize) -> Result<Value, ConfigError> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(place.error(at, format!("{path} is nested deeper than {DEPTH_MAX} levels, the limit of settings")));
    };
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Ok(Value::from(*flag)),
        DeValue::Datetime(time) => Ok(Value::from(time.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map(Value::from).map_err(|_| {
                place.error(at, format!("{path} is {number}; allowed are integers from {} to {}", i64::MIN, i64::MAX))
            })
        }
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| place.error(at, format!("{path} is {number}, a number that JSON cannot carry"))),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| json(place, &format!("{path}[{index}]"), item.span().start, item.get_ref(), deeper))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        DeValue::Table(table) => members(place, path, table, deeper).map(Value::Object),
    }
}
