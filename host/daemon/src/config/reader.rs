//! Reads values out of a parsed TOML table and words what is wrong with them.

use super::ConfigError;
use std::ops::RangeInclusive;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The file that is read, to turn byte offsets into lines.
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// An error at a byte offset of the text.
    pub(super) fn error(&self, at: usize, problem: impl Into<String>) -> ConfigError {
        let before = self.text.as_bytes().iter().take(at);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        ConfigError::Invalid { file: self.file.to_owned(), line, problem: problem.into() }
    }
}

/// One table of the file, or a table that is not there.
pub(super) struct Section<'a> {
    place: &'a Place<'a>,
    path: String,
    table: Option<&'a DeTable<'a>>,
}

impl<'a> Section<'a> {
    /// The whole file. `known` are its keys; any other is refused.
    pub(super) fn root(place: &'a Place<'a>, table: &'a DeTable<'a>, known: &[&str]) -> Result<Self, ConfigError> {
        Self { place, path: String::new(), table: Some(table) }.only(known)
    }

    /// The table under a key of this one. `known` are its keys; any other is refused.
    pub(super) fn section(&self, key: &str, known: &[&str]) -> Result<Section<'a>, ConfigError> {
        self.open_section(key)?.only(known)
    }

    /// The table under a key of this one, whose keys are the operator's choice.
    pub(super) fn open_section(&self, key: &str) -> Result<Section<'a>, ConfigError> {
        let table = self.value(key).map(|value| self.as_table(key, value)).transpose()?;
        Ok(Section { place: self.place, path: self.full(key), table })
    }

    /// The table of a full name, such as `mqtt.listeners.browsers`.
    pub(super) fn table(&self, name: &str) -> Result<Section<'a>, ConfigError> {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let section = self.open_section(first)?;
        match rest {
            Some(rest) => section.table(rest),
            None => Ok(section),
        }
    }

    /// The keys of this table, and where they stand.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a Spanned<DeString<'a>>> {
        self.table.into_iter().flatten().map(|(key, _)| key)
    }

    /// This table as it was parsed, its full name and the file.
    pub(super) fn raw(&self) -> (&'a Place<'a>, &str, Option<&'a DeTable<'a>>) {
        (self.place, &self.path, self.table)
    }

    /// The full name of a key of this table.
    pub(super) fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// An error about a key: at its value, or in the first line where it is not set.
    pub(super) fn error(&self, key: &str, problem: impl AsRef<str>) -> ConfigError {
        let at = self.value(key).map_or(0, |value| value.span().start);
        self.place.error(at, format!("{} {}", self.full(key), problem.as_ref()))
    }

    /// An error about this table: where its first key stands, or in the first line where it has none.
    pub(super) fn error_here(&self, problem: impl Into<String>) -> ConfigError {
        let at = self.keys().map(|key| key.span().start).min().unwrap_or(0);
        self.place.error(at, problem)
    }

    /// Whether the key is set.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A whole number within bounds.
    pub(super) fn integer<T>(&self, key: &str, bounds: RangeInclusive<u64>, default: T) -> Result<T, ConfigError>
    where
        T: TryFrom<u64>,
    {
        let (least, most) = (*bounds.start(), *bounds.end());
        let Some(value) = self.value(key) else { return Ok(default) };
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.wrong_type(key, value, &format!("an integer from {least} to {most}")));
        };
        u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| bounds.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.error(key, format!("is {number}; allowed are {least} to {most}")))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => match value.get_ref() {
                DeValue::Boolean(flag) => Ok(*flag),
                _ => Err(self.wrong_type(key, value, "true or false")),
            },
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                Err(self.error(key, "is empty; remove it or fill it in"))
            }
            DeValue::String(text) => Ok(Some(text.as_ref())),
            _ => Err(self.wrong_type(key, value, "a text in quotes")),
        }
    }

    /// A text that `parse` understands; `expected` says what it looks like.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        expected: &str,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        match self.text(key)? {
            None => Ok(default),
            Some(text) => parse(text).ok_or_else(|| self.error(key, format!("is {text:?}; expected {expected}"))),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> Result<T, ConfigError> {
        let expected = choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
        self.parsed(key, &expected, default, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice)
        })
    }

    /// A list of texts, each of which `allowed` accepts; `expected` says what one looks like.
    pub(super) fn texts(
        &self,
        key: &str,
        expected: &str,
        allowed: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<String>>, ConfigError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, value, "a list of texts in brackets"));
        };
        let mut texts: Vec<String> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let name = format!("{}[{index}]", self.full(key));
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(text) if texts.iter().any(|known| known == text) => {
                    return Err(self.place.error(at, format!("{name} is {text:?} a second time; name it once")));
                }
                DeValue::String(text) if allowed(text) => texts.push(text.to_string()),
                other => {
                    return Err(self.place.error(at, format!("{name} is {}; expected {expected}", described(other))));
                }
            }
        }
        Ok(Some(texts))
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.and_then(|table| table.get(key))
    }

    fn as_table(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<&'a DeTable<'a>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong_type(key, value, &format!("a table, as in [{}]", self.full(key)))),
        }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'a>>, expected: &str) -> ConfigError {
        self.error(key, format!("is {}; expected {expected}", described(value.get_ref())))
    }

    fn only(self, known: &[&str]) -> Result<Self, ConfigError> {
        let unknown = self.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(self),
            Some(key) => {
                let name = self.full(key.get_ref());
                let hint = match nearest(key.get_ref(), known) {
                    Some(near) => format!("did you mean {}?", self.full(near)),
                    None => format!("known are {}", known.join(", ")),
                };
                Err(self.place.error(key.span().start, format!("unknown key {name}; {hint}")))
            }
        }
    }
}

/// The known key that was probably meant: one of the two is part of the other, or a third of the letters differ at most.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |near: &str| strsim::damerau_levenshtein(key, near);
    let is_part = |near: &str| key.len() >= 3 && (near.contains(key) || key.contains(near));
    let meant = |near: &str| is_part(near) || distance(near) * 3 <= near.len().max(key.len());
    known.iter().copied().filter(|near| meant(near)).min_by_key(|near| distance(near))
}

/// The value and its type, as in `"many" (a text)`.
fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?} (a text)"),
        DeValue::Integer(number) => format!("{number} (an integer)"),
        DeValue::Float(number) => format!("{number} (a fraction)"),
        DeValue::Boolean(flag) => format!("{flag} (true or false)"),
        DeValue::Datetime(time) => format!("{time} (a date)"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
