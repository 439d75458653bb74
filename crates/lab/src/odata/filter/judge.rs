//! What a condition says of an entity.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::{Comparison, Condition, Function, Operand, TextTest};
use crate::odata::model::PropertyIndex;
use crate::odata::value::{Value, day_of, midnight};

impl Condition {
    /// Whether the entity with these values meets the condition.
    pub(crate) fn meets(&self, values: &[Value]) -> bool {
        self.judge(values) == Some(true)
    }

    /// True, false, or neither, as the standard's tables say for null.
    fn judge(&self, values: &[Value]) -> Option<bool> {
        match self {
            Self::And(left, right) => match (left.judge(values), right.judge(values)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(left, right) => match (left.judge(values), right.judge(values)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Not(inner) => inner.judge(values).map(|met| !met),
            Self::Compare(comparison, left, right) => {
                Some(compare(*comparison, &left.of(values), &right.of(values)))
            }
            Self::In(left, items) => {
                let left = left.of(values);
                Some(
                    items
                        .iter()
                        .any(|item| compare(Comparison::Equal, &left, &item.of(values))),
                )
            }
            Self::Text(test, long, short) => match (long.of(values), short.of(values)) {
                (Value::Text(long), Value::Text(short)) => Some(match test {
                    TextTest::Contains => long.contains(&short),
                    TextTest::StartsWith => long.starts_with(&short),
                    TextTest::EndsWith => long.ends_with(&short),
                }),
                _ => None,
            },
            Self::Holds(operand) => match operand.of(values) {
                Value::Boolean(holds) => Some(holds),
                _ => None,
            },
        }
    }

    /// Where the condition compares a property with a text, the text becomes what `change` makes of it.
    pub(crate) fn with_texts(self, change: &impl Fn(PropertyIndex, Value) -> Value) -> Self {
        let each = |inner: Box<Self>| Box::new(inner.with_texts(change));
        match self {
            Self::And(left, right) => Self::And(each(left), each(right)),
            Self::Or(left, right) => Self::Or(each(left), each(right)),
            Self::Not(inner) => Self::Not(each(inner)),
            Self::Compare(comparison, Operand::Property(property, kind), Operand::Literal(value, shape)) => {
                let value = change(property, value);
                Self::Compare(
                    comparison,
                    Operand::Property(property, kind),
                    Operand::Literal(value, shape),
                )
            }
            Self::In(Operand::Property(property, kind), items) => {
                let changed = items.into_iter().map(|item| match item {
                    Operand::Literal(value, shape) => Operand::Literal(change(property, value), shape),
                    other => other,
                });
                Self::In(Operand::Property(property, kind), changed.collect())
            }
            other => other,
        }
    }
}

/// Null equals null alone, and is neither greater nor less than anything.
fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Date(date), Value::Moment(moment)) => Some(midnight(*date).cmp(moment)),
        (Value::Moment(moment), Value::Date(date)) => Some(moment.cmp(&midnight(*date))),
        _ => Some(left.cmp(right)),
    };
    let null = *left == Value::Null;
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        _ if null => false,
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    }
}

impl Operand {
    fn of(&self, values: &[Value]) -> Value {
        match self {
            Self::Property(property, _) => values.get(*property).cloned().unwrap_or(Value::Null),
            Self::Literal(value, _) => value.clone(),
            Self::Function(function, argument) => function.of(argument.of(values)),
        }
    }
}

impl Function {
    fn of(self, argument: Value) -> Value {
        let day = match &argument {
            Value::Date(date) => Some(*date),
            Value::Moment(moment) => day_of(*moment),
            _ => None,
        };
        match (self, argument) {
            (Self::ToLower, Value::Text(text)) => Value::Text(text.to_lowercase()),
            (Self::ToUpper, Value::Text(text)) => Value::Text(text.to_uppercase()),
            (Self::Trim, Value::Text(text)) => Value::Text(text.trim().to_owned()),
            (Self::Length, Value::Text(text)) => Value::Number(Decimal::from(text.chars().count())),
            (Self::Year, _) => day.map_or(Value::Null, |day| Value::Number(Decimal::from(day.year()))),
            (Self::Month, _) => day.map_or(Value::Null, |day| Value::Number(Decimal::from(day.month()))),
            (Self::Day, _) => day.map_or(Value::Null, |day| Value::Number(Decimal::from(day.day()))),
            _ => Value::Null,
        }
    }
}
