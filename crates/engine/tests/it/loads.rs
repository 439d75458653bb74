//! Loads: many writes of one kind, accepted for later and asked for by their handles.

use crate::crash::sync_until;
use crate::fake::{Fault, refusal};
use crate::world::World;
use jiff::SignedDuration;
use tandem_connector::RefusalKind;
use tandem_engine::{Clock, Standing};

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

/// Loads wait for the next day: told by the budget beforehand, or by a refusal in the middle of a round.
async fn live_changes_go_on_while_loads_wait(told: bool) {
    // GIVEN linked records, then many new ones on a day that takes no loads any more
    let world = World::with(|erp| erp, |crm| crm.loading());
    filled(&world);
    world.at_rest().await;
    let until = world
        .clock
        .now()
        .checked_add(SignedDuration::from_hours(1))
        .unwrap();
    {
        let mut state = world.crm.state.lock().unwrap();
        (state.no_loads, state.no_loads_told) = (Some(until), told);
    }
    for number in 0..CUSTOMERS {
        let name = format!("New {number}");
        world
            .erp
            .add("Customer", &[("number", &format!("N{number}")), ("name", &name)]);
    }
    let edited = world
        .erp
        .live("Customer")
        .into_iter()
        .find(|key| world.erp.value(key, "name") == "Customer 1")
        .unwrap();
    world.erp.edit(&edited, "name", "Renamed");
    // WHEN it syncs
    let summary = world.engine().await.sync().await.unwrap();
    // THEN the edit arrives, the new ones wait, and the summary says why
    assert_eq!(summary.troubles.len(), 1, "{summary:#?}");
    assert!(
        summary.troubles[0].message.contains("long work reached"),
        "{summary:#?}"
    );
    assert_eq!(summary.troubles[0].retry_at, Some(until));
    assert_eq!(world.crm.live("Division").len(), CUSTOMERS);
    let renamed = |world: &World| {
        let divisions = world.crm.live("Division");
        let mut names = divisions.iter().map(|key| world.crm.value(key, "Name"));
        names.any(|name| name == "Renamed")
    };
    assert!(renamed(&world));
    // WHEN the next day has come
    world.clock.pass(3_700);
    let summary = world.sync().await;
    // THEN they arrive, each once
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    assert_eq!(world.crm.live("Division").len(), 2 * CUSTOMERS);
    world.assert_clean().await;
}

#[tokio::test]
async fn live_changes_go_on_while_the_budget_lets_loads_wait() {
    live_changes_go_on_while_loads_wait(true).await;
}

#[tokio::test]
async fn live_changes_go_on_when_a_load_is_refused_for_the_day() {
    live_changes_go_on_while_loads_wait(false).await;
}
