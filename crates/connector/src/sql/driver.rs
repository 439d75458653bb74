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

    /// What a table is like; none where there is no such table.
    async fn relation(&self, table: &TableName) -> Result<Option<Relation>, Trouble>;

    /// What tables are like, in the order asked for.
    async fn relations(&self, tables: &[TableName]) -> Result<Vec<Option<Relation>>, Trouble> {
        let mut all = Vec::with_capacity(tables.len());
        for table in tables {
            all.push(self.relation(table).await?);
        }
        Ok(all)
    }

    /// The cells of the rows of a statement that is given nothing.
    async fn cells(&self, sql: &str) -> Result<Vec<Cell>, Trouble> {
        let statement = Statement {
            sql: sql.to_owned(),
            ..Statement::default()
        };
        Ok(self.read(&statement).await?.cells)
    }

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

    /// Runs a statement that is given nothing and answers nothing.
    async fn batch(&mut self, sql: &'static str) -> Result<(), Trouble>;

    /// The number that the last insert was given, where the dialect does not answer with rows.
    async fn last_id(&mut self) -> Result<i64, Trouble>;

    /// Lets them take effect. [`Trouble::Lost`] leaves open whether they did.
    async fn commit(self: Box<Self>) -> Result<(), Trouble>;
}

/// A statement with what it is given.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// SQL Server.
    Mssql,
}

impl Dialect {
    /// A name that stands for itself, whatever is in it.
    pub(super) fn quoted(self, name: &str) -> String {
        match self {
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
            Self::Mssql => format!("[{}]", name.replace(']', "]]")),
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
            Self::Mssql => mssql_given(number, column),
            _ => self.bare(number),
        }
    }

    /// The same, whatever it is for.
    pub(super) fn bare(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::Sqlite | Self::Mysql => "?".to_owned(),
            Self::Mssql => format!("@P{number}"),
        }
    }

    /// A column as it is asked for.
    pub(super) fn asked(self, column: &Column) -> String {
        let name = self.quoted(&column.name);
        match (self, column.kind) {
            (Self::Postgres, Kind::Other) => format!("CAST({name} AS text)"),
            (Self::Mysql, Kind::Other) => format!("CAST({name} AS char)"),
            (Self::Mssql, Kind::Other) => format!("CAST({name} AS nvarchar(max))"),
            (Self::Mssql, Kind::Moment) => format!("SWITCHOFFSET({name}, 0)"),
            (Self::Mssql, _) if column.native == "rowversion" => format!("CAST({name} AS bigint)"),
            // They would travel as floating numbers.
            (Self::Mssql, _) if column.native.ends_with("money") => format!("CAST({name} AS decimal(19,4))"),
            _ => name,
        }
    }

    /// The type of any text.
    pub(super) fn any_text(self) -> &'static str {
        match self {
            Self::Postgres | Self::Sqlite => "text",
            Self::Mysql => "char",
            Self::Mssql => "nvarchar(max)",
        }
    }

    /// The first rows of a statement that is ordered.
    pub(super) fn first(self, rows: usize) -> String {
        match self {
            Self::Mssql => format!(" OFFSET 0 ROWS FETCH NEXT {rows} ROWS ONLY"),
            _ => format!(" LIMIT {rows}"),
        }
    }

    /// What keeps others from changing the rows that are read: behind the table's name, and at the end.
    pub(super) fn locked(self) -> (&'static str, &'static str) {
        match self {
            Self::Postgres | Self::Mysql => ("", " FOR UPDATE"),
            Self::Sqlite => ("", ""),
            Self::Mssql => (" WITH (UPDLOCK, ROWLOCK)", ""),
        }
    }

    /// The most values that a statement is given.
    pub(super) fn most_given(self) -> usize {
        match self {
            Self::Mssql => 2_000,
            _ => 30_000,
        }
    }
}

/// A value for a column of SQL Server. It is given as what the column holds wherever the column would be turned into what is
/// given, which no index serves.
fn mssql_given(number: usize, column: &Column) -> String {
    let native = column.native.as_str();
    match column.kind {
        _ if native == "rowversion" => format!("CAST(CAST(@P{number} AS bigint) AS binary(8))"),
        // No shorter than any text of the column, so that what is too long is refused and not cut.
        Kind::Text if native.starts_with("varchar") || native.starts_with("char") => {
            let long = column.max_length.is_none_or(|length| length >= 8_000);
            format!(
                "CAST(@P{number} AS varchar({}))",
                if long { "max" } else { "8000" }
            )
        }
        Kind::Civil if !native.starts_with("datetime2") => format!("CAST(@P{number} AS {native})"),
        Kind::Uuid | Kind::Other => format!("CAST(@P{number} AS {native})"),
        _ => format!("@P{number}"),
    }
}
