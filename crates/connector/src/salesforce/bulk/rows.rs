//! Writes as rows of a job: cells, the column that tells them apart, and whose children they are.

use super::job::Operation;
use super::updated;
use crate::http::json;
use crate::salesforce::Salesforce;
use crate::salesforce::schema::Object;
use crate::{Change, Write};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_merge::record::Values;
use tandem_merge::value::Value;

/// What a cell says that is to be made blank; an empty cell says nothing.
const NULL: &str = "#N/A";
/// The column of ids.
pub(super) const ID: &str = "Id";

/// What the rows of a job are for.
pub(super) struct Target {
    /// The object.
    pub(super) object: String,
    /// The column whose value no other row has; results come in any order.
    pub(super) key: String,
    /// The references that say whose child a record is, the firmest first.
    parents: Vec<String>,
}

#[cfg(test)]
impl Target {
    pub(super) fn for_tests(object: &str, key: &str) -> Self {
        Self {
            object: object.to_owned(),
            key: key.to_owned(),
            parents: Vec::new(),
        }
    }
}

/// A write as a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) intent: u64,
    pub(super) key: String,
    pub(super) parent: String,
    /// By column.
    pub(super) cells: BTreeMap<String, String>,
}

/// What a batch of one kind and type may travel as; none if it cannot.
pub(super) async fn suited(org: &Salesforce, batch: &[Write]) -> Option<(Operation, Target)> {
    let first = batch.first()?;
    let (operation, name) = match &first.change {
        Change::Create { record_type, .. } => (Operation::Insert, &record_type.name),
        Change::Update { record, .. } if org.config.writes.throughput => {
            (Operation::Update, &record.record_type.name)
        }
        Change::Update { .. } | Change::Delete { .. } => return None,
    };
    let object = org.object(name).await.ok()?;
    // New people take licences, which are counted one by one.
    if object.schema.object == "User" {
        return None;
    }
    let key = match operation {
        Operation::Insert => key(&object, batch)?,
        Operation::Update => ID.to_owned(),
    };
    let target = Target {
        object: object.schema.object.clone(),
        key,
        parents: parents(&object),
    };
    Some((operation, target))
}

/// The unique property that most of the rows have.
fn key(object: &Arc<Object>, batch: &[Write]) -> Option<String> {
    let unique = object.schema.properties.iter();
    let unique = unique.filter(|(_, property)| property.unique && property.createable);
    let counted = unique.map(|(name, _)| {
        let have = batch.iter().filter(|write| {
            let value = values(write).get(name);
            value.is_some_and(|value| !value.is_blank())
        });
        (have.count(), name)
    });
    let (most, name) = counted.max_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(one.1)))?;
    (most > 0).then(|| name.clone())
}

/// References in the order of how firmly they bind: those that cannot be changed, those required, the others.
fn parents(object: &Object) -> Vec<String> {
    let mut parents: Vec<(bool, bool, &String)> = object
        .schema
        .properties
        .iter()
        .filter(|(_, property)| property.data_type == "reference" && property.createable)
        .filter(|(_, property)| property.references.iter().all(|to| to != "User"))
        .map(|(name, property)| (property.updateable, property.nillable, name))
        .collect();
    parents.sort();
    parents.into_iter().map(|(.., name)| name.clone()).collect()
}

/// Whose children the writes of an object are, as far as their values tell.
pub(in crate::salesforce) fn parent(object: &Object, write: &Write) -> String {
    parent_of(&parents(object), values(write))
}

fn parent_of(parents: &[String], values: &Values) -> String {
    let mut given = parents.iter().filter_map(|name| values.get(name));
    let parent = given.find(|value| !value.is_blank());
    parent.map(ToString::to_string).unwrap_or_default()
}

fn values(write: &Write) -> &Values {
    static NONE: Values = Values::new();
    match &write.change {
        Change::Create { values, .. } | Change::Update { values, .. } => values,
        Change::Delete { .. } => &NONE,
    }
}

/// A write as a row; none if a row cannot say it.
pub(super) fn row(target: &Target, write: &Write) -> Option<Row> {
    let values = values(write);
    let mut cells = BTreeMap::new();
    for (name, value) in values {
        cells.insert(name.clone(), cell(value)?);
    }
    let key = match updated(write) {
        Some(id) => {
            cells.insert(ID.to_owned(), id.to_owned());
            id.to_owned()
        }
        None => cells.get(&target.key).filter(|key| *key != NULL)?.clone(),
    };
    Some(Row {
        intent: write.intent,
        key,
        parent: parent_of(&target.parents, values),
        cells,
    })
}

/// A value as a cell says it; none for a text that a cell cannot say.
fn cell(value: &Value) -> Option<String> {
    Some(match value {
        Value::Blank => NULL.to_owned(),
        Value::Text(text) if text.is_empty() => NULL.to_owned(),
        Value::Text(text) if text == NULL => return None,
        Value::Text(text) => text.clone(),
        other => match json::encode(other) {
            serde_json::Value::String(text) => text,
            plain => plain.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::record::RecordType;

    fn create(values: &[(&str, Value)]) -> Write {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Write {
            intent: 7,
            key: "state-7".to_owned(),
            change: Change::Create {
                record_type: RecordType::new("salesforce", "Contact"),
                values: values.collect(),
            },
        }
    }

    fn target() -> Target {
        Target {
            object: "Contact".to_owned(),
            key: "Customerp_Id__c".to_owned(),
            parents: vec!["AccountId".to_owned()],
        }
    }

    #[test]
    fn a_row_says_what_the_write_says() {
        let write = create(&[
            ("Customerp_Id__c", "Customer:1".into()),
            ("LastName", "O\"Neil,\nAnn".into()),
            ("Fax", Value::Blank),
            ("Amount", Value::Decimal("1234567890123456.78".parse().unwrap())),
            ("Active", Value::Boolean(true)),
            ("Moment", Value::DateTime("2024-01-01T10:00:00Z".parse().unwrap())),
            ("AccountId", "001".into()),
        ]);
        let row = row(&target(), &write).unwrap();
        assert_eq!(
            (row.intent, row.key.as_str(), row.parent.as_str()),
            (7, "Customer:1", "001")
        );
        let cells: Vec<&str> = row.cells.values().map(String::as_str).collect();
        let moment = "2024-01-01T10:00:00.000Z";
        let name = "O\"Neil,\nAnn";
        assert_eq!(
            cells,
            [
                "001",
                "true",
                "1234567890123456.78",
                "Customer:1",
                "#N/A",
                name,
                moment
            ]
        );
    }

    #[test]
    fn what_no_row_can_say_travels_otherwise() {
        let keyless = create(&[("LastName", "Ann".into())]);
        assert_eq!(row(&target(), &keyless), None);
        let blank = create(&[("Customerp_Id__c", Value::Blank)]);
        assert_eq!(row(&target(), &blank), None);
        let misread = create(&[("Customerp_Id__c", "1".into()), ("LastName", "#N/A".into())]);
        assert_eq!(row(&target(), &misread), None);
    }
}
