//! The records of a Customerp as another system would take them over.

use super::options::Options;
use super::schema::Kind;
use super::server::{Erp, StartError};
use super::value::Value;

/// A record that another system is filled with.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) record_type: String,
    pub(crate) id: u64,
    /// When it was last changed, in milliseconds.
    pub(crate) at: i64,
    /// What is not blank, by property.
    pub(crate) fields: Vec<(String, Field)>,
}

/// What a property of it holds.
#[derive(Debug)]
pub(crate) enum Field {
    Text(String),
    /// The record of that type and id.
    Reference(String, u64),
}

/// All records that a Customerp of these options starts with, type by type.
///
/// # Errors
/// [`StartError`], as the Customerp itself would.
pub(crate) fn samples(options: &Options) -> Result<Vec<Sample>, StartError> {
    let erp = Erp::filled(options)?;
    let store = erp.read();
    let mut samples = Vec::new();
    for (index, record_type) in erp.catalog.types.iter().enumerate() {
        for record in store.by_id(index) {
            let pairs = record_type.properties.iter().zip(&record.values);
            let given = pairs.filter(|(_, value)| !value.is_blank());
            let fields = given.map(|(property, value)| {
                let field = match (&property.kind, value) {
                    (Kind::Reference(target), Value::Reference(id)) => {
                        Field::Reference(erp.catalog.types[*target].name.clone(), *id)
                    }
                    _ => Field::Text(value.shown()),
                };
                (property.name.clone(), field)
            });
            samples.push(Sample {
                record_type: record_type.name.clone(),
                id: record.id,
                at: record.updated_at,
                fields: fields.collect(),
            });
        }
    }
    Ok(samples)
}
