//! Records inside others by OData: read with the record that holds them, and written only where the description says how.

use super::stage::{erp, ok, parameter, values};
use super::{config, described};
use crate::scene::one;
use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use tandem_connector::rest::{Rest, RestConfig};
use tandem_connector::{Change, Connector, Outcome, Write};
use tandem_lab::odata::{Options, serve};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};
use tandem_merge::value::Value;
use url::Url;

/// Orders with their lines, by the local service.
fn orders(odata: &str) -> String {
    let (base, list) = match odata.contains("v2") {
        true => ("/v2", "Lines.results"),
        false => ("/v4", "Lines"),
    };
    let since = match odata.contains("v2") {
        true => "changes: { since: { format: \"datetimeoffset'%Y-%m-%dT%H:%M:%SZ'\" } }",
        false => "compare_every: 24h",
    };
    format!(
        "odata: {odata}
base: {base}
session: {{ kind: bearer }}
record_types:
  Order:
    collection: Orders
    record: {{ id: Number, ids: digits, modified: ModifiedAt }}
    {since}
    read: {{ gone: [404, 410] }}
    properties:
      status: {{ type: string, at: Status }}
  Line:
    inside: {{ type: Order, at: {list}, id: LineNumber }}
    properties:
      order: {{ type: reference(Order), at: ^.Number }}
      text: {{ type: string, at: Text }}
      quantity: {{ type: \"decimal(15,4)\", at: Quantity }}
"
    )
}

fn lines() -> RecordType {
    RecordType::new("erp", "Line")
}

async fn listed(rest: &Rest, of: &RecordType) -> Vec<Observation> {
    let (mut all, mut resume) = (Vec::new(), None);
    loop {
        let page = rest.list(of, resume.as_deref()).await.unwrap();
        all.extend(page.observations);
        resume = page.resume;
        if resume.is_none() {
            return all;
        }
    }
}

fn changing(id: &str) -> Write {
    Write {
        intent: 1,
        key: "key".to_owned(),
        change: Change::Update {
            record: RecordKey::new("erp", "Line", id),
            values: values(&[("text", "x".into())]),
            only_if: None,
        },
    }
}

#[tokio::test]
async fn what_stands_inside_a_record_of_odata_is_read_with_it_in_either_version() {
    for odata in ["v4", "v2", "{ version: v4, paging: links }"] {
        let options = Options {
            records: 6,
            page_size: 4,
            ..Options::default()
        };
        let server = serve(options).await.unwrap();
        let url: Url = server.url().parse().unwrap();
        let config = RestConfig {
            overlap: SignedDuration::ZERO,
            ..config(&url, &orders(odata), &[("token", "odata-tandem-token")])
        };
        let rest = Rest::connect(config).unwrap();
        // WHEN all are listed, THEN each line of each order is shown, with the order that it is of
        let all = listed(&rest, &lines()).await;
        let held = listed(&rest, &RecordType::new("erp", "Order")).await;
        assert!(
            all.len() > held.len() && held.len() > 4,
            "{odata}: {} of {}",
            all.len(),
            held.len()
        );
        let first = &all[0];
        let Value::Text(order) = &first.values["order"] else {
            panic!("{first:?}");
        };
        assert!(first.key.id.starts_with(&format!("{order}/")), "{first:?}");
        assert!(matches!(first.values["quantity"], Value::Decimal(_)), "{first:?}");
        // WHEN they are read by their ids, THEN with their order, which shows what is not there
        let none = format!("{order}/9999");
        let read = rest.fetch(&lines(), &[first.key.id.clone(), none]).await.unwrap();
        let presence: Vec<Presence> = read.iter().map(|shown| shown.presence).collect();
        assert_eq!(presence, [Presence::Alive, Presence::Deleted], "{odata}");
        assert_eq!(read[0].values, first.values, "{odata}");
        // Nobody sends a list along with an order that may take none.
        let schema = rest.describe().await.unwrap().types.remove("Line").unwrap();
        assert_eq!(
            (schema.createable, schema.updateable, schema.deletable),
            (false, false, false)
        );
        let outcome = one(&rest, changing(&first.key.id)).await;
        let Outcome::Refused(refusal) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(refusal.message, "a Line cannot be changed here");
    }
}

#[tokio::test]
async fn a_list_is_asked_for_only_where_what_stands_in_it_is_wanted() {
    let order = |list: Json| json!({ "@odata.etag": "1", "Number": 5, "Status": "draft", "ModifiedAt": "2026-03-02T12:00:00Z", "Lines": list });
    let (office, rest) = erp(&orders("v4"), &[("token", "t")], move |asked| {
        match parameter(asked, "$filter") {
            None => {
                ok(&json!({ "value": [order(json!([{ "LineNumber": 1, "Text": "a", "Quantity": 2 }]))] }))
            }
            Some(_) => ok(&json!({ "value": [] })),
        }
    })
    .await;
    listed(&rest, &lines()).await;
    let with_lines = office.asked().len();
    listed(&rest, &RecordType::new("erp", "Order")).await;
    let asked = office.asked();
    let said = |at: usize| (parameter(&asked[at], "$select"), parameter(&asked[at], "$expand"));
    let own = "Number,ModifiedAt,Status";
    assert_eq!(said(0), (Some(format!("{own},Lines")), Some("Lines".to_owned())));
    assert_eq!(said(with_lines), (Some(own.to_owned()), None));
}

#[tokio::test]
async fn a_list_that_goes_on_elsewhere_says_of_nothing_that_it_is_gone() {
    let part = json!({ "Number": 5, "ModifiedAt": "2026-03-02T12:00:00Z", "Status": "x", "@odata.etag": "1",
        "Lines": [{ "LineNumber": 1, "Text": "a", "Quantity": 2 }], "Lines@odata.nextLink": "http://erp/more" });
    let (_office, rest) = erp(&orders("v4"), &[("token", "t")], move |_| ok(&part)).await;
    let read = rest
        .fetch(&lines(), &["5/1".to_owned(), "5/2".to_owned()])
        .await
        .unwrap();
    assert!(
        read.iter().all(|shown| shown.presence == Presence::Missing),
        "{read:?}"
    );
}

#[tokio::test]
async fn a_service_that_takes_lists_with_their_record_is_written_where_the_description_says_so() {
    let text = orders("v4").replace("id: LineNumber }", "id: LineNumber, style: merge }");
    described(&text);
    let order = json!({ "Number": 5, "ModifiedAt": "2026-03-02T12:00:00Z", "Status": "x", "@odata.etag": "W/1",
        "Lines": [{ "LineNumber": 1, "Text": "a", "Quantity": 2 }] });
    let (office, rest) = erp(&text, &[("token", "t")], move |_| ok(&order)).await;
    let outcome = one(&rest, changing("5/1")).await;
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    let asked = office.asked();
    let patch = asked
        .iter()
        .find(|asked| asked.head.starts_with("PATCH "))
        .unwrap();
    assert_eq!(
        super::stage::sent(patch),
        json!({ "Lines": [{ "LineNumber": 1, "Text": "x" }] })
    );
}
