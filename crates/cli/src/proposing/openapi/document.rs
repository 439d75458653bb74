//! An OpenAPI document as it is written, with its references followed.

use super::super::names::plain;
use crate::failure::Failure;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// References and parts that stand in one another deeper than this are not followed.
const DEPTH: usize = 24;

/// A document.
pub(super) struct Document {
    root: Json,
}

/// A schema with its parts put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Its own words, such as `type` and `format`.
    pub(super) words: Map<String, Json>,
    /// Its members, in the order of the document where that keeps one.
    pub(super) members: Vec<(String, Json)>,
    /// The members that are always there.
    pub(super) required: BTreeSet<String>,
    pub(super) nullable: bool,
    /// The name under which it is described.
    pub(super) name: Option<String>,
}

impl Shape {
    /// The kind of JSON that it is: `object`, `array`, `string`...
    pub(super) fn kind(&self) -> &str {
        let said = match self.words.get("type") {
            Some(Json::String(word)) => Some(word.as_str()),
            Some(Json::Array(words)) => words.iter().filter_map(Json::as_str).find(|word| *word != "null"),
            _ => None,
        };
        match said {
            Some(word) => word,
            None if !self.members.is_empty() => "object",
            None if self.words.contains_key("items") => "array",
            None => "",
        }
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.words.get(name).and_then(Json::as_bool).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.words.get(name)?.as_u64()
    }

    /// A member by its name, however that is written.
    pub(super) fn member(&self, name: &str) -> Option<&(String, Json)> {
        let exact = self.members.iter().find(|(known, _)| known == name);
        exact.or_else(|| self.members.iter().find(|(known, _)| plain(known) == plain(name)))
    }
}

impl Document {
    /// Takes a document of OpenAPI 3; whatever else it is, is told.
    pub(super) fn new(from: &str, root: Json) -> Result<Self, Failure> {
        let wrong = |what: &str, advice: &str| Err(Failure::usage(format!("{from} is {what}"), advice));
        if let Some(version) = root.get("swagger") {
            let version = version
                .as_str()
                .map_or_else(|| version.to_string(), str::to_owned);
            return wrong(
                &format!("Swagger {version}, the form before OpenAPI 3"),
                "Convert it (such as with npm's swagger2openapi), or ask the ERP for its OpenAPI 3 document: often .../v3/api-docs or .../openapi.json",
            );
        }
        match root.get("openapi").map(|version| {
            version
                .as_str()
                .map_or_else(|| version.to_string(), str::to_owned)
        }) {
            Some(version) if version.starts_with("3.") => {}
            Some(version) => {
                return wrong(
                    &format!("OpenAPI {version}"),
                    "Name a document of OpenAPI 3.0 or 3.1",
                );
            }
            None if root.get("asyncapi").is_some() => {
                return wrong(
                    "AsyncAPI, which describes messages",
                    "Name a document of OpenAPI 3",
                );
            }
            None if root
                .get("info")
                .and_then(|info| info.get("_postman_id"))
                .is_some() =>
            {
                return wrong("a collection of Postman", "Name a document of OpenAPI 3");
            }
            None => {
                return wrong(
                    "no document of OpenAPI: it has no member `openapi`",
                    "Name a document of OpenAPI 3, an OData $metadata document, or a database",
                );
            }
        }
        let paths = root.get("paths").and_then(Json::as_object);
        if paths.is_none_or(Map::is_empty) {
            return wrong(
                "an OpenAPI document without paths",
                "Name the document that describes the ERP's records",
            );
        }
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Json {
        &self.root
    }

    /// What a node is, behind its references; nothing where they lead out of the document.
    pub(super) fn at<'a>(&'a self, node: &'a Json) -> &'a Json {
        self.named(node).0
    }

    fn named<'a>(&'a self, node: &'a Json) -> (&'a Json, Option<String>) {
        static NOTHING: Json = Json::Null;
        let (mut node, mut name) = (node, None);
        for _ in 0..DEPTH {
            let Some(to) = node.get("$ref").and_then(Json::as_str) else {
                return (node, name);
            };
            let Some(there) = to
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(&decoded(pointer)))
            else {
                return (&NOTHING, name);
            };
            name = to.rsplit('/').next().map(str::to_owned);
            node = there;
        }
        (&NOTHING, name)
    }

    /// A schema with what it is made of put together.
    pub(super) fn shape(&self, schema: &Json) -> Shape {
        self.made(schema, DEPTH)
    }

    fn made(&self, schema: &Json, depth: usize) -> Shape {
        let (schema, name) = self.named(schema);
        let mut shape = Shape {
            name,
            ..Shape::default()
        };
        let Some(words) = schema.as_object().filter(|_| depth > 0) else {
            return shape;
        };
        for (word, value) in words {
            match word.as_str() {
                "properties" => {
                    let members = value.as_object().into_iter().flatten();
                    shape
                        .members
                        .extend(members.map(|(name, of)| (name.clone(), of.clone())));
                }
                "required" => {
                    let names = value.as_array().into_iter().flatten().filter_map(Json::as_str);
                    shape.required.extend(names.map(str::to_owned));
                }
                "allOf" | "anyOf" | "oneOf" => {}
                _ => drop(shape.words.insert(word.clone(), value.clone())),
            }
        }
        shape.nullable = shape.flag("nullable") || is_null(words.get("type"));
        for part in words.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            shape.take(self.made(part, depth - 1));
        }
        for word in ["anyOf", "oneOf"] {
            let Some(choices) = words.get(word).and_then(Json::as_array) else {
                continue;
            };
            let null = |choice: &&Json| self.at(choice).get("type").and_then(Json::as_str) == Some("null");
            shape.nullable |= choices.iter().any(|choice| null(&choice));
            // Of several the first is the usual one.
            if let Some(usual) = choices.iter().find(|choice| !null(choice)) {
                shape.take(self.made(usual, depth - 1));
            }
        }
        shape
    }

    /// The other schemas that may stand where a schema does.
    pub(super) fn others(&self, schema: &Json) -> Vec<Shape> {
        let schema = self.at(schema);
        let choices = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|word| schema.get(word)?.as_array());
        choices
            .flat_map(|choices| choices.iter().skip(1))
            .map(|choice| self.shape(choice))
            .collect()
    }

    /// The schema of a request's or a reply's body in JSON.
    pub(super) fn body<'a>(&'a self, node: &'a Json) -> Option<&'a Json> {
        let content = self.at(node).get("content")?.as_object()?;
        let json = content
            .iter()
            .find(|(media, _)| media.starts_with("application/json"));
        let likely = |media: &str| media.contains("json") || media == "*/*";
        let json = json.or_else(|| content.iter().find(|(media, _)| likely(media)))?;
        json.1.get("schema")
    }

    /// The reply of an operation that went well.
    pub(super) fn success<'a>(&'a self, operation: &'a Json) -> Option<&'a Json> {
        let replies = operation.get("responses")?.as_object()?;
        let first = ["200", "201", "2XX", "202"]
            .into_iter()
            .find_map(|status| replies.get(status));
        let any = || {
            replies
                .iter()
                .find(|(status, _)| status.starts_with('2'))
                .map(|(_, reply)| reply)
        };
        first.or_else(any).map(|reply| self.at(reply))
    }
}

impl Shape {
    /// What a part adds.
    fn take(&mut self, part: Self) {
        for (name, of) in part.members {
            if self.members.iter().all(|(known, _)| *known != name) {
                self.members.push((name, of));
            }
        }
        self.required.extend(part.required);
        for (word, value) in part.words {
            self.words.entry(word).or_insert(value);
        }
        self.nullable |= part.nullable;
        self.name = self.name.take().or(part.name);
    }
}

fn is_null(of: Option<&Json>) -> bool {
    let listed = of.and_then(Json::as_array);
    listed.is_some_and(|words| words.iter().any(|word| word == "null"))
}

/// A pointer as it stands in an address.
fn decoded(pointer: &str) -> String {
    pointer
        .replace("%7B", "{")
        .replace("%7D", "}")
        .replace("%24", "$")
        .replace("%20", " ")
}
