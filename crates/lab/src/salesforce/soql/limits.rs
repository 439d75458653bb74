//! What a statement may not be, though its grammar allows it: the limits of semi-joins, counts and subqueries.

use super::SoqlError;
use super::statement::{ColumnAsked, Condition, Literal, Name, Query, Select};

/// The most semi-joins and anti-joins of a statement.
const SEMI_JOINS: usize = 2;
/// The most subqueries in a list of fields.
const CHILDREN: usize = 20;
/// The most different references to parents that a statement follows.
const PARENTS: usize = 55;
/// The longest text literal of a condition, in UTF-16 units.
const LITERAL: usize = 4_000;

/// Refuses what the API refuses.
pub(super) fn check(query: &Query) -> Result<(), SoqlError> {
    check_count(query)?;
    check_children(query)?;
    check_parents(query)?;
    let conditions = [query.condition.as_ref(), query.having.as_ref()];
    for condition in conditions.into_iter().flatten() {
        check_literals(condition)?;
    }
    let Some(condition) = &query.condition else {
        return Ok(());
    };
    check_places(condition, true)?;
    let inner = joins(condition);
    if let Some(third) = inner.get(SEMI_JOINS) {
        let text = format!("Maximum {SEMI_JOINS} semi join sub-selects are allowed.");
        return Err(refuse(third, text));
    }
    inner.into_iter().try_for_each(|inner| check_inner(query, inner))
}

fn refuse(inner: &Query, text: impl Into<String>) -> SoqlError {
    SoqlError::malformed(inner.from.at, text)
}

/// `COUNT()` stands alone: it orders and groups nothing.
fn check_count(query: &Query) -> Result<(), SoqlError> {
    if query.select != Select::Count {
        return Ok(());
    }
    let clause = match (query.order.first(), query.group.first()) {
        (Some(sort), _) => ("ORDER BY", sort.name.at),
        (None, Some(name)) => ("GROUP BY", name.at),
        (None, None) => return Ok(()),
    };
    let text = format!("{} cannot be used with COUNT(); use COUNT(fieldName)", clause.0);
    Err(SoqlError::malformed(clause.1, text))
}

fn check_children(query: &Query) -> Result<(), SoqlError> {
    let Select::Columns(columns) = &query.select else {
        return Ok(());
    };
    let children = columns.iter().filter_map(|column| match column {
        ColumnAsked::Children(inner) => Some(inner.as_ref()),
        _ => None,
    });
    let children: Vec<&Query> = children.collect();
    if let Some(first) = children.get(CHILDREN) {
        let text =
            format!("no more than {CHILDREN} parent-to-child relationships can be specified in a query");
        return Err(refuse(first, text));
    }
    children.into_iter().try_for_each(check)
}

fn check_parents(query: &Query) -> Result<(), SoqlError> {
    let mut known: Vec<String> = Vec::new();
    for name in names(query) {
        let steps = name.parts.len().saturating_sub(1);
        let path = name.parts[..steps].join(".").to_ascii_lowercase();
        if path.is_empty() || known.contains(&path) {
            continue;
        }
        known.push(path);
        if known.len() > PARENTS {
            let text =
                format!("no more than {PARENTS} child-to-parent relationships can be specified in a query");
            return Err(SoqlError::malformed(name.at, text));
        }
    }
    Ok(())
}

/// The names that the list of fields asks for.
fn names(query: &Query) -> impl Iterator<Item = &Name> {
    let columns = match &query.select {
        Select::Columns(columns) => columns.as_slice(),
        Select::Count => &[],
    };
    columns.iter().filter_map(|column| match column {
        ColumnAsked::Named(name, _) => Some(name),
        _ => None,
    })
}

/// The queries in IN, in order.
fn joins(condition: &Condition) -> Vec<&Query> {
    match condition {
        Condition::And(all) | Condition::Or(all) => all.iter().flat_map(joins).collect(),
        Condition::Not(inner) => joins(inner),
        Condition::InQuery(_, _, query) => vec![query],
        Condition::Compare(..) | Condition::In(..) => Vec::new(),
    }
}

/// A semi-join stands by itself or under the outermost AND.
fn check_places(condition: &Condition, outermost: bool) -> Result<(), SoqlError> {
    let refused = match condition {
        Condition::InQuery(..) | Condition::Compare(..) | Condition::In(..) => return Ok(()),
        Condition::And(all) if outermost => {
            return all.iter().try_for_each(|one| check_places(one, false));
        }
        Condition::And(_) => {
            "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions."
        }
        Condition::Or(_) => "Semi join sub-selects are not allowed with the 'OR' operator",
        Condition::Not(_) => "Semi join sub-selects are not allowed with the 'NOT' operator",
    };
    joins(condition)
        .first()
        .map_or(Ok(()), |inner| Err(refuse(inner, refused)))
}

fn check_inner(outer: &Query, inner: &Query) -> Result<(), SoqlError> {
    check(inner)?;
    let own = |query: &Query| query.from.parts.join(".").to_ascii_lowercase();
    if own(outer) == own(inner) {
        return Err(refuse(
            inner,
            "The inner and outer selects should not be on the same object type",
        ));
    }
    if inner.condition.as_ref().is_some_and(|one| !joins(one).is_empty()) {
        return Err(refuse(inner, "Nesting of semi join sub-selects is not supported"));
    }
    let clause = [
        (!inner.order.is_empty(), "ORDER BY"),
        (inner.limit.is_some(), "LIMIT"),
        (inner.offset > 0, "OFFSET"),
        (!inner.group.is_empty(), "GROUP BY"),
        (inner.all_rows, "ALL ROWS"),
    ];
    if let Some((_, clause)) = clause.iter().find(|(there, _)| *there) {
        return Err(refuse(
            inner,
            format!("{clause} is not allowed in semi join sub-selects"),
        ));
    }
    let object = inner.from.parts.join(".");
    let crosses = |name: &&Name| {
        let [first, .., _] = name.parts.as_slice() else {
            return false;
        };
        let is_own = |own: &str| own.eq_ignore_ascii_case(first);
        name.parts.len() > 2 || !(is_own(&object) || inner.alias.as_deref().is_some_and(is_own))
    };
    match names(inner).find(crosses) {
        Some(name) => Err(SoqlError::malformed(
            name.at,
            "Semi join sub-selects can only query id fields of their own object",
        )),
        None => Ok(()),
    }
}

fn check_literals(condition: &Condition) -> Result<(), SoqlError> {
    let check = |literal: &Literal, at: usize| match literal {
        Literal::Text(text) if text.encode_utf16().count() > LITERAL => Err(SoqlError::malformed(
            at,
            format!("a string in a condition cannot be longer than {LITERAL} characters"),
        )),
        _ => Ok(()),
    };
    match condition {
        Condition::And(all) | Condition::Or(all) => all.iter().try_for_each(check_literals),
        Condition::Not(inner) => check_literals(inner),
        Condition::Compare(_, _, literal, at) => check(literal, *at),
        Condition::In(_, _, literals) => literals.iter().try_for_each(|(one, at)| check(one, *at)),
        Condition::InQuery(_, _, inner) => match &inner.condition {
            Some(condition) => check_literals(condition),
            None => Ok(()),
        },
    }
}
