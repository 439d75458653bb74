//! Our own writes, shown late or not as they were accepted.

use crate::fake::{Fake, Fault};
use crate::world::World;
use tandem_engine::Standing;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::record::RecordKey;

/// A customer and its division, in step; then a name on its way to one of the two, which shows it late.
async fn late(into_erp: bool) -> (World, RecordKey, RecordKey) {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    if into_erp {
        world.erp.fault("Customer", Fault::ShownLate(30));
        world.crm.edit(&division, "Name", "New");
    } else {
        world.crm.fault("Division", Fault::ShownLate(30));
        world.erp.edit(&customer, "name", "New");
    }
    world.clock.pass(2);
    (world, customer, division)
}

fn both(world: &World, customer: &RecordKey, division: &RecordKey) -> [String; 2] {
    [
        world.erp.value(customer, "name"),
        world.crm.value(division, "Name"),
    ]
}

#[tokio::test]
async fn e6_our_own_write_shown_late_is_no_edit_back_on_either_side() {
    for into_erp in [false, true] {
        let (world, customer, division) = late(into_erp).await;
        let mut written = 0;
        for _ in 0..4 {
            let summary = world.sync().await;
            written += summary.written.values().sum::<u64>();
            assert_eq!(both(&world, &customer, &division), ["New", "New"], "{into_erp}");
            assert_eq!(summary.flows["customer-division"].conflicts, 0);
            world.clock.pass(5);
        }
        assert_eq!(written, 1, "one write, whatever was read");
        // WHEN it is shown at last
        world.clock.pass(120);
        let summary = world.sync().await;
        assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
        assert_eq!(both(&world, &customer, &division), ["New", "New"]);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn e6_what_is_edited_behind_a_write_shown_late_is_carried_once_it_shows() {
    let (world, customer, division) = late(false).await;
    world.sync().await;
    world.erp.edit(&customer, "name", "Newer");
    world.sync().await;
    world.clock.pass(120);
    world.sync().await;
    assert_eq!(both(&world, &customer, &division), ["Newer", "Newer"]);
    world.assert_clean().await;
}

#[tokio::test]
async fn e6_a_record_that_we_made_and_that_shows_late_is_neither_gone_nor_made_again() {
    let world = World::new();
    world.crm.fault("Division", Fault::ShownLate(30));
    let (customer, _) = world.customer_with_order();
    let mut engine = world.engine().await;
    engine.sync().await.unwrap();
    let division = world.only(&world.crm, "Division");
    // It is read by id for whatever reason.
    world.crm.state.lock().unwrap().compared = Some("Division".to_owned());
    engine.sync().await.unwrap();
    let known = engine.store().cluster(&world.flows, &division).unwrap().unwrap();
    assert!(known.records[&division].alive());
    world.clock.pass(120);
    world.erp.edit(&customer, "name", "New");
    engine.sync().await.unwrap();
    drop(engine);
    assert_eq!(both(&world, &customer, &division), ["New", "New"]);
    world.assert_clean().await;
}

#[tokio::test]
async fn e6_a_load_that_shows_late_is_no_edit_back() {
    let world = World::with(|erp| erp, |crm| crm.without_conditions().loading());
    let names = ["A", "B", "C", "D"];
    let customers: Vec<RecordKey> = names
        .iter()
        .map(|name| world.erp.add("Customer", &[("number", *name), ("name", *name)]))
        .collect();
    world.at_rest().await;
    for customer in &customers {
        world.crm.fault("Division", Fault::ShownLate(30));
        world.erp.edit(customer, "name", &format!("New {}", customer.id));
    }
    world.clock.pass(2);
    for _ in 0..3 {
        world.sync().await;
        world.clock.pass(5);
        for customer in &customers {
            assert_eq!(world.erp.value(customer, "name"), format!("New {}", customer.id));
        }
    }
    world.clock.pass(120);
    world.sync().await;
    world.assert_clean().await;
}

/// What is parked as not kept.
async fn not_kept(world: &World) -> Vec<String> {
    let mut engine = world.engine().await;
    let items = engine.store().items(0, 100).unwrap();
    let own = items
        .into_iter()
        .filter(|item| item.kind == Some(ParkedKind::Rewritten));
    own.map(|item| item.reason).collect()
}

#[tokio::test]
async fn e13_a_write_that_is_never_shown_was_accepted_and_ignored() {
    for into_erp in [false, true] {
        let world = World::new();
        let (customer, _) = world.customer_with_order();
        world.at_rest().await;
        let division = world.only(&world.crm, "Division");
        let never = Fault::ShownLate(1_000_000);
        let edited: (&Fake, &RecordKey, &str) = if into_erp {
            world.erp.fault("Customer", never);
            (&world.crm, &division, "Name")
        } else {
            world.crm.fault("Division", never);
            (&world.erp, &customer, "name")
        };
        edited.0.edit(edited.1, edited.2, "New");
        world.clock.pass(2);
        world.sync().await;
        world.sync().await;
        assert!(not_kept(&world).await.is_empty(), "it may show yet");
        // WHEN the commit delay has passed
        world.clock.pass(120);
        let summary = world.sync().await;
        // THEN the edit stands where it was made, and a person is told
        assert_eq!(edited.0.value(edited.1, edited.2), "New");
        let reasons = not_kept(&world).await;
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains("accepted"), "{reasons:?}");
        assert_eq!(summary.standing(), Standing::Waits, "{summary:#?}");
        // and nothing more is written
        world.clock.pass(120);
        assert_eq!(world.sync().await.written.values().sum::<u64>(), 0);
    }
}

#[tokio::test]
async fn e13_a_property_that_a_system_accepts_and_ignores_is_parked_and_no_edit() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.fault("Customer", Fault::Ignores("name".to_owned()));
    world.crm.edit(&division, "Name", "New");
    world.clock.pass(2);
    world.sync().await;
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "New");
    assert_eq!(not_kept(&world).await.len(), 1);
    // The next edit is carried again.
    world.crm.edit(&division, "Name", "Newer");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&customer, "name"), "Newer");
    world.clock.pass(2);
    world.sync().await;
    assert!(not_kept(&world).await.is_empty());
    world.assert_clean().await;
}
