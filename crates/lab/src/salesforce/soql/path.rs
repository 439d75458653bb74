//! A field of the object, or of a parent through references.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{FieldIndex, Kind, Object, ObjectIndex, Source};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// One step to a parent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hop {
    /// The name in the reply, such as `Owner`.
    pub(super) name: String,
    pub(super) field: FieldIndex,
    /// The object of the parent; none where it may be of several.
    pub(super) target: Option<ObjectIndex>,
}

/// What stands at the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Leaf {
    Field(FieldIndex),
    /// A field of whatever object the parent is of.
    Named(String),
    /// The name of the parent's object.
    Type,
}

/// A field, bound to the objects of the org.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub(super) hops: Vec<Hop>,
    pub(super) leaf: Leaf,
    /// The object that the leaf is a field of, where it is known.
    pub(super) object: Option<ObjectIndex>,
    /// The type of the leaf.
    pub(super) kind: Kind,
}

impl Path {
    /// Whether the path is this field of the queried object itself.
    pub(super) fn is_own(&self, source: Source, org: &Org) -> bool {
        let (true, Some(object), Leaf::Field(at)) = (self.hops.is_empty(), self.object, &self.leaf) else {
            return false;
        };
        org.schema.object(object).field(*at).source == source
    }

    /// The field of the queried object itself that the path is.
    pub(super) fn own_field(&self) -> Option<FieldIndex> {
        match self.leaf {
            Leaf::Field(at) if self.hops.is_empty() => Some(at),
            _ => None,
        }
    }

    /// The name of the field at the end.
    pub(super) fn leaf_name(&self, org: &Org) -> String {
        match (&self.leaf, self.object) {
            (Leaf::Field(at), Some(object)) => org.schema.object(object).field(*at).name.clone(),
            (Leaf::Named(name), _) => name.clone(),
            _ => "Type".to_owned(),
        }
    }

    /// The whole name, such as `Account.Owner.Name`.
    pub(super) fn name(&self, org: &Org) -> String {
        let leaf = self.leaf_name(org);
        let steps = self.hops.iter().map(|hop| hop.name.as_str());
        steps.chain([leaf.as_str()]).collect::<Vec<&str>>().join(".")
    }

    /// The value for a row of the queried object.
    pub(crate) fn value<'o>(
        &self,
        org: &'o Org,
        object: ObjectIndex,
        row: &'o Row,
    ) -> Option<Cow<'o, Value>> {
        let (mut object, mut row) = (object, row);
        for hop in &self.hops {
            let id = org
                .cell_at(org.schema.object(object), hop.field, row)?
                .as_reference()?;
            (object, row) = org.row(id)?;
        }
        let kind = org.schema.object(object);
        match &self.leaf {
            Leaf::Field(at) => org.cell_at(kind, *at, row),
            Leaf::Named(name) => org.cell(kind, kind.named(name)?, row),
            Leaf::Type => Some(Cow::Owned(Value::text(kind.name.as_str()))),
        }
    }

    /// What a value of the path is sorted by: a picklist's by the place of its entry, what is none of them behind; other
    /// text without regard to case.
    pub(super) fn sortable(&self, org: &Org, value: &Value) -> Value {
        let Some(text) = value.as_text() else {
            return value.clone();
        };
        match (&self.leaf, self.object) {
            (Leaf::Field(at), Some(object)) if self.kind == Kind::Picklist => {
                let place = org.schema.object(object).field(*at).place_of(text);
                Value::text(format!("{place:05} {}", text.to_lowercase()))
            }
            _ => Value::text(text.to_lowercase()),
        }
    }

    /// Puts the value where it belongs in the reply's record.
    pub(super) fn place(
        &self,
        org: &Org,
        base: &str,
        object: ObjectIndex,
        row: &Row,
        record: &mut Map<String, Json>,
    ) {
        let (mut object, mut row, mut record) = (object, row, record);
        for hop in &self.hops {
            let parent = org
                .cell_at(org.schema.object(object), hop.field, row)
                .and_then(|value| value.as_reference())
                .and_then(|id| org.row(id));
            let Some((parent_object, parent_row)) = parent else {
                record.entry(hop.name.clone()).or_insert(Json::Null);
                return;
            };
            let kind = org.schema.object(parent_object);
            let slot = record
                .entry(hop.name.clone())
                .or_insert_with(|| json!({ "attributes": attributes(base, kind, parent_row.id) }));
            let Some(inner) = slot.as_object_mut() else { return };
            (object, row, record) = (parent_object, parent_row, inner);
        }
        let kind = org.schema.object(object);
        match &self.leaf {
            Leaf::Field(at) => {
                record.insert(kind.field(*at).name.clone(), org.json_of(kind, *at, row));
            }
            Leaf::Named(name) => {
                let json = kind
                    .find(name)
                    .map_or(Json::Null, |at| org.json_of(kind, at, row));
                record.insert(name.clone(), json);
            }
            Leaf::Type => {
                record.insert("Type".to_owned(), Json::String(kind.name.clone()));
            }
        }
    }
}

/// The `attributes` of a record in a reply; `base` is `/services/data/vNN.0`.
pub(crate) fn attributes(base: &str, object: &Object, id: RecordId) -> Json {
    json!({ "type": object.name, "url": format!("{base}/sobjects/{}/{id}", object.name) })
}

impl Org {
    /// A field's value in a reply; compound addresses are put together.
    pub(crate) fn json_of(&self, object: &Object, at: FieldIndex, row: &Row) -> Json {
        let field = object.field(at);
        if field.source == Source::Compound {
            return self.address(object, &field.name, row);
        }
        self.cell_at(object, at, row)
            .map_or(Json::Null, |value| value.to_json(field.kind == Kind::Int))
    }

    fn address(&self, object: &Object, name: &str, row: &Row) -> Json {
        let stem = name.strip_suffix("Address").unwrap_or_default();
        let part = |suffix: &str| {
            object
                .find(&format!("{stem}{suffix}"))
                .map_or(Json::Null, |at| self.json_of(object, at, row))
        };
        let parts = json!({
            "street": part("Street"),
            "city": part("City"),
            "state": part("State"),
            "postalCode": part("PostalCode"),
            "country": part("Country"),
            "latitude": part("Latitude"),
            "longitude": part("Longitude"),
            "geocodeAccuracy": part("GeocodeAccuracy"),
        });
        let blank = parts
            .as_object()
            .is_some_and(|parts| parts.values().all(Json::is_null));
        if blank { Json::Null } else { parts }
    }
}
