//! Selective sync: what the language says, and what entering and leaving a filter does.

use crate::config::{described, sources};
use crate::plan_laws::{facts, gone, invoice, order, seen, values};
use crate::star::flows::{Policies, star};
use proptest::prelude::*;
use tandem_merge::cluster::{Action, Cluster, ParkedKind};
use tandem_merge::config::load_against;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::filter::Filter;
use tandem_merge::plan::{EventKind, Plan};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Values};
use tandem_merge::value::Value;

const FLOW: &str = "order-invoice";

fn deal() -> Values {
    [
        ("StageName", Value::from("Closed Won")),
        ("Amount", Value::Decimal("1500.50".parse().unwrap())),
        ("Count", Value::Integer(3)),
        ("Active", Value::Boolean(true)),
        ("CloseDate", Value::Date("2026-03-01".parse().unwrap())),
        ("Seen", Value::DateTime("2026-03-01T10:00:00Z".parse().unwrap())),
        ("Name", Value::from("O'Neill & Co")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[test]
fn expressions_say_what_they_seem_to_say() {
    let deal = deal();
    let cases = [
        ("StageName = 'Closed Won' and Amount > 1000", true),
        ("StageName = 'closed won'", false),
        ("Amount >= 1500.5 AND Amount <= 1500.50", true),
        ("Count = 3.0", true),
        ("Count <> 3", false),
        ("Amount < 1000 or Active = true", true),
        ("not (Amount < 1000 or Active = true)", false),
        ("Amount < 1 or Amount < 2 and Active = false", false),
        ("CloseDate >= 2026-01-01 and CloseDate < 2026-04-01", true),
        ("Seen > 2026-03-01T09:59:59Z", true),
        ("StageName in ('Prospecting', 'Closed Won')", true),
        ("StageName not in ('Prospecting', 'Closed Won')", false),
        ("Name = 'O''Neill & Co'", true),
        ("Name = 'O\\'Neill & Co'", true),
        ("Name like 'o%co'", true),
        ("Name like '%neill_&%'", true),
        ("Name like 'neill'", false),
        ("Name not like '%x%'", true),
        ("Owner is blank and Owner = null and not Owner is not blank", true),
        ("Owner != 'x'", true),
        ("Owner = 'x' or Owner < 'x'", false),
        // Values of different kinds are unequal, and neither is less.
        ("Amount = '1500.50'", false),
        ("Amount != '1500.50'", true),
        ("StageName > 5 or StageName < 5", false),
    ];
    for (text, holds) in cases {
        let filter = Filter::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
        assert_eq!(filter.holds(&deal), holds, "{text}");
        assert_eq!(filter.to_string(), text);
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let cases = [
        ("", 1, "ends too early"),
        ("Amount", 7, "ends too early"),
        ("Amount >", 9, "ends too early"),
        ("Amount > and", 10, "`and` is out of place"),
        ("Amount > 5 Active = true", 12, "`Active` is out of place"),
        ("Amount > 5)", 11, "`)` is out of place"),
        ("(Amount > 5", 12, "ends too early"),
        ("Name = 'x", 8, "not closed"),
        ("Name = ''", 8, "`` is out of place"),
        ("Amount > 5 ; drop", 12, "`;` means nothing"),
        ("Amount > 5x", 10, "neither a number"),
        ("Name in ('a'", 13, "ends too early"),
        ("5 = Amount", 1, "`5` is out of place"),
        ("Amount not > 5", 12, "`>` is out of place"),
        ("Name like 5", 11, "`5` is out of place"),
    ];
    for (text, at, message) in cases {
        let wrong = Filter::parse(text).unwrap_err();
        assert_eq!(wrong.at, at, "{text}: {wrong:?}");
        assert!(wrong.message.contains(message), "{text}: {wrong:?}");
        assert!(!wrong.help.is_empty(), "{text}");
    }
    let deep = format!("{}a = 1{}", "(".repeat(100), ")".repeat(100));
    assert!(Filter::parse(&deep).is_err());
    assert!(Filter::parse(&"not ".repeat(10_000)).is_err());
}

proptest! {
    #[test]
    fn reading_ends_for_every_text_and_the_answer_for_every_record(text in ".{0,60}") {
        if let Ok(filter) = Filter::parse(&text) {
            let _ = filter.holds(&deal());
            prop_assert_eq!(filter.holds(&Values::new()), filter.holds(&Values::new()));
        }
    }
}

/// Only invoices about tea take part.
fn flows() -> Dataflow {
    let mut flows = star(Policies {
        reverse: true,
        ..Policies::default()
    });
    flows.flows[0].ends[1].filter = Some(Filter::parse("Description like 'tea%'").unwrap());
    flows
}

fn of_invoice(order: i64, description: &str) -> Observation {
    seen(
        &invoice(),
        order,
        values(&[("Number", "7"), ("Description", description), ("Ext", "Order:1")]),
    )
}

fn linked() -> Cluster {
    let own = seen(
        &order(),
        1,
        values(&[("number", "7"), ("description", "tea"), ("invoiceId", "i")]),
    );
    let plan = reconcile(
        &flows(),
        Cluster::default(),
        vec![own, of_invoice(1, "tea")],
        &facts(),
    );
    assert!(is_linked(&plan));
    plan.cluster
}

fn is_linked(plan: &Plan) -> bool {
    plan.cluster.links.iter().any(|link| link.flow == FLOW)
}

#[test]
fn what_leaves_the_filter_is_unlinked_never_deleted_and_not_created_again() {
    let left = reconcile(&flows(), linked(), vec![of_invoice(5, "coffee")], &facts());
    assert!(!is_linked(&left));
    let writes = left
        .cluster
        .records
        .values()
        .filter_map(|record| record.intent.as_ref());
    assert!(
        !writes
            .into_iter()
            .any(|intent| matches!(intent.action, Action::Delete { .. }))
    );
    let creates = left.cluster.creates.iter();
    let again =
        creates.filter(|intent| matches!(&intent.action, Action::Create { flow, .. } if flow == FLOW));
    assert_eq!(again.count(), 0);
    let held = &left.cluster.records[&order()].held[FLOW];
    assert_eq!(held.kind, ParkedKind::NotCreated);
    assert!(held.reason.contains("is outside the filter"), "{held:?}");
    let told = left.history.iter().any(|event| {
        matches!(event.what, EventKind::Unlinked { .. }) && event.why.contains("left the filter")
    });
    assert!(told);
    // The order's own edits stay its own, and a second look changes nothing (M8).
    let edit = seen(
        &order(),
        6,
        values(&[("number", "7"), ("description", "tea, green"), ("invoiceId", "i")]),
    );
    let edited = reconcile(&flows(), left.cluster, vec![edit], &facts());
    assert!(edited.cluster.records[&invoice()].intent.is_none());
    // Back inside, it is the same counterpart that is linked again.
    let back = reconcile(
        &flows(),
        edited.cluster,
        vec![of_invoice(9, "tea again")],
        &facts(),
    );
    assert!(is_linked(&back));
    assert!(back.cluster.records.values().all(|record| record.left.is_empty()));
}

#[test]
fn a_flow_that_rests_neither_unlinks_what_leaves_nor_links_what_is_back() {
    let mut resting = flows();
    resting.paused.insert(FLOW.to_owned());
    let left = reconcile(&resting, linked(), vec![of_invoice(5, "coffee")], &facts());
    assert!(is_linked(&left));
    let gone_on = reconcile(&flows(), left.cluster, Vec::new(), &facts());
    assert!(!is_linked(&gone_on));
    let back = vec![of_invoice(9, "tea again")];
    let back = reconcile(&resting, gone_on.cluster, back, &facts());
    assert!(!is_linked(&back));
    let gone_on = reconcile(&flows(), back.cluster, Vec::new(), &facts());
    assert!(is_linked(&gone_on));
}

#[test]
fn e16_a_counterpart_deleted_outside_the_filter_is_not_created_again() {
    let left = reconcile(&flows(), linked(), vec![of_invoice(5, "coffee")], &facts());
    let plan = reconcile(&flows(), left.cluster, vec![gone(&invoice(), 7)], &facts());
    assert!(plan.cluster.records[&order()].suppressed.contains(FLOW));
    let creates = plan.cluster.creates.iter();
    let again =
        creates.filter(|intent| matches!(&intent.action, Action::Create { flow, .. } if flow == FLOW));
    assert_eq!(again.count(), 0);
}

#[test]
fn a_create_that_would_be_outside_is_not_made() {
    let own = |description: &str| {
        seen(
            &order(),
            1,
            values(&[("number", "7"), ("description", description)]),
        )
    };
    let creates = |plan: &Plan| {
        let all = plan.cluster.creates.iter();
        all.filter(|intent| matches!(&intent.action, Action::Create { flow, .. } if flow == FLOW))
            .count()
    };
    let outside = reconcile(&flows(), Cluster::default(), vec![own("coffee")], &facts());
    assert_eq!(creates(&outside), 0);
    let held = &outside.cluster.records[&order()].held[FLOW];
    assert!(held.reason.contains("Description like 'tea%'"), "{held:?}");
    assert_eq!(
        creates(&reconcile(
            &flows(),
            Cluster::default(),
            vec![own("tea")],
            &facts()
        )),
        1
    );
    // An invoice outside is nobody's candidate, and gets no order.
    let stray = reconcile(
        &flows(),
        Cluster::default(),
        vec![of_invoice(1, "coffee")],
        &facts(),
    );
    assert!(stray.cluster.creates.is_empty() && stray.cluster.records[&invoice()].held.is_empty());
}

#[test]
fn a_property_out_of_sight_lets_nothing_leave() {
    let mut flows = flows();
    let of = flows.flows[0].end(Side::Second).record_type.clone();
    flows.out_of_sight.insert((of, "Description".to_owned()));
    let plan = reconcile(&flows, linked(), vec![of_invoice(5, "coffee")], &facts());
    assert!(is_linked(&plan));
}

/// The problems of a changed contact flow.
fn problems(only: &str) -> Vec<String> {
    let mut sources = sources(str::to_owned);
    let (_, text) = sources
        .flows
        .iter_mut()
        .find(|(name, _)| name == "quote-quote.yaml")
        .unwrap();
    *text = text.replacen("\nproperties:", &format!("\nonly: {only}\nproperties:"), 1);
    match load_against(&sources, &described()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_filter_in_a_flow_file_is_checked_against_the_properties() {
    assert_eq!(
        problems("{ salesforce: \"Status = 'Approved' and Name is not blank\" }"),
        Vec::<String>::new()
    );
    assert_eq!(
        problems("{ salesforce: { Quote: \"Won__c = true\" } }"),
        Vec::<String>::new()
    );
    let misspelt = problems("{ customerp: \"statsu = 'approved'\" }");
    assert!(
        misspelt[0].contains("no property `statsu`") && misspelt[0].contains("Did you mean `status`?"),
        "{misspelt:?}"
    );
    let kind = problems("{ salesforce: \"ExpirationDate > 'soon'\" }");
    assert!(
        kind[0].contains("`soon` is no date for ExpirationDate"),
        "{kind:?}"
    );
    let torn = problems("{ salesforce: \"Status =\" }");
    assert!(
        torn[0].contains("quote-quote.yaml:") && torn[0].contains("at its character 9"),
        "{torn:?}"
    );
}

#[test]
fn a_match_key_of_two_properties_is_checked_and_two_ids_are_refused() {
    let with = |rule: &str| {
        let mut sources = sources(str::to_owned);
        let (_, text) = sources
            .flows
            .iter_mut()
            .find(|(name, _)| name == "product-product2.yaml")
            .unwrap();
        *text = text.replacen("match:\n", &format!("match:\n  - {rule}\n"), 1);
        load_against(&sources, &described())
    };
    let found = with("{ customerp: id, salesforce: Legacy_Id__c }").unwrap();
    let rule = &found.dataflow.flow("product-product2").unwrap().match_rules[0];
    assert_eq!(
        rule.parts[0].properties,
        ["id".to_owned(), "Legacy_Id__c".to_owned()]
    );
    assert!(with("{ customerp: crmId, salesforce: id, compare: exact }").is_err());
    let ids = with("{ customerp: id, salesforce: id }").unwrap_err();
    assert!(ids[0].to_string().contains("own ids are never equal"), "{ids:?}");
    let misspelt = with("{ customerp: productNumbr, salesforce: ProductCode }").unwrap_err();
    assert!(
        misspelt[0].to_string().contains("Did you mean `productNumber`?"),
        "{misspelt:?}"
    );
}
