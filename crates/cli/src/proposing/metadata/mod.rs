//! An OData metadata document as a picture of record types, in the words of docs/odata.md. What the dialect fills in is not written.

mod annotations;
mod model;
mod properties;
mod record;
mod references;

use super::names::singular;
use super::picture::{Guess, Line, Picture, Topic, Way};
use super::source::Access;
use super::yaml::{scalar, table};
use crate::failure::Failure;
use model::{Service, Version};
use record::Reading;
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// Reads a document, which `access` could see where it has an address.
pub(crate) fn picture(from: &str, text: &str, at: Option<&Url>, access: &Access) -> Result<Picture, Failure> {
    let service = model::read(from, text)?;
    let mut picture = Picture {
        way: Way::Rest,
        from: from.to_owned(),
        url: at.map(|at| at.origin().ascii_serialization()),
        secrets: Vec::new(),
        top: vec![dialect(&service)],
        types: Vec::new(),
        open: Vec::new(),
    };
    if let Some(base) = at
        .and_then(|at| at.path().strip_suffix("/$metadata"))
        .filter(|base| !base.is_empty())
    {
        picture.top.push(Line::new("base", scalar(base)));
    } else if at.is_none() {
        picture.ask(
            Topic::SignIn,
            "",
            "At which path does the service begin? Write it as `base:`.",
        );
    }
    sign_in(at.and_then(|_| access.session()), &mut picture);
    let names = type_names(&service);
    let by_entity: BTreeMap<&str, &str> = service
        .sets
        .iter()
        .filter_map(|set| Some((set.of.as_str(), names.get(&set.name)?.as_str())))
        .collect();
    for set in &service.sets {
        let of = Reading {
            service: &service,
            set,
            name: names.get(&set.name).cloned().unwrap_or_default(),
            by_entity: &by_entity,
        };
        let told = of.record_type(&mut picture);
        picture.types.push(told);
    }
    Ok(picture)
}

/// The version, with what is chosen of what it leaves open: only where the document gives a reason.
fn dialect(service: &Service) -> Line {
    let version = match service.version {
        Version::V4 => "v4",
        Version::V2 => "v2",
    };
    let mut said = vec![("version", version)];
    if service.sets.iter().any(|set| !set.key_is_filterable()) {
        said.push(("paging", "links"));
    }
    if service.tracks_changes() {
        said.push(("changes", "delta"));
    }
    let text = match said.as_slice() {
        [_] => version.to_owned(),
        said => table(said),
    };
    let unsaid = service.sets.iter().any(|set| {
        let written = set.can("updatable") || set.can("deletable");
        written && !set.flags.contains_key("concurrency")
    });
    let guess = Guess::new(
        Topic::Versions,
        "most services show ETags, and the document says nothing of them",
        "does each record show an ETag? If none does, write `etags: off`.",
    );
    Line::new("odata", text).guessed(unsaid.then_some(guess))
}

/// How a program signs in: a document does not say it, but somebody may just have signed in to read it.
fn sign_in(session: Option<(&'static str, &'static [&'static str])>, picture: &mut Picture) {
    let Some((kind, secrets)) = session else {
        let why = "a metadata document does not say how a program signs in";
        picture.top.push(Line::new("session", "{ kind: basic }").not(why));
        picture.ask(
            Topic::SignIn,
            "",
            "How does a program sign in? Write `session:` into the description.",
        );
        return;
    };
    let guess = Guess::new(
        Topic::SignIn,
        "the document was read so",
        "does a program sign in as the document was read?",
    );
    let line = Line::new("session", table(&[("kind", kind)])).guessed(Some(guess));
    picture.top.push(line);
    picture.secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
}

/// What the record type of each set is called.
fn type_names(service: &Service) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for set in &service.sets {
        let own = set
            .of
            .strip_suffix("Type")
            .filter(|rest| !rest.is_empty())
            .unwrap_or(&set.of);
        let own = own.strip_prefix("A_").unwrap_or(own);
        let own = singular(own);
        let (mut name, mut number) = (own.clone(), 2);
        while !taken.insert(name.clone()) {
            name = format!("{own}{number}");
            number += 1;
        }
        names.insert(set.name.clone(), name);
    }
    names
}
