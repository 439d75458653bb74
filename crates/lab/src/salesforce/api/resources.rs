//! Lists and descriptions.

use serde_json::{Value as Json, json};

use super::rows::http_date;
use super::{Call, Reply};
use crate::salesforce::fault::Outcome;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{self, ObjectIndex};
use crate::salesforce::value::http_date_text;

/// The versions of the API, oldest first.
pub(super) fn versions(org: &Org) -> Json {
    super::versions(org)
        .map(|version| {
            json!({
                "label": release(version),
                "url": format!("/services/data/v{version}.0"),
                "version": format!("{version}.0"),
            })
        })
        .collect()
}

/// The release that brought a version: 60 came in spring 2024, three follow in a year.
fn release(version: u32) -> String {
    let steps = version + 60 - 30;
    let year = 24 + steps / 3 - 30;
    match steps % 3 {
        0 => format!("Spring '{year}"),
        1 => format!("Summer '{year}"),
        _ => format!("Winter '{}", year + 1),
    }
}

/// The resources of a version.
pub(super) fn list(base: &str) -> Json {
    json!({
        "sobjects": format!("{base}/sobjects"),
        "query": format!("{base}/query"),
        "queryAll": format!("{base}/queryAll"),
        "composite": format!("{base}/composite"),
        "search": format!("{base}/search"),
        "parameterizedSearch": format!("{base}/parameterizedSearch"),
        "jobs": format!("{base}/jobs"),
        "limits": format!("{base}/limits"),
        "recent": format!("{base}/recent"),
        "identity": "/services/oauth2/userinfo",
    })
}

/// A description, unless it is the one that the client says it has (`If-Modified-Since`).
pub(super) fn unless_known(org: &Org, call: &Call, description: impl FnOnce() -> Json) -> Outcome<Reply> {
    let last = org.shaped();
    let known = http_date(call, "if-modified-since")?.is_some_and(|since| last <= since);
    let reply = if known {
        Reply::empty(304)
    } else {
        Reply::ok(description())
    };
    Ok(reply.with("Last-Modified", http_date_text(last)))
}

/// The global describe.
pub(super) fn global(org: &Org, base: &str) -> Json {
    let objects = org
        .schema
        .objects
        .iter()
        .map(|object| schema::describe_global_entry(object, base));
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects.collect::<Vec<Json>>() })
}

/// The describe of one object.
pub(super) fn describe(org: &Org, object: ObjectIndex, base: &str) -> Json {
    let mut described = schema::describe(&org.schema, org.schema.object(object), base);
    described["recordTypeInfos"] = org.record_type_infos(object, base);
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_their_names() {
        for (version, name) in [
            (31, "Summer '14"),
            (60, "Spring '24"),
            (61, "Summer '24"),
            (62, "Winter '25"),
            (66, "Spring '26"),
        ] {
            assert_eq!(release(version), name);
        }
    }
}
