//! Subqueries in the list of fields: a parent's children.

use serde_json::{Value as Json, json};

use super::SoqlError;
use super::bind::{Prepared, bind_on};
use super::statement::Query;
use crate::salesforce::fault::Code;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{FieldIndex, ObjectIndex};
use crate::salesforce::table::Row;

/// A bound subquery.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Child {
    /// The relationship's name in the reply.
    name: String,
    /// The reference of the children to their parent.
    reference: FieldIndex,
    query: Prepared,
}

/// Binds a subquery of a parent.
pub(super) fn bind_child(org: &Org, parent: ObjectIndex, query: &Query) -> Result<Child, SoqlError> {
    let name = query.from.parts.join(".");
    let found = org.schema.children_named(parent, &name);
    let (object, reference, name) = found.ok_or_else(|| {
        SoqlError::new(
            Code::InvalidType,
            query.from.at,
            format!(
                "Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a \
                 custom relationship, be sure to append the '__r' after the custom relationship name. Please \
                 reference your WSDL or the describe call for the appropriate names."
            ),
        )
    })?;
    let bound = bind_on(org, query, object)?;
    if !bound.lists_records() {
        return Err(SoqlError::malformed(
            query.from.at,
            "a subquery cannot hold aggregates",
        ));
    }
    Ok(Child {
        name,
        reference,
        query: bound,
    })
}

impl Org {
    /// The children of one parent, as the reply nests them: null where there are none.
    pub(super) fn nest(&self, actor: Actor, base: &str, child: &Child, parent: RecordId) -> (String, Json) {
        let query = &child.query;
        let object = self.schema.object(query.object);
        let field = &object.field(child.reference).name;
        let mut rows: Vec<&Row> = self
            .children(parent, &object.name, field)
            .into_iter()
            .filter_map(|id| self.seen(query.object, id).filter(|row| !row.deleted))
            .filter(|row| self.sees(actor, object, row) && query.fits(self, row))
            .collect();
        self.sort(query, &mut rows);
        let limit = query.limit.unwrap_or(usize::MAX);
        let records: Vec<Json> = rows
            .into_iter()
            .skip(query.offset)
            .take(limit)
            .filter_map(|row| self.render(actor, base, query, row.id))
            .collect();
        let nested = if records.is_empty() {
            Json::Null
        } else {
            json!({ "totalSize": records.len(), "done": true, "records": records })
        };
        (child.name.clone(), nested)
    }
}
