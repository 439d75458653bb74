//! Aggregates, GROUP BY and HAVING: binding and evaluation.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

use super::SoqlError;
use super::bind::{Prepared, Scope};
use super::condition::bind_literal;
use super::filter::{compare, folded, order};
use super::path::Path;
use super::run::by_key;
use super::statement::{ColumnAsked, Comparison, Condition, Function, Literal, Name, Query};
use crate::salesforce::fault::Code;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::Kind;
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// What a grouped statement can ask of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// The value of a field that the rows are grouped by.
    Key(usize, Kind),
    Aggregate(Function, Path),
    /// `COUNT()`: all rows.
    Rows,
}

impl Expression {
    /// The type of the value.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Expression::Key(_, kind) => *kind,
            Expression::Rows => Kind::Int,
            Expression::Aggregate(function, path) => match function {
                Function::Count | Function::CountDistinct => Kind::Int,
                Function::Avg => Kind::Double,
                Function::Sum | Function::Min | Function::Max => path.kind,
            },
        }
    }
}

/// A bound HAVING.
#[derive(Debug, Clone, PartialEq)]
enum Having {
    And(Vec<Having>),
    Or(Vec<Having>),
    Not(Box<Having>),
    Compare(Expression, Comparison, Option<Value>, bool),
    In(Expression, bool, HashSet<Value>, bool),
}

/// The grouped part of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grouping {
    keys: Vec<Path>,
    /// Every column by its name in the reply.
    pub(super) columns: Vec<(String, Expression)>,
    having: Option<Having>,
    /// Expression, descending, nulls last.
    order: Vec<(Expression, bool, bool)>,
}

impl Grouping {
    /// The columns as `columns=true` lists them.
    pub(super) fn metadata(&self) -> Json {
        let column = |(name, expression): &(String, Expression)| {
            let kind = expression.kind();
            json!({
                "aggregate": !matches!(expression, Expression::Key(..)),
                "apexType": kind.name(),
                "booleanType": kind == Kind::Boolean,
                "columnName": name,
                "custom": false,
                "displayName": name,
                "foreignKeyName": null,
                "insertable": false,
                "joinColumns": [],
                "numberType": kind.is_number(),
                "textType": kind.is_text(),
                "updatable": false,
            })
        };
        self.columns.iter().map(column).collect()
    }
}

/// Whether a statement is grouped.
pub(super) fn is_grouped(query: &Query, columns: &[ColumnAsked]) -> bool {
    let aggregates = columns
        .iter()
        .any(|column| matches!(column, ColumnAsked::Named(name, _) if name.function.is_some()));
    aggregates || !query.group.is_empty() || query.having.is_some()
}

/// Binds the grouped part.
pub(super) fn bind_grouping(
    scope: &Scope<'_>,
    query: &Query,
    asked: &[ColumnAsked],
) -> Result<Grouping, SoqlError> {
    let mut keys = Vec::with_capacity(query.group.len());
    for name in &query.group {
        let path = scope.path(name)?;
        if scope.is_long(&path) || path.kind == Kind::Address {
            return Err(unusable(name, "can not be grouped in a query call"));
        }
        keys.push(path);
    }
    let mut columns: Vec<(String, Expression)> = Vec::with_capacity(asked.len());
    let mut unnamed = 0;
    for column in asked {
        let ColumnAsked::Named(name, alias) = column else {
            return Err(SoqlError::malformed(
                query.from.at,
                "subqueries and FIELDS cannot stand in a grouped query",
            ));
        };
        let expression = expression(scope, &keys, name)?;
        let shown = match (alias, name.function) {
            (Some(alias), _) => alias.clone(),
            (None, None) => scope.path(name)?.leaf_name(scope.org),
            (None, Some(_)) => {
                unnamed += 1;
                format!("expr{}", unnamed - 1)
            }
        };
        if columns
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(&shown))
        {
            return Err(SoqlError::malformed(name.at, format!("duplicate alias: {shown}")));
        }
        columns.push((shown, expression));
    }
    let having = query
        .having
        .as_ref()
        .map(|condition| having(scope, &keys, condition));
    let order = query.order.iter().map(|sort| {
        let expression = expression(scope, &keys, &sort.name)?;
        Ok((expression, sort.descending, sort.nulls_last))
    });
    Ok(Grouping {
        having: having.transpose()?,
        order: order.collect::<Result<_, SoqlError>>()?,
        keys,
        columns,
    })
}

fn expression(scope: &Scope<'_>, keys: &[Path], name: &Name) -> Result<Expression, SoqlError> {
    let Some(function) = name.function else {
        let path = scope.path(name)?;
        let key = keys.iter().position(|key| *key == path).ok_or_else(|| {
            SoqlError::malformed(
                name.at,
                format!("Field must be grouped or aggregated: {}", name.parts.join(".")),
            )
        })?;
        return Ok(Expression::Key(key, path.kind));
    };
    if name.parts.is_empty() {
        return Ok(Expression::Rows);
    }
    let path = scope.path(&Name {
        function: None,
        ..name.clone()
    })?;
    let fits = match function {
        Function::Count | Function::CountDistinct => path.kind != Kind::Address,
        Function::Sum | Function::Avg => path.kind.is_number(),
        Function::Min | Function::Max => !matches!(path.kind, Kind::Address | Kind::Boolean),
    };
    if !fits || scope.is_long(&path) {
        return Err(unusable(
            name,
            &format!("does not support aggregate operator {}", function.as_str()),
        ));
    }
    Ok(Expression::Aggregate(function, path))
}

fn unusable(name: &Name, what: &str) -> SoqlError {
    SoqlError::new(
        Code::InvalidField,
        name.at,
        format!("field {} {what}", name.parts.join(".")),
    )
}

fn having(scope: &Scope<'_>, keys: &[Path], condition: &Condition) -> Result<Having, SoqlError> {
    let all = |conditions: &[Condition]| {
        conditions
            .iter()
            .map(|one| having(scope, keys, one))
            .collect::<Result<Vec<Having>, SoqlError>>()
    };
    Ok(match condition {
        Condition::And(conditions) => Having::And(all(conditions)?),
        Condition::Or(conditions) => Having::Or(all(conditions)?),
        Condition::Not(inner) => Having::Not(Box::new(having(scope, keys, inner)?)),
        Condition::Compare(name, how, literal, at) => {
            if *how == Comparison::Like || matches!(literal, Literal::Period(..)) {
                return Err(SoqlError::malformed(
                    *at,
                    "the local org knows neither LIKE nor date literals in HAVING",
                ));
            }
            let expression = expression(scope, keys, name)?;
            let fold = expression.kind().is_text();
            let with = bind_literal(name, expression.kind(), literal, fold, *at)?;
            Having::Compare(expression, *how, with, fold)
        }
        Condition::In(name, negated, literals) => {
            let expression = expression(scope, keys, name)?;
            let fold = expression.kind().is_text();
            let values = literals
                .iter()
                .map(|(literal, at)| bind_literal(name, expression.kind(), literal, fold, *at));
            let values = values.collect::<Result<Vec<Option<Value>>, SoqlError>>()?;
            Having::In(expression, *negated, values.into_iter().flatten().collect(), fold)
        }
        Condition::InQuery(name, ..) => {
            return Err(SoqlError::malformed(name.at, "a subquery cannot stand in HAVING"));
        }
    })
}

/// The rows of one group, and what they have in common.
struct Group<'o> {
    key: Vec<Option<Value>>,
    rows: Vec<&'o Row>,
}

impl Org {
    /// The records of a grouped statement, in order.
    pub(crate) fn groups(
        &self,
        actor: Actor,
        query: &Prepared,
        grouping: &Grouping,
        with_deleted: bool,
    ) -> Vec<Json> {
        let mut groups = self.gather(actor, query, grouping, with_deleted);
        groups.retain(|group| {
            grouping
                .having
                .as_ref()
                .is_none_or(|having| self.keeps(query, having, group))
        });
        let mut keyed: Vec<(Vec<Option<Value>>, Group<'_>)> = groups
            .into_iter()
            .map(|group| {
                let keys = grouping.order.iter();
                let keys = keys.map(|(key, ..)| {
                    let value = self.evaluate(query, key, &group)?;
                    Some(match key {
                        Expression::Key(at, _) => grouping.keys[*at].sortable(self, &value),
                        _ => folded(&value),
                    })
                });
                (keys.collect(), group)
            })
            .collect();
        keyed.sort_by(|(left, first), (right, second)| {
            let keys = grouping.order.iter().zip(left.iter().zip(right));
            keys.map(|((_, descending, nulls_last), (left, right))| {
                by_key(*descending, *nulls_last, left.as_ref(), right.as_ref())
            })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| by_keys(&first.key, &second.key))
        });
        let limit = query.limit.unwrap_or(usize::MAX);
        let wanted = keyed.into_iter().skip(query.offset).take(limit);
        wanted
            .map(|(_, group)| self.aggregate_result(query, grouping, &group))
            .collect()
    }

    fn gather<'o>(
        &'o self,
        actor: Actor,
        query: &Prepared,
        grouping: &Grouping,
        with_deleted: bool,
    ) -> Vec<Group<'o>> {
        let mut groups: Vec<Group<'o>> = Vec::new();
        let mut places: HashMap<Vec<Option<Value>>, usize> = HashMap::new();
        for row in self.fitting(actor, query, with_deleted) {
            let key: Vec<Option<Value>> = grouping
                .keys
                .iter()
                .map(|path| {
                    path.value(self, query.object, row)
                        .map(std::borrow::Cow::into_owned)
                })
                .collect();
            let same = key.iter().map(|value| value.as_ref().map(folded)).collect();
            let place = *places.entry(same).or_insert_with(|| {
                groups.push(Group {
                    key,
                    rows: Vec::new(),
                });
                groups.len() - 1
            });
            groups[place].rows.push(row);
        }
        // Without GROUP BY all rows are one group, even where there are none.
        if grouping.keys.is_empty() && groups.is_empty() {
            groups.push(Group {
                key: Vec::new(),
                rows: Vec::new(),
            });
        }
        groups
    }

    fn evaluate(&self, query: &Prepared, expression: &Expression, group: &Group<'_>) -> Option<Value> {
        let (function, path) = match expression {
            Expression::Key(at, _) => return group.key.get(*at).cloned().flatten(),
            Expression::Rows => return Some(Value::Number(Decimal::from(group.rows.len()))),
            Expression::Aggregate(function, path) => (function, path),
        };
        let values = group
            .rows
            .iter()
            .filter_map(|row| path.value(self, query.object, row))
            .map(std::borrow::Cow::into_owned);
        let sum = |values: &mut dyn Iterator<Item = Value>| {
            values
                .filter_map(|value| value.as_number())
                .fold((Decimal::ZERO, 0_u64), |(sum, count), number| {
                    (sum.saturating_add(number), count + 1)
                })
        };
        let mut values = values;
        match function {
            Function::Count => Some(Value::Number(Decimal::from(values.count()))),
            Function::CountDistinct => {
                let distinct: HashSet<Value> = values.map(|value| folded(&value)).collect();
                Some(Value::Number(Decimal::from(distinct.len())))
            }
            Function::Sum => match sum(&mut values) {
                (_, 0) => None,
                (sum, _) => Some(Value::Number(sum)),
            },
            Function::Avg => match sum(&mut values) {
                (_, 0) => None,
                (sum, count) => sum.checked_div(Decimal::from(count)).map(Value::Number),
            },
            Function::Min => values.min_by(|left, right| order(&folded(left), &folded(right))),
            Function::Max => values.max_by(|left, right| order(&folded(left), &folded(right))),
        }
    }

    fn keeps(&self, query: &Prepared, having: &Having, group: &Group<'_>) -> bool {
        match having {
            Having::And(all) => all.iter().all(|one| self.keeps(query, one, group)),
            Having::Or(any) => any.iter().any(|one| self.keeps(query, one, group)),
            Having::Not(inner) => !self.keeps(query, inner, group),
            Having::Compare(expression, how, with, fold) => {
                let value = self.evaluate(query, expression, group);
                compare(value.as_ref(), *how, with.as_ref(), *fold)
            }
            Having::In(expression, negated, values, fold) => {
                let value = self.evaluate(query, expression, group);
                let value = value.map(|value| if *fold { folded(&value) } else { value });
                value.is_some_and(|value| values.contains(&value)) != *negated
            }
        }
    }

    fn aggregate_result(&self, query: &Prepared, grouping: &Grouping, group: &Group<'_>) -> Json {
        let mut record = Map::new();
        record.insert("attributes".to_owned(), json!({ "type": "AggregateResult" }));
        for (name, expression) in &grouping.columns {
            let whole = expression.kind() == Kind::Int;
            let value = self.evaluate(query, expression, group);
            record.insert(
                name.clone(),
                value.map_or(Json::Null, |value| value.to_json(whole)),
            );
        }
        Json::Object(record)
    }
}

fn by_keys(left: &[Option<Value>], right: &[Option<Value>]) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(left, right)| by_key(false, false, left.as_ref(), right.as_ref()))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
