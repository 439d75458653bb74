//! References over several columns: together these hold the key of a record.

use super::catalogue::Relation;
use super::description::Record;

use super::schema::{Misfit, lacks};
use super::table::{Item, Place, Surroundings, Table, codec};
use super::value::{Cell, text};
use crate::key;
use tandem_merge::value::Value;

/// A property that several columns hold together.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    /// The record type that it names.
    pub(super) to: String,
    pub(super) read_only: bool,
    pub(super) parts: Vec<Item>,
    /// Where the parts stand in a row.
    pub(super) places: Vec<Place>,
}

impl Joined {
    /// What a row says.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, row: &[Cell]) -> Result<Value, String> {
        let mut parts = Vec::with_capacity(self.places.len());
        for place in &self.places {
            match &row[place.at] {
                // Without one of its parts a key names nothing.
                Cell::Null => return Ok(Value::Blank),
                Cell::Odd(what) => return Err(what.clone()),
                cell => parts.push(text(cell)),
            }
        }
        Ok(Value::text(key::join(&parts)))
    }

    /// A value as the columns take it; none where no record can be named so.
    pub(super) fn write(&self, value: &Value) -> Option<Vec<Cell>> {
        if value.is_blank() {
            return Some(vec![Cell::Null; self.parts.len()]);
        }
        let parts = key::split(value.as_text()?, self.parts.len())?;
        let cells = parts.iter().zip(&self.parts).map(|(part, item)| {
            let cell = item.codec.write(&Value::text(part.as_str())).ok()?;
            (text(&cell) == *part).then_some(cell)
        });
        cells.collect()
    }

    /// Whether it is held by these columns, among others.
    pub(super) fn is_in(&self, columns: &[String]) -> bool {
        self.parts.iter().all(|part| columns.contains(&part.column.name))
    }
}

impl Table {
    /// Asks for the references over several columns that a description names.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn ask_joined(
        &mut self,
        record: &Record,
        relation: &Relation,
        around: &Surroundings<'_>,
    ) -> Result<(), Misfit> {
        for (name, property) in record
            .properties
            .iter()
            .filter(|(_, property)| !property.more.is_empty())
        {
            let to = property.references.clone().unwrap_or_default();
            let columns: Vec<&String> = std::iter::once(&property.column).chain(&property.more).collect();
            let key = around.description.records.get(&to).map_or(0, |to| to.key.len());
            if key != columns.len() {
                return Err(Misfit {
                    sentence: format!(
                        "{name} of {} has {} columns, and the key of {to} has {key}",
                        self.name,
                        columns.len()
                    ),
                    name: Some(property.column.clone()),
                });
            }
            let (mut parts, mut places) = (Vec::new(), Vec::new());
            for column in columns {
                let known = relation.column(column).cloned();
                let column = known.ok_or_else(|| lacks(&record.table, column, relation))?;
                let codec = codec(&column, None, around);
                places.push(self.place(column.clone(), codec.clone()));
                let said = super::description::Property {
                    column: column.name.clone(),
                    ..Default::default()
                };
                parts.push(Item { column, codec, said });
            }
            let read_only = property.read_only;
            self.joined.insert(
                name.clone(),
                Joined {
                    to,
                    read_only,
                    parts,
                    places,
                },
            );
        }
        Ok(())
    }
}
