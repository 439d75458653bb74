//! The first sync: links, creates, references, companions, and rest.

use crate::world::World;
use tandem_connector::Change;
use tandem_engine::Standing;

#[tokio::test]
async fn creates_arrive_with_references_companions_and_write_backs() {
    // GIVEN a customer with an order in the ERP, and nothing in the CRM
    let world = World::new();
    let (customer, order) = world.customer_with_order();
    // WHEN the first sync runs
    let summary = world.sync().await;
    // THEN each has its counterparts, the account is there once, and the invoice's number came back
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    let division = world.only(&world.crm, "Division");
    let account = world.only(&world.crm, "Account");
    let invoice = world.only(&world.crm, "Invoice");
    let copy = world.only(&world.crm, "Order");
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
    assert_eq!(world.crm.value(&invoice, "Account"), account.id);
    assert_eq!(world.crm.value(&copy, "Account"), account.id);
    assert_eq!(
        world.crm.value(&account, "Ext"),
        format!("Customer:{}", customer.id)
    );
    let number = world.crm.value(&invoice, "Name");
    assert!(number.starts_with("INV-"), "{number}");
    assert_eq!(world.erp.value(&order, "invoiceNumber"), number);
    assert_eq!(world.erp.value(&order, "stamp"), copy.id);
    let flow = summary.flows["order-invoice"];
    assert_eq!((flow.linked, flow.created_second), (1, 1));
    world.assert_clean().await;
}

#[tokio::test]
async fn e7_rest_writes_nothing_and_reads_no_rows_behind_the_overlap() {
    let world = World::new();
    world.customer_with_order();
    world.sync().await;
    let written = world.erp.applied() + world.crm.applied();
    let second = world.sync().await;
    assert_eq!(second.written.values().sum::<u64>(), 0);
    world.clock.pass(600);
    let third = world.sync().await;
    assert_eq!(third.rows_read.values().sum::<u64>(), 0, "{:?}", third.rows_read);
    assert_eq!(world.erp.applied() + world.crm.applied(), written);
}

#[tokio::test]
async fn records_on_both_sides_are_linked_not_created() {
    let world = World::new();
    world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
    world
        .crm
        .add("Division", &[("Number", " c1 "), ("Name", "Blauer See")]);
    let summary = world.sync().await;
    let flow = summary.flows["customer-division"];
    assert_eq!((flow.linked, flow.created_first, flow.created_second), (1, 0, 0));
    let division = world.only(&world.crm, "Division");
    let customer = world.only(&world.erp, "Customer");
    assert_eq!(world.erp.value(&customer, "stamp"), division.id);
}

#[tokio::test]
async fn a_record_born_on_the_second_side_gets_its_number_from_the_first() {
    let world = World::new();
    world.customer_with_order();
    world.at_rest().await;
    let account = world.only(&world.crm, "Account");
    let born = world
        .crm
        .add("Order", &[("Name", "By hand"), ("Account", &account.id)]);
    let summary = world.sync().await;
    assert_eq!(summary.flows["order-order"].created_first, 1, "{summary:#?}");
    let number = world.crm.value(&born, "Number");
    assert!(number.starts_with("E-"), "{number}");
    world.assert_clean().await;
}

#[tokio::test]
async fn e10_parents_come_before_their_children() {
    let world = World::new();
    for number in 0..8 {
        let name = format!("Customer {number}");
        let customer = world
            .erp
            .add("Customer", &[("number", &format!("C{number}")), ("name", &name)]);
        world.order(&customer, &format!("O{number}"));
    }
    world.sync().await;
    let state = world.crm.state.lock().unwrap();
    let created = state.applied.iter().filter_map(|change| match change {
        Change::Create { record_type, .. } => Some(record_type.name.clone()),
        _ => None,
    });
    let created: Vec<String> = created.collect();
    let last_account = created.iter().rposition(|name| name == "Account").unwrap();
    let first_order = created.iter().position(|name| name == "Order").unwrap();
    assert!(last_account < first_order, "{created:?}");
    assert_eq!(created.len(), 8 * 4);
}

#[tokio::test]
async fn the_look_up_before_a_create_finds_what_a_person_made_meanwhile() {
    // GIVEN an order whose invoice a person creates by hand after both systems were listed
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let account = world.only(&world.crm, "Account");
    let order = world.order(&customer, "O2");
    // WHEN the invoice appears where no change feed has shown it yet
    let hand = world
        .crm
        .add("Invoice", &[("Number", "O2"), ("Account", &account.id)]);
    world.crm.state.lock().unwrap().rows.get_mut(&hand).unwrap().place = 0;
    world.sync().await;
    // THEN it is linked, and no second one is made
    assert_eq!(world.crm.live("Invoice").len(), 2);
    assert_eq!(world.crm.value(&hand, "Ext"), format!("Order:{}", order.id));
}

#[tokio::test]
async fn a_duplicate_customer_is_reported_and_never_created() {
    let world = World::new();
    world.customer_with_order();
    world.at_rest().await;
    world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Blauer See again")]);
    let summary = world.sync().await;
    assert_eq!(summary.flows["customer-division"].parked, 1, "{summary:#?}");
    assert_eq!(summary.standing(), Standing::Waits);
    assert_eq!(world.crm.live("Division").len(), 1);
}
