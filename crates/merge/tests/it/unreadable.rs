//! Values that a system shows and nobody can read, and clocks that are apart.

use crate::members::moment;
use crate::plan_laws::{
    at_rest, creates, facts, gone, invoice, of_invoice, of_order, of_sales_order, order, sales_order, seen,
    updates,
};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Cluster, ParkedKind};
use tandem_merge::dataflow::{ConflictPolicy, Dataflow, DeletePolicy};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Presence, RecordKey, Values};
use tandem_merge::unreadable::{WHOLE, mark, unseen};
use tandem_merge::value::Value;

/// The observation with a property that cannot be read.
fn without(property: &str, seen: Observation) -> Observation {
    let mut seen = seen;
    seen.values.remove(property);
    let why = "a text is shown that is no date".to_owned();
    seen.unreadable.insert(property.to_owned(), why);
    seen
}

fn parked(plan: &Plan, property: &str) -> Option<ParkedKind> {
    Some(plan.cluster.records[&order()].parked.get(property)?.kind)
}

fn with_due(description: &str, due: &str) -> Values {
    let mut values = of_order(description);
    values.insert("due".to_owned(), Value::from(due));
    values
}

#[test]
fn e14_what_cannot_be_read_is_no_edit_and_keeps_no_other_property_away() {
    let flows = star(Policies::default());
    let shown = without("description", seen(&order(), 10, with_due("0", "soon")));
    let plan = reconcile(&flows, at_rest(&flows), vec![shown], &facts());
    assert_eq!(parked(&plan, "description"), Some(ParkedKind::Unreadable));
    let due = BTreeMap::from([("Due".to_owned(), "soon".to_owned())]);
    assert_eq!(updates(&plan.cluster), BTreeMap::from([(invoice(), due)]));
    let record = &plan.cluster.records[&order()];
    assert_eq!(record.bases["description"].value, Value::from("0"));
    assert_eq!(
        record.value("description"),
        &Value::from("0"),
        "as it was read before"
    );
    // WHEN the other side is edited, nobody writes over what cannot be seen
    let edited = seen(&invoice(), 11, of_invoice("typed"));
    let plan = reconcile(&flows, plan.cluster, vec![edited], &facts());
    let written = updates(&plan.cluster);
    assert!(!written.contains_key(&order()), "{written:?}");
    assert_eq!(written[&sales_order()]["Description"], "typed");
    // WHEN it can be read again, it is merged like any other
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&order(), 12, with_due("0", "soon"))],
        &facts(),
    );
    assert_eq!(parked(&plan, "description"), None);
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "typed");
}

#[test]
fn e14_a_property_called_state_is_one_like_any_other() {
    let flows = star(Policies::default());
    let shown = without("state", seen(&order(), 10, of_order("0")));
    let mut plan = reconcile(&flows, at_rest(&flows), vec![shown], &facts());
    let record = plan.cluster.records.get_mut(&order()).unwrap();
    let told = &record.parked["state"].reason;
    assert!(told.starts_with("state cannot be read: "), "{told}");
    // and whoever has it read again does not take back how new the record is
    let known = record.shadow.version.clone();
    tandem_merge::unreadable::believe(record);
    assert!(known.is_some());
    assert_eq!(record.shadow.version, known);
}

#[test]
fn e14_an_edit_that_could_not_be_read_travels_once_it_can() {
    let flows = star(Policies::default());
    let shown = without("description", seen(&order(), 10, of_order("new")));
    let plan = reconcile(&flows, at_rest(&flows), vec![shown], &facts());
    assert!(updates(&plan.cluster).is_empty());
    // At the same version: the system was mended, the record was not changed.
    let later = Observation {
        read_began: moment(20),
        ..seen(&order(), 10, of_order("new"))
    };
    let plan = reconcile(&flows, plan.cluster, vec![later], &facts());
    assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "new");
    assert_eq!(parked(&plan, "description"), None);
}

#[test]
fn r8_nobody_is_linked_or_created_whose_key_cannot_be_read() {
    let flows = star(Policies::default());
    let mut values = of_order("0");
    values.retain(|name, _| !["invoiceId", "orderId"].contains(&name.as_str()));
    let unread = without("number", seen(&order(), 1, values.clone()));
    let mut candidate = of_invoice("0");
    candidate.remove("Ext");
    let rows = vec![unread, seen(&invoice(), 1, candidate)];
    let plan = reconcile(&flows, Cluster::default(), rows, &facts());
    assert!(plan.cluster.links.is_empty());
    assert!(creates(&plan.cluster).is_empty(), "{:?}", plan.cluster.creates);
    let record = &plan.cluster.records[&order()];
    for flow in ["order-invoice", "order-order"] {
        assert_eq!(record.held[flow].kind, ParkedKind::Unreadable);
        assert!(record.held[flow].reason.starts_with("number cannot be read: "));
    }
    assert!(record.parked.is_empty(), "told once");
    // WHEN it can be read, it finds its counterpart, and the missing one is created
    let plan = reconcile(&flows, plan.cluster, vec![seen(&order(), 2, values)], &facts());
    assert_eq!(plan.cluster.links.len(), 1);
    assert_eq!(creates(&plan.cluster).len(), 1);
}

#[test]
fn d1_nothing_is_deleted_while_a_value_of_it_cannot_be_read() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let rows = vec![
        without("description", seen(&order(), 10, of_order("typed"))),
        gone(&sales_order(), 20),
    ];
    let plan = reconcile(&flows, at_rest(&flows), rows, &facts());
    let record = &plan.cluster.records[&order()];
    assert!(record.intent.is_none());
    assert!(record.held["order-order"].reason.contains("cannot be seen"));
}

#[test]
fn a_record_of_which_nothing_can_be_read_is_out_of_sight_and_told_of() {
    let flows = star(Policies::default());
    let nothing = Observation {
        presence: Presence::Missing,
        version: None,
        values: Values::new(),
        ..without("version", seen(&order(), 10, Values::new()))
    };
    let plan = reconcile(&flows, at_rest(&flows), vec![nothing], &facts());
    assert_eq!(parked(&plan, "version"), Some(ParkedKind::Unreadable));
    assert_eq!(plan.cluster.links.len(), 2, "nothing is taken for deleted");
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&order(), 12, of_order("back"))],
        &facts(),
    );
    assert_eq!(parked(&plan, "version"), None);
    assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "back");
}

#[test]
fn e15_a_record_that_shows_another_ones_state_is_asked_about() {
    let flows = star(Policies::default());
    let later = plan_with(&flows, 10, "typed");
    // GIVEN a counter that was reset, and an id that was used again.
    let reset = |order: i64, at: i64| {
        let mut seen = seen(&order_key(), at, of_order("strange"));
        seen.version.as_mut().unwrap().order = Some(order);
        seen
    };
    let another = Observation {
        created: Some(moment(90)),
        ..seen(&order_key(), 95, of_order("strange"))
    };
    for strange in [reset(2, 100), another] {
        let plan = reconcile(&flows, later.clone(), vec![strange.clone()], &facts());
        // THEN nothing of it travels, nothing is written to it, and a person is told
        assert_eq!(parked(&plan, "the state"), Some(ParkedKind::Unreadable));
        assert!(!updates(&plan.cluster).contains_key(&order()));
        assert!(
            updates(&plan.cluster)
                .values()
                .all(|values| !values.values().any(|value| value == "strange"))
        );
        assert_eq!(plan.cluster.links.len(), 2);
        // WHEN the later state is shown again, all is as before
        let back = Observation {
            read_began: moment(200),
            ..seen(&order_key(), 110, of_order("typed"))
        };
        let plan = reconcile(&flows, plan.cluster, vec![back], &facts());
        assert_eq!(parked(&plan, "the state"), None);
        // WHEN a person says that it holds, it is an edit
        let mut told = reconcile(&flows, later.clone(), vec![strange.clone()], &facts()).cluster;
        tandem_merge::unreadable::believe(told.records.get_mut(&order()).unwrap());
        let again = Observation {
            read_began: moment(201),
            ..strange
        };
        let plan = reconcile(&flows, told, vec![again], &facts());
        assert_eq!(parked(&plan, "the state"), None);
        assert_eq!(updates(&plan.cluster)[&invoice()]["Description"], "strange");
    }
    // What is merely late is dropped, as ever.
    let late = reconcile(&flows, later, vec![reset(2, 2)], &facts());
    assert_eq!(parked(&late, "the state"), None);
}

fn order_key() -> tandem_merge::record::RecordKey {
    order()
}

fn plan_with(flows: &Dataflow, at: i64, text: &str) -> Cluster {
    reconcile(
        flows,
        at_rest(flows),
        vec![seen(&order(), at, of_order(text))],
        &facts(),
    )
    .cluster
}

fn head(flows: &Dataflow, ours: i64, theirs: i64) -> String {
    let rows = vec![
        seen(&order(), ours, of_order("erp")),
        seen(&sales_order(), theirs, of_sales_order("sf")),
    ];
    let plan = reconcile(flows, at_rest(flows), rows, &facts());
    let description = plan
        .cluster
        .heads
        .iter()
        .find(|(at, _)| at.property.eq_ignore_ascii_case("description"));
    description.unwrap().1.value.to_string()
}

#[test]
fn latest_weighs_the_times_of_edits_by_one_clock() {
    let mut flows = star(Policies {
        conflict: ConflictPolicy::Latest,
        ..Policies::default()
    });
    assert_eq!(head(&flows, 20, 30), "sf");
    // GIVEN a second system whose clock is ahead by half a minute: its edit was the earlier one.
    let ahead = jiff::SignedDuration::from_secs(30);
    flows.clocks_ahead.insert("sf".to_owned(), ahead);
    assert_eq!(head(&flows, 20, 30), "erp");
    assert_eq!(head(&flows, 20, 55), "sf");
}

#[test]
fn e17_a_record_that_nobody_can_ask_for_is_listed_and_what_is_known_of_it_stands() {
    let flows = star(Policies::default());
    let mut cluster = at_rest(&flows);
    let record = cluster.records.get_mut(&order()).unwrap();
    assert!(mark(record, "it answered 500"));
    assert!(!mark(record, "it answered 500"), "no news a second time");
    // WHEN another side is edited
    let edited = seen(&invoice(), 11, of_invoice("typed"));
    let plan = reconcile(&flows, cluster, vec![edited], &facts());
    // THEN it is owed that like any other, and one item names it
    assert_eq!(parked(&plan, WHOLE), Some(ParkedKind::Unreadable));
    let record = &plan.cluster.records[&order()];
    assert!(record.parked[WHOLE].reason.contains("it answered 500"));
    assert_eq!(record.shadow.presence, Presence::Alive);
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "typed");
    // AND whatever shows it ends that, also what is older than known
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&order(), 0, with_due("0", "soon"))],
        &facts(),
    );
    assert_eq!(parked(&plan, WHOLE), None);
}

#[test]
fn r6_a_survivor_that_cannot_be_read_is_waited_for_and_nothing_is_deleted_in_its_stead() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let survivor = RecordKey::new("sf", "Order", "s2");
    let merged = Observation {
        merged_into: Some(survivor.id.clone()),
        ..gone(&sales_order(), 20)
    };
    let unknown = unseen(&survivor, "it answered 500", moment(21));
    let plan = reconcile(&flows, at_rest(&flows), vec![merged, unknown], &facts());
    assert!(plan.cluster.records[&order()].intent.is_none());
    assert!(plan.cluster.links.iter().any(|link| link.second == sales_order()));
    assert!(plan.waits.read.contains(&survivor));
    let item = &plan.cluster.records[&survivor].parked[WHOLE];
    assert_eq!(item.kind, ParkedKind::Unreadable);
    // WHEN it can be read, THEN the link is its own
    let mut kept = of_sales_order("kept");
    kept.remove("Ext");
    let plan = reconcile(&flows, plan.cluster, vec![seen(&survivor, 22, kept)], &facts());
    assert!(plan.cluster.links.iter().any(|link| link.second == survivor));
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "kept");
}
