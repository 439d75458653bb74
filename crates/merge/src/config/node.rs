//! A YAML document as a tree whose every node knows where it stands.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Budget, Options, Spanned};
use std::fmt;

/// How deep lists and tables may stand in each other: no file that means something comes near.
const DEPTH: usize = 64;

/// A value with its place in the file; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
    /// The value.
    pub value: T,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub fn with<U>(&self, value: U) -> At<U> {
        At {
            line: self.line,
            column: self.column,
            value,
        }
    }
}

/// A node of the document.
pub type Node = At<Content>;

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or `null`.
    Blank,
    /// A scalar that is text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Table(Vec<(At<String>, Node)>),
}

impl Content {
    /// What it is, for messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Blank => "nothing",
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads a document, or says where it is no YAML.
pub fn parse(text: &str) -> Result<Node, At<String>> {
    if text.trim().is_empty() {
        return Err(At {
            line: 1,
            column: 1,
            value: "the file is empty".to_owned(),
        });
    }
    let budget = Budget {
        max_depth: DEPTH,
        ..Budget::default()
    };
    let options = Options {
        budget: Some(budget),
        strict_booleans: true,
        with_snippet: false,
        ..Options::default()
    };
    match serde_saphyr::from_str_with_options::<Spanned<Content>>(text, options) {
        Ok(root) => Ok(place(root)),
        Err(error) => {
            let at = error.location();
            Err(At {
                line: at.map_or(1, |at| at.line()),
                column: at.map_or(1, |at| at.column()),
                value: plain_message(&error.to_string()),
            })
        }
    }
}

/// The first line of the library's message without its own account of the place.
fn plain_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let end = first.find(" at line ").unwrap_or(first.len());
    let start = if first.starts_with("line ") {
        first.find(": ").map_or(0, |at| at + 2)
    } else {
        0
    };
    first.get(start..end.max(start)).unwrap_or(first).to_owned()
}

fn place<T>(spanned: Spanned<T>) -> At<T> {
    At {
        line: spanned.referenced.line(),
        column: spanned.referenced.column(),
        value: spanned.value,
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("text, a whole number, true or false, a list or a table (quote other numbers)")
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<Content, E> {
        Ok(Content::Boolean(yes))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Content, E> {
        Ok(i64::try_from(number).map_or_else(|_| Content::Text(number.to_string()), Content::Integer))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Blank)
    }

    fn visit_none<E: Error>(self) -> Result<Content, E> {
        Ok(Content::Blank)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element::<Spanned<Content>>()? {
            nodes.push(place(node));
        }
        Ok(Content::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = table.next_key::<Spanned<String>>()? {
            entries.push((place(key), place(table.next_value::<Spanned<Content>>()?)));
        }
        Ok(Content::Table(entries))
    }
}
