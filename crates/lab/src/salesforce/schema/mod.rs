//! The org's objects and fields, as its options make them.

mod change;
mod children;
mod describe;
mod field;
mod load;

use std::collections::HashMap;

pub use change::{SchemaAction, SchemaChange};
pub(crate) use describe::{describe, describe_global_entry};
pub(crate) use field::{Field, Kind, Source};

use super::options::Options;

/// The place of an object in its [`Schema`].
pub(crate) type ObjectIndex = usize;
/// The place of a field in its [`Object`].
pub(crate) type FieldIndex = u16;

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) label: String,
    pub(crate) plural: String,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) deletable: bool,
    pub(crate) replicateable: bool,
    /// Whether every write needs an administrator.
    pub(crate) guarded: bool,
    /// The form of `Name` where that is an automatic number and the org's own rules do not give it.
    pub(crate) numbering: Option<String>,
    /// By place; the ones that are gone too, which [`Object::numbered`] leaves out.
    fields: Vec<Field>,
    by_name: HashMap<String, FieldIndex>,
    by_relationship: HashMap<String, FieldIndex>,
}

impl Object {
    fn new(head: &load::Head, fields: Vec<Field>) -> Object {
        let object = Object {
            name: head.name.clone(),
            prefix: head.prefix.clone(),
            label: head.label.clone(),
            plural: head.plural.clone(),
            createable: head.calls.contains('c'),
            updateable: head.calls.contains('u'),
            deletable: head.calls.contains('d'),
            replicateable: head.calls.contains('t'),
            guarded: head.calls.contains('m'),
            numbering: None,
            by_name: HashMap::new(),
            by_relationship: HashMap::new(),
            fields,
        };
        object.indexed()
    }

    /// The object with its names found anew.
    fn indexed(mut self) -> Object {
        let index = |text: &str| text.to_ascii_lowercase();
        let by_name = self
            .numbered()
            .map(|(at, field)| (index(&field.name), at))
            .collect();
        let by_relationship = self
            .numbered()
            .filter_map(|(at, field)| Some((index(field.relationship.as_deref()?), at)))
            .collect();
        self.by_name = by_name;
        self.by_relationship = by_relationship;
        self
    }

    /// Whether a search looks into the object.
    pub(crate) fn searchable(&self) -> bool {
        const CLOSED: [&str; 6] = [
            "Division",
            "OrderItem",
            "Organization",
            "PricebookEntry",
            "Profile",
            "UserLicense",
        ];
        !CLOSED.contains(&self.name.as_str())
    }

    /// Whether the object is one of our metadata's.
    pub(crate) fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// The place of the field called so, in any case of letters.
    pub(crate) fn find(&self, name: &str) -> Option<FieldIndex> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The field at this place.
    pub(crate) fn field(&self, at: FieldIndex) -> &Field {
        &self.fields[usize::from(at)]
    }

    /// The field called so.
    pub(crate) fn named(&self, name: &str) -> Option<&Field> {
        self.find(name).map(|at| self.field(at))
    }

    /// The reference field behind a relationship name such as `Owner`.
    pub(crate) fn relationship(&self, name: &str) -> Option<FieldIndex> {
        self.by_relationship.get(&name.to_ascii_lowercase()).copied()
    }

    /// Every field with its place.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (FieldIndex, &Field)> {
        (0_u16..).zip(&self.fields).filter(|(_, field)| !field.gone)
    }

    /// Every field.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.gone)
    }
}

/// All objects of the org.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) objects: Vec<Object>,
    by_name: HashMap<String, ObjectIndex>,
    by_prefix: HashMap<String, ObjectIndex>,
}

impl Schema {
    pub(crate) fn new(options: &Options) -> Schema {
        Schema::of(load::objects(options))
    }

    fn of(objects: Vec<Object>) -> Schema {
        Schema {
            by_name: objects
                .iter()
                .enumerate()
                .map(|(at, o)| (o.name.to_ascii_lowercase(), at))
                .collect(),
            by_prefix: objects
                .iter()
                .enumerate()
                .map(|(at, o)| (o.prefix.clone(), at))
                .collect(),
            objects,
        }
    }

    /// The place of the object called so, in any case of letters.
    pub(crate) fn find(&self, name: &str) -> Option<ObjectIndex> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The object whose ids begin so.
    pub(crate) fn by_prefix(&self, prefix: &str) -> Option<ObjectIndex> {
        self.by_prefix.get(prefix).copied()
    }

    /// The object at this place.
    pub(crate) fn object(&self, at: ObjectIndex) -> &Object {
        &self.objects[at]
    }

    /// The objects of this org that a reference field may point to.
    pub(crate) fn targets<'a>(&'a self, field: &'a Field) -> impl Iterator<Item = ObjectIndex> + 'a {
        field.references.iter().filter_map(|name| self.find(name))
    }
}
