//! The records of a stub: validated, stamped, and told apart from what was deleted. Values are kept plainly (nothing is null, a
//! reference is an id); how they are shown is each ERP's own affair.

use jiff::civil::{Date, DateTime};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

use super::clock::Clock;
use super::shape::{Field, Kind, Naming, Shape};

/// All record types.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) clock: Clock,
    tables: BTreeMap<String, Table>,
}

/// The records of one type.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) shape: Shape,
    /// By the order in which they were made.
    pub(super) rows: BTreeMap<u64, Row>,
    /// What was deleted, and when.
    pub(super) deleted: Vec<(Row, i64)>,
    last: u64,
}

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) values: Map<String, Json>,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) made_by: String,
    pub(super) by: String,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// There is no such property.
    Unknown,
    /// It must not be blank.
    Missing,
    /// It is of another type, or none of the words.
    Unfit,
    /// It is too long.
    Long,
    /// Another record has it.
    Twice,
    /// It names no record.
    Dangling,
    /// Other records name this one.
    Used,
}

/// A write that is refused, and at which property.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) what: What,
    pub(super) field: String,
}

impl Store {
    pub(super) fn new(shapes: Vec<Shape>) -> Self {
        let table = |shape: Shape| Table {
            shape,
            rows: BTreeMap::new(),
            deleted: Vec::new(),
            last: 0,
        };
        Self {
            clock: Clock::default(),
            tables: shapes
                .into_iter()
                .map(|shape| (shape.name.clone(), table(shape)))
                .collect(),
        }
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Makes a record; its id.
    pub(super) fn create(
        &mut self,
        table: &str,
        values: &Map<String, Json>,
        by: &str,
    ) -> Result<String, Fault> {
        let Some(known) = self.tables.get(table) else {
            return Err(fault(What::Unknown, table));
        };
        let mut all: Map<String, Json> = known
            .shape
            .fields
            .iter()
            .map(|(name, field)| (name.clone(), field.default.clone()))
            .collect();
        all.extend(values.clone());
        self.judge(known, &all, None)?;
        let number = known.last + 1;
        let id = match &known.shape.naming {
            Naming::Count => number.to_string(),
            Naming::Series(prefix) => format!("{prefix}{number:05}"),
            Naming::By(property) => text_of(all.get(property)),
            Naming::Uuid => uuid(table, number),
        };
        if known.row(&id).is_some() {
            return Err(fault(What::Twice, "name"));
        }
        let now = self.clock.now();
        let row = Row {
            number,
            id: id.clone(),
            values: all,
            created: now,
            modified: now,
            made_by: by.to_owned(),
            by: by.to_owned(),
        };
        if let Some(known) = self.tables.get_mut(table) {
            known.last = number;
            known.rows.insert(number, row);
        }
        Ok(id)
    }

    /// Changes a record that is there.
    pub(super) fn update(
        &mut self,
        table: &str,
        id: &str,
        values: &Map<String, Json>,
        by: &str,
    ) -> Result<(), Fault> {
        let found = self
            .tables
            .get(table)
            .and_then(|known| Some((known, known.row(id)?)));
        let Some((known, row)) = found else {
            return Err(fault(What::Unknown, id));
        };
        let number = row.number;
        self.judge(known, values, Some(number))?;
        let now = self.clock.now();
        let row = self
            .tables
            .get_mut(table)
            .and_then(|known| known.rows.get_mut(&number));
        if let Some(row) = row {
            row.values.extend(values.clone());
            row.modified = now.max(row.modified + 1);
            row.by = by.to_owned();
        }
        Ok(())
    }

    /// Deletes a record that is there and that no other names.
    pub(super) fn delete(&mut self, table: &str, id: &str) -> Result<(), Fault> {
        let named = |other: &Table| {
            let of_it =
                |field: &&String| other.shape.fields[*field].kind == Kind::Reference(table.to_owned());
            let fields: Vec<&String> = other.shape.fields.keys().filter(of_it).collect();
            // Ids count by record type: only in its own is one of this id the record itself.
            let own = other.shape.name == table;
            let mut rows = other.rows.values().filter(|row| !own || row.id != id);
            rows.any(|row| fields.iter().any(|field| text_of(row.values.get(*field)) == id))
        };
        if self.tables.values().any(named) {
            return Err(fault(What::Used, id));
        }
        let now = self.clock.now();
        let Some(known) = self.tables.get_mut(table) else {
            return Err(fault(What::Unknown, table));
        };
        let number = known.row(id).map(|row| row.number);
        let Some(row) = number.and_then(|number| known.rows.remove(&number)) else {
            return Err(fault(What::Unknown, id));
        };
        let gone = now.max(row.modified + 1);
        known.deleted.push((row, gone));
        Ok(())
    }

    /// Sets what is computed out of other records, of every record of a type; that is no edit of theirs.
    pub(super) fn recompute(&mut self, table: &str, of: impl Fn(&Self, &Row) -> Vec<(&'static str, Json)>) {
        let rows = self
            .tables
            .get(table)
            .into_iter()
            .flat_map(|table| table.rows.values());
        let computed: Vec<_> = rows.map(|row| (row.number, of(self, row))).collect();
        let Some(known) = self.tables.get_mut(table) else {
            return;
        };
        for (number, values) in computed {
            if let Some(row) = known.rows.get_mut(&number) {
                let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
                row.values.extend(values);
            }
        }
    }

    fn judge(&self, table: &Table, values: &Map<String, Json>, own: Option<u64>) -> Result<(), Fault> {
        for (name, value) in values {
            let field = table
                .shape
                .fields
                .get(name)
                .ok_or_else(|| fault(What::Unknown, name))?;
            if let Some(what) = self.wrong(table, name, field, value, own) {
                return Err(fault(what, name));
            }
        }
        Ok(())
    }

    fn wrong(
        &self,
        table: &Table,
        name: &str,
        field: &Field,
        value: &Json,
        own: Option<u64>,
    ) -> Option<What> {
        let blank = value.is_null() || value.as_str() == Some("");
        if blank {
            return field.required.then_some(What::Missing);
        }
        let text = value.as_str();
        let fits = match &field.kind {
            Kind::Text(most) => match text {
                Some(text) if *most > 0 && text.chars().count() > *most => return Some(What::Long),
                found => found.is_some(),
            },
            Kind::Integer => value.as_i64().is_some(),
            Kind::Decimal => value.is_number(),
            Kind::Boolean => value.is_boolean(),
            Kind::Date => text.is_some_and(|text| text.parse::<Date>().is_ok()),
            Kind::Time => text.is_some_and(|text| text.parse::<DateTime>().is_ok()),
            Kind::Word(words) => text.is_some_and(|text| words.iter().any(|word| word == text)),
            Kind::Reference(to) => {
                let there = self
                    .tables
                    .get(to)
                    .and_then(|table| table.row(&text_of(Some(value))));
                if there.is_none() {
                    return Some(What::Dangling);
                }
                true
            }
        };
        if !fits {
            return Some(What::Unfit);
        }
        let same = |row: &&Row| Some(row.number) != own && row.values.get(name) == Some(value);
        (field.unique && table.rows.values().any(|row| same(&row))).then_some(What::Twice)
    }
}

impl Table {
    /// The record of that id.
    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        match self.shape.naming {
            Naming::Count => self.rows.get(&id.parse().ok()?),
            Naming::Series(ref prefix) => self.rows.get(&id.strip_prefix(prefix.as_str())?.parse().ok()?),
            Naming::By(_) | Naming::Uuid => self.rows.values().find(|row| row.id == id),
        }
    }
}

/// An identifier that is the same at every start.
fn uuid(table: &str, number: u64) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(format!("{table} {number}"));
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

fn fault(what: What, field: &str) -> Fault {
    Fault {
        what,
        field: field.to_owned(),
    }
}

/// A value as text: a text as it is, a number as JSON writes it.
pub(super) fn text_of(value: Option<&Json>) -> String {
    match value {
        Some(Json::String(text)) => text.clone(),
        None | Some(Json::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
