//! What a database says of its tables.

use std::collections::BTreeMap;

/// What a column holds, whatever the database calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    /// Exact.
    Decimal,
    /// A floating number, read by its shortest text.
    Float,
    Boolean,
    Date,
    /// A moment.
    Moment,
    /// A date with a time, of no zone.
    Civil,
    /// A moment as seconds since 1970.
    Seconds,
    /// A moment as milliseconds since 1970.
    Milliseconds,
    Uuid,
    /// Anything else, read and written by its text.
    Other,
    /// What no value can hold.
    Bytes,
}

impl Kind {
    /// Its name in a schema.
    pub(super) fn data_type(self) -> &'static str {
        match self {
            Self::Text | Self::Uuid | Self::Other | Self::Bytes => "string",
            Self::Integer => "integer",
            Self::Decimal | Self::Float => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Moment | Self::Civil | Self::Seconds | Self::Milliseconds => "datetime",
        }
    }
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Its type in the database's own words, fit for a cast.
    pub(super) native: String,
    /// Longest text, in characters.
    pub(super) max_length: Option<usize>,
    /// Digits in all and behind the point.
    pub(super) precision: Option<u32>,
    pub(super) scale: Option<u32>,
    pub(super) nullable: bool,
    /// The database gives a value where none is given.
    pub(super) filled: bool,
    /// The database counts the rows by it.
    pub(super) counts: bool,
    /// It is computed, or always given by the database.
    pub(super) generated: bool,
    /// Entries of an enumeration.
    pub(super) values: Vec<String>,
    /// The texts that a check of the table allows alone.
    pub(super) checked: Vec<String>,
}

impl Column {
    pub(super) fn new(name: impl Into<String>, kind: Kind, native: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            native: native.into(),
            max_length: None,
            precision: None,
            scale: None,
            nullable: true,
            filled: false,
            counts: false,
            generated: false,
            values: Vec::new(),
            checked: Vec::new(),
        }
    }
}

/// A table or a view.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) is_view: bool,
    /// Rows may be hidden from us.
    pub(super) hides_rows: bool,
    /// What keeps it, where that knows no transactions.
    pub(super) untransacted: Option<String>,
    pub(super) columns: Vec<Column>,
    /// Columns that together are unique: the primary key first.
    pub(super) unique: Vec<Vec<String>>,
    /// Columns by the name of the constraint or index that is about them.
    pub(super) constraints: BTreeMap<String, Vec<String>>,
    pub(super) foreign: Vec<Foreign>,
    pub(super) may: May,
}

/// Columns that name a row of another table.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    pub(super) columns: Vec<String>,
    pub(super) schema: String,
    pub(super) table: String,
    /// Empty: its primary key.
    pub(super) to: Vec<String>,
}

/// What we may do there.
#[derive(Clone, Copy, Debug)]
pub(super) struct May {
    pub(super) insert: bool,
    pub(super) update: bool,
    pub(super) delete: bool,
}

impl Default for May {
    fn default() -> Self {
        Self {
            insert: true,
            update: true,
            delete: true,
        }
    }
}

impl Relation {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a column alone is unique.
    pub(super) fn is_unique(&self, name: &str) -> bool {
        self.unique
            .iter()
            .any(|columns| matches!(columns.as_slice(), [one] if one == name))
    }
}
