//! The header of uploaded data: which column is which field.

use csv::StringRecord;

use crate::salesforce::org::Org;
use crate::salesforce::schema::{FieldIndex, Object, ObjectIndex};

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Id,
    Field(FieldIndex),
    /// An external id of the record that a reference field is to point to.
    Parent {
        reference: FieldIndex,
        /// The relationship's name and the field of the parent.
        relationship: String,
        key: String,
    },
}

/// Reads a header.
///
/// # Errors
/// The job's error message, where a column is no field of the object.
pub(super) fn columns(org: &Org, object: ObjectIndex, header: &StringRecord) -> Result<Vec<Column>, String> {
    let kind = org.schema.object(object);
    let mut columns = Vec::with_capacity(header.len());
    for name in header.iter().map(str::trim) {
        let column = column(org, kind, name)?;
        if columns.contains(&column) {
            return Err(format!(
                "InvalidBatch : Field name appears more than once : {name}"
            ));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column(org: &Org, kind: &Object, name: &str) -> Result<Column, String> {
    let unknown = || format!("InvalidBatch : Field name not found : {name}");
    if name.eq_ignore_ascii_case("Id") {
        return Ok(Column::Id);
    }
    let Some((path, key)) = name.split_once('.') else {
        return kind.find(name).map(Column::Field).ok_or_else(unknown);
    };
    let (of_type, relationship) = match path.split_once(':') {
        Some((of_type, relationship)) => (Some(of_type), relationship),
        None => (None, path),
    };
    let reference = kind.relationship(relationship).ok_or_else(unknown)?;
    let field = kind.field(reference);
    if of_type.is_some() && field.references.len() == 1 {
        return Err(format!(
            "InvalidBatch : type is not needed for non polymorphic foreign key : {name}"
        ));
    }
    let fits = org.schema.targets(field).any(|target| {
        let target = org.schema.object(target);
        of_type.is_none_or(|of_type| target.name.eq_ignore_ascii_case(of_type))
            && target.named(key).is_some_and(|field| field.external_id)
    });
    if !fits {
        return Err(unknown());
    }
    Ok(Column::Parent {
        reference,
        relationship: relationship.to_owned(),
        key: key.to_owned(),
    })
}
