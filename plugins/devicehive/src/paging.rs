//! What all lists of the platform share: `take`, `skip`, `sortField`, `sortOrder`, and SQL patterns.

use crate::answer::{ApiError, Failure};
use crate::members::Members;
use std::cmp::Ordering;

const TAKE_DEFAULT: usize = 20;
const TAKE_MAX: usize = 1_000;
/// Characters of a pattern; names have 128.
const PATTERN_CHARS_MAX: usize = 256;

/// Which part of a list is asked for, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    take: usize,
    skip: usize,
    /// As asked for; none: the order of the list itself.
    pub(crate) field: Option<String>,
    descending: bool,
}

impl Paging {
    /// Reads and checks; `fields` are those that the list can be sorted by.
    pub(crate) fn read(members: &Members, fields: &[&str]) -> Result<Self, Failure> {
        let number = |name, default: usize| match members.number(name) {
            Ok(None) => Ok(default),
            Ok(Some(number)) => usize::try_from(number).map_err(|_| ApiError::invalid()),
            Err(_) => Err(ApiError::invalid()),
        };
        let field = members.text("sortField")?;
        if field.as_deref().is_some_and(|field| !fields.contains(&field)) {
            return Err(ApiError::invalid().into());
        }
        let descending = match members.text("sortOrder")?.map(|order| order.to_ascii_uppercase()).as_deref() {
            None | Some("ASC") => false,
            Some("DESC") => true,
            Some(_) => return Err(ApiError::invalid().into()),
        };
        let take = number("take", TAKE_DEFAULT)?.min(TAKE_MAX);
        Ok(Self { take, skip: number("skip", 0)?, field, descending })
    }

    /// Sorts by `order`, which compares two items by the asked field, and cuts the part out.
    pub(crate) fn apply<T>(&self, mut all: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
        all.sort_by(order);
        if self.descending {
            all.reverse();
        }
        all.into_iter().skip(self.skip).take(self.take).collect()
    }
}

/// A pattern of SQL: `%` stands for any text, `_` for any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    /// Reads a member that may be there. What is longer than any name that it could fit is refused, because it is compared
    /// with each one.
    pub(crate) fn read(members: &Members, name: &str) -> Result<Option<Self>, Failure> {
        let pattern = members.text(name)?.map(|text| Self(text.chars().take(PATTERN_CHARS_MAX + 1).collect()));
        match pattern {
            Some(pattern) if pattern.0.len() > PATTERN_CHARS_MAX => Err(ApiError::invalid().into()),
            pattern => Ok(pattern),
        }
    }

    /// Whether a text fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let Self(pattern) = self;
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut want, mut retry) = (0, 0, None::<(usize, usize)>);
        while at < text.len() {
            match pattern.get(want) {
                Some('%') => {
                    retry = Some((at, want));
                    want += 1;
                }
                Some(sign) if *sign == '_' || text.get(at) == Some(sign) => {
                    at += 1;
                    want += 1;
                }
                // The last `%` takes one character more.
                _ => match retry {
                    None => return false,
                    Some((from, percent)) => {
                        retry = Some((from + 1, percent));
                        at = from + 1;
                        want = percent + 1;
                    }
                },
            }
        }
        pattern.iter().skip(want).all(|sign| *sign == '%')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Option<Vec<i32>> {
        let paging = Paging::read(&Members::parse(text).unwrap(), &["name"]).ok()?;
        Some(paging.apply(vec![3, 1, 2], i32::cmp))
    }

    #[test]
    fn lists_are_sorted_and_cut_or_refused() {
        assert_eq!(page("{}"), Some(vec![1, 2, 3]));
        assert_eq!(page(r#"{"take":1,"skip":"1","sortField":"name","sortOrder":"desc"}"#), Some(vec![2]));
        assert_eq!(page(r#"{"skip":9}"#), Some(vec![]));
        for wrong in [
            r#"{"take":-1}"#,
            r#"{"take":"x"}"#,
            r#"{"skip":1.5}"#,
            r#"{"sortField":"colour"}"#,
            r#"{"sortOrder":"up"}"#,
            r#"{"sortField":[]}"#,
        ] {
            assert_eq!(page(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn patterns_are_those_of_sql_and_not_longer_than_any_name() {
        let read = |pattern: &str| {
            let members = Members::parse(&format!(r#"{{"namePattern":"{pattern}"}}"#)).unwrap();
            Pattern::read(&members, "namePattern").ok().flatten()
        };
        for (text, pattern, expected) in [
            ("device-1", "device%", true),
            ("device-1", "%1", true),
            ("device-1", "%vi%-_", true),
            ("device-1", "device-_", true),
            ("device-1", "device", false),
            ("aXbXc", "a%X%c", true),
            ("aaa", "%aab", false),
            ("", "%", true),
            ("", "_", false),
        ] {
            assert_eq!(read(pattern).unwrap().fits(text), expected, "{text} like {pattern}");
        }
        assert!(read(&"%".repeat(256)).is_some() && read(&"%".repeat(257)).is_none());
    }
}
