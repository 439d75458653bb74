//! The durable state of Tandem, as units of work over a database: SQLite in a folder, or PostgreSQL.

mod at_rest;
mod backup;
mod begun;
mod carry;
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
mod home;
mod hours;
mod item;
mod keys;
mod known;
mod ledger;
mod lists;
mod load;
mod match_index;
mod memory;
mod migrate;
mod named;
mod outbox;
mod page;
mod pages;
mod parts;
mod postgres;
mod rebind;
mod reserved;
mod schema;
mod sealed;
mod seek;
mod sqlite;
mod stood;
mod storage;
mod take;
mod tally;

pub use backup::{Holding, back_up, look_at_backup, look_at_held_state, look_at_state, restore};
pub use contract::*;
pub use db::statements;
pub use home::{Home, is_there};
pub use keys::Keys;
pub use ledger::Ledger;
pub use memory::MemoryStore;
pub use migrate::Migrated;
pub use postgres::{Server, Turn, Turns};
pub use stood::{Stood, StoodFor};
pub use storage::DatabaseError;

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
        "the state could not be {doing}: {source}. Check that its database is there and takes writes, then run again"
    )]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database's own error.
        source: DatabaseError,
    },
    /// The disk is full. Nothing of the unit is stored.
    #[error(
        "the state could not be {0}: its disk is full. Nothing is lost and nothing of this step was stored. Free space on that disk, then run again: work goes on where it stopped"
    )]
    Full(&'static str),
    /// The disk or the folder takes no writes.
    #[error(
        "the state could not be {0}: its disk or its files are read-only, or its server takes no writes. Make it writable for this user, or keep the state elsewhere (--state names another folder)"
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
    /// The state was written by an older program.
    #[error(
        "the state has form {found}, that of an older program, and this one reads form {known} alone: there is no way over. Move it away and run `tandem sync`: records that match find each other again, and `tandem plan` shows beforehand what would be written"
    )]
    Older {
        /// The form's number in the state.
        found: i64,
        /// The one that is known here.
        known: i64,
    },
    /// The state was written by an older program, and there is a way over.
    #[error(
        "the state has form {found}, that of an older program. `tandem run` and `tandem sync` bring it to form {known}, and keep a backup of it as it is now"
    )]
    Behind {
        /// The form's number in the state.
        found: i64,
        /// The one that is known here.
        known: i64,
    },
    /// The state was written by a newer program.
    #[error(
        "the state has form {found}, and this program knows forms up to {known}. Use the newer program, or go back with `tandem restore FILE --yes`: the newer program kept the state as it was before, as form-{known}-MOMENT.backup in the folder that --state names"
    )]
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
    /// The server that the state is kept on does not let us in.
    #[error(
        "the state cannot be reached in {place}: {why}. Check that the server runs and that `state: {{ postgres: .. }}` in tandem.yaml names it, then run again"
    )]
    Unreachable {
        /// Where it is kept.
        place: String,
        /// What the server or the line says.
        why: String,
    },
    /// The schema is not the state's own.
    #[error(
        "{0} holds tables that are not of a state. Name a schema that is Tandem's own: `state: {{ postgres: .., schema: NAME }}`"
    )]
    Shared(String),
    /// The state is not ours any more: another worker may have taken it over, or its server cannot be reached.
    #[error(
        "the state could not be {0}: it is not held any more, by a worker that took it over or because its server was away. Nothing of this step was stored. Run again; `tandem worker` waits for its turn by itself"
    )]
    Lost(&'static str),
    /// Another process holds the state.
    #[error("another tandem process holds the state {0}. Stop it, or name another state")]
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
    pub(crate) fn database(doing: &'static str, source: impl Into<DatabaseError>) -> Self {
        let source = source.into();
        match &source {
            DatabaseError::Sqlite(failed) => sqlite::told(doing, failed),
            DatabaseError::Postgres { code, .. } => postgres::told(doing, code.as_deref()),
        }
        .unwrap_or(Self::Database { doing, source })
    }
}
