//! Records that stand inside others: the lines of an order, by an ERP that keeps orders with a version.

use super::stage::{header, method, ok, sent, status};
use crate::salesforce::office::{Answer, Asked, Office};
use crate::scene::{applied, one};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tandem_connector::proof::{Effort, NEVER_HAD, Proof, STALE, STALE_DELETION, Verdict, prove};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Change, ChangePage, Connector, Outcome, RefusalKind, Write};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Version};
use tandem_merge::value::Value;

const ORDERS: &str = "
defaults: {}
record_types:
  Order:
    record: { id: id, token: version, modified: changed, deleted: gone }
    list: { request: GET /orders, items: rows }
    changes: { query: { since: \"{since}\" }, since: { from: newest } }
    read: { request: \"GET /orders/{id}\" }
    update: { request: \"PATCH /orders/{id}\", headers: { If-Match: \"{token}\" }, record: . }
    properties:
      number: string
  Line:
    inside: { type: Order, at: body.lines, id: no }
    properties:
      order: { type: reference(Order), at: ^.id }
      customer: { type: string, at: ^.number }
      quantity: integer
      text: { type: string, optional: true }
";

type Orders = Arc<Mutex<BTreeMap<String, Json>>>;

fn order(id: &str, lines: &[(u32, i64)]) -> Json {
    let line = |(no, quantity): &(u32, i64)| json!({ "no": no, "quantity": quantity, "kept": "by the ERP" });
    let lines: Vec<Json> = lines.iter().map(line).collect();
    json!({ "id": id, "number": format!("O-{id}"), "version": 1, "changed": "2026-03-02T12:00:00Z", "body": { "lines": lines } })
}

fn line(orders: &Orders, id: &str, at: usize) -> Json {
    orders.lock().unwrap()[id]["body"]["lines"][at].clone()
}

/// Answers as an ERP that merges lines by their number, or takes the list for all there is.
fn answer(asked: &Asked, orders: &Orders, merges: bool) -> Answer {
    let mut orders = orders.lock().unwrap();
    let path = asked.path.split('?').next().unwrap();
    let Some(id) = path.strip_prefix("/orders/") else {
        return ok(&json!({ "rows": orders.values().collect::<Vec<_>>() }));
    };
    let Some(order) = orders.get_mut(id) else {
        return status("404 Not Found");
    };
    if method(asked) == "PATCH" {
        if header(asked, "if-match") != Some(&order["version"].to_string()) {
            return status("412 Precondition Failed");
        }
        let list = sent(asked)["body"]["lines"].as_array().unwrap().clone();
        let old = order["body"]["lines"].as_array().unwrap().clone();
        let mut next = if merges { old } else { Vec::new() };
        for mut new in list {
            let last = next
                .iter()
                .filter_map(|line| line["no"].as_i64())
                .max()
                .unwrap_or(0);
            let known = next
                .iter_mut()
                .find(|line| !new["no"].is_null() && line["no"] == new["no"]);
            match known {
                Some(known) => known
                    .as_object_mut()
                    .unwrap()
                    .extend(new.as_object().unwrap().clone()),
                None => {
                    if new["no"].is_null() {
                        new["no"] = json!(last + 10);
                    }
                    next.push(new);
                }
            }
        }
        next.retain(|line| line["drop"].is_null());
        order["body"]["lines"] = json!(next);
        order["version"] = json!(order["version"].as_i64().unwrap() + 1);
    }
    ok(order)
}

async fn erp(text: &str, merges: bool, all: &[Json]) -> (Office, Rest, Orders) {
    let all = all
        .iter()
        .map(|order| (order["id"].as_str().unwrap().to_owned(), order.clone()));
    let orders: Orders = Arc::new(Mutex::new(all.collect()));
    let held = Arc::clone(&orders);
    let office = Office::open(move |asked| answer(asked, &held, merges)).await;
    let config = RestConfig {
        overlap: jiff::SignedDuration::ZERO,
        ..super::config(&office.url, text, &[])
    };
    (office, Rest::connect(config).unwrap(), orders)
}

fn lines() -> RecordType {
    RecordType::new("erp", "Line")
}

async fn all(rest: &Rest) -> Vec<Observation> {
    rest.list(&lines(), None).await.unwrap().observations
}

async fn read(rest: &Rest, id: &str) -> Observation {
    rest.fetch(&lines(), &[id.to_owned()]).await.unwrap().remove(0)
}

fn write(change: Change) -> Write {
    Write {
        intent: 1,
        key: "key".to_owned(),
        change,
    }
}

fn add(values: &[(&str, Value)]) -> Write {
    write(Change::Create {
        record_type: lines(),
        values: super::stage::values(values),
    })
}

fn change(id: &str, values: &[(&str, Value)], only_if: Option<Version>) -> Write {
    write(Change::Update {
        record: RecordKey::new("erp", "Line", id),
        values: super::stage::values(values),
        only_if,
    })
}

fn remove(id: &str, only_if: Option<Version>) -> Write {
    write(Change::Delete {
        record: RecordKey::new("erp", "Line", id),
        only_if,
    })
}

fn shown(page: &[Observation]) -> Vec<(&str, i64)> {
    let pair = |row: &'_ Observation| match row.values["quantity"] {
        Value::Integer(quantity) => quantity,
        _ => -1,
    };
    page.iter().map(|row| (row.key.id.as_str(), pair(row))).collect()
}

#[tokio::test]
async fn what_stands_inside_a_record_is_read_with_it() {
    let (office, rest, _orders) = erp(
        ORDERS,
        true,
        &[order("5", &[(1, 2), (2, 3)]), order("a/b", &[(1, 4)])],
    )
    .await;
    let listed = all(&rest).await;
    assert_eq!(shown(&listed), [("5/1", 2), ("5/2", 3), ("a%2Fb/1", 4)]);
    let row = &listed[0];
    assert_eq!(
        (&row.values["order"], &row.values["customer"]),
        (&"5".into(), &"O-5".into())
    );
    assert_eq!(
        row.version.as_ref().unwrap().modified,
        "2026-03-02T12:00:00Z".parse().unwrap()
    );
    // By their ids with one read for each holder.
    let before = office.asked().len();
    let ids = ["5/1", "5/2", "5/9", "7/1", "nonsense"].map(str::to_owned);
    let mut rows = rest.fetch(&lines(), &ids).await.unwrap();
    rows.sort_by(|one, other| one.key.id.cmp(&other.key.id));
    let known: Vec<(&str, Presence)> = rows
        .iter()
        .map(|row| (row.key.id.as_str(), row.presence))
        .collect();
    let wanted = [
        ("5/1", Presence::Alive),
        ("5/2", Presence::Alive),
        ("5/9", Presence::Deleted),
        ("7/1", Presence::Missing),
        ("nonsense", Presence::Missing),
    ];
    assert_eq!(known, wanted);
    assert_eq!(office.asked().len(), before + 2);
    // By the order that they are of: that alone is read.
    let found = rest
        .find(&lines(), &["order".to_owned()], &[vec!["5".into()]])
        .await
        .unwrap();
    assert_eq!(shown(&found), [("5/1", 2), ("5/2", 3)]);
    assert_eq!(office.asked().last().unwrap().path, "/orders/5");
    let schema = rest.describe().await.unwrap().types.remove("Line").unwrap();
    assert!(schema.createable && schema.updateable && schema.deletable);
    assert!(schema.properties["order"].createable && !schema.properties["order"].updateable);
    assert!(!schema.properties["customer"].createable);
}

async fn round(rest: &Rest, cursor: Option<&[u8]>) -> ChangePage {
    let page = rest.changes(&[lines()], cursor).await.unwrap();
    assert!(!page.more);
    page
}

#[tokio::test]
async fn r6_a_line_that_is_gone_is_absent_from_the_record_that_shows_all_of_them() {
    let (_office, rest, orders) = erp(ORDERS, true, &[order("5", &[(1, 2), (2, 3)])]).await;
    let first = round(&rest, None).await;
    assert_eq!(
        (first.observations.len(), first.wholes.len()),
        (2, 0),
        "nothing was known before"
    );
    orders
        .lock()
        .unwrap()
        .insert("5".to_owned(), order("5", &[(2, 3)]));
    let page = round(&rest, Some(&first.cursor)).await;
    assert_eq!(shown(&page.observations), [("5/2", 3)]);
    let whole = &page.wholes[0];
    let range = (whole.after.as_deref().unwrap(), whole.to.as_deref().unwrap());
    assert!(range.0 < "5/1" && "5/999/x" < range.1, "{range:?}");
    assert!(
        "50/1" > range.1 && "4/9" < range.0,
        "those of others are not meant"
    );
    assert_eq!(read(&rest, "5/1").await.presence, Presence::Deleted);
    // WHEN the order is deleted, THEN its lines are gone with it
    orders.lock().unwrap().get_mut("5").unwrap()["gone"] = json!(true);
    let page = round(&rest, Some(&page.cursor)).await;
    assert_eq!((page.observations.len(), page.wholes.len()), (0, 1));
    assert_eq!(read(&rest, "5/2").await.presence, Presence::Deleted);
    // An order that is out of sight says nothing of its lines; nor does one that does not show them.
    orders.lock().unwrap().clear();
    assert_eq!(read(&rest, "5/2").await.presence, Presence::Missing);
    orders.lock().unwrap().insert(
        "5".to_owned(),
        json!({ "id": "5", "version": 1, "changed": "2026-03-02T12:00:00Z" }),
    );
    let page = round(&rest, Some(&page.cursor)).await;
    assert_eq!((page.observations.len(), page.wholes.len()), (0, 0));
    assert_eq!(read(&rest, "5/2").await.presence, Presence::Missing);
}

#[tokio::test]
async fn a_line_is_written_with_its_order_and_the_others_stay_as_they_are() {
    let merge = "id: no, style: merge, removed: { drop: true } }";
    for (style, merges) in [("id: no }", false), (merge, true)] {
        let text = ORDERS.replace("id: no }", style);
        let (office, rest, orders) = erp(&text, merges, &[order("5", &[(1, 2), (2, 3)])]).await;
        assert!(rest.capabilities().usual.conditional_write && rest.capabilities().usual.conditional_delete);
        assert!(!rest.capabilities().usual.idempotent_create);
        let seen = read(&rest, "5/1").await.version;
        let outcome = one(
            &rest,
            change("5/1", &[("quantity", Value::Integer(7))], seen.clone()),
        )
        .await;
        let Outcome::Applied {
            state: Some(state), ..
        } = &outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(state.values["quantity"], Value::Integer(7));
        let body = sent(
            office
                .asked()
                .iter()
                .rfind(|asked| method(asked) == "PATCH")
                .unwrap(),
        );
        let wanted = match merges {
            true => json!([{ "no": 1, "quantity": 7 }]),
            false => json!([
                { "no": 1, "quantity": 7, "kept": "by the ERP" },
                { "no": 2, "quantity": 3, "kept": "by the ERP" }
            ]),
        };
        assert_eq!(body, json!({ "body": { "lines": wanted } }), "{style}");
        assert_eq!(line(&orders, "5", 0)["kept"], "by the ERP");
        // WHEN somebody changed this very line, THEN it is stale; another line does not matter
        assert_eq!(
            one(&rest, change("5/1", &[("quantity", Value::Integer(8))], seen)).await,
            Outcome::Stale
        );
        let other = read(&rest, "5/2").await.version;
        applied(&one(&rest, change("5/1", &[("quantity", Value::Integer(8))], None)).await);
        applied(&one(&rest, change("5/2", &[("quantity", Value::Integer(9))], other)).await);
        // A new line is named by what the order shows afterwards.
        let added = one(
            &rest,
            add(&[("order", "5".into()), ("quantity", Value::Integer(1))]),
        )
        .await;
        assert_eq!(applied(&added), "5/12", "{style}");
        applied(&one(&rest, remove("5/1", None)).await);
        assert_eq!(shown(&all(&rest).await), [("5/2", 9), ("5/12", 1)], "{style}");
        assert_eq!(one(&rest, remove("5/1", None)).await, Outcome::Gone);
    }
}

#[tokio::test]
async fn many_lines_of_one_order_do_not_undo_each_other() {
    let (office, rest, orders) = erp(ORDERS, false, &[order("5", &[(1, 0)])]).await;
    let batch: Vec<Write> = (1..=8)
        .map(|number| add(&[("order", "5".into()), ("quantity", Value::Integer(number))]))
        .collect();
    for outcome in rest.write(&batch, tandem_connector::Lane::Live).await {
        applied(&outcome);
    }
    assert_eq!(
        orders.lock().unwrap()["5"]["body"]["lines"]
            .as_array()
            .unwrap()
            .len(),
        9
    );
    let refused = office.asked().len();
    assert_eq!(refused, 16, "each had its turn");
}

#[tokio::test]
async fn an_order_that_moves_meanwhile_is_read_again() {
    let moves = Arc::new(Mutex::new(2));
    let orders: Orders = Arc::new(Mutex::new(BTreeMap::from([(
        "5".to_owned(),
        order("5", &[(1, 2)]),
    )])));
    let (held, left) = (Arc::clone(&orders), Arc::clone(&moves));
    let office = Office::open(move |asked| {
        let reply = answer(asked, &held, false);
        if method(asked) == "GET" && *left.lock().unwrap() > 0 {
            *left.lock().unwrap() -= 1;
            let mut orders = held.lock().unwrap();
            let order = orders.get_mut("5").unwrap();
            order["version"] = json!(order["version"].as_i64().unwrap() + 1);
        }
        reply
    })
    .await;
    let rest = Rest::connect(super::config(&office.url, ORDERS, &[])).unwrap();
    applied(&one(&rest, change("5/1", &[("quantity", Value::Integer(3))], None)).await);
    assert_eq!(line(&orders, "5", 0)["quantity"], 3);
    // WHEN it never rests, THEN nothing is written and that is said
    *moves.lock().unwrap() = 99;
    assert_eq!(
        one(&rest, change("5/1", &[("quantity", Value::Integer(4))], None)).await,
        Outcome::Stale
    );
    let outcome = one(
        &rest,
        add(&[("order", "5".into()), ("quantity", Value::Integer(1))]),
    )
    .await;
    assert!(
        matches!(&outcome, Outcome::NotSent(error) if error.message.contains("all the time")),
        "{outcome:?}"
    );
    assert_eq!(
        orders.lock().unwrap()["5"]["body"]["lines"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// The lines of an order are compared with what was seen of them, and the order is what the server has a condition for.
#[tokio::test]
async fn e2_a_server_that_ignores_the_version_of_an_order_is_found_out_by_its_lines() {
    for heeds in [true, false] {
        let mut first = order("5", &[(1, 2), (2, 3)]);
        first["body"]["lines"][0]["text"] = json!("as it was");
        let orders: Orders = Arc::new(Mutex::new(BTreeMap::from([("5".to_owned(), first)])));
        let held = Arc::clone(&orders);
        let office = Office::open(move |asked| {
            let current = held.lock().unwrap()["5"]["version"].to_string();
            let mut asked = asked.clone();
            if let Some(named) = header(&asked, "if-match").filter(|_| !heeds) {
                asked.head = asked.head.replace(&format!(": {named}"), &format!(": {current}"));
            }
            answer(&asked, &held, false)
        })
        .await;
        let text = ORDERS.replace("at: ^.id }", "at: ^.id, required: true }");
        let rest = Rest::connect(super::config(&office.url, &text, &[])).unwrap();
        assert!(rest.capabilities().usual.conditional_write && rest.capabilities().usual.compares);
        let verdict = match heeds {
            true => Verdict::Holds,
            false => Verdict::Broken,
        };
        let tried = async |write: bool| {
            let effort = Effort {
                pages: 3,
                write,
                conditions: ["Line".to_owned()].into(),
            };
            prove(&rest, &[lines()], effort).await.unwrap()
        };
        let told = |proofs: &[Proof], law: &str| {
            let of = proofs.iter().find(|proof| proof.law == law);
            of.unwrap_or_else(|| panic!("{law}: {proofs:#?}")).verdict
        };
        assert_eq!(told(&tried(false).await, NEVER_HAD), verdict);
        assert_eq!(line(&orders, "5", 0)["text"], "as it was");
        assert_eq!(line(&orders, "5", 1)["quantity"], 3);
        let proofs = tried(true).await;
        assert_eq!(told(&proofs, STALE), verdict, "{proofs:#?}");
        assert_eq!(told(&proofs, STALE_DELETION), verdict, "{proofs:#?}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_inside_a_record_is_refused_with_why() {
    let (office, rest, _orders) = erp(ORDERS, true, &[order("5", &[(1, 2)])]).await;
    let refusal = async |write: Write| match one(&rest, write).await {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let asked = office.asked().len();
    let said = refusal(add(&[("quantity", Value::Integer(1))])).await;
    assert!(said.message.contains("of which Order"), "{said:?}");
    assert_eq!(office.asked().len(), asked, "nothing was asked");
    let said = refusal(add(&[("order", "6".into()), ("quantity", Value::Integer(1))])).await;
    assert_eq!(said.kind, RefusalKind::BadReference);
    let said = refusal(change("5/1", &[("order", "6".into())], None)).await;
    assert_eq!(said.properties, ["order"]);
    // An ERP that says yes and leaves the line where it is: it merges, and was described as one that replaces.
    let said = refusal(remove("5/1", None)).await;
    assert!(
        said.message.contains("is there still") && said.advice.contains("style"),
        "{said:?}"
    );
}
