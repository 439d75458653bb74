//! Loads: many writes of one kind, accepted for later and asked for by their handles.

use crate::crash::sync_until;
use crate::fake::{Fault, refusal};
use crate::world::World;
use tandem_connector::RefusalKind;
use tandem_engine::Standing;

const CUSTOMERS: usize = 4;

/// More customers than travel at once, one order each.
fn filled(world: &World) {
    for number in 0..CUSTOMERS {
        let name = format!("Customer {number}");
        let customer = world
            .erp
            .add("Customer", &[("number", &format!("C{number}")), ("name", &name)]);
        world.order(&customer, &format!("O{number}"));
    }
}

#[tokio::test]
async fn many_creates_travel_as_loads_and_settle_like_any_other() {
    let world = World::with(|erp| erp, |crm| crm.loading());
    filled(&world);
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    for kind in ["Division", "Account", "Invoice", "Order"] {
        assert_eq!(world.crm.live(kind).len(), CUSTOMERS, "{kind}");
    }
    let open: Vec<String> = world.crm.state.lock().unwrap().jobs.keys().cloned().collect();
    assert!(open.is_empty(), "{open:?}");
    world.assert_clean().await;
}

#[tokio::test]
async fn e3_killed_at_every_await_of_loads_there_is_one_of_each() {
    for dies_at in 0..600 {
        let world = World::with(|erp| erp, |crm| crm.loading());
        filled(&world);
        // WHEN it dies at the n-th await, while jobs are open, running or told, and another one goes on
        let ended = sync_until(&world, dies_at).await;
        world.sync().await;
        // THEN nothing is doubled and nothing is missing
        for kind in ["Division", "Account", "Invoice", "Order"] {
            assert_eq!(world.crm.live(kind).len(), CUSTOMERS, "{kind}, died at {dies_at}");
        }
        world.assert_clean().await;
        if ended {
            assert!(dies_at > 20);
            return;
        }
    }
    panic!("a first sync has more than 600 awaits");
}

#[tokio::test]
async fn e14_a_row_of_a_load_that_is_refused_waits_alone_and_a_busy_one_is_sent_again() {
    let world = World::with(|erp| erp, |crm| crm.loading());
    world
        .crm
        .fault("Division", Fault::Refused(refusal(RefusalKind::Invalid, &[])));
    world
        .crm
        .fault("Invoice", Fault::Refused(refusal(RefusalKind::Busy, &[])));
    filled(&world);
    let summary = world.sync().await;
    let flow = summary.flows["customer-division"];
    assert_eq!(flow.linked, CUSTOMERS as u64 - 1, "{summary:#?}");
    assert!(flow.parked >= 1);
    // The busy one arrived; at most what refers to the refused one waits.
    assert!(world.crm.live("Invoice").len() >= CUSTOMERS - 1);
}

#[tokio::test]
async fn updates_travel_as_loads_where_conditions_are_given_up() {
    let world = World::with(|erp| erp, |crm| crm.without_conditions().loading());
    filled(&world);
    world.sync().await;
    world.clock.pass(10);
    for (number, customer) in world.erp.live("Customer").into_iter().enumerate() {
        world.erp.edit(&customer, "name", &format!("Renamed {number}"));
    }
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    for division in world.crm.live("Division") {
        assert!(world.crm.value(&division, "Name").starts_with("Renamed"));
    }
    world.assert_clean().await;
}
