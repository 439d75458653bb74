//! Dialects: what a protocol fixes, as a description of its own that is laid under the one that is written.
//!
//! Invariant: what is written holds. A dialect only fills in what is not said, and `null` takes out what it would fill in.

use super::words::words;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::collections::BTreeMap;
use tandem_merge::config::node::{At, Content, Node, parse};
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Written};
use tandem_merge::written;

const ODATA_V4: &str = include_str!("odata-v4.yaml");
const ODATA_V2: &str = include_str!("odata-v2.yaml");

words! {
    /// A version of OData.
    enum Version {
        /// 4.0 and later.
        V4 = "v4",
        /// 2.0.
        V2 = "v2",
    }
}

written! {
    /// A version of OData, with what a service leaves open.
    struct ODataTable {
        /// `v4` or `v2`.
        version: Version,
        /// How lists go on: by `keyset` or by `links`.
        paging: Option<At<String>>,
        /// How changes are seen: by a `filter` or by `delta` links.
        changes: Option<At<String>>,
        /// How records are changed: by `patch`, `merge`, or a `post` that says MERGE.
        updates: Option<At<String>>,
        /// Whether records have ETags: `on` or `off`.
        etags: Option<At<String>>,
        /// Whether writes carry a token against forged requests: `on` or `off`.
        csrf: Option<At<String>>,
        /// How several requests travel as one: `off`, `json` or `multipart`.
        batch: Option<At<String>>,
    }
}

/// What `odata:` says.
#[derive(Clone, Debug)]
pub(crate) struct ODataText {
    version: Version,
    chosen: BTreeMap<&'static str, At<String>>,
}

impl Written for ODataText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Table(_) = node.value else {
            return Version::read(node, reader).map(|version| Self {
                version,
                chosen: BTreeMap::new(),
            });
        };
        let table = ODataTable::read(node, reader)?;
        let said = [
            ("paging", table.paging),
            ("changes", table.changes),
            ("updates", table.updates),
            ("etags", table.etags),
            ("csrf", table.csrf),
            ("batch", table.batch),
        ];
        Some(Self {
            version: table.version,
            chosen: said
                .into_iter()
                .filter_map(|(name, word)| Some((name, word?)))
                .collect(),
        })
    }
}

impl JsonSchema for ODataText {
    fn schema_name() -> Cow<'static, str> {
        "OData".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alone = generator.subschema_for::<Version>();
        let table = generator.subschema_for::<ODataTable>();
        json_schema!({ "anyOf": [alone, table] })
    }
}

/// Lays the dialect that a description names under it.
pub(super) fn lay(root: &mut Node, reader: &mut Reader<'_>) -> Option<()> {
    let Some(named) = member(root, "odata").cloned() else {
        complete(root);
        return Some(());
    };
    let odata = ODataText::read(&named, reader)?;
    let text = match odata.version {
        Version::V4 => ODATA_V4,
        Version::V2 => ODATA_V2,
    };
    let Ok(mut dialect) = parse(text) else {
        reader.problem(
            &named,
            "the dialect that is built in cannot be read",
            "Report this.",
        );
        return None;
    };
    place(&mut dialect, &named);
    let choices = take(&mut dialect, "choices")?;
    let chosen = chosen(&odata, &choices, root, reader)?;
    for choice in chosen {
        let below = std::mem::replace(&mut dialect, choice);
        over(&mut dialect, below);
    }
    over(root, dialect);
    into_types(root);
    Some(())
}

/// What is chosen of each of the dialect's choices: what is said, else what stands there at first.
fn chosen(odata: &ODataText, choices: &Node, root: &Node, reader: &mut Reader<'_>) -> Option<Vec<Node>> {
    let Content::Table(choices) = &choices.value else {
        return None;
    };
    for (name, word) in &odata.chosen {
        if !choices.iter().any(|(known, _)| known.value == *name) {
            let message = format!("OData {} leaves no choice of `{name}`", odata.version.word());
            reader.problem(word, message, format!("Take `{name}` out."));
            return None;
        }
    }
    let mut all = Vec::new();
    for (name, ways) in choices {
        let Content::Table(ways) = &ways.value else {
            continue;
        };
        let said = odata.chosen.get(name.value.as_str());
        let usual = ways.iter().find(|(_, way)| match name.value.as_str() {
            // A token against forged requests belongs to a session.
            "csrf" => signs_in(root) || way.value == Content::Blank,
            _ => true,
        });
        let way = match said {
            Some(said) => ways.iter().find(|(way, _)| way.value == said.value),
            None => usual,
        };
        let Some((_, way)) = way else {
            if let Some(said) = said {
                let words = ways.iter().map(|(way, _)| way.value.as_str());
                let help = suggestion(&said.value, words);
                reader.problem(
                    said,
                    format!("`{}` is no way of `{}`", said.value, name.value),
                    help,
                );
            }
            return None;
        };
        if let Content::Table(_) = way.value {
            all.push(way.clone());
        }
    }
    Some(all)
}

fn signs_in(root: &Node) -> bool {
    let kind = member(root, "session").and_then(|session| member(session, "kind"));
    kind.is_some_and(|kind| kind.value != Content::Text("none".to_owned()))
}

/// What is complete with its request only, and says none, is the one of `defaults` with what it says laid over it. `changes` are
/// the list's and say what is theirs besides.
const OPERATIONS: [&str; 7] = ["list", "deletions", "read", "find", "create", "update", "delete"];

/// Completes the operations of record types that say no request with those of `defaults`.
fn complete(root: &mut Node) {
    let Some(defaults) = member(root, "defaults").cloned() else {
        return;
    };
    let types = member_mut(root, "record_types");
    let Some(Content::Table(types)) = types.map(|types| &mut types.value) else {
        return;
    };
    for name in OPERATIONS {
        let Some(below) = member(&defaults, name) else {
            continue;
        };
        for (_, of) in types.iter_mut() {
            let own = member_mut(of, name).filter(|own| member(own, "request").is_none());
            if let Some(own) = own {
                over(own, below.clone());
            }
        }
    }
}

/// Lays `defaults` under each record type, member by member; what stands inside others is asked for with them.
fn into_types(root: &mut Node) {
    let Some(defaults) = take(root, "defaults") else {
        return;
    };
    let Content::Table(entries) = &mut root.value else {
        return;
    };
    let types = entries.iter_mut().find(|(name, _)| name.value == "record_types");
    let Some((
        _,
        Node {
            value: Content::Table(types),
            ..
        },
    )) = types
    else {
        return;
    };
    let alone = types.iter_mut().filter(|(_, of)| member(of, "inside").is_none());
    for (_, of) in alone {
        over(of, defaults.clone());
        by_time_alone_if_there_is_one(of);
    }
}

/// Changes are asked for by the time of a change, where a record shows one.
fn by_time_alone_if_there_is_one(of: &mut Node) {
    let query = member(of, "changes").and_then(|changes| member(changes, "query"));
    let by_time = query.is_some_and(|query| match &query.value {
        Content::Table(entries) => entries.iter().any(|(_, node)| match &node.value {
            Content::Text(text) => text.contains("{changed}"),
            _ => false,
        }),
        _ => false,
    });
    let timed = member(of, "record").and_then(|record| member(record, "modified"));
    if by_time && timed.is_none() {
        take(of, "changes");
    }
}

/// Lays one node under another: what stands above holds, tables are joined, and what is `null` above is left out. Tables
/// of another `kind` are other things.
fn over(above: &mut Node, below: Node) {
    let kinds = [member(above, "kind"), member(&below, "kind")].map(|kind| kind.map(|kind| &kind.value));
    let differ = matches!(kinds, [Some(one), Some(other)] if one != other);
    let (Content::Table(above), Content::Table(below)) = (&mut above.value, below.value) else {
        return;
    };
    if differ {
        return;
    }
    for (name, node) in below {
        match above.iter().position(|(known, _)| known.value == name.value) {
            Some(at) if above[at].1.value == Content::Blank => drop(above.remove(at)),
            Some(at) => over(&mut above[at].1, node),
            None => above.push((name, node)),
        }
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Content::Table(entries) = &node.value else {
        return None;
    };
    let found = entries.iter().find(|(known, _)| known.value == name);
    found.map(|(_, node)| node)
}

fn member_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Content::Table(entries) = &mut node.value else {
        return None;
    };
    let found = entries.iter_mut().find(|(known, _)| known.value == name);
    found.map(|(_, node)| node)
}

fn take(node: &mut Node, name: &str) -> Option<Node> {
    let Content::Table(entries) = &mut node.value else {
        return None;
    };
    let at = entries.iter().position(|(known, _)| known.value == name)?;
    Some(entries.remove(at).1)
}

/// Places all of a dialect where a description names it.
fn place(node: &mut Node, at: &Node) {
    (node.line, node.column) = (at.line, at.column);
    match &mut node.value {
        Content::List(nodes) => nodes.iter_mut().for_each(|node| place(node, at)),
        Content::Table(entries) => {
            for (name, node) in entries {
                (name.line, name.column) = (at.line, at.column);
                place(node, at);
            }
        }
        _ => {}
    }
}
