//! What a create carries, what it must wait for, and what it takes for its own counterpart.

use crate::members::moment;
use crate::plan_laws::{
    answers, applied, creates, facts, gone, invoice, of_invoice, order, sales_order, seen, sent, values,
    with_references,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::{Action, Cluster, Intent};
use tandem_merge::dataflow::{Agreement, Dataflow, DeletePolicy, Mapping, Normaliser, Side};
use tandem_merge::facts::Referent;
use tandem_merge::reconcile::{recognises, reconcile, settle};
use tandem_merge::record::{Observation, RecordKey, RecordType};

/// The create of the sales order of a described order.
fn create(flows: &Dataflow) -> Intent {
    let pairs = [("number", "7"), ("description", "A  b"), ("note", "n")];
    let told = seen(&order(), 1, values(&pairs));
    let plan = reconcile(flows, Cluster::default(), vec![told], &facts());
    let is =
        |intent: &&Intent| matches!(&intent.action, Action::Create { flow, .. } if flow == "order-order");
    plan.cluster.creates.iter().find(is).unwrap().clone()
}

fn found(pairs: &[(&str, &str)]) -> Observation {
    seen(&sales_order(), 2, values(pairs))
}

#[test]
fn e3_what_bears_no_mark_or_our_own_is_recognised_by_its_key_and_what_bears_anothers_is_not() {
    let flows = star(Policies::default());
    let create = create(&flows);
    let recognised = |pairs: &[(&str, &str)]| recognises(&flows, &create, &found(pairs));
    assert!(recognised(&[("Reference", "7")]));
    assert!(recognised(&[("Reference", "7"), ("Ext", "Order:1")]));
    assert!(!recognised(&[("Reference", "7"), ("Ext", "Order:2")]));
    assert!(!recognised(&[("Reference", "8")]));
    assert!(!recognised(&[("Reference", "8"), ("Ext", "Order:1")]));
}

#[test]
fn r8_a_text_within_which_a_key_holds_tells_strangers_by_its_own_comparison() {
    let mut flows = star(Policies::default());
    let agreement = |first: &str, second: &str, normaliser| Agreement {
        properties: [first.to_owned(), second.to_owned()],
        normaliser,
        through: None,
    };
    let flow = flows.flows.iter_mut().find(|flow| flow.name == "order-order");
    flow.unwrap().match_rules[0].within = vec![
        agreement("description", "Description", Normaliser::CaseFold),
        agreement("note", "Note", Normaliser::Exact),
    ];
    let create = create(&flows);
    let recognised = |description: &str, note: &str| {
        let pairs = [("Reference", "7"), ("Description", description), ("Note", note)];
        recognises(&flows, &create, &found(&pairs))
    };
    assert!(recognised("A  b", "n") && recognised("a B", "n"));
    assert!(!recognised("other", "n"));
    assert!(!recognised("a b", "N") && !recognised("a b", "other"));
}

#[test]
fn m06_what_is_out_of_sight_on_either_side_is_left_out_of_a_create_and_owed() {
    for (system, property) in [("erp", "description"), ("sf", "Description")] {
        let mut flows = star(Policies::default());
        let hidden = (RecordType::new(system, "Order"), property.to_owned());
        flows.out_of_sight.insert(hidden);
        let create = create(&flows);
        assert!(!create.values.contains_key("Description"), "{system}");
        let Action::Create { left_out, .. } = &create.action else {
            panic!("{create:?}")
        };
        assert!(left_out.contains("Description"), "{system}: {left_out:?}");
    }
}

#[test]
fn e10_a_create_waits_for_a_reference_that_it_must_have_and_goes_without_one_that_it_may_lack() {
    let linked = |id: &str| Referent::Linked(id.to_owned());
    let facts = answers(linked("d"), linked("a"), Referent::Unlinked);
    let pairs = [("number", "7"), ("customer", "c"), ("before", "0")];
    let created = |change: &dyn Fn(&mut Mapping)| {
        let mut flows = with_references();
        let mut all = flows.flows[1].mappings.iter_mut();
        change(
            all.find(|mapping| mapping.property(Side::First) == "before")
                .unwrap(),
        );
        let told = seen(&order(), 1, values(&pairs));
        let plan = reconcile(&flows, Cluster::default(), vec![told], &facts);
        (
            creates(&plan.cluster).len(),
            plan.cluster.records[&order()].held.len(),
        )
    };
    assert_eq!(created(&|_| {}), (1, 0));
    assert_eq!(created(&|mapping| mapping.never_blank[1] = true), (0, 1));
    assert_eq!(created(&|mapping| mapping.awaited = true), (0, 1));
    // Its system fills it in by itself.
    let filled = |mapping: &mut Mapping| {
        (mapping.never_blank[1], mapping.filled_on_create[1]) = (true, true);
    };
    assert_eq!(created(&filled), (1, 0));
    // What holds for the other side says nothing of this one.
    assert_eq!(created(&|mapping| mapping.never_blank[0] = true), (1, 0));
}

#[test]
fn a_record_of_another_type_is_nobodys_counterpart() {
    let flows = star(Policies::default());
    let create = create(&flows);
    let other = RecordKey::new("sf", "Order", "s2");
    let pairs = [("Number", "7")];
    assert!(!recognises(&flows, &create, &seen(&other, 2, values(&pairs))));
}

#[test]
fn e8_a_record_that_may_be_what_a_create_left_is_decided_anew_once_that_is_answered() {
    let flows = star(Policies::default());
    // GIVEN an order whose counterpart is being created, and nobody knows yet what came of it
    let source = vec![seen(
        &order(),
        1,
        values(&[("number", "7"), ("description", "0")]),
    )];
    let cluster = sent(reconcile(&flows, Cluster::default(), source, &facts()));
    // WHEN a record with its key turns up, without the identity that the create gave
    let stranger = seen(&sales_order(), 5, values(&[("Reference", "7")]));
    let plan = reconcile(&flows, cluster, vec![stranger], &facts());
    // THEN it is not linked, and it waits for the answer
    let linked = |key: &RecordKey| plan.cluster.links.iter().any(|link| &link.second == key);
    assert!(!linked(&sales_order()));
    assert!(plan.waits.on.contains(&order()), "{:?}", plan.waits);
}

#[test]
fn e5_what_is_edited_while_a_create_is_under_way_follows_though_another_link_ends() {
    let flows = star(Policies {
        on_delete: [DeletePolicy::Unlink; 2],
        ..Policies::default()
    });
    let noted = |at, note| {
        let pairs = [("number", "7"), ("description", "0"), ("note", note)];
        seen(&order(), at, values(&pairs))
    };
    // GIVEN an order with its invoice, and a create of its sales order that carries its note
    let both = vec![noted(1, "a"), seen(&invoice(), 1, of_invoice("0"))];
    let linked = reconcile(&flows, Cluster::default(), both, &facts()).cluster;
    let cluster = sent(reconcile(&flows, linked, vec![noted(5, "b")], &facts()));
    let id = creates(&cluster)[0].id;
    assert_eq!(creates(&cluster)[0].values["Note"].value, "b".into());
    let stamp = cluster.records[&order()].intent.as_ref().unwrap().id;
    let done = vec![(stamp, applied(&order().id))];
    let cluster = settle(&flows, cluster, Vec::new(), done, &facts()).cluster;
    // WHEN the invoice is deleted, and the note is edited again before the create is answered
    let unlinked = reconcile(&flows, cluster, vec![gone(&invoice(), 10)], &facts()).cluster;
    assert!(unlinked.links.is_empty());
    let again = Observation {
        read_began: moment(960),
        ..noted(20, "c")
    };
    let edited = reconcile(&flows, unlinked, vec![again], &facts()).cluster;
    let plan = settle(&flows, edited, Vec::new(), vec![(id, applied("s"))], &facts());
    // THEN what the create made follows
    let intent = plan.cluster.records[&sales_order()].intent.as_ref().unwrap();
    assert_eq!(intent.values["Note"].value, "c".into());
}
