//! The description of the HTTP API (OpenAPI 3.1), made from the routes and from the types they take and give.

use super::asked::{MOST, NO_NUL, ROWS};
use super::{LARGEST, ROOT, Route};
use crate::problem::Problem;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};
use tandem_api::look::Over;

/// What may stand behind the question mark, with its type.
const QUERY: [(&str, &str, &str); 13] = [
    ("cursor", "string", "What the page before says as `next`"),
    (
        "limit",
        "integer",
        "Rows wanted: 1 to 500, 50 where nothing is said",
    ),
    ("flow", "string", "Of this flow alone"),
    (
        "standing",
        "string",
        "What it means for a person: `parked`, `approval`, `conflict`, `deferred`, `listed`",
    ),
    ("kind", "string", "The kind of trouble, such as `too-long`"),
    ("action", "string", "What would be done, such as `create`"),
    ("event", "string", "What kind of thing happened, such as `edited`"),
    ("over", "string", "How far back: `day`, `week` or `month`"),
    (
        "trace",
        "string",
        "The change that is followed, 16 digits as `trace` of a line shows it",
    ),
    ("run", "integer", "Of this run alone"),
    (
        "after",
        "integer",
        "The number of the last line that is known already",
    ),
    ("q", "string", "The text to look for"),
    ("ignored", "boolean", "Those too that nobody wants to hear of"),
];

/// The whole description.
pub(crate) fn openapi(routes: &[Route]) -> Json {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>();
    let problem = json!({
        "description": "It was not done (RFC 9457)",
        "content": { "application/problem+json": { "schema": problem } },
    });
    let mut paths = Map::new();
    for route in routes {
        let answer = match route.answer {
            Some(schema) => json!({ "application/json": { "schema": schema(&mut generator) } }),
            None => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        };
        let mut operation = json!({
            "summary": route.summary,
            "operationId": operation_id(route),
            "parameters": parameters(route),
            "responses": {
                "200": { "description": "Done", "content": answer },
                "4XX": problem,
                "503": problem,
            },
        });
        if let Some(body) = route.body {
            let schema = body(&mut generator);
            operation["requestBody"] = json!({
                "required": !route.optional,
                "content": { "application/json": { "schema": schema } },
            });
        }
        let path = paths
            .entry(format!("{ROOT}{}", route.path))
            .or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Look at what Tandem keeps in step, and act on what waits. Pages are read by cursors; what is \
                            asked for twice is done once.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of the configuration's `console:`" },
            },
        },
        "security": [{ "token": [] }],
    })
}

/// `get-records-system-type-id`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}-{}", route.method.as_str().to_lowercase(), words.join("-"))
}

fn parameters(route: &Route) -> Vec<Json> {
    let names = route
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let named = names.map(|name| {
        let number = matches!(name, "item" | "run" | "change");
        let kind = if number {
            json!({ "type": "integer", "minimum": 0, "maximum": LARGEST })
        } else {
            json!({ "type": "string", "minLength": 1, "pattern": NO_NUL })
        };
        json!({ "name": name, "in": "path", "required": true, "schema": kind })
    });
    let query = route.query.iter().filter_map(|wanted| {
        let (name, kind, what) = QUERY.iter().find(|(name, ..)| name == wanted)?;
        let mut schema = json!({ "type": kind });
        match *name {
            "limit" => schema = json!({ "type": kind, "minimum": 1, "maximum": MOST, "default": ROWS }),
            "over" => schema = json!({ "type": kind, "enum": Over::ALL.map(Over::name) }),
            "trace" => schema["pattern"] = "^[0-9a-fA-F]{16}$".into(),
            "q" => schema["pattern"] = "^[^\\x00]*[^\\x00\\s][^\\x00]*$".into(),
            _ if *kind == "string" => schema["pattern"] = NO_NUL.into(),
            _ if *kind == "integer" => {
                schema["minimum"] = 0.into();
                schema["maximum"] = LARGEST.into();
            }
            _ => {}
        }
        Some(json!({
            "name": name, "in": "query", "required": *name == "q", "description": what, "schema": schema,
        }))
    });
    named.chain(query).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn everything_named_is_described_and_every_route_has_a_name_of_its_own() {
        let routes = super::super::routes();
        let whole = openapi(&routes);
        let text = whole.to_string();
        let schemas = whole["components"]["schemas"].as_object().unwrap();
        let named = text.split("\"#/components/schemas/").skip(1);
        for name in named.filter_map(|rest| rest.split('"').next()) {
            assert!(schemas.contains_key(name), "{name}");
        }
        let ids: BTreeSet<String> = routes.iter().map(operation_id).collect();
        assert_eq!(ids.len(), routes.len());
        for route in &routes {
            assert_eq!(
                parameters(route).len(),
                route.path.matches('{').count() + route.query.len()
            );
        }
    }
}
