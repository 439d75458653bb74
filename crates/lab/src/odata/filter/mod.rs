//! `$filter`: read into a tree of typed comparisons, and asked of each entity.

mod judge;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use super::model::{EntitySet, Kind, PropertyIndex, Version};
use super::refusal::Refusal;
use super::value::Value;

/// A condition that an entity meets, fails, or neither (where null is compared).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Comparison, Operand, Operand),
    In(Operand, Vec<Operand>),
    Text(TextTest, Operand, Operand),
    /// A boolean property, or a literal.
    Holds(Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What is asked of two texts, the longer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

/// What gives a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Property(PropertyIndex, Kind),
    Literal(Value, Shape),
    Function(Function, Box<Operand>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    ToLower,
    ToUpper,
    Trim,
    Length,
    Year,
    Month,
    Day,
}

/// What may be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    Boolean,
    Number,
    Text,
    Guid,
    Date,
    Time,
    Moment,
    /// A literal `datetime'...'` of v2, which names a day or a moment without a zone.
    Local,
}

impl Condition {
    /// Reads the text of a `$filter`.
    ///
    /// # Errors
    /// 400 for what is malformed or does not fit together, 501 for what this service leaves out.
    pub(crate) fn read(text: &str, set: &EntitySet, version: Version) -> Result<Self, Refusal> {
        parser::read(text, set, version)
    }
}

/// Reads one literal, as keys have them.
///
/// # Errors
/// 400 for what is no literal of this version.
pub(crate) fn literal(text: &str, version: Version) -> Result<(Value, Shape), Refusal> {
    parser::literal(text, version)
}

impl Shape {
    pub(crate) fn of(kind: Kind, version: Version) -> Self {
        match kind {
            Kind::Text(_) => Self::Text,
            Kind::Boolean => Self::Boolean,
            Kind::Int32 | Kind::Int64 | Kind::Decimal { .. } => Self::Number,
            Kind::Guid => Self::Guid,
            Kind::Date if version == Version::V2 => Self::Local,
            Kind::Date => Self::Date,
            Kind::Time => Self::Time,
            Kind::Moment => Self::Moment,
        }
    }

    pub(crate) fn goes_with(self, other: Self) -> bool {
        self == other || self == Self::Null || other == Self::Null
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "Edm.Boolean",
            Self::Number => "a number",
            Self::Text => "Edm.String",
            Self::Guid => "Edm.Guid",
            Self::Date => "Edm.Date",
            Self::Time => "a time of day",
            Self::Moment => "Edm.DateTimeOffset",
            Self::Local => "Edm.DateTime",
        }
    }
}
