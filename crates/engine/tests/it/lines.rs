//! Lines of orders: activation after them, locks, sums, deletions with their order.

use crate::fake::texts;
use crate::flows::with_lines;
use crate::world::World;
use tandem_connector::Change;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::record::{RecordKey, Values};

fn world() -> World {
    World {
        flows: with_lines(),
        ..World::new()
    }
}

/// An order of a customer with this status and so many lines.
fn order(world: &World, status: &str, lines: usize) -> (RecordKey, Vec<RecordKey>) {
    let (_, order) = world.customer_with_order();
    world.erp.edit(&order, "status", status);
    (
        order.clone(),
        (0..lines).map(|_| add_line(world, &order)).collect(),
    )
}

fn add_line(world: &World, order: &RecordKey) -> RecordKey {
    world.erp.add("Line", &[("order", &order.id), ("quantity", "5")])
}

/// The values of every write to records of a type, in order.
fn writes(world: &World, kind: &str) -> Vec<Values> {
    let state = world.crm.state.lock().unwrap();
    let of = |change: &Change| match change {
        Change::Update { record, values, .. } if record.record_type.name == kind => Some(values.clone()),
        _ => None,
    };
    state.applied.iter().filter_map(of).collect()
}

async fn kinds(world: &World) -> Vec<ParkedKind> {
    let items = world.engine().await.store().items(0, 100).unwrap();
    items.into_iter().filter_map(|item| item.kind).collect()
}

#[tokio::test]
async fn an_order_is_activated_alone_after_its_lines() {
    let world = world();
    order(&world, "confirmed", 4);
    world.at_rest().await;
    let sales_order = world.only(&world.crm, "Order");
    assert_eq!(world.crm.value(&sales_order, "Status"), "Activated");
    assert_eq!(world.crm.live("Item").len(), 4);
    assert_eq!(writes(&world, "Order"), [texts(&[("Status", "Activated")])]);
    let applied = world.crm.state.lock().unwrap().applied.clone();
    let made = applied.iter().rposition(
        |change| matches!(change, Change::Create { record_type, .. } if record_type.name == "Item"),
    );
    let activated = applied
        .iter()
        .position(|change| matches!(change, Change::Update { record, .. } if *record == sales_order));
    assert!(
        made < activated,
        "parents before children, and what locks after both"
    );
    world.assert_clean().await;
    let before = world.crm.applied();
    world.sync().await;
    assert_eq!(world.crm.applied(), before, "E7");
}

#[tokio::test]
async fn an_order_without_lines_stays_a_draft_until_it_has_one() {
    let world = world();
    let (order, _) = order(&world, "confirmed", 0);
    world.at_rest().await;
    let sales_order = world.only(&world.crm, "Order");
    assert_eq!(world.crm.value(&sales_order, "Status"), "Draft");
    assert_eq!(kinds(&world).await, [ParkedKind::MissingMandatory]);
    add_line(&world, &order);
    world.at_rest().await;
    assert_eq!(world.crm.value(&sales_order, "Status"), "Activated");
    assert_eq!(kinds(&world).await, []);
}

#[tokio::test]
async fn a_line_of_an_activated_order_waits_until_the_order_is_a_draft_again() {
    let world = world();
    let (order, lines) = order(&world, "confirmed", 2);
    world.at_rest().await;
    world.erp.edit(&lines[0], "quantity", "6");
    add_line(&world, &order);
    world.at_rest().await;
    assert!(writes(&world, "Item").is_empty());
    assert_eq!(
        kinds(&world).await,
        [ParkedKind::Protected, ParkedKind::Protected]
    );
    world.erp.edit(&order, "status", "draft");
    world.at_rest().await;
    assert_eq!(kinds(&world).await, []);
    assert_eq!(writes(&world, "Item"), [texts(&[("Quantity", "6")])]);
    assert_eq!(world.crm.live("Item").len(), 3);
    world.erp.edit(&order, "status", "confirmed");
    world.at_rest().await;
    let told: Vec<Values> = ["Activated", "Draft", "Activated"]
        .map(|status| texts(&[("Status", status)]))
        .into();
    assert_eq!(writes(&world, "Order"), told);
    world.assert_clean().await;
}

#[tokio::test]
async fn an_activation_in_the_other_system_confirms_the_order() {
    let world = world();
    let (order, _) = order(&world, "draft", 1);
    world.at_rest().await;
    let sales_order = world.only(&world.crm, "Order");
    world.crm.edit(&sales_order, "Status", "Activated");
    world.at_rest().await;
    assert_eq!(world.erp.value(&order, "status"), "confirmed");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_sum_that_moves_without_a_version_is_read_again() {
    let world = world();
    let (order, lines) = order(&world, "draft", 2);
    world.at_rest().await;
    let sales_order = world.only(&world.crm, "Order");
    world.clock.pass(600);
    world.crm.whisper(&sales_order, "Sum", "10");
    world.sync().await;
    assert_eq!(world.erp.value(&order, "sum"), "", "nothing shows that it moved");
    world.erp.edit(&lines[0], "quantity", "7");
    world.at_rest().await;
    assert_eq!(world.erp.value(&order, "sum"), "10");
    world.crm.whisper(&sales_order, "Sum", "12");
    world
        .crm
        .edit(&world.crm.live("Item")[1].clone(), "Quantity", "8");
    world.at_rest().await;
    assert_eq!(world.erp.value(&order, "sum"), "12");
    assert!(
        world
            .engine()
            .await
            .store()
            .to_reread(jiff::Timestamp::UNIX_EPOCH, 10)
            .unwrap()
            .is_empty()
    );
    world.assert_clean().await;
}

#[tokio::test]
async fn a_line_born_in_the_other_system_becomes_one_here() {
    let world = world();
    let (order, _) = order(&world, "draft", 1);
    world.at_rest().await;
    let sales_order = world.only(&world.crm, "Order");
    world
        .crm
        .add("Item", &[("OrderId", &sales_order.id), ("Quantity", "3")]);
    world.at_rest().await;
    let lines = world.erp.live("Line");
    let new = lines
        .iter()
        .find(|line| world.erp.value(line, "quantity") == "3")
        .unwrap();
    assert_eq!(world.erp.value(new, "order"), order.id);
    world.assert_clean().await;
}

#[tokio::test]
async fn lines_that_go_with_their_order_wait_for_what_is_decided_about_it() {
    let mut world = world();
    world.flows.flows[2].ends[1].on_delete = tandem_merge::dataflow::DeletePolicy::Ask;
    order(&world, "draft", 2);
    world.at_rest().await;
    for item in world.crm.live("Item") {
        world.crm.delete(&item);
    }
    world.crm.delete(&world.only(&world.crm, "Order"));
    world.at_rest().await;
    assert_eq!(world.erp.live("Line").len(), 2);
    let kinds = kinds(&world).await;
    assert!(
        kinds.contains(&ParkedKind::Approval) && kinds.contains(&ParkedKind::Deferred),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_line_deleted_alone_is_deleted_on_the_other_side() {
    let world = world();
    order(&world, "draft", 3);
    world.at_rest().await;
    world.crm.delete(&world.crm.live("Item")[0].clone());
    world.at_rest().await;
    assert_eq!(world.erp.live("Line").len(), 2);
}
