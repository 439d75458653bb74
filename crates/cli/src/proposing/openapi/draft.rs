//! A record type of an interface: its paths, its records, and how they are read.

use super::super::names::{likeliest, means, plain, singular};
use super::super::picture::{Guess, Kind, Line, Picture, Property, RecordType, Topic};
use super::super::yaml::{scalar, table};
use super::document::{Document, Shape};
use super::lists::{Items, Parameter, changes, found, items, joined, listing, parameters};
use super::marks::Marks;
use super::members::{Sent, members};
use super::paths::{Pair, last, type_name};
use super::writes::{About, Writes};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A record type about to be told.
pub(super) struct Draft<'a> {
    pub(super) name: String,
    pub(super) pair: Pair<'a>,
    pub(super) items: Items,
    /// One record, as it is read.
    record: Shape,
    /// Where it stands in the reply.
    record_at: String,
}

impl<'a> Draft<'a> {
    pub(super) fn of(document: &Document, pair: Pair<'a>, known: &[Draft<'_>]) -> Option<Self> {
        let get = pair.collection.operation("get")?;
        let reply = document.shape(document.body(document.success(get)?)?);
        let items = items(document, &reply, last(pair.collection.path.trim_end_matches('/')))?;
        let read = pair.item.operation("get")?;
        let read = document.success(read).and_then(|reply| document.body(reply));
        let listed = document.shape(&items.schema);
        let (record_at, record) = match read {
            Some(schema) => unwrapped(document, document.shape(schema), pair.collection.path),
            None => (".".to_owned(), listed.clone()),
        };
        let record = if record.members.is_empty() { listed } else { record };
        if record.members.is_empty() {
            return None;
        }
        let name = type_name(pair.collection.path, record.name.as_deref());
        let taken = |name: &str| known.iter().any(|other| other.name == name);
        let mut own = name.clone();
        let mut number = 2;
        while taken(&own) {
            own = format!("{name}{number}");
            number += 1;
        }
        Some(Self {
            name: own,
            pair,
            items,
            record,
            record_at,
        })
    }

    pub(super) fn record_type(
        &self,
        document: &Document,
        names: &BTreeSet<String>,
        picture: &mut Picture,
    ) -> RecordType {
        let name = &self.name;
        let (path, path_guess, not) = own_path(self.pair.collection.path);
        let get = self.pair.collection.operation("get").unwrap_or(&Json::Null);
        let asked = parameters(document, self.pair.collection.node, get);
        let writes = Writes::of(document, &self.pair);
        let sent = Sent {
            create: writes.create.as_ref().map(|write| write.sent.clone()),
            update: writes.update.as_ref().map(|write| write.sent.clone()),
        };
        let told = members(document, &self.record, &sent, names);
        for list in &told.lists {
            picture.ask(Topic::Values, name, format!("`{list}` is a list inside the record, and no property: lines are record types of their own."));
        }
        let mut properties = told.properties;
        let identified = self.identified(&mut properties);
        let marks = Marks::of(document, self, &properties, &writes);
        let mut lines = vec![Line::over("record", marks.lines(identified.as_ref()))];
        lines.push(self.list(document, &asked, &path, path_guess, marks.partial, picture));
        match changes(&asked, marks.deleted.is_some()) {
            Some(line) => lines.push(line),
            None => picture.ask(Topic::Changes, name, "How does one ask for what changed? Without `changes:` all records are compared, every 10 minutes."),
        }
        if marks.deleted.is_none() {
            picture.ask(Topic::Deletions, name, "How are deletions seen? Without a mark all records are compared once a day, and what is absent is read by its id.");
        }
        lines.push(self.read(&asked, &path));
        lines.extend(self.lookup(document));
        let about = About {
            pair: &self.pair,
            path: &path,
            token: marks.token.as_deref(),
            record: &self.record,
            name,
        };
        lines.extend(writes.lines(&about, picture));
        for property in properties
            .iter_mut()
            .filter(|property| marks.kept.contains(&property.name))
        {
            property.read_only = true;
            property.create_only = false;
            property.required = false;
        }
        if writes.create.is_none() && writes.update.is_none() {
            properties
                .iter_mut()
                .for_each(|property| property.create_only = false);
        }
        RecordType {
            name: name.clone(),
            lines,
            properties,
            creates: writes.create.is_some(),
            updates: writes.update.is_some(),
            not: not.or_else(|| {
                identified
                    .is_none()
                    .then(|| "nothing in its records looks like the id that stands in its path".to_owned())
            }),
        }
    }

    /// The member that is the id, which is never written.
    fn identified(&self, properties: &mut [Property]) -> Option<Line> {
        let param = plain(self.pair.id);
        let own = plain(&format!("{}id", self.name));
        let by = |name: &str| {
            properties
                .iter()
                .position(|property| plain(&property.name) == name && property.at.is_none())
        };
        let likely = || {
            let ranked = likeliest(
                properties.iter().enumerate(),
                |(_, property)| property.name.as_str(),
                "id",
            );
            ranked.map(|(place, _)| place)
        };
        let alike = || {
            let ranked = likeliest(
                properties.iter().enumerate(),
                |(_, property)| property.name.as_str(),
                "likeid",
            );
            ranked.map(|(place, _)| place)
        };
        let (place, guess) = match by(&param).or_else(|| by("id")) {
            Some(place) => (place, None),
            None => {
                let place = by(&own).or_else(likely).or_else(alike)?;
                let ask = format!("is it what stands for {{{}}} in the path?", self.pair.id);
                (place, Some(Guess::new(Topic::Values, "by its name", ask)))
            }
        };
        let property = properties.get_mut(place)?;
        property.unique = true;
        property.read_only = true;
        property.create_only = false;
        property.required = false;
        if let Kind::Reference(_) = property.kind {
            property.kind = Kind::Text(None);
            property.guess = None;
            property.form = None;
        }
        Some(Line::new("id", scalar(&property.name)).guessed(guess))
    }

    fn list(
        &self,
        document: &Document,
        asked: &[Parameter],
        path: &str,
        guess: Option<Guess>,
        partial: bool,
        picture: &mut Picture,
    ) -> Line {
        let get = self.pair.collection.operation("get").unwrap_or(&Json::Null);
        let reply = document.success(get).cloned().unwrap_or_default();
        let link = reply
            .get("headers")
            .and_then(Json::as_object)
            .is_some_and(|headers| headers.keys().any(|name| plain(name) == "link"));
        let shape = document
            .body(&reply)
            .map(|schema| document.shape(schema))
            .unwrap_or_default();
        let listing = listing(document, asked, &shape, link);
        let mut below = vec![Line::new("request", scalar(&format!("GET {path}"))).guessed(guess)];
        if !listing.query.is_empty() {
            below.push(Line::new("query", table(&listing.query)).guessed(listing.guess));
        }
        below.extend(
            self.items
                .place
                .as_ref()
                .map(|place| Line::new("items", scalar(place))),
        );
        below.extend(listing.paging);
        if listing.unpaged {
            picture.ask(
                Topic::Lists,
                &self.name,
                "How is the list read in pages? As it stands one request is taken for all of it.",
            );
        }
        if let Some((clock, of)) = found(document, &shape, "clock")
            && of.word("format") == Some("date-time")
        {
            below.push(Line::new("clock", scalar(&clock)));
        }
        if partial || self.shows_less(document) {
            below.push(Line::new("partial", "true"));
        }
        let needed = asked
            .iter()
            .filter(|parameter| parameter.required && parameter.place != "path");
        let missing: Vec<&str> = needed
            .map(|parameter| parameter.name.as_str())
            .filter(|name| !listing.query.iter().any(|(known, _)| known == name))
            .collect();
        if !missing.is_empty() {
            picture.ask(
                Topic::Lists,
                &self.name,
                format!(
                    "The list wants {}: write what under `query:` or `headers:`.",
                    missing.join(", ")
                ),
            );
        }
        Line::over("list", below)
    }

    /// Whether the list shows less of a record than a read by its id does.
    fn shows_less(&self, document: &Document) -> bool {
        let listed = document.shape(&self.items.schema);
        let there = |name: &str| listed.members.iter().any(|(known, _)| known == name);
        !self.record.members.iter().all(|(name, _)| there(name))
    }

    fn read(&self, asked: &[Parameter], path: &str) -> Line {
        let item = self.pair.item.path;
        let rest = item
            .get(self.pair.collection.path.trim_end_matches('/').len()..)
            .unwrap_or_default();
        let rest = rest.replace(&format!("{{{}}}", self.pair.id), "{id}");
        let request = format!("GET {}{rest}", path.trim_end_matches('/'));
        let mut below = vec![
            Line::new("request", scalar(&request)),
            Line::new("record", scalar(&self.record_at)),
        ];
        let ids = asked
            .iter()
            .find(|parameter| parameter.place == "query" && means(&parameter.name, "ids"));
        if let Some(ids) = ids {
            let entry = [(ids.name.clone(), "\"{ids:list}\"".to_owned())];
            let most = number_in(&ids.says).or_else(|| ids.shape.number("maxItems"));
            let guess = most.is_none().then(|| {
                Guess::new(
                    Topic::Lists,
                    "few enough for any address",
                    "how many ids at most?",
                )
            });
            let mut keys = vec![
                ("request", scalar(&format!("GET {path}"))),
                ("query", table(&entry)),
            ];
            keys.extend(self.items.place.as_ref().map(|place| ("items", scalar(place))));
            keys.push(("at_most", most.unwrap_or(50).to_string()));
            below.push(Line::new("many", table(&keys)).guessed(guess));
        }
        Line::over("read", below)
    }

    /// Records by a value, where a path is there to ask for them.
    fn lookup(&self, document: &Document) -> Option<Line> {
        let route = self.pair.lookup?;
        let post = route.operation("post")?;
        let body = document.shape(document.body(post.get("requestBody")?)?);
        let named = |what: &str| likeliest(body.members.iter(), |(name, _)| name.as_str(), what);
        let ((property, _), (values, of)) = named("lookupproperty").zip(named("lookupvalues"))?;
        let of = document.shape(of);
        let hole = if of.kind() == "array" {
            "\"{values}\""
        } else {
            "\"{value}\""
        };
        let reply = document.shape(document.body(document.success(post)?)?);
        let listed = items(document, &reply, "")?;
        let mut below = vec![
            Line::new("request", scalar(&format!("POST {}", route.path))),
            Line::new(
                "body",
                table(&[(property.as_str(), "\"{property}\""), (values.as_str(), hole)]),
            ),
        ];
        below.extend(listed.place.map(|place| Line::new("items", scalar(&place))));
        below.extend(
            of.number("maxItems")
                .map(|most| Line::new("at_most", most.to_string())),
        );
        Some(Line::over("find", below))
    }
}

/// The record within a reply: the place, and what it is like.
pub(super) fn unwrapped(document: &Document, reply: Shape, collection: &str) -> (String, Shape) {
    let inner = reply.members.iter().filter_map(|(name, of)| {
        let of = document.shape(of);
        let entry = match of.kind() {
            "object" => of,
            "array" => document.shape(of.words.get("items")?),
            _ => return None,
        };
        let list = document.shape(
            reply
                .members
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, of)| of)?,
        );
        let place = match list.kind() {
            "array" => joined(&[name, "0"]),
            _ => joined(&[name]),
        };
        (!entry.members.is_empty()).then(|| (name.clone(), place, entry))
    });
    let inner: Vec<_> = inner.collect();
    let scalars = reply
        .members
        .iter()
        .filter(|(_, of)| !matches!(document.shape(of).kind(), "array" | "object"));
    let is_record = reply.members.iter().any(|(name, _)| means(name, "id")) || scalars.count() > 2;
    let one = plain(&singular(last(collection.trim_end_matches('/'))));
    let wraps = inner
        .iter()
        .find(|(name, ..)| means(name, "record") || plain(name) == one || plain(&singular(name)) == one);
    match wraps.filter(|_| !is_record) {
        Some((_, place, entry)) => (place.clone(), entry.clone()),
        None => (".".to_owned(), reply),
    }
}

/// The path of a collection as a description writes it. What stands for a company is for a person to fill in; a part of one
/// record cannot be listed as a whole.
fn own_path(path: &str) -> (String, Option<Guess>, Option<String>) {
    let (mut text, mut open, mut parts) = (String::new(), Vec::new(), Vec::new());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
        text.push_str(before);
        text.push_str(&name.to_uppercase());
        let company = means(name, "company");
        if company { &mut open } else { &mut parts }.push(name);
        rest = after;
    }
    text.push_str(rest);
    let guess = (!open.is_empty()).then(|| {
        Guess::new(
            Topic::SignIn,
            "what stands in capitals is ours",
            format!("what is {} here?", open.join(", ")),
        )
    });
    let not = (!parts.is_empty())
        .then(|| format!("its records stand below others ({path}), so they cannot be listed as a whole"));
    (text, guess, not)
}

fn number_in(text: &str) -> Option<u64> {
    let digits = text.split(|sign: char| !sign.is_ascii_digit());
    digits
        .filter(|part| !part.is_empty())
        .find_map(|part| part.parse().ok())
        .filter(|number| (1..=10_000).contains(number))
}
