//! Two installations on one pair of systems.

use crate::fake::Fault;
use crate::flows::CRM;
use crate::world::{World, folder};
use tandem_engine::Engine;
use tandem_ledger::Ledger;
use tandem_merge::record::RecordKey;
use tempfile::TempDir;

/// Both systems show who made a state.
fn signing() -> World {
    World::with(crate::fake::Fake::signing, crate::fake::Fake::signing)
}

async fn second(world: &World, folder: &TempDir) -> Engine {
    let store = Ledger::open(folder.path()).unwrap();
    Engine::open(world.parts_in(store)).await.unwrap()
}

/// Customers with their divisions, in step in both installations.
async fn in_step(world: &World, other: &TempDir) -> Vec<RecordKey> {
    let names = ["A", "B", "C", "D"];
    let add = |name: &&str| world.erp.add("Customer", &[("number", *name), ("name", *name)]);
    let customers = names.iter().map(add).collect();
    world.at_rest().await;
    second(world, other).await.sync().await.unwrap();
    world.clock.pass(120);
    customers
}

#[tokio::test]
async fn two_installations_on_one_pair_of_systems_notice_each_other() {
    // GIVEN two state folders for one pair of systems
    let (world, other) = (signing(), folder());
    let customers = in_step(&world, &other).await;
    assert!(world.sync().await.strangers.is_empty());
    // WHEN the second one carries edits, again and again, a while after the first one worked
    let mut told = Vec::new();
    for (number, customer) in customers.iter().enumerate() {
        world.clock.pass(600);
        world.erp.edit(customer, "name", &format!("Edited {number}"));
        let own = second(&world, &other).await.sync().await.unwrap();
        assert!(own.strangers.is_empty(), "its own writes are its own: {own:#?}");
        world.clock.pass(600);
        told.push(world.sync().await.strangers);
    }
    // THEN the first one says so, once it is no accident
    assert!(told[0].is_empty() && told[1].is_empty(), "{told:#?}");
    let last = told.last().unwrap();
    assert_eq!(last.len(), 1, "{told:#?}");
    assert_eq!((last[0].system.as_str(), last[0].user.as_str()), (CRM, "tandem"));
    assert!(last[0].to_string().contains("second installation"));
}

#[tokio::test]
async fn our_own_writes_are_no_strangers_whatever_became_of_their_answers() {
    let (world, other) = (signing(), folder());
    let customers = in_step(&world, &other).await;
    for (number, customer) in customers.iter().enumerate() {
        for fault in [Fault::LostAnswer, Fault::Late(20), Fault::ShownLate(30)] {
            world.clock.pass(600);
            world.crm.fault("Division", fault);
            world.erp.edit(
                customer,
                "name",
                &format!("Edited {number} {}", world.erp.applied()),
            );
            world.sync().await;
            world.clock.pass(120);
            assert!(world.sync().await.strangers.is_empty());
        }
    }
}

#[tokio::test]
async fn edits_by_people_are_no_strangers() {
    let (world, other) = (signing(), folder());
    let customers = in_step(&world, &other).await;
    for number in 0..8 {
        world.clock.pass(600);
        world
            .erp
            .edit(&customers[number % 4], "name", &format!("Edited {number}"));
        world.sync().await;
    }
    assert!(world.sync().await.strangers.is_empty());
}
