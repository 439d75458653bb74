//! What a database must be able to do for us. Everything else is written once, for all of them.

use super::catalogue::{Column, Kind, Relation};
use super::description::TableName;
use super::value::Cell;
use crate::ErrorKind;
use async_trait::async_trait;
use jiff::Timestamp;

/// A database that is read and written.
#[async_trait]
pub(super) trait Driver: Send + Sync {
    /// How statements are written there.
    fn dialect(&self) -> Dialect;

    /// Who it is and who we are: an id that never changes, its name, our user.
    async fn identify(&self) -> Result<[String; 3], Trouble>;

    /// What tables are like, in the order asked for; none where there is no such table.
    async fn relations(&self, tables: &[TableName]) -> Result<Vec<Option<Relation>>, Trouble>;

    /// The time there.
    async fn now(&self) -> Result<Timestamp, Trouble>;

    /// The rows of a statement that changes nothing.
    async fn read(&self, statement: &Statement) -> Result<Rows, Trouble>;

    /// Begins a transaction. What is dropped without a commit is rolled back.
    async fn begin(&self) -> Result<Box<dyn Transaction>, Trouble>;

    /// Resolves when the database told of changes on a channel.
    async fn told(&self, channel: &str);

    /// Statements and connections so far.
    fn calls(&self) -> u64;
}

/// Statements that take effect together.
#[async_trait]
pub(super) trait Transaction: Send {
    /// The rows that a statement answers.
    async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble>;

    /// How many rows a statement changed.
    async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble>;

    /// The number that the last insert was given, where the dialect does not answer with rows.
    async fn last_id(&mut self) -> Result<i64, Trouble>;

    /// Lets them take effect. [`Trouble::Lost`] leaves open whether they did.
    async fn commit(self: Box<Self>) -> Result<(), Trouble>;
}

/// A statement with what it is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) given: Vec<Cell>,
    /// What the columns of its answer hold.
    pub(super) answers: Vec<Kind>,
}

/// Rows, one behind the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) cells: Vec<Cell>,
}

impl Rows {
    pub(super) fn iter(&self) -> std::slice::ChunksExact<'_, Cell> {
        self.cells.chunks_exact(self.width.max(1))
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }
}

/// Why a statement has no answer.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// No connection is to be had: nothing was sent.
    Away(ErrorKind, String),
    /// The connection was lost while a statement was under way.
    Lost(String),
    /// The database says no.
    Said(Said),
}

/// What a database says no with.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) class: Class,
    /// In its own words, with its code.
    pub(super) message: String,
    /// The constraint that it is about.
    pub(super) constraint: Option<String>,
    /// The columns that it is about.
    pub(super) columns: Vec<String>,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Unique,
    Foreign,
    Null,
    Check,
    TooLong,
    Range,
    Type,
    Forbidden,
    Busy,
    Limit,
    /// A table or column is not there.
    Missing,
    /// The database itself refuses to go on, now.
    System,
    Other,
}

/// How statements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// A name that stands for itself, whatever is in it.
    pub(super) fn quoted(self, name: &str) -> String {
        match self {
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// A table with its schema.
    pub(super) fn table(self, name: &TableName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.quoted(schema), self.quoted(&name.name)),
            None => self.quoted(&name.name),
        }
    }

    /// The place of the next value that a statement is given, for a column.
    pub(super) fn given(self, number: usize, column: &Column) -> String {
        match self {
            Self::Postgres
                if matches!(
                    column.kind,
                    Kind::Other | Kind::Decimal | Kind::Float | Kind::Uuid
                ) =>
            {
                format!("CAST(CAST(${number} AS text) AS {})", column.native)
            }
            Self::Postgres => format!("${number}"),
            Self::Sqlite | Self::Mysql => "?".to_owned(),
        }
    }

    /// A column as it is asked for.
    pub(super) fn asked(self, column: &Column) -> String {
        let name = self.quoted(&column.name);
        match (self, column.kind) {
            (Self::Postgres, Kind::Other) => format!("CAST({name} AS text)"),
            (Self::Mysql, Kind::Other) => format!("CAST({name} AS char)"),
            _ => name,
        }
    }

    /// Whether an insert can answer with what it left.
    pub(super) fn returns(self) -> bool {
        self != Self::Mysql
    }

    /// What keeps others from changing the rows that are read.
    pub(super) fn locked(self) -> &'static str {
        match self {
            Self::Postgres | Self::Mysql => " FOR UPDATE",
            Self::Sqlite => "",
        }
    }
}
