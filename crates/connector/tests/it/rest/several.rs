//! Keys of several members and tokens of several parts: a request that would send what they are joined to here is refused,
//! with what to write instead.

use tandem_connector::rest::Description;

const RIGHT: &str = r#"record_types:
  Line:
    record: { id: [order, no], token: [version, stamp] }
    list: { request: GET /lines, query: { cursor: "{cursor}" }, paging: { kind: cursor, next: next } }
    read: { request: "GET /lines/{id.order}/{id.no}" }
    update: { request: "PATCH /lines/{id.order}/{id.no}", also: { was: "{token.1}", at: "{token.2}" } }
    delete: { request: "DELETE /lines/{id.order}/{id.no}", query: { version: "{token.1}" } }
    properties:
      quantity: integer
"#;

/// The same, by an ERP that speaks a language of filters.
const FILTERED: &str = r#"filters: odata-v4
record_types:
  Line:
    record: { id: [order, no], token: [version, stamp] }
    list: { request: GET /lines, query: { f: "{behind}" }, paging: { kind: keyset } }
    read: { request: "GET /lines({id:literal})", many: { request: GET /lines, query: { f: "{matches}" } } }
    properties:
      quantity: integer
"#;

fn problems(text: &str) -> Vec<String> {
    match Description::read("erp.yaml", text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// What is replaced by what, the place of the problem, and what is said.
type Wrong = (&'static str, &'static str, &'static str, &'static [&'static str]);

fn refused(right: &str, wrong: &[Wrong]) {
    assert_eq!(problems(right), Vec::<String>::new());
    for (part, instead, place, words) in wrong {
        assert!(right.contains(part), "{part}");
        let said = problems(&right.replacen(part, instead, 1));
        let [line] = said.as_slice() else {
            panic!("{instead}: {said:#?}");
        };
        let fits =
            line.starts_with(&format!("erp.yaml:{place}: ")) && words.iter().all(|word| line.contains(word));
        assert!(fits, "{instead} at {place}: {line}");
    }
}

#[test]
fn a_key_of_several_members_and_a_token_of_several_parts_are_never_sent_as_one_text() {
    let wrong: [Wrong; 7] = [
        (
            "GET /lines/{id.order}/{id.no}",
            "GET /lines/{id}",
            "5:22",
            &[
                "`{id}` in `read` joins the members of a key",
                "`{id.order}`, `{id.no}`",
            ],
        ),
        (
            "DELETE /lines/{id.order}/{id.no}",
            "DELETE /lines/{id:quoted}",
            "7:24",
            &["`{id}` in `delete` joins", "`{id.order}`, `{id.no}`"],
        ),
        (
            "version: \"{token.1}\"",
            "version: \"{token}\"",
            "7:78",
            &[
                "`{token}` in `delete` joins the parts of a token",
                "`{token.1}`, `{token.2}`",
            ],
        ),
        (
            "was: \"{token.1}\"",
            "was: \"{token:number}\"",
            "6:67",
            &["`{token}` in `update` joins", "`{token.1}`, `{token.2}`"],
        ),
        (
            "GET /lines/{id.order}/{id.no}\"",
            "GET /lines/{id.order}/{id.no}\", many: { request: GET /lines, query: { \"ids[{ids:list}]\": x } }",
            "5:93",
            &["`{ids}` in `many` joins", "Take `many:` out"],
        ),
        (
            "cursor: \"{cursor}\" }, paging: { kind: cursor, next: next }",
            "after: \"{after}\" }, paging: { kind: keyset }",
            "4:50",
            &["`{after}` in `list` joins", "`kind:`"],
        ),
        (
            "cursor: \"{cursor}\" }, paging: { kind: cursor, next: next }",
            "top: 9 }, paging: { kind: keyset }",
            "4:61",
            &[
                "nothing says how a page begins behind a key of several members",
                "`kind:`",
            ],
        ),
    ];
    refused(RIGHT, &wrong);
}

#[test]
fn where_filters_are_spoken_a_key_of_several_members_is_written_as_they_have_it() {
    let wrong: [Wrong; 4] = [
        (
            "GET /lines({id:literal})",
            "GET /lines({id})",
            "6:22",
            &[
                "`{id}` in `read` joins",
                "`{id:literal}`",
                "`{id.order}`, `{id.no}`",
            ],
        ),
        (
            "{ f: \"{matches}\" }",
            "{ f: \"{ids:list}\" }",
            "6:91",
            &["`{ids}` in `many` joins", "`{matches}`"],
        ),
        (
            "{ f: \"{behind}\" }",
            "{ f: \"{after}\" }",
            "5:46",
            &["`{after}` in `list` joins", "`{behind}`"],
        ),
        (
            "GET /lines({id:literal})",
            "GET /lines",
            "6:11",
            &["does not name the record", "`{id:literal}`"],
        ),
    ];
    refused(FILTERED, &wrong);
    // Of one member and one part the whole is what the ERP knows.
    let one = FILTERED
        .replace("[order, no]", "no")
        .replace("{id:literal}", "{id}");
    assert_eq!(problems(&one), Vec::<String>::new());
}
