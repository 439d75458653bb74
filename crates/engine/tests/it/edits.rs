//! Edits after the link: one pass, both sides, conflicts, late and old observations, deletes.

use crate::fake::Fake;
use crate::flows::CRM;
use crate::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tandem_connector::Change;
use tandem_engine::{Engine, Happening, Standing, Watcher};
use tandem_merge::cluster::ParkedKind;
use tandem_merge::record::RecordKey;

#[tokio::test]
async fn an_edit_of_the_invoice_reaches_both_orders_in_one_pass_with_one_write_each() {
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    let (invoice, copy) = (world.only(&world.crm, "Invoice"), world.only(&world.crm, "Order"));
    let before = (world.erp.applied(), world.crm.applied());
    world.crm.edit(&invoice, "Description", "second");
    world.clock.pass(2);
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    assert_eq!(world.erp.value(&order, "description"), "second");
    assert_eq!(world.crm.value(&copy, "Description"), "second");
    let after = (world.erp.applied(), world.crm.applied());
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
}

#[tokio::test]
async fn both_sides_edited_the_owner_wins_and_history_has_both() {
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    let invoice = world.only(&world.crm, "Invoice");
    world.erp.edit(&order, "description", "of the erp");
    world.crm.edit(&invoice, "Description", "of the crm");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&order, "description"), "of the erp");
    assert_eq!(world.crm.value(&invoice, "Description"), "of the erp");
    let mut engine = world.engine().await;
    let history = engine.store().history(None, 0, 1_000).unwrap();
    let told = format!("{history:?}");
    assert!(told.contains("of the crm") && told.contains("Conflict"), "{told}");
}

#[tokio::test]
async fn two_edits_within_one_second_are_carried() {
    // GIVEN versions of whole seconds
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    // WHEN a second edit falls into the second of the first, after it was read
    world.crm.edit(&division, "Email", "one@example.org");
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    world.clock.pass_millis(100);
    world.crm.edit(&division, "Email", "two@example.org");
    engine.sync().await.unwrap();
    // THEN the second one stands on both sides
    assert_eq!(world.crm.value(&division, "Email"), "two@example.org");
    assert_eq!(world.erp.value(&customer, "email"), "two@example.org");
}

#[tokio::test]
async fn e2_an_edit_between_plan_and_write_is_not_overwritten_unseen() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.edit(&customer, "email", "erp@example.org");
    let values = crate::fake::texts(&[("Name", "Renamed meanwhile")]);
    world
        .crm
        .state
        .lock()
        .unwrap()
        .meddling
        .push_back((division.clone(), values));
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Email"), "erp@example.org");
    assert_eq!(world.crm.value(&division, "Name"), "Renamed meanwhile");
    assert_eq!(world.erp.value(&customer, "name"), "Renamed meanwhile");
    world.assert_clean().await;
}

/// A person who edits a record once a write to the other system was answered.
struct Meddler {
    system: Arc<Fake>,
    record: RecordKey,
    text: &'static str,
    left: AtomicBool,
}

impl Watcher for Meddler {
    fn happened(&self, what: &Happening<'_>) {
        let answered = matches!(what, Happening::Answered { system, .. } if *system == CRM);
        if answered && self.left.swap(false, Ordering::Relaxed) {
            self.system.edit(&self.record, "description", self.text);
        }
    }
}

#[tokio::test]
async fn e2_a_record_without_conditions_is_read_before_each_of_its_writes() {
    // GIVEN an ERP without conditions, and an edit in Salesforce that goes to its order
    let world = World::with(Fake::without_conditions, |crm| crm);
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    let invoice = world.only(&world.crm, "Invoice");
    let other = world.only(&world.crm, "Order");
    world.crm.edit(&invoice, "Description", "first of all");
    world.clock.pass(2);
    // AND somebody who is faster at the second counterpart, so that the order is written twice in one round, and
    // somebody who edits the order between the two
    let later = crate::fake::texts(&[("Description", "on top of it")]);
    world.crm.state.lock().unwrap().meddling.push_back((other, later));
    let mut parts = world.parts();
    parts.watcher = Arc::new(Meddler {
        system: Arc::clone(&world.erp),
        record: order.clone(),
        text: "typed in between",
        left: AtomicBool::new(true),
    });
    // WHEN it is synchronized
    let mut engine = Engine::open(parts).await.unwrap();
    engine.sync().await.unwrap();
    // THEN what was typed in between stands, or is kept in the history
    let stands = world.erp.value(&order, "description") == "typed in between";
    let history = format!("{:?}", engine.store().history(None, 0, 1_000).unwrap());
    assert!(
        history.contains("on top of it"),
        "the order is not written twice: {history}"
    );
    assert!(stands || history.contains("typed in between"), "{history}");
}

#[tokio::test]
async fn e2_records_of_the_one_type_without_conditions_are_read_before_they_are_written() {
    let mut reads = Vec::new();
    for bare in [false, true] {
        // GIVEN an ERP that has conditions, for orders perhaps not
        let of_orders = |erp: Fake| match bare {
            true => erp.without_conditions_of("Order"),
            false => erp,
        };
        let world = World::with(of_orders, |crm| crm);
        let (customer, order) = world.customer_with_order();
        world.at_rest().await;
        // WHEN both a customer and an order are written
        let (division, other) = (
            world.only(&world.crm, "Division"),
            world.only(&world.crm, "Order"),
        );
        world.crm.edit(&division, "Name", "Weiter See");
        world.crm.edit(&other, "Description", "from Salesforce");
        world.clock.pass(2);
        let written = world.erp.state.lock().unwrap().applied.len();
        world.erp.state.lock().unwrap().asked.clear();
        world.sync().await;
        // THEN a condition goes with the one that has any
        let state = world.erp.state.lock().unwrap();
        let conditions: BTreeMap<&RecordKey, bool> = state.applied[written..]
            .iter()
            .filter_map(|change| match change {
                Change::Update { record, only_if, .. } => Some((record, only_if.is_some())),
                _ => None,
            })
            .collect();
        assert_eq!(conditions, BTreeMap::from([(&customer, true), (&order, !bare)]));
        let of = |key: &RecordKey| state.asked.iter().filter(|ids| ids.contains(&key.id)).count();
        reads.push((of(&customer), of(&order)));
    }
    // AND the other is read before, and nothing else
    assert_eq!(reads[1], (reads[0].0, reads[0].1 + 1), "{reads:?}");
}

#[tokio::test]
async fn e2_a_version_goes_along_where_the_connector_compares_it() {
    for compares in [true, false] {
        // GIVEN an ERP that holds to no condition, whose connector reads a record before it writes it
        let compare = |erp: Fake| match compares {
            true => erp.comparing(),
            false => erp,
        };
        let world = World::with(|erp| compare(erp.without_conditions()), |crm| crm);
        let (_, order) = world.customer_with_order();
        world.at_rest().await;
        // WHEN somebody edits a record after the engine has read it, and before the connector does
        let other = world.only(&world.crm, "Order");
        world.crm.edit(&other, "Description", "from Salesforce");
        let edit = crate::fake::texts(&[("description", "typed meanwhile")]);
        world
            .erp
            .state
            .lock()
            .unwrap()
            .meddling
            .push_back((order.clone(), edit));
        let mut engine = world.engine().await;
        engine.sync().await.unwrap();
        // THEN the edit is seen, and stands or is kept in the history; where nothing compares it is lost
        let history = format!("{:?}", engine.store().history(None, 0, 1_000).unwrap());
        let stands = world.erp.value(&order, "description") == "typed meanwhile";
        assert_eq!(
            stands || history.contains("typed meanwhile"),
            compares,
            "{history}"
        );
    }
}

/// A person who edits a record of the CRM once its changes were read.
struct Latecomer {
    system: Arc<Fake>,
    record: RecordKey,
    left: AtomicBool,
}

impl Watcher for Latecomer {
    fn happened(&self, what: &Happening<'_>) {
        let read = matches!(what, Happening::Observed { system, .. } if *system == CRM);
        if read && self.left.swap(false, Ordering::Relaxed) {
            self.system.edit(&self.record, "Email", "typed since");
        }
    }
}

#[tokio::test]
async fn e2_where_no_condition_holds_a_deletion_its_record_is_read_just_before_it() {
    for edited in [true, false] {
        // GIVEN a CRM that keeps the conditions of updates alone, and a customer that is deleted
        let world = World::with(|erp| erp, Fake::deleting_anyway);
        let customer = world
            .erp
            .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
        world.at_rest().await;
        let division = world.only(&world.crm, "Division");
        // Its state was read long after it came to be, so that the condition of an update would protect it.
        world.crm.edit(&division, "Email", "first");
        world.clock.pass(2);
        world
            .erp
            .add("Customer", &[("number", "C2"), ("name", "Weisser Berg")]);
        world.at_rest().await;
        let all = world.crm.live("Division");
        let other = all.into_iter().find(|key| key != &division).unwrap();
        world.erp.delete(&customer);
        world.crm.edit(&other, "Email", "shown in the next page");
        world.clock.pass(2);
        // WHEN somebody edits its division after the changes were read, or nobody does
        let mut parts = world.parts();
        parts.watcher = Arc::new(Latecomer {
            system: Arc::clone(&world.crm),
            record: division.clone(),
            left: AtomicBool::new(edited),
        });
        let mut engine = Engine::open(parts).await.unwrap();
        engine.sync().await.unwrap();
        // THEN it is there and a person is asked, or it is deleted
        assert_eq!(world.crm.live("Division").contains(&division), edited);
        let items = engine.store().items(0, 100).unwrap();
        let asked = items
            .iter()
            .any(|item| item.record == division && item.kind == Some(ParkedKind::DeleteConflict));
        assert_eq!(asked, edited, "{items:#?}");
    }
}

#[tokio::test]
async fn e6_c7_an_observation_older_than_the_last_settled_write_leads_to_nothing() {
    // GIVEN an old observation of a value that was overwritten since
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let old = world.crm.observe(&division);
    world.erp.edit(&customer, "name", "Weiter See");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Weiter See");
    // WHEN it turns up late
    world.crm.state.lock().unwrap().replays.push(old);
    let written = world.erp.applied() + world.crm.applied();
    world.sync().await;
    // THEN nothing moves
    assert_eq!(world.erp.applied() + world.crm.applied(), written);
    assert_eq!(world.erp.value(&customer, "name"), "Weiter See");
}

#[tokio::test]
async fn two_quick_edits_seen_late_and_out_of_order_end_at_the_newer() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.edit(&division, "Name", "One");
    let first = world.crm.observe(&division);
    world.clock.pass(2);
    world.crm.edit(&division, "Name", "Two");
    world.clock.pass(2);
    world.sync().await;
    world.crm.state.lock().unwrap().replays.push(first);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Two");
    assert_eq!(world.erp.value(&customer, "name"), "Two");
}

#[tokio::test]
async fn c8_a_persons_edit_right_after_our_write_is_no_base() {
    // GIVEN our write of 1 and a person's 3 on top of it before anything is read again
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    let invoice = world.only(&world.crm, "Invoice");
    let mut engine = world.engine().await;
    world.erp.edit(&order, "description", "1");
    engine.round().await.unwrap();
    assert_eq!(world.crm.value(&invoice, "Description"), "1");
    world.clock.pass(2);
    world.crm.edit(&invoice, "Description", "3");
    // WHEN the engine goes on
    engine.sync().await.unwrap();
    // THEN the 3 travels: it was no read-back of ours
    assert_eq!(world.erp.value(&order, "description"), "3");
    world.erp.edit(&order, "description", "4");
    engine.sync().await.unwrap();
    assert_eq!(world.crm.value(&invoice, "Description"), "4");
}

#[tokio::test]
async fn a_delete_is_carried_on_where_the_policy_says_so() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.erp.delete(&customer);
    world.sync().await;
    assert!(world.crm.live("Division").is_empty());
}

#[tokio::test]
async fn c9_e5_an_edit_that_the_deleter_had_not_seen_is_not_lost() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.edit(&division, "Email", "new@example.org");
    world.erp.delete(&customer);
    world.clock.pass(2);
    let summary = world.sync().await;
    assert_eq!(world.crm.live("Division"), vec![division]);
    assert_eq!(summary.standing(), Standing::Waits);
}

#[tokio::test]
async fn e05_what_the_search_of_a_create_shows_of_a_record_counts_whomever_it_belongs_to() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    // GIVEN an edit that no listing tells of
    world.crm.drift(&division, "Number", "C9");
    // WHEN a customer with that number needs a counterpart, and the search for one finds the division
    let other = world
        .erp
        .add("Customer", &[("number", "C9"), ("name", "Schwarzer See")]);
    world.clock.pass(2);
    world.sync().await;
    assert!(!world.linked(&other, "customer-division").await);
    // THEN the edit was seen, and travels
    assert_eq!(world.erp.value(&customer, "number"), "C9");
}
