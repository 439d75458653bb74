//! SQLite as a storage: one file in a folder, held by this process.

use crate::db::Trouble;
use crate::schema::{self, FORM, NOW, Shape};
use crate::storage::{Column, DatabaseError, Row, Storage, Value, Visitor};
use crate::{Error, folder};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};
use std::path::Path;

/// A connection to a file.
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// Opens the state in a file, whose tables are made where it has none.
    ///
    /// # Errors
    /// [`Error::Older`], [`Error::Behind`], [`Error::Newer`], [`Error::Corrupt`], [`Error::Database`].
    pub(crate) fn open(file: &Path) -> Result<Self, Error> {
        let state = Self(connect(file)?);
        let there = schema::is_there(state.form()?, FORM)?;
        settle(&state.0).map_err(|source| Error::database("opened", source))?;
        if !there {
            let made = state.make_tables(NOW);
            made.map_err(|source| Error::database("made", source))?;
        }
        Ok(state)
    }

    /// Opens the state in a file that has this form.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub(crate) fn open_form(file: &Path, form: i64) -> Result<Self, Error> {
        let state = Self(connect(file)?);
        schema::is_there(state.form()?, form)?;
        settle_reads(&state.0).map_err(|source| Error::database("opened", source))?;
        Ok(state)
    }

    /// The form of the state in a file; 0: it holds none.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Database`].
    pub(crate) fn form_of(file: &Path) -> Result<i64, Error> {
        Self(connect(file)?).form()
    }

    /// Opens the state in a file to look at it, whoever holds it: nothing of it is changed, its log neither. None where the
    /// file holds none yet.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub(crate) fn open_to_look(file: &Path) -> Result<Option<Self>, Error> {
        let state = Self(connect(file)?);
        settle_to_look(&state.0).map_err(|source| Error::database("opened", source))?;
        let there = schema::is_there(state.form()?, FORM)?;
        Ok(there.then_some(state))
    }

    /// Makes the tables in an empty file that is no one's state: without a log beside it.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Full`].
    pub(crate) fn make(file: &Path, shape: Shape) -> Result<Self, Error> {
        let state = Self(connect(file)?);
        let sized = state.0.pragma_update(None, "page_size", PAGE_SIZE);
        let made = sized
            .map_err(DatabaseError::from)
            .and_then(|()| state.make_tables(shape));
        made.map_err(|source| Error::database("made", source))?;
        Ok(state)
    }

    /// Opens a file of this form that is no one's state, without a log beside it, every page of it looked at.
    ///
    /// # Errors
    /// [`Error::Older`], [`Error::Behind`], [`Error::Newer`], [`Error::Corrupt`], [`Error::Database`].
    pub(crate) fn open_whole(file: &Path, form: i64) -> Result<Self, Error> {
        let state = Self(connect(file)?);
        schema::is_there(state.form()?, form)?;
        let said = state
            .0
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        match said.map_err(|source| Error::database("opened", source))? {
            said if said == "ok" => Ok(state),
            said => Err(Error::Corrupt(said)),
        }
    }

    fn form(&self) -> Result<i64, Error> {
        let found = self.0.pragma_query_value(None, "user_version", |row| row.get(0));
        found.map_err(|source| Error::database("opened", source))
    }

    fn make_tables(&self, shape: Shape) -> Result<(), DatabaseError> {
        self.0.execute_batch("BEGIN IMMEDIATE")?;
        self.reshape(shape.tables, shape.form)?;
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

/// A connection to a file that is there.
pub(crate) fn connect(file: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags).map_err(|source| Error::database("opened", source))
}

/// Copies the state in a file, which may be held by another process, into an empty file, as it is at one moment.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let source = connect(from)?;
    // Where another state has taken this one's place meanwhile, the log by this name is that one's.
    let settled = source.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    let copied = settled.and_then(|_| source.execute("VACUUM INTO ?1", [to.to_string_lossy().into_owned()]));
    copied
        .map(drop)
        .map_err(|source| Error::database("copied", source))
}

const PAGE_SIZE: i32 = 8192;

/// How every connection reads.
fn settle_reads(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(160);
    // Else a statement on a table with a partial index is planned anew each time that a value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A damaged page is refused when it is read.
    connection.pragma_update(None, "cell_size_check", "ON")
}

fn settle_to_look(connection: &Connection) -> rusqlite::Result<()> {
    settle_reads(connection)?;
    // The log of a process that died is left for the one that goes on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", "ON")
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    settle_reads(connection)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 8000)?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    // A word that a person removed from a system does not linger in free pages of the file.
    connection.pragma_update(None, "secure_delete", "FAST")
}

impl Storage for Sqlite {
    fn run(&self, sql: &str, given: &[Value<'_>]) -> Result<usize, DatabaseError> {
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(given))?)
    }

    fn read(&self, sql: &str, given: &[Value<'_>], visit: &mut Visitor<'_>) -> Result<(), Trouble> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(given))?;
        while let Some(row) = rows.next()? {
            if !visit(row)? {
                break;
            }
        }
        Ok(())
    }

    fn reshape(&self, tables: &str, form: i64) -> Result<(), DatabaseError> {
        let sql = format!("{tables}; PRAGMA user_version = {form};");
        Ok(self.0.execute_batch(&sql)?)
    }

    fn roll_back(&self) {
        if !self.0.is_autocommit() {
            // The database rolls back by itself when this fails: the connection is gone then.
            let _gone = self.0.execute_batch("ROLLBACK");
        }
    }

    fn bytes(&self) -> Result<u64, Trouble> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        let bytes: i64 = self.0.query_row(sql, [], |row| row.get(0))?;
        Ok(bytes.cast_unsigned())
    }

    fn rewrite(&self) -> Result<(), DatabaseError> {
        Ok(self.0.execute_batch(
            "PRAGMA secure_delete = ON;
             PRAGMA temp_store = DEFAULT;
             PRAGMA wal_checkpoint(TRUNCATE);
             VACUUM;
             PRAGMA wal_checkpoint(TRUNCATE);
             PRAGMA temp_store = MEMORY;
             PRAGMA secure_delete = FAST;",
        )?)
    }
}

impl Row for rusqlite::Row<'_> {
    fn column(&self, place: usize) -> Option<Column<'_>> {
        Some(match self.get_ref(place).ok()? {
            ValueRef::Null => Column::Null,
            ValueRef::Integer(number) => Column::Int(number),
            ValueRef::Text(text) => Column::Text(std::str::from_utf8(text).ok()?),
            ValueRef::Blob(bytes) => Column::Blob(bytes),
            ValueRef::Real(_) => return None,
        })
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What a failure means for people, where it is of a kind that is known.
pub(crate) fn told(doing: &'static str, failed: &rusqlite::Error) -> Option<Error> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly};
    let damaged = matches!(
        failed,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    );
    match failed.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            Some(Error::Corrupt(format!("{} ({failed})", folder::DATABASE)))
        }
        Some(DiskFull) => Some(Error::Full(doing)),
        Some(ReadOnly) => Some(Error::ReadOnly(doing)),
        _ if is_full(failed) => Some(Error::Full(doing)),
        _ if damaged => Some(Error::Corrupt(failed.to_string())),
        _ => None,
    }
}

/// The shared memory of the log could not grow: what a full disk looks like when the state is opened.
fn is_full(failed: &rusqlite::Error) -> bool {
    let code = failed.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
