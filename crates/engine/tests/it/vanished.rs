//! Dead links: a linked record that nobody can see any more, and of which nobody says that it was deleted.

use crate::fake::{Fake, Row};
use crate::world::World;
use tandem_engine::Standing;
use tandem_ledger::Item;
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::explain::{MemberState, explain};
use tandem_merge::record::RecordKey;

/// Twelve customers with their divisions, in step.
async fn twelve() -> (World, Vec<RecordKey>) {
    let world = World::new();
    let names: Vec<String> = (0..12).map(|number| format!("C{number}")).collect();
    let add = |name: &String| {
        world
            .erp
            .add("Customer", &[("number", name.as_str()), ("name", name.as_str())])
    };
    let customers = names.iter().map(add).collect();
    world.at_rest().await;
    (world, customers)
}

/// The division of a customer.
fn division_of(world: &World, customer: &RecordKey) -> RecordKey {
    let name = world.erp.value(customer, "name");
    let mut all = world.crm.live("Division").into_iter();
    all.find(|division| world.crm.value(division, "Name") == name)
        .unwrap()
}

/// Takes a record away, and has the type compared in full.
fn take_away(system: &Fake, key: &RecordKey) -> Row {
    let row = system.take_away(key);
    system.state.lock().unwrap().compared = Some(key.record_type.name.clone());
    row
}

async fn lost(world: &World) -> Vec<Item> {
    let mut engine = world.engine().await;
    let mut items = engine.store().items(0, 100).unwrap();
    items.retain(|item| item.kind == Some(ParkedKind::OutOfSight));
    items
}

#[tokio::test]
async fn e20_a_linked_record_out_of_sight_is_listed_and_edits_wait_for_it_on_both_sides() {
    for of_erp in [false, true] {
        // GIVEN a record that was purged, or hidden, without a word
        let (world, customers) = twelve().await;
        let customer = customers[3].clone();
        let division = division_of(&world, &customer);
        let (away, kept, system, other, property) = if of_erp {
            (&customer, &division, &world.erp, &world.crm, "Name")
        } else {
            (&division, &customer, &world.crm, &world.erp, "name")
        };
        let row = take_away(system, away);
        // WHEN a comparison looks for it
        let summary = world.sync().await;
        // THEN it is listed, counted, and verify fails
        assert_eq!(summary.standing(), Standing::Waits, "{summary:#?}");
        let items = lost(&world).await;
        assert_eq!(items.len(), 1, "{items:#?}");
        assert_eq!((&items[0].record, items[0].property.as_deref()), (kept, None));
        assert!(world.verify().await.different > 0);
        // An edit of its counterpart is reported
        other.edit(kept, property, "Edited");
        world.clock.pass(2);
        world.sync().await;
        let items = lost(&world).await;
        let named: Vec<_> = items.iter().map(|item| item.property.as_deref()).collect();
        assert!(
            named.contains(&Some(property)) && named.contains(&None),
            "{items:#?}"
        );
        let cluster = world.engine().await.store().cluster(&world.flows, kept).unwrap();
        let states = explain(&world.flows, &cluster.unwrap(), kept, Some(property));
        let mut members = states[0].members.iter();
        assert!(members.any(|member| member.state == MemberState::OutOfSight));
        // Nobody was deleted or created for it
        assert_eq!(
            (world.erp.live("Customer").len(), world.crm.live("Division").len()),
            (12 - usize::from(of_erp), 12 - usize::from(!of_erp))
        );
        // WHEN it is shown again
        system.give_back(away, row);
        system.state.lock().unwrap().compared = Some(away.record_type.name.clone());
        world.sync().await;
        // THEN all of it is over, and the edit is where it belongs
        assert!(lost(&world).await.is_empty());
        assert_eq!(world.erp.value(&customer, "name"), "Edited");
        assert_eq!(world.crm.value(&division, "Name"), "Edited");
        world.clock.pass(120);
        world.sync().await;
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn e20_whoever_tries_again_has_it_looked_for() {
    // GIVEN a record out of sight that is back, of which nothing tells
    let (world, customers) = twelve().await;
    let division = division_of(&world, &customers[3]);
    let row = take_away(&world.crm, &division);
    world.sync().await;
    world.crm.give_back(&division, row);
    world.sync().await;
    assert_eq!(lost(&world).await.len(), 1);
    // WHEN a person has it tried again, by either end
    for end in [&customers[3], &division] {
        world.engine().await.retry(end).unwrap();
    }
    world.sync().await;
    // THEN it was read
    assert!(lost(&world).await.is_empty());
    world.assert_clean().await;
}

#[tokio::test]
async fn e20_a_write_that_finds_nobody_lists_the_link() {
    // GIVEN a record that is gone without a word, and no comparison
    let (world, customers) = twelve().await;
    let division = division_of(&world, &customers[3]);
    world.crm.take_away(&division);
    world.erp.edit(&customers[3], "name", "Edited");
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Waits, "{summary:#?}");
    let items = lost(&world).await;
    assert_eq!(items.len(), 2, "the link and the edit: {items:#?}");
}

/// The item of a link whose division is out of sight, decided.
async fn decided(verdict: Verdict) -> (World, RecordKey) {
    let (world, customers) = twelve().await;
    let customer = customers[3].clone();
    take_away(&world.crm, &division_of(&world, &customer));
    world.sync().await;
    let item = lost(&world).await.remove(0);
    let mut engine = world.engine().await;
    assert!(
        engine.approve(item.number, None).is_err(),
        "a person says what holds"
    );
    engine.approve(item.number, Some(verdict)).unwrap();
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    drop(engine);
    assert!(lost(&world).await.is_empty());
    (world, customer)
}

#[tokio::test]
async fn e20_a_person_ends_the_link() {
    let (world, customer) = decided(Verdict::Unlink).await;
    assert!(world.erp.live("Customer").contains(&customer));
    assert!(!world.linked(&customer, "customer-division").await);
    assert_eq!(world.crm.live("Division").len(), 11);
}

#[tokio::test]
async fn e20_a_person_says_that_it_was_deleted() {
    let (world, customer) = decided(Verdict::Propagate).await;
    assert!(!world.erp.live("Customer").contains(&customer));
    assert!(!world.linked(&customer, "customer-division").await);
}

#[tokio::test]
async fn e20_a_person_has_it_created_again() {
    let (world, customer) = decided(Verdict::Recreate).await;
    assert!(world.linked(&customer, "customer-division").await);
    assert_eq!(world.crm.live("Division").len(), 12);
    world.assert_clean().await;
}
