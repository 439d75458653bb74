//! What requests may hold: the members in use, words of a record type's own, JSON in a text, patterns; and what an empty reply says.

use super::stage::{OK, description, erp, ids, listed, method, ok, parameter, sent, status, thing, things};
use serde_json::{Value as Json, json};
use tandem_connector::rest::Description;
use tandem_connector::{Connector, ErrorKind};
use tandem_merge::record::Presence;
use tandem_merge::value::Value;

const NOBODY: &str = "session: { kind: none }";

#[tokio::test]
async fn a_list_asks_for_what_is_used_and_for_what_the_type_says() {
    let text = description(
        NOBODY,
        "
record: { id: id, modified: [changedAt, createdAt], author: by.name }
collection: things
fill: { where: [kind, '=', a], table: t_thing }
list:
  request: POST /search
  body: { only: \"{fields}\", from: \"{fill.table}\", all: [[id, '>', \"{after:number}\"], \"{fill.where}\"], text: 'SELECT {fields:list} FROM {fill.table}' }
  paging: { kind: keyset, from: 0 }
read: { request: \"GET /{collection}/{id}\" }",
        "name: string
         city: { type: string, at: address.city }
         both: { type: string, computed: { read: record.first, write: { first: value }, samples: [{ record: { first: x }, value: x }] } }",
    );
    let (office, rest) = erp(&text, &[], |asked| {
        let asked = sent(asked);
        let first = asked["all"][0] == json!(["id", ">", 0]);
        let row = json!({ "id": 1, "changedAt": "2026-01-01T00:00:00Z", "by": { "name": "ann" }, "name": "n",
            "address": { "city": "Ulm" }, "first": "f" });
        ok(&if first { json!([row]) } else { json!([]) })
    })
    .await;
    let rows = listed(&rest).await.unwrap();
    assert_eq!(rows[0].values["city"], Value::text("Ulm"));
    let asked: Vec<Json> = office.asked().iter().map(sent).collect();
    let fields = json!(["id", "by", "changedAt", "createdAt", "address", "name", "first"]);
    assert_eq!(asked[0]["only"], fields);
    assert_eq!(asked[0]["all"], json!([["id", ">", 0], ["kind", "=", "a"]]));
    assert_eq!(
        asked[0]["text"],
        "SELECT id,by,changedAt,createdAt,address,name,first FROM t_thing"
    );
    // Behind the first page it goes on behind the last id.
    assert_eq!(asked[1]["all"][0], json!(["id", ">", 1]));
}

/// What is looked for cannot break out of the JSON that it stands in, nor mean more in a pattern than it is.
#[tokio::test]
async fn values_keep_to_themselves_in_texts() {
    let find = |request: &str| {
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things }}\nread: {{ request: \"GET /things/{{id}}\" }}\nfind: {{ {request} }}"
        );
        description(NOBODY, &of, "name: string")
    };
    let odd = r#"a" ] , 100% _x \ 'y'"#;
    let (office, rest) = erp(
        &find(r#"request: GET /things, query: { filters: '[["name","in",{values:json}]]' }"#),
        &[],
        |_| ok(&json!([])),
    )
    .await;
    let names = [vec![odd.into()], vec!["b".into()]];
    let found = rest.find(&things(), &["name".to_owned()], &names).await.unwrap();
    assert_eq!(found, []);
    let filters = parameter(&office.asked()[0], "filters").unwrap();
    let filters: Json = serde_json::from_str(&filters).unwrap();
    assert_eq!(filters[0][2].as_array().unwrap().len(), 2);
    assert!(filters[0][2].as_array().unwrap().contains(&json!(odd)));
    let (office, rest) = erp(
        &find(r#"request: POST /things, body: { name: "{value:like}" }"#),
        &[],
        |_| ok(&json!([])),
    )
    .await;
    rest.find(&things(), &["name".to_owned()], &names[..1])
        .await
        .unwrap();
    assert_eq!(sent(&office.asked()[0])["name"], r#"a" ] , 100\% \_x \\ 'y'"#);
}

/// A reply without a record is a mistake, a deletion, or nothing that anybody knows: as the description says.
#[tokio::test]
async fn what_an_empty_reply_says_is_said_by_the_description() {
    for (says, presence) in [
        ("", None),
        (", empty: missing", Some(Presence::Missing)),
        (", empty: deleted", Some(Presence::Deleted)),
    ] {
        let of = format!(
            "record: {{ id: id }}\nlist: {{ request: GET /things }}\nread: {{ request: \"GET /things/{{id}}\", record: \"0\"{says} }}\n\
             update: {{ style: full, request: \"PUT /things/{{id}}\" }}"
        );
        let text = description(NOBODY, &of, "name: string");
        let (office, rest) = erp(&text, &[], |asked| match asked.path.as_str() {
            "/things/1" if method(asked) == "GET" => ok(&json!([thing(1)])),
            "/things/3" => status("404 Not Found"),
            _ => (OK.to_owned(), "[]".to_owned()),
        })
        .await;
        let read = rest.fetch(&things(), &["2".to_owned()]).await;
        match presence {
            Some(presence) => {
                assert_eq!(read.unwrap()[0].presence, presence);
                let gone = super::stage::update("2", &[("name", "x".into())], None);
                let outcome = crate::scene::one(&rest, gone).await;
                assert_eq!(outcome, tandem_connector::Outcome::Gone);
                assert!(office.asked().iter().all(|asked| method(asked) == "GET"));
            }
            None => assert_eq!(read.unwrap_err().kind, ErrorKind::Protocol),
        }
        // Who is not found is only out of sight, whatever an empty reply says.
        let read = rest
            .fetch(&things(), &["1".to_owned(), "3".to_owned()])
            .await
            .unwrap();
        let presences: Vec<Presence> = read.iter().map(|row| row.presence).collect();
        assert_eq!(
            (ids(&read), presences),
            (vec!["1", "3"], vec![Presence::Alive, Presence::Missing])
        );
    }
}

#[tokio::test]
async fn who_we_are_may_be_a_question_of_its_own() {
    let session = "\
session: { kind: none }
identity:
  request: POST /companies
  body: { first: 1 }
  id: 0.made
  name: 0.name
  who: { request: GET /me, user: login, author: id }";
    let text = description(
        session,
        "record: { id: id }\nlist: { request: GET /things }\nread: { request: \"GET /things/{id}\" }",
        "name: string",
    );
    let (office, rest) = erp(&text, &[], |asked| match asked.path.as_str() {
        "/me" => ok(&json!({ "login": "ann", "id": 7 })),
        _ => ok(&json!([{ "made": "2020", "name": "Acme" }])),
    })
    .await;
    let told = rest.identify().await.unwrap();
    assert_eq!((told.id.as_str(), told.name.as_str()), ("2020", "Acme"));
    assert_eq!((told.user.as_str(), told.author.as_deref()), ("ann", Some("7")));
    assert_eq!(sent(&office.asked()[0]), json!({ "first": 1 }));
}

#[test]
fn holes_that_nothing_fills_are_told_with_their_place() {
    let text = "\
session: { kind: none }
defaults:
  fill: { where: 'x {y}' }
  record: { id: id }
  list: { request: GET /things, query: { q: '{fill.what}', f: '{feilds}' } }
  read: { request: 'GET /things/{id}' }
  find: { request: GET /things, query: { q: '{value}' }, properties: [name, nmae] }
record_types:
  Thing: { properties: { name: string } }
  Other: { properties: { label: string } }
";
    let problems = Description::read("erp.yaml", text).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for said in [
        "erp.yaml:3:11: `where` has holes, and nothing fills them. Write `{{` and `}}` for braces.",
        "nothing says what `{fill.what}` stands for. Add `fill: { what: ... }` to the record type.",
        "nothing is filled in for `{feilds}` in `list`. Did you mean `fields`?",
        "erp.yaml:7:77: no record type has a property `nmae`. Did you mean `name`?",
    ] {
        assert!(
            problems.iter().any(|problem| problem.contains(said)),
            "{said}\n{problems:#?}"
        );
    }
}
