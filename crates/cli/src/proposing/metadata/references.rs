//! Which properties refer to other entities: those that name one by its whole key.

use super::model::{Types, is, local};
use roxmltree::Node;

impl<'a, 'i> Types<'a, 'i> {
    /// The entity type that a property names by its whole key.
    pub(super) fn refers(&self, of: &str, node: &Node<'a, 'i>, property: &str) -> Option<String> {
        let ways = node.children().filter(|node| is(node, "NavigationProperty"));
        ways.into_iter().find_map(|way| {
            // Version 4 says it where the way begins.
            let mut constraints = way.children().filter(|node| is(node, "ReferentialConstraint"));
            if let (Some(only), None) = (constraints.next(), constraints.next()) {
                let fits = only.attribute("Property") == Some(property);
                let to = local(way.attribute("Type")?);
                return (fits && self.is_key(to, only.attribute("ReferencedProperty")?))
                    .then(|| to.to_owned());
            }
            // Version 2 says it in an association of its own.
            let name = local(way.attribute("Relationship")?);
            let association = self
                .associations
                .iter()
                .find(|one| one.attribute("Name") == Some(name))?;
            let role = |role: &str| {
                let end = association
                    .children()
                    .find(|end| is(end, "End") && end.attribute("Role") == Some(role))?;
                end.attribute("Type").map(local)
            };
            let constraint = association
                .children()
                .find(|node| is(node, "ReferentialConstraint"))?;
            let side = |kind: &str| {
                let side = constraint.children().find(|node| is(node, kind))?;
                let names = side.children().filter(|node| is(node, "PropertyRef"));
                let names: Vec<&str> = names.filter_map(|node| node.attribute("Name")).collect();
                Some((side.attribute("Role")?.to_owned(), names))
            };
            let (dependent, own) = side("Dependent")?;
            let (principal, theirs) = side("Principal")?;
            let to = role(&principal)?;
            let fits = role(&dependent) == Some(of)
                && own == [property]
                && matches!(theirs.as_slice(), [one] if self.is_key(to, one));
            fits.then(|| to.to_owned())
        })
    }

    /// Whether a property alone is the key of a type.
    fn is_key(&self, of: &str, property: &str) -> bool {
        let Some((of, _)) = self.entities.get_key_value(of) else {
            return false;
        };
        let line = self.line(of);
        let keys = line
            .iter()
            .flat_map(|(_, node)| node.children())
            .filter(|node| is(node, "Key"));
        let names = keys
            .flat_map(|key| key.children())
            .filter(|node| is(node, "PropertyRef"));
        names.filter_map(|node| node.attribute("Name")).eq([property])
    }
}
