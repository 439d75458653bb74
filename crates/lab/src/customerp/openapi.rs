//! The API's description of itself, from the same table by which it validates.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use super::api::BASE;
use super::listing::{IDS_MAX, PAGE_MAX, VALUES_MAX};
use super::schema::{Catalog, Filling, Kind, Property, RecordType};

/// The record types with their properties, as `GET /api/v1` shows them.
pub(crate) fn types(catalog: &Catalog, currency: &str) -> Value {
    let described = catalog.types.iter().map(|record_type| {
        let kept = [
            ("id", "string"),
            ("version", "integer"),
            ("createdAt", "datetime"),
            ("updatedAt", "datetime"),
            ("updatedBy", "string"),
        ];
        let kept = kept.map(|(name, kind)| {
            json!({ "name": name, "type": kind, "required": false, "readOnly": true, "unique": name == "id", "assigned": true })
        });
        let own = record_type.properties.iter().map(|property| describe(catalog, property, currency));
        let properties: Vec<Value> = kept.into_iter().chain(own).collect();
        (record_type.name.clone(), json!({ "collection": record_type.collection, "properties": properties }))
    });
    Value::Object(described.collect())
}

fn describe(catalog: &Catalog, property: &Property, currency: &str) -> Value {
    let mut shown = json!({
        "name": property.name,
        "type": type_word(&property.kind),
        "required": property.required,
        "readOnly": property.derived.is_some(),
        "unique": property.unique,
        "assigned": property.assigned(),
    });
    if property.once {
        shown["createOnly"] = json!(true);
    }
    for (name, bound) in [("minimum", property.min), ("maximum", property.max)] {
        if let Some(bound) = bound {
            shown[name] = json!(bound);
        }
    }
    match &property.kind {
        Kind::Text { max, .. } => shown["maxLength"] = json!(max),
        Kind::Decimal { scale } => shown["scale"] = json!(scale),
        Kind::Enum(values) => shown["values"] = json!(values),
        Kind::Reference(target) => shown["references"] = json!(catalog.types[*target].name),
        Kind::Integer | Kind::Boolean | Kind::Date | Kind::DateTime => {}
    }
    if let Some(default) = default_value(property, currency) {
        shown["default"] = default;
    }
    shown
}

fn type_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text { .. } => "string",
        Kind::Integer => "integer",
        Kind::Decimal { .. } => "decimal",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Enum(_) => "enum",
        Kind::Reference(_) => "reference",
    }
}

fn default_value(property: &Property, currency: &str) -> Option<Value> {
    match (&property.filling, &property.kind) {
        (Filling::Constant(text), Kind::Boolean) => Some(json!(text == "true")),
        (Filling::Constant(text), _) => Some(json!(text)),
        (Filling::Currency, _) => Some(json!(currency)),
        (Filling::Nothing | Filling::Number { .. } | Filling::Next, _) => None,
    }
}

/// The OpenAPI 3.1 document.
pub(crate) fn document(catalog: &Catalog, currency: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = shared_schemas();
    let describe = operation(
        "describe",
        "The company, the caller and all record types.",
        vec![],
        json!({
            "200": reply("The description.", json!({ "type": "object" })),
        }),
    );
    paths.insert("/".into(), json!({ "get": describe }));
    for record_type in &catalog.types {
        let name = &record_type.name;
        schemas.insert(name.clone(), record_schema(catalog, record_type, currency, true));
        schemas.insert(
            format!("{name}Input"),
            record_schema(catalog, record_type, currency, false),
        );
        schemas.insert(format!("{name}Page"), page_schema(name));
        paths.insert(
            format!("/{}", record_type.collection),
            collection_path(record_type),
        );
        paths.insert(
            format!("/{}/lookup", record_type.collection),
            lookup_path(record_type),
        );
        paths.insert(
            format!("/{}/{{id}}", record_type.collection),
            record_path(record_type),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Customerp",
            "version": "1",
            "description": "A local ERP. Every request is carried out entirely within 5 seconds of its arrival or not at all. \
                Every reply has X-Request-Count, the number of API requests answered so far.",
        },
        "servers": [{ "url": BASE }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas,
            "responses": {
                "Refusal": reply("Nothing was done; the body says why.", reference("Error")),
            },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn reply(description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn with_tag(mut reply: Value) -> Value {
    reply["headers"] =
        json!({ "ETag": { "description": "The version in quotes.", "schema": { "type": "string" } } });
    reply
}

fn operation(id: &str, summary: &str, parameters: Vec<Value>, mut responses: Value) -> Value {
    responses["default"] = json!({ "$ref": "#/components/responses/Refusal" });
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": responses })
}

fn parameter(name: &str, place: &str, required: bool, schema: Value) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema })
}

fn with_body(mut operation: Value, schema: Value) -> Value {
    operation["requestBody"] =
        json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    operation
}

fn collection_path(record_type: &RecordType) -> Value {
    let name = &record_type.name;
    let list = operation(
        &format!("list{name}"),
        "Records in the order (updatedAt, id), or those of the given ids.",
        vec![
            parameter(
                "updatedSince",
                "query",
                false,
                json!({ "type": "string", "format": "date-time" }),
            ),
            parameter(
                "limit",
                "query",
                false,
                json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX }),
            ),
            parameter("cursor", "query", false, json!({ "type": "string" })),
            parameter("includeDeleted", "query", false, json!({ "type": "boolean" })),
            parameter(
                "ids",
                "query",
                false,
                json!({
                    "type": "string",
                    "description": format!("At most {IDS_MAX} ids with commas between; tombstones are included."),
                }),
            ),
        ],
        json!({ "200": reply("A page.", reference(&format!("{name}Page"))) }),
    );
    let create = operation(
        &format!("create{name}"),
        "Stores a new record.",
        vec![parameter(
            "Idempotency-Key",
            "header",
            false,
            json!({ "type": "string", "maxLength": 200 }),
        )],
        json!({ "201": with_tag(reply("The record.", reference(name))) }),
    );
    json!({ "get": list, "post": with_body(create, reference(&format!("{name}Input"))) })
}

fn lookup_path(record_type: &RecordType) -> Value {
    let name = &record_type.name;
    let lookup = operation(
        &format!("lookup{name}"),
        "Live records whose property equals one of the values: trimmed, case-insensitive, phones by their digits.",
        vec![],
        json!({ "200": reply("The records found.", reference(&format!("{name}Page"))) }),
    );
    let body = json!({
        "type": "object",
        "required": ["property", "values"],
        "properties": {
            "property": { "type": "string" },
            "values": { "type": "array", "maxItems": VALUES_MAX, "items": { "type": "string" } },
        },
    });
    json!({ "post": with_body(lookup, body) })
}

fn record_path(record_type: &RecordType) -> Value {
    let name = &record_type.name;
    let id = || parameter("id", "path", true, json!({ "type": "string" }));
    let tag = || parameter("If-Match", "header", true, json!({ "type": "string" }));
    let read = operation(
        &format!("read{name}"),
        "One record.",
        vec![id()],
        json!({ "200": with_tag(reply("The record.", reference(name))) }),
    );
    let update = operation(
        &format!("update{name}"),
        "Changes the given properties, all or none.",
        vec![id(), tag()],
        json!({ "200": with_tag(reply("The record.", reference(name))) }),
    );
    let delete = operation(
        &format!("delete{name}"),
        "Deletes the record and leaves a tombstone.",
        vec![id(), tag()],
        json!({ "204": { "description": "Deleted." } }),
    );
    json!({ "get": read, "patch": with_body(update, reference(&format!("{name}Input"))), "delete": delete })
}

fn record_schema(catalog: &Catalog, record_type: &RecordType, currency: &str, whole: bool) -> Value {
    let mut properties = Map::new();
    if whole {
        for (name, schema) in kept_schemas() {
            properties.insert(name.to_owned(), schema);
        }
    }
    let given = |property: &&Property| whole || property.derived.is_none();
    for property in record_type.properties.iter().filter(given) {
        properties.insert(
            property.name.clone(),
            property_schema(catalog, property, currency),
        );
    }
    let mut schema = json!({ "type": "object", "properties": properties });
    if whole {
        schema["required"] = json!(["id", "version", "createdAt", "updatedAt", "updatedBy"]);
    } else {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

fn kept_schemas() -> [(&'static str, Value); 5] {
    let moment = || json!({ "type": "string", "format": "date-time", "readOnly": true });
    [
        ("id", json!({ "type": "string", "readOnly": true })),
        (
            "version",
            json!({ "type": "integer", "minimum": 1, "readOnly": true }),
        ),
        ("createdAt", moment()),
        ("updatedAt", moment()),
        ("updatedBy", json!({ "type": "string", "readOnly": true })),
    ]
}

fn property_schema(catalog: &Catalog, property: &Property, currency: &str) -> Value {
    let mut schema = match &property.kind {
        Kind::Text { max, .. } => json!({ "type": ["string", "null"], "maxLength": max }),
        Kind::Integer => json!({ "type": ["integer", "null"] }),
        Kind::Decimal { scale } => {
            let step = Value::Number(decimal_step(*scale));
            json!({ "type": ["number", "null"], "multipleOf": step })
        }
        Kind::Boolean => json!({ "type": ["boolean", "null"] }),
        Kind::Date => json!({ "type": ["string", "null"], "format": "date" }),
        Kind::DateTime => json!({ "type": ["string", "null"], "format": "date-time" }),
        Kind::Enum(values) => {
            let values: Vec<Value> = values
                .iter()
                .map(|value| json!(value))
                .chain([Value::Null])
                .collect();
            json!({ "enum": values })
        }
        Kind::Reference(target) => {
            let description = format!("The id of a record of type {}.", catalog.types[*target].name);
            json!({ "type": ["string", "null"], "description": description })
        }
    };
    for (name, bound) in [("minimum", property.min), ("maximum", property.max)] {
        if let Some(bound) = bound {
            schema[name] = json!(bound);
        }
    }
    if property.derived.is_some() {
        schema["readOnly"] = json!(true);
    }
    if property.once {
        schema["x-create-only"] = json!(true);
    }
    if property.required {
        schema["x-required"] = json!(true);
    }
    if property.unique {
        schema["x-unique"] = json!(true);
    }
    if let Some(default) = default_value(property, currency) {
        schema["default"] = default;
    }
    schema
}

/// The least difference of two decimals with so many places.
fn decimal_step(scale: u32) -> Number {
    // A decimal's text is a JSON number; without places the step is 1.
    Number::from_str(&Decimal::new(1, scale).to_string()).unwrap_or_else(|_| Number::from(1))
}

fn page_schema(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": { "type": "array", "items": { "anyOf": [reference(name), reference("Tombstone")] } },
            "nextCursor": { "type": ["string", "null"] },
            "asOf": { "type": "string", "format": "date-time" },
        },
    })
}

fn shared_schemas() -> Map<String, Value> {
    let codes = [
        "too_long",
        "required",
        "unknown_property",
        "read_only",
        "wrong_type",
        "unknown_value",
        "out_of_range",
        "no_such_record",
        "duplicate",
    ];
    let text = || json!({ "type": "string" });
    let field = json!({
        "type": "object",
        "properties": { "property": text(), "code": { "enum": codes }, "message": text() },
    });
    let error = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": { "code": text(), "message": text(), "fields": { "type": "array", "items": field } },
        } },
    });
    let tombstone = json!({
        "type": "object",
        "required": ["id", "deleted", "version", "updatedAt", "updatedBy"],
        "properties": {
            "id": text(),
            "deleted": { "const": true },
            "version": { "type": "integer" },
            "updatedAt": { "type": "string", "format": "date-time" },
            "updatedBy": text(),
        },
    });
    Map::from_iter([("Error".to_owned(), error), ("Tombstone".to_owned(), tombstone)])
}
