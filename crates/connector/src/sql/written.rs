//! What stands in the file of a description, as it is declared. [`super::description`] checks it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Table, Written};
use tandem_merge::written;

written! {
    /// How an ERP's database is read and written.
    struct FileText {
        /// The time zone of dates with a time in columns that know none, such as `Europe/Oslo`. UTC where nothing is said.
        zone: Option<At<String>>,
        /// PostgreSQL: the channel of `NOTIFY` that wakes Tandem when something changed.
        channel: Option<At<String>>,
        /// The table that triggers write changes to, for the record types that say `changes: change_table`.
        change_table: Option<At<String>>,
        /// The record types by name.
        record_types: Table<At<RecordText>>,
    }
}

written! {
    /// One record type.
    struct RecordText {
        /// The table or view that it is read from, with its schema in front where it needs one: `sales.customers`.
        table: At<String>,
        /// The column, or the columns, that tell one record from all others and never change.
        key: OneOrMore,
        /// The column that says when a record was last changed.
        modified: Option<OrTable<ModifiedText>>,
        /// The column that changes with every change of a record: a whole number, a row version, or PostgreSQL's `xmin`.
        version: Option<OrTable<VersionText>>,
        /// The column that marks a record as deleted.
        deleted: Option<OrTable<DeletedText>>,
        /// The column that says when a record was created.
        created: Option<At<String>>,
        /// The column that names who changed a record last.
        author: Option<At<String>>,
        /// How changes are seen: `modified`, `change_table` or `comparison`.
        changes: Option<At<String>>,
        /// How often all records are compared, where changes or deletions are seen so: `1h`.
        compare_every: Option<At<String>>,
        /// Whether a record that is not there any more was deleted: `deleted`, or `out_of_sight` where rows may be hidden.
        absent: Option<At<String>>,
        /// Properties that are called otherwise than their columns, or of which more is to be said.
        properties: Option<Table<OrTable<PropertyText>>>,
        /// Columns that are no properties.
        hide: Option<Vec<At<String>>>,
        /// `allow`, or `read_only`.
        write: Option<At<String>>,
        /// The table or view that is written, where it is another one than is read.
        write_to: Option<At<String>>,
        /// The procedure that creates a record.
        create: Option<CallText>,
        /// The procedure that changes one.
        update: Option<CallText>,
        /// The procedure that deletes one.
        delete: Option<CallText>,
    }
}

written! {
    /// When a record was last changed.
    struct ModifiedText {
        /// The column; of several the first that is not null: `[changed_at, created_at]`.
        column: OneOrMore,
        /// Its time zone, where it knows none.
        zone: Option<At<String>>,
        /// How fine it is: `1s`, `1d`. Finer than a microsecond is none.
        granularity: Option<At<String>>,
        /// Tandem sets it with its own writes, for nothing else does.
        set: Option<bool>,
    }
}

written! {
    /// What changes with every change.
    struct VersionText {
        /// The column.
        column: At<String>,
        /// Tandem counts it up with its own writes, for nothing else does.
        set: Option<bool>,
    }
}

written! {
    /// What marks a deleted record.
    struct DeletedText {
        /// The column.
        column: At<String>,
        /// The value that marks it; none: any value but null, 0 and false.
        is: Option<At<String>>,
    }
}

written! {
    /// A property.
    struct PropertyText {
        /// Its column; of a reference to a record with several columns for a key as many, in the order of that key.
        column: OneOrMore,
        /// The record type whose key stands in it.
        references: Option<At<String>>,
        /// All values that it may have.
        values: Option<Vec<At<String>>>,
        /// Its type, where the database does not tell: string, integer, decimal, boolean, date, datetime.
        r#type: Option<At<String>>,
        /// It is never written.
        read_only: Option<bool>,
        /// What blank is in the database: `null`, or `empty` for an empty text.
        blank: Option<At<String>>,
        /// How records are looked up by it: `exact`, `ignore_case`, or `loose` for letters and digits alone.
        find: Option<At<String>>,
    }
}

written! {
    /// A procedure.
    struct CallText {
        /// Its name and the properties it is given, in order: `create_customer(name, country)`.
        call: At<String>,
    }
}

/// One name, or a list of them.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMore(pub(crate) Vec<At<String>>);

impl Written for OneOrMore {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::List(_) => Vec::read(node, reader).map(Self),
            _ => At::read(node, reader).map(|one| Self(vec![one])),
        }
    }
}

impl JsonSchema for OneOrMore {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }
        ] })
    }
}

/// A column's name alone, or a table that says more.
#[derive(Clone, Debug)]
pub(crate) enum OrTable<T> {
    Name(At<String>),
    Table(T),
}

impl<T: Written> Written for OrTable<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) => T::read(node, reader).map(Self::Table),
            _ => At::read(node, reader).map(Self::Name),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OrTable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("NameOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}
