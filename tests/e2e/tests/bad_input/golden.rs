//! Golden files of this test: what each row came to, under the name of the row.

use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A golden file, and what was found this time.
pub(crate) struct Golden {
    file: PathBuf,
    expected: BTreeMap<String, String>,
    found: Vec<(String, String)>,
}

impl Golden {
    /// Reads the file; where it is to be written, it may be missing.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input/golden");
        let file = folder.join(format!("{name}.txt"));
        let text = match fs::read_to_string(&file) {
            Err(_) if is_written() => String::new(),
            text => text.with_context(|| format!("reading {}", file.display()))?,
        };
        let text = format!("\n{text}");
        let rows = text.split("\n# ").filter_map(|row| row.split_once('\n'));
        let expected = rows.map(|(what, text)| (what.to_owned(), text.trim_end().to_owned())).collect();
        Ok(Self { file, expected, found: Vec::new() })
    }

    /// Takes down what a row came to.
    pub(crate) fn found(&mut self, what: &str, text: &str) {
        self.found.push((what.to_owned(), text.trim_end().to_owned()));
    }

    /// Compares all rows, or writes them.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        if is_written() {
            let text = self.found.iter().fold(String::new(), |mut text, (what, found)| {
                let _ = write!(text, "# {what}\n{found}\n\n");
                text
            });
            return fs::write(&self.file, text.trim_end().to_owned() + "\n").context("writing a golden file");
        }
        let count = self.found.len();
        let mut wrong = Vec::new();
        for (what, found) in self.found {
            let expected = self.expected.get(&what).map_or("", String::as_str);
            if expected != found {
                wrong.push(format!("# {what}\nexpected:\n{expected}\nfound:\n{found}\n"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        ensure!(count == self.expected.len(), "{} has rows that no test has", self.file.display());
        Ok(())
    }
}

fn is_written() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// A text whose UUIDs, with dashes or without, and ULIDs are replaced by `<id>`, and whose times by `<time>`.
pub(crate) fn masked(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | ':' | '.');
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter: char| is_word(letter) != is_word(first)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        if is_word(first) {
            result.push_str(&masked_word(run));
        } else {
            result.push_str(run);
        }
        rest = behind;
    }
    result
}

/// Parts of a word that are separated by colons, unless the whole is a time.
fn masked_word(word: &str) -> String {
    let is_time = word.len() >= 19 && word.as_bytes().get(10) == Some(&b'T') && word.starts_with("20");
    if is_time {
        return "<time>".to_owned();
    }
    let part = |part: &str| {
        let core = part.trim_end_matches('.');
        let digits = core.replace('-', "");
        let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_ulid = core.len() == 26 && core.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_uuid || is_ulid { format!("<id>{}", &part[core.len()..]) } else { part.to_owned() }
    };
    word.split(':').map(part).collect::<Vec<_>>().join(":")
}

#[test]
fn ids_and_times_are_replaced_and_nothing_else() {
    for (text, expected) in [
        ("a 0198c0de-1234-7abc-8def-0123456789ab.", "a <id>."),
        ("\"0198c0de12347abc8def0123456789ab\"", "\"<id>\""),
        ("as:downlink:01KAJ0Q3ZV8Y2W5R7T9XBCDEFG", "as:downlink:<id>"),
        ("\"2026-11-21T16:30:18.036690Z\"", "\"<time>\""),
        ("0198c0de-1234-7abc-8def-0123456789ax é", "0198c0de-1234-7abc-8def-0123456789ax é"),
        ("error:pkg/networkserver:f_cnt_too_low (x)", "error:pkg/networkserver:f_cnt_too_low (x)"),
    ] {
        assert_eq!(masked(text), expected);
    }
}
