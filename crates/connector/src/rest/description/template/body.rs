//! Bodies made of texts with holes.
//!
//! A body is a tree of JSON, never a text: what fills a hole cannot break out of it. A hole that stands alone in a text of a
//! body is filled with the value itself. Whatever has a hole with nothing to fill it is left out.

use super::{Fill, Hole, How, Part, Template};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Written};

/// A body: JSON whose texts may have holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A text.
    Text(Template),
    /// Anything else that is no list and no table.
    Plain(Json),
    /// A list.
    List(Vec<Body>),
    /// A table; its names may have holes, too.
    Table(Vec<(Template, Body)>),
}

impl Body {
    /// The body that is the filling of one hole.
    pub(crate) fn hole(name: &str) -> Self {
        let hole = Hole {
            name: name.to_owned(),
            how: How::Plain,
        };
        Self::Text(Template(vec![Part::Hole(hole)]))
    }

    /// The JSON; none where a hole that is all of it stays empty.
    pub(crate) fn json(&self, fill: &Fill<'_>) -> Option<Json> {
        Some(match self {
            Self::Text(template) => template.json(fill)?,
            Self::Plain(json) => json.clone(),
            Self::List(entries) => entries.iter().filter_map(|entry| entry.json(fill)).collect(),
            Self::Table(members) => members
                .iter()
                .filter_map(|(name, member)| Some((name.text(fill)?, member.json(fill)?)))
                .collect(),
        })
    }

    /// Its texts.
    pub(crate) fn texts(&self) -> Vec<&Template> {
        match self {
            Self::Text(template) => vec![template],
            Self::Plain(_) => Vec::new(),
            Self::List(entries) => entries.iter().flat_map(Self::texts).collect(),
            Self::Table(members) => members
                .iter()
                .flat_map(|(name, member)| std::iter::once(name).chain(member.texts()))
                .collect(),
        }
    }
}

impl Written for Body {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match &node.value {
            Content::Blank => Self::Plain(Json::Null),
            Content::Integer(number) => Self::Plain((*number).into()),
            Content::Boolean(yes) => Self::Plain((*yes).into()),
            Content::Text(_) => Self::Text(Template::read(node, reader)?),
            Content::List(nodes) => {
                Self::List(nodes.iter().filter_map(|node| Self::read(node, reader)).collect())
            }
            Content::Table(entries) => {
                if let [(name, value)] = entries.as_slice()
                    && value.value == Content::Blank
                {
                    let help = format!(
                        "Write \"{{{}}}\" in quotes where it is to be filled in.",
                        name.value
                    );
                    reader.problem(name, format!("`{}` has no value", name.value), help);
                }
                let member = |(name, node): &(At<String>, Node)| {
                    let named = Template::named(name, reader)?;
                    Some((named, Self::read(node, reader)?))
                };
                Self::Table(entries.iter().filter_map(member).collect())
            }
        })
    }
}

impl JsonSchema for Body {
    fn schema_name() -> Cow<'static, str> {
        "Body".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "JSON; its texts may have holes such as `{values}`." })
    }
}
