//! Texts with holes, such as `/contacts/{id}`, and bodies made of such texts.
//!
//! A body is a tree of JSON, never a text: what fills a hole cannot break out of it. A hole that stands alone in a text of a
//! body is filled with the value itself. Whatever has a hole with nothing to fill it is left out.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Written};

/// A text with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Hole),
}

/// What is to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Its name.
    pub(crate) name: String,
    /// How what fills it is written.
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Plain,
    /// As a number of JSON.
    Number,
    /// With its single quotes doubled, as OData and SQL want texts.
    Quoted,
    /// The entries of a list, with commas between.
    List,
}

/// The names of the holes in a name, such as `in_{property}`.
pub(crate) fn holes_of_name(name: &str) -> impl Iterator<Item = &str> {
    let behind = name.split('{').skip(1);
    behind.filter_map(|text| text.split_once('}').map(|(hole, _)| hole))
}

/// What fills holes, by name.
pub(crate) type Fill<'f> = dyn Fn(&str) -> Option<Json> + Sync + 'f;

impl Template {
    /// Reads it as it is written; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if behind.starts_with(brace) {
                plain.push_str(brace);
                rest = &behind[1..];
                continue;
            }
            let end = behind.find('}').filter(|_| brace == "{");
            let end = end.ok_or("a brace has no counterpart; write `{{` or `}}` for a brace itself")?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Hole(Hole::parse(&behind[..end])?));
            rest = &behind[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// The names of its holes.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole.name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text; none where a hole stays empty.
    pub(crate) fn text(&self, fill: &Fill<'_>) -> Option<String> {
        self.made(fill, |text| text)
    }

    /// The text as a path: what fills a hole cannot add a step to it, nor a query.
    pub(crate) fn path(&self, fill: &Fill<'_>) -> Option<String> {
        let segment = |text: String| -> String {
            let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            // A dot alone would be a step up.
            match text.bytes().all(|byte| byte == b'.') {
                true => "%2E".repeat(text.len()),
                false => encoded.replace('+', "%20"),
            }
        };
        self.made(fill, segment)
    }

    fn made(&self, fill: &Fill<'_>, encode: impl Fn(String) -> String) -> Option<String> {
        let mut made = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => made.push_str(text),
                Part::Hole(hole) => made.push_str(&encode(hole.text(&fill(&hole.name)?)?)),
            }
        }
        Some(made)
    }

    /// The value: what fills the only hole, else a text.
    fn json(&self, fill: &Fill<'_>) -> Option<Json> {
        match self.0.as_slice() {
            [Part::Hole(hole)] => hole.json(fill(&hole.name)?),
            _ => self.text(fill).map(Json::String),
        }
    }
}

impl Hole {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, how) = text.split_once(':').unwrap_or((text, ""));
        let how = match how.trim() {
            "" => How::Plain,
            "number" => How::Number,
            "quoted" => How::Quoted,
            "list" => How::List,
            other => {
                return Err(format!(
                    "nothing is filled in as `{other}`; write `number`, `quoted` or `list` behind the colon"
                ));
            }
        };
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err("a hole has no name; write `{{}}` for two braces".to_owned());
        }
        Ok(Self { name, how })
    }

    fn text(&self, value: &Json) -> Option<String> {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Array(entries) => {
                let entries: Option<Vec<String>> = entries.iter().map(|entry| self.text(entry)).collect();
                return Some(entries?.join(","));
            }
            Json::Null | Json::Object(_) => return None,
            other => other.to_string(),
        };
        Some(match self.how {
            How::Quoted => text.replace('\'', "''"),
            _ => text,
        })
    }

    fn json(&self, value: Json) -> Option<Json> {
        match (self.how, value) {
            (How::Number, Json::String(text)) => {
                let number = text.parse().map(Json::Number);
                Some(number.unwrap_or(Json::String(text)))
            }
            (How::Quoted, value) => self.text(&value).map(Json::String),
            (How::List, value) => self.text(&value).map(Json::String),
            (_, value) => Some(value),
        }
    }
}

impl Written for Template {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = match &node.value {
            Content::Boolean(yes) => yes.to_string(),
            Content::Table(_) => {
                let help = "Write a text with braces in quotes: \"{since}\".";
                reader.problem(node, "here stands a table, not a text", help);
                return None;
            }
            _ => String::read(node, reader)?,
        };
        match Self::parse(&text) {
            Ok(template) => Some(template),
            Err(what) => {
                let help = "Write names of what is filled in between braces, such as `{id}`.";
                reader.problem(node, what, help);
                None
            }
        }
    }
}

impl Template {
    /// The name of a member.
    fn named(name: &At<String>, reader: &mut Reader<'_>) -> Option<Self> {
        match Self::parse(&name.value) {
            Ok(template) => Some(template),
            Err(what) => {
                let help = "Write `{{` and `}}` for braces in a name.";
                reader.problem(name, what, help);
                None
            }
        }
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer", "boolean"],
            "description": "A text, with `{name}` where something is filled in. Left out where there is nothing to fill in."
        })
    }
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn fill(name: &str) -> Option<Json> {
        match name {
            "id" => Some(json!("a/b ?'c")),
            "version" => Some(json!("7")),
            "ids" => Some(json!(["1", "2"])),
            "up" => Some(json!("..")),
            "table" => Some(json!({ "x": null })),
            _ => None,
        }
    }

    #[test]
    fn what_fills_a_hole_cannot_break_out_of_it() {
        let path = |text: &str| Template::parse(text).unwrap().path(&fill);
        assert_eq!(path("/c/{id}").unwrap(), "/c/a%2Fb%20%3F%27c");
        assert_eq!(path("/c('{id:quoted}')").unwrap(), "/c('a%2Fb%20%3F%27%27c')");
        assert_eq!(path("/c/{up}").unwrap(), "/c/%2E%2E");
        assert_eq!(path("/c/{nothing}"), None);
        let text = |text: &str| Template::parse(text).unwrap().text(&fill);
        assert_eq!(text("{{{ids}}}").unwrap(), "{1,2}");
        for wrong in ["{id", "id}", "{}", "{id:sideways}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_filled_with_values_and_keeps_nothing_empty() {
        let hole = |text: &str| Body::Text(Template::parse(text).unwrap());
        let name = |text: &str| Template::parse(text).unwrap();
        let body = Body::Table(vec![
            (name("v"), hole("{version:number}")),
            (name("t"), hole("{table}")),
            (name("n"), hole("{nothing}")),
            (name("l"), hole("{ids}")),
            (name("s"), hole("v{version}")),
            (name("party,{version}"), hole("a")),
            (name("party,{nothing}"), hole("b")),
        ]);
        let made = body.json(&fill).unwrap();
        assert_eq!(
            made,
            json!({ "v": 7, "t": { "x": null }, "l": ["1", "2"], "s": "v7", "party,7": "a" })
        );
    }
}
