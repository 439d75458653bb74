//! What a statement says, as read.

use jiff::civil::Date;

/// A name such as `Account.Owner.Name`, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub(super) parts: Vec<String>,
    pub(super) at: usize,
    /// The aggregate that the name is given to; its own parts are empty for `COUNT()`.
    pub(super) function: Option<Function>,
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

impl Function {
    const NAMES: [(&'static str, Function); 6] = [
        ("COUNT", Function::Count),
        ("COUNT_DISTINCT", Function::CountDistinct),
        ("SUM", Function::Sum),
        ("AVG", Function::Avg),
        ("MIN", Function::Min),
        ("MAX", Function::Max),
    ];

    /// The function called so, in any case of letters.
    pub(super) fn named(name: &str) -> Option<Function> {
        let found = Function::NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, function)| *function)
    }

    pub(super) fn as_str(self) -> &'static str {
        let found = Function::NAMES.iter().find(|(_, known)| *known == self);
        found.map_or("", |(name, _)| name)
    }
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
    /// A field or an aggregate, and its alias.
    Named(Name, Option<String>),
    /// `FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`.
    Fields(FieldSet, usize),
    /// A subquery.
    Children(Box<Query>),
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
    /// Whether `NOT IN` the results of a query.
    InQuery(Name, bool, Box<Query>),
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
    pub(super) group: Vec<Name>,
    pub(super) having: Option<Condition>,
    pub(super) order: Vec<Sort>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
}
