//! Connections to a SQLite file. Each statement runs where it holds nobody up.

use super::super::catalogue::Kind;
use super::super::driver::{Class, Rows, Said, Statement, Trouble};
use super::super::value::{Cell, Layout, parsed};
use crate::ErrorKind;
use jiff::SignedDuration;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connections that are kept.
const KEPT: usize = 8;
/// So long a lock is waited for.
const LOCK: Duration = Duration::from_secs(4);

/// The connections.
pub(super) struct Files {
    path: PathBuf,
    patience: Duration,
    /// SQLite, too, is to refuse whatever would write.
    read_only: bool,
    idle: Mutex<Vec<Connection>>,
    calls: AtomicU64,
}

/// A connection in use.
pub(super) struct Held {
    connection: Option<Connection>,
    files: Arc<Files>,
}

impl Files {
    pub(super) fn new(path: PathBuf, deadline: SignedDuration, read_only: bool) -> Self {
        let deadline = Duration::try_from(deadline).unwrap_or(LOCK);
        Self {
            path,
            patience: LOCK.min(deadline / 2),
            read_only,
            idle: Mutex::default(),
            calls: AtomicU64::new(0),
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Where the file lies, whatever way led there.
    pub(super) fn whole_path(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    pub(super) async fn take(self: &Arc<Self>) -> Result<Held, Trouble> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => {
                let (path, patience, read_only) = (self.path.clone(), self.patience, self.read_only);
                elsewhere(move || open(&path, patience, read_only)).await?
            }
        };
        Ok(Held {
            connection: Some(connection),
            files: Arc::clone(self),
        })
    }
}

fn open(path: &Path, patience: Duration, read_only: bool) -> Result<Connection, Trouble> {
    let away = |error: &dyn std::fmt::Display| {
        Trouble::Away(
            ErrorKind::Down,
            format!("{} cannot be opened ({error})", path.display()),
        )
    };
    // What is not there is not made: an empty file would show nothing and look like an empty ERP.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| away(&error))?;
    let ready = || {
        connection.busy_timeout(patience)?;
        connection.set_prepared_statement_cache_capacity(200);
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "query_only", read_only)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))
    };
    ready().map_err(|error| away(&error))?;
    Ok(connection)
}

/// Runs what takes its time where it holds nobody up.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Trouble::Lost(format!("a statement was broken off ({error})"))))
}

impl Held {
    /// Does something with the connection.
    pub(super) async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Trouble> {
        let connection = self.connection.take();
        let connection = connection.ok_or_else(|| Trouble::Lost("the connection is closed".to_owned()))?;
        self.files.calls.fetch_add(1, Ordering::Relaxed);
        let (connection, done) = elsewhere(move || {
            let done = work(&connection).map_err(|error| trouble(&error));
            Ok((connection, done))
        })
        .await?;
        self.connection = Some(connection);
        done
    }

    pub(super) async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        let statement = statement.clone();
        self.with(move |connection| {
            let mut prepared = connection.prepare_cached(&statement.sql)?;
            let width = prepared.column_count();
            let kinds = &statement.answers;
            let mut rows = prepared.query(rusqlite::params_from_iter(&statement.given))?;
            let mut cells = Vec::new();
            while let Some(row) = rows.next()? {
                for at in 0..width {
                    let kind = kinds.get(at).copied().unwrap_or(Kind::Other);
                    cells.push(cell(row.get_ref(at)?, kind));
                }
            }
            Ok(Rows { width, cells })
        })
        .await
    }

    pub(super) async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        let statement = statement.clone();
        self.with(move |connection| {
            let mut prepared = connection.prepare_cached(&statement.sql)?;
            let changed = prepared.execute(rusqlite::params_from_iter(&statement.given))?;
            Ok(changed as u64)
        })
        .await
    }

    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), Trouble> {
        self.with(move |connection| connection.execute_batch(sql)).await
    }

    /// Keeps the connection for the next statement.
    pub(super) fn give_back(mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let mut idle = self.files.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    pub(super) fn roll_back(mut self) {
        if let Some(connection) = self.connection.take()
            && (connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok())
        {
            self.connection = Some(connection);
            self.give_back();
        }
    }
}

/// A value is of whatever type was put there, whatever its column says.
fn cell(value: ValueRef<'_>, kind: Kind) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => {
            let text = number.to_string();
            parsed(&text).map_or_else(
                || Cell::Odd(format!("`{text}` cannot be kept digit for digit")),
                Cell::Decimal,
            )
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Odd("it is no text of UTF-8".to_owned()),
        },
        ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if kind != Kind::Bytes => Cell::Text(text.to_owned()),
            _ => Cell::Odd("it holds bytes that are no text".to_owned()),
        },
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let layout = Layout::default();
        Ok(match self {
            Self::Null | Self::Odd(_) => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Boolean(yes) => i64::from(*yes).into(),
            Self::Integer(number) => (*number).into(),
            // As a text: a column for numbers makes a number of it, and of nothing else.
            Self::Decimal(number) => number.to_string().into(),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Date(date) => date.to_string().into(),
            Self::Civil(at) => layout.write(*at).into(),
            Self::Moment(at) => layout.write(jiff::tz::TimeZone::UTC.to_datetime(*at)).into(),
        })
    }
}

/// What an error of SQLite says.
fn trouble(error: &rusqlite::Error) -> Trouble {
    let rusqlite::Error::SqliteFailure(failure, said) = error else {
        return Trouble::Said(Said {
            class: Class::Other,
            message: error.to_string(),
            constraint: None,
            columns: Vec::new(),
        });
    };
    let message = said.clone().unwrap_or_else(|| failure.to_string());
    let class = match (failure.code, failure.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Class::Busy,
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL) => Class::Null,
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Class::Foreign,
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            Class::Unique
        }
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE) => Class::Type,
        (ErrorCode::ConstraintViolation, _) => Class::Check,
        (ErrorCode::TooBig, _) => Class::TooLong,
        (ErrorCode::TypeMismatch, _) => Class::Type,
        (
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied,
            _,
        ) => Class::Forbidden,
        (ErrorCode::DiskFull, _) => Class::Limit,
        (ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
            Class::System
        }
        _ if message.starts_with("no such") => Class::Missing,
        _ => Class::Other,
    };
    // `UNIQUE constraint failed: contacts.email, contacts.country`
    let named = message
        .split_once("constraint failed: ")
        .map_or("", |(_, named)| named);
    let named = match class {
        Class::Null | Class::Unique => named.split(", ").collect(),
        _ => Vec::new(),
    };
    let columns = named.into_iter().filter_map(|column| column.split_once('.'));
    Trouble::Said(Said {
        class,
        columns: columns.map(|(_, column)| column.to_owned()).collect(),
        constraint: None,
        message,
    })
}
