//! What a write gives: the columns with their values, or why it is refused before anything is sent.

use super::Sql;
use super::refusal::Deed;
use super::table::{Item, Table};
use super::value::Cell;
use crate::{Outcome, Refusal, RefusalKind};
use tandem_merge::record::{Presence, RecordType, Values};

/// Names the references that lead nowhere, where the database does not say which.
pub(super) async fn with_references(erp: &Sql, table: &Table, values: &Values, outcome: Outcome) -> Outcome {
    let Outcome::Refused(mut refusal) = outcome else {
        return outcome;
    };
    if refusal.kind == RefusalKind::BadReference && refusal.properties.is_empty() {
        for (name, value) in values {
            let item = table.properties.get(name);
            let joined = table.joined.get(name).map(|joined| &joined.to);
            let Some((to, id)) = item
                .and_then(|item| item.said.references.as_ref())
                .or(joined)
                .zip(value.as_text())
            else {
                continue;
            };
            let of = RecordType::new(&erp.config.name, to);
            let there = super::reading::fetch(erp, &of, &[id.to_owned()]).await;
            if there.is_ok_and(|there| there.iter().all(|seen| seen.presence != Presence::Alive)) {
                refusal.properties.push(name.clone());
            }
        }
    }
    Outcome::Refused(refusal)
}

/// Why nothing of a table is written at all.
pub(super) fn refused(erp: &Sql, table: &Table) -> Option<Refusal> {
    let allow = "Allow writes there, or let no value travel that way".to_owned();
    let (message, advice) = if erp.config.read_only {
        (
            format!("{} is only read, by the configuration", erp.config.name),
            allow,
        )
    } else if table.record.read_only {
        (format!("{} is only read, by the description", table.name), allow)
    } else {
        let engine = table.target.untransacted.as_ref()?;
        let advice = format!(
            "Let a database administrator run ALTER TABLE {} ENGINE = InnoDB",
            table.into
        );
        (untransacted(table, engine), advice)
    };
    Some(Refusal {
        kind: RefusalKind::Forbidden,
        properties: Vec::new(),
        message,
        advice,
    })
}

/// Why a table without transactions is not written, in a sentence.
pub(super) fn untransacted(table: &Table, engine: &str) -> String {
    format!(
        "{} is only read: its table is kept by {engine}, which knows no transactions, so an edit of somebody else could be overwritten unseen",
        table.name
    )
}

/// The columns that are written, with their values.
pub(super) fn given<'a>(
    table: &'a Table,
    values: &Values,
    deed: Deed,
) -> Result<Vec<(&'a Item, Cell)>, Refusal> {
    let refused = |property: &String, message: String, advice: &str| Refusal {
        kind: RefusalKind::Invalid,
        properties: vec![property.clone()],
        message,
        advice: advice.to_owned(),
    };
    let mut given: Vec<(&Item, Cell)> = Vec::with_capacity(values.len());
    for (property, value) in values {
        let joined = table.joined.get(property);
        let item = table
            .properties
            .get(property)
            .or(joined.and_then(|joined| joined.parts.first()));
        let Some((item, shown)) = item.zip(table.schema.properties.get(property)) else {
            let message = format!("{} has no property {property}", table.name);
            return Err(refused(
                property,
                message,
                "Take it out of the mapping, or add it to the description",
            ));
        };
        let may = if deed == Deed::Create {
            shown.createable
        } else {
            shown.updateable
        };
        if !may {
            let message = format!("{property} of {} cannot be written", table.name);
            return Err(refused(property, message, "Map it in the other direction only"));
        }
        if let Some(joined) = joined {
            let Some(cells) = joined.write(value) else {
                let message = format!("{property}: no {} can have the id `{value}`", joined.to);
                return Err(Refusal {
                    kind: RefusalKind::BadReference,
                    ..refused(property, message, "Let it refer to a record that exists")
                });
            };
            given.extend(joined.parts.iter().zip(cells));
            continue;
        }
        let reference = item.said.references.is_some() && !value.is_blank();
        match item.codec.write(value) {
            Ok(cell) => given.push((item, cell)),
            Err(why) if reference => {
                return Err(Refusal {
                    kind: RefusalKind::BadReference,
                    ..refused(
                        property,
                        format!("{property}: {why}"),
                        "Let it refer to a record that exists",
                    )
                });
            }
            Err(why) => {
                let advice = "Correct the type in the description or in the mapping";
                return Err(refused(property, format!("{property}: {why}"), advice));
            }
        }
    }
    once(table, given)
}

/// Each column once: a reference over several columns may hold one that is written by itself, too.
fn once<'a>(table: &Table, given: Vec<(&'a Item, Cell)>) -> Result<Vec<(&'a Item, Cell)>, Refusal> {
    let mut kept: Vec<(&Item, Cell)> = Vec::with_capacity(given.len());
    for (item, cell) in given {
        match kept.iter().find(|(one, _)| one.column.name == item.column.name) {
            None => kept.push((item, cell)),
            Some((_, other)) if *other == cell => {}
            Some(_) => {
                return Err(Refusal {
                    kind: RefusalKind::Invalid,
                    properties: Vec::new(),
                    message: format!(
                        "two properties of {} give {} different values",
                        table.name, item.column.name
                    ),
                    advice: "Map one of the two alone, or let both say the same".to_owned(),
                });
            }
        }
    }
    Ok(kept)
}
