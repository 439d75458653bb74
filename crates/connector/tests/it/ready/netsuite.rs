//! NetSuite.

use super::{
    all_of, create, delete, listed, local, of, ready, refusal, shipped, staged, update, values,
    with_own_fields,
};
use crate::scene::{Scene, Words, applied, one};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use tandem_connector::rest::Rest;
use tandem_connector::{Connector, ErrorKind, Outcome, RefusalKind};
use tandem_lab::stubs::{Options, Server, Vendor, serve};
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;
use url::Url;

/// Pages by offset within parts of the time, where the shipped description pages by key.
const BY_OFFSET: [(&str, &str); 2] = [
    (
        "query: { limit: 1000 }",
        "query: { limit: 10, offset: \"{offset}\" }",
    ),
    (
        "paging: { kind: keyset, from: 0, more: hasMore }\n  changes:",
        "paging: { kind: offset, more: hasMore }\n  changes:",
    ),
];

pub(super) fn described() -> String {
    let own = ["custentity_birthdate: { type: date, optional: true }"];
    let text = with_own_fields(&shipped("netsuite.yaml"), "Contact", &own);
    let column = "supervisor AS supervisor_id,";
    assert!(text.contains(column));
    let day = "TO_CHAR(custentity_birthdate, 'YYYY-MM-DD') AS custentity_birthdate,";
    text.replace(column, &format!("{column} {day}"))
}

fn connect(url: &Url, user: &str) -> Box<dyn Connector> {
    let contact = [
        "lastName",
        "email",
        "phone",
        "comments",
        "custentity_birthdate",
        "custentity_salesforce_id",
        "supervisor",
    ];
    Box::new(Rest::connect(ready(url, Vendor::Netsuite, user, &described(), &contact)).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let words = Words {
        last_name: "lastName",
        email: "email",
        phone: "phone",
        description: "comments",
        birthdate: "custentity_birthdate",
        external: "custentity_salesforce_id",
        reports_to: "supervisor",
        nobody: "999999",
        clock: "advanceSeconds",
        secret: "0umhPM9W3srSAOND",
    };
    staged(Vendor::Netsuite, words, connect).await
}

/// A stub with a query that ends at so many rows.
async fn capped(records: u32, query_rows: u32) -> (Server, Url) {
    let server = serve(Options {
        records,
        query_rows,
        ..Options::of(Vendor::Netsuite)
    })
    .await
    .unwrap();
    let url = server.url().parse().unwrap();
    (server, url)
}

async fn netsuite() -> (Server, Url, Rest) {
    let (server, url) = capped(1, 100_000).await;
    let rest = all_of(&url, Vendor::Netsuite, &shipped("netsuite.yaml"));
    (server, url, rest)
}

async fn read(rest: &Rest, name: &str, id: &str) -> Observation {
    rest.fetch(&of(name), &[id.to_owned()]).await.unwrap().remove(0)
}

fn ids(rows: &[Observation]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.key.id.as_str()).collect()
}

/// Beyond its last row a query says nothing of what there is: by key, and by parts of the time, everything is read.
#[tokio::test]
async fn more_than_a_query_shows_is_read_and_nothing_is_missing() {
    let (_server, url) = capped(130, 50).await;
    let by_key = all_of(
        &url,
        Vendor::Netsuite,
        &shipped("netsuite.yaml").replace("limit: 1000", "limit: 20"),
    );
    assert_eq!(ids(&listed(&by_key, "Customer").await).len(), 130);
    // WHEN pages are counted, THEN what lies behind the cap is lost without a word
    let counted = BY_OFFSET
        .into_iter()
        .fold(shipped("netsuite.yaml"), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
    let counted = counted.replacen("AND id > {after} ORDER BY", "ORDER BY", 2);
    let short = all_of(&url, Vendor::Netsuite, &counted);
    assert_eq!(listed(&short, "Customer").await.len(), 50);
    // WHEN the description says where a query ends, THEN it is split, and one second that holds more is read on by key
    let date = |hole: &str| format!("TO_DATE('{{{hole}}}', 'YYYY-MM-DD HH24:MI:SS')");
    let (since, until) = (date("since"), date("until"));
    let both =
        format!("lastmodifieddate >= {since} AND lastmodifieddate < {until} AND id > {{after}} ORDER BY id");
    let parts = counted
        .replace("{fill.where} ORDER BY id", &format!("{{fill.where}} AND {both}"))
        .replace(&format!("lastmodifieddate >= {since} ORDER BY id"), &both)
        .replacen(
            BY_OFFSET[1].1,
            "paging: { kind: offset, more: hasMore }\n    window: { at_most: 50, first: 0 }\n  changes:",
            1,
        );
    let split = all_of(&url, Vendor::Netsuite, &parts);
    assert_eq!(ids(&listed(&split, "Customer").await).len(), 130);
}

/// Times are the account's own: read in another zone every change would be hours away.
#[tokio::test]
async fn times_are_read_in_the_zone_of_the_account() {
    let (_server, url, right) = netsuite().await;
    let now = jiff::Timestamp::now();
    let modified = async |rest: &Rest| {
        listed(rest, "Customer").await[0]
            .version
            .as_ref()
            .unwrap()
            .modified
    };
    let away = |at: jiff::Timestamp| at.duration_since(now).as_secs().abs();
    assert!(away(modified(&right).await) < 600);
    let wrong = shipped("netsuite.yaml").replace("America/Los_Angeles", "UTC");
    let wrong = all_of(&url, Vendor::Netsuite, &wrong);
    assert!(away(modified(&wrong).await) > 6 * 3_600);
}

/// The list of deletions names what is gone; that nobody ever saw it is no deletion.
#[tokio::test]
async fn what_was_deleted_is_told_by_its_list_and_nothing_else_is() {
    let (_server, url, netsuite) = netsuite().await;
    let contact = listed(&netsuite, "Contact").await.remove(0).key.id;
    let (mut cursor, mut rounds) = (None, Vec::new());
    for _ in 0..2 {
        let page = netsuite
            .changes(&[of("Contact"), of("Item")], cursor.as_deref())
            .await
            .unwrap();
        assert!(!page.more && page.incomplete.is_empty());
        cursor = Some(page.cursor);
        rounds.push(page.observations);
        if rounds.len() == 1 {
            local(&url, "DELETE", &format!("rows/contact/{contact}"), &Json::Null).await;
        }
    }
    let gone: Vec<_> = rounds[1]
        .iter()
        .filter(|row| row.presence == Presence::Deleted)
        .collect();
    assert_eq!(gone.len(), 1, "{rounds:?}");
    assert_eq!(gone[0].key.id, contact);
    assert_eq!(
        read(&netsuite, "Contact", &contact).await.presence,
        Presence::Deleted
    );
    assert_eq!(
        read(&netsuite, "Contact", "777").await.presence,
        Presence::Missing
    );
    // Ids count by record type: no order of that number was ever there, and the customer of it still is.
    assert_eq!(
        read(&netsuite, "SalesOrder", &contact).await.presence,
        Presence::Missing
    );
    assert_eq!(
        read(&netsuite, "Customer", &contact).await.presence,
        Presence::Alive
    );
}

#[tokio::test]
async fn a_create_that_is_sent_twice_makes_one_and_another_key_makes_another() {
    let (_server, url, netsuite) = netsuite().await;
    let write = create("Contact", &[("lastName", "Lee".into())]);
    let id = applied(&one(&netsuite, write.clone()).await);
    assert_eq!(applied(&one(&netsuite, write.clone()).await), id);
    let mut other = write;
    other.key = "key-2".to_owned();
    assert_ne!(applied(&one(&netsuite, other).await), id);
    let rows = local(&url, "GET", "rows/contact", &json!({})).await;
    assert_eq!(rows.as_array().unwrap().len(), 3, "the sample, and two");
    let made = read(&netsuite, "Contact", &id).await;
    assert_eq!(made.values["externalId"], Value::text("key-1"));
}

/// Records have references and truth in another form than queries.
#[tokio::test]
async fn what_is_written_in_one_form_is_read_in_another() {
    let (_server, _url, netsuite) = netsuite().await;
    let customer = listed(&netsuite, "Customer").await.remove(0).key.id;
    let given = [
        ("lastName", Value::text("Lee")),
        ("company", customer.as_str().into()),
        ("isInactive", Value::Boolean(true)),
        ("email", "lee@acme.example".into()),
    ];
    let id = applied(&one(&netsuite, create("Contact", &given)).await);
    let made = read(&netsuite, "Contact", &id).await;
    for (name, value) in values(&given) {
        assert_eq!(made.values[&name], value, "{name}");
    }
    let blank = [
        ("company", Value::Blank),
        ("email", Value::Blank),
        ("isInactive", Value::Boolean(false)),
    ];
    let outcome = one(&netsuite, update("Contact", &id, &blank, None)).await;
    assert!(
        matches!(outcome, Outcome::Applied { state: None, .. }),
        "it answers with nothing: {outcome:?}"
    );
    let changed = read(&netsuite, "Contact", &id).await;
    for (name, value) in values(&blank) {
        assert_eq!(changed.values[&name], value, "{name}");
    }
}

#[tokio::test]
async fn an_order_shows_its_day_and_whose_it_is() {
    let (_server, url, netsuite) = netsuite().await;
    let customer = listed(&netsuite, "Customer").await.remove(0).key.id;
    let order =
        json!({ "entity": customer, "tranDate": "2026-01-31", "foreignTotal": 12.5, "tranId": "SO1" });
    let made = local(&url, "POST", "rows/salesOrder", &order).await;
    let id = made["id"].as_str().unwrap();
    let day = Value::Date("2026-02-28".parse().unwrap());
    let given = [("tranDate", day.clone()), ("memo", "x".into())];
    applied(&one(&netsuite, update("SalesOrder", id, &given, None)).await);
    let rows = listed(&netsuite, "SalesOrder").await;
    assert_eq!(rows[0].values["tranDate"], day);
    assert_eq!(rows[0].values["entity"], Value::text(customer));
    assert_eq!(
        rows[0].values["foreignTotal"],
        Value::Decimal("12.5".parse().unwrap())
    );
    assert_eq!(rows[0].author.as_deref(), Some("tandem"));
    let item = create(
        "Item",
        &[("itemId", "A-1".into()), ("displayName", "Bolt".into())],
    );
    let item = applied(&one(&netsuite, item).await);
    assert_eq!(
        read(&netsuite, "Item", &item).await.values["displayName"],
        Value::text("Bolt")
    );
}

#[tokio::test]
async fn refusals_are_told_apart_and_name_the_property() {
    let (_server, _url, netsuite) = netsuite().await;
    let customer = listed(&netsuite, "Customer").await.remove(0).key.id;
    let long = Value::text("x".repeat(33));
    let lee = ("lastName", Value::text("Lee"));
    let cases = [
        (
            create("Customer", &[("companyName", "Company 1".into())]),
            RefusalKind::Duplicate,
            "entityId",
        ),
        (
            create("Contact", &[("lastName", long)]),
            RefusalKind::Invalid,
            "lastName",
        ),
        (
            create("Contact", &[("lastName", Value::Blank)]),
            RefusalKind::Invalid,
            "lastName",
        ),
        (
            create("Contact", &[lee, ("company", "777".into())]),
            RefusalKind::BadReference,
            "company",
        ),
        (delete("Customer", &customer), RefusalKind::Locked, ""),
    ];
    for (write, kind, property) in cases {
        let refusal = refusal(one(&netsuite, write).await);
        assert_eq!(refusal.kind, kind, "{refusal:?}");
        assert_eq!(
            refusal.properties.first().map_or("", String::as_str),
            property,
            "{refusal:?}"
        );
    }
}

/// A token lasts an hour, and who asks for it must be in time by the clock of NetSuite.
#[tokio::test]
async fn a_token_that_is_over_is_replaced_and_another_certificate_gets_none() {
    let (_server, url, netsuite) = netsuite().await;
    assert_eq!(listed(&netsuite, "Customer").await.len(), 1);
    local(&url, "POST", "clock", &json!({ "advanceSeconds": 90_000 })).await;
    assert_eq!(listed(&netsuite, "Customer").await.len(), 1);
    let other = shipped("netsuite.yaml").replace("{secret.certificate}", "another");
    let other = all_of(&url, Vendor::Netsuite, &other);
    assert_eq!(other.identify().await.unwrap_err().kind, ErrorKind::SignIn);
}

/// The stub itself: a query without its header, or with a column that is not there, is refused.
#[tokio::test]
async fn a_query_that_is_wrong_is_told_and_shows_nothing() {
    let (_server, url, _) = netsuite().await;
    for (from, to) in [
        ("Prefer: transient", "Prefer: other"),
        ("id, entityid,", "id, nonsense,"),
    ] {
        let wrong = all_of(
            &url,
            Vendor::Netsuite,
            &shipped("netsuite.yaml").replace(from, to),
        );
        let error = wrong.list(&of("Customer"), None).await.unwrap_err();
        assert!(error.message.contains("Invalid search query"), "{error}");
    }
}
