//! Which paths belong together: a collection, one of its records, and what else is asked of it.

use super::super::names::{means, pascal, plain, singular};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A path with the operations that it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    pub(super) path: &'a str,
    pub(super) node: &'a Json,
}

impl<'a> Route<'a> {
    /// One of its operations.
    pub(super) fn operation(&self, method: &str) -> Option<&'a Json> {
        self.node.get(method).filter(|operation| operation.is_object())
    }
}

/// The paths of a record type.
#[derive(Clone, Debug)]
pub(super) struct Pair<'a> {
    pub(super) collection: Route<'a>,
    pub(super) item: Route<'a>,
    /// What stands for the id in the path of a record.
    pub(super) id: &'a str,
    /// Where records are looked for by a value.
    pub(super) lookup: Option<Route<'a>>,
}

/// What was found of the paths.
#[derive(Default)]
pub(super) struct Paths<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    /// Lists whose records cannot be read one by one.
    pub(super) lists_alone: Vec<&'a str>,
}

/// Finds what belongs together.
pub(super) fn paths(root: &Json) -> Paths<'_> {
    let all = root.get("paths").and_then(Json::as_object);
    let all: BTreeMap<&str, &Json> = all
        .into_iter()
        .flatten()
        .map(|(path, node)| (path.as_str(), node))
        .collect();
    let mut items: BTreeMap<&str, (Route<'_>, &str)> = BTreeMap::new();
    for (path, node) in &all {
        let route = Route { path, node };
        if let Some((collection, id)) = item(path)
            && route.operation("get").is_some()
        {
            items.entry(collection).or_insert((route, id));
        }
    }
    let mut found = Paths::default();
    for (path, node) in &all {
        let collection = Route { path, node };
        let ends = path.trim_end_matches('/');
        if collection.operation("get").is_none() || ends.ends_with(['}', ')']) {
            continue;
        }
        match items.get(ends) {
            Some((item, id)) => found.pairs.push(Pair {
                collection,
                item: *item,
                id,
                lookup: lookup(&all, ends),
            }),
            None if singular(last(ends)) != last(ends) => found.lists_alone.push(path),
            None => {}
        }
    }
    found
}

/// The path of the collection, and what stands for the id.
fn item(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_end_matches('/').trim_end_matches(".json");
    let (collection, id) = match path.strip_suffix("})").or_else(|| path.strip_suffix("}')")) {
        Some(before) => {
            let (collection, id) = before.rsplit_once('{')?;
            (collection.trim_end_matches(['(', '\'']), id)
        }
        None => path.strip_suffix('}')?.rsplit_once("/{")?,
    };
    (!id.contains(['{', '}']) && !collection.is_empty()).then_some((collection, id))
}

fn lookup<'a>(all: &BTreeMap<&'a str, &'a Json>, collection: &str) -> Option<Route<'a>> {
    let asks = all.iter().find(|(path, node)| {
        let step = path
            .strip_prefix(collection)
            .and_then(|rest| rest.strip_prefix(['/', ':']));
        step.is_some_and(|step| means(step, "lookup")) && node.get("post").is_some()
    });
    asks.map(|(path, node)| Route { path, node })
}

/// The last step of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What a record type is called: as its schema, where that is named after the thing, else as its collection.
pub(super) fn type_name(collection: &str, schema: Option<&str>) -> String {
    const ENDS: [&str; 10] = [
        "Response", "Output", "Dto", "DTO", "Model", "Resource", "Entity", "Read", "Details", "Detail",
    ];
    let segment = last(collection.trim_end_matches('/')).trim_end_matches(".json");
    let own = pascal(&singular(segment));
    let Some(schema) = schema else {
        return own;
    };
    let schema = schema.rsplit('.').next().unwrap_or(schema);
    let cut = ENDS
        .iter()
        .find_map(|end| schema.strip_suffix(end))
        .filter(|rest| !rest.is_empty());
    let cut = cut.unwrap_or(schema);
    let shares = |one: &str, other: &str| plain(one).contains(&plain(other));
    match cut.len() > 2 && (shares(cut, &own) || shares(&own, cut)) && cut.chars().all(char::is_alphanumeric)
    {
        true => cut.to_owned(),
        false => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_collection_finds_its_records() {
        let get = json!({ "get": {} });
        let root = json!({ "paths": {
            "/customers": get, "/customers/{id}": get, "/customers/lookup": { "post": {} },
            "/Orders": get, "/Orders('{key}')": get, "/items/": get, "/items/{code}/": get,
            "/reports": get, "/company": get, "/orders/{id}/lines": get,
        } });
        let found = paths(&root);
        let pairs: Vec<_> = found
            .pairs
            .iter()
            .map(|pair| (pair.collection.path, pair.item.path, pair.id))
            .collect();
        assert_eq!(
            pairs,
            [
                ("/Orders", "/Orders('{key}')", "key"),
                ("/customers", "/customers/{id}", "id"),
                ("/items/", "/items/{code}/", "code")
            ]
        );
        assert!(found.pairs[1].lookup.is_some() && found.pairs[0].lookup.is_none());
        assert_eq!(found.lists_alone, ["/orders/{id}/lines", "/reports"]);
    }

    #[test]
    fn a_record_type_is_called_as_its_schema_where_that_fits() {
        assert_eq!(type_name("/order-lines", Some("OrderLine")), "OrderLine");
        assert_eq!(
            type_name("/api/customers", Some("CustomerResponseDto")),
            "CustomerResponse"
        );
        assert_eq!(type_name("/customers", Some("Thing")), "Customer");
        assert_eq!(type_name("/customers", Some("c")), "Customer");
        assert_eq!(type_name("/companies/", None), "Company");
    }
}
