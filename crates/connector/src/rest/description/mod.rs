//! What is written about an ERP's interface: read, checked as a whole, and ready for use.

pub(super) mod batches;
mod check;
mod dialect;
pub(super) mod errors;
pub(super) mod inside;
pub(super) mod jobs;
pub(super) mod operations;
pub(super) mod pages;
pub(super) mod place;
pub(super) mod property;
pub(super) mod push;
pub(super) mod record;
pub(super) mod requests;
pub(super) mod session;
pub(super) mod template;
pub(super) mod times;
pub(super) mod words;

use super::expression::Expression;
use super::form::Form;
use super::language::{Language, Part};
use batches::BatchText;
use errors::{ErrorsText, LimitsText};
use inside::Inside;
use jiff::SignedDuration;
use operations::{
    ActionText, ChangesText, CreateText, DeleteText, DeletionsText, FindText, ListText, ReadText, UpdateText,
};
use place::Place;
use property::DataType;
use push::PushText;
use record::{DescriptionText, IdentityText, RecordText};
use serde_json::Value as Json;
use session::{Csrf, Session};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::config::node::At;
use tandem_merge::config::written::{Reader, Table, Written, root};
use tandem_merge::config::{Problem, Problems, schema_of};
use tandem_merge::value::Value;
use template::Template;
use times::Span;

/// How an ERP's interface is read and written: a file that was read and found right.
#[derive(Clone, Debug)]
pub struct Description {
    pub(super) name: String,
    pub(super) base: String,
    /// A slash, where the base is written with one at its end.
    pub(super) slash: &'static str,
    pub(super) session: Option<Session>,
    pub(super) csrf: Option<Csrf>,
    pub(super) headers: Table<At<Template>>,
    pub(super) identity: Option<IdentityText>,
    pub(super) errors: Option<ErrorsText>,
    pub(super) limits: Option<LimitsText>,
    request_deadline: Option<Span>,
    pub(super) batch: Option<BatchText>,
    pub(super) types: BTreeMap<String, Arc<Type>>,
    secrets: BTreeSet<String>,
}

/// One record type, with the defaults filled in.
#[derive(Clone, Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) collection: String,
    pub(super) record: RecordText,
    /// The members of its id.
    pub(super) key: Vec<Part>,
    /// The language of filters and keys.
    pub(super) language: Option<Language>,
    pub(super) list: ListText,
    pub(super) changes: Option<ChangesText>,
    pub(super) deletions: Option<DeletionsText>,
    pub(super) read: Option<ReadText>,
    pub(super) find: Option<FindText>,
    pub(super) create: Option<CreateText>,
    pub(super) update: Option<UpdateText>,
    pub(super) delete: Option<DeleteText>,
    pub(super) actions: Vec<ActionText>,
    pub(super) push: Option<PushText>,
    pub(super) compare_every: Option<Span>,
    pub(super) properties: BTreeMap<String, Property>,
    /// How times of the record itself are written.
    pub(super) moments: Form,
    /// What its own holes stand for.
    pub(super) fill: BTreeMap<String, Json>,
    /// Its records stand inside others.
    pub(super) inside: Option<Inside>,
}

impl Type {
    /// The links for changes show what was removed.
    pub(super) fn tells_by_links(&self) -> bool {
        let delta = self.changes.as_ref().and_then(|changes| changes.delta.as_ref());
        delta.is_some_and(|delta| {
            delta
                .value
                .removed
                .as_ref()
                .is_some_and(|marks| !marks.is_empty())
        })
    }
}

/// One property.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) data_type: DataType,
    pub(super) at: Place,
    pub(super) write_at: Place,
    pub(super) required: bool,
    pub(super) unique: bool,
    pub(super) read_only: bool,
    pub(super) create_only: bool,
    pub(super) filled: bool,
    pub(super) optional: bool,
    pub(super) form: Form,
    pub(super) computed: Option<Computed>,
}

/// How a property is computed from a record, and back.
#[derive(Clone, Debug)]
pub(super) struct Computed {
    /// The members of a record that its samples show: those that it is computed from.
    pub(super) members: Vec<String>,
    pub(super) read: Expression,
    pub(super) write: Vec<(Place, Expression)>,
}

impl Property {
    /// Puts a value into a body, as the ERP takes it.
    ///
    /// # Errors
    /// It cannot be computed.
    pub(super) fn put(&self, body: &mut Json, value: &Value) -> Result<(), String> {
        let Some(computed) = &self.computed else {
            self.write_at
                .put(body, self.form.encode(self.data_type.kind, value));
            return Ok(());
        };
        let given = self.form.bare(self.data_type.kind, value);
        for (place, expression) in &computed.write {
            place.put(body, expression.value(&given)?);
        }
        Ok(())
    }

    /// What an item shows of it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn shown(&self, item: &Json) -> Result<Value, String> {
        if let Some(computed) = &self.computed {
            let found = computed.read.value(item)?;
            return self.form.decode(&self.data_type, Some(&found));
        }
        match self.at.of(item) {
            None if self.optional => Ok(Value::Blank),
            shown => self.form.decode(&self.data_type, shown),
        }
    }
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place and what to write instead.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let read = root(file, text, &mut problems).and_then(|mut root| {
            let systems = systems();
            let mut reader = Reader {
                systems: &systems,
                file,
                problems: &mut problems,
            };
            dialect::lay(&mut root, &mut reader)?;
            let text = DescriptionText::read(&root, &mut reader)?;
            Some(check::checked(text, &root, &mut reader))
        });
        let mut problems = problems.into_sorted();
        // What is wrong under `defaults` may be wrong for each record type.
        problems.dedup();
        match read {
            Some(description) if problems.is_empty() => Ok(description),
            _ => Err(problems),
        }
    }

    /// What the ERP is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same without what is not to be relied on: record types whose `find` is not used, so that all records are looked
    /// through instead, and those whose `changes` are not, so that all are compared.
    #[must_use]
    pub fn without(mut self, find: &BTreeSet<String>, changes: &BTreeSet<String>) -> Self {
        for (name, of) in &mut self.types {
            if find.contains(name) {
                Arc::make_mut(of).find = None;
            }
            if changes.contains(name) {
                Arc::make_mut(of).changes = None;
            }
        }
        self
    }

    /// How long the ERP may work on a request, where the description says.
    #[must_use]
    pub fn request_deadline(&self) -> Option<SignedDuration> {
        self.request_deadline.map(|span| span.0)
    }

    /// The record types that it describes.
    pub fn record_types(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// The properties of a record type; none where it does not describe it.
    pub fn properties(&self, record_type: &str) -> Option<impl Iterator<Item = &str>> {
        let of = self.types.get(record_type)?;
        Some(of.properties.keys().map(String::as_str))
    }

    /// The names of the secrets that it asks for.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }
}

/// The JSON Schema of a description, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_of::<DescriptionText>(&systems())
}

/// No key of a description speaks of a side.
fn systems() -> [String; 2] {
    ["first".to_owned(), "second".to_owned()]
}
