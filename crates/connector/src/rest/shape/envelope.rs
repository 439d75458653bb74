//! What a reply says around its records of there being more of them, wherever it stands.

use super::super::description::place::{Place, plain};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;

/// Tables in tables are looked into so far.
const DEPTH: usize = 3;
/// Names of numbers of all records, without signs and in lower case.
const TOTALS: [&str; 9] = [
    "total",
    "totalcount",
    "totalsize",
    "totalrecords",
    "totalresults",
    "totalitems",
    "totalelements",
    "recordcount",
    "odatacount",
];

/// What speaks of more records than these, in words: an address or sign of a next page, a flag, or a larger number.
pub(super) fn more(body: &Json, headers: &HeaderMap, rows: usize) -> Option<String> {
    let links = headers.get_all("link").into_iter();
    let mut links = links.filter_map(|link| link.to_str().ok());
    if links.any(|link| link.contains("rel=\"next\"") || link.contains("rel=next")) {
        return Some("the header `Link` names a next page".to_owned());
    }
    let total = headers.get("x-total-count").and_then(|total| total.to_str().ok());
    if total
        .and_then(|total| total.parse::<usize>().ok())
        .is_some_and(|total| total > rows)
    {
        return Some("the header `X-Total-Count` says that there are more records".to_owned());
    }
    let mut found = Vec::new();
    within(body, &mut Vec::new(), rows, &mut found);
    let best = found.into_iter().min_by_key(|(rank, _)| *rank);
    best.map(|(_, words)| words)
}

/// What members of a table say, with how much they help: the place of a next page before a flag, and a flag before a number.
fn within(table: &Json, way: &mut Vec<String>, rows: usize, found: &mut Vec<(u8, String)>) {
    for (name, value) in table.as_object().into_iter().flatten() {
        way.push(name.clone());
        match value {
            Json::Object(_) if way.len() < DEPTH => within(value, way, rows, found),
            _ => found.extend(of_member(way, value, rows)),
        }
        way.pop();
    }
}

fn of_member(way: &[String], value: &Json, rows: usize) -> Option<(u8, String)> {
    let bare = |name: &String| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_lowercase()
    };
    let names: Vec<String> = way.iter().map(bare).collect();
    let name = names.last()?;
    let text = plain(value)?;
    let place = Place::Body(way.to_vec());
    let named = |word: &str| name.contains(word);
    if named("sync") || named("delta") {
        return None;
    }
    let goes_on =
        names.iter().any(|name| name.contains("next")) || named("continuation") || named("skiptoken");
    if goes_on && value.is_string() {
        return Some((0, format!("`{place}` says where it goes on")));
    }
    if (named("more") || named("hasnext")) && *value == Json::Bool(true) {
        return Some((1, format!("`{place}` says that there is more")));
    }
    let total = text.parse::<usize>().ok().filter(|total| *total > rows)?;
    let words = || format!("`{place}` says that there are {total} records, and it shows {rows}");
    TOTALS.contains(&name.as_str()).then(|| (2, words()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_speaks_of_more_is_heard_and_what_does_not_is_not() {
        let none = HeaderMap::new();
        let said = |body: Json| more(&body, &none, 2);
        for body in [
            json!({ "rows": [], "nextCursor": "abc" }),
            json!({ "paging": { "next": { "after": "2" } } }),
            json!({ "@odata.nextLink": "/x?$skiptoken=2" }),
            json!({ "meta": { "has_more": true } }),
            json!({ "total": 3 }),
            json!({ "@odata.count": "12" }),
        ] {
            assert!(said(body.clone()).is_some(), "{body}");
        }
        for body in [
            json!({ "rows": [{ "next": "a" }], "nextCursor": null, "more": false, "total": 2 }),
            json!({ "next": "", "count": 7, "nextSyncToken": "abc", "@odata.deltaLink": "/x" }),
            json!([{ "next": "a" }]),
        ] {
            assert_eq!(said(body.clone()), None, "{body}");
        }
    }
}
