//! What the HTTP API promises to programs, whatever they send: everything is answered as its document says.

use super::{ADMIN, Answer, Console};
use crate::local::Pair;
use reqwest::Method;
use serde_json::json;

/// That an answer is a problem of this status (RFC 9457).
#[track_caller]
fn is_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    for word in ["type", "title", "detail", "advice"] {
        assert!(problem[word].is_string(), "{word}: {problem}");
    }
}

/// Sends as somebody who may do everything.
fn sender(console: &Console) -> impl Fn(Method, &str, &[(&str, &str)], Option<&str>) -> Answer {
    let bearer = format!("Bearer {ADMIN}");
    move |method, path, more, body| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        console.send(method, path, &headers, body.map(str::to_owned))
    }
}

#[test]
fn whatever_is_not_done_is_told_as_a_problem() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let send = sender(&console);
    // Whoever is not known is told by which scheme to come in.
    let stranger = console.send(Method::GET, "/api/v1/overview", &[], None);
    is_problem(&stranger, 401);
    assert_eq!(stranger.headers["www-authenticate"], "Bearer");
    // Addresses at which there is nothing.
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/overview/",
        "/api/v2/overview",
    ] {
        is_problem(&send(Method::GET, path, &[], None), 404);
        is_problem(&console.send(Method::GET, path, &[], None), 401);
    }
    // Methods that do not go with an address: those that do are named.
    for (method, path, allowed) in [
        ("PUT", "/overview", "GET"),
        ("DELETE", "/records/customerp/Order/1", "GET"),
        ("TRACE", "/items", "GET"),
        ("OPTIONS", "/flows/order-order/pause", "POST"),
        ("GET", "/flows/order-order/pause", "POST"),
        ("POST", "/openapi.json", "GET"),
    ] {
        let answer = send(method.parse().unwrap(), &format!("/api/v1{path}"), &[], None);
        is_problem(&answer, 405);
        let allow = answer.headers["allow"].to_str().unwrap();
        assert!(
            allow.split(',').any(|one| one.trim() == allowed),
            "{path}: {allow}"
        );
    }
    // What nobody can mean.
    for path in [
        "/items?limit=0",
        "/items?limit=501",
        "/items?limit=-1",
        "/items?limit=1&limit=2",
        "/changes?run=9007199254740992",
        "/changes?run=18446744073709551616",
        "/items?ignored=perhaps",
        "/changes?trace=17",
        "/course?over=year",
        "/records?q=",
        "/records?q=%20%09",
        "/records?q=a%00b",
        "/records/customerp/Order/%00",
        "/flows/%00",
    ] {
        is_problem(&send(Method::GET, &format!("/api/v1{path}"), &[], None), 400);
    }
    // Names and numbers that nothing has.
    for path in [
        "/runs/0",
        "/runs/9007199254740991",
        "/items/18446744073709551615",
        "/items/18446744073709551616",
        "/conflicts/-1",
        "/records/customerp/Order/%ff",
        "/records/customerp/Order/%F0%9F%A6%80%0A%1B%5B2J",
        "/flows/%2e%2e%2f",
    ] {
        is_problem(&send(Method::GET, &format!("/api/v1{path}"), &[], None), 404);
    }
    // A name that is not the console's.
    let foreign = send(Method::GET, "/api/v1/overview", &[("host", "evil.example")], None);
    is_problem(&foreign, 403);
}

#[test]
fn what_is_sent_along_is_json_and_says_what_the_document_allows() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let send = sender(&console);
    // What is sent along: another form than JSON, none that is JSON, too much.
    let pause = "/api/v1/flows/order-order/pause";
    let json_type = ("content-type", "application/json");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "json",
    ] {
        is_problem(
            &send(Method::POST, pause, &[("content-type", kind)], Some("{}")),
            415,
        );
    }
    is_problem(&send(Method::POST, pause, &[], Some("{}")), 415);
    for body in [
        "{",
        "[]",
        " [ ]",
        "null",
        "7",
        "{\"sure\":true}",
        "\u{0}",
        "{} {}",
    ] {
        is_problem(&send(Method::POST, pause, &[json_type], Some(body)), 400);
    }
    let large = format!("{{}}{}", " ".repeat(2 * 1024 * 1024));
    is_problem(&send(Method::POST, pause, &[json_type], Some(&large)), 413);
    for kind in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.tandem+json",
    ] {
        let paused = send(Method::POST, pause, &[("content-type", kind)], Some("{}"));
        // The second time it rests already.
        assert!([200, 409].contains(&paused.status), "{kind}: {}", paused.text);
    }
    for (path, body) in [
        ("/conflicts/7/resolve", json!({})),
        ("/conflicts/7/resolve", json!({ "head": false })),
        ("/conflicts/7/resolve", json!({ "value": "a\u{0}b" })),
        (
            "/conflicts/7/resolve",
            json!({ "record": ["customerp", "Product", "1"] }),
        ),
        ("/retry", json!({})),
        ("/retry", json!({ "kind": "too-long", "flow": "\u{0}" })),
        ("/items/7/ignore", json!({ "until": "tomorrow" })),
    ] {
        is_problem(&console.post(ADMIN, path, &body), 400);
    }
}

#[test]
fn the_document_says_what_is_taken_and_what_is_answered() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let document = console.get(ADMIN, "/openapi.json").json();
    let answer = &document["components"]["schemas"]["AnswerSaid"];
    let one_of = answer["oneOf"].as_array().unwrap();
    assert_eq!(one_of.len(), 3, "exactly one of three: {answer}");
    let body = |path: &str| document["paths"][format!("/api/v1{path}")]["post"]["requestBody"].clone();
    assert_eq!(body("/conflicts/{item}/resolve")["required"], true);
    assert_eq!(body("/retry")["required"], true);
    assert_eq!(body("/flows/{flow}/pause")["required"], false);
    let parameters = &document["paths"]["/api/v1/items"]["get"]["parameters"];
    let limit = parameters
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "limit");
    let schema = &limit.unwrap()["schema"];
    assert_eq!(
        (schema["minimum"].clone(), schema["maximum"].clone()),
        (json!(1), json!(500))
    );
    // Nothing larger is said than every reader of JSON reads alike.
    let item = &document["paths"]["/api/v1/items/{item}"]["get"]["parameters"][0]["schema"];
    assert_eq!(item["maximum"], 9_007_199_254_740_991_u64);
}

#[test]
fn who_names_a_record_is_shown_it_first_and_everything_else_once() {
    let pair = Pair::start(&["--records", "3", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("product-product2");
    console.linked("contact-contact");
    // An id that other records' ids and values contain, too.
    let find = |more: &str| {
        console
            .get(ADMIN, &format!("/records?q=1&limit=500{more}"))
            .json()
    };
    let first = find("");
    let named = first["rows"].as_array().unwrap();
    assert!(named.iter().any(|row| row["type"] == "Product"), "{first}");
    assert!(named.iter().all(|row| row["id"] == "1"), "{first}");
    let next = first["next"].as_str().unwrap();
    let rest = find(&format!("&cursor={next}"));
    let rest = rest["rows"].as_array().unwrap();
    assert!(
        !rest.is_empty() && rest.iter().all(|row| !named.contains(row)),
        "{first} {rest:?}"
    );
    // So is one by what its records are matched by; what nothing is called is looked for among all.
    let contact = console.get(ADMIN, "/links?flow=contact-contact&limit=1").json();
    let id = contact["rows"][0]["first"]["id"].as_str().unwrap().to_owned();
    let record = console
        .get(ADMIN, &format!("/records/customerp/Contact/{id}"))
        .text;
    let email = record.split('"').find(|text| text.contains('@')).unwrap();
    let found = console.get(ADMIN, &format!("/records?q={email}")).json();
    let found = found["rows"].as_array().unwrap();
    assert!(
        found.iter().any(|row| row["id"] == id.as_str()),
        "{email}: {found:?}"
    );
    let nothing = console.get(ADMIN, "/records?q=is+nowhere").json();
    assert_eq!(
        (nothing["rows"].clone(), nothing["next"].clone()),
        (json!([]), json!(null))
    );
}
