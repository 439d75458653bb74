//! What a document annotates: what may be written, what is computed, what changes with a record.

use super::model::{is, local};
use roxmltree::Node;
use std::collections::BTreeMap;

/// What is said of targets elsewhere: `Set` or `Type/Property` to flags.
pub(super) fn annotations(schemas: &[Node<'_, '_>]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for block in schemas
        .iter()
        .flat_map(|schema| schema.children())
        .filter(|node| is(node, "Annotations"))
    {
        let Some(target) = block.attribute("Target") else {
            continue;
        };
        let target: Vec<&str> = target.split('/').collect();
        let key = match target.as_slice() {
            [one] => local(one).to_owned(),
            // `Namespace.Container/Set` and `Namespace.Type/Property` are alike: both names are kept.
            [first, second] => format!("{}/{second}", local(first)),
            _ => continue,
        };
        all.entry(key).or_default().extend(terms(&block));
    }
    all
}

/// What annotations within an element say.
pub(super) fn terms(node: &Node<'_, '_>) -> BTreeMap<String, String> {
    let mut flags = BTreeMap::new();
    for annotation in node.children().filter(|node| is(node, "Annotation")) {
        let term = annotation.attribute("Term").unwrap_or_default();
        let value = || annotation.attribute("Bool").unwrap_or("true").to_owned();
        let restricted = |member: &str| {
            let mut values = annotation.descendants().filter(|node| is(node, "PropertyValue"));
            let found = values.find(|value| value.attribute("Property") == Some(member))?;
            found.attribute("Bool").map(str::to_owned)
        };
        let said = match local(term) {
            "Computed" => Some(("computed", Some(value()))),
            "Immutable" => Some(("immutable", Some(value()))),
            "ComputedDefaultValue" => Some(("default", Some(value()))),
            "OptimisticConcurrency" => Some(("concurrency", Some("true".to_owned()))),
            // It is supported where nothing else is said.
            "ChangeTracking" => {
                let said = restricted("Supported").unwrap_or_else(|| "true".to_owned());
                Some(("tracked", Some(said)))
            }
            "InsertRestrictions" => Some(("creatable", restricted("Insertable"))),
            "UpdateRestrictions" => Some(("updatable", restricted("Updatable"))),
            "DeleteRestrictions" => Some(("deletable", restricted("Deletable"))),
            "FilterRestrictions" => Some(("filterable", restricted("Filterable"))),
            _ => None,
        };
        if let Some((flag, Some(value))) = said {
            flags.insert(flag.to_owned(), value);
        }
    }
    flags
}

/// An attribute of SAP's own.
pub(super) fn sap<'a>(node: &Node<'a, '_>, name: &str) -> Option<&'a str> {
    const SPACE: &str = "http://www.sap.com/Protocols/SAPData";
    node.attribute((SPACE, name))
}
