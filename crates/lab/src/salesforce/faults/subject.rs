//! Which objects a request is about.

use serde_json::Value as Json;

use crate::salesforce::api::Call;

/// The objects named in the address, in a statement, in the records of a collection or in the addresses of subrequests.
pub(super) fn objects(call: &Call) -> Vec<String> {
    let mut found = Vec::new();
    in_path(call.path.iter().map(String::as_str), &mut found);
    if let Some(statement) = call.parameter("q") {
        in_statement(statement, &mut found);
    }
    if let Ok(body) = serde_json::from_slice::<Json>(&call.body) {
        in_body(&body, &mut found);
    }
    found
}

fn in_path<'p>(parts: impl Iterator<Item = &'p str>, found: &mut Vec<String>) {
    let mut parts = parts.skip_while(|part| *part != "sobjects").skip(1);
    if let Some(object) = parts.next() {
        found.push(object.to_owned());
    }
}

fn in_statement(statement: &str, found: &mut Vec<String>) {
    let mut words = statement.split_whitespace();
    if words.any(|word| word.eq_ignore_ascii_case("from"))
        && let Some(object) = words.next()
    {
        found.push(object.to_owned());
    }
}

fn in_body(body: &Json, found: &mut Vec<String>) {
    let records = body.get("records").and_then(Json::as_array).into_iter().flatten();
    for record in records {
        let named = record.get("attributes").and_then(|of| of.get("type"));
        found.extend(named.and_then(Json::as_str).map(str::to_owned));
    }
    let subrequests = body.get("compositeRequest").and_then(Json::as_array);
    for subrequest in subrequests.into_iter().flatten() {
        let url = subrequest.get("url").and_then(Json::as_str).unwrap_or_default();
        in_path(url.split(['/', '?']), found);
        if let Some(inner) = subrequest.get("body") {
            in_body(inner, found);
        }
    }
    found.extend(body.get("object").and_then(Json::as_str).map(str::to_owned));
    let statement = body.get("query").and_then(Json::as_str);
    if let Some(statement) = statement {
        in_statement(statement, found);
    }
    found.dedup();
}
