//! Records that are part of another, as lines are of an order: what they come to, and what becomes of them with it.
//!
//! A sum over parts is derived: it moves without its record's version and time of change, as a view would.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::record::Record;
use super::schema::{Derived, PropertyIndex, RecordType, TypeIndex};
use super::store::Store;
use super::value::Value;

impl RecordType {
    /// Fills in what the ERP computes from the record's own values, and sums that have nothing to add up yet.
    pub(crate) fn compute(&self, values: &mut [Value]) {
        for (position, property) in self.properties.iter().enumerate() {
            match property.derived {
                Some(Derived::Amount) => values[position] = self.amount(values),
                Some(Derived::Sum(_)) if values[position].is_blank() => {
                    values[position] = Value::amount(Decimal::ZERO);
                }
                Some(Derived::Sum(_)) | None => {}
            }
        }
    }

    /// Price x quantity x (1 - discount / 100), half up to the cent; blank without price or quantity, or beyond all measure.
    fn amount(&self, values: &[Value]) -> Value {
        let number = |name: &str| values[self.property(name)?].number();
        let (Some(price), Some(quantity)) = (number("unitPrice"), number("quantity")) else {
            return Value::Blank;
        };
        // Multiplied out before anything is rounded: a percentage is an exact factor of hundredths.
        let left = (Decimal::ONE_HUNDRED - number("discount").unwrap_or_default()) / Decimal::ONE_HUNDRED;
        let amount = quantity
            .checked_mul(left)
            .and_then(|factor| price.checked_mul(factor));
        amount.map_or(Value::Blank, Value::amount)
    }

    fn sum_of(&self, part: TypeIndex) -> Option<PropertyIndex> {
        let mut properties = self.properties.iter();
        properties.position(|property| property.derived == Some(Derived::Sum(part)))
    }

    fn amount_property(&self) -> Option<PropertyIndex> {
        let mut properties = self.properties.iter();
        properties.position(|property| property.derived == Some(Derived::Amount))
    }
}

impl Store {
    /// The live records that are part of this one, each with its type, in the order of their ids.
    pub(crate) fn parts_of(&self, whole: TypeIndex, id: u64) -> Vec<(TypeIndex, Arc<Record>)> {
        let catalog = self.shared_catalog();
        let kinds = catalog.parts(whole);
        kinds
            .flat_map(|(part, reference)| {
                let records = self.find(part, reference, &[id.to_string()]);
                records.into_iter().map(move |record| (part, record))
            })
            .collect()
    }

    /// One more than the greatest number among the parts of the whole that these values name.
    pub(crate) fn next_in_whole(
        &self,
        type_index: TypeIndex,
        property: PropertyIndex,
        values: &[Value],
    ) -> Value {
        let Some((reference, _)) = self.record_type(type_index).whole() else {
            return Value::Blank;
        };
        let siblings = self.find(type_index, reference, &[values[reference].shown()]);
        let numbers = siblings.iter().filter_map(|record| match record.value(property) {
            Value::Integer(number) => Some(*number),
            _ => None,
        });
        Value::Integer(numbers.max().unwrap_or(0).saturating_add(1))
    }

    /// Adds up the parts of the record that this one is part of, if it is part of one.
    pub(crate) fn add_up(&mut self, type_index: TypeIndex, part: &Record) {
        let part_type = self.record_type(type_index);
        let (Some((reference, whole)), Some(amount)) = (part_type.whole(), part_type.amount_property())
        else {
            return;
        };
        let Value::Reference(id) = *part.value(reference) else {
            return;
        };
        let Some(sum) = self.record_type(whole).sum_of(type_index) else {
            return;
        };
        let parts = self.find(type_index, reference, &[id.to_string()]);
        let total = parts.iter().filter_map(|part| part.value(amount).number()).sum();
        self.amend(whole, id, sum, Value::amount(total));
    }

    /// The parts of a record by their type, to show them.
    pub(crate) fn parts_by_type(&self, whole: TypeIndex, id: u64) -> BTreeMap<TypeIndex, Vec<Arc<Record>>> {
        let catalog = self.shared_catalog();
        let mut parts: BTreeMap<_, Vec<_>> = catalog.parts(whole).map(|(part, _)| (part, vec![])).collect();
        for (part, record) in self.parts_of(whole, id) {
            parts.entry(part).or_default().push(record);
        }
        parts
    }
}
