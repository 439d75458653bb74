//! The description of an ERP's database, checked.

use super::schema::Misfit;
use super::words::{call, chosen, duration, identifier, table, texts, zone};
use super::written::{FileText, OrTable, PropertyText, RecordText};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use tandem_merge::config::node::At;
use tandem_merge::config::written::{Reader, Written, root};
use tandem_merge::config::{Problem, Problems, schema_of, suggestion};

/// How an ERP's database is read and written.
#[derive(Clone, Debug)]
pub struct Description {
    /// The file that it stands in.
    pub(super) file: String,
    pub(super) records: BTreeMap<String, Record>,
    pub(super) zone: TimeZone,
    /// The zone is one that is written there.
    pub(super) names_zone: bool,
    pub(super) channel: Option<String>,
    pub(super) change_table: Option<TableName>,
}

/// A table or view, with its schema where one is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TableName {
    pub(super) schema: Option<String>,
    pub(super) name: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// A record type.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) table: TableName,
    pub(super) key: Vec<String>,
    pub(super) modified: Option<Modified>,
    pub(super) version: Option<Counter>,
    pub(super) deleted: Option<Deleted>,
    pub(super) created: Option<String>,
    pub(super) author: Option<String>,
    pub(super) changes: Changes,
    pub(super) compare_every: Option<SignedDuration>,
    pub(super) absent: Option<Absent>,
    pub(super) properties: BTreeMap<String, Property>,
    pub(super) hide: Vec<String>,
    pub(super) read_only: bool,
    pub(super) write_to: Option<TableName>,
    pub(super) calls: Calls,
    /// Where the names of its tables and columns stand in the file.
    places: BTreeMap<String, At<()>>,
}

impl Record {
    /// What does not fit the database, with the place of the name that is at fault.
    pub(super) fn told(&self, file: &str, misfit: Misfit) -> String {
        match misfit.name.and_then(|name| self.places.get(&name)) {
            Some(at) => format!("{file}:{}:{}: {}", at.line, at.column, misfit.sentence),
            None => misfit.sentence,
        }
    }
}

/// The column of the last change; of several the first that is not null.
#[derive(Clone, Debug)]
pub(super) struct Modified {
    pub(super) columns: Vec<String>,
    pub(super) zone: Option<TimeZone>,
    pub(super) granularity: SignedDuration,
    pub(super) set: bool,
}

/// The column that counts the changes.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub(super) column: String,
    pub(super) set: bool,
}

/// What marks a deleted record.
#[derive(Clone, Debug)]
pub(super) struct Deleted {
    pub(super) column: String,
    pub(super) is: Option<String>,
}

/// How changes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Modified,
    ChangeTable,
    Comparison,
}

/// What a record is that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    Deleted,
    OutOfSight,
}

/// A property of which more is known than its column.
#[derive(Clone, Debug, Default)]
pub(super) struct Property {
    pub(super) column: String,
    /// The others of a reference over several columns.
    pub(super) more: Vec<String>,
    pub(super) references: Option<String>,
    pub(super) values: Vec<String>,
    pub(super) data_type: Option<String>,
    pub(super) read_only: bool,
    pub(super) blank_is_empty: bool,
    pub(super) find: Find,
}

/// How records are looked up by a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Find {
    Exact,
    #[default]
    IgnoreCase,
    Loose,
}

/// Procedures that write.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    pub(super) create: Option<Call>,
    pub(super) update: Option<Call>,
    pub(super) delete: Option<Call>,
}

/// A procedure with the properties that it is given.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) procedure: TableName,
    pub(super) given: Vec<String>,
}

/// The types of properties as a description may name them.
pub(super) const DATA_TYPES: [&str; 8] = [
    "string",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "unix_seconds",
    "unix_milliseconds",
];

impl Description {
    /// Reads a description. Nothing is asked of a database.
    ///
    /// # Errors
    /// All problems at once, each with its place and what to write instead.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let described = root(file, text, &mut problems).and_then(|node| {
            let systems = ["erp".to_owned(), "crm".to_owned()];
            let mut reader = Reader {
                systems: &systems,
                file,
                problems: &mut problems,
            };
            let text = FileText::read(&node, &mut reader)?;
            Some(checked(
                text,
                &At {
                    value: (),
                    ..node.with(())
                },
                &mut reader,
            ))
        });
        let problems = problems.into_sorted();
        match described {
            Some(described) if problems.is_empty() => Ok(described),
            _ => Err(problems),
        }
    }

    /// The record types that are described, in order.
    #[must_use]
    pub fn record_types(&self) -> Vec<String> {
        self.records.keys().cloned().collect()
    }
}

/// The JSON Schema of a description, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schema_of::<FileText>(&["erp".to_owned(), "crm".to_owned()])
}

fn checked(text: FileText, root: &At<()>, reader: &mut Reader<'_>) -> Description {
    if text.record_types.0.is_empty() {
        reader.problem(
            root,
            "no record type is described",
            "Add one under `record_types:`, with its `table:` and `key:`.",
        );
    }
    let names: Vec<String> = text.record_types.keys().map(str::to_owned).collect();
    let change_table = text.change_table.as_ref().and_then(|name| table(name, reader));
    let zone = text.zone.as_ref().and_then(|name| zone(name, reader));
    let channel = text.channel.as_ref().and_then(|name| identifier(name, reader));
    let has_table = text.change_table.is_some();
    let mut records = BTreeMap::new();
    for (name, record) in &text.record_types.0 {
        if records
            .insert(name.value.clone(), one(record, &names, has_table, reader))
            .is_some()
        {
            let message = format!("the record type `{}` stands here twice", name.value);
            reader.problem(name, message, "Write all of it in one place.");
        }
    }
    Description {
        file: reader.file.to_owned(),
        records: records
            .into_iter()
            .filter_map(|(name, record)| Some((name, record?)))
            .collect(),
        names_zone: zone.is_some(),
        zone: zone.unwrap_or(TimeZone::UTC),
        channel,
        change_table,
    }
}

fn one(at: &At<RecordText>, names: &[String], change_table: bool, reader: &mut Reader<'_>) -> Option<Record> {
    let text = &at.value;
    let properties = text.properties.iter().flat_map(|all| &all.0);
    let properties: BTreeMap<String, Property> = properties
        .map(|(name, property)| (name.value.clone(), property_of(property, names, reader)))
        .collect();
    if text.key.0.is_empty() {
        reader.problem(
            at,
            "`key` names no column",
            "Write `key: column`, or a list of columns.",
        );
    }
    let changes = changes(at, change_table, reader);
    let absent = text.absent.as_ref().and_then(|word| {
        let choices = [("deleted", Absent::Deleted), ("out_of_sight", Absent::OutOfSight)];
        chosen(word, &choices, reader)
    });
    let write = text.write.as_ref();
    let read_only = write.and_then(|word| chosen(word, &[("allow", false), ("read_only", true)], reader));
    Some(Record {
        places: places(text),
        table: table(&text.table, reader)?,
        key: texts(&text.key.0),
        modified: modified(text, reader),
        version: text.version.as_ref().map(|version| match version {
            OrTable::Name(name) => Counter {
                column: name.value.clone(),
                set: false,
            },
            OrTable::Table(more) => Counter {
                column: more.column.value.clone(),
                set: more.set.unwrap_or_default(),
            },
        }),
        deleted: text.deleted.as_ref().map(|deleted| match deleted {
            OrTable::Name(name) => Deleted {
                column: name.value.clone(),
                is: None,
            },
            OrTable::Table(more) => Deleted {
                column: more.column.value.clone(),
                is: more.is.as_ref().map(|is| is.value.clone()),
            },
        }),
        created: text.created.as_ref().map(|name| name.value.clone()),
        author: text.author.as_ref().map(|name| name.value.clone()),
        changes: changes.unwrap_or(Changes::Comparison),
        compare_every: text
            .compare_every
            .as_ref()
            .and_then(|every| duration(every, reader)),
        absent,
        properties,
        hide: texts(text.hide.as_deref().unwrap_or_default()),
        read_only: read_only.unwrap_or_default(),
        write_to: text.write_to.as_ref().and_then(|name| table(name, reader)),
        calls: Calls {
            create: text.create.as_ref().and_then(|text| call(text, reader)),
            update: text.update.as_ref().and_then(|text| call(text, reader)),
            delete: text.delete.as_ref().and_then(|text| call(text, reader)),
        },
    })
}

/// Where the names of tables and columns stand.
fn places(text: &RecordText) -> BTreeMap<String, At<()>> {
    let modified = text.modified.iter().flat_map(|modified| match modified {
        OrTable::Name(name) => std::slice::from_ref(name),
        OrTable::Table(more) => &more.column.0,
    });
    let version = text.version.iter().map(|version| match version {
        OrTable::Name(name) => name,
        OrTable::Table(more) => &more.column,
    });
    let deleted = text.deleted.iter().map(|deleted| match deleted {
        OrTable::Name(name) => name,
        OrTable::Table(more) => &more.column,
    });
    let properties = text.properties.iter().flat_map(|all| &all.0);
    let properties = properties.flat_map(|(_, property)| match property {
        OrTable::Name(name) => std::slice::from_ref(name),
        OrTable::Table(more) => &more.column.0,
    });
    let tables = std::iter::once(&text.table).chain(&text.write_to);
    let columns = text.key.0.iter().chain(modified).chain(version).chain(deleted);
    let columns = columns.chain(&text.created).chain(&text.author).chain(properties);
    let mut places = BTreeMap::new();
    for name in tables.chain(columns) {
        places.entry(name.value.clone()).or_insert_with(|| name.with(()));
    }
    places
}

fn modified(text: &RecordText, reader: &mut Reader<'_>) -> Option<Modified> {
    let plain = |columns| Modified {
        columns,
        zone: None,
        granularity: SignedDuration::ZERO,
        set: false,
    };
    Some(match text.modified.as_ref()? {
        OrTable::Name(name) => plain(vec![name.value.clone()]),
        OrTable::Table(more) => Modified {
            zone: more.zone.as_ref().and_then(|name| zone(name, reader)),
            granularity: more
                .granularity
                .as_ref()
                .and_then(|text| duration(text, reader))
                .unwrap_or_default(),
            set: more.set.unwrap_or_default(),
            ..plain(texts(&more.column.0))
        },
    })
}

fn changes(at: &At<RecordText>, change_table: bool, reader: &mut Reader<'_>) -> Option<Changes> {
    let text = &at.value;
    let Some(word) = &text.changes else {
        return Some(if text.modified.is_some() {
            Changes::Modified
        } else {
            Changes::Comparison
        });
    };
    let choices = [
        ("modified", Changes::Modified),
        ("change_table", Changes::ChangeTable),
        ("comparison", Changes::Comparison),
    ];
    let changes = chosen(word, &choices, reader)?;
    if changes == Changes::Modified && text.modified.is_none() {
        reader.problem(
            word,
            "no column says when a record was changed",
            "Add `modified: column`, or write `changes: comparison`.",
        );
    }
    if changes == Changes::ChangeTable && !change_table {
        reader.problem(
            word,
            "there is no change table",
            "Add `change_table: tandem_changes` at the top of the file.",
        );
    }
    Some(changes)
}

fn property_of(text: &OrTable<PropertyText>, names: &[String], reader: &mut Reader<'_>) -> Property {
    let more = match text {
        OrTable::Name(name) => {
            return Property {
                column: name.value.clone(),
                ..Property::default()
            };
        }
        OrTable::Table(more) => more,
    };
    if let Some(to) = more.references.as_ref().filter(|to| !names.contains(&to.value)) {
        let help = suggestion(&to.value, names.iter().map(String::as_str));
        reader.problem(to, format!("no record type `{}` is described", to.value), help);
    }
    if let Some(of) = more
        .r#type
        .as_ref()
        .filter(|of| !DATA_TYPES.contains(&of.value.as_str()))
    {
        reader.problem(
            of,
            format!("unknown type `{}`", of.value),
            suggestion(&of.value, DATA_TYPES),
        );
    }
    let mut columns = texts(&more.column.0).into_iter();
    let column = columns.next().unwrap_or_default();
    let others: Vec<String> = columns.collect();
    if let (Some(second), None) = (more.column.0.get(1), &more.references) {
        reader.problem(
            second,
            "several columns together are a property only where they name a record",
            "Add `references: RecordType`, or write a property for each column.",
        );
    }
    let find = [
        ("exact", Find::Exact),
        ("ignore_case", Find::IgnoreCase),
        ("loose", Find::Loose),
    ];
    let blank = [("null", false), ("empty", true)];
    Property {
        column,
        more: others,
        references: more.references.as_ref().map(|to| to.value.clone()),
        values: texts(more.values.as_deref().unwrap_or_default()),
        data_type: more.r#type.as_ref().map(|of| of.value.clone()),
        read_only: more.read_only.unwrap_or_default(),
        blank_is_empty: more
            .blank
            .as_ref()
            .and_then(|word| chosen(word, &blank, reader))
            .unwrap_or_default(),
        find: more
            .find
            .as_ref()
            .and_then(|word| chosen(word, &find, reader))
            .unwrap_or_default(),
    }
}
