//! What serves, written down beside the copies of the versions: by the name of its file, so that after a restart, too,
//! what served comes before what is new.

use crate::kept;
use crate::plugin::Plugin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

const FILE: &str = "serving.json";
/// Past this it is not ours.
const MAX_BYTES: u64 = 16 << 20;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Served {
    pub(crate) plugin: String,
    pub(crate) digest: String,
}

/// Which version serves for which file of the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Record(BTreeMap<String, Served>);

impl Served {
    pub(crate) fn is(&self, plugin: &Plugin) -> bool {
        **plugin.name() == *self.plugin && plugin.digest() == self.digest
    }
}

impl<'a> FromIterator<(String, &'a Plugin)> for Record {
    fn from_iter<T: IntoIterator<Item = (String, &'a Plugin)>>(serving: T) -> Self {
        let served = |plugin: &Plugin| Served { plugin: plugin.name().to_string(), digest: plugin.digest().to_owned() };
        Self(serving.into_iter().map(|(file, plugin)| (file, served(plugin))).collect())
    }
}

impl Record {
    /// Takes over what served for a file by another record, where this one has nothing for it and that version serves for
    /// no other file.
    pub(crate) fn carry_over(&mut self, file: &str, from: &Self) {
        if let Some(served) = from.of(file)
            && !self.0.contains_key(file)
            && !self.has(&served.plugin)
        {
            self.0.insert(file.to_owned(), served.clone());
        }
    }

    /// The digests of all versions in it.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|served| &*served.digest)
    }

    /// Whether a version of that plugin is in it.
    pub(crate) fn has(&self, plugin: &str) -> bool {
        self.0.values().any(|served| served.plugin == plugin)
    }

    /// What served for a file.
    pub(crate) fn of(&self, file: &str) -> Option<&Served> {
        self.0.get(file)
    }

    /// What the last run wrote into a folder; empty where there was none.
    ///
    /// # Errors
    /// Where it cannot be read, or is none.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let file = folder.join(FILE);
        match fs::metadata(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Ok(metadata) if metadata.len() > MAX_BYTES => return Err(io::ErrorKind::FileTooLarge.into()),
            other => other?,
        };
        Ok(serde_json::from_slice(&fs::read(&file)?)?)
    }

    /// A kill leaves one record or the other.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        kept::write_whole(folder, &folder.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("kept");
        assert_eq!(Record::read(&folder).unwrap(), Record::default(), "nothing ran before");
        let served = Served { plugin: "acme".into(), digest: "d1".into() };
        let record = Record(BTreeMap::from([("acme.wasm".to_owned(), served)]));
        record.write(&folder).unwrap();
        assert_eq!(Record::read(&folder).unwrap(), record);
        Record::default().write(&folder).unwrap();
        assert_eq!(Record::read(&folder).unwrap(), Record::default());
        fs::write(folder.join(FILE), b"{\"acme.wasm\":").unwrap();
        assert!(Record::read(&folder).is_err());
    }
}
