//! What the description of a folder says: which file holds which records, and how its cells are read.

use super::letters::Letters;
use super::pending::Action;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tandem_merge::config::node::At;
use tandem_merge::config::written::{Reader, Table, Written, root};
use tandem_merge::config::{Problem, Problems, suggestion};
use tandem_merge::written;

written! {
    /// A folder with the files of a system.
    struct FolderText {
        /// The name of the system that never changes: a state belongs to it.
        system: At<String>,
        /// A name for people. Absent: that name.
        name: Option<String>,
        /// Where the ERP imports from. Absent: its exports are written into.
        write_to: Option<At<ResultsText>>,
        /// The record types by name, each in a file of its own.
        record_types: At<Table<At<RecordsText>>>,
    }
}

written! {
    /// Files of their own for what is written, which the ERP imports and takes away.
    struct ResultsText {
        /// The folder that it imports from, as seen from the folder of its exports.
        folder: At<String>,
        /// The folder that it moves files to which it does not import. Absent: it imports all that it takes away.
        refused: Option<At<String>>,
        /// The column that says what is to be done (`action` if absent).
        action: Option<At<String>>,
        /// What stands there for a new record (`create` if absent).
        create: Option<At<String>>,
        /// What stands there for a change (`update` if absent).
        update: Option<At<String>>,
        /// What stands there for a deletion (`delete` if absent).
        delete: Option<At<String>>,
    }
}

written! {
    /// The records of one type.
    struct RecordsText {
        /// Their file in the folder: `.csv`, `.tsv` or `.jsonl`.
        file: At<String>,
        /// The column with a record's id.
        id: At<String>,
        /// How the id of a record is made that Tandem creates: `number` (one more than the largest), `uuid`, or `erp`: the ERP gives it.
        /// Absent: none are created.
        new_id: Option<At<String>>,
        /// With `new_id: erp`: the column that Tandem puts a key of its own into, and that the export shows again.
        key: Option<At<String>>,
        /// The column with the time of the last change, where there is one. Absent: a row may have changed until the file did.
        modified: Option<At<String>>,
        /// The zone of times without one, such as `Europe/Berlin` (`UTC` if absent).
        zone: Option<At<String>>,
        /// How its letters are written, such as `windows-1250`, `iso-8859-15`, `cp850` or `utf-16le`. A byte order mark counts before it. Absent:
        /// it is found out.
        encoding: Option<At<String>>,
        /// What stands between two cells. Absent: it is found out.
        separator: Option<At<String>>,
        /// The sign before the decimals of a number (`.` if absent).
        decimal: Option<At<String>>,
        /// The file is never written (`false` if absent).
        read_only: Option<bool>,
        /// A record that is not in the file any more was deleted (`deleted`), or is out of sight and a person decides (`ask`, if
        /// absent).
        absent: Option<At<String>>,
        /// A file that changed less than this ago may still be being written (`2s` if absent).
        settle: Option<At<String>>,
        /// The properties by name: the column, or a table that says more.
        properties: At<Table<PropertyText>>,
    }
}

written! {
    /// A property in a column.
    struct ColumnText {
        /// The column.
        column: At<String>,
        /// The type: string, integer, decimal, boolean, date, datetime (`string` if absent).
        r#type: Option<At<String>>,
        /// How a date or a moment is written, such as `%d.%m.%Y`. Absent: as `2026-01-31` and `2026-01-31T12:00:00Z`.
        format: Option<At<String>>,
        /// How yes is written (`true` if absent).
        yes: Option<String>,
        /// How no is written (`false` if absent).
        no: Option<String>,
        /// The record type that it refers to.
        references: Option<At<String>>,
        /// It must not be blank.
        required: Option<bool>,
        /// No two records have the same.
        unique: Option<bool>,
        /// It is never written.
        read_only: Option<bool>,
        /// The longest text, in characters.
        max_length: Option<u32>,
    }
}

/// A column's name, or a table that says more.
#[derive(Clone, Debug)]
enum PropertyText {
    Name(At<String>),
    Column(Box<At<ColumnText>>),
}

impl Written for PropertyText {
    fn read(node: &tandem_merge::config::node::Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            tandem_merge::config::node::Content::Table(_) => {
                At::read(node, reader).map(|it| Self::Column(Box::new(it)))
            }
            _ => At::read(node, reader).map(Self::Name),
        }
    }
}

impl schemars::JsonSchema for PropertyText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Property".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (name, column) = (
            generator.subschema_for::<String>(),
            generator.subschema_for::<ColumnText>(),
        );
        schemars::json_schema!({ "anyOf": [name, column] })
    }
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub(super) system: String,
    pub(super) name: String,
    pub(super) results: Option<Results>,
    pub(super) records: BTreeMap<String, Records>,
}

/// Where what is written goes, and what says so in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) folder: String,
    pub(super) refused: Option<String>,
    pub(super) action: String,
    words: [String; 3],
}

impl Results {
    /// What stands for an action.
    pub(super) fn word(&self, action: Action) -> &str {
        let [create, update, delete] = &self.words;
        match action {
            Action::Create => create,
            Action::Update => update,
            Action::Delete => delete,
        }
    }
}

/// The records of one type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Records {
    pub(super) name: String,
    pub(super) file: String,
    /// The file holds lines of JSON; else cells.
    pub(super) json: bool,
    pub(super) id: String,
    pub(super) new_id: Option<NewId>,
    /// The column with a key of Tandem's own, by which records go that it created.
    pub(super) key: Option<String>,
    /// Where what is written goes; none: into the file.
    pub(super) results: Option<Results>,
    pub(super) modified: Option<String>,
    pub(super) zone: TimeZone,
    pub(super) encoding: Option<Letters>,
    pub(super) separator: Option<u8>,
    pub(super) decimal_comma: bool,
    pub(super) read_only: bool,
    pub(super) absent_is_deleted: bool,
    pub(super) settle: Duration,
    pub(super) properties: BTreeMap<String, Column>,
}

/// How ids are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    Number,
    Uuid,
    /// By the ERP.
    Erp,
}

/// A property in a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) column: String,
    pub(super) data_type: String,
    pub(super) format: Option<String>,
    pub(super) yes: String,
    pub(super) no: String,
    pub(super) references: Option<String>,
    pub(super) required: bool,
    pub(super) unique: bool,
    pub(super) read_only: bool,
    pub(super) max_length: Option<usize>,
}

/// The JSON Schema of a folder's description, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    tandem_merge::config::schema_of::<FolderText>(&NAMES)
}

/// Nothing in a description goes by the names of the two systems.
const NAMES: [String; 2] = [String::new(), String::new()];
const TYPES: [&str; 6] = ["string", "integer", "decimal", "boolean", "date", "datetime"];

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// All its problems, each with its place and what to write instead.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let read = root(file, text, &mut problems).and_then(|node| {
            let systems = ["first", "second"].map(str::to_owned);
            FolderText::read(
                &node,
                &mut Reader {
                    systems: &systems,
                    file,
                    problems: &mut problems,
                },
            )
        });
        let built = read.map(|text| {
            Building {
                file,
                problems: &mut problems,
            }
            .description(&text)
        });
        let problems = problems.into_sorted();
        match built {
            Some(description) if problems.is_empty() => Ok(description),
            _ => Err(problems),
        }
    }

    /// The names of its record types.
    pub fn record_types(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }
}

struct Building<'a> {
    file: &'a str,
    problems: &'a mut Problems,
}

impl Building<'_> {
    fn problem<T>(&mut self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.add(self.file, at, message, help);
    }

    fn description(&mut self, text: &FolderText) -> Description {
        let types: BTreeSet<&str> = text.record_types.value.keys().collect();
        if types.is_empty() {
            self.problem(
                &text.record_types,
                "no record type stands here",
                "Write `NAME: { file: ..., id: ..., properties: ... }`.",
            );
        }
        let results = text.write_to.as_ref().map(|written| self.results(&written.value));
        let mut records = BTreeMap::new();
        for (name, written) in &text.record_types.value.0 {
            let mut built = self.records(name, &written.value, &types);
            built.results.clone_from(&results);
            self.creates(&written.value, &built);
            records.insert(name.value.clone(), built);
        }
        Description {
            system: text.system.value.clone(),
            name: text.name.clone().unwrap_or_else(|| text.system.value.clone()),
            results,
            records,
        }
    }

    fn results(&mut self, text: &ResultsText) -> Results {
        let said = |written: &Option<At<String>>, usual: &str| {
            written
                .as_ref()
                .map_or_else(|| usual.to_owned(), |it| it.value.clone())
        };
        let words = [
            (&text.create, "create"),
            (&text.update, "update"),
            (&text.delete, "delete"),
        ];
        let words = words.map(|(written, usual)| said(written, usual));
        if words.iter().collect::<BTreeSet<_>>().len() < words.len() {
            self.problem(
                &text.folder,
                "two actions have the same word",
                "Write three different words after `create:`, `update:` and `delete:`.",
            );
        }
        for (folder, other) in [
            (Some(&text.folder), None),
            (text.refused.as_ref(), Some(&text.folder)),
        ] {
            let Some(folder) = folder else { continue };
            let plain = |path: &str| path.trim_end_matches('/').trim_start_matches("./").to_owned();
            let own = plain(&folder.value);
            if own.is_empty() || own == "." || other.is_some_and(|other| plain(&other.value) == own) {
                self.problem(
                    folder,
                    "exports, results and what is refused cannot lie in one folder",
                    "Write a folder of its own, such as `../import`.",
                );
            }
        }
        Results {
            folder: text.folder.value.clone(),
            refused: text.refused.as_ref().map(|it| it.value.clone()),
            action: said(&text.action, "action"),
            words,
        }
    }

    /// Whether it can be known what becomes of a record that is created, where the ERP imports it later.
    fn creates(&mut self, text: &RecordsText, built: &Records) {
        if let Some(results) = &built.results
            && (results.action == built.id
                || built
                    .properties
                    .values()
                    .any(|column| column.column == results.action))
        {
            self.problem(
                &text.id,
                format!(
                    "`{}` is a column of the export and says what is to be done",
                    results.action
                ),
                "Write another name after `action:` below `write_to:`.",
            );
        }
        if let Some(key) = &text.key
            && (key.value == built.id
                || built.properties.values().any(|column| column.column == key.value)
                || built.new_id != Some(NewId::Erp))
        {
            self.problem(
                key,
                format!("`{}` cannot be the key of what Tandem creates", key.value),
                "Write a column that nothing else is written to, with `new_id: erp`.",
            );
        }
        let Some(new_id) = &text.new_id else { return };
        match (&built.results, built.new_id) {
            (None, Some(NewId::Erp)) => self.problem(
                new_id,
                "a row that is written into the export has no id of the ERP",
                "Write `number` or `uuid`, or say after `write_to:` where the ERP imports from.",
            ),
            (Some(_), Some(NewId::Number)) => self.problem(
                new_id,
                "the ERP may give a number to somebody else before it imports the file",
                "Write `erp`, and a `key:` that its export shows again; or `uuid`, where it takes ids as they come.",
            ),
            (Some(_), Some(NewId::Erp)) if text.key.is_none() => self.problem(
                new_id,
                "nobody could tell which record of the ERP is the one that was created",
                "Add `key: COLUMN`, a column that the ERP imports and its export shows again.",
            ),
            _ => {}
        }
    }

    fn records(&mut self, name: &At<String>, text: &RecordsText, types: &BTreeSet<&str>) -> Records {
        let file = &text.file;
        let ending = file.value.rsplit_once('.').map_or("", |(_, ending)| ending);
        if !["csv", "tsv", "txt", "jsonl"].contains(&ending) {
            self.problem(
                file,
                format!("`{}` is no file of cells or lines", file.value),
                "Write a file that ends with .csv, .tsv, .txt or .jsonl.",
            );
        }
        if file.value.contains(['/', '\\']) || file.value.starts_with('.') {
            self.problem(
                file,
                format!("`{}` is not in the folder itself", file.value),
                "Write the file's name alone.",
            );
        }
        let word = |building: &mut Self, text: &Option<At<String>>, words: &[&str]| -> Option<String> {
            let written = text.as_ref()?;
            if !words.contains(&written.value.as_str()) {
                building.problem(
                    written,
                    format!("`{}` is none of the words here", written.value),
                    suggestion(&written.value, words.iter().copied()),
                );
            }
            Some(written.value.clone())
        };
        let new_id = word(self, &text.new_id, &["number", "uuid", "erp"]).map(|it| match it.as_str() {
            "uuid" => NewId::Uuid,
            "erp" => NewId::Erp,
            _ => NewId::Number,
        });
        let absent = word(self, &text.absent, &["deleted", "ask"]);
        let decimal = word(self, &text.decimal, &[".", ","]);
        let separator = text
            .separator
            .as_ref()
            .and_then(|written| match written.value.as_bytes() {
                [one] => Some(*one),
                _ if written.value == "tab" => Some(b'\t'),
                _ => {
                    self.problem(
                        written,
                        format!("`{}` cannot stand between cells", written.value),
                        "Write one ASCII character, or `tab`.",
                    );
                    None
                }
            });
        let properties = text
            .properties
            .value
            .0
            .iter()
            .map(|(name, written)| (name, self.column(written, types)));
        let properties: Vec<(&At<String>, Column)> = properties.collect();
        self.once(name, &properties);
        Records {
            name: name.value.clone(),
            file: file.value.clone(),
            json: ending == "jsonl",
            id: text.id.value.clone(),
            new_id,
            key: text.key.as_ref().map(|it| it.value.clone()),
            results: None,
            modified: text.modified.as_ref().map(|it| it.value.clone()),
            zone: self.zone(text.zone.as_ref()),
            encoding: text.encoding.as_ref().and_then(|name| self.encoding(name)),
            separator: separator.or((ending == "tsv").then_some(b'\t')),
            decimal_comma: decimal.as_deref() == Some(","),
            read_only: text.read_only.unwrap_or(false),
            absent_is_deleted: absent.as_deref() == Some("deleted"),
            settle: self.settle(text.settle.as_ref()),
            properties: properties
                .into_iter()
                .map(|(name, column)| (name.value.clone(), column))
                .collect(),
        }
    }

    /// Two properties in one column would be written over each other.
    fn once(&mut self, of: &At<String>, properties: &[(&At<String>, Column)]) {
        if properties.is_empty() {
            self.problem(
                of,
                format!("{} has no properties", of.value),
                "Add `properties: { NAME: COLUMN }`.",
            );
        }
        let mut columns = BTreeMap::new();
        for (name, column) in properties {
            if let Some(other) = columns.insert(&column.column, &name.value) {
                self.problem(
                    name,
                    format!("`{}` is in the column of `{other}`", name.value),
                    "Give each property a column of its own.",
                );
            }
        }
    }

    fn column(&mut self, text: &PropertyText, types: &BTreeSet<&str>) -> Column {
        let written = match text {
            PropertyText::Name(name) => return Column::plain(&name.value),
            PropertyText::Column(written) => &written.value,
        };
        let data_type = written.r#type.as_ref();
        if let Some(unknown) = data_type.filter(|it| !TYPES.contains(&it.value.as_str())) {
            self.problem(
                unknown,
                format!("unknown type `{}`", unknown.value),
                suggestion(&unknown.value, TYPES),
            );
        }
        if let Some(unknown) = written
            .references
            .as_ref()
            .filter(|it| !types.contains(it.value.as_str()))
        {
            self.problem(
                unknown,
                format!("no record type is called `{}`", unknown.value),
                suggestion(&unknown.value, types.iter().copied()),
            );
        }
        let data_type = match (&written.references, data_type) {
            (Some(_), _) => "reference".to_owned(),
            (None, Some(data_type)) => data_type.value.clone(),
            (None, None) => "string".to_owned(),
        };
        if let Some(format) = &written.format {
            let sample = jiff::civil::date(2026, 1, 31).at(12, 30, 0, 0);
            let shown = jiff::fmt::strtime::format(&format.value, sample);
            if shown.is_err() || !["date", "datetime"].contains(&data_type.as_str()) {
                self.problem(
                    format,
                    format!("`{}` says not how a day or a moment is written", format.value),
                    "Write a format such as `%d.%m.%Y`, for a type `date` or `datetime`.",
                );
            }
        }
        if written.yes.is_some() && written.yes == written.no {
            self.problem(
                &written.column,
                "yes and no are written alike",
                "Write two different texts after `yes:` and `no:`.",
            );
        }
        Column {
            data_type,
            format: written.format.as_ref().map(|it| it.value.clone()),
            yes: written.yes.clone().unwrap_or_else(|| "true".to_owned()),
            no: written.no.clone().unwrap_or_else(|| "false".to_owned()),
            references: written.references.as_ref().map(|it| it.value.clone()),
            required: written.required.unwrap_or(false),
            unique: written.unique.unwrap_or(false),
            read_only: written.read_only.unwrap_or(false),
            max_length: written.max_length.map(|length| length as usize),
            ..Column::plain(&written.column.value)
        }
    }

    fn encoding(&mut self, name: &At<String>) -> Option<Letters> {
        let known = Letters::named(&name.value);
        if known.is_none() {
            self.problem(
                name,
                format!("no file is read that is written in `{}`", name.value),
                "Write the name of an encoding, such as `utf-8`, `windows-1250`, `iso-8859-15`, `cp850` or `utf-16le`.",
            );
        }
        known
    }

    fn zone(&mut self, text: Option<&At<String>>) -> TimeZone {
        let Some(text) = text else { return TimeZone::UTC };
        TimeZone::get(&text.value).unwrap_or_else(|_| {
            self.problem(
                text,
                format!("`{}` is no zone", text.value),
                "Write a zone such as `Europe/Berlin`, or `UTC`.",
            );
            TimeZone::UTC
        })
    }

    fn settle(&mut self, text: Option<&At<String>>) -> Duration {
        let usual = Duration::from_secs(2);
        let Some(text) = text else { return usual };
        let span = text.value.parse::<jiff::SignedDuration>();
        span.ok()
            .and_then(|span| Duration::try_from(span).ok())
            .unwrap_or_else(|| {
                self.problem(
                    text,
                    format!("`{}` is no length of time", text.value),
                    "Write a number with `s` or `m`, such as `5s`.",
                );
                usual
            })
    }
}

impl Column {
    fn plain(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            data_type: "string".to_owned(),
            format: None,
            yes: "true".to_owned(),
            no: "false".to_owned(),
            references: None,
            required: false,
            unique: false,
            read_only: false,
            max_length: None,
        }
    }
}
