//! One row of an ingest job: from its cells to a write, by the same rules as every other write.

use csv::StringRecord;
use serde_json::{Map, Value as Json, json};

use super::column::Column;
use super::job::Operation;
use crate::salesforce::api::{Upserted, upsert};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{Field, Kind, ObjectIndex};
use crate::salesforce::value::{parse_date, parse_moment, parse_number};
use crate::salesforce::write::{repeated_id, repeated_key};

/// How a cell says that the field is to be blanked; an empty cell leaves it alone.
const BLANK: &str = "#N/A";

/// What an ingest job does with each of its rows.
pub(super) struct Task {
    pub(super) actor: Actor,
    pub(super) object: ObjectIndex,
    pub(super) operation: Operation,
    pub(super) external_id: Option<String>,
    pub(super) columns: Vec<Column>,
}

impl Task {
    /// Carries out a row as a transaction of its own: the record, and whether it is new.
    pub(super) fn carry_out(&self, org: &mut Org, row: &StringRecord) -> Outcome<(RecordId, bool)> {
        if row.len() != self.columns.len() {
            return Err(Fault::new(
                Code::ClientInput,
                format!(
                    "the row has {} columns, the header has {}",
                    row.len(),
                    self.columns.len()
                ),
            ));
        }
        match self.operation {
            Operation::Insert if self.id_of(row).is_some() => Err(Fault::of_field(
                Code::InvalidFieldForInsertUpdate,
                "Id",
                "cannot specify Id in an insert call",
            )),
            Operation::Insert => self.insert(org, row),
            Operation::Update => self.update(org, row, "an update"),
            Operation::Upsert => self.upsert(org, row),
            Operation::Delete | Operation::HardDelete => self.delete(org, row),
        }
    }

    /// What an update or upsert finds its record by, where the row names it.
    pub(super) fn key_of<'r>(&self, org: &Org, row: &'r StringRecord) -> Option<&'r str> {
        let name = match (self.operation, self.external_id.as_deref()) {
            (Operation::Update, _) | (Operation::Upsert, None | Some("Id")) => return self.id_of(row),
            (Operation::Upsert, Some(name)) => name,
            _ => return None,
        };
        let field = org.schema.object(self.object).find(name)?;
        let at = self
            .columns
            .iter()
            .position(|column| *column == Column::Field(field))?;
        row.get(at)
            .map(str::trim)
            .filter(|key| !key.is_empty() && *key != BLANK)
    }

    /// The refusal of a row whose key another row of its batch bears too.
    pub(super) fn repeated(&self, key: &str) -> Fault {
        match self.external_id.as_deref().filter(|name| *name != "Id") {
            Some(name) if self.operation == Operation::Upsert => repeated_key(name, key),
            _ => RecordId::parse(key).map_or_else(
                |_| Fault::of_field(Code::MalformedId, "Id", format!("malformed id {key}")),
                repeated_id,
            ),
        }
    }

    /// The id that the row names, as written.
    pub(super) fn id_of<'r>(&self, row: &'r StringRecord) -> Option<&'r str> {
        let at = self.columns.iter().position(|column| *column == Column::Id)?;
        row.get(at)
            .map(str::trim)
            .filter(|id| !id.is_empty() && *id != BLANK)
    }

    fn insert(&self, org: &mut Org, row: &StringRecord) -> Outcome<(RecordId, bool)> {
        let body = self.body(org, row)?;
        let id = org.attempt(|org| org.create(self.actor, self.object, &body))?;
        Ok((id, true))
    }

    fn update(&self, org: &mut Org, row: &StringRecord, call: &str) -> Outcome<(RecordId, bool)> {
        let id = self.target(org, row, call)?;
        let body = self.body(org, row)?;
        org.attempt(|org| org.update(self.actor, self.object, id, &body, None))
            .map_err(unknown_id)?;
        Ok((id, false))
    }

    fn delete(&self, org: &mut Org, row: &StringRecord) -> Outcome<(RecordId, bool)> {
        let id = self.target(org, row, "a delete")?;
        org.attempt(|org| org.delete(self.actor, self.object, id, None))
            .map_err(unknown_id)?;
        Ok((id, false))
    }

    fn upsert(&self, org: &mut Org, row: &StringRecord) -> Outcome<(RecordId, bool)> {
        let name = self.external_id.as_deref().unwrap_or("Id");
        if name == "Id" {
            return match self.id_of(row) {
                Some(_) => self.update(org, row, "an upsert"),
                None => self.insert(org, row),
            };
        }
        let key = self.key_of(org, row);
        let key =
            key.ok_or_else(|| Fault::of_field(Code::MissingArgument, name, format!("{name} not specified")))?;
        let body = self.body(org, row)?;
        match upsert(org, self.actor, self.object, name, key, &body)? {
            Upserted::Created(id) => Ok((id, true)),
            Upserted::Updated(id) => Ok((id, false)),
            Upserted::Several(_) => Err(Fault::new(
                Code::DuplicateExternalId,
                format!("{name}: more than one record found for external id field: {key}"),
            )),
        }
    }

    fn target(&self, org: &Org, row: &StringRecord, call: &str) -> Outcome<RecordId> {
        let given = self
            .id_of(row)
            .ok_or_else(|| Fault::new(Code::MissingArgument, format!("Id not specified in {call} call")))?;
        RecordId::parse(given)
            .ok()
            .filter(|id| org.schema.by_prefix(id.prefix()) == Some(self.object))
            .ok_or_else(|| Fault::of_field(Code::MalformedId, "Id", format!("malformed id {given}")))
    }

    /// The row as a request's JSON object.
    fn body(&self, org: &Org, row: &StringRecord) -> Outcome<Map<String, Json>> {
        let kind = org.schema.object(self.object);
        let mut body = Map::new();
        for (column, cell) in self.columns.iter().zip(row) {
            if cell.is_empty() {
                continue;
            }
            let blank = cell == BLANK;
            match column {
                Column::Id => {}
                Column::Field(at) | Column::Parent { reference: at, .. } if blank => {
                    body.insert(kind.field(*at).name.clone(), Json::Null);
                }
                Column::Field(at) => {
                    let field = kind.field(*at);
                    body.insert(field.name.clone(), value(field, cell)?);
                }
                Column::Parent {
                    relationship, key, ..
                } => {
                    body.insert(relationship.clone(), json!({ key: cell }));
                }
            }
        }
        Ok(body)
    }
}

/// Bulk says of an unknown id what a reference to nothing is told.
fn unknown_id(fault: Fault) -> Fault {
    if fault.code == Code::NotFound {
        return Fault::new(Code::InvalidCrossReferenceKey, "invalid cross reference id");
    }
    fault
}

/// A cell as the JSON value of its field.
fn value(field: &Field, cell: &str) -> Outcome<Json> {
    let text = cell.trim();
    let plain = || Json::String(cell.to_owned());
    let read = match field.kind {
        Kind::Boolean => flag(text).map(Json::Bool),
        kind if kind.is_number() => {
            parse_number(text).and_then(|number| number.to_string().parse().ok().map(Json::Number))
        }
        Kind::Date => parse_date(text).map(|_| plain()),
        Kind::DateTime if parse_date(text).is_some() => Some(Json::String(format!("{text}T00:00:00Z"))),
        Kind::DateTime => parse_moment(text).map(|_| plain()),
        _ => Some(plain()),
    };
    read.ok_or_else(|| {
        Fault::of_field(
            Code::InvalidTypeOnField,
            &field.name,
            format!("{}: value not of required type: {cell}", field.label),
        )
    })
}

/// The words for yes and no.
fn flag(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "1", "yes", "y", "on"]) {
        return Some(true);
    }
    is(["false", "0", "no", "n", "off"]).then_some(false)
}

/// A refusal as `sf__Error` words it.
pub(super) fn error_text(fault: &Fault) -> String {
    format!(
        "{}:{}:{} --",
        fault.code.as_str(),
        fault.message,
        fault.fields.join(" ")
    )
    .replace(": --", ":--")
}
