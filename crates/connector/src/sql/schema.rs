//! What the properties of a record type are, out of its description and its database's catalogue.

use super::catalogue::{Column, Foreign, Kind, Relation};
use super::description::{Absent, Changes, Property, Record, TableName};
use super::joined::Joined;
use super::table::{Item, Surroundings, Table, codec};
use super::value::Shown;
use crate::{Lack, PropertySchema, TypeSchema, Watched};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::config::suggestion;

/// Why a record type does not fit its database.
#[derive(Debug)]
pub(super) struct Misfit {
    /// In a sentence.
    pub(super) sentence: String,
    /// The name of the description that is at fault, where it is one.
    pub(super) name: Option<String>,
}

impl From<String> for Misfit {
    fn from(sentence: String) -> Self {
        Self { sentence, name: None }
    }
}

/// The properties by name.
///
/// # Errors
/// A column that the table lacks.
pub(super) fn properties(
    name: &str,
    record: &Record,
    relation: &Relation,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, Item>, Misfit> {
    let (joined, mut all): (BTreeMap<String, Property>, BTreeMap<String, Property>) = record
        .properties
        .clone()
        .into_iter()
        .partition(|(_, property)| !property.more.is_empty());
    let renamed: BTreeSet<String> = all.values().map(|property| property.column.clone()).collect();
    for column in &relation.columns {
        let own = !renamed.contains(&column.name) && !record.hide.contains(&column.name);
        if own
            && column.kind != Kind::Bytes
            && ![&all, &joined]
                .iter()
                .any(|named| named.contains_key(&column.name))
        {
            let property = Property {
                column: column.name.clone(),
                ..Property::default()
            };
            all.insert(column.name.clone(), property);
        }
    }
    let mut items = BTreeMap::new();
    for (property, mut said) in all {
        let column = relation.column(&said.column).cloned();
        let column = column.ok_or_else(|| lacks(&record.table, &said.column, relation))?;
        if column.kind == Kind::Bytes {
            return Err(Misfit {
                sentence: format!(
                    "{}.{} holds bytes, which no property can: hide it",
                    record.table, column.name
                ),
                name: Some(column.name),
            });
        }
        said.references = said
            .references
            .or_else(|| referred(&column.name, relation, around));
        let mut codec = codec(&column, Some(&said), around);
        if said.references.is_some() {
            codec.shown = Shown::Reference;
        }
        items.insert(property, Item { column, codec, said });
    }
    if items.is_empty() {
        return Err(Misfit::from(format!(
            "{name} has no property: {} has no column that one can stand for",
            record.table
        )));
    }
    Ok(items)
}

/// The record type whose key stands in a column, by what the database says of foreign keys.
fn referred(column: &str, relation: &Relation, around: &Surroundings<'_>) -> Option<String> {
    let alone = |foreign: &&Foreign| matches!(foreign.columns.as_slice(), [one] if one == column);
    let foreign = relation.foreign.iter().find(alone)?;
    let serves = |(name, record): (&String, &Record)| {
        let there = around.relations.get(name)?;
        let to = match foreign.to.as_slice() {
            [] => there.unique.first().cloned().unwrap_or_default(),
            to => to.to_vec(),
        };
        let same = there.name == foreign.table && there.schema == foreign.schema && to == record.key;
        same.then(|| name.clone())
    };
    around.description.records.iter().find_map(serves)
}

/// A column that is not there.
pub(super) fn lacks(table: &TableName, column: &str, relation: &Relation) -> Misfit {
    let known = relation.columns.iter().map(|column| column.name.as_str());
    let near = suggestion(column, known);
    Misfit {
        sentence: format!(
            "the database's {table} has no column {column}. {}",
            near.trim_end_matches('.')
        ),
        name: Some(column.to_owned()),
    }
}

/// A record type as it is shown to others.
pub(super) fn describe(table: &Table, around: &Surroundings<'_>) -> TypeSchema {
    let writes = !around.read_only && !table.record.read_only && table.target.untransacted.is_none();
    let (may, calls) = (table.target.may, &table.record.calls);
    let marks = table.deleted.is_some();
    TypeSchema {
        object: table.record.table.to_string(),
        createable: writes && (may.insert || calls.create.is_some()),
        updateable: writes && (may.update || calls.update.is_some()),
        deletable: writes && (calls.delete.is_some() || if marks { may.update } else { may.delete }),
        properties: table
            .properties
            .iter()
            .map(|(name, item)| (name.clone(), property(table, name, item, writes)))
            .chain(
                table
                    .joined
                    .iter()
                    .map(|(name, joined)| (name.clone(), reference(table, joined, writes))),
            )
            .collect(),
        watched: Some(watched(table)),
    }
}

fn property(table: &Table, name: &str, item: &Item, writes: bool) -> PropertySchema {
    let (column, calls) = (&item.column, &table.record.calls);
    let there = table.target.column(&column.name);
    let is_key = table.record.key.contains(&column.name);
    let given = |call: &Option<super::description::Call>| {
        call.as_ref()
            .map(|call| call.given.iter().any(|given| given == name))
    };
    let kept = there.is_some_and(|there| !there.generated) && !ours(table, &column.name);
    let writable = writes && !item.said.read_only;
    let data_type = match (
        &item.said.references,
        item.said.values.is_empty() && column.values.is_empty(),
    ) {
        (Some(_), _) => "reference",
        (None, false) => "enum",
        (None, true) => match item.codec.shown {
            Shown::Integer => "integer",
            Shown::Decimal => "decimal",
            Shown::Boolean => "boolean",
            Shown::Date => "date",
            Shown::DateTime => "datetime",
            Shown::Text | Shown::Reference => own_word(column),
        },
    };
    let mut lists = [&item.said.values, &column.values, &column.checked].into_iter();
    let values = lists.find(|list| !list.is_empty()).cloned().unwrap_or_default();
    PropertySchema {
        data_type: data_type.to_lowercase(),
        // `time(3)` has so many digits, and not so many signs.
        max_length: column.max_length.filter(|_| data_type != "time"),
        precision: column.precision,
        scale: column.scale,
        nillable: column.nullable || item.said.blank_is_empty,
        createable: writable && given(&calls.create).unwrap_or(kept),
        updateable: writable && !is_key && given(&calls.update).unwrap_or(kept),
        filled_on_create: column.filled || column.generated || ours(table, &column.name),
        unique: table.relation.is_unique(&column.name),
        values,
        references: item.said.references.clone().into_iter().collect(),
    }
}

/// What texts of a column are: any, or those that its own type takes alone, such as `time`, `uuid` or `interval`.
fn own_word(column: &Column) -> &str {
    let native = column.native.as_str();
    let word = native.split(['(', ' ']).next().unwrap_or_default();
    match column.kind {
        Kind::Uuid => "uuid",
        // Its times have a zone, which nobody gives.
        _ if word.eq_ignore_ascii_case("time") && native.contains("with time zone") => "timetz",
        _ if word.eq_ignore_ascii_case("time") => "time",
        Kind::Other if !word.is_empty() => word,
        _ => "string",
    }
}

/// A reference over several columns is what all of them are.
fn reference(table: &Table, joined: &Joined, writes: bool) -> PropertySchema {
    let parts = joined
        .parts
        .iter()
        .map(|part| property(table, &part.column.name, part, writes));
    let parts: Vec<PropertySchema> = parts.collect();
    let all = |is: fn(&PropertySchema) -> bool| parts.iter().all(is);
    let columns: BTreeSet<&String> = joined.parts.iter().map(|part| &part.column.name).collect();
    let unique = table.relation.unique.iter();
    let unique = unique.map(|columns| columns.iter().collect::<BTreeSet<_>>());
    PropertySchema {
        data_type: "reference".to_owned(),
        nillable: parts.iter().any(|part| part.nillable),
        createable: !joined.read_only && all(|part| part.createable),
        updateable: !joined.read_only && all(|part| part.updateable),
        filled_on_create: all(|part| part.filled_on_create),
        unique: unique.into_iter().any(|unique| unique == columns),
        references: vec![joined.to.clone()],
        ..PropertySchema::default()
    }
}

/// Whether a column is kept by us or by the database, so that nobody else gives it.
pub(super) fn ours(table: &Table, column: &str) -> bool {
    let record = &table.record;
    let modified = record.modified.iter().flat_map(|modified| &modified.columns);
    let version = record.version.iter().map(|version| &version.column);
    let others = record.deleted.iter().map(|deleted| &deleted.column);
    modified.chain(version).chain(others).any(|own| own == column)
}

/// How changes are seen, in words.
fn watched(table: &Table) -> Watched {
    let record = &table.record;
    let why = match record.changes {
        Changes::Modified => "the database is asked for rows by the column of their last change",
        Changes::ChangeTable => "triggers write what changes to a table of their own",
        Changes::Comparison => "nothing says when a row was changed: all rows are compared",
    };
    let deletions = match (&record.deleted, record.changes) {
        (Some(_), _) => "a column marks them",
        (None, Changes::ChangeTable) => {
            "triggers tell of them; what fires none is found when all rows are compared"
        }
        (None, _) if record.absent == Some(Absent::OutOfSight) || !table.absence_is_deletion() => {
            "not seen: a row that is not shown any more is out of sight"
        }
        (None, _) => "all rows are compared, and what is missing is looked for by its key",
    };
    let read = table.target.untransacted.as_deref();
    let read = read.map(|engine| format!(". {}", super::given::untransacted(table, engine)));
    let known = match &record.version {
        Some(version) => format!("its column {}", version.column),
        None => "all values that are read of it".to_owned(),
    };
    Watched {
        by_events: false,
        why: format!(
            "{why}; a row that was changed meanwhile is known by {known}{}",
            read.unwrap_or_default()
        ),
        deletions: deletions.to_owned(),
        tells_deletions: false,
        lacks: gaps(record),
    }
}

/// What nothing is described for.
fn gaps(record: &Record) -> Vec<Lack> {
    match (record.changes, &record.deleted) {
        (Changes::Comparison, None) => vec![Lack::Changes, Lack::Deletions],
        (Changes::Comparison, Some(_)) => vec![Lack::Changes],
        (Changes::Modified, None) => vec![Lack::Deletions],
        (Changes::Modified, Some(_)) | (Changes::ChangeTable, _) => Vec::new(),
    }
}
