//! Properties: their types, and how their values are written.

use super::place::Place;
use super::template::Body;
use super::words::words;
use crate::rest::language::Literal;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Scalar, Table, Written};
use tandem_merge::written;

/// A property: its type alone, or a table.
#[derive(Clone, Debug)]
pub(crate) struct PropertyText(pub(crate) PropertyTable);

written! {
    /// A property of a record type.
    struct PropertyTable {
        /// Its type: `string(80)`, `text`, `integer`, `decimal(18,2)`, `boolean`, `date`, `datetime`, `enum(a|b)`, `reference(Contact)`.
        r#type: At<DataType>,
        /// Where it stands in a record; where its name is, if nothing is said.
        at: Option<At<Place>>,
        /// Where it is written, if elsewhere.
        write_at: Option<At<Place>>,
        /// It is never blank.
        required: Option<At<bool>>,
        /// No two records share a value.
        unique: Option<bool>,
        /// It is never written.
        read_only: Option<At<bool>>,
        /// It is given when a record is created, and never changed.
        create_only: Option<At<bool>>,
        /// The ERP fills it in where nothing is given.
        filled: Option<bool>,
        /// Where it is not shown it is blank.
        optional: Option<bool>,
        /// How it is written: see `forms`.
        form: Option<FormText>,
        /// How it is computed from a record, and back.
        computed: Option<At<ComputedText>>,
    }
}

written! {
    /// A value that is computed, in both directions, with samples that prove it.
    struct ComputedText {
        /// The value, computed from the `record` that the ERP shows.
        read: At<String>,
        /// The members that are written, each computed from the `value`; without it the property is never written.
        write: Option<Table<At<String>>>,
        /// Records with the value that each shows.
        samples: Option<Vec<At<SampleText>>>,
    }
}

written! {
    /// A record and what is read from it.
    struct SampleText {
        /// The members that the record shows.
        record: Body,
        /// The value.
        value: Body,
    }
}

written! {
    /// How values are written in JSON.
    struct FormText {
        /// The form of dates, times and numbers; of texts that are times of a day (`time`) or UUIDs (`uuid`) alone.
        r#as: Option<At<String>>,
        /// The zone of times without one.
        zone: Option<At<String>>,
        /// The member that holds the value: `value` for `{"value": 5}`.
        wrap: Option<String>,
        /// What stands beside a value in a table: `{ __class__: Decimal }`.
        also: Option<Table<Scalar>>,
        /// References are shown as a list of id and name, and written as the id.
        pair: Option<At<bool>>,
        /// What means that nothing is there, besides `null`.
        blank: Option<Vec<Scalar>>,
        /// What is written for nothing; `null` where nothing is said.
        write_blank: Option<Scalar>,
        /// Codes are filled up to a length.
        pad: Option<PadText>,
        /// The ERP's own words for values.
        labels: Option<Table<String>>,
        /// How they are written in filters and addresses, where `filters` names the language of these.
        literal: Option<Literal>,
    }
}

written! {
    /// How codes are filled up.
    struct PadText {
        /// To so many characters.
        to: u32,
        /// With this one; a blank where nothing is said.
        with: Option<String>,
        /// On this side.
        side: Option<PadSide>,
    }
}

words! {
    /// A side of a text.
    enum PadSide {
        /// Before it.
        Left = "left",
        /// Behind it.
        Right = "right",
    }
}

/// A property's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataType {
    pub(crate) kind: DataKind,
    pub(crate) length: Option<usize>,
    pub(crate) precision: Option<u32>,
    pub(crate) scale: Option<u32>,
    pub(crate) values: Vec<String>,
    pub(crate) references: Option<String>,
}

/// The family of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DataKind {
    String,
    Integer,
    Decimal,
    Boolean,
    Date,
    DateTime,
    Enum,
    Reference,
}

impl DataKind {
    const WORDS: [(&'static str, Self); 9] = [
        ("string", Self::String),
        ("text", Self::String),
        ("integer", Self::Integer),
        ("decimal", Self::Decimal),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::DateTime),
        ("enum", Self::Enum),
        ("reference", Self::Reference),
    ];

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("string", |(word, _)| word)
    }

    /// The kind of that word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, kind)| *kind)
    }
}

impl DataType {
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let (word, inner) = match text.trim().split_once('(') {
            Some((word, inner)) => (word.trim(), inner.trim_end().strip_suffix(')')),
            None => (text.trim(), Some("")),
        };
        let words = DataKind::WORDS.map(|(word, _)| word);
        let kind =
            DataKind::of(word).ok_or_else(|| (format!("unknown type `{word}`"), suggestion(word, words)))?;
        let unfit = |help: &str| (format!("`{text}` cannot be read as a type"), help.to_owned());
        let inner = inner.ok_or_else(|| unfit("Close the parenthesis."))?.trim();
        let mut read = Self {
            kind,
            length: None,
            precision: None,
            scale: None,
            values: Vec::new(),
            references: None,
        };
        match kind {
            DataKind::String if !inner.is_empty() => {
                let length = inner.parse();
                read.length = Some(length.map_err(|_| unfit("Write the longest length: `string(80)`."))?);
            }
            DataKind::Decimal if !inner.is_empty() => {
                let help = "Write digits in all and behind the point: `decimal(18,2)`.";
                let (digits, scale) = inner.split_once(',').ok_or_else(|| unfit(help))?;
                read.precision = Some(digits.trim().parse().map_err(|_| unfit(help))?);
                read.scale = Some(scale.trim().parse().map_err(|_| unfit(help))?);
            }
            DataKind::Enum => read.values = inner.split('|').map(|word| word.trim().to_owned()).collect(),
            DataKind::Reference => read.references = Some(inner.to_owned()),
            _ if inner.is_empty() => {}
            _ => return Err(unfit("Nothing stands in parentheses behind this type.")),
        }
        if read.values.iter().any(String::is_empty) {
            return Err(unfit("Write its values: `enum(draft|confirmed)`."));
        }
        if read.references.as_deref() == Some("") {
            return Err(unfit(
                "Write the record type that it refers to: `reference(Contact)`.",
            ));
        }
        Ok(read)
    }
}

impl Written for DataType {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        match Self::parse(&text) {
            Ok(read) => Some(read),
            Err((message, help)) => {
                reader.problem(node, message, help);
                None
            }
        }
    }
}

impl JsonSchema for DataType {
    fn schema_name() -> Cow<'static, str> {
        "DataType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(string|text|integer|decimal|boolean|date|datetime|enum|reference)(\\(.*\\))?$"
        })
    }
}

impl Written for PropertyText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Table(_) = node.value {
            return PropertyTable::read(node, reader).map(Self);
        }
        let r#type = At::<DataType>::read(node, reader)?;
        Some(Self(PropertyTable {
            r#type,
            at: None,
            write_at: None,
            required: None,
            unique: None,
            read_only: None,
            create_only: None,
            filled: None,
            optional: None,
            form: None,
            computed: None,
        }))
    }
}

impl JsonSchema for PropertyText {
    fn schema_name() -> Cow<'static, str> {
        "Property".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alone = generator.subschema_for::<DataType>();
        let table = generator.subschema_for::<PropertyTable>();
        schemars::json_schema!({ "anyOf": [alone, table] })
    }
}
