//! Domains: which records a search finds, and in which order.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use super::super::answer::Reply;
use super::super::clock::moment;
use super::super::shape::Kind;
use super::super::store::{Row, Table, text_of};
use super::value_error;

/// Puts rows in an order such as `name desc, id`.
pub(super) fn sort(table: &Table, rows: &mut [&Row], order: &str) {
    for term in order.split(',').rev() {
        let mut words = term.split_whitespace();
        let (name, down) = (
            words.next().unwrap_or("id"),
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc")),
        );
        rows.sort_by(|one, other| {
            let by = compared(&kept(table, one, name), &kept(table, other, name)).unwrap_or(Ordering::Equal);
            if down { by.reverse() } else { by }
        });
    }
}

/// A field as it is compared: times as exactly as they are kept.
fn kept(table: &Table, row: &Row, name: &str) -> Json {
    let stamp = |stamp: i64| Json::String(moment(stamp).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string());
    match name {
        "id" => json!(row.number),
        "create_date" => stamp(row.created),
        "write_date" => stamp(row.modified),
        _ => {
            let value = row.values.get(name).cloned().unwrap_or_default();
            let reference = matches!(
                table.shape.fields.get(name).map(|field| &field.kind),
                Some(Kind::Reference(_))
            );
            match reference {
                true => serde_json::from_str(&text_of(Some(&value))).unwrap_or_default(),
                false => value,
            }
        }
    }
}

fn compared(one: &Json, other: &Json) -> Option<Ordering> {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let number =
                |number: &serde_json::Number| number.to_string().parse::<rust_decimal::Decimal>().ok();
            Some(number(one)?.cmp(&number(other)?))
        }
        (Json::String(one), Json::String(other)) => Some(one.cmp(other)),
        (Json::Bool(one), Json::Bool(other)) => Some(one.cmp(other)),
        (Json::Null, Json::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

/// Whether a row fits a domain: terms that must all hold, with `&`, `|` and `!` before those that they join.
///
/// # Errors
/// The answer to a domain that is not understood.
pub(super) fn matches(table: &Table, row: &Row, domain: &[Json]) -> Result<bool, Reply> {
    let mut held: Vec<bool> = Vec::new();
    let broken = || value_error("Domain() invalid item in domain".to_owned());
    for term in domain.iter().rev() {
        let value = match term {
            Json::String(sign) => {
                let first = held.pop().ok_or_else(broken)?;
                match sign.as_str() {
                    "!" => !first,
                    "&" => held.pop().ok_or_else(broken)? & first,
                    "|" => held.pop().ok_or_else(broken)? | first,
                    _ => return Err(broken()),
                }
            }
            Json::Array(parts) => match parts.as_slice() {
                [Json::String(field), Json::String(sign), value] => holds(table, row, field, sign, value)?,
                _ => return Err(broken()),
            },
            _ => return Err(broken()),
        };
        held.push(value);
    }
    Ok(held.into_iter().all(|value| value))
}

fn holds(table: &Table, row: &Row, field: &str, sign: &str, value: &Json) -> Result<bool, Reply> {
    let own = ["id", "create_date", "write_date"];
    if !own.contains(&field) && !table.shape.fields.contains_key(field) {
        return Err(value_error(format!(
            "Invalid field {}.{field} in condition",
            table.shape.name
        )));
    }
    let shown = kept(table, row, field);
    let same = |value: &Json| {
        let blank = |json: &Json| json.is_null() || *json == Json::Bool(false);
        shown == *value || (blank(&shown) && blank(value))
    };
    let by = || compared(&shown, value);
    let like = |pattern: &str, fold: bool| {
        let text = text_of(Some(&shown));
        match fold {
            true => fits(&pattern.to_lowercase(), &text.to_lowercase()),
            false => fits(pattern, &text),
        }
    };
    let pattern = text_of(Some(value));
    Ok(match sign {
        "=" => same(value),
        "!=" => !same(value),
        ">" => by() == Some(Ordering::Greater),
        ">=" => matches!(by(), Some(Ordering::Greater | Ordering::Equal)),
        "<" => by() == Some(Ordering::Less),
        "<=" => matches!(by(), Some(Ordering::Less | Ordering::Equal)),
        "in" => value.as_array().is_some_and(|all| all.iter().any(same)),
        "not in" => !value.as_array().is_some_and(|all| all.iter().any(same)),
        "=like" => like(&pattern, false),
        "=ilike" => like(&pattern, true),
        "ilike" => like(&format!("%{pattern}%"), true),
        "like" => like(&format!("%{pattern}%"), false),
        _ => return Err(value_error(format!("Invalid operator '{sign}'"))),
    })
}

/// Whether a text fits a pattern of SQL's LIKE, where a backslash takes from the next character its meaning.
fn fits(pattern: &str, text: &str) -> bool {
    let mut signs = pattern.chars();
    match signs.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = signs.as_str();
            std::iter::successors(Some(text), |text| {
                let mut rest = text.chars();
                rest.next().map(|_| rest.as_str())
            })
            .any(|text| fits(rest, text))
        }
        Some(sign) => {
            let (any, wanted) = match sign {
                '_' => (true, '_'),
                '\\' => (false, signs.next().unwrap_or('\\')),
                other => (false, other),
            };
            let mut rest = text.chars();
            rest.next().is_some_and(|found| any || found == wanted) && fits(signs.as_str(), rest.as_str())
        }
    }
}
