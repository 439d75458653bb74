//! OData as a dialect: what is sent and read where a description says no more than its version.

use super::stage::{
    create, erp, header, ids, listed, method, ok, parameter, round, rows, sent, status, things, update,
};
use super::{config, described};
use crate::salesforce::office::Asked;
use crate::scene::one;
use serde_json::{Value as Json, json};
use tandem_connector::rest::{Description, Rest};
use tandem_connector::{Connector, Outcome, Probe, Probed};
use tandem_merge::record::{Presence, RecordKey, RecordType};
use tandem_merge::value::Value;

const V4: &str = "
odata: v4
record_types:
  Thing:
    collection: Things
    record: { id: ID, modified: [Changed, Made] }
    properties:
      ID: { type: string(5), create_only: true }
      name: { type: string, at: Name }
      price: { type: \"decimal(18,2)\", at: Price }
";

fn item(id: &str) -> Json {
    json!({ "@odata.etag": format!("W/\"{id}\""), "ID": id, "Name": format!("n {id}"), "Price": 1.5, "Changed": null, "Made": "2026-01-31T12:00:00Z" })
}

fn answers(asked: &Asked) -> (String, String) {
    match method(asked) {
        "GET" if asked.path.starts_with("/Things(") => ok(&item("a'b")),
        "GET" => {
            let filter = parameter(asked, "$filter").unwrap_or_default();
            let value = match filter.as_str() {
                "" => vec![item("a"), item("b")],
                _ => Vec::new(),
            };
            ok(&json!({ "@odata.context": "x", "value": value }))
        }
        "POST" => ("201 Created".to_owned(), item("new").to_string()),
        "PATCH" => ok(&item("a'b")),
        "DELETE" => ("204 No Content".to_owned(), String::new()),
        _ => status("501 Not Implemented"),
    }
}

#[tokio::test]
async fn a_record_type_is_little_more_than_its_collection_and_properties() {
    let (office, rest) = erp(V4, &[], answers).await;
    // WHEN it is listed, THEN by its key, behind the last one each time, until a page is empty
    let all = listed(&rest).await.unwrap();
    assert_eq!(ids(&all), ["a", "b"]);
    let version = all[0].version.clone().unwrap();
    assert_eq!(version.token, "W/\"a\"");
    assert_eq!(version.modified.to_string(), "2026-01-31T12:00:00Z");
    let asked = office.asked();
    assert_eq!(
        parameter(&asked[0], "$select").unwrap(),
        "ID,Changed,Made,Name,Price"
    );
    assert_eq!(parameter(&asked[0], "$orderby").unwrap(), "ID");
    assert_eq!(parameter(&asked[1], "$filter").unwrap(), "ID gt 'b'");
    assert!(
        header(&asked[0], "accept")
            .unwrap()
            .contains("odata.metadata=minimal")
    );
    // WHEN it is read, changed and deleted, THEN by its key as an address holds it, and under its ETag
    let id = "a'b".to_owned();
    let read = rest.fetch(&things(), std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(read[0].presence, Presence::Alive);
    let changed = update(
        &id,
        &[("price", Value::Decimal("9007199254740993.10".parse().unwrap()))],
        Some(version),
    );
    let outcome = one(&rest, changed).await;
    assert!(
        matches!(outcome, Outcome::Applied { state: Some(_), .. }),
        "{outcome:?}"
    );
    let patch = office.asked().pop().unwrap();
    assert_eq!(patch.path, "/Things('a''b')");
    assert_eq!(header(&patch, "if-match"), Some("W/\"a\""));
    assert_eq!(header(&patch, "prefer"), Some("return=representation"));
    assert!(patch.body.contains("9007199254740993.10"), "{}", patch.body);
    let outcome = one(&rest, create(&[("ID", "new".into()), ("name", "x".into())])).await;
    assert!(
        matches!(&outcome, Outcome::Applied { id, .. } if id == "new"),
        "{outcome:?}"
    );
    assert_eq!(
        sent(&office.asked().pop().unwrap()),
        json!({ "ID": "new", "Name": "x" })
    );
}

#[tokio::test]
async fn values_are_looked_for_in_filters_that_an_address_holds() {
    let (office, rest) = erp(V4, &[], answers).await;
    let names: Vec<Vec<Value>> = (0..120)
        .map(|n| vec![Value::text(format!("O'Neil & Söhne {n}"))])
        .collect();
    rest.find(&things(), &["name".to_owned()], &names).await.unwrap();
    let asked = office.asked();
    assert!(asked.len() > 2);
    assert!(asked.iter().all(|asked| asked.path.len() < 2_000));
    let filters: Vec<String> = asked
        .iter()
        .filter_map(|asked| parameter(asked, "$filter"))
        .collect();
    let whole = filters.join(" ");
    for n in 0..120 {
        assert!(whole.contains(&format!("Name eq 'O''Neil & Söhne {n}'")), "{n}");
    }
    assert!(filters[0].starts_with("(Name eq ") && filters[0].contains(" or Name eq "));
}

#[tokio::test]
async fn changes_are_asked_for_by_the_first_time_that_is_not_blank_and_behind_the_last_key() {
    let (office, rest) = erp(V4, &[], answers).await;
    let first = round(&rest, None).await;
    assert_eq!(ids(rows(&first)).len(), 2);
    let before = office.asked().len();
    round(&rest, Some(first.last().unwrap().cursor.clone())).await;
    let filter = parameter(&office.asked()[before], "$filter").unwrap();
    assert!(filter.starts_with("(Changed ge 20"), "{filter}");
    assert!(filter.contains(" or (Changed eq null and Made ge 20"), "{filter}");
    let ahead = "2099-01-01T00:00:00Z".parse().unwrap();
    let probed = rest.probe(Probe::ChangesSince(&things(), ahead)).await.unwrap();
    assert_eq!(probed, Some(Probed::Shown(0)));
}

#[tokio::test]
async fn keys_of_several_members_are_one_id() {
    const LINES: &str = "
odata: v4
record_types:
  Order:
    collection: Orders
    record: { id: OrderID, ids: digits }
    properties: { city: string }
  Line:
    collection: Lines
    record: { id: [OrderID, Code] }
    properties:
      order: { type: reference(Order), at: OrderID, create_only: true }
      code: { type: string, at: Code, create_only: true }
      quantity: integer
";
    let line =
        |order: u32, code: &str| json!({ "@odata.etag": "1", "OrderID": order, "Code": code, "quantity": 3 });
    let (office, rest) = erp(LINES, &[], move |asked| {
        if asked.path.starts_with("/Lines(") {
            return ok(&line(5, "a|b"));
        }
        match parameter(asked, "$filter") {
            None => ok(&json!({ "value": [line(4, "x"), line(5, "a|b")] })),
            Some(_) => ok(&json!({ "value": [] })),
        }
    })
    .await;
    let lines = RecordType::new("erp", "Line");
    let page = rest.list(&lines, None).await.unwrap();
    assert_eq!(ids(&page.observations), ["4|x", "5|a\\|b"]);
    rest.list(&lines, page.resume.as_deref()).await.unwrap();
    let filter = parameter(&office.asked()[1], "$filter").unwrap();
    assert_eq!(filter, "(OrderID gt 5 or OrderID eq 5 and Code gt 'a|b')");
    let outcome = one(
        &rest,
        tandem_connector::Write {
            intent: 1,
            key: "k".to_owned(),
            change: tandem_connector::Change::Delete {
                record: RecordKey::new("erp", "Line", "5|a\\|b"),
                only_if: None,
            },
        },
    )
    .await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    let gone = office.asked().pop().unwrap();
    assert_eq!(
        (gone.path.as_str(), header(&gone, "if-match")),
        ("/Lines(OrderID=5,Code='a%7Cb')", Some("*"))
    );
    // What cannot be a key is not asked for.
    let odd = rest
        .fetch(&lines, &["5".to_owned(), "x|y".to_owned()])
        .await
        .unwrap();
    assert!(odd.iter().all(|shown| shown.presence == Presence::Missing));
    assert_eq!(office.asked().len(), 3);
    // A reference is looked for as the id that it holds.
    let orders = [vec![Value::text("5")]];
    rest.find(&lines, &["order".to_owned()], &orders).await.unwrap();
    assert_eq!(parameter(&office.asked()[3], "$filter").unwrap(), "OrderID eq 5");
}

const V2: &str = "
odata: { version: v2, paging: links }
session: { kind: basic }
record_types:
  Thing:
    collection: Things
    record: { id: ID, modified: Changed }
    properties:
      name: { type: string, at: Name }
      price: { type: \"decimal(18,2)\", at: Price }
      day: { type: date, at: Day }
";

#[tokio::test]
async fn version_two_has_its_own_wrapping_literals_and_tokens() {
    let item = |id: &str| json!({ "__metadata": { "etag": format!("W/\"{id}\"") }, "ID": id, "Name": "n", "Price": "1.50", "Day": "/Date(1769817600000)/", "Changed": "/Date(1769860800000+0060)/" });
    let (office, rest) = erp(V2, &[("user", "u"), ("password", "p")], move |asked| {
        if header(asked, "x-csrf-token") == Some("Fetch") {
            return (
                "200 OK\r\nx-csrf-token: t1\r\nset-cookie: s=1".to_owned(),
                "{\"d\":{}}".to_owned(),
            );
        }
        match method(asked) {
            "GET" if asked.path.contains("skip") => ok(&json!({ "d": { "results": [item("b")] } })),
            "GET" if asked.path.starts_with("/Things(") => ok(&json!({ "d": item("a") })),
            "GET" => ok(&json!({ "d": { "results": [item("a")], "__next": "Things?skip=1" } })),
            _ if header(asked, "x-csrf-token") != Some("t1") => status("403 Forbidden"),
            "POST" => ("201 Created".to_owned(), json!({ "d": item("new") }).to_string()),
            "MERGE" => ("204 No Content".to_owned(), String::new()),
            _ => status("501 Not Implemented"),
        }
    })
    .await;
    let first = round(&rest, None).await;
    let shown = rows(&first);
    assert_eq!(ids(shown.clone()), ["a", "b"]);
    assert_eq!(shown[0].values["price"], Value::Decimal("1.50".parse().unwrap()));
    assert_eq!(shown[0].values["day"], Value::Date("2026-01-31".parse().unwrap()));
    let before = office.asked().len();
    round(&rest, Some(first.last().unwrap().cursor.clone())).await;
    let filter = parameter(&office.asked()[before], "$filter").unwrap();
    assert!(
        filter.starts_with("Changed ge datetime'20") && filter.ends_with('\''),
        "{filter}"
    );
    let values = [
        ("price", Value::Decimal("2.5".parse().unwrap())),
        ("day", Value::Date("2026-01-31".parse().unwrap())),
    ];
    let version = shown[0].version.clone();
    let outcome = one(&rest, update("a", &values, version)).await;
    assert!(
        matches!(outcome, Outcome::Applied { state: None, .. }),
        "{outcome:?}"
    );
    let merge = office.asked().pop().unwrap();
    assert_eq!(
        sent(&merge),
        json!({ "Price": "2.5", "Day": "/Date(1769817600000)/" })
    );
    assert_eq!(header(&merge, "if-match"), Some("W/\"a\""));
    assert_eq!(header(&merge, "cookie"), Some("s=1"));
    let outcome = one(&rest, create(&[("name", "x".into())])).await;
    assert!(
        matches!(&outcome, Outcome::Applied { id, .. } if id == "new"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_a_description_says_itself_holds() {
    let text = V4.replace("odata: v4", "odata: { version: v4, etags: off, paging: links }\ndefaults:\n  list: { query: { $top: 7, $orderby: null } }")
        .replace("    collection: Things\n", "    collection: Things\n    delete: none\n    read: { request: \"GET /other/{id}\", many: null }\n");
    let (office, rest) = erp(&text, &[], answers).await;
    listed(&rest).await.unwrap();
    let asked = &office.asked()[0];
    assert_eq!(
        (parameter(asked, "$top").unwrap(), parameter(asked, "$orderby")),
        ("7".to_owned(), None)
    );
    assert_eq!(parameter(asked, "$select").unwrap(), "ID,Changed,Made,Name,Price");
    assert!(!rest.describe().await.unwrap().types["Thing"].deletable);
    assert!(!rest.capabilities().usual.conditional_write);
    let _ = rest.fetch(&things(), &["5".to_owned()]).await;
    assert!(office.asked().pop().unwrap().path.starts_with("/other/5?"));
    // Without a time of change there are no changes to ask for.
    let text = V4.replace(", modified: [Changed, Made]", "");
    let bare = Rest::connect(config(&office.url, &text, &[])).unwrap();
    let watched = bare.describe().await.unwrap().types["Thing"]
        .watched
        .clone()
        .unwrap();
    assert!(watched.why.contains("names no list of changes"), "{watched:?}");
}

#[test]
fn mistakes_are_told_with_their_place_and_what_to_write_instead() {
    let cases = [
        ("odata: v3", "erp.yaml:2:8: `v3` is none of the words"),
        (
            "odata: { version: v4, paging: offset }",
            "erp.yaml:2:31: `offset` is no way of `paging`",
        ),
        (
            "odata: { version: v2, changes: delta }",
            "erp.yaml:2:32: `delta` is no way of `changes`",
        ),
        (
            "odata: { version: v4, pages: x }",
            "erp.yaml:2:23: unknown key `pages`",
        ),
        ("filters: odata-v5", "`odata-v5` is none of the words"),
        (
            "odata: v4\ndefaults: { list: { query: { x: \"{selcet}\" } } }",
            "nothing is filled in for `{selcet}` in `list`",
        ),
        (
            "odata: v4\nbatch: { request: POST /b }",
            "nothing says how a request stands in a batch",
        ),
    ];
    for (instead, wanted) in cases {
        let text = V4.replace("odata: v4", instead);
        let problems = Description::read("erp.yaml", &text).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "{wanted}\n{}",
            lines.join("\n")
        );
    }
    described(V4);
    described(V2);
}

#[test]
fn the_example_of_the_page_is_right() {
    let page = include_str!("../../../../../docs/odata.md");
    let example = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let example = example.replace(
        "  OrderLine:\n",
        "  Order: { properties: { number: string }, record: { id: ID } }\n  OrderLine:\n",
    );
    described(&example);
}

#[test]
fn the_example_of_records_inside_others_is_right() {
    let page = include_str!("../../../../../docs/odata.md");
    let example = page
        .split("```yaml\n")
        .nth(2)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    described(&format!("odata: v4\nrecord_types:\n{example}"));
}

#[tokio::test]
async fn all_of_a_record_is_asked_for_where_any_member_may_be_needed() {
    let selected = async |text: &str| {
        let (office, rest) = erp(text, &[], answers).await;
        listed(&rest).await.unwrap();
        parameter(&office.asked()[0], "$select")
    };
    assert!(selected(V4).await.is_some());
    let computed = format!("{V4}      loud: {{ type: string, computed: {{ read: record.Name }} }}\n");
    assert_eq!(selected(&computed).await, None);
    let whole = V4.replace("    properties:", "    update: { style: full }\n    properties:");
    assert_eq!(selected(&whole).await, None);
}

#[test]
fn the_example_of_northwind_is_right() {
    let text = include_str!("../../../../../examples/northwind-odata/northwind.yaml");
    assert_eq!(described(text).record_types().count(), 9);
}
