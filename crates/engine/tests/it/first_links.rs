//! First links between records that hold different values: many at once wait for a person.

use crate::world::World;
use tandem_engine::{Standing, Why};
use tandem_merge::dataflow::{ConflictPolicy, FirstLinkGuard};
use tandem_merge::record::RecordKey;

const FLOW: &str = "customer-division";

/// So many customers with divisions of their names and numbers; the first of them differ in their e-mail.
fn both_full(world: &World, count: usize, differing: usize) -> (Vec<RecordKey>, Vec<RecordKey>) {
    let both = |at: usize| {
        let (number, name) = (format!("C{at}"), format!("Customer {at}"));
        let (ours, theirs) = (format!("erp{at}@example.org"), format!("crm{at}@example.org"));
        let theirs = if at < differing { &theirs } else { &ours };
        let customer = [("number", number.as_str()), ("name", &name), ("email", &ours)];
        let division = [("Number", number.as_str()), ("Name", &name), ("Email", theirs)];
        (
            world.erp.add("Customer", &customer),
            world.crm.add("Division", &division),
        )
    };
    (0..count).map(both).unzip()
}

/// How many divisions hold the customer's e-mail, of those that did not.
fn overwritten(world: &World, divisions: &[RecordKey], differing: usize) -> usize {
    let of = divisions[..differing].iter();
    of.filter(|division| world.crm.value(division, "Email").starts_with("erp"))
        .count()
}

#[tokio::test]
async fn r7_first_links_that_would_overwrite_many_wait_for_approval() {
    // GIVEN sixty records on both sides, of which 48 hold another e-mail, and a policy that decides
    let world = World::new();
    let (customers, divisions) = both_full(&world, 60, 48);
    // WHEN they are synced
    let summary = world.sync().await;
    // THEN all are linked, the guard says how many differ, and nothing of that is overwritten on any side
    assert_eq!(
        (summary.flows[FLOW].linked, summary.standing()),
        (60, Standing::Waits)
    );
    let [hold] = summary.holds.as_slice() else {
        panic!("{:?}", summary.holds)
    };
    assert_eq!(hold.why, Why::FirstLinks);
    assert!(hold.words.contains("48 of 60"), "{hold}");
    assert!(
        hold.to_string().contains("tandem approve customer-division"),
        "{hold}"
    );
    assert_eq!(summary.flows[FLOW].questions, 48);
    assert_eq!(overwritten(&world, &divisions, 48), 0);
    // AND the rest of the flow goes on, after a restart too
    world.clock.pass(120);
    world.sync().await;
    world.crm.edit(&divisions[50], "Email", "of a person@example.org");
    world.crm.edit(&divisions[3], "Name", "New name");
    world.clock.pass(2);
    let summary = world.sync().await;
    assert_eq!(summary.holds.len(), 1, "{:?}", summary.holds);
    assert_eq!(
        world.erp.value(&customers[50], "email"),
        "of a person@example.org"
    );
    assert_eq!(world.erp.value(&customers[3], "name"), "New name");
    assert_eq!(overwritten(&world, &divisions, 48), 0);
    // WHEN a person approves, the policy decides all of them, once
    let mut engine = world.engine().await;
    assert_eq!(engine.approve_flow(FLOW, None).unwrap(), (0, true));
    let summary = engine.sync().await.unwrap();
    assert_eq!((summary.holds.len(), summary.standing()), (0, Standing::Done));
    assert_eq!(overwritten(&world, &divisions, 48), 48);
    assert_eq!(summary.flows[FLOW].conflicts, 48, "each is told once");
    drop(engine);
    world.assert_clean().await;
}

#[tokio::test]
async fn a_plan_says_what_first_links_would_overwrite() {
    let world = World::new();
    both_full(&world, 60, 48);
    // The state is spent: nothing was synced before.
    let plan = tandem_engine::plan(world.parts()).await.unwrap();
    let [hold] = plan.summary.holds.as_slice() else {
        panic!("{:?}", plan.summary.holds)
    };
    assert_eq!(hold.why, Why::FirstLinks);
}

#[tokio::test]
async fn few_first_links_are_decided_at_once_and_a_share_counts_for_small_flows() {
    let world = World::new();
    let (_, divisions) = both_full(&world, 60, 3);
    let summary = world.sync().await;
    assert_eq!((summary.holds.len(), summary.standing()), (0, Standing::Done));
    assert_eq!(overwritten(&world, &divisions, 3), 3);
    assert_eq!(summary.flows[FLOW].conflicts, 3);
    world.assert_clean().await;
    // Four are more than five percent of sixty.
    let world = World::new();
    let (_, divisions) = both_full(&world, 60, 4);
    assert_eq!(world.sync().await.standing(), Standing::Waits);
    assert_eq!(overwritten(&world, &divisions, 4), 0);
}

#[tokio::test]
async fn a_flow_may_have_other_limits_or_none() {
    for guard in [
        None,
        Some(FirstLinkGuard {
            count: 20,
            percent: 50,
            at_least: 3,
        }),
    ] {
        let mut world = World::new();
        world.flows.flows[0].guard.first_links = guard;
        let (_, divisions) = both_full(&world, 30, 15);
        assert_eq!(world.sync().await.standing(), Standing::Done);
        assert_eq!(overwritten(&world, &divisions, 15), 15);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn another_policy_decides_what_was_held_under_the_one_before() {
    let mut world = World::new();
    let (_, divisions) = both_full(&world, 12, 12);
    world.sync().await;
    world.flows.flows[0].conflict = ConflictPolicy::Wins(tandem_merge::dataflow::Side::Second);
    let mut engine = world.engine().await;
    engine.approve_flow(FLOW, None).unwrap();
    engine.sync().await.unwrap();
    assert_eq!(overwritten(&world, &divisions, 12), 0);
    let customers = world.erp.live("Customer");
    assert!(
        customers
            .iter()
            .all(|customer| world.erp.value(customer, "email").starts_with("crm"))
    );
    drop(engine);
    world.assert_clean().await;
}

#[tokio::test]
async fn a_company_of_sixty_records_is_protected_from_a_script_too() {
    // GIVEN sixty linked records and the guard of edits as it comes
    let world = World::new();
    let (_, divisions) = both_full(&world, 60, 0);
    world.at_rest().await;
    // WHEN 48 of them are overwritten from one side
    for division in &divisions[..48] {
        world.crm.edit(division, "Email", "overwritten");
    }
    world.clock.pass(2);
    let summary = world.sync().await;
    // THEN the flow is held, and the other side keeps what it has
    let [hold] = summary.holds.as_slice() else {
        panic!("{:?}", summary.holds)
    };
    assert_eq!(hold.why, Why::Edits);
    let customers = world.erp.live("Customer");
    assert!(
        customers
            .iter()
            .all(|customer| world.erp.value(customer, "email") != "overwritten")
    );
    // Ten people's edits are daily work.
    let world = World::new();
    let (_, divisions) = both_full(&world, 12, 0);
    world.at_rest().await;
    for division in &divisions[..10] {
        world.crm.edit(division, "Email", "by hand");
    }
    world.clock.pass(2);
    assert_eq!(world.sync().await.standing(), Standing::Done);
}
