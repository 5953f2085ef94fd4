//! Values of options, and secrets that are read from elsewhere.

use super::args::Secret;
use super::failure::Failure;
use crate::config::{Config, ConfigError};
use serde_json::{Map, Value};
use std::path::Path;
use zeroize::Zeroizing;

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// JSON.
pub(super) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))
}

/// `NAME=JSON`.
pub(super) fn property(text: &str) -> Result<(String, Value), String> {
    let (name, value) = pair(text).map_err(|_| "expected NAME=JSON".to_owned())?;
    let value = json(&value).map_err(|error| format!("{error}; a text needs quotes, as in '{name}=\"{value}\"'"))?;
    Ok((name, value))
}

/// Pairs as a JSON object.
pub(super) fn object(pairs: Vec<(String, String)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>())
}

impl Secret {
    /// The secret, where one was given.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let secret = match (&self.secret_file, &self.secret_env) {
            (Some(file), _) => {
                Zeroizing::new(std::fs::read_to_string(file).map_err(|error| {
                    Failure::failed(format!("the secret {} cannot be read: {error}", file.display()))
                })?)
            }
            (None, Some(name)) => Zeroizing::new(
                std::env::var(name).map_err(|_| Failure::failed(format!("{name} is not set in the environment")))?,
            ),
            (None, None) => return Ok(None),
        };
        let trimmed = secret.strip_suffix('\n').unwrap_or(&secret);
        Ok(Some(Zeroizing::new(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())))
    }
}

/// The configuration that was named, else the one in the working folder, else every default.
pub(super) fn configuration(file: Option<&Path>) -> Result<Config, ConfigError> {
    match file {
        Some(file) => Config::load(file),
        None if Path::new(Config::FILE_NAME).exists() => Config::load(Path::new(Config::FILE_NAME)),
        None => Ok(Config::defaults(Path::new(""))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, pair, property};

    #[test]
    fn pairs_are_split_at_the_first_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert_eq!(pair("=b"), Err("expected NAME=VALUE".to_owned()));
        assert_eq!(property("a=[1]"), Ok(("a".to_owned(), serde_json::json!([1]))));
        let quotes = "this is not JSON: expected value at line 1 column 1; a text needs quotes, as in 'mode=\"day\"'";
        assert_eq!(property("mode=day"), Err(quotes.to_owned()));
    }

    #[test]
    fn a_line_feed_at_the_end_is_no_part_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let secret = Secret { secret_file: Some(file.clone()), secret_env: None };
        for (text, expected) in [("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(secret.read().unwrap().unwrap().as_str(), expected);
        }
        assert!(Secret { secret_file: None, secret_env: None }.read().unwrap().is_none());
    }
}
