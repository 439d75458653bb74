//! Conditions bound to fields, and literals to their types.

use std::borrow::Cow;
use std::collections::HashSet;

use super::SoqlError;
use super::bind::{Scope, bind, not_usable};
use super::calendar;
use super::filter::Filter;
use super::like::pattern;
use super::path::Path;
use super::statement::{Comparison, Condition, Literal, Name, Query};
use crate::salesforce::fault::Code;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Origin};
use crate::salesforce::schema::Kind;
use crate::salesforce::value::{Value, parse_number};

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
        Condition::InQuery(name, negated, query) => bind_in_query(scope, name, *negated, query),
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
            bind_period(scope, &path, period, *count).ok_or_else(|| wrong_type(name, path.kind, at))?;
        return Ok(Filter::During { path, how, from, to });
    }
    let with = bind_literal(name, path.kind, literal, fold, at)?;
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
        match bind_literal(name, path.kind, literal, fold, *at)? {
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

/// The values that a query finds at this moment, as the list of an IN.
fn bind_in_query(scope: &Scope<'_>, name: &Name, negated: bool, query: &Query) -> Result<Filter, SoqlError> {
    let (path, fold) = filterable(scope, name)?;
    let bound = bind(scope.org, query)?;
    let column = bound
        .only_column()
        .filter(|column| column.kind.is_key() && path.kind.is_key());
    let column = column.ok_or_else(|| {
        SoqlError::malformed(
            query.from.at,
            "a query in IN selects one id or reference, and is compared with one",
        )
    })?;
    let everything = Actor {
        user: RecordId::MIN,
        admin: true,
        origin: Origin::System,
    };
    let rows = scope.org.fitting(everything, &bound, false).into_iter();
    let values = rows.filter_map(|row| column.value(scope.org, bound.object, row));
    Ok(Filter::In {
        values: values.map(Cow::into_owned).collect(),
        path,
        negated,
        null: false,
        fold,
    })
}

/// A literal as the value of a field of this type; none is null.
pub(super) fn bind_literal(
    name: &Name,
    kind: Kind,
    literal: &Literal,
    fold: bool,
    at: usize,
) -> Result<Option<Value>, SoqlError> {
    let value = match (literal, kind) {
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
            Value::Number(parse_number(text).ok_or_else(|| wrong_type(name, kind, at))?)
        }
        (Literal::Date(date), Kind::Date) => Value::Date(*date),
        (Literal::Moment(moment), Kind::DateTime) => Value::Moment(*moment),
        _ => return Err(wrong_type(name, kind, at)),
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

fn wrong_type(name: &Name, of: Kind, at: usize) -> SoqlError {
    let (kind, quotes) = match of {
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
