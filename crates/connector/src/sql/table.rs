//! A record type as it is described and as its database has it: what every statement about it is made of.

use super::catalogue::{Column, Kind, Relation};
use super::description::{Call, Description, Property, Record};
use super::driver::Dialect;
use super::joined::Joined;
use super::schema::{self, Misfit};
use super::value::{Codec, Layout, Shown};
use crate::{Change, TypeSchema};
use std::collections::BTreeMap;
use tandem_merge::record::RecordType;

/// One record type.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) of: RecordType,
    pub(super) dialect: Dialect,
    pub(super) record: Record,
    pub(super) relation: Relation,
    /// Where it is written.
    pub(super) target: Relation,
    /// Quoted names of both.
    pub(super) from: String,
    pub(super) into: String,
    /// What is asked of every row, and what the answers hold.
    pub(super) asked: Vec<String>,
    pub(super) answers: Vec<Kind>,
    pub(super) key: Vec<Place>,
    pub(super) modified: Option<Place>,
    pub(super) version: Option<Place>,
    pub(super) deleted: Option<Place>,
    pub(super) created: Option<Place>,
    pub(super) author: Option<Place>,
    /// The properties that are read, and whether nothing behind one in this list stands in the same column.
    pub(super) shown: Vec<(String, Place, bool)>,
    /// References over several columns.
    pub(super) joined: BTreeMap<String, Joined>,
    /// Where properties stand that procedures are given.
    told: BTreeMap<String, usize>,
    /// All properties, also those that are not asked for.
    pub(super) properties: BTreeMap<String, Item>,
    pub(super) schema: TypeSchema,
}

/// A column that is asked for, and where its values stand in a row.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) column: Column,
    pub(super) codec: Codec,
    /// As it stands in a condition.
    pub(super) sql: String,
}

/// A property.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) column: Column,
    pub(super) codec: Codec,
    pub(super) said: Property,
}

/// What is known besides the description when a record type is put together.
pub(super) struct Surroundings<'a> {
    pub(super) system: &'a str,
    pub(super) description: &'a Description,
    pub(super) dialect: Dialect,
    /// The tables of all record types, by name.
    pub(super) relations: &'a BTreeMap<String, Relation>,
    /// Values of date columns, by column, where the database has no type for them.
    pub(super) samples: &'a BTreeMap<String, String>,
    /// The properties that are used; none: all.
    pub(super) used: Option<&'a Vec<String>>,
    pub(super) read_only: bool,
}

impl Table {
    /// The procedure that carries out a change, where it is one.
    pub(super) fn called(&self, change: &Change) -> Option<&Call> {
        match change {
            Change::Create { .. } => self.record.calls.create.as_ref(),
            Change::Update { .. } => self.record.calls.update.as_ref(),
            Change::Delete { .. } => self.record.calls.delete.as_ref(),
        }
    }

    /// Puts a record type together.
    ///
    /// # Errors
    /// What the database lacks.
    pub(super) fn new(
        name: &str,
        record: &Record,
        relation: &Relation,
        target: &Relation,
        around: &Surroundings<'_>,
    ) -> Result<Self, Misfit> {
        let dialect = around.dialect;
        let properties = schema::properties(name, record, relation, around)?;
        let mut table = Self {
            name: name.to_owned(),
            of: RecordType::new(around.system, name),
            dialect,
            record: record.clone(),
            relation: relation.clone(),
            target: target.clone(),
            from: dialect.table(&record.table),
            into: dialect.table(record.write_to.as_ref().unwrap_or(&record.table)),
            asked: Vec::new(),
            answers: Vec::new(),
            key: Vec::new(),
            modified: None,
            version: None,
            deleted: None,
            created: None,
            author: None,
            shown: Vec::new(),
            joined: BTreeMap::new(),
            told: BTreeMap::new(),
            schema: TypeSchema::default(),
            properties,
        };
        for column in &record.key {
            let place = table.ask(column, around)?;
            table.key.push(place);
        }
        if let Some(modified) = &record.modified {
            table.modified = Some(table.ask_modified(&modified.columns, around)?);
        }
        let asked = |table: &mut Self, column: Option<&String>| {
            column.map(|column| table.ask(column, around)).transpose()
        };
        table.version = match &record.version {
            Some(version) if version.column == "xmin" && dialect == Dialect::Postgres => {
                let column = Column::new("xmin", Kind::Other, "xid");
                let codec = plain(&column);
                Some(table.place(column, codec))
            }
            version => asked(&mut table, version.as_ref().map(|version| &version.column))?,
        };
        table.deleted = asked(&mut table, record.deleted.as_ref().map(|deleted| &deleted.column))?;
        table.created = asked(&mut table, record.created.as_ref())?;
        table.author = asked(&mut table, record.author.as_ref())?;
        table.mark()?;
        let used = |name: &&String| around.used.is_none_or(|used| used.contains(name));
        let names: Vec<String> = table.properties.keys().filter(used).cloned().collect();
        for name in names {
            let item = table.properties[&name].clone();
            let place = table.place(item.column, item.codec);
            for (_, other, last) in &mut table.shown {
                *last &= other.at != place.at;
            }
            table.shown.push((name, place, true));
        }
        table.ask_joined(record, relation, around)?;
        table.ask_called()?;
        table.schema = schema::describe(&table, around);
        Ok(table)
    }

    /// Asks for what procedures are given.
    fn ask_called(&mut self) -> Result<(), String> {
        let calls = self.record.calls.clone();
        for call in [calls.create, calls.update, calls.delete].into_iter().flatten() {
            if self.dialect == Dialect::Sqlite {
                return Err(format!(
                    "SQLite has no procedures, and {} is to be written by one",
                    self.name
                ));
            }
            for property in call.given {
                let item = self.properties.get(&property).cloned();
                let item = item.ok_or_else(|| {
                    format!(
                        "{} has no property {property} to call {} with",
                        self.name, call.procedure
                    )
                })?;
                let place = self.place(item.column, item.codec);
                self.told.insert(property, place.at);
            }
        }
        Ok(())
    }

    /// Where a property stands in a row that a procedure is given.
    pub(super) fn place_of(&self, property: &str) -> Option<usize> {
        self.told.get(property).copied()
    }

    fn ask(&mut self, column: &str, around: &Surroundings<'_>) -> Result<Place, Misfit> {
        let known = self.relation.column(column).cloned();
        let column = known.ok_or_else(|| schema::lacks(&self.record.table, column, &self.relation))?;
        // What is said of a column where it is a property holds wherever it is used.
        let mut said = self.record.properties.values();
        let alone = |property: &&Property| property.column == column.name && property.more.is_empty();
        let said = said.find(alone).cloned();
        let codec = codec(&column, said.as_ref(), around);
        Ok(self.place(column, codec))
    }

    fn ask_modified(&mut self, columns: &[String], around: &Surroundings<'_>) -> Result<Place, Misfit> {
        let places: Vec<Place> = columns
            .iter()
            .map(|column| self.ask(column, around))
            .collect::<Result<_, _>>()?;
        let Some(mut place) = places.first().cloned() else {
            return Err(format!("`modified` of {} names no column", self.name).into());
        };
        if let Some(zone) = self
            .record
            .modified
            .as_ref()
            .and_then(|modified| modified.zone.clone())
        {
            place.codec.zone = zone;
        }
        if places.len() > 1 {
            let all: Vec<&str> = places.iter().map(|place| place.sql.as_str()).collect();
            place.sql = format!("COALESCE({})", all.join(", "));
            place.at = self.asked.len();
            self.asked.push(place.sql.clone());
            self.answers.push(place.column.kind);
        }
        Ok(place)
    }

    pub(super) fn place(&mut self, column: Column, codec: Codec) -> Place {
        let asked = self.dialect.asked(&column);
        let known = self.asked.iter().position(|known| *known == asked);
        let at = known.unwrap_or_else(|| {
            self.asked.push(asked);
            self.answers.push(column.kind);
            self.asked.len() - 1
        });
        Place {
            at,
            sql: self.dialect.quoted(&column.name),
            column,
            codec,
        }
    }

    /// Whether a deletion can be marked.
    fn mark(&self) -> Result<(), String> {
        let marked = self
            .record
            .deleted
            .as_ref()
            .is_some_and(|deleted| deleted.is.is_some());
        match &self.deleted {
            Some(place) if !marked && place.codec.shown == Shown::Text => Err(format!(
                "`deleted` of {} has to say by which value {} marks a record: write {{ column: {}, is: value }}",
                self.name, place.column.name, place.column.name
            )),
            _ => Ok(()),
        }
    }

    /// Whether its rows, once gone, show that they were deleted.
    pub(super) fn absence_is_deletion(&self) -> bool {
        use super::description::Absent;
        match self.record.absent {
            Some(absent) => absent == Absent::Deleted,
            None => self.record.deleted.is_none() && !self.relation.is_view && !self.relation.hides_rows,
        }
    }
}

/// How the values of a column are read and written.
pub(super) fn codec(column: &Column, property: Option<&Property>, around: &Surroundings<'_>) -> Codec {
    let mut codec = plain(column);
    codec.zone = around.description.zone.clone();
    if let Some(said) = property {
        match said.data_type.as_deref() {
            Some("unix_seconds") => codec.kind = Kind::Seconds,
            Some("unix_milliseconds") => codec.kind = Kind::Milliseconds,
            _ => {}
        }
        codec.shown = Shown::of(said.data_type.as_deref().unwrap_or(codec.kind.data_type()));
        if matches!(codec.kind, Kind::Seconds | Kind::Milliseconds) {
            codec.shown = Shown::DateTime;
        }
        codec.blank_is_empty = said.blank_is_empty;
    }
    if around.dialect == Dialect::Sqlite && matches!(column.kind, Kind::Civil | Kind::Moment) {
        // It keeps moments as texts, in whatever way they were written.
        codec.kind = Kind::Text;
        let sample = around.samples.get(&column.name);
        codec.layout = sample.map(|sample| Layout::of(sample)).unwrap_or_default();
    }
    codec
}

fn plain(column: &Column) -> Codec {
    Codec {
        kind: column.kind,
        shown: Shown::of(column.kind.data_type()),
        zone: jiff::tz::TimeZone::UTC,
        blank_is_empty: false,
        layout: Layout::default(),
    }
}
