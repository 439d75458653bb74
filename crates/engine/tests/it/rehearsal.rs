//! `plan` says what `sync` then does.

use crate::world::{World, folder};
use std::collections::BTreeMap;
use tandem_engine::{PlanReport, PlannedAction, plan};
use tandem_ledger::{Home, Ledger};

async fn rehearse(world: &World) -> PlanReport {
    let copy = folder();
    let store = Ledger::open_copy(
        &Home::Folder(world.folder.path().to_owned()),
        &copy.path().join("copy"),
        &tandem_ledger::Keys::default(),
    )
    .unwrap();
    plan(world.parts_in(store)).await.unwrap()
}

fn counts(report: &PlanReport) -> BTreeMap<(String, PlannedAction), u64> {
    let mut counts = BTreeMap::new();
    for write in &report.writes {
        let name = write.role.clone().or(write.flow.clone()).unwrap_or_default();
        *counts.entry((name, write.action)).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn the_plan_of_a_first_sync_matches_it_count_for_count() {
    let world = World::new();
    let (customer, order) = world.customer_with_order();
    world.order(&customer, "O2");
    world.erp.add("Customer", &[("number", "C2"), ("name", "Linked")]);
    world.crm.add("Division", &[("Number", "C2"), ("Name", "Linked")]);
    // WHEN it is rehearsed
    let report = rehearse(&world).await;
    // THEN nothing was written, and the sync does just that
    assert_eq!(world.erp.applied() + world.crm.applied(), 0);
    let planned = counts(&report);
    let of = |name: &str, action| planned.get(&(name.to_owned(), action)).copied().unwrap_or(0);
    assert_eq!(of("customer-division", PlannedAction::Link), 1, "{planned:?}");
    assert_eq!(of("Account", PlannedAction::Companion), 1, "{planned:?}");
    let summary = world.sync().await;
    for (name, flow) in &summary.flows {
        assert_eq!(
            of(name, PlannedAction::Create),
            flow.created_first + flow.created_second,
            "{name}"
        );
    }
    // AND what follows a create is listed by record and property
    let follows = report
        .writes
        .iter()
        .filter(|write| write.follows && write.record == order);
    let properties: Vec<&String> = follows.flat_map(|write| write.values.keys()).collect();
    assert!(
        properties.iter().any(|name| *name == "invoiceNumber"),
        "{properties:?}"
    );
    assert!(properties.iter().any(|name| *name == "stamp"), "{properties:?}");
    let updates = report
        .writes
        .iter()
        .filter(|write| write.action == PlannedAction::Update)
        .count();
    let creates = report
        .writes
        .iter()
        .filter(|write| matches!(write.action, PlannedAction::Create | PlannedAction::Companion));
    let written = world.erp.applied() + world.crm.applied();
    assert_eq!(updates + creates.count(), written);
}

#[tokio::test]
async fn a_plan_at_rest_is_empty_and_an_edit_is_its_only_line() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    assert!(rehearse(&world).await.writes.is_empty());
    world.erp.edit(&customer, "name", "Weiter See");
    let report = rehearse(&world).await;
    assert_eq!(report.writes.len(), 1, "{report:#?}");
    assert_eq!(report.writes[0].action, PlannedAction::Update);
    let division = world.only(&world.crm, "Division");
    assert_eq!(report.writes[0].record, division);
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
}
