//! Guards: deletions and edits of many records, systems that show far less or an earlier state.

use crate::world::World;
use tandem_engine::{Standing, Why};
use tandem_merge::dataflow::{DeletePolicy, EditGuard};
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

const FLOW: &str = "customer-division";

/// So many customers, linked with divisions, at rest.
async fn customers(world: &World, count: usize) -> Vec<RecordKey> {
    let add = |at: usize| {
        let (number, name) = (format!("C{at}"), format!("Customer {at}"));
        world.erp.add("Customer", &[("number", &number), ("name", &name)])
    };
    let all = (0..count).map(add).collect();
    world.at_rest().await;
    all
}

/// Customers' divisions are put out of use when a customer is deleted.
fn deactivating() -> World {
    let mut world = World::new();
    let flow = &mut world.flows.flows[0];
    flow.ends[0].on_delete = DeletePolicy::Deactivate;
    flow.ends[1].deactivate = Some(("Active".to_owned(), Value::text("no")));
    world
}

fn out_of_use(world: &World) -> usize {
    let all = world.crm.live("Division");
    all.iter()
        .filter(|key| world.crm.value(key, "Active") == "no")
        .count()
}

#[tokio::test]
async fn r7_many_deletions_in_one_go_are_held_until_the_flow_is_approved() {
    let world = deactivating();
    let all = customers(&world, 12).await;
    for customer in &all[..4] {
        world.erp.delete(customer);
    }
    world.clock.pass(2);
    let summary = world.sync().await;
    assert_eq!(out_of_use(&world), 0);
    assert_eq!(
        (summary.flows[FLOW].approvals, summary.standing()),
        (4, Standing::Waits)
    );
    let mut engine = world.engine().await;
    assert!(engine.approve_flow("no-such-flow", None).is_err());
    assert_eq!(engine.approve_flow(FLOW, None).unwrap(), (4, false));
    let summary = engine.sync().await.unwrap();
    assert_eq!((out_of_use(&world), summary.standing()), (4, Standing::Done));
}

#[tokio::test]
async fn r7_deletions_are_summed_over_the_day_and_the_whole_flow_is_always_held() {
    // GIVEN twenty customers, of which three may go in a day
    let world = deactivating();
    let all = customers(&world, 20).await;
    // WHEN two go every minute
    for pair in all[..8].chunks(2) {
        pair.iter().for_each(|customer| world.erp.delete(customer));
        world.clock.pass(60);
        world.sync().await;
    }
    // THEN the first ones go on and the rest waits, in the next hours too
    assert_eq!(out_of_use(&world), 2);
    world.clock.pass(23 * 3_600);
    world.sync().await;
    assert_eq!(out_of_use(&world), 2);
    // AND two of two are the whole flow
    let small = deactivating();
    let both = customers(&small, 2).await;
    both.iter().for_each(|customer| small.erp.delete(customer));
    small.clock.pass(2);
    small.sync().await;
    assert_eq!(out_of_use(&small), 0);
    // while one of two is none
    let small = deactivating();
    let both = customers(&small, 2).await;
    small.erp.delete(&both[0]);
    small.clock.pass(2);
    small.sync().await;
    assert_eq!(out_of_use(&small), 1);
}

fn held_beyond(count: u64, percent: u64) -> World {
    let mut world = World::new();
    world.flows.flows[0].guard.edits = Some(EditGuard {
        count,
        percent,
        hours: 1,
    });
    world
}

#[tokio::test]
async fn edits_of_many_records_hold_their_flow_until_a_person_approves() {
    // GIVEN a flow that lets two edits of ten an hour pass; its first links are none
    let world = held_beyond(2, 20);
    let all = customers(&world, 10).await;
    let order = world.order(&all[9], "O1");
    world.at_rest().await;
    assert!(world.engine().await.holds().is_empty());
    // WHEN a script rewrites three customers, and somebody an order
    for customer in &all[..3] {
        world.erp.edit(customer, "email", "broken");
    }
    world.erp.edit(&order, "description", "of a person");
    world.clock.pass(2);
    let before = world.crm.applied();
    let summary = world.sync().await;
    // THEN the flow is held and said so, nothing of it is written, and the others go on
    assert_eq!(summary.standing(), Standing::Waits);
    let [hold] = summary.holds.as_slice() else {
        panic!("{:?}", summary.holds)
    };
    assert_eq!(hold.why, Why::Edits);
    assert!(hold.words.contains("3 of 10 links"), "{}", hold.words);
    let written = |world: &World| {
        let all = world.crm.live("Division");
        all.iter()
            .filter(|key| world.crm.value(key, "Email") == "broken")
            .count()
    };
    assert_eq!(written(&world), 0);
    assert_eq!(world.crm.applied() - before, 2, "both counterparts of the order");
    // AND an edit that it had not seen waits with it
    world.erp.edit(&all[5], "email", "later@example.org");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(written(&world), 0);
    // WHEN a person approves, all of it travels, and a single edit does after it
    let mut engine = world.engine().await;
    assert!(engine.resume(FLOW).is_err(), "it was not paused");
    engine.approve_flow(FLOW, None).unwrap();
    let summary = engine.sync().await.unwrap();
    assert_eq!((written(&world), summary.standing()), (3, Standing::Done));
    drop(engine);
    world.erp.edit(&all[7], "email", "last@example.org");
    world.clock.pass(2);
    assert_eq!(world.sync().await.standing(), Standing::Done);
    world.assert_clean().await;
}

#[tokio::test]
async fn few_edits_of_a_small_flow_and_many_edits_of_one_record_pass() {
    let world = held_beyond(2, 20);
    let all = customers(&world, 3).await;
    for round in 0..5 {
        world.erp.edit(&all[0], "email", &format!("{round}@example.org"));
        world.clock.pass(2);
        assert_eq!(world.sync().await.standing(), Standing::Done);
    }
    world.assert_clean().await;
}

#[tokio::test]
async fn what_was_taken_back_before_the_approval_is_written_nowhere() {
    let world = held_beyond(2, 20);
    let all = customers(&world, 5).await;
    all.iter()
        .for_each(|customer| world.erp.edit(customer, "name", "broken"));
    world.clock.pass(2);
    let before = world.crm.applied();
    world.sync().await;
    for (at, customer) in all.iter().enumerate() {
        world.erp.edit(customer, "name", &format!("Customer {at}"));
    }
    world.clock.pass(2);
    world.sync().await;
    let mut engine = world.engine().await;
    engine.approve_flow(FLOW, None).unwrap();
    let summary = engine.sync().await.unwrap();
    assert_eq!(
        (summary.standing(), world.crm.applied() - before),
        (Standing::Done, 0)
    );
}

#[tokio::test]
async fn r6_r7_a_comparison_that_shows_far_less_than_is_known_deletes_nothing() {
    let world = World::new();
    let all = customers(&world, 14).await;
    // WHEN a complete comparison shows four of fourteen, though by their ids the others were deleted
    all[..10].iter().for_each(|customer| world.erp.vanish(customer));
    let compare = || world.erp.state.lock().unwrap().compared = Some("Customer".to_owned());
    compare();
    let summary = world.sync().await;
    // THEN it is not believed
    let [hold] = summary.holds.as_slice() else {
        panic!("{:?}", summary.holds)
    };
    assert_eq!((hold.why, summary.standing()), (Why::FewerShown, Standing::Waits));
    assert!(hold.words.contains("4 of 14"), "{}", hold.words);
    assert_eq!(
        (world.crm.live("Division").len(), summary.flows[FLOW].approvals),
        (14, 0)
    );
    // WHEN a person says that they are gone, the next one counts; so many wait for another word
    let mut engine = world.engine().await;
    assert!(engine.approve_system("crm").is_err());
    engine.approve_system("erp").unwrap();
    compare();
    let summary = engine.sync().await.unwrap();
    assert_eq!((summary.holds.len(), summary.flows[FLOW].approvals), (0, 10));
    assert_eq!(world.crm.live("Division").len(), 14);
}

#[tokio::test]
async fn a_comparison_that_shows_all_again_lifts_the_doubt_by_itself() {
    let world = World::new();
    let all = customers(&world, 12).await;
    let rows = world.erp.state.lock().unwrap().rows.clone();
    all.iter().for_each(|customer| world.erp.vanish(customer));
    let compare = || world.erp.state.lock().unwrap().compared = Some("Customer".to_owned());
    compare();
    assert_eq!(world.sync().await.holds.len(), 1);
    world.erp.state.lock().unwrap().rows = rows;
    compare();
    assert!(world.sync().await.holds.is_empty());
    assert_eq!(world.crm.live("Division").len(), 12);
}

/// Three customers, a backup, and edits since, all at rest: the backup and the customers.
async fn restored(world: &World) -> (Vec<RecordKey>, crate::fake::Backup) {
    let all = customers(world, 3).await;
    let backup = world.erp.back_up();
    for (at, customer) in all.iter().enumerate() {
        world.erp.edit(customer, "email", &format!("new{at}@example.org"));
    }
    world.at_rest().await;
    (all, backup)
}

#[tokio::test]
async fn e15_a_system_that_went_back_to_a_backup_stops_everything_until_a_person_says_what_holds() {
    let world = World::new();
    let (all, backup) = restored(&world).await;
    let divisions = world.crm.live("Division");
    // WHEN the ERP goes back, and both sides are edited
    world.erp.restore(&backup);
    world.crm.edit(&divisions[0], "Name", "Of the CRM");
    world.clock.pass(16 * 60);
    let before = (world.erp.applied(), world.crm.applied());
    let mut engine = world.engine().await;
    let summary = engine.sync().await.unwrap();
    // THEN it is noticed, nothing is written on either side, and nothing is until a person says so
    let [hold] = summary.holds.as_slice() else {
        panic!("{:?}", summary.holds)
    };
    assert_eq!((hold.why, summary.standing()), (Why::Backwards, Standing::Waits));
    assert!(hold.to_string().contains("rebind --again erp"), "{hold}");
    world.clock.pass(60);
    engine.sync().await.unwrap();
    assert_eq!((world.erp.applied(), world.crm.applied()), before);
    assert_eq!(world.crm.value(&divisions[0], "Email"), "new0@example.org");
    // WHEN the earlier state is approved, it is an edit like any other
    engine.approve_system("erp").unwrap();
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Done, "{summary:?}");
    assert_eq!(world.crm.value(&divisions[0], "Email"), "");
    assert_eq!(world.erp.value(&all[0], "name"), "Of the CRM");
    drop(engine);
    world.assert_clean().await;
}

#[tokio::test]
async fn e15_a_system_that_shows_its_later_state_again_goes_on_by_itself() {
    let world = World::new();
    let (_, backup) = restored(&world).await;
    let later = world.erp.back_up();
    world.erp.restore(&backup);
    world.clock.pass(16 * 60);
    assert_eq!(world.sync().await.holds.len(), 1);
    world.erp.restore(&later);
    let summary = world.sync().await;
    assert_eq!((summary.holds.len(), summary.standing()), (0, Standing::Done));
}

#[tokio::test]
async fn e15_a_write_that_meets_an_earlier_state_stops_at_once() {
    let world = World::new();
    let (all, backup) = restored(&world).await;
    world.erp.restore(&backup);
    let divisions = world.crm.live("Division");
    world.crm.edit(&divisions[1], "Name", "Of the CRM");
    world.clock.pass(40);
    let summary = world.sync().await;
    assert_eq!(summary.holds[0].why, Why::Backwards);
    assert_eq!(world.erp.value(&all[1], "name"), "Customer 1");
}

#[tokio::test]
async fn e15_a_system_that_went_back_can_be_compared_anew() {
    let world = World::new();
    let (all, backup) = restored(&world).await;
    world.erp.restore(&backup);
    world.clock.pass(16 * 60);
    assert_eq!(world.sync().await.holds.len(), 1);
    // WHEN it is compared anew, no link is lost, and blank is no contender against a value
    let mut parts = world.parts();
    let moves = tandem_engine::moves(&mut parts, Some("erp")).await.unwrap();
    assert_eq!(moves[0].totals(), [3, 0]);
    tandem_engine::rebind(&mut parts, &moves[0]).unwrap();
    drop(parts);
    let summary = world.sync().await;
    assert_eq!((summary.holds.len(), summary.standing()), (0, Standing::Done));
    assert_eq!(world.erp.value(&all[0], "email"), "new0@example.org");
    assert_eq!(world.crm.live("Division").len(), 3);
    world.assert_clean().await;
}
