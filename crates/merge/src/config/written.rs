//! Reading typed declarations out of a parsed document. A declaration states its fields once: from it come the
//! reader, the names to compare misspelled ones with, and the JSON Schema. Nothing stops at the first problem.
//!
//! Keys that speak of a side are written `first` and `second` in the declarations and stand in the files under
//! the systems' own names: with the systems `erp` and `crm`, `first_type` is the key `erp_type`.

use super::node::{At, Content, Node, parse};
use super::problem::{Problems, suggestion};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What reading needs to know, and where its problems go.
pub struct Reader<'a> {
    /// The names of the two systems.
    pub systems: &'a [String; 2],
    /// The file that is read.
    pub file: &'a str,
    /// The problems.
    pub problems: &'a mut Problems,
}

impl Reader<'_> {
    /// Adds a problem of this file.
    pub fn problem<T>(&mut self, at: &At<T>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.add(self.file, at, message, help);
    }

    /// The key that a field is written under.
    pub fn key(&self, field: &str) -> String {
        key(self.systems, field)
    }

    /// The node's entries, after a complaint about keys that are none of the fields.
    pub fn entries<'n>(&mut self, node: &'n Node, fields: &[&str]) -> Option<BTreeMap<&'n str, &'n Node>> {
        let Content::Table(entries) = &node.value else {
            let keys: Vec<String> = fields.iter().map(|field| self.key(field)).collect();
            self.problem(
                node,
                format!("here stands {}, not a table", node.value.noun()),
                format!("Write a table with keys out of: {}.", keys.join(", ")),
            );
            return None;
        };
        let keys: Vec<String> = fields.iter().map(|field| self.key(field)).collect();
        for (name, _) in entries {
            if !keys.contains(&name.value) {
                let help = suggestion(&name.value, keys.iter().map(String::as_str));
                self.problem(name, format!("unknown key `{}`", name.value), help);
            }
        }
        Some(
            entries
                .iter()
                .map(|(name, node)| (name.value.as_str(), node))
                .collect(),
        )
    }
}

/// The key that a field is written under: `first` and `second` become the systems' names.
pub fn key(systems: &[String; 2], field: &str) -> String {
    let words = field.trim_start_matches("r#").split('_').map(|word| match word {
        "first" => systems[0].as_str(),
        "second" => systems[1].as_str(),
        other => other,
    });
    words.collect::<Vec<_>>().join("_")
}

/// The document of a file, or none after adding a problem.
pub fn root(file: &str, text: &str, problems: &mut Problems) -> Option<Node> {
    match parse(text) {
        Ok(root) => Some(root),
        Err(at) => {
            let message = format!("cannot be read: {}", at.value);
            let help = "Mend the YAML here; the rest of the file is checked after that.";
            problems.add(file, &at, message, help);
            None
        }
    }
}

/// Something that can be read from a node.
pub trait Written: Sized {
    /// Reads it; none after adding a problem.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    /// Reads it as a field of the parent table.
    fn read_field(node: Option<&Node>, field: &str, parent: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Some(node) = node {
            return Self::read(node, reader);
        }
        let key = reader.key(field);
        reader.problem(
            parent,
            format!("`{key}` is missing"),
            format!("Add `{key}:` here."),
        );
        None
    }
}

impl Written for String {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Text(text) => Some(text.clone()),
            Content::Integer(number) => Some(number.to_string()),
            other => {
                let message = format!("here stands {}, not a text", other.noun());
                reader.problem(
                    node,
                    message,
                    "Write a text, in quotes where it looks like something else.",
                );
                None
            }
        }
    }
}

impl Written for bool {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Boolean(yes) => Some(*yes),
            Content::Text(text) if text == "on" => Some(true),
            Content::Text(text) if text == "off" => Some(false),
            other => {
                let message = format!("here stands {}, not true or false", other.noun());
                reader.problem(node, message, "Write `true` or `false`.");
                None
            }
        }
    }
}

impl Written for u32 {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Integer(number) = &node.value
            && let Ok(number) = Self::try_from(*number)
        {
            return Some(number);
        }
        let message = format!("here stands {}, not a count", node.value.noun());
        reader.problem(node, message, "Write a whole number from 0 on.");
        None
    }
}

impl<T: Written> Written for At<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Some(node.with(T::read(node, reader)?))
    }
}

impl<T: Written> Written for Option<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Blank => Some(None),
            _ => Some(T::read(node, reader)),
        }
    }

    fn read_field(node: Option<&Node>, _: &str, _: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        node.map_or(Some(None), |node| Self::read(node, reader))
    }
}

impl<T: Written> Written for Vec<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Blank => Some(Self::new()),
            Content::List(nodes) => Some(nodes.iter().filter_map(|node| T::read(node, reader)).collect()),
            other => {
                let message = format!("here stands {}, not a list", other.noun());
                reader.problem(
                    node,
                    message,
                    "Write a list: `[a, b]`, or one entry per line after `- `.",
                );
                None
            }
        }
    }
}

/// A table with keys of the user's choice, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T>(pub Vec<(At<String>, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Table<T> {
    /// The entry of that key.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.0
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| value)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.value.as_str())
    }
}

impl<T: Written> Written for Table<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Blank => Some(Self::default()),
            Content::Table(entries) => Some(Self(
                entries
                    .iter()
                    .filter_map(|(name, node)| Some((name.clone(), T::read(node, reader)?)))
                    .collect(),
            )),
            other => {
                let message = format!("here stands {}, not a table", other.noun());
                reader.problem(node, message, "Write a table: `{ name: value }`.");
                None
            }
        }
    }
}

/// A value of no declared type yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub Content);

impl Scalar {
    /// Its text as written.
    pub fn text(&self) -> String {
        match &self.0 {
            Content::Text(text) => text.clone(),
            Content::Integer(number) => number.to_string(),
            Content::Boolean(yes) => yes.to_string(),
            Content::Blank | Content::List(_) | Content::Table(_) => String::new(),
        }
    }
}

impl Written for Scalar {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.value, Content::List(_) | Content::Table(_) | Content::Blank) {
            let message = format!("here stands {}, not a value", node.value.noun());
            reader.problem(node, message, "Write a text, a number, true or false.");
            return None;
        }
        Some(Self(node.value.clone()))
    }
}

/// One entry per side.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Sided<T> {
    /// The first system's.
    pub first: Option<T>,
    /// The second system's.
    pub second: Option<T>,
}

impl<T> Default for Sided<T> {
    fn default() -> Self {
        Self {
            first: None,
            second: None,
        }
    }
}

impl<T> Sided<T> {
    /// Both entries, the first system's first.
    pub fn both(&self) -> [Option<&T>; 2] {
        [self.first.as_ref(), self.second.as_ref()]
    }
}

impl<T: Written> Written for Sided<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let entries = reader.entries(node, &["first", "second"])?;
        let [first, second] = ["first", "second"].map(|side| entries.get(reader.key(side).as_str()).copied());
        Some(Self {
            first: first.and_then(|node| T::read(node, reader)),
            second: second.and_then(|node| T::read(node, reader)),
        })
    }
}

/// One value for every object that may serve the record type, or one per object.
#[derive(Clone, Debug)]
pub enum PerObject<T> {
    /// The same for every object.
    Plain(At<T>),
    /// By object; objects that are not listed have none.
    Objects(Table<At<T>>),
}

impl<T> PerObject<T> {
    /// The value for an object.
    pub fn of(&self, object: &str) -> Option<&At<T>> {
        match self {
            Self::Plain(value) => Some(value),
            Self::Objects(objects) => objects.get(object),
        }
    }
}

impl<T: Written> Written for PerObject<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) => Table::read(node, reader).map(Self::Objects),
            _ => At::read(node, reader).map(Self::Plain),
        }
    }
}

/// Declares a table of a file: struct, reader and JSON Schema out of one list of fields. Whoever uses it has the crate
/// `schemars`.
#[macro_export]
macro_rules! written {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(crate) struct $name { $($(#[$field_meta])* pub(crate) $field: $kind,)* }

        impl $crate::config::written::Written for $name {
            fn read(
                node: &$crate::config::node::Node,
                reader: &mut $crate::config::written::Reader<'_>,
            ) -> Option<Self> {
                let entries = reader.entries(node, &[$(stringify!($field)),*])?;
                $(let $field = {
                    let value = entries.get(reader.key(stringify!($field)).as_str()).copied();
                    <$kind as $crate::config::written::Written>::read_field(value, stringify!($field), node, reader)
                };)*
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}
pub use crate::written;

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TableOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <BTreeMap<String, T>>::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for PerObject<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PerObject{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let plain = generator.subschema_for::<T>();
        let objects = generator.subschema_for::<Table<T>>();
        schemars::json_schema!({ "anyOf": [plain, objects] })
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}
