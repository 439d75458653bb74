//! A request as a description writes it: method and path, with what goes along.

use super::template::{Body, Template, holes_of_name};
use reqwest::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Node};
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Table, Written};

/// Method and path, such as `GET /contacts/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) path: Template,
}

impl Written for Line {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "MERGE", "DELETE", "HEAD"];
        const HELP: &str = "Write method and path, such as `GET /contacts/{id}`.";
        let text = String::read(node, reader)?;
        let Some((method, path)) = text.trim().split_once(' ') else {
            reader.problem(node, format!("`{text}` is no method with a path"), HELP);
            return None;
        };
        let known = METHODS.contains(&method);
        let Some(parsed) = known
            .then(|| Method::from_bytes(method.as_bytes()).ok())
            .flatten()
        else {
            let help = suggestion(method, METHODS);
            reader.problem(node, format!("unknown method `{method}`"), help);
            return None;
        };
        let path = path.trim();
        if !path.starts_with('/') || path.contains(['?', '#']) {
            let help = "Begin the path with `/`, below the connection's address; what follows `?` belongs under `query:`.";
            reader.problem(node, format!("`{path}` is no path"), help);
            return None;
        }
        match Template::parse(path) {
            Ok(path) => Some(Self { method: parsed, path }),
            Err(what) => {
                reader.problem(node, what, HELP);
                None
            }
        }
    }
}

impl JsonSchema for Line {
    fn schema_name() -> Cow<'static, str> {
        "RequestLine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(GET|POST|PUT|PATCH|MERGE|DELETE|HEAD) /",
            "description": "Method and path below the connection's address: `GET /contacts/{id}`."
        })
    }
}

/// What is sent: the four keys that every operation has.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) line: &'a At<Line>,
    pub(crate) query: &'a Table<At<Template>>,
    pub(crate) headers: &'a Table<At<Template>>,
    pub(crate) body: Option<&'a At<Body>>,
}

impl<'a> Call<'a> {
    /// The names of all that is filled in.
    pub(crate) fn holes(&self) -> Vec<&'a str> {
        let names = self
            .query
            .0
            .iter()
            .flat_map(|(name, _)| holes_of_name(&name.value));
        let texts = self.texts().into_iter().map(|(_, text)| text);
        texts.flat_map(Template::holes).chain(names).collect()
    }

    /// Its texts, each with its place.
    fn texts(&self) -> Vec<(At<()>, &'a Template)> {
        let path = (self.line.with(()), &self.line.value.path);
        let tables = self.query.0.iter().chain(&self.headers.0);
        let tables = tables.map(|(_, text)| (text.with(()), &text.value));
        let bodies = self.body.into_iter().flat_map(|body| {
            let texts = body.value.texts().into_iter();
            texts.map(|text| (body.with(()), text))
        });
        std::iter::once(path).chain(tables).chain(bodies).collect()
    }

    /// The names of all that is filled in as it is, rather than as the language of filters writes it, each with its place.
    pub(crate) fn plain(&self) -> Vec<(At<()>, String)> {
        let texts = self.texts().into_iter();
        let filled = texts.flat_map(|(at, text)| text.plain().map(move |hole| (at.clone(), hole.to_owned())));
        let names = self.query.0.iter().filter_map(|(name, _)| {
            let text = Template::parse(&name.value).ok()?;
            let holes: Vec<String> = text.plain().map(str::to_owned).collect();
            Some(holes.into_iter().map(|hole| (name.with(()), hole)))
        });
        filled.chain(names.flatten()).collect()
    }

    /// Whether the token is sent, or a part of it.
    pub(crate) fn sends_token(&self) -> bool {
        self.holes().into_iter().any(is_token)
    }

    /// Whether something is written in the language of filters.
    pub(crate) fn writes_literals(&self) -> bool {
        self.texts().iter().any(|(_, text)| text.writes_literals())
    }

    /// Whether something of that name is filled in.
    pub(crate) fn takes(&self, hole: &str) -> bool {
        self.holes().contains(&hole)
    }
}

/// Declares an operation: the four keys of a request, and its own.
macro_rules! operation {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        written! {
            $(#[$meta])*
            struct $name {
                /// Method and path.
                request: At<$crate::rest::description::requests::Line>,
                /// Parameters behind the path.
                query: Option<Table<At<Template>>>,
                /// Headers.
                headers: Option<Table<At<Template>>>,
                /// The body, as JSON.
                body: Option<At<Body>>,
                $($(#[$field_meta])* $field: $kind,)*
            }
        }

        impl $name {
            pub(crate) fn call(&self) -> $crate::rest::description::requests::Call<'_> {
                static NONE: Table<At<Template>> = Table(Vec::new());
                $crate::rest::description::requests::Call {
                    line: &self.request,
                    query: self.query.as_ref().unwrap_or(&NONE),
                    headers: self.headers.as_ref().unwrap_or(&NONE),
                    body: self.body.as_ref(),
                }
            }
        }
    };
}

pub(crate) use operation;

/// Whether a hole is filled in with the token, or a part of it.
pub(crate) fn is_token(hole: &str) -> bool {
    hole == "token" || hole.starts_with("token.")
}
