//! A store that cannot be opened says why, and what to do next.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Backend, Durability, OpenError, StoreError};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use support::*;
use tempfile::TempDir;

fn open(path: &Path) -> Result<SqliteBackend, OpenError> {
    SqliteBackend::open(path, &SqliteOptions::default())
}

fn refusal(path: &Path) -> OpenError {
    match open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// A folder with a store that was used and closed.
fn used() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    open(&path).unwrap().commit(&[put(execution("a", "lamp"))], Durability::Committed).unwrap();
    (folder, path)
}

/// The text of an error, with the place of this run taken out.
fn told(error: &OpenError, folder: &TempDir) -> String {
    error.to_string().replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn the_folder_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(&folder.path().join("data/store.db"));
    assert!(matches!(error, OpenError::MissingFolder { .. }));
    assert_eq!(
        told(&error, &folder),
        "the folder DIR/data for the store is missing; create it, or set another path for the store"
    );
}

#[test]
fn the_path_is_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(folder.path());
    assert_eq!(
        told(&error, &folder),
        "DIR is not a file; set the path of the store to a file, which is created if it is missing"
    );
}

#[test]
fn another_dragoman_has_it() {
    let (folder, path) = used();
    let first = open(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::InUse { .. }));
    assert_eq!(
        told(&error, &folder),
        "DIR/store.db is in use by another dragoman; stop that one, or set another path for the store (the lock is \
         DIR/store.db.lock, and it ends with the process that holds it)"
    );
    drop(first);
    open(&path).unwrap();
}

#[test]
fn the_file_is_marked_read_only() {
    let (folder, path) = used();
    let mut permissions = path.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    assert_eq!(
        told(&error, &folder),
        "DIR/store.db cannot be written (it is marked read-only); give the user that runs dragoman write permission \
         for the file and for its folder"
    );
}

#[test]
fn it_is_no_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "a letter to a friend, longer than the header of an SQLite file, which has one hundred bytes")
        .unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert_eq!(
        told(&error, &folder),
        "DIR/store.db is damaged or is no store (file is not a database); move it and the files beside it that \
         begin with its name to another place, and restore a backup or start with an empty store"
    );
}

#[test]
fn its_pages_are_damaged() {
    let (_folder, path) = used();
    let mut bytes = fs::read(&path).unwrap();
    // The root page of the schema, behind the header.
    bytes[100..2_000].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn it_was_cut_short() {
    let (_folder, path) = used();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn it_belongs_to_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let error = refusal(&path);
    assert_eq!(
        told(&error, &folder),
        "DIR/store.db is an SQLite file, but not one of dragoman's; set another path for the store"
    );
    // And it was left as it was.
    let tables: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_newer_dragoman_wrote_it() {
    let (folder, path) = used();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'future', '2030-01-01T00:00:00Z', '1')",
        )
        .unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
    assert_eq!(
        told(&error, &folder),
        "DIR/store.db was written by a newer dragoman (schema 99, this one knows up to 3); run that version or a \
         newer one, or restore a backup made before the upgrade"
    );
}

#[test]
fn another_build_made_it() {
    let (_folder, path) = used();
    Connection::open(&path).unwrap().execute_batch("UPDATE refinery_schema_history SET checksum = '1'").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::OtherBuild { .. }), "{error:?}");
    assert!(error.to_string().contains("run the build that made it"), "{error}");
}

#[test]
fn a_record_from_the_future_is_named() {
    let (_folder, path) = used();
    Connection::open(&path).unwrap().execute_batch("UPDATE execution SET body = '{\"form\":2}'").unwrap();
    let error = open(&path).unwrap().execution(&id("a")).unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable { what: "execution", key, .. } if key == "a"), "{error:?}");
}

#[test]
fn a_closed_store_is_one_file() {
    let (folder, _) = used();
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["store.db", "store.db.lock"]);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "").unwrap();
    open(&path).unwrap();
}

#[test]
fn a_file_that_has_larger_pages_is_used_as_it_is() {
    let (_folder, path) = used();
    // SQLite's file format, 1.3.2: the page size stands at 16.
    let page_bytes = || u16::from_be_bytes(fs::read(&path).unwrap()[16..18].try_into().unwrap());
    assert_eq!(page_bytes(), 2048);
    let as_it_was = "PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096; VACUUM";
    Connection::open(&path).unwrap().execute_batch(as_it_was).unwrap();
    let store = open(&path).unwrap();
    store.commit(&[put(execution("b", "lamp"))], Durability::Committed).unwrap();
    drop(store);
    assert_eq!(page_bytes(), 4096);
}

/// The columns beside the bodies are for operators with tools they know, so they are a promise too.
#[test]
fn an_operator_can_read_it_with_sql() {
    let (_folder, path) = used();
    {
        let backend = open(&path).unwrap();
        let ended = moved(execution("a", "lamp"), dragoman_core::State::TimedOut, 9_000);
        backend.commit(&[put(ended)], Durability::Committed).unwrap();
    }
    let row: (String, String, i64) = Connection::open(&path)
        .unwrap()
        .query_row("SELECT device, state, ended_ms FROM execution WHERE id = 'a'", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, ("lamp".to_owned(), "timed-out".to_owned(), 9_000));
}
