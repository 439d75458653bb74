//! The durable state of Tandem, as units of work over an embedded database.

mod commit;
mod companion;
mod constraint;
mod contract;
mod db;
mod facts;
#[cfg(feature = "faults")]
mod faults;
mod folder;
mod hash;
mod item;
mod known;
mod lists;
mod load;
mod memory;
mod outbox;
mod page;
mod parts;
mod rebind;
mod schema;
mod sqlite;
mod take;
mod tally;

pub use contract::*;
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
    /// A stored value cannot be read.
    #[error("the state holds something unreadable: {0}. Restore a backup")]
    Corrupt(String),
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
    /// Names a failure of the database: `doing` ends "the state could not be".
    pub(crate) fn database(doing: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let damaged = matches!(
            source,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
        );
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(format!("{} ({source})", folder::DATABASE)),
            _ if damaged => Self::Corrupt(source.to_string()),
            _ => Self::Database { doing, source },
        }
    }
}
