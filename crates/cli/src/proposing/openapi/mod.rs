//! OpenAPI 3 as a picture of record types.

mod document;
mod draft;
mod lists;
mod marks;
mod members;
mod paths;
mod top;
mod writes;

use super::picture::{Line, Picture, Topic, Way};
use super::yaml::scalar;
use crate::failure::Failure;
use document::Document;
use draft::Draft;
use paths::paths;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use url::Url;

/// Reads a document.
pub(crate) fn picture(from: &str, json: Json, at: Option<&Url>) -> Result<Picture, Failure> {
    let document = Document::new(from, json)?;
    let address = top::address(document.root(), at);
    let mut picture = Picture {
        way: Way::Rest,
        from: from.to_owned(),
        url: address.url,
        secrets: Vec::new(),
        top: Vec::new(),
        types: Vec::new(),
        open: Vec::new(),
    };
    if !address.open.is_empty() {
        let open = address.open.join(", ");
        picture.ask(
            Topic::SignIn,
            "",
            format!("What is {open} in the ERP's address? Write `url:` into tandem.yaml."),
        );
    }
    let title = document.root().pointer("/info/title").and_then(Json::as_str);
    picture
        .top
        .extend(title.map(|title| Line::new("name", scalar(title))));
    picture.top.extend(address.base);
    match top::session(&document) {
        Some((line, secrets)) => {
            picture.top.push(line);
            picture.secrets = secrets;
        }
        None => {
            let line = Line::new("session", "{ kind: bearer }");
            picture
                .top
                .push(line.not("the document does not say how a program signs in"));
            picture.ask(
                Topic::SignIn,
                "",
                "How does a program sign in? Write `session:` into the description.",
            );
        }
    }
    match top::identity(&document) {
        Some(line) => picture.top.push(line),
        None => picture.ask(
            Topic::SignIn,
            "",
            "Which request tells an id of the company that never changes? Write `identity:`, else two companies behind one address \
             cannot be told apart.",
        ),
    }
    match top::errors(&document) {
        Some(line) => picture.top.push(line),
        None => picture.ask(
            Topic::Answers,
            "",
            "Where does an error say what is wrong? Write `errors:`.",
        ),
    }
    record_types(&document, &mut picture);
    match picture.types.is_empty() {
        true => Err(Failure::usage(
            format!(
                "{from} describes no records: no path lists what another reads one by one, such as /customers and /customers/{{id}}"
            ),
            "Describe the interface by hand: docs/rest.md",
        )),
        false => Ok(picture),
    }
}

fn record_types(document: &Document, picture: &mut Picture) {
    let found = paths(document.root());
    for path in &found.lists_alone {
        picture.ask(
            Topic::Lists,
            "",
            format!("{path} is a list whose records cannot be read one by one: left out."),
        );
    }
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for pair in found.pairs {
        if let Some(draft) = Draft::of(document, pair, &drafts) {
            drafts.push(draft);
        }
    }
    let names: BTreeSet<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
    for draft in drafts {
        let of = draft.record_type(document, &names, picture);
        picture.types.push(of);
    }
}
