//! What can go wrong with the store, and what to do about it.

use dragoman_core::DeviceId;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a store could not be opened. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the file is not there.
    #[error("the folder {folder} for the store is missing; create it, or set another path for the store")]
    MissingFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The path is a folder, a socket or the like.
    #[error("{path} is not a file; set the path of the store to a file, which is created if it is missing")]
    NotAFile {
        /// The path as configured.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error(
        "{path} is in use by another dragoman; stop that one, or set another path for the store (the lock is \
         {lock}, and it ends with the process that holds it)"
    )]
    InUse {
        /// The store.
        path: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error(
        "{path} cannot be written ({detail}); give the user that runs dragoman write permission for the file and \
         for its folder"
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// It is an SQLite file of another program.
    #[error("{path} is an SQLite file, but not one of dragoman's; set another path for the store")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is no SQLite file, or a broken one.
    #[error(
        "{path} is damaged or is no store ({detail}); move it and the files beside it that begin with its name to \
         another place, and restore a backup or start with an empty store"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A newer dragoman wrote it.
    #[error(
        "{path} was written by a newer dragoman (schema {found}, this one knows up to {known}); run that version or \
         a newer one, or restore a backup made before the upgrade"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the newest migration in the file.
        found: i64,
        /// Version of the newest migration in this binary.
        known: i64,
    },
    /// A migration in the file is not the one this binary has under that number.
    #[error(
        "{path} was made by another build of dragoman ({detail}); run the build that made it, or restore a backup \
         made by a released version"
    )]
    OtherBuild {
        /// The file.
        path: PathBuf,
        /// Which migration differs.
        detail: String,
    },
    /// Anything else.
    #[error("{path} could not be opened while {doing}: {detail}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// The step, as "creating the lock".
        doing: &'static str,
        /// What the system or SQLite said.
        detail: String,
    },
}

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An alias belongs to another device. Nothing was written.
    #[error("the name {name} in {namespace} belongs to device {by}; choose another, or take it from that device first")]
    AliasTaken {
        /// Namespace of the alias.
        namespace: String,
        /// The alias.
        name: String,
        /// The device that has it.
        by: DeviceId,
    },
    /// A page was asked for behind something that no page ended with.
    #[error("\"{0}\" is not where a page ended; use the value that came with the page before")]
    BadCursor(String),
    /// Documents were asked for by a field that is not indexed, or whose index is not built yet.
    #[error(
        "the documents of {dialect} in {collection} cannot be asked for by {field}, which has no index; declare \
         {collection}.{field} as index in the description of the plugin"
    )]
    NotIndexed {
        /// The dialect they belong to.
        dialect: String,
        /// Their collection.
        collection: String,
        /// The field.
        field: String,
    },
    /// The disk is full. Nothing of the commit was kept.
    #[error("the disk that holds {path} is full; make room and start dragoman again")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{path} is damaged ({detail}); stop dragoman and restore a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database said.
        detail: String,
    },
    /// A record is not in a form this version knows.
    #[error("the record of {what} {key} cannot be read ({detail}); a newer dragoman may have written it")]
    Unreadable {
        /// Kind of record, as "execution".
        what: &'static str,
        /// Its key.
        key: String,
        /// What does not fit.
        detail: String,
    },
    /// A record cannot be written.
    #[error("the record of {what} {key} cannot be written: {detail}")]
    Unwritable {
        /// Kind of record, as "execution".
        what: &'static str,
        /// Its key.
        key: String,
        /// What does not fit.
        detail: String,
    },
    /// Anything else the database said.
    #[error("the store failed while {doing}: {detail}; look at the disk and the system log, then start dragoman again")]
    Failed {
        /// The step, as "committing".
        doing: &'static str,
        /// What the database said.
        detail: String,
    },
    /// The journal does not take it, or failed before.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why the journal does not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// More waits for the disk than may. Wait with [`crate::Journal::ready`] and append again.
    #[error("{limit} writes wait for the disk, the limit; wait until some are committed")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// A commit failed: what was applied is ahead of the disk and stays so. The process must stop.
    #[error("a commit failed, so nothing more can be made durable: {0}")]
    Failed(Arc<StoreError>),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// A device was given to [`crate::Journal::append`], which cannot check its aliases.
    #[error("device {0} was written without a check of its aliases; this is a mistake in dragoman, please report it")]
    Unchecked(DeviceId),
    /// The answer of a read was lost because its thread panicked or the runtime is shutting down.
    #[error("a read of the store was broken off")]
    BrokenOff,
}
