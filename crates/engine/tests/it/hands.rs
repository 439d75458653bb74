//! What people do by hand: pausing flows, links made and ended, items left out.

use crate::fake::{Fault, refusal};
use crate::world::World;
use jiff::SignedDuration;
use tandem_connector::RefusalKind;
use tandem_engine::{Clock, Standing, Why};
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::dataflow::{ConflictPolicy, DeleteAgainstEdit};

const FLOW: &str = "customer-division";

#[tokio::test]
async fn a_paused_flow_writes_nothing_and_loses_nothing() {
    let mut world = World::new();
    world.flows.flows[0].conflict = ConflictPolicy::Latest;
    let (customer, order) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let mut engine = world.engine().await;
    assert!(engine.pause("no-such-flow").is_err());
    assert!(engine.resume(FLOW).is_err());
    engine.pause(FLOW).unwrap();
    assert!(engine.pause(FLOW).is_err());
    drop(engine);
    // WHEN both sides of it are edited, a customer is born, and an order is edited
    world.erp.edit(&customer, "name", "Of the ERP");
    world.clock.pass(2);
    world.crm.edit(&division, "Email", "crm@example.org");
    world.erp.add("Customer", &[("number", "C2"), ("name", "Late")]);
    world.erp.edit(&order, "description", "goes on");
    world.clock.pass(2);
    let summary = world.sync().await;
    // THEN nothing of it moves, the other flows do, and it needs nobody
    assert_eq!(
        (summary.holds[0].why, summary.standing()),
        (Why::Paused, Standing::Done)
    );
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
    assert_eq!(world.erp.value(&customer, "email"), "");
    assert_eq!(world.crm.live("Division").len(), 1);
    assert_eq!(
        world.crm.value(&world.only(&world.crm, "Order"), "Description"),
        "goes on"
    );
    world.clock.pass(600);
    world.sync().await;
    // WHEN it goes on, everything travels
    let mut engine = world.engine().await;
    engine.resume(FLOW).unwrap();
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Done);
    assert_eq!(world.crm.value(&division, "Name"), "Of the ERP");
    assert_eq!(world.erp.value(&customer, "email"), "crm@example.org");
    assert_eq!(world.crm.live("Division").len(), 2);
    drop(engine);
    world.assert_clean().await;
}

#[tokio::test]
async fn a_pause_keeps_what_records_of_several_flows_agreed_on() {
    // GIVEN an order with two counterparts, one of whose flows rests
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    let (invoice, copy) = (world.only(&world.crm, "Invoice"), world.only(&world.crm, "Order"));
    world.engine().await.pause("order-invoice").unwrap();
    // WHEN the order and its invoice are edited
    world.erp.edit(&order, "description", "second");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&copy, "Description"), "second");
    assert_eq!(world.crm.value(&invoice, "Description"), "first");
    world.clock.pass(2);
    // THEN an edit of the invoice that had not seen it meets it when the flow goes on, and the owner wins
    world.crm.edit(&invoice, "Description", "of the invoice");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&order, "description"), "second");
    let mut engine = world.engine().await;
    engine.resume("order-invoice").unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.crm.value(&invoice, "Description"), "second");
    let told = format!("{:?}", engine.store().history(None, 0, 1_000).unwrap());
    assert!(told.contains("of the invoice"), "{told}");
    drop(engine);
    world.assert_clean().await;
}

#[tokio::test]
async fn a_deletion_seen_while_its_flow_rests_is_decided_when_it_goes_on() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.engine().await.pause(FLOW).unwrap();
    world.erp.delete(&customer);
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.live("Division").len(), 1);
    let mut engine = world.engine().await;
    engine.resume(FLOW).unwrap();
    engine.sync().await.unwrap();
    assert!(world.crm.live("Division").is_empty());
}

#[tokio::test]
async fn r8_links_end_and_are_made_by_hand() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let other = world
        .crm
        .add("Division", &[("Number", "D7"), ("Name", "Another")]);
    world.clock.pass(2);
    world.sync().await;
    let mut engine = world.engine().await;
    // A record has one counterpart at most.
    let refused = engine.link(FLOW, &customer, &other).unwrap_err().to_string();
    assert!(refused.contains("is linked with"), "{refused}");
    let refused = engine.link(FLOW, &division, &customer).unwrap_err().to_string();
    assert!(refused.contains("is no Customer of erp"), "{refused}");
    assert!(engine.unlink(&customer, Some("order-order")).is_err());
    // WHEN the link ends, neither end is linked or created again, whatever is edited
    let ended = engine.unlink(&division, None).unwrap();
    assert_eq!(ended.len(), 1);
    drop(engine);
    world.erp.edit(&customer, "name", "Alone");
    world.clock.pass(2);
    world.sync().await;
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
    assert!(!world.linked(&customer, FLOW).await);
    // WHEN it is linked by hand, their values meet as at a first link, and stay in step
    let mut engine = world.engine().await;
    engine.link(FLOW, &customer, &division).unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.crm.value(&division, "Name"), "Alone");
    drop(engine);
    world.crm.edit(&division, "Name", "Together");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&customer, "name"), "Together");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_conflict_of_delete_and_edit_wants_a_word_and_takes_it() {
    for (verdict, left) in [
        (Verdict::Propagate, 0),
        (Verdict::Recreate, 1),
        (Verdict::Unlink, 1),
    ] {
        let mut world = World::new();
        world.flows.flows[0].delete_against_edit = DeleteAgainstEdit::Ask;
        let (customer, _) = world.customer_with_order();
        world.at_rest().await;
        let division = world.only(&world.crm, "Division");
        world.crm.edit(&division, "Name", "Edited");
        world.erp.delete(&customer);
        world.clock.pass(2);
        let summary = world.sync().await;
        assert_eq!(
            (summary.flows[FLOW].approvals, summary.standing()),
            (1, Standing::Waits)
        );
        assert_eq!(world.crm.value(&division, "Name"), "Edited");
        let mut engine = world.engine().await;
        let items = engine.store().items(0, 10).unwrap();
        let item = items
            .iter()
            .find(|item| item.kind == Some(ParkedKind::DeleteConflict))
            .unwrap();
        let refused = engine.approve(item.number, None).unwrap_err().to_string();
        assert!(refused.contains("--verdict recreate"), "{refused}");
        // Approving the whole flow leaves it alone.
        assert_eq!(engine.approve_flow(FLOW, None).unwrap(), (0, false));
        engine.approve(item.number, Some(verdict)).unwrap();
        engine.sync().await.unwrap();
        assert_eq!(world.crm.live("Division").len(), left, "{verdict:?}");
        let customers = usize::from(verdict == Verdict::Recreate);
        assert_eq!(world.erp.live("Customer").len(), customers, "{verdict:?}");
    }
}

#[tokio::test]
async fn an_ignored_item_needs_nobody_until_its_reason_changes() {
    let world = World::new();
    let refused = |world: &World| {
        let told = refusal(RefusalKind::Limit, &[]);
        world.crm.fault("Division", Fault::Refused(told));
    };
    refused(&world);
    let customer = world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
    assert_eq!(world.sync().await.standing(), Standing::Waits);
    let mut engine = world.engine().await;
    let item = engine.store().items(0, 10).unwrap().remove(0);
    assert!(engine.ignore(9_999, None).is_err());
    engine.ignore(item.number, None).unwrap();
    assert_eq!(engine.sync().await.unwrap().standing(), Standing::Done);
    drop(engine);
    // WHEN it is refused again for another reason, it is heard again
    let mut told = refusal(RefusalKind::Limit, &[]);
    told.message = "another reason".to_owned();
    world.crm.fault("Division", Fault::Refused(told));
    world.erp.edit(&customer, "name", "Changed");
    world.clock.pass(2);
    assert_eq!(world.sync().await.standing(), Standing::Waits);
}

#[tokio::test]
async fn a_process_that_goes_on_hears_again_of_what_was_ignored_until_now() {
    let world = World::new();
    let told = refusal(RefusalKind::Limit, &[]);
    world.crm.fault("Division", Fault::Refused(told));
    world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
    let mut engine = world.engine().await;
    assert_eq!(engine.sync().await.unwrap().standing(), Standing::Waits);
    let item = engine.store().items(0, 10).unwrap().remove(0);
    let until = world
        .clock
        .now()
        .saturating_add(SignedDuration::from_hours(24))
        .unwrap();
    engine.ignore(item.number, Some(until)).unwrap();
    assert_eq!(engine.sync().await.unwrap().standing(), Standing::Done);
    // WHEN the day has come, and the same process still works
    world.clock.pass(25 * 3_600);
    assert_eq!(engine.sync().await.unwrap().standing(), Standing::Waits);
}
