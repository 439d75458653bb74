//! Putting records into the ERP before it starts: by the generator and by the import.

use std::sync::Arc;

use super::schema::Catalog;
use super::store::Store;
use super::value::Value;

/// The moment of the first seeded record, 2024-01-08T08:00:00Z: long past, so that the clock need not wait for it.
const FIRST: i64 = 1_704_700_800_000;
/// So many records share a moment, as bulk loads do.
const AT_ONCE: i64 = 50;
/// Who seeded records were changed by.
const AUTHOR: &str = "import";

/// Puts records into the store, one second per fifty.
#[derive(Debug)]
pub(crate) struct Seeding<'a> {
    store: &'a mut Store,
    catalog: Arc<Catalog>,
    put: i64,
}

impl<'a> Seeding<'a> {
    pub(crate) fn new(store: &'a mut Store) -> Self {
        let catalog = store.shared_catalog();
        Self {
            store,
            catalog,
            put: 0,
        }
    }

    /// Stores a record of that type and returns its id. Properties not named stay blank.
    pub(crate) fn put(&mut self, type_name: &str, fields: Vec<(&str, Value)>) -> u64 {
        let type_index = self.catalog.type_named(type_name).unwrap_or_default();
        let record_type = &self.catalog.types[type_index];
        let mut values = vec![Value::Blank; record_type.properties.len()];
        for (name, value) in fields {
            match record_type.property(name) {
                Some(position) => values[position] = value,
                None => debug_assert!(false, "{type_name} has no {name}"),
            }
        }
        let stamp = FIRST + self.put / AT_ONCE * 1000;
        self.put += 1;
        self.store.seed(type_index, values, stamp, AUTHOR)
    }

    /// Fills in a property that could not be known when the record was put.
    pub(crate) fn complete(&mut self, type_name: &str, id: u64, property: &str, value: Value) {
        let type_index = self.catalog.type_named(type_name).unwrap_or_default();
        if let Some(position) = self.catalog.types[type_index].property(property) {
            self.store.amend(type_index, id, position, value);
        }
    }

    /// Takes the next number that the ERP gives for that property.
    pub(crate) fn number(&mut self, type_name: &str, property: &str) -> String {
        let type_index = self.catalog.type_named(type_name).unwrap_or_default();
        let position = self.catalog.types[type_index]
            .property(property)
            .unwrap_or_default();
        self.store.next_number(type_index, position).shown()
    }
}
