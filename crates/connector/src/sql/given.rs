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
            let Some((to, id)) = item
                .and_then(|item| item.said.references.as_ref())
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

pub(super) fn read_only(erp: &Sql, table: &Table) -> Refusal {
    let what = match erp.config.read_only {
        true => format!("{} is only read, by the configuration", erp.config.name),
        false => format!("{} is only read, by the description", table.name),
    };
    Refusal {
        kind: RefusalKind::Forbidden,
        properties: Vec::new(),
        message: what,
        advice: "Allow writes there, or let no value travel that way".to_owned(),
    }
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
    let mut given = Vec::with_capacity(values.len());
    for (property, value) in values {
        let known = table
            .properties
            .get(property)
            .zip(table.schema.properties.get(property));
        let Some((item, shown)) = known else {
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
    Ok(given)
}
