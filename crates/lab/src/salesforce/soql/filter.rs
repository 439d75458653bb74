//! Conditions, asked of rows.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::like::{Piece, fits};
use super::path::Path;
use super::statement::Comparison;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{ObjectIndex, Source};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// A condition that rows can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// Compares with one value; none is null.
    Compare {
        path: Path,
        how: Comparison,
        with: Option<Value>,
        fold: bool,
    },
    /// Compares with a period: its first value, and the first after it.
    During {
        path: Path,
        how: Comparison,
        from: Value,
        to: Value,
    },
    Like {
        path: Path,
        pattern: Vec<Piece>,
    },
    In {
        path: Path,
        negated: bool,
        values: HashSet<Value>,
        null: bool,
        fold: bool,
    },
}

impl Filter {
    /// Whether a row satisfies the condition.
    pub(crate) fn holds(&self, org: &Org, object: ObjectIndex, row: &Row) -> bool {
        match self {
            Filter::And(all) => all.iter().all(|one| one.holds(org, object, row)),
            Filter::Or(any) => any.iter().any(|one| one.holds(org, object, row)),
            Filter::Not(inner) => !inner.holds(org, object, row),
            Filter::Compare {
                path,
                how,
                with,
                fold,
            } => {
                let value = path.value(org, object, row);
                compare(value.as_deref(), *how, with.as_ref(), *fold)
            }
            Filter::During { path, how, from, to } => path
                .value(org, object, row)
                .map_or(*how == Comparison::NotEqual, |value| {
                    during(&value, *how, from, to)
                }),
            Filter::Like { path, pattern } => path.value(org, object, row).is_some_and(|value| {
                let text: Vec<char> = value
                    .as_text()
                    .unwrap_or_default()
                    .to_lowercase()
                    .chars()
                    .collect();
                fits(&text, pattern)
            }),
            Filter::In {
                path,
                negated,
                values,
                null,
                fold,
            } => {
                let found = match path.value(org, object, row) {
                    None => *null,
                    Some(value) if *fold => values.contains(&folded(&value)),
                    Some(value) => values.contains(value.as_ref()),
                };
                found != *negated
            }
        }
    }

    /// A moment that every `SystemModstamp` of a fitting row reaches.
    pub(super) fn earliest(&self, org: &Org) -> Option<i64> {
        match self {
            Filter::And(all) => all.iter().filter_map(|one| one.earliest(org)).max(),
            Filter::Or(any) => any
                .iter()
                .map(|one| one.earliest(org))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .min(),
            Filter::Compare {
                path,
                how,
                with: Some(Value::Moment(moment)),
                ..
            } if path.is_own(Source::Stamp, org) => match how {
                Comparison::Equal | Comparison::GreaterOrEqual => Some(*moment),
                Comparison::Greater => moment.checked_add(1),
                _ => None,
            },
            _ => None,
        }
    }

    /// The only records that can fit, where an id or a unique field says so. `with_deleted`: unique fields do not, as
    /// their index holds no deleted rows.
    pub(super) fn candidates(
        &self,
        org: &Org,
        object: ObjectIndex,
        with_deleted: bool,
    ) -> Option<HashSet<RecordId>> {
        let known = |path: &Path, values: &mut dyn Iterator<Item = &Value>| -> Option<HashSet<RecordId>> {
            if path.is_own(Source::Id, org) {
                return Some(values.filter_map(Value::as_reference).collect());
            }
            let field = path
                .own_field()
                .filter(|at| !with_deleted && org.table(object).indexed(*at))?;
            Some(
                values
                    .filter_map(|value| org.table(object).holder(field, value.as_text()?))
                    .collect(),
            )
        };
        match self {
            Filter::And(all) => all
                .iter()
                .find_map(|one| one.candidates(org, object, with_deleted)),
            Filter::Or(any) => any
                .iter()
                .map(|one| one.candidates(org, object, with_deleted))
                .try_fold(HashSet::new(), |mut all, some| {
                    all.extend(some?);
                    Some(all)
                }),
            Filter::Compare {
                path,
                how: Comparison::Equal,
                with: Some(value),
                ..
            } => known(path, &mut std::iter::once(value)),
            Filter::In {
                path,
                negated: false,
                values,
                null: false,
                ..
            } => known(path, &mut values.iter()),
            _ => None,
        }
    }
}

pub(super) fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::text(text.to_lowercase()),
        other => other.clone(),
    }
}

pub(super) fn compare(value: Option<&Value>, how: Comparison, with: Option<&Value>, fold: bool) -> bool {
    let (Some(value), Some(with)) = (value, with) else {
        // Null equals null, differs from every value, and is neither above nor below anything.
        let same = value.is_none() && with.is_none();
        return match how {
            Comparison::Equal => same,
            Comparison::NotEqual => !same,
            _ => false,
        };
    };
    let order = if fold {
        order(&folded(value), with)
    } else {
        order(value, with)
    };
    match how {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
        Comparison::Like => false,
    }
}

fn during(value: &Value, how: Comparison, from: &Value, to: &Value) -> bool {
    let (begun, over) = (
        order(value, from) != Ordering::Less,
        order(value, to) != Ordering::Less,
    );
    match how {
        Comparison::Equal => begun && !over,
        Comparison::NotEqual => !begun || over,
        Comparison::Less => !begun,
        Comparison::LessOrEqual => !over,
        Comparison::Greater => over,
        Comparison::GreaterOrEqual => begun,
        Comparison::Like => false,
    }
}

/// The order of two values of one type.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Moment(left), Value::Moment(right)) => left.cmp(right),
        (Value::Time(left), Value::Time(right)) => left.cmp(right),
        (Value::Reference(left), Value::Reference(right)) => left.cmp(right),
        _ => Ordering::Equal,
    }
}
