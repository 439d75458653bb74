//! Values: what a property holds, in a system's own form or in canonical form.
//!
//! One type serves both forms. An *own form* is what a system shows or takes (a picklist entry, a foreign
//! id, an untrimmed string). A *canonical value* is freed of the system's habits: enums are the names of the
//! first system, references are ids of the first system's record, decimals are at the mapping's scale,
//! times are UTC. [`crate::form`] converts between the two.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of one property. Absent is a value: [`Value::Blank`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// Nothing there. Systems that hold `""` for nothing show it as blank.
    #[default]
    #[serde(rename = "-")]
    Blank,
    /// Text; also the carrier of enums (an entry's name) and references (a record's id).
    #[serde(rename = "t")]
    Text(String),
    /// A whole number.
    #[serde(rename = "i")]
    Integer(i64),
    /// An exact decimal number; equal numbers of different scale are equal.
    #[serde(rename = "n")]
    Decimal(Decimal),
    /// Yes or no.
    #[serde(rename = "b")]
    Boolean(bool),
    /// A calendar day without a zone.
    #[serde(rename = "d")]
    Date(Date),
    /// A moment, UTC.
    #[serde(rename = "m")]
    DateTime(Timestamp),
}

impl Value {
    /// Text, or blank when the text is empty.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Blank
        } else {
            Self::Text(text)
        }
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Blank)
    }

    /// The text of a text value, an enum entry or a reference.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Boolean(yes) => yes.fmt(f),
            Self::Date(date) => date.fmt(f),
            Self::DateTime(moment) => moment.fmt(f),
        }
    }
}
