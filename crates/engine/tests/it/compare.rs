//! What no time stamp shows is found by a complete comparison.

use crate::world::World;
use tandem_connector::Complete;
use tandem_engine::Why;

#[tokio::test]
async fn r6_absence_from_a_complete_comparison_counts_once_a_read_by_id_proves_it() {
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.sync().await;
    let counterpart = world.only(&world.crm, "Order");
    world.crm.vanish(&counterpart);
    world.clock.pass(3_600);
    world.sync().await;
    assert!(world.erp.live("Order").contains(&order), "nobody told");
    // WHEN the type is compared in full, THEN the deletion is seen, and carried on.
    world.crm.state.lock().unwrap().compared = Some("Order".to_owned());
    world.sync().await;
    assert!(!world.erp.live("Order").contains(&order));
}

#[tokio::test]
async fn r6_what_is_absent_from_a_range_that_a_page_shows_whole_counts_once_a_read_by_id_proves_it() {
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.sync().await;
    let counterpart = world.only(&world.crm, "Order");
    world.crm.vanish(&counterpart);
    let whole = |after: Option<&str>, to: Option<&str>| {
        world.crm.state.lock().unwrap().wholes = vec![Complete {
            record_type: counterpart.record_type.clone(),
            after: after.map(str::to_owned),
            to: to.map(str::to_owned),
        }];
    };
    // The parts of another record say nothing of it.
    whole(Some(&counterpart.id), None);
    world.sync().await;
    assert!(world.erp.live("Order").contains(&order));
    whole(None, Some(&counterpart.id));
    world.sync().await;
    assert!(!world.erp.live("Order").contains(&order));
}

#[tokio::test]
async fn e8_a_value_that_moved_without_a_version_is_found_by_a_complete_comparison() {
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.sync().await;
    let counterpart = world.only(&world.crm, "Order");
    world.clock.pass(3_600);
    world.crm.drift(&counterpart, "Description", "computed");
    world.sync().await;
    assert_ne!(world.erp.value(&order, "description"), "computed");
    world.crm.state.lock().unwrap().compared = Some("Order".to_owned());
    world.sync().await;
    assert_eq!(world.erp.value(&order, "description"), "computed");
}

#[tokio::test]
async fn r7_what_is_lacking_in_many_records_at_once_is_held_and_what_is_lacking_in_one_is_not() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    for number in 2..=12 {
        world.order(&customer, &format!("O{number}"));
    }
    world.at_rest().await;
    let counterparts = world.crm.live("Order");
    assert_eq!(counterparts.len(), 12);
    let middle = counterparts[5].id.clone();
    let range = |after: Option<&str>, to: Option<&str>| Complete {
        record_type: counterparts[0].record_type.clone(),
        after: after.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let shown = |wholes: Vec<Complete>| world.crm.state.lock().unwrap().wholes = wholes;
    for counterpart in &counterparts {
        world.crm.vanish(counterpart);
    }
    world.clock.pass(3_600);
    world.crm.reads_of(&counterparts[0]);
    // WHEN two records show nothing of what stood in them, THEN nobody takes that for deletions before a person says so
    shown(vec![range(None, Some(&middle)), range(Some(&middle), None)]);
    let summary = world.sync().await;
    assert_eq!(world.erp.live("Order").len(), 12);
    assert!(
        summary.holds.iter().any(|hold| hold.why == Why::FewerShown),
        "{:?}",
        summary.holds
    );
    // WHEN it is one alone, THEN it is asked about: what stood there may well have gone together
    assert_eq!(world.crm.reads_of(&counterparts[0]).1, 0);
    shown(vec![range(None, Some(&middle))]);
    world.sync().await;
    assert!(world.crm.reads_of(&counterparts[0]).1 > 0);
}
