//! Where things stand in a record besides its values: what names its state, when it was changed, whether it is deleted.

use super::super::names::{likeliest, means, plain};
use super::super::picture::{Guess, Kind, Line, Property, Topic};
use super::super::yaml::scalar;
use super::document::Document;
use super::draft::Draft;
use super::writes::Writes;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Where things stand in a record besides its values.
pub(super) struct Marks {
    pub(super) token: Option<String>,
    token_lines: Vec<Line>,
    modified: Option<Line>,
    created: Option<Line>,
    author: Option<Line>,
    pub(super) deleted: Option<Line>,
    /// What the ERP keeps by itself.
    pub(super) kept: BTreeSet<String>,
    /// A list does not show all of it.
    pub(super) partial: bool,
}

impl Marks {
    pub(super) fn of(
        document: &Document,
        draft: &Draft<'_>,
        properties: &[Property],
        writes: &Writes,
    ) -> Self {
        let own = || properties.iter().filter(|property| property.at.is_none());
        let by = |what: &str, fits: fn(&Kind) -> bool| {
            let all = own().filter(|property| fits(&property.kind));
            likeliest(all, |property| property.name.as_str(), what).map(|property| property.name.clone())
        };
        let moment = |kind: &Kind| matches!(kind, Kind::DateTime);
        let mut kept = BTreeSet::new();
        let mut line = |key: &str, name: Option<String>| {
            let name = name?;
            kept.insert(name.clone());
            Some(Line::new(key, scalar(&name)))
        };
        let modified = line("modified", by("modified", moment));
        let created = line("created", by("created", moment));
        let author = line(
            "author",
            by("author", |kind| {
                matches!(kind, Kind::Text(_) | Kind::Reference(_))
            }),
        );
        let mut marks = Self {
            token: None,
            token_lines: Vec::new(),
            modified,
            created,
            author,
            deleted: deleted(document, draft, properties),
            kept,
            partial: false,
        };
        let version = by("version", |kind| matches!(kind, Kind::Integer | Kind::Text(_)));
        marks.token(document, draft, writes, version.as_deref(), properties);
        marks
    }

    /// What names the state of a record: a version that it shows, or the ETag of its reply.
    fn token(
        &mut self,
        document: &Document,
        draft: &Draft<'_>,
        writes: &Writes,
        version: Option<&str>,
        properties: &[Property],
    ) {
        let read = draft
            .pair
            .item
            .operation("get")
            .and_then(|read| document.success(read));
        let headers = read
            .and_then(|reply| reply.get("headers"))
            .and_then(Json::as_object);
        let tag = headers
            .into_iter()
            .flatten()
            .find(|(name, _)| plain(name) == "etag")
            .map(|(_, node)| document.at(node));
        let says = tag
            .and_then(|tag| tag.get("description"))
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_lowercase();
        let conditional = writes.conditional();
        let (place, more): (String, Vec<Line>) = match (version, tag) {
            (Some(version), Some(_)) if says.contains(&version.to_lowercase()) => {
                let as_it_is = if says.contains("quote") {
                    "'\"{token}\"'"
                } else {
                    "\"{token}\""
                };
                let guess = Guess::new(
                    Topic::Versions,
                    "by what is said of the ETag",
                    format!("is the ETag `{version}` in quotes?"),
                );
                (
                    version.to_owned(),
                    vec![Line::new("token_as", as_it_is).guessed(Some(guess))],
                )
            }
            (_, Some(_)) if conditional => {
                self.partial = true;
                ("header:ETag".to_owned(), Vec::new())
            }
            (Some(version), None) if conditional || writes.sends(version) => (version.to_owned(), Vec::new()),
            _ => return,
        };
        let guess = match (&place, more.is_empty()) {
            (place, true) if !place.starts_with("header:") => Some(Guess::new(
                Topic::Versions,
                "by its name",
                "does it change with each change of the record?",
            )),
            _ => None,
        };
        self.token_lines
            .push(Line::new("token", scalar(&place)).guessed(guess));
        self.token_lines.extend(more);
        let counts = properties
            .iter()
            .find(|property| property.name == place && property.kind == Kind::Integer);
        if let Some(property) = counts {
            self.token_lines.push(
                Line::new("order", scalar(&property.name)).guessed(Some(Guess::new(
                    Topic::Versions,
                    "it is a number",
                    "does it grow with each change?",
                ))),
            );
        }
        if version.is_some_and(|version| version == place) {
            self.kept.insert(place.clone());
        }
        self.token = Some(place);
    }

    pub(super) fn lines(&self, id: Option<&Line>) -> Vec<Line> {
        let first = id.cloned().into_iter().chain(self.token_lines.iter().cloned());
        let rest = [&self.modified, &self.created, &self.author, &self.deleted];
        first.chain(rest.into_iter().flatten().cloned()).collect()
    }
}

/// What says that a record is deleted: a flag, of the record or of what stands in its place in a list.
fn deleted(document: &Document, draft: &Draft<'_>, properties: &[Property]) -> Option<Line> {
    let own = properties
        .iter()
        .filter(|property| property.kind == Kind::Boolean && property.at.is_none());
    if let Some(property) = likeliest(own, |property| property.name.as_str(), "deleted") {
        let guess = Guess::new(
            Topic::Deletions,
            "by its name",
            "does a deleted record say so there, and is it still listed?",
        );
        return Some(Line::new("deleted", scalar(&property.name)).guessed(Some(guess)));
    }
    let others = document.others(&draft.items.schema);
    let tombstone = others
        .iter()
        .flat_map(|shape| &shape.members)
        .find(|(name, _)| means(name, "deleted"))?;
    Some(Line::new("deleted", scalar(&tombstone.0)))
}
