//! Filters: which records of a side belong to a flow, as an expression over one record's own values.
//!
//! A small language on purpose: every expression has an answer for every record, without side effects, in time
//! linear in its length. It is answered here and never handed to a system, so no value of it can be misread there.

mod parse;

use crate::record::Values;
use crate::value::Value;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

pub use parse::Wrong;

/// An expression with the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    text: String,
    expression: Expression,
}

/// What is asked of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Compare(String, Comparison, Value),
    OneOf(String, Vec<Value>),
    Like(String, String),
    Blank(String),
}

/// How a value is compared with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where it cannot be read, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(Self {
            expression: parse::expression(text)?,
            text: text.trim().to_owned(),
        })
    }

    /// Whether it holds for a record with these values.
    #[must_use]
    pub fn holds(&self, values: &Values) -> bool {
        self.expression.holds(values)
    }

    /// The properties that it asks for.
    #[must_use]
    pub fn properties(&self) -> BTreeSet<&str> {
        self.comparisons()
            .into_iter()
            .map(|(property, _)| property)
            .collect()
    }

    /// Properties with the literals that they are compared with; a property asked for blank has none.
    #[must_use]
    pub fn comparisons(&self) -> Vec<(&str, Vec<&Value>)> {
        let mut found = Vec::new();
        self.expression.comparisons(&mut found);
        found
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    fn holds(&self, values: &Values) -> bool {
        let shown = |property: &String| values.get(property).unwrap_or(&Value::Blank);
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(values)),
            Self::Not(part) => !part.holds(values),
            Self::Compare(property, how, literal) => how.holds(order(shown(property), literal)),
            Self::OneOf(property, literals) => {
                let mut literals = literals.iter();
                literals.any(|literal| order(shown(property), literal) == Some(Ordering::Equal))
            }
            Self::Like(property, pattern) => match shown(property) {
                Value::Text(text) => like(text, pattern),
                _ => false,
            },
            Self::Blank(property) => shown(property).is_blank(),
        }
    }

    fn comparisons<'a>(&'a self, found: &mut Vec<(&'a str, Vec<&'a Value>)>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.comparisons(found));
            }
            Self::Not(part) => part.comparisons(found),
            Self::Compare(property, _, literal) => found.push((property, vec![literal])),
            Self::OneOf(property, literals) => found.push((property, literals.iter().collect())),
            Self::Like(property, _) | Self::Blank(property) => found.push((property, Vec::new())),
        }
    }
}

impl Comparison {
    /// Values that cannot be compared, blank among them, are unequal and nothing else.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::More => order == Some(Ordering::Greater),
            Self::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// How two values of one kind stand to each other; none for values of different kinds.
fn order(value: &Value, literal: &Value) -> Option<Ordering> {
    match (value, literal) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (a, b) => Some(number(a)?.cmp(&number(b)?)),
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// `%` stands for any signs, `_` for one; letters of either case are the same.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    // Where the last `%` was, and how much of the text it stood for: to go on from there with one sign more.
    let (mut at, mut place, mut star): (usize, usize, Option<(usize, usize)>) = (0, 0, None);
    while at < text.len() {
        match pattern.get(place) {
            Some('%') => {
                star = Some((place, at));
                place += 1;
            }
            Some(sign) if *sign == '_' || *sign == text[at] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((percent, from)) = star else {
                    return false;
                };
                star = Some((percent, from + 1));
                (at, place) = (from + 1, percent + 1);
            }
        }
    }
    pattern[place..].iter().all(|sign| *sign == '%')
}
