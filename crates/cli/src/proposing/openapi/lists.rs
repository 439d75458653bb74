//! How a list is read: where its records stand, how its pages follow each other, what asks for changes.

use super::super::names::{likeliest, means, plain, rank};
use super::super::picture::{Guess, Line, Topic};
use super::super::yaml::{scalar, table};
use super::document::{Document, Shape};
use serde_json::Value as Json;

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) required: bool,
    pub(super) shape: Shape,
    pub(super) says: String,
}

/// The parameters of an operation and of its path.
pub(super) fn parameters(document: &Document, route: &Json, operation: &Json) -> Vec<Parameter> {
    let lists = [operation, route].map(|node| node.get("parameters").and_then(Json::as_array));
    let nodes = lists
        .into_iter()
        .flatten()
        .flatten()
        .map(|node| document.at(node));
    let read = nodes.filter_map(|node| {
        let schema = node.get("schema").cloned().unwrap_or_default();
        Some(Parameter {
            name: node.get("name")?.as_str()?.to_owned(),
            place: node.get("in")?.as_str()?.to_owned(),
            required: node.get("required").and_then(Json::as_bool).unwrap_or_default(),
            shape: document.shape(&schema),
            says: [node.get("description"), schema.get("description")]
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .collect::<Vec<_>>()
                .join(" "),
        })
    });
    read.collect()
}

/// Where the records stand in a reply: the place, and the schema of one.
#[derive(Clone, Debug)]
pub(super) struct Items {
    /// None: the reply is the list.
    pub(super) place: Option<String>,
    pub(super) schema: Json,
}

/// Finds the list in a reply.
pub(super) fn items(document: &Document, reply: &Shape, collection: &str) -> Option<Items> {
    if reply.kind() == "array" {
        let schema = reply.words.get("items")?.clone();
        return Some(Items { place: None, schema });
    }
    let here = lists_in(document, reply);
    if let Some((name, schema)) = choice(&here, collection) {
        return Some(Items {
            place: Some(step(&name)),
            schema,
        });
    }
    // One step further in: `d.results`, `_embedded.customers`.
    reply.members.iter().find_map(|(outer, of)| {
        let within = document.shape(of);
        let (inner, schema) = choice(&lists_in(document, &within), collection)?;
        Some(Items {
            place: Some(joined(&[outer, &inner])),
            schema,
        })
    })
}

fn lists_in(document: &Document, shape: &Shape) -> Vec<(String, Json)> {
    let lists = shape.members.iter().filter_map(|(name, of)| {
        let of = document.shape(of);
        let schema = of.words.get("items").filter(|_| of.kind() == "array")?;
        (document.shape(schema).kind() == "object").then(|| (name.clone(), schema.clone()))
    });
    lists.collect()
}

/// The list of several that is the records'.
fn choice(lists: &[(String, Json)], collection: &str) -> Option<(String, Json)> {
    let own = lists.iter().find(|(name, _)| plain(name) == plain(collection));
    let known = || likeliest(lists, |(name, _)| name.as_str(), "items");
    own.or_else(known)
        .or_else(|| lists.first().filter(|_| lists.len() == 1))
        .cloned()
}

/// A place in a reply, by its steps.
pub(super) fn joined(steps: &[&str]) -> String {
    match steps.iter().any(|step| step.contains(['.', '/'])) {
        true => steps
            .iter()
            .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
            .collect(),
        false => steps.join("."),
    }
}

fn step(name: &str) -> String {
    joined(&[name])
}

/// A scalar member of a reply that means something, here or one step further in.
pub(super) fn found(document: &Document, reply: &Shape, what: &str) -> Option<(String, Shape)> {
    let scalars = |shape: &Shape| -> Vec<(String, Shape)> {
        let all = shape
            .members
            .iter()
            .map(|(name, of)| (name.clone(), document.shape(of)));
        all.filter(|(_, of)| !matches!(of.kind(), "array" | "object"))
            .collect()
    };
    if let Some((name, of)) = likeliest(scalars(reply), |(name, _)| name.as_str(), what) {
        return Some((step(&name), of));
    }
    reply.members.iter().find_map(|(outer, of)| {
        let within = document.shape(of);
        let all = if within.kind() == "object" {
            scalars(&within)
        } else {
            Vec::new()
        };
        let (inner, of) = likeliest(all, |(name, _)| name.as_str(), what)?;
        Some((joined(&[outer, &inner]), of))
    })
}

/// What is asked of a list.
pub(super) struct Listing {
    /// Parameters behind the path, as YAML.
    pub(super) query: Vec<(String, String)>,
    pub(super) paging: Option<Line>,
    /// A guess about the number of records on a page.
    pub(super) guess: Option<Guess>,
    /// Nothing says how pages follow.
    pub(super) unpaged: bool,
}

/// How pages follow each other.
pub(super) fn listing(document: &Document, parameters: &[Parameter], reply: &Shape, link: bool) -> Listing {
    let asked: Vec<&Parameter> = parameters
        .iter()
        .filter(|parameter| parameter.place == "query" && parameter.shape.kind() != "boolean")
        .collect();
    let by = |what: &str| likeliest(asked.iter().copied(), |parameter| short(&parameter.name), what);
    let mut listing = Listing {
        query: Vec::new(),
        paging: None,
        guess: None,
        unpaged: false,
    };
    if let Some(size) = by("size") {
        let (number, guess) = page_size(size);
        listing.query.push((size.name.clone(), number.to_string()));
        listing.guess = guess;
    }
    let next = found(document, reply, "nexturl");
    let is_url = |of: &Shape| of.word("format").is_some_and(|format| format.starts_with("uri"));
    let total = found(document, reply, "total").map(|(place, _)| ("total", scalar(&place)));
    let more = found(document, reply, "more").map(|(place, _)| ("more", scalar(&place)));
    let mut hole = |name: &str, hole: &str| listing.query.push((name.to_owned(), format!("\"{{{hole}}}\"")));
    let mut keys: Vec<(&str, String)> = Vec::new();
    let mut guess = None;
    if let Some((place, _)) = next.as_ref().filter(|(_, of)| is_url(of)) {
        keys.extend([("kind", "url".to_owned()), ("next", scalar(place))]);
    } else if let Some((cursor, (place, _))) = by("cursor").zip(found(document, reply, "nextcursor")) {
        hole(&cursor.name, "cursor");
        keys.extend([("kind", "cursor".to_owned()), ("next", scalar(&place))]);
        keys.extend(more);
    } else if let Some(offset) = by("offset").or_else(|| by("offsetfromone")) {
        hole(&offset.name, "offset");
        keys.push(("kind", "offset".to_owned()));
        let one = means(short(&offset.name), "offsetfromone") || offset.shape.number("minimum") == Some(1);
        keys.extend(one.then(|| ("from", "1".to_owned())));
        keys.extend(more.into_iter().chain(total));
    } else if let Some(page) = by("page") {
        hole(&page.name, "page");
        keys.push(("kind", "page".to_owned()));
        let first = page
            .shape
            .number("minimum")
            .or_else(|| page.shape.number("default"));
        keys.extend(
            first
                .filter(|first| *first == 0)
                .map(|_| ("from", "0".to_owned())),
        );
        if first.is_none() {
            guess = Some(Guess::new(
                Topic::Lists,
                "the page at the beginning is 1",
                "is it 1 or 0?",
            ));
        }
        keys.extend(more);
        keys.extend(found(document, reply, "pages").map(|(place, _)| ("pages", scalar(&place))));
        keys.extend(total);
    } else if link {
        keys.extend([("kind", "url".to_owned()), ("next", "header:Link".to_owned())]);
    } else if let Some((place, _)) = next.filter(|_| by("cursor").is_none()) {
        keys.extend([("kind", "url".to_owned()), ("next", scalar(&place))]);
        guess = Some(Guess::new(
            Topic::Lists,
            "by its name",
            "does the address of the next page stand there?",
        ));
    } else if let Some(after) = by("after") {
        hole(&after.name, "after");
        keys.push(("kind", "keyset".to_owned()));
        keys.extend(more);
        guess = Some(Guess::new(
            Topic::Lists,
            "by the parameter's name",
            "is the list in the order of its ids?",
        ));
    } else {
        listing.unpaged = true;
        return listing;
    }
    listing.paging = Some(Line::new("paging", table(&keys)).guessed(guess));
    listing
}

/// `page[number]` as `page`, `page[size]` as `size`, `$top` as `top`.
fn short(name: &str) -> &str {
    match name {
        "page[number]" => "page",
        "page[offset]" => "offset",
        "page[size]" | "page[limit]" => "size",
        "page[cursor]" | "page[after]" => "cursor",
        other => other,
    }
}

/// How many records to ask for at once.
fn page_size(size: &Parameter) -> (u64, Option<Guess>) {
    const MANY: u64 = 1_000;
    match (size.shape.number("maximum"), size.shape.number("default")) {
        (Some(most), _) => (most.clamp(1, MANY), None),
        (None, Some(usual)) => (usual.clamp(1, MANY), None),
        (None, None) => {
            let guess = Guess::new(Topic::Lists, "any ERP gives as many at once", "how many at most?");
            (100, Some(guess))
        }
    }
}

/// What asks for changes.
pub(super) fn changes(parameters: &[Parameter], tombstones: bool) -> Option<Line> {
    let (asks, exclusive) = parameters
        .iter()
        .filter(|parameter| !parameter.required)
        .find_map(|parameter| {
            let name = parameter.name.as_str();
            match parameter.place.as_str() {
                "query" if means(name, "sinceafter") => Some((parameter, true)),
                "query" if means(name, "since") => Some((parameter, false)),
                "header" if plain(name) == "ifmodifiedsince" => Some((parameter, false)),
                _ => None,
            }
        })?;
    let mut since: Vec<(&str, String)> = Vec::new();
    let mut guess = None;
    let says = asks.says.to_lowercase();
    match (asks.place.as_str(), asks.shape.kind(), asks.shape.word("format")) {
        ("header", ..) => since.extend([("format", "http".to_owned()), ("granularity", "s".to_owned())]),
        (_, "integer" | "number", _) if says.contains("milli") => {
            since.push(("format", "milliseconds".to_owned()));
        }
        (_, "integer" | "number", _) => {
            since.extend([("format", "seconds".to_owned()), ("granularity", "s".to_owned())]);
            guess = Some("it is a number");
        }
        (_, _, Some("date")) => since.push(("granularity", "day".to_owned())),
        (_, _, Some("date-time")) => {}
        _ => guess = Some("it is a text"),
    }
    if exclusive {
        since.push(("exclusive", "true".to_owned()));
    }
    let guess = guess.map(|why| {
        Guess::new(
            Topic::Changes,
            why,
            "how is the moment written, and how exactly is it compared?",
        )
    });
    let mut query: Vec<(String, String)> = Vec::new();
    let hidden = parameters
        .iter()
        .find(|parameter| tombstones && rank(&parameter.name, "withdeleted").is_some());
    query.extend(hidden.map(|hidden| (hidden.name.clone(), "true".to_owned())));
    let entry = (asks.name.clone(), "\"{since}\"".to_owned());
    let mut below = Vec::new();
    if asks.place == "header" {
        if !query.is_empty() {
            below.push(Line::new("query", table(&query)));
        }
        below.push(Line::new("headers", table(&[entry])));
    } else {
        query.push(entry);
        below.push(Line::new("query", table(&query)));
    }
    if !since.is_empty() || guess.is_some() {
        if since.is_empty() {
            since.push(("format", "iso".to_owned()));
        }
        below.push(Line::new("since", table(&since)).guessed(guess));
    }
    Some(Line::over("changes", below))
}
