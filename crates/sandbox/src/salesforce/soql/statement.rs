//! What a statement says, as read.

use jiff::civil::Date;

/// A name such as `Account.Owner.Name`, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub(super) parts: Vec<String>,
    pub(super) at: usize,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Select {
    Count,
    /// Names and `FIELDS(...)`, in order.
    Columns(Vec<ColumnAsked>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ColumnAsked {
    Named(Name),
    /// `FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`.
    Fields(FieldSet, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldSet {
    All,
    Standard,
    Custom,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Date(Date),
    Moment(i64),
    /// A date literal such as `TODAY` or `LAST_N_DAYS:7`, in capitals.
    Period(String, Option<i64>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Name, Comparison, Literal, usize),
    /// Whether `NOT IN`.
    In(Name, bool, Vec<(Literal, usize)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sort {
    pub(super) name: Name,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) select: Select,
    pub(super) from: Name,
    pub(super) alias: Option<String>,
    pub(super) condition: Option<Condition>,
    pub(super) order: Vec<Sort>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
}
