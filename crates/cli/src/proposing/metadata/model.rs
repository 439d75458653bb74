//! An OData metadata document as it is written: entity sets, their types, and what is annotated.

use super::annotations::{annotations, sap, terms};
use crate::failure::Failure;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;

/// More elements and texts than any service describes.
const NODES: u32 = 2_000_000;
/// Types that are derived from others deeper than this are not followed.
const DEPTH: usize = 16;

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V4,
}

/// A property as it is declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) name: String,
    /// `Edm.String`, or the name of a type of the service's own.
    pub(super) of: String,
    pub(super) nullable: bool,
    pub(super) max_length: Option<u64>,
    pub(super) precision: Option<u64>,
    pub(super) scale: Option<u64>,
    /// The entity type that it names by its key.
    pub(super) refers: Option<String>,
    /// Flags by what they say: `computed`, `immutable`, `default`, `fixed`, and those of SAP.
    pub(super) flags: BTreeMap<String, String>,
    pub(super) is_key: bool,
}

impl Declared {
    pub(super) fn says(&self, flag: &str, value: &str) -> bool {
        self.flags.get(flag).is_some_and(|said| said == value)
    }
}

/// An entity set.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) name: String,
    /// The name of its entity type, without the namespace.
    pub(super) of: String,
    pub(super) key: Vec<String>,
    pub(super) properties: Vec<Declared>,
    /// The ways to records that stand below one of its own and nowhere else.
    pub(super) contains: Vec<String>,
    /// What is annotated: `creatable`, `updatable`, `deletable`, `filterable`, `concurrency`, `tracked`.
    pub(super) flags: BTreeMap<String, String>,
}

impl Set {
    /// Whether something can be done: where nothing is said, it can.
    pub(super) fn can(&self, flag: &str) -> bool {
        self.flags.get(flag).is_none_or(|said| said != "false")
    }

    /// Whether lists of it end with a link to what changes from then on.
    pub(super) fn tracks_changes(&self) -> bool {
        self.flags.get("tracked").is_some_and(|said| said == "true")
    }

    /// Whether one can ask for what comes behind a key.
    pub(super) fn key_is_filterable(&self) -> bool {
        let never = |one: &Declared| one.is_key && one.says("filterable", "false");
        self.can("filterable") && !self.properties.iter().any(never)
    }
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) version: Version,
    pub(super) sets: Vec<Set>,
    /// The values of enumerations, by name.
    pub(super) enums: BTreeMap<String, Vec<String>>,
    /// The properties of types that are part of others, by name.
    pub(super) parts: BTreeMap<String, Vec<Declared>>,
}

impl Service {
    /// Whether any of its sets has lists that end with a link to what changes.
    pub(super) fn tracks_changes(&self) -> bool {
        self.version == Version::V4 && self.sets.iter().any(Set::tracks_changes)
    }
}

/// Reads a document. Nothing in it is looked up elsewhere, and no entity is expanded.
pub(super) fn read(from: &str, text: &str) -> Result<Service, Failure> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| refused(from, &error))?;
    let root = document.root_element();
    if root.tag_name().name() != "Edmx" {
        let name = root.tag_name().name();
        let what = match name {
            "definitions" | "description" => "a WSDL document, which describes SOAP".to_owned(),
            "service" => "the service document of an OData service, which names its collections and nothing of their records".to_owned(),
            other => format!("XML that begins with <{other}>, not an OData metadata document"),
        };
        return Err(Failure::usage(
            format!("{from} is {what}"),
            "Name the document at .../$metadata, an OpenAPI 3 document, or a database",
        ));
    }
    let version = match root.attribute("Version") {
        Some(version) if version.starts_with('4') => Version::V4,
        _ => Version::V2,
    };
    let schemas: Vec<Node<'_, '_>> = root.descendants().filter(|node| is(node, "Schema")).collect();
    let types = Types::of(&schemas);
    let annotated = annotations(&schemas);
    let mut service = Service {
        version,
        sets: Vec::new(),
        enums: types.enums(),
        parts: types.parts(),
    };
    for set in schemas
        .iter()
        .flat_map(|schema| schema.descendants())
        .filter(|node| is(node, "EntitySet"))
    {
        if let Some(set) = types.set(&set, &annotated) {
            service.sets.push(set);
        }
    }
    match service.sets.is_empty() {
        true => Err(Failure::usage(
            format!("{from} describes no entity set with a key"),
            "Name the $metadata document of the service that has the ERP's records",
        )),
        false => Ok(service),
    }
}

fn refused(from: &str, error: &roxmltree::Error) -> Failure {
    let place = error.pos();
    let what = match error {
        roxmltree::Error::DtdDetected => {
            "a document type is declared here, which no metadata document has: it is not read".to_owned()
        }
        roxmltree::Error::NodesLimitReached => {
            "there are more elements than any service describes".to_owned()
        }
        other => format!(
            "this is no whole XML ({})",
            other.to_string().split(" at ").next().unwrap_or_default()
        ),
    };
    Failure::usage(
        format!("{from}:{}:{}: {what}", place.row, place.col),
        "Fetch the document anew, and name the whole of it",
    )
}

pub(super) fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// What an element is called; none where that is nothing.
fn named<'a>(node: &Node<'a, '_>) -> Option<&'a str> {
    node.attribute("Name").filter(|name| !name.is_empty())
}

/// A name without its namespace.
pub(super) fn local(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The types of a document, by name.
pub(super) struct Types<'a, 'i> {
    pub(super) entities: BTreeMap<&'a str, Node<'a, 'i>>,
    complex: BTreeMap<&'a str, Node<'a, 'i>>,
    enumerations: BTreeMap<&'a str, Node<'a, 'i>>,
    pub(super) associations: Vec<Node<'a, 'i>>,
    annotated: BTreeMap<String, BTreeMap<String, String>>,
}

impl<'a, 'i> Types<'a, 'i> {
    fn of(schemas: &[Node<'a, 'i>]) -> Self {
        let named = |kind: &str| {
            let all = schemas
                .iter()
                .flat_map(|schema| schema.children())
                .filter(|node| is(node, kind));
            all.filter_map(|node| Some((node.attribute("Name")?, node)))
                .collect()
        };
        let associations = schemas.iter().flat_map(|schema| schema.children());
        Self {
            entities: named("EntityType"),
            complex: named("ComplexType"),
            enumerations: named("EnumType"),
            associations: associations.filter(|node| is(node, "Association")).collect(),
            annotated: annotations(schemas),
        }
    }

    fn enums(&self) -> BTreeMap<String, Vec<String>> {
        let all = self.enumerations.iter().map(|(name, node)| {
            let members = node.children().filter(|node| is(node, "Member"));
            let members = members
                .filter_map(|member| member.attribute("Name"))
                .map(str::to_owned);
            ((*name).to_owned(), members.collect())
        });
        all.collect()
    }

    fn parts(&self) -> BTreeMap<String, Vec<Declared>> {
        let all = self
            .complex
            .iter()
            .map(|(name, node)| ((*name).to_owned(), self.declared(name, node)));
        all.collect()
    }

    /// An entity type with those that it is derived from, the first one first.
    pub(super) fn line(&self, name: &'a str) -> Vec<(&'a str, Node<'a, 'i>)> {
        let mut line = Vec::new();
        let mut next = Some(name);
        while let Some(name) = next.filter(|_| line.len() < DEPTH) {
            let Some(node) = self.entities.get(name) else {
                break;
            };
            line.push((name, *node));
            next = node.attribute("BaseType").map(local);
        }
        line.reverse();
        line
    }

    fn set(
        &self,
        node: &Node<'a, 'i>,
        annotated: &BTreeMap<String, BTreeMap<String, String>>,
    ) -> Option<Set> {
        let name = named(node)?;
        let of = local(node.attribute("EntityType")?);
        let line = self.line(of);
        let mut properties: Vec<Declared> = line
            .iter()
            .flat_map(|(name, node)| self.declared(name, node))
            .collect();
        let keys = line
            .iter()
            .flat_map(|(_, node)| node.descendants())
            .filter(|node| is(node, "PropertyRef"));
        let within_key = |node: &Node<'a, 'i>| node.parent().is_some_and(|parent| is(&parent, "Key"));
        let key: Vec<String> = keys
            .filter(within_key)
            .filter_map(|node| node.attribute("Name"))
            .map(str::to_owned)
            .collect();
        if key.is_empty() {
            return None;
        }
        for property in &mut properties {
            property.is_key = key.contains(&property.name);
            property.refers = line
                .iter()
                .find_map(|(name, node)| self.refers(name, node, &property.name));
        }
        let mut flags = self.of_container(node);
        flags.extend(terms(node));
        for flag in ["creatable", "updatable", "deletable"] {
            if let Some(value) = sap(node, flag) {
                flags.insert(flag.to_owned(), value.to_owned());
            }
        }
        let elsewhere = annotated
            .iter()
            .filter(|(target, _)| target.split('/').next_back() == Some(name) || *target == of);
        for (_, said) in elsewhere {
            flags.extend(said.clone());
        }
        if properties.iter().any(|property| property.says("fixed", "true")) {
            flags.insert("concurrency".to_owned(), "true".to_owned());
        }
        let ways = line.iter().flat_map(|(_, node)| node.children());
        let contains = ways
            .filter(|way| is(way, "NavigationProperty") && way.attribute("ContainsTarget") == Some("true"))
            .filter_map(|way| way.attribute("Name"));
        Some(Set {
            contains: contains.map(str::to_owned).collect(),
            name: name.to_owned(),
            of: of.to_owned(),
            key,
            properties,
            flags,
        })
    }

    /// What a container says of all its sets.
    fn of_container(&self, set: &Node<'a, 'i>) -> BTreeMap<String, String> {
        let Some(container) = set.parent() else {
            return BTreeMap::new();
        };
        let mut flags = terms(&container);
        let elsewhere = container
            .attribute("Name")
            .and_then(|name| self.annotated.get(name));
        flags.extend(elsewhere.cloned().unwrap_or_default());
        flags.retain(|flag, _| flag == "tracked");
        flags
    }

    fn declared(&self, of: &str, node: &Node<'a, 'i>) -> Vec<Declared> {
        let all = node.children().filter(|node| is(node, "Property"));
        let read = all.filter_map(|node| {
            let name = named(&node)?;
            let number = |name: &str| node.attribute(name).and_then(|text| text.parse().ok());
            let mut flags = terms(&node);
            flags.extend(
                self.annotated
                    .get(&format!("{of}/{name}"))
                    .cloned()
                    .unwrap_or_default(),
            );
            for flag in [
                "creatable",
                "updatable",
                "filterable",
                "sortable",
                "display-format",
            ] {
                if let Some(value) = sap(&node, flag) {
                    flags.insert(flag.to_owned(), value.to_owned());
                }
            }
            if node.attribute("ConcurrencyMode") == Some("Fixed") {
                flags.insert("fixed".to_owned(), "true".to_owned());
            }
            Some(Declared {
                name: name.to_owned(),
                of: node.attribute("Type").unwrap_or("Edm.String").to_owned(),
                nullable: node.attribute("Nullable") != Some("false"),
                max_length: number("MaxLength"),
                precision: number("Precision"),
                scale: number("Scale"),
                refers: None,
                flags,
                is_key: false,
            })
        });
        read.collect()
    }
}
