//! Mistakes about sign-ins, windows, jobs, sets of data and records inside others: each with its place and what to write.

use tandem_connector::rest::Description;

const RIGHT: &str = "\
limits: { concurrency: 2 }
session: { kind: oauth, token_url: /token }
record_types:
  Order:
    record: { id: id, token: version }
    list: { request: GET /orders, query: { from: \"{since}\", to: \"{until}\" }, items: rows, window: { at_most: 100 } }
    read: { request: \"GET /orders/{id}\" }
    update: { request: \"PATCH /orders/{id}\" }
    create: { request: POST /orders, record: ., job: { at: job, state: state, done: [ok], failed: [bad] } }
    properties:
      number: string
  Line:
    inside: { type: Order, at: lines, id: no, style: merge }
    properties:
      order: { type: reference(Order), at: ^.id }
      quantity: integer
";

fn problems(text: &str) -> Vec<String> {
    match Description::read("erp.yaml", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// What is replaced in the right one by what, where the problem is, and what is said about it.
const WRONG: [(&str, &str, &str, &[&str]); 24] = [
    (
        "token_url: /token }",
        "token_url: /token, grant: refresh_token }",
        "2:51",
        &["`refresh_token`", "`refresh-token`"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, refresh_token: \"{secret.r}\" }",
        "2:59",
        &["only one grant asks for a refresh token", "grant: refresh-token"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, grant: jwt-bearer }",
        "2:10",
        &["nothing says how", "assertion:"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, grant: jwt-bearer, assertion: { algorithm: PS256 } }",
        "2:74",
        &["for which user", "sub:"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, assertion: { algorithm: HS256 } }",
        "2:68",
        &["`HS256`", "ES256"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, assertion: { claims: { scope: \"{scope}\" } } }",
        "2:74",
        &["nothing is filled in for `{scope}`", "{secret.NAME}"],
    ),
    (
        "token_url: /token }",
        "token_url: /token, every: soon }",
        "2:51",
        &["`soon` is no length of time", "24h"],
    ),
    (
        "kind: oauth, token_url: /token",
        "kind: oauth1, relm: x",
        "2:26",
        &["unknown key `relm`", "`realm`"],
    ),
    (
        "kind: oauth, token_url: /token",
        "kind: login, request: POST /login, query: { to: \"{until}\" }",
        "2:10",
        &["when the session ends", "lasts:"],
    ),
    (
        "kind: oauth, token_url: /token",
        "kind: login, request: POST /login, token: id",
        "2:10",
        &["nothing carries the token", "basic_user:"],
    ),
    (
        "concurrency: 2",
        "seats: 2",
        "1:18",
        &["seats are those of log-ins", "kind: login"],
    ),
    (
        ", to: \"{until}\"",
        "",
        "6:84",
        &["`{until}` is missing", "two ends"],
    ),
    (
        "at_most: 100",
        "at_most: 1",
        "6:110",
        &["no part shows fewer", "at_most: 1000"],
    ),
    (
        "window: { at_most: 100 }",
        "window: { at_most: 100 }, paging: { kind: keyset }",
        "6:99",
        &["needs no parts", "Take `window:` out"],
    ),
    (
        "window: { at_most: 100 }",
        "partial: false",
        "6:11",
        &["nothing is filled in for `{since}`"],
    ),
    (", done: [ok]", "", "9:54", &["`done` is missing"]),
    (
        "PATCH /orders/{id}\"",
        "PATCH /orders/{id}\", dataset: x",
        "8:55",
        &["only a set of data", "style: dataset"],
    ),
    (
        "type: Order, at",
        "type: Ordr, at",
        "13:21",
        &["no record type `Ordr`", "`Order`"],
    ),
    (
        "type: Order, at",
        "type: Line, at",
        "13:21",
        &["`Line` stands inside another one itself"],
    ),
    (
        "style: merge",
        "style: replace, removed: { drop: true }",
        "13:13",
        &["leaving it out", "style: merge"],
    ),
    (
        "at: lines, id: no",
        "at: \"header:X\", id: no",
        "13:32",
        &["a header is no member"],
    ),
    (
        "    inside: {",
        "    list: { request: GET /lines }\n    inside: {",
        "13:11",
        &["not by `list`", "Take `list:` out, or `inside:`"],
    ),
    (
        "at: ^.id",
        "read_only: true",
        "12:3",
        &["of which Order a Line is", "at: ^.id"],
    ),
    ("id: no,", "key: no,", "13:39", &["unknown key `key`"]),
];

#[test]
fn a_mistake_is_told_with_its_place_and_what_to_write() {
    assert_eq!(problems(RIGHT), Vec::<String>::new());
    let mut missed = String::new();
    for (right, wrong, place, words) in WRONG {
        assert!(RIGHT.contains(right), "{right}");
        let said = problems(&RIGHT.replacen(right, wrong, 1));
        let fits = |line: &String| {
            line.starts_with(&format!("erp.yaml:{place}: ")) && words.iter().all(|word| line.contains(word))
        };
        if !said.iter().any(fits) {
            missed.push_str(&format!("{wrong} at {place}:\n{}\n", said.join("\n")));
        }
    }
    assert!(missed.is_empty(), "{missed}");
}
