//! What guards count, and flows that rest.

use crate::plan_laws::{
    applied, at_rest, facts, first_load, gone, invoice, of_invoice, of_order, of_sales_order, order,
    sales_order, seen, sent, updates,
};
use crate::star::flows::{Policies, star};
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::{DeletePolicy, Guard, Side};
use tandem_merge::facts::Removals;
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::reconcile::{reconcile, settle};

#[test]
fn r7_the_guard_sums_what_was_carried_on_and_holds_the_whole_flow_always() {
    let guard = Guard::default();
    let pass = |waiting, carried_on, links| {
        let seen = Removals {
            waiting,
            carried_on,
            links,
        };
        seen.pass(&guard)
    };
    // At least three, whatever the share.
    assert!(!pass(3, 0, 40) && pass(4, 0, 40));
    // Five percent beyond sixty, and of what was there before some were carried on.
    assert!(!pass(5, 0, 100) && pass(6, 0, 100));
    assert!(!pass(2, 3, 97) && pass(3, 3, 97));
    // Never more than ten.
    assert!(!pass(10, 0, 100_000) && pass(11, 0, 100_000));
    assert!(!pass(0, 10, 100_000) && pass(1, 10, 100_000));
    // The whole flow, be it small; a single link is no flow.
    assert!(pass(2, 0, 2) && pass(1, 1, 1) && !pass(1, 0, 1) && !pass(0, 2, 0));
}

#[test]
fn r7_deletions_carried_on_are_told_once_for_each_link_and_deactivations_count() {
    let propagate = Policies {
        on_delete: [DeletePolicy::Propagate; 2],
        ..Policies::default()
    };
    let flows = star(propagate);
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&sales_order(), 20)], &facts());
    assert!(plan.carried_on.is_empty(), "nothing was sent yet");
    let after = settle(
        &flows,
        sent(plan),
        Vec::new(),
        vec![(1, applied(&order().id))],
        &facts(),
    );
    assert_eq!(
        after
            .carried_on
            .iter()
            .filter(|flow| *flow == "order-order")
            .count(),
        1
    );
}

#[test]
fn a_flow_that_rests_decides_nothing_keeps_its_bases_and_leaves_the_others_alone() {
    let mut flows = star(Policies::default());
    let rested = at_rest(&flows);
    flows.paused.insert("order-invoice".to_owned());
    // WHEN the order is edited, the sales order follows and the invoice does not
    let plan = reconcile(&flows, rested, vec![seen(&order(), 20, of_order("x"))], &facts());
    let written = updates(&plan.cluster);
    assert!(written.contains_key(&sales_order()) && !written.contains_key(&invoice()));
    // AND the invoice's own edit is left for later
    let plan = reconcile(
        &flows,
        plan.cluster,
        vec![seen(&invoice(), 21, of_invoice("y"))],
        &facts(),
    );
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "x");
    assert!(plan.edited.is_empty());
    // WHEN it goes on, the two meet: the invoice had not seen the order's edit
    flows.paused.clear();
    let plan = reconcile(&flows, plan.cluster, Vec::new(), &facts());
    let conflict = |event: &Event| matches!(event.what, EventKind::Conflict { .. });
    assert!(plan.history.iter().any(conflict), "{:#?}", plan.history);
}

#[test]
fn m07_what_is_typed_in_a_flow_that_rests_over_what_the_head_says_is_typed_over_the_head() {
    let mut flows = star(Policies::default());
    let mut cluster = at_rest(&flows);
    let before = cluster.records[&order()].value("description").to_string();
    flows.paused.insert("order-invoice".to_owned());
    // GIVEN a head that moved and is back at what the invoice holds, while its flow rests
    for (at, text) in [(20, "x"), (21, &before)] {
        let edited = reconcile(
            &flows,
            cluster,
            vec![seen(&order(), at, of_order(text))],
            &facts(),
        );
        let number = edited.cluster.records[&sales_order()].intent.as_ref().unwrap().id;
        let done = vec![(number, applied(&sales_order().id))];
        cluster = settle(&flows, sent(edited), Vec::new(), done, &facts()).cluster;
    }
    // WHEN the invoice is edited, and the flow goes on
    let edit = vec![seen(&invoice(), 22, of_invoice("y"))];
    let cluster = reconcile(&flows, cluster, edit, &facts()).cluster;
    flows.paused.clear();
    let plan = reconcile(&flows, cluster, Vec::new(), &facts());
    // THEN nobody contends, and the edit goes to the others
    let conflict = |event: &Event| matches!(event.what, EventKind::Conflict { .. });
    assert!(!plan.history.iter().any(conflict), "{:#?}", plan.history);
    assert_eq!(updates(&plan.cluster)[&order()]["description"], "y");
    assert_eq!(updates(&plan.cluster)[&sales_order()]["Description"], "y");
}

#[test]
fn edits_are_told_by_flow_and_side_and_first_links_are_none() {
    let flows = star(Policies::default());
    let first = reconcile(&flows, Cluster::default(), first_load(["a", "b", "c"]), &facts());
    assert!(first.edited.is_empty(), "{:?}", first.edited);
    let plan = reconcile(
        &flows,
        at_rest(&flows),
        vec![seen(&order(), 20, of_order("x"))],
        &facts(),
    );
    let told: Vec<(&str, Side)> = plan
        .edited
        .iter()
        .map(|(flow, side, _)| (flow.as_str(), *side))
        .collect();
    let first = Side::First;
    assert_eq!(told, [("order-invoice", first), ("order-order", first)]);
}

#[test]
fn what_a_system_computes_is_no_edit_of_anybody() {
    let flows = star(Policies::default());
    let computed = |values| crate::refusals::with(values, "Given", "200");
    let total = seen(&sales_order(), 20, computed(of_sales_order("0")));
    let plan = reconcile(&flows, at_rest(&flows), vec![total], &facts());
    // It travels, and no guard counts it.
    assert!(updates(&plan.cluster)[&order()].contains_key("given"));
    assert!(plan.edited.is_empty(), "{:?}", plan.edited);
    // What a person typed beside it counts.
    let typed = seen(&sales_order(), 20, computed(of_sales_order("x")));
    let plan = reconcile(&flows, at_rest(&flows), vec![typed], &facts());
    assert_eq!(plan.edited.len(), 1, "{:?}", plan.edited);
}

#[test]
fn the_guard_of_edits_takes_limits_of_its_own_and_can_be_switched_off() {
    use tandem_merge::config::load;
    use tandem_merge::dataflow::EditGuard;
    let with = |guard: &str| {
        let mut sources = crate::config::sources(str::to_owned);
        let file = sources
            .flows
            .iter_mut()
            .find(|(name, _)| name == "product-product2.yaml");
        let (_, text) = file.unwrap();
        text.push_str(guard);
        load(&sources)
    };
    let edits = |guard: &str| {
        let loaded = with(guard).unwrap();
        loaded.dataflow.flow("product-product2").unwrap().guard.edits
    };
    assert_eq!(edits(""), Some(EditGuard::default()));
    assert_eq!(edits("guard: { count: 7 }\n"), Some(EditGuard::default()));
    assert_eq!(edits("guard: { edits: false }\n"), None);
    let own = EditGuard {
        count: 5,
        percent: 10,
        hours: 2,
    };
    assert_eq!(
        edits("guard: { edits: { count: 5, percent: 10, hours: 2 } }\n"),
        Some(own)
    );
    assert!(!own.is_passed(5, 10) && !own.is_passed(6, 60) && own.is_passed(6, 59));
    let problems = with("guard: { edits: often }\n").unwrap_err();
    assert!(
        problems[0].to_string().contains("not true or false"),
        "{}",
        problems[0]
    );
}

#[test]
fn the_guard_of_edits_is_a_share_of_the_flow_and_of_few_edits_in_small_ones() {
    use tandem_merge::dataflow::EditGuard;
    let guard = EditGuard::default();
    // 48 of 60 are held, and all of 11; a person's ten are not, nor a third of ten thousand less one.
    assert!(guard.is_passed(48, 60) && guard.is_passed(11, 11));
    assert!(!guard.is_passed(10, 10) && !guard.is_passed(18, 60) && !guard.is_passed(3_000, 10_000));
    assert!(guard.is_passed(3_001, 10_000));
}

#[test]
fn the_guard_of_first_links_takes_limits_and_can_be_switched_off() {
    use tandem_merge::config::load;
    use tandem_merge::dataflow::FirstLinkGuard;
    let of = |guard: &str| {
        let mut sources = crate::config::sources(str::to_owned);
        let file = sources
            .flows
            .iter_mut()
            .find(|(name, _)| name == "product-product2.yaml");
        let (_, text) = file.unwrap();
        text.push_str(guard);
        let dataflow = load(&sources).unwrap().dataflow;
        dataflow.flow("product-product2").unwrap().guard.first_links
    };
    let usual = FirstLinkGuard::default();
    assert_eq!(of(""), Some(usual));
    assert_eq!(of("guard: { edits: false }\n"), Some(usual));
    assert_eq!(of("guard: { overwrites: false }\n"), None);
    let own = FirstLinkGuard {
        count: 100,
        percent: 50,
        at_least: 3,
    };
    assert_eq!(
        of("guard: { overwrites: { count: 100, percent: 50 } }\n"),
        Some(own)
    );
    // More than ten, or more than five percent, but three in any case.
    assert!(!usual.is_passed(3, 4) && usual.is_passed(4, 60) && !usual.is_passed(10, 1_000));
    assert!(usual.is_passed(11, 1_000) && usual.is_passed(11, 1_000_000));
}
