//! Conditions: bound to types, then asked of rows.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::SoqlError;
use super::bind::{Scope, not_usable};
use super::calendar;
use super::parser::{Comparison, Condition, Literal, Name};
use super::path::Path;
use crate::salesforce::fault::Code;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{Kind, ObjectIndex, Source};
use crate::salesforce::table::Row;
use crate::salesforce::value::{Value, parse_number};

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

/// A piece of a LIKE pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Letter(char),
    One,
    Any,
}

/// Binds a condition.
pub(super) fn bind_condition(scope: &Scope<'_>, condition: &Condition) -> Result<Filter, SoqlError> {
    let all = |conditions: &[Condition]| {
        conditions
            .iter()
            .map(|one| bind_condition(scope, one))
            .collect::<Result<Vec<Filter>, SoqlError>>()
    };
    match condition {
        Condition::And(conditions) => all(conditions).map(Filter::And),
        Condition::Or(conditions) => all(conditions).map(Filter::Or),
        Condition::Not(inner) => Ok(Filter::Not(Box::new(bind_condition(scope, inner)?))),
        Condition::Compare(name, how, literal, at) => bind_compare(scope, name, *how, literal, *at),
        Condition::In(name, negated, literals) => bind_in(scope, name, *negated, literals),
    }
}

fn filterable(scope: &Scope<'_>, name: &Name) -> Result<(Path, bool), SoqlError> {
    let path = scope.path(name)?;
    if scope.is_long(&path) || path.kind == Kind::Address {
        return Err(not_usable(name, "filtered"));
    }
    let fold = path.kind.is_text() && !scope.is_case_sensitive(&path);
    Ok((path, fold))
}

fn bind_compare(
    scope: &Scope<'_>,
    name: &Name,
    how: Comparison,
    literal: &Literal,
    at: usize,
) -> Result<Filter, SoqlError> {
    let (path, fold) = filterable(scope, name)?;
    if how == Comparison::Like {
        return match literal {
            Literal::Text(text) if path.kind.is_text() => Ok(Filter::Like {
                path,
                pattern: pattern(text),
            }),
            _ => Err(bad_operator(name, at)),
        };
    }
    let ordered = !matches!(how, Comparison::Equal | Comparison::NotEqual);
    if ordered && (path.kind == Kind::Boolean || *literal == Literal::Null) {
        return Err(bad_operator(name, at));
    }
    if let Literal::Period(period, count) = literal {
        let (from, to) =
            bind_period(scope, &path, period, *count).ok_or_else(|| wrong_type(name, &path, at))?;
        return Ok(Filter::During { path, how, from, to });
    }
    let with = bind_literal(name, &path, literal, fold, at)?;
    Ok(Filter::Compare {
        path,
        how,
        with,
        fold,
    })
}

fn bind_in(
    scope: &Scope<'_>,
    name: &Name,
    negated: bool,
    literals: &[(Literal, usize)],
) -> Result<Filter, SoqlError> {
    let (path, fold) = filterable(scope, name)?;
    let mut values = HashSet::with_capacity(literals.len());
    let mut null = false;
    for (literal, at) in literals {
        match bind_literal(name, &path, literal, fold, *at)? {
            Some(value) => {
                values.insert(value);
            }
            None => null = true,
        }
    }
    Ok(Filter::In {
        path,
        negated,
        values,
        null,
        fold,
    })
}

fn bind_literal(
    name: &Name,
    path: &Path,
    literal: &Literal,
    fold: bool,
    at: usize,
) -> Result<Option<Value>, SoqlError> {
    let value = match (literal, path.kind) {
        (Literal::Null, _) => return Ok(None),
        (Literal::Text(text), Kind::Id | Kind::Reference) => {
            if text.is_empty() {
                return Ok(None);
            }
            let id = RecordId::parse(text).map_err(|_| {
                SoqlError::new(
                    Code::InvalidQueryFilterOperator,
                    at,
                    format!("invalid ID field: {text}"),
                )
            })?;
            Value::Reference(id)
        }
        (Literal::Text(text), kind) if kind.is_text() => {
            let plain = text.replace("\\%", "%").replace("\\_", "_");
            if plain.is_empty() {
                return Ok(None);
            }
            Value::text(if fold { plain.to_lowercase() } else { plain })
        }
        (Literal::Bool(flag), Kind::Boolean) => Value::Bool(*flag),
        (Literal::Number(text), kind) if kind.is_number() => {
            Value::Number(parse_number(text).ok_or_else(|| wrong_type(name, path, at))?)
        }
        (Literal::Date(date), Kind::Date) => Value::Date(*date),
        (Literal::Moment(moment), Kind::DateTime) => Value::Moment(*moment),
        _ => return Err(wrong_type(name, path, at)),
    };
    Ok(Some(value))
}

fn bind_period(scope: &Scope<'_>, path: &Path, name: &str, count: Option<i64>) -> Option<(Value, Value)> {
    let zone = &scope.org.time_zone;
    let now = jiff::Timestamp::from_second(scope.org.now()).ok()?;
    let (from, to) = calendar::period(name, count, now.to_zoned(zone.clone()).date())?;
    match path.kind {
        Kind::Date => Some((Value::Date(from), Value::Date(to))),
        Kind::DateTime => {
            let begin = |day: jiff::civil::Date| {
                Some(Value::Moment(
                    day.to_zoned(zone.clone()).ok()?.timestamp().as_second(),
                ))
            };
            Some((begin(from)?, begin(to)?))
        }
        _ => None,
    }
}

fn wrong_type(name: &Name, path: &Path, at: usize) -> SoqlError {
    let (kind, quotes) = match path.kind {
        Kind::DateTime => ("dateTime", "should not"),
        Kind::Currency | Kind::Double | Kind::Percent => ("double", "should not"),
        Kind::Id | Kind::Reference => ("id", "should"),
        kind if kind.is_text() => ("string", "should"),
        kind => (kind.name(), "should not"),
    };
    SoqlError::new(
        Code::InvalidField,
        at,
        format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            name.parts.join(".")
        ),
    )
}

fn bad_operator(name: &Name, at: usize) -> SoqlError {
    SoqlError::new(
        Code::InvalidQueryFilterOperator,
        at,
        format!("invalid operator on field '{}'", name.parts.join(".")),
    )
}

fn pattern(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek().is_some_and(|next| "%_".contains(*next)) => {
                pieces.extend(letters.next().map(Piece::Letter));
            }
            '%' => pieces.push(Piece::Any),
            '_' => pieces.push(Piece::One),
            letter => pieces.extend(letter.to_lowercase().map(Piece::Letter)),
        }
    }
    pieces
}

/// Whether the text (in lower case) fits the pattern. Greedy with one point to return to: linear in practice.
pub(super) fn fits(text: &[char], pattern: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Any) => {
                retry = Some((piece + 1, at));
                piece += 1;
            }
            Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
            Some(Piece::Letter(letter)) if *letter == text[at] => (at, piece) = (at + 1, piece + 1),
            _ => match retry {
                Some((back, from)) => {
                    retry = Some((back, from + 1));
                    (at, piece) = (from + 1, back);
                }
                None => return false,
            },
        }
    }
    pattern[piece..].iter().all(|piece| *piece == Piece::Any)
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

fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::text(text.to_lowercase()),
        other => other.clone(),
    }
}

fn compare(value: Option<&Value>, how: Comparison, with: Option<&Value>, fold: bool) -> bool {
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
