//! Where something stands in a reply: `error.message`, `/@odata.etag`, `header:ETag`, or `.` for the whole body.

use reqwest::header::{HeaderMap, HeaderName};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use tandem_merge::config::node::{Content, Node};
use tandem_merge::config::written::{Reader, Written};

/// A place in a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A header.
    Header(HeaderName),
    /// Members of tables, and numbers of entries in lists, from the outside in; none: the whole.
    Body(Vec<String>),
}

impl Place {
    /// The place of a member.
    pub(crate) fn member(name: &str) -> Self {
        Self::Body(vec![name.to_owned()])
    }

    /// Reads it as it is written.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, String)> {
        const HELP: &str =
            "Write the way to it, such as `error.message`, `/@odata.etag`, `header:ETag`, or `.` for all.";
        if let Some(name) = text.strip_prefix("header:") {
            let name = name.trim().to_lowercase();
            let header = HeaderName::from_bytes(name.as_bytes());
            return header
                .map(Self::Header)
                .map_err(|_| (format!("`{name}` is no name of a header"), HELP.to_owned()));
        }
        let steps: Vec<String> = match text {
            "." => Vec::new(),
            _ => match text.strip_prefix('/') {
                Some(pointer) => pointer
                    .split('/')
                    .map(|step| step.replace("~1", "/").replace("~0", "~"))
                    .collect(),
                None => text.split('.').map(str::to_owned).collect(),
            },
        };
        if steps.iter().any(|step| step.trim().is_empty()) {
            return Err((format!("`{text}` is no place in a reply"), HELP.to_owned()));
        }
        Ok(Self::Body(steps))
    }

    /// What stands there in a body.
    pub(crate) fn of<'j>(&self, body: &'j Json) -> Option<&'j Json> {
        let Self::Body(steps) = self else {
            return None;
        };
        steps.iter().try_fold(body, |at, step| match at {
            Json::Array(entries) => entries.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
    }

    /// What stands there in a body, in every entry of a list on the way whose next step is no number: nothing of an empty
    /// list. None where a step leads nowhere.
    pub(crate) fn each<'j>(&self, body: &'j Json) -> Option<Vec<&'j Json>> {
        let Self::Body(steps) = self else {
            return None;
        };
        let mut found = vec![body];
        for step in steps {
            let mut next = Vec::with_capacity(found.len());
            for at in found {
                match (at, step.parse::<usize>()) {
                    (Json::Array(entries), Ok(at)) => next.push(entries.get(at)?),
                    (Json::Array(entries), Err(_)) => {
                        for entry in entries {
                            next.push(entry.get(step)?);
                        }
                    }
                    (other, _) => next.push(other.get(step)?),
                }
            }
            found = next;
        }
        Some(found)
    }

    /// What stands there in a reply.
    pub(crate) fn shown<'j>(&self, body: &'j Json, headers: &HeaderMap) -> Option<Cow<'j, Json>> {
        match self {
            Self::Header(name) => {
                let text = headers.get(name)?.to_str().ok()?;
                Some(Cow::Owned(Json::String(text.to_owned())))
            }
            Self::Body(_) => self.of(body).map(Cow::Borrowed),
        }
    }

    /// The text there: a text as it is, a number or truth as JSON writes it. None where nothing or a table stands.
    pub(crate) fn text(&self, body: &Json, headers: &HeaderMap) -> Option<String> {
        plain(self.shown(body, headers)?.as_ref())
    }

    /// Puts a value there, making the tables on the way.
    pub(crate) fn put(&self, body: &mut Json, value: Json) {
        let Self::Body(steps) = self else {
            return;
        };
        let mut at = body;
        for step in steps {
            if let Json::Array(entries) = at {
                let index = step.parse::<usize>().unwrap_or(usize::MAX);
                match entries.get_mut(index) {
                    Some(entry) => at = entry,
                    None => return,
                }
                continue;
            }
            if !at.is_object() {
                *at = Json::Object(Map::new());
            }
            at = &mut at[step.as_str()];
        }
        *at = value;
    }
}

/// One place, or several of which the first that holds something counts.
#[derive(Clone, Debug)]
pub(crate) struct Places(Vec<Place>);

impl Places {
    /// The text that stands there.
    pub(crate) fn text(&self, body: &Json, headers: &HeaderMap) -> Option<String> {
        self.0.iter().find_map(|place| place.text(body, headers))
    }
}

impl Written for Places {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::List(_) => Vec::read(node, reader).map(Self),
            _ => Place::read(node, reader).map(|place| Self(vec![place])),
        }
    }
}

impl JsonSchema for Places {
    fn schema_name() -> Cow<'static, str> {
        "Places".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Place>();
        let many = generator.subschema_for::<Vec<Place>>();
        json_schema!({ "anyOf": [one, many] })
    }
}

/// A scalar as text.
pub(crate) fn plain(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Body(steps) if steps.is_empty() => f.write_str("."),
            Self::Body(steps) if steps.iter().any(|step| step.contains('.')) => {
                steps.iter().try_for_each(|step| write!(f, "/{step}"))
            }
            Self::Body(steps) => f.write_str(&steps.join(".")),
        }
    }
}

impl Written for Place {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        match Self::parse(&text) {
            Ok(place) => Some(place),
            Err((message, help)) => {
                reader.problem(node, message, help);
                None
            }
        }
    }
}

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A place in a reply: `error.message`, `/@odata.etag`, `header:ETag`, or `.` for the whole."
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_is_found_and_filled() {
        let body = json!({ "a": { "b": [1, { "c": "x" }] }, "@odata.etag": "W/1", "lines": [{ "at": 1 }, { "at": null }], "none": [] });
        let at = |text: &str| Place::parse(text).unwrap().of(&body).cloned();
        assert_eq!(at("a.b.1.c"), Some(json!("x")));
        assert_eq!(at("/@odata.etag"), Some(json!("W/1")));
        assert_eq!(at("."), Some(body.clone()));
        assert_eq!(at("a.c"), None);
        let mut target = json!({});
        Place::parse("address.city")
            .unwrap()
            .put(&mut target, json!("Ulm"));
        assert_eq!(target, json!({ "address": { "city": "Ulm" } }));
        let each = |text: &str| {
            let all = Place::parse(text).unwrap().each(&body)?;
            Some(all.into_iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(each("lines.at"), Some(vec![json!(1), json!(null)]));
        assert_eq!(each("lines.1.at"), Some(vec![json!(null)]));
        assert_eq!(each("none.at"), Some(Vec::new()));
        assert_eq!((each("lines.when"), each("a.c")), (None, None));
        assert!(Place::parse("a..b").is_err() && Place::parse("header:a b").is_err());
    }
}
