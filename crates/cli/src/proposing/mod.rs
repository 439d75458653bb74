//! What `tandem init --from` proposes: a description of an ERP and flows, out of what the ERP says of itself.
//!
//! Each kind of source is read into one neutral picture of record types (`picture`); the files are written from that
//! picture alone. What the source does not say is left out, or written with what was guessed and what to ask.

mod database;
mod description;
mod flows;
mod likeness;
mod main_file;
mod mend;
mod metadata;
mod names;
mod openapi;
mod picture;
mod source;
mod yaml;

pub(crate) use likeness::looks_like;
pub(crate) use main_file::Connections;
pub(crate) use picture::{Picture, Topic, Way};
pub(crate) use source::Access;

use crate::failure::Failure;
use flows::FlowFile;
use names::capital;
use picture::{Kind, Line, Open};
use source::Found;
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{rest, sql};
use tandem_merge::config::{Described, Problem, Sources, load, load_against};

/// Reads what an ERP says of itself.
pub(crate) async fn picture_of(from: &str, access: &Access) -> Result<Picture, Failure> {
    let found = source::look(from, access).await?;
    // What stands behind `?` may be a key, which is nobody's to see.
    let shown = from.split('?').next().unwrap_or(from);
    match found {
        Found::Document { json, at } => openapi::picture(shown, json, at.as_ref()),
        Found::Xml { text, at } => metadata::picture(shown, &text, at.as_ref(), access),
        Found::Database(url) => database::picture(&url, access).await,
    }
}

/// The record types that are proposed where nobody chooses: those that look like objects of Salesforce, else all.
pub(crate) fn usual(picture: &Picture) -> BTreeSet<String> {
    let usable = || picture.types.iter().filter(|of| of.not.is_none());
    let likely: BTreeSet<String> = usable()
        .filter(|of| looks_like(&of.name).is_some())
        .map(|of| of.name.clone())
        .collect();
    match likely.is_empty() {
        true => picture.types.iter().map(|of| of.name.clone()).collect(),
        false => likely,
    }
}

/// What is proposed: the files, and what there is to decide.
pub(crate) struct Proposal {
    /// The description.
    pub(crate) description: String,
    pub(crate) flows: Vec<FlowFile>,
    /// `tandem.yaml`.
    pub(crate) main: String,
    /// The secrets that the ERP's connection needs, by name.
    pub(crate) secrets: Vec<String>,
    /// What was guessed or is open, by topic, each with what it is about.
    pub(crate) decisions: Vec<(Topic, String, Vec<String>)>,
}

/// Proposes files out of a picture of which some record types were chosen.
pub(crate) fn propose(
    mut picture: Picture,
    connections: &Connections<'_>,
    command: &str,
) -> Result<Proposal, Failure> {
    let likenesses = likeness::likenesses(&picture);
    for (of, object, why) in &likenesses.not {
        picture.ask(
            Topic::Flows,
            of,
            format!("It looks like {object}, and there is no flow: {why}."),
        );
    }
    let written = description::text(&picture, command);
    let file = connections.description;
    let read = |text: &str| match picture.way {
        Way::Rest => rest::Description::read(file, text)
            .map(drop)
            .err()
            .unwrap_or_default(),
        Way::Sql => sql::Description::read(file, text)
            .map(drop)
            .err()
            .unwrap_or_default(),
    };
    let description = mend::mended(written, read).ok_or_else(|| unusable(&picture))?;
    let main = main_file::text(
        &picture,
        connections,
        likenesses
            .found
            .iter()
            .any(|draft| draft.object.name == "Invoice"),
    );
    let mut flows: Vec<FlowFile> = likenesses
        .found
        .iter()
        .map(|draft| flows::flow(draft, &likenesses.found, connections.erp))
        .collect();
    checked(&mut flows, &main, connections, &described(&picture))?;
    let decisions = decisions(&picture, &flows);
    Ok(Proposal {
        description,
        flows,
        main,
        secrets: picture.secrets,
        decisions,
    })
}

fn unusable(picture: &Picture) -> Failure {
    Failure::usage(
        format!("nothing of {} can be described", picture.from),
        "Choose other record types with --types, or describe it by hand: docs/connect-your-erp.md",
    )
}

/// What the ERP will say of itself, as far as the picture knows.
fn described(picture: &Picture) -> Described {
    let types = picture.types.iter().filter(|of| of.not.is_none()).map(|of| {
        let properties = of
            .properties
            .iter()
            .map(|property| (property.name.clone(), property.kind.described()));
        (of.name.clone(), properties.collect::<BTreeMap<_, _>>())
    });
    types.collect()
}

/// Has every flow pass the checks, taking out what does not.
fn checked(
    flows: &mut Vec<FlowFile>,
    main: &str,
    connections: &Connections<'_>,
    described: &Described,
) -> Result<(), Failure> {
    let path = |name: &str| format!("flows/{name}.yaml");
    let known = BTreeMap::from([(connections.erp.to_owned(), described.clone())]);
    let problems = |flows: &[FlowFile]| -> Vec<Problem> {
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), main.to_owned()),
            flows: flows
                .iter()
                .map(|flow| (path(flow.name), flow.text.clone()))
                .collect(),
            kinds: tandem_connector::kinds::KINDS,
        };
        let wrong = load(&sources).err().unwrap_or_default();
        if wrong.is_empty() {
            load_against(&sources, &known).err().unwrap_or_default()
        } else {
            wrong
        }
    };
    let rounds: usize = flows.iter().map(|flow| flow.text.lines().count()).sum();
    for _ in 0..=rounds {
        let found = problems(flows);
        let Some(problem) = found.first() else {
            return Ok(());
        };
        let Some(place) = flows.iter().position(|flow| path(flow.name) == problem.file) else {
            // Without any flow there is nothing to be kept in step yet: that is for a person to write.
            return match flows.is_empty() {
                true => Ok(()),
                false => Err(Failure::Configuration(found)),
            };
        };
        match mend::without(&flows[place].text, problem) {
            Some(text) if text.lines().any(|line| line.starts_with("properties:")) => {
                flows[place].text = text
            }
            _ => drop(flows.remove(place)),
        }
    }
    Ok(())
}

/// What there is to decide, in the order of the documentation: each question once, with all that it is about.
fn decisions(picture: &Picture, flows: &[FlowFile]) -> Vec<(Topic, String, Vec<String>)> {
    let mut all: Vec<Open> = picture.open.clone();
    gather(&picture.top, "", &mut all);
    for of in &picture.types {
        if let Some(why) = &of.not {
            let what = format!("It is left out: {why}.");
            all.push(open(Topic::Values, &of.name, what));
            continue;
        }
        gather(&of.lines, &of.name, &mut all);
        for property in &of.properties {
            let what = match (&property.guess, &property.kind) {
                (None, _) => continue,
                (Some(_), Kind::Reference(_)) => {
                    "Does it hold the id of the record that was guessed?".to_owned()
                }
                (Some(guess), _) => capital(&guess.ask),
            };
            let about = format!("{}.{}", of.name, property.name);
            all.push(open(Topic::Values, &about, what));
        }
    }
    for flow in flows.iter().filter(|flow| flow.has_parent) {
        let what =
            "May a deletion in Salesforce delete lines in the ERP? Until then `on_delete` asks.".to_owned();
        all.push(open(Topic::Deletions, flow.name, what));
    }
    for flow in flows.iter().filter(|flow| flow.guessed > 0) {
        let about = format!("{}: {}", flow.name, flow.guessed);
        all.push(open(
            Topic::Flows,
            &about,
            "Rows that stand together by their names alone: look at each.".to_owned(),
        ));
    }
    let mut grouped: Vec<(Topic, String, Vec<String>)> = Vec::new();
    for Open { topic, of, what } in all {
        let known = grouped
            .iter_mut()
            .find(|(known, question, _)| *known == topic && *question == what);
        match known {
            Some((.., about)) if !about.contains(&of) => about.push(of),
            Some(_) => {}
            None => grouped.push((topic, what, Vec::from_iter(Some(of).filter(|of| !of.is_empty())))),
        }
    }
    grouped.sort_by_key(|(topic, ..)| *topic);
    grouped
}

fn open(topic: Topic, of: &str, what: String) -> Open {
    Open {
        topic,
        of: of.to_owned(),
        what,
    }
}

fn gather(lines: &[Line], of: &str, all: &mut Vec<Open>) {
    for line in lines.iter().filter(|line| line.not.is_none()) {
        if let Some(guess) = &line.guess {
            let ask = format!("`{}`: {}", line.key, guess.ask);
            all.push(open(guess.topic, of, ask));
        }
        gather(&line.below, of, all);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DOCUMENT: &str = r##"{"openapi":"3.1.0","servers":[{"url":"https://x.example/{v}/api"}],"paths":{"/customers":{"get":{"parameters":[{"name":"cursor",
        "in":"query"},{"name":"limit","in":"query","schema":{"maximum":9}},{"name":"updatedSince","in":"query","schema":{"type":"string"}}],"responses":{"200":
        {"content":{"application/json":{"schema":{"properties":{"items":{"type":"array","items":{"$ref":"#/c"}},"nextCursor":{"type":"string"}}}}}}}},"post":
        {"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/c"}}}}}},"/customers/{id}":{"get":{"responses":{"200":{"headers":{"ETag":{}},
        "content":{"application/json":{"schema":{"$ref":"#/c"}}}}}},"put":{"parameters":[{"name":"If-Match","in":"header"}],"requestBody":{"content":
        {"application/json":{"schema":{"$ref":"#/c"}}}}}}},"c":{"allOf":[{"properties":{"id":{"type":"integer"},"name":{"type":["string","null"],"maxLength":9},
        "customerId":{"type":"string"},"updatedAt":{"type":"string","format":"date-time"},"version":{"type":"integer"},"a":{"enum":["x","y"]}}},{"$ref":"#/c"}]}}"##;
    const METADATA: &str = r#"<Edmx Version="4.0"><Schema Namespace="N"><EntityType Name="Customer"><Key><PropertyRef Name="ID"/></Key><Property Name="ID"
        Type="Edm.Int32" Nullable="false"/><Property Name="Name" Type="Edm.String" MaxLength="9"/><NavigationProperty Name="P" Type="N.Customer">
        <ReferentialConstraint Property="Name" ReferencedProperty="ID"/></NavigationProperty></EntityType><EntityContainer><EntitySet Name="Customers"
        EntityType="N.Customer"/></EntityContainer></Schema></Edmx>"#;

    /// Whatever stands in a document: what is proposed out of it reads, or it is refused in words.
    #[test]
    fn fuzz_proposal() {
        let corpus: [&[u8]; 2] = [DOCUMENT.as_bytes(), METADATA.as_bytes()];
        let connections = Connections {
            erp: "erp",
            description: "erp.yaml",
            url: None,
            salesforce: None,
            client: ["ID", "SECRET"],
            variables: &[],
        };
        let proposed = |data: &[u8]| -> Result<Proposal, Failure> {
            let mut picture = match source::told("it", data.to_vec(), None)? {
                Found::Document { json, at } => openapi::picture("it", json, at.as_ref())?,
                Found::Xml { text, at } => metadata::picture("it", &text, at.as_ref(), &Access::default())?,
                Found::Database(url) => panic!("{url}"),
            };
            let all = picture.types.iter().map(|of| of.name.clone()).collect();
            picture.keep(&all);
            propose(picture, &connections, "tandem init")
        };
        for whole in corpus {
            let proposal = proposed(whole).unwrap();
            assert!(
                proposal.description.contains("  Customer:"),
                "{}",
                proposal.description
            );
        }
        tandem_fuzz::drive("proposal", &corpus, |data| {
            if let Ok(proposal) = proposed(data) {
                assert!(rest::Description::read("erp.yaml", &proposal.description).is_ok());
            }
        });
    }
}
