//! The HTTP API to browse, made from its description.

use super::layout::Sheet;
use super::{Desked, page};
use crate::access::Person;
use crate::http_api::{openapi, routes};
use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value as Json;

/// How deep shapes are unfolded.
const DEEP: usize = 3;

pub(super) async fn show(State(desk): Desked, person: Person) -> Html<String> {
    let whole = openapi(&routes());
    let paths = whole["paths"].as_object().into_iter().flatten();
    let body = html! {
        section.title { div {
            h1 { "HTTP API" }
            p { "Send " code { "Authorization: Bearer TOKEN" } " with a token of the configuration's " code { "console:" } ". "
                a href="/api/v1/openapi.json" { "The description" } " (OpenAPI 3.1) is for programs." }
        } }
        div.reference { @for (path, operations) in paths {
            @for (method, operation) in operations.as_object().into_iter().flatten() {
                details.card {
                    summary { span.chip.rest { (method.to_uppercase()) } " " code { (path) } " " span.small { (text(&operation["summary"])) } }
                    (asked(operation, &whole))
                    (answered(operation, &whole))
                }
            }
        } }
    };
    page(Sheet::new(&desk, &person, "HTTP API", "/reference").with(&body))
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is said with a request.
fn asked(operation: &Json, whole: &Json) -> Markup {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    html! {
        @let mut parameters = parameters.peekable();
        @if parameters.peek().is_some() {
            h3 { "Parameters" }
            dl.policies { @for one in parameters {
                dt { code { (text(&one["name"])) } }
                dd { (text(&one["schema"]["type"])) ", in the " (text(&one["in"])) ". " (text(&one["description"])) }
            } }
        }
        @if !body.is_null() { h3 { "Body" } (shape(body, whole, DEEP)) }
    }
}

fn answered(operation: &Json, whole: &Json) -> Markup {
    let content = &operation["responses"]["200"]["content"];
    let schema = &content["application/json"]["schema"];
    html! {
        h3 { "Answer" }
        @if schema.is_null() { p.small { "A stream of events." } } @else { (shape(schema, whole, DEEP)) }
    }
}

/// A shape: its fields with what they mean, unfolded to a depth.
fn shape(schema: &Json, whole: &Json, deep: usize) -> Markup {
    let schema = resolved(schema, whole);
    let items = &schema["items"];
    if !items.is_null() {
        return html! { p.small { "A list of" } (shape(items, whole, deep)) };
    }
    let fields = schema["properties"].as_object();
    html! {
        @match fields.filter(|fields| deep > 0 && !fields.is_empty()) {
            Some(fields) => { dl.policies { @for (name, field) in fields {
                dt { code { (name) } }
                dd {
                    (kind(field, whole)) @if !text(&field["description"]).is_empty() { ": " (text(&field["description"])) }
                    @if let Some(inner) = nested(field, whole) { (shape(inner, whole, deep - 1)) }
                }
            } } },
            None => p.small { (kind(schema, whole)) },
        }
    }
}

/// What a shape refers to.
fn resolved<'a>(schema: &'a Json, whole: &'a Json) -> &'a Json {
    match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => whole.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// What kind of value a field holds, in a word or two.
fn kind(field: &Json, whole: &Json) -> String {
    let field = resolved(field, whole);
    match (
        &field["type"],
        field["anyOf"].as_array().or(field["oneOf"].as_array()),
    ) {
        (Json::String(kind), _) => kind.clone(),
        (Json::Array(kinds), _) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        (_, Some(any)) => any
            .iter()
            .map(|one| kind(one, whole))
            .collect::<Vec<_>>()
            .join(" or "),
        _ if field.get("const").is_some() => field["const"].to_string(),
        _ => "any".to_owned(),
    }
}

/// The shape within a field: an object's own, a list's rows', or that of one that may be absent.
fn nested<'a>(field: &'a Json, whole: &'a Json) -> Option<&'a Json> {
    let field = resolved(field, whole);
    let within = match (field.get("items"), field["anyOf"].as_array()) {
        (Some(items), _) => items,
        (None, Some(any)) => any.iter().find(|one| one.get("$ref").is_some())?,
        (None, None) => field,
    };
    resolved(within, whole).get("properties").map(|_| within)
}
