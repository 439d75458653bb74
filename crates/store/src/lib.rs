//! The durable state of Tandem, as units of work over an embedded database.

mod at_rest;
mod backup;
mod commit;
mod companion;
mod constraint;
mod contract;
mod counts;
mod db;
mod facts;
#[cfg(feature = "faults")]
mod faults;
mod folder;
mod forget;
mod gathered;
mod guards;
mod hash;
mod history;
mod item;
mod keys;
mod known;
mod lists;
mod load;
mod match_index;
mod memory;
mod named;
mod outbox;
mod page;
mod pages;
mod parts;
mod rebind;
mod schema;
mod sealed;
mod sqlite;
mod take;
mod tally;

pub use backup::{Holding, back_up, look_at_backup, look_at_state, restore};
pub use contract::*;
pub use db::statements;
pub use keys::Keys;
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;

/// Why a unit of work failed. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state belongs to other systems.
    #[error(
        "this state belongs to {system} {known}, but {system} now answers as {found}. Use another state folder, or rebind"
    )]
    OtherSystem {
        /// The system's name.
        system: String,
        /// Its identification in the state.
        known: String,
        /// Its identification now.
        found: String,
    },
    /// The database failed.
    #[error(
        "the state could not be {doing}: {source}. Check free space and permissions of its folder, then run again"
    )]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database's own error.
        source: rusqlite::Error,
    },
    /// The disk is full. Nothing of the unit is stored.
    #[error(
        "the state could not be {0}: its disk is full. Nothing is lost and nothing of this step was stored. Free space on that disk, then run again: work goes on where it stopped"
    )]
    Full(&'static str),
    /// The disk or the folder takes no writes.
    #[error(
        "the state could not be {0}: its disk or its files are read-only. Make them writable for this user, or name another folder with --state"
    )]
    ReadOnly(&'static str),
    /// A stored value or a page cannot be read.
    #[error(
        "the state is damaged and was left as it is: {0}. Restore a backup with `tandem restore FILE --yes`; `tandem backup` makes one"
    )]
    Corrupt(String),
    /// The state is sealed, and no key was given.
    #[error(
        "the state is encrypted and the configuration names no key. Add `state: {{ key: {{ env: NAME }} }}` with the key that it was encrypted with"
    )]
    KeyMissing,
    /// The state is sealed with another key.
    #[error(
        "the state is encrypted with another key than the one given. Give that key; to change keys, name the old one under `state: {{ former_key: .. }}`"
    )]
    KeyWrong,
    /// A backup has half taken the place of the state.
    #[error("a restore was cut off half-way. Run `tandem restore FILE --yes` again with the same backup")]
    HalfRestored,
    /// The file for a backup is there already.
    #[error("{0} is there already. Name a new file for the backup")]
    Taken(String),
    /// The file is a state, but no backup.
    #[error("{0} is no backup. Name a file that `tandem backup` made")]
    NoBackup(String),
    /// The state was written by a newer program.
    #[error("the state has form {found}, and this program knows forms up to {known}. Use the newer program")]
    Newer {
        /// The form's number in the state.
        found: i64,
        /// The newest number that is known here.
        known: i64,
    },
    /// Another holder took the state over.
    #[error("the lease on the state was lost: its fence is {found}, ours is {ours}. Nothing was stored")]
    Fenced {
        /// The highest fence that the state has seen.
        found: u64,
        /// The one we came with.
        ours: u64,
    },
    /// A write of a record that is to be forgotten has no answer yet.
    #[error(
        "a write of {0} has no answer yet, so it cannot be forgotten now. Run `tandem sync`, then try again"
    )]
    UnderWay(tandem_merge::record::RecordKey),
    /// Another process holds the state.
    #[error("another tandem process holds the state {0}. Stop it, or use another --state")]
    Held(String),
    /// The file could not be made or opened.
    #[error("the state folder {path} cannot be used: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// The system's own error.
        source: std::io::Error,
    },
}

impl Error {
    /// Names a failure of files and folders.
    pub(crate) fn folder(path: &std::path::Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded => Self::Full("opened"),
            ReadOnlyFilesystem => Self::ReadOnly("opened"),
            _ => Self::Folder {
                path: path.display().to_string(),
                source,
            },
        }
    }

    /// Names a failure of the database: `doing` ends "the state could not be".
    pub(crate) fn database(doing: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly};
        let damaged = matches!(
            source,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
        );
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(format!("{} ({source})", folder::DATABASE)),
            Some(DiskFull) => Self::Full(doing),
            Some(ReadOnly) => Self::ReadOnly(doing),
            _ if is_full(&source) => Self::Full(doing),
            _ if damaged => Self::Corrupt(source.to_string()),
            _ => Self::Database { doing, source },
        }
    }
}

/// The shared memory of the log could not grow: what a full disk looks like when the state is opened.
fn is_full(source: &rusqlite::Error) -> bool {
    let code = source.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
