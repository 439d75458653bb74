//! What query jobs ask of a statement: names and cells instead of JSON, and what they do not take.

use super::bind::{Prepared, Selection};
use super::path::Path;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::Kind;
use crate::salesforce::value::Value;

impl Prepared {
    /// Why a query job does not take the statement.
    pub(crate) fn bulk_obstacle(&self) -> Option<&'static str> {
        if self.offset > 0 {
            return Some("OFFSET not supported in Bulk V2 Query");
        }
        let columns = match &self.selection {
            Selection::Count | Selection::Groups(_) => {
                return Some("Aggregate functions not supported in Bulk V2 Query");
            }
            Selection::Columns(columns) => columns,
        };
        if !self.children.is_empty() {
            return Some("Aggregate Relationships not supported in Bulk V2 Query with CSV content type");
        }
        let compound = self.field_sets || columns.iter().any(|path| path.kind == Kind::Address);
        compound.then_some("Selecting compound data not supported in Bulk Query")
    }

    /// The header of the result.
    pub(crate) fn column_names(&self, org: &Org) -> Vec<String> {
        self.paths().iter().map(|path| path.name(org)).collect()
    }

    fn paths(&self) -> &[Path] {
        match &self.selection {
            Selection::Columns(columns) => columns,
            Selection::Count | Selection::Groups(_) => &[],
        }
    }
}

impl Org {
    /// The cells of one line of the result; blanks are empty.
    pub(crate) fn cells(&self, query: &Prepared, id: RecordId) -> Option<Vec<String>> {
        let row = self.seen(query.object, id)?;
        let cell = |path: &Path| {
            path.value(self, query.object, row)
                .map_or_else(String::new, |value| cell(&value, path.kind))
        };
        Some(query.paths().iter().map(cell).collect())
    }
}

/// A value as bulk results write it: as JSON does, but for moments, which end in `Z`.
fn cell(value: &Value, kind: Kind) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Moment(seconds) => crate::salesforce::value::moment_text(*seconds).replace("+0000", "Z"),
        other => match other.to_json(kind == Kind::Int) {
            serde_json::Value::String(text) => text,
            json => json.to_string(),
        },
    }
}
