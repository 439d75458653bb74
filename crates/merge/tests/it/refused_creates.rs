//! What becomes of a create that was refused (E17): it goes again without what it may be without, and what was refused is
//! told on one record alone, until it is another value.

use crate::plan_laws::{
    applied, at_rest, facts, gone, invoice, of_invoice, of_order, order, sales_order, seen, sent, updates,
    values,
};
use crate::refusals::no;
use crate::star::flows::{Policies, mapping, star};
use tandem_merge::cluster::{Action, Cluster, Intent, Parked, ParkedKind};
use tandem_merge::dataflow::{Dataflow, DeleteAgainstEdit, DeletePolicy, Flow, Mapping, OnCreate};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{reconcile, settle};
use tandem_merge::record::Observation;

fn told(description: &str, number: i64) -> Observation {
    let pairs = [("number", "7"), ("description", description), ("note", "n")];
    seen(&order(), number, values(&pairs))
}

/// The create of the sales order.
fn create(cluster: &Cluster) -> Option<&Intent> {
    let is =
        |intent: &&Intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-order");
    cluster.creates.iter().find(is)
}

fn carried(cluster: &Cluster) -> Vec<&str> {
    let values = create(cluster).map(|intent| intent.values.keys());
    values.into_iter().flatten().map(String::as_str).collect()
}

/// The create of a described order's counterpart is refused for these properties.
fn refused(flows: &Dataflow, named: &[&str]) -> Plan {
    let cluster = sent(reconcile(flows, Cluster::default(), vec![told("x", 1)], &facts()));
    let id = create(&cluster).unwrap().id;
    settle(flows, cluster, Vec::new(), vec![(id, no(named))], &facts())
}

#[test]
fn e17_a_create_is_sent_again_without_the_value_that_was_refused_until_that_is_another() {
    let flows = star(Policies::default());
    let plan = refused(&flows, &["Description"]);
    assert_eq!(carried(&plan.cluster), ["Ext", "Note", "Reference"]);
    let record = &plan.cluster.records[&order()];
    let parked: Vec<_> = record
        .parked
        .iter()
        .map(|(name, parked)| (name.as_str(), parked.by.as_deref()))
        .collect();
    assert_eq!(parked, [("description", Some("sf"))]);
    assert!(record.held.is_empty());
    // Looked at again, nothing changes.
    let same = reconcile(&flows, plan.cluster.clone(), vec![told("x", 5)], &facts());
    assert_eq!(carried(&same.cluster), ["Ext", "Note", "Reference"]);
    let other = reconcile(&flows, plan.cluster, vec![told("y", 5)], &facts());
    assert_eq!(
        create(&other.cluster).unwrap().values["Description"].value,
        "y".into()
    );
}

#[test]
fn e17_the_refusal_of_another_system_takes_nothing_from_a_create() {
    let flows = star(Policies::default());
    let mut cluster = refused(&flows, &["Description"]).cluster;
    let by = |cluster: &mut Cluster, by: &str| {
        let record = cluster.records.get_mut(&order()).unwrap();
        record.parked.get_mut("description").unwrap().by = Some(by.to_owned());
    };
    by(&mut cluster, "erp");
    let plan = reconcile(&flows, cluster.clone(), Vec::new(), &facts());
    assert!(carried(&plan.cluster).contains(&"Description"));
    by(&mut cluster, "sf");
    let plan = reconcile(&flows, cluster, Vec::new(), &facts());
    assert!(!carried(&plan.cluster).contains(&"Description"));
}

#[test]
fn what_a_create_had_to_leave_out_is_told_on_the_new_record_alone_and_waits_for_another_value() {
    let flows = star(Policies::default());
    let cluster = sent(refused(&flows, &["Description"]));
    let id = create(&cluster).unwrap().id;
    let plan = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts());
    assert!(plan.cluster.records[&order()].parked.is_empty());
    let parked = &plan.cluster.records[&sales_order()].parked["Description"];
    assert_eq!((parked.kind, parked.reason.as_str()), (ParkedKind::Refused, "no"));
    let shown = values(&[("Reference", "7"), ("Note", "n"), ("Ext", "Order:1")]);
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&sales_order(), 960, shown)],
        &facts(),
    );
    // An update is another request than the create: it is tried, once.
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "x");
    let cluster = sent(plan);
    let id = cluster.records[&sales_order()].intent.as_ref().unwrap().id;
    let refused = vec![(id, no(&["Description"]))];
    let plan = settle(&flows, cluster, Vec::new(), refused, &facts());
    assert!(!updates(&plan.cluster).contains_key(&sales_order()));
    let plan = reconcile(&flows, plan.cluster, vec![told("x", 965)], &facts());
    assert!(!updates(&plan.cluster).contains_key(&sales_order()));
    let plan = reconcile(&flows, plan.cluster, vec![told("y", 970)], &facts());
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "y");
}

#[test]
fn d1_a_value_that_was_refused_stands_against_the_deletion_of_what_was_created_without_it() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    let cluster = sent(refused(&flows, &["Description"]));
    let id = create(&cluster).unwrap().id;
    let made = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts()).cluster;
    let asked = |cluster: &Cluster| {
        let plan = reconcile(&flows, cluster.clone(), vec![gone(&sales_order(), 970)], &facts());
        let held = plan.cluster.records[&order()].held.get("order-order");
        held.map(|parked| parked.kind)
    };
    // Before anybody saw it, while it is tried once more, and once that was refused too
    assert_eq!(asked(&made), Some(ParkedKind::DeleteConflict));
    let shown = values(&[("Reference", "7"), ("Note", "n"), ("Ext", "Order:1")]);
    let plan = reconcile(&flows, made, vec![seen(&sales_order(), 960, shown)], &facts());
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "x");
    assert_eq!(asked(&plan.cluster), Some(ParkedKind::DeleteConflict));
    let cluster = sent(plan);
    let of = |key| cluster.records[&key].intent.as_ref().unwrap().id;
    let outcomes = vec![
        (of(sales_order()), no(&["Description"])),
        (of(order()), applied("1")),
    ];
    let plan = settle(&flows, cluster, Vec::new(), outcomes, &facts());
    assert_eq!(asked(&plan.cluster), Some(ParkedKind::DeleteConflict));
}

#[test]
fn e18_what_is_blank_everywhere_stands_against_no_deletion() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    });
    // GIVEN a record made of two that have nothing to describe
    let both = vec![
        seen(&order(), 1, of_order("")),
        seen(&invoice(), 1, of_invoice("")),
    ];
    let cluster = sent(reconcile(&flows, Cluster::default(), both, &facts()));
    let id = create(&cluster).unwrap().id;
    let made = settle(&flows, cluster, Vec::new(), vec![(id, applied("s"))], &facts()).cluster;
    // WHEN it is deleted
    let plan = reconcile(&flows, made, vec![gone(&sales_order(), 970)], &facts());
    // THEN nobody is asked about an edit
    assert!(!plan.cluster.records[&order()].held.contains_key("order-order"));
}

/// The star, of which something makes a property of the sales order indispensable.
fn indispensable(what: impl Fn(&mut Flow)) -> Dataflow {
    let mut flows = star(Policies::default());
    let flow = flows.flows.iter_mut().find(|flow| flow.name == "order-order");
    what(flow.unwrap());
    flows
}

#[test]
fn e17_a_create_that_cannot_be_without_what_was_refused_is_held_as_a_whole() {
    type Change = Box<dyn Fn(&mut Flow)>;
    let rows: Vec<(&str, Change)> = vec![
        ("Ext", Box::new(|_| {})),
        (
            "Description",
            Box::new(|flow| flow.mappings[1].never_blank[1] = true),
        ),
        (
            "Kind",
            Box::new(|flow| drop(flow.ends[1].constants.insert("Kind".to_owned(), "k".into()))),
        ),
        (
            "Kind",
            Box::new(|flow| drop(flow.ends[1].only.insert("Kind".to_owned(), "k".into()))),
        ),
        (
            "Kind",
            Box::new(|flow| {
                flow.mappings.push(Mapping {
                    on_create: OnCreate::Constant("k".into()),
                    ..mapping("kind", "Kind")
                });
            }),
        ),
    ];
    for (named, change) in rows {
        let flows = indispensable(change);
        // Beside another one that it could be without
        for named in [&[named][..], &[named, "Note"][..]] {
            let plan = refused(&flows, named);
            assert!(create(&plan.cluster).is_none(), "{named:?}");
            let record = &plan.cluster.records[&order()];
            assert_eq!(record.held["order-order"].kind, ParkedKind::Refused, "{named:?}");
            assert!(record.parked.is_empty(), "{named:?}");
            // THEN it is sent again once it is another one
            let same = reconcile(&flows, plan.cluster.clone(), vec![told("x", 5)], &facts());
            assert!(create(&same.cluster).is_none(), "{named:?}");
            let other = reconcile(&flows, plan.cluster, vec![told("y", 5)], &facts());
            assert!(create(&other.cluster).is_some(), "{named:?}");
        }
    }
}

#[test]
fn what_was_refused_about_a_create_is_settled_by_the_link_and_what_its_own_system_refused_is_not() {
    let flows = star(Policies::default());
    let mut cluster = refused(&flows, &["Description"]).cluster;
    let held = refused(&flows, &["Reference", "Ext"]).cluster;
    let record = cluster.records.get_mut(&order()).unwrap();
    let parked = record.parked["description"].clone();
    let own = Parked {
        by: Some("erp".to_owned()),
        ..parked.clone()
    };
    // Refused by its own system, and a value that belongs to no head
    record.parked.insert("number".to_owned(), own);
    let constant = Parked { epoch: 0, ..parked };
    record.parked.insert("note".to_owned(), constant);
    record.held = held.records[&order()].held.clone();
    assert!(record.held.contains_key("order-order"));
    // WHEN a person made the counterpart
    let shown = values(&[("Reference", "7"), ("Description", "x"), ("Note", "n")]);
    let plan = reconcile(&flows, cluster, vec![seen(&sales_order(), 20, shown)], &facts());
    assert!(plan.cluster.links.iter().any(|link| link.flow == "order-order"));
    let record = &plan.cluster.records[&order()];
    let left: Vec<_> = record.parked.keys().map(String::as_str).collect();
    assert_eq!(left, ["note", "number"]);
    assert!(record.held.is_empty(), "{:?}", record.held);
}

#[test]
fn e17_a_refused_removal_is_tried_again_once_the_record_is_another() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        against_edit: DeleteAgainstEdit::DeleteWins,
        ..Policies::default()
    });
    let cluster = at_rest(&flows);
    let gone = vec![gone(&sales_order(), 20)];
    let cluster = sent(reconcile(&flows, cluster, gone, &facts()));
    let id = cluster.records[&order()].intent.as_ref().unwrap().id;
    let cluster = settle(&flows, cluster, Vec::new(), vec![(id, no(&[]))], &facts()).cluster;
    let removed = |note: &str| {
        let mut shown = of_order("0");
        shown.insert("note".to_owned(), note.into());
        let edited = seen(&order(), 30, shown);
        let plan = reconcile(&flows, cluster.clone(), vec![edited], &facts());
        let intent = plan.cluster.records[&order()].intent.clone();
        intent.is_some_and(|intent| matches!(intent.action, Action::Delete { .. }))
    };
    assert!(!removed(""));
    assert!(removed("another order"));
}
