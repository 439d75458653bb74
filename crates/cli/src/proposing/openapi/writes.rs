//! How records are made, changed and deleted.

use super::super::names::{likeliest, names, plain};
use super::super::picture::{Guess, Line, Picture, Topic};
use super::super::yaml::{list, scalar, table};
use super::document::{Document, Shape};
use super::draft::unwrapped;
use super::lists::{Parameter, joined, parameters};
use super::paths::Pair;
use serde_json::Value as Json;

/// What writes are about.
pub(super) struct About<'a> {
    pub(super) pair: &'a Pair<'a>,
    /// The collection's path as a description writes it.
    pub(super) path: &'a str,
    /// Where a record shows what names its state.
    pub(super) token: Option<&'a str>,
    pub(super) record: &'a Shape,
    /// The record type.
    pub(super) name: &'a str,
}

/// A request that writes.
pub(super) struct Write {
    method: &'static str,
    parameters: Vec<Parameter>,
    /// The values that are sent.
    pub(super) sent: Shape,
    /// The member that they stand in; none: they are the body.
    wrap: Option<String>,
    /// Where the reply shows the record.
    record: Option<String>,
    /// The reply names the new record's address.
    location: bool,
}

/// What writes records of a type.
#[derive(Default)]
pub(super) struct Writes {
    pub(super) create: Option<Write>,
    pub(super) update: Option<Write>,
    delete: Option<Vec<Parameter>>,
}

impl Write {
    fn of(document: &Document, node: &Json, method: &'static str, collection: &str) -> Option<Self> {
        let operation = node.get(method).filter(|operation| operation.is_object())?;
        let body = operation
            .get("requestBody")
            .and_then(|body| document.body(document.at(body)));
        let body = body.map(|schema| document.shape(schema)).unwrap_or_default();
        let (wrap, sent) = match unwrapped(document, body.clone(), collection) {
            (place, sent) if place != "." && body.members.len() == 1 => (Some(place), sent),
            _ => (None, body),
        };
        let reply = document.success(operation);
        let shown = reply
            .and_then(|reply| document.body(reply))
            .map(|schema| document.shape(schema));
        let record = shown
            .filter(|shape| !shape.members.is_empty())
            .map(|shape| unwrapped(document, shape, collection));
        let headers = reply
            .and_then(|reply| reply.get("headers"))
            .and_then(Json::as_object);
        Some(Self {
            method,
            parameters: parameters(document, node, operation),
            sent,
            wrap,
            record: record
                .filter(|(_, shape)| shape.members.len() > 1)
                .map(|(place, _)| place),
            location: headers.is_some_and(|headers| headers.keys().any(|name| plain(name) == "location")),
        })
    }

    fn header(&self, name: &str) -> Option<&Parameter> {
        header(&self.parameters, name)
    }

    /// The keys of the request.
    fn request(&self, path: &str) -> Vec<Line> {
        let mut below = vec![Line::new(
            "request",
            scalar(&format!("{} {path}", self.method.to_uppercase())),
        )];
        if let Some(wrap) = &self.wrap {
            // What is put is the whole record.
            let hole = if self.method == "put" {
                "\"{record}\""
            } else {
                "\"{values}\""
            };
            below.push(Line::new("body", table(&[(wrap.as_str(), hole)])));
        }
        below
    }
}

fn header<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a Parameter> {
    parameters
        .iter()
        .find(|parameter| parameter.place == "header" && plain(&parameter.name) == name)
}

impl Writes {
    pub(super) fn of(document: &Document, pair: &Pair<'_>) -> Self {
        let path = pair.collection.path;
        let update = ["patch", "put", "post"];
        let mut update = update
            .into_iter()
            .filter_map(|method| Write::of(document, pair.item.node, method, path));
        let delete = pair.item.operation("delete");
        Self {
            create: Write::of(document, pair.collection.node, "post", path),
            update: update.next(),
            delete: delete.map(|operation| parameters(document, pair.item.node, operation)),
        }
    }

    /// Whether a change can be made to depend on the state that was seen.
    pub(super) fn conditional(&self) -> bool {
        let update = self.update.as_ref().and_then(|update| update.header("ifmatch"));
        update.is_some()
            || self
                .delete
                .as_ref()
                .is_some_and(|delete| header(delete, "ifmatch").is_some())
    }

    /// Whether a change carries a member of the record.
    pub(super) fn sends(&self, name: &str) -> bool {
        self.update
            .as_ref()
            .is_some_and(|update| update.sent.members.iter().any(|(known, _)| known == name))
    }

    /// The operations as a description writes them.
    pub(super) fn lines(&self, about: &About<'_>, picture: &mut Picture) -> Vec<Line> {
        let About {
            pair,
            path,
            token,
            record,
            name,
        } = *about;
        let ends = pair.collection.path.trim_end_matches('/');
        let rest = pair.item.path.get(ends.len()..).unwrap_or_default();
        let item = format!(
            "{}{}",
            path.trim_end_matches('/'),
            rest.replace(&format!("{{{}}}", pair.id), "{id}")
        );
        let mut lines = Vec::new();
        lines.extend(
            self.create
                .as_ref()
                .map(|create| created(create, path, name, picture)),
        );
        lines.extend(
            self.update
                .as_ref()
                .map(|update| updated(update, &item, token, record)),
        );
        if let Some(delete) = &self.delete {
            let mut below = vec![Line::new("request", scalar(&format!("DELETE {item}")))];
            below.extend(condition(delete, token));
            lines.push(Line::over("delete", below));
        }
        if self.create.is_none() && self.update.is_none() {
            picture.ask(
                Topic::Creates,
                name,
                "It is read only: no path makes or changes its records.",
            );
        } else if token.is_none() {
            picture.ask(Topic::Versions, name, "What changes with each change of a record, and does an update refuse an old one? Without `token:` a record is read just before it is written.");
        }
        lines
    }
}

fn condition(parameters: &[Parameter], token: Option<&str>) -> Option<Line> {
    let condition = header(parameters, "ifmatch").filter(|_| token.is_some())?;
    Some(Line::new(
        "headers",
        table(&[(condition.name.as_str(), "\"{token}\"")]),
    ))
}

fn created(create: &Write, path: &str, name: &str, picture: &mut Picture) -> Line {
    let mut below = create.request(path);
    let key = create
        .parameters
        .iter()
        .find(|parameter| parameter.place == "header" && plain(&parameter.name).contains("idempotency"));
    if let Some(key) = key {
        below.push(Line::new("headers", table(&[(key.name.as_str(), "\"{key}\"")])));
        below.push(Line::new("safe", "idempotency-key"));
    } else {
        picture.ask(Topic::Creates, name, "Can a create be sent twice safely? Without `safe:` the record is looked for before it is made again.");
    }
    below.push(match (&create.record, create.location) {
        (Some(record), _) => Line::new("record", scalar(record)),
        (None, true) => Line::new("id", "header:Location"),
        (None, false) => Line::new("record", ".").guessed(Some(Guess::new(
            Topic::Creates,
            "the document does not say what the reply shows",
            "does the reply show the new record, or only its id (`id:`)?",
        ))),
    });
    Line::over("create", below)
}

fn updated(update: &Write, item: &str, token: Option<&str>, record: &Shape) -> Line {
    let mut below = update.request(item);
    match update.method {
        "put" => {
            below.push(Line::new("style", "full"));
            let kept = record.members.iter().filter(|(known, of)| {
                let sent = update.sent.members.iter().any(|(name, _)| name == known);
                !update.sent.members.is_empty() && !sent
                    || of.get("readOnly").and_then(Json::as_bool) == Some(true)
            });
            let kept: Vec<&str> = kept.map(|(name, _)| name.as_str()).collect();
            if !kept.is_empty() {
                let places = kept.iter().map(|name| joined(&[name]));
                below.push(Line::new("omit", list(&places.collect::<Vec<_>>())));
            }
        }
        "post" => below.push(Line::new("style", "partial").guessed(Some(Guess::new(
            Topic::Values,
            "it is a POST",
            "does an update change what is sent alone, or all of the record (`style: full`)?",
        )))),
        _ => {}
    }
    below.extend(condition(&update.parameters, token));
    let version = likeliest(update.sent.members.iter(), |(name, _)| name.as_str(), "version");
    let sends = version
        .filter(|(name, _)| Some(name.as_str()) == token && names("version").contains(&plain(name).as_str()));
    if let Some((name, _)) = sends.filter(|_| update.method != "put") {
        let entry = [(name.as_str(), "\"{token:number}\"")];
        let guess = Guess::new(
            Topic::Versions,
            "the body takes it",
            "does an update refuse an old one there?",
        );
        below.push(Line::new("also", table(&entry)).guessed(Some(guess)));
    }
    below.extend(
        update
            .record
            .as_ref()
            .map(|record| Line::new("record", scalar(record))),
    );
    Line::over("update", below)
}
