//! Opens the file: whose it is, whether it can be used, how it is used.

use super::commit::Writer;
use super::readers::Readers;
use super::{SqliteBackend, SqliteOptions, migrations};
use crate::error::OpenError;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// "DRGM" in the file's header tells it from any other SQLite file.
const APPLICATION_ID: i32 = 0x4452_474d;
/// Pages of a new file. A commit writes every page that it touches to the log, and a command touches some fifteen at each
/// of its steps: with SQLite's 4 KiB 1.5 to 1.7 times as much goes to the disk, with 1 KiB many a record needs several.
const PAGE_BYTES: u32 = 2048;
/// What the log is cut down to after it was written back, in bytes.
const LOG_KEPT_BYTES: i64 = 40 * 1024 * 1024;
/// Statements that a connection keeps ready.
const STATEMENTS: usize = 64;
/// How long a connection waits for another of this process, for example during a write-back of the log.
const BUSY: Duration = Duration::from_secs(10);

pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<SqliteBackend, OpenError> {
    let lock = match options.vfs {
        None => {
            look_at(path)?;
            Some(lock(path)?)
        }
        Some(_) => None,
    };
    let mut writer = connect(path, options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    prepare_writer(&writer, options, path)?;
    migrations::run(&mut writer, path)?;
    let readers = (0..options.readers)
        .map(|_| {
            let reader = connect(path, options, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            tune(&reader, options.reader_cache_kib).map_err(|error| refused(path, "preparing to read", &error))?;
            Ok(reader)
        })
        .collect::<Result<Vec<_>, OpenError>>()?;
    Ok(SqliteBackend {
        path: path.to_owned(),
        writer: Mutex::new(Writer::new(writer)),
        readers: Readers::new(readers),
        _lock: lock,
    })
}

/// What can be told from the outside, so that it is told in plain words.
fn look_at(path: &Path) -> Result<(), OpenError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(OpenError::MissingFolder { folder: folder.to_owned() });
    }
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(OpenError::NotAFile { path: path.to_owned() }),
        Ok(metadata) if metadata.permissions().readonly() => {
            Err(OpenError::ReadOnly { path: path.to_owned(), detail: "it is marked read-only".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Locks the file beside the store for the life of the process. The system takes the lock back when it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let doing = "taking the lock beside it";
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(|error| unusable(path, doing, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned(), lock }),
        Err(TryLockError::Error(error)) => Err(unusable(path, doing, &error)),
    }
}

fn connect(path: &Path, options: &SqliteOptions, access: OpenFlags) -> Result<Connection, OpenError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    }
    .map_err(|error| refused(path, "opening it", &error))
}

fn prepare_writer(writer: &Connection, options: &SqliteOptions, path: &Path) -> Result<(), OpenError> {
    let fail = |error: Error| refused(path, "preparing to write", &error);
    if writer.is_readonly("main").map_err(fail)? {
        return Err(OpenError::ReadOnly { path: path.to_owned(), detail: "SQLite may only read it".to_owned() });
    }
    if options.readers == 0 {
        writer.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(fail)?;
    }
    // This holds for a new file; one that is there keeps its own.
    writer.pragma_update(None, "page_size", PAGE_BYTES).map_err(fail)?;
    claim(writer, path)?;
    let mode: String = writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(fail)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenError::Failed {
            path: path.to_owned(),
            doing: "preparing to write",
            detail: format!("the file system allows only the journal mode {mode}; use a local file system"),
        });
    }
    tune(writer, options.writer_cache_kib).map_err(fail)?;
    writer.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    let page_bytes: u32 = writer.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(fail)?;
    let pages = (i64::from(options.checkpoint_kib) * 1024 / i64::from(page_bytes).max(1)).max(1);
    writer.pragma_update(None, "wal_autocheckpoint", pages).map_err(fail)?;
    writer.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES).map_err(fail)
}

/// Makes sure that the file is new or ours.
fn claim(writer: &Connection, path: &Path) -> Result<(), OpenError> {
    let fail = |error: Error| refused(path, "reading its header", &error);
    let id: i32 = writer.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fail)?;
    if id == APPLICATION_ID {
        return Ok(());
    }
    let tables: i64 = writer.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if id != 0 || tables != 0 {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    writer.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)
}

fn tune(connection: &Connection, cache_kib: u32) -> Result<(), Error> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// What SQLite said on opening.
fn refused(path: &Path, doing: &'static str, error: &Error) -> OpenError {
    let path = path.to_owned();
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, detail },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly { path, detail },
        _ => OpenError::Failed { path, doing, detail },
    }
}

/// What the system said about a file.
fn unusable(path: &Path, doing: &'static str, error: &io::Error) -> OpenError {
    let path = path.to_owned();
    let detail = error.to_string();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path, detail },
        _ => OpenError::Failed { path, doing, detail },
    }
}
