//! What the ledger asks of a database: statements with values, rows of columns, and little else.
//!
//! All that is meant by links, intents, items and the rest is said once, in statements that every storage understands
//! ([`crate::sqlite`], [`crate::postgres`]). A storage runs them; it knows nothing of what they mean.

use crate::contract::Worker;
use crate::db::Trouble;
use std::borrow::Cow;
use std::pin::Pin;

/// A database that holds one state, and is held by this process alone.
pub(crate) trait Storage: Send {
    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// What the database says.
    fn run(&self, sql: &str, given: &[Value<'_>]) -> Result<usize, DatabaseError>;

    /// Visits what a statement reads until the visitor has enough: only for what is few by nature or limited.
    ///
    /// # Errors
    /// What the database says, or the visitor.
    fn read(&self, sql: &str, given: &[Value<'_>], visit: &mut Visitor<'_>) -> Result<(), Trouble>;

    /// Visits rows of any number; a storage keeps few of them in memory.
    ///
    /// # Errors
    /// What the database says, or the visitor.
    fn walk(&self, sql: &str, given: &[Value<'_>], visit: &mut Visitor<'_>) -> Result<(), Trouble> {
        self.read(sql, given, visit)
    }

    /// Changes the tables, in the words that [`crate::schema::TABLES`] is written in, and notes the form that they have then;
    /// within the transaction under way.
    ///
    /// # Errors
    /// What the database says.
    fn reshape(&self, tables: &str, form: i64) -> Result<(), DatabaseError>;

    /// Ends the transaction under way, if there is one, and undoes it.
    fn roll_back(&self);

    /// Who works with the state and who stands by, where several can.
    ///
    /// # Errors
    /// What the database says.
    fn workers(&self) -> Result<Vec<Worker>, Trouble> {
        Ok(Vec::new())
    }

    /// Whether the state is held still, as far as that is known without asking.
    fn is_held(&self) -> bool {
        true
    }

    /// Resolves once it is known that the state is held no more.
    fn lost(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    /// How many bytes the state takes.
    ///
    /// # Errors
    /// What the database says.
    fn bytes(&self) -> Result<u64, Trouble>;

    /// Rewrites everything, so that no byte of what was removed stays where the database keeps it.
    ///
    /// # Errors
    /// What the database says.
    fn rewrite(&self) -> Result<(), DatabaseError>;
}

/// Looks at a row; answers whether it wants the next one.
pub(crate) type Visitor<'v> = dyn FnMut(&dyn Row) -> Result<bool, Trouble> + 'v;

/// What a database says when it refuses a statement.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL.
    #[error("{message}")]
    Postgres {
        /// What it says.
        message: String,
        /// Its code (SQLSTATE); none where it could not be asked.
        code: Option<String>,
        /// The constraint that was broken, if one was.
        constraint: Option<String>,
    },
}

impl DatabaseError {
    /// The name of the uniqueness constraint that a statement broke, if that is why it failed. Any other constraint breaks
    /// on a damaged database alone.
    pub(crate) fn broken_constraint(&self) -> Option<&str> {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, Some(message))) => {
                let unique = [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY];
                unique.contains(&code.extended_code).then_some(message)
            }
            Self::Sqlite(_) => None,
            Self::Postgres { code, constraint, .. } => {
                let unique = code.as_deref() == Some(UNIQUE_VIOLATION);
                unique.then_some(constraint.as_deref().unwrap_or_default())
            }
        }
    }
}

impl DatabaseError {
    /// Whether somebody else has locked what a statement wanted.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, Self::Postgres { code: Some(code), .. } if code == LOCK_NOT_AVAILABLE)
    }
}

/// PostgreSQL's word for a lock that was not given in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// PostgreSQL's word for a uniqueness constraint that was broken.
const UNIQUE_VIOLATION: &str = "23505";

/// The kinds of values that columns hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    Int,
    Text,
    Blob,
}

/// A value given to a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// Nothing, in a place of this type.
    Null(Type),
    Int(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// The same, without its bytes.
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Null(of) => Value::Null(*of),
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
        }
    }

    pub(crate) fn of(&self) -> Type {
        match self {
            Self::Null(of) => *of,
            Self::Int(_) => Type::Int,
            Self::Text(_) => Type::Text,
            Self::Blob(_) => Type::Blob,
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes.into())
    }
}

/// What can be given to a statement.
pub(crate) trait Give {
    /// What it is given as.
    const TYPE: Type;

    fn give(&self) -> Value<'_>;
}

impl Give for i64 {
    const TYPE: Type = Type::Int;

    fn give(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl Give for bool {
    const TYPE: Type = Type::Int;

    fn give(&self) -> Value<'_> {
        Value::Int((*self).into())
    }
}

impl Give for str {
    const TYPE: Type = Type::Text;

    fn give(&self) -> Value<'_> {
        Value::Text(self.into())
    }
}

impl Give for String {
    const TYPE: Type = Type::Text;

    fn give(&self) -> Value<'_> {
        self.as_str().give()
    }
}

impl Give for Cow<'_, str> {
    const TYPE: Type = Type::Text;

    fn give(&self) -> Value<'_> {
        (**self).give()
    }
}

impl Give for [u8] {
    const TYPE: Type = Type::Blob;

    fn give(&self) -> Value<'_> {
        Value::Blob(self.into())
    }
}

impl Give for Vec<u8> {
    const TYPE: Type = Type::Blob;

    fn give(&self) -> Value<'_> {
        self.as_slice().give()
    }
}

impl<T: Give + ?Sized> Give for &T {
    const TYPE: Type = T::TYPE;

    fn give(&self) -> Value<'_> {
        (**self).give()
    }
}

impl<T: Give> Give for Option<T> {
    const TYPE: Type = T::TYPE;

    fn give(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::TYPE), Give::give)
    }
}

/// What a statement is given, in order.
pub(crate) trait Given {
    fn values(&self) -> Vec<Value<'_>>;
}

impl Given for Vec<Value<'_>> {
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(Value::borrowed).collect()
    }
}

/// Nothing.
impl Given for [Value<'_>; 0] {
    fn values(&self) -> Vec<Value<'_>> {
        Vec::new()
    }
}

macro_rules! arrays {
    ($($n:literal),*) => {$(
        impl<T: Give> Given for [T; $n] {
            fn values(&self) -> Vec<Value<'_>> {
                self.iter().map(Give::give).collect()
            }
        }
    )*};
}
arrays!(1, 2, 3);

macro_rules! tuples {
    ($(($($name:ident $place:tt),*);)*) => {$(
        impl<$($name: Give),*> Given for ($($name,)*) {
            fn values(&self) -> Vec<Value<'_>> {
                vec![$(self.$place.give()),*]
            }
        }
    )*};
}
tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
}

/// A column of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column<'r> {
    Null,
    Int(i64),
    Text(&'r str),
    Blob(&'r [u8]),
}

/// A row that a statement read.
pub(crate) trait Row {
    /// Its column at a place, from 0; none where there is none of a type that is known.
    fn column(&self, place: usize) -> Option<Column<'_>>;
}

impl dyn Row + '_ {
    /// What a column holds.
    pub(crate) fn get<T: Read>(&self, place: usize) -> Result<T, Trouble> {
        let read = self.column(place).and_then(T::read);
        read.ok_or_else(|| Trouble::Unreadable(format!("column {place} holds something else than it should")))
    }
}

/// What can be read from a column.
pub(crate) trait Read: Sized {
    fn read(column: Column<'_>) -> Option<Self>;
}

impl Read for i64 {
    fn read(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Int(number) => Some(number),
            _ => None,
        }
    }
}

impl Read for u32 {
    fn read(column: Column<'_>) -> Option<Self> {
        i64::read(column)?.try_into().ok()
    }
}

impl Read for bool {
    fn read(column: Column<'_>) -> Option<Self> {
        Some(i64::read(column)? != 0)
    }
}

impl Read for String {
    fn read(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl Read for Vec<u8> {
    fn read(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<T: Read> Read for Option<T> {
    fn read(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Null => Some(None),
            column => T::read(column).map(Some),
        }
    }
}
