//! Lost answers, late requests, refusals, systems that are down.

use crate::fake::{Fake, Fault, refusal};
use crate::world::World;
use tandem_connector::RefusalKind;
use tandem_engine::{Engine, Standing};
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::ConflictPolicy;

#[tokio::test]
async fn e3_a_create_whose_answer_was_lost_is_found_by_its_identity() {
    let world = World::new();
    world.crm.fault("Division", Fault::LostAnswer);
    world.customer_with_order();
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    world.only(&world.crm, "Division");
    world.assert_clean().await;
}

#[tokio::test]
async fn e3_a_create_that_never_arrived_is_sent_again() {
    let world = World::new();
    world.crm.fault("Invoice", Fault::LostRequest);
    world.customer_with_order();
    world.sync().await;
    world.only(&world.crm, "Invoice");
    world.assert_clean().await;
}

#[tokio::test]
async fn c10_a_create_that_lands_late_has_the_bytes_of_the_first_attempt_and_the_edit_follows() {
    // GIVEN a create that is on its way for ten seconds
    let world = World::new();
    world.crm.fault("Division", Fault::Late(10));
    world.crm.fault("Division", Fault::LostRequest);
    let (customer, _) = world.customer_with_order();
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    // WHEN the source is edited meanwhile
    world.erp.edit(&customer, "name", "Weiter See");
    engine.round().await.unwrap();
    world.clock.pass(11);
    engine.sync().await.unwrap();
    drop(engine);
    // THEN there is one record and the edit is on it
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Name"), "Weiter See");
    world.assert_clean().await;
}

#[tokio::test]
async fn e4_without_a_unique_identity_absence_counts_only_after_the_deadline() {
    // GIVEN a system that refuses no duplicate, and a create that lands twenty seconds late
    let mut world = World::with(|erp| erp, |crm| crm.without_unique());
    for flow in &mut world.flows.flows {
        flow.ends[1].identity = None;
        for rule in &mut flow.companions {
            rule.identity = None;
            rule.find = vec!["Name".to_owned()];
        }
    }
    world.crm.fault("Division", Fault::Late(20));
    world.customer_with_order();
    // WHEN the sync runs to its end, waiting by the simulated clock
    let summary = world.sync().await;
    // THEN it was not sent a second time
    world.only(&world.crm, "Division");
    assert_eq!(summary.flows["customer-division"].failed, 0, "{summary:#?}");
}

#[tokio::test]
async fn e4_c5_an_update_whose_answer_was_lost_is_settled_by_reading() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.fault("Division", Fault::LostAnswer);
    world.erp.edit(&customer, "name", "One");
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    // The value arrived; the source is edited again before anybody looked.
    world.erp.edit(&customer, "name", "Two");
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.flows["customer-division"].conflicts, 0);
    assert_eq!(world.crm.value(&division, "Name"), "Two");
    assert_eq!(world.erp.value(&customer, "name"), "Two");
}

#[tokio::test]
async fn c6_what_is_seen_while_a_write_is_in_flight_waits_for_its_outcome() {
    // GIVEN a write of unknown outcome that has arrived, and a change feed that shows it
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.fault("Division", Fault::LostAnswer);
    world.erp.edit(&customer, "name", "Ours");
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    world.clock.pass(2);
    // WHEN it is observed and settled
    let summary = engine.sync().await.unwrap();
    // THEN our own value is neither an edit nor a conflict
    assert_eq!(summary.flows["customer-division"].conflicts, 0, "{summary:#?}");
    assert_eq!(summary.written.values().sum::<u64>(), 0);
    assert_eq!(world.crm.value(&division, "Name"), "Ours");
}

#[tokio::test]
async fn e5_an_edit_on_top_of_a_write_of_unknown_outcome_is_carried_or_filed() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.fault("Division", Fault::LostAnswer);
    world.erp.edit(&customer, "name", "Ours");
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    world.clock.pass(2);
    world.crm.edit(&division, "Name", "On top");
    engine.sync().await.unwrap();
    assert_eq!(
        world.erp.value(&customer, "name"),
        world.crm.value(&division, "Name")
    );
    let history = format!("{:?}", engine.store().history(None, 0, 1_000).unwrap());
    assert!(history.contains("On top"), "{history}");
}

#[tokio::test]
async fn e14_a_refusal_parks_its_property_and_nothing_else() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let refused = refusal(RefusalKind::Invalid, &["Email"]);
    world.crm.fault("Division", Fault::Refused(refused));
    world.erp.edit(&customer, "email", "not an address");
    world.erp.edit(&customer, "name", "Weiter See");
    let summary = world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Weiter See");
    assert_eq!(world.crm.value(&division, "Email"), "");
    assert_eq!(summary.flows["customer-division"].parked, 1, "{summary:#?}");
    let mut engine = world.engine().await;
    let items = engine.store().items(0, 10).unwrap();
    assert_eq!(items[0].advice, "mend it");
    // A corrected value frees it.
    drop(engine);
    world.erp.edit(&customer, "email", "right@example.org");
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Email"), "right@example.org");
}

#[tokio::test]
async fn a_busy_row_is_written_again() {
    let world = World::new();
    world
        .crm
        .fault("Division", Fault::Refused(refusal(RefusalKind::Busy, &[])));
    world.customer_with_order();
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    world.only(&world.crm, "Division");
}

#[tokio::test]
async fn e5_what_somebody_left_in_a_locked_row_that_no_condition_protects_is_not_overwritten() {
    let mut world = World::with(Fake::without_conditions, |crm| crm);
    world.flows.flows[0].conflict = ConflictPolicy::Latest;
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    // WHEN an edit meets a row on which somebody is at work, who leaves another value there
    world.crm.edit(&division, "Name", "from Salesforce");
    let left = Fault::Busy("name".to_owned(), "typed meanwhile".to_owned());
    world.erp.fault("Customer", left);
    world.sync().await;
    // THEN the two meet as any two edits do
    assert_eq!(world.erp.value(&customer, "name"), "typed meanwhile");
    assert_eq!(world.crm.value(&division, "Name"), "typed meanwhile");
}

#[tokio::test]
async fn a_system_that_is_down_is_named_and_nothing_is_lost() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.erp.edit(&customer, "name", "Weiter See");
    let mut engine = world.engine().await;
    world.crm.state.lock().unwrap().down = true;
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Trouble);
    assert_eq!(summary.troubles[0].system, "crm");
    world.crm.state.lock().unwrap().down = false;
    engine.sync().await.unwrap();
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Name"), "Weiter See");
}

#[tokio::test]
async fn e15_a_state_refuses_other_systems() {
    let world = World::new();
    world.sync().await;
    let other = World::new();
    let mut parts = world.parts();
    parts.systems[1] = std::sync::Arc::new(crate::fake::Fake::new(
        "another crm",
        crate::fake::Versions::Counted,
        std::sync::Arc::clone(&other.clock),
    ));
    let refused = Engine::open(parts).await.err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("belongs to crm")));
}

#[tokio::test]
async fn e9_a_side_that_is_not_written_is_never_written() {
    let mut world = World::new();
    world.flows.flows[0].ends[1].write = false;
    let division = world
        .crm
        .add("Division", &[("Number", "C1"), ("Name", "Blauer See")]);
    let (customer, _) = world.customer_with_order();
    world.sync().await;
    world.erp.edit(&customer, "email", "erp@example.org");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Email"), "");
    assert_eq!(world.crm.value(&division, "Ext"), "");
    world.crm.edit(&division, "Name", "Renamed");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&customer, "name"), "Renamed");
}

#[tokio::test]
async fn e13_a_system_that_rewrites_what_it_is_given_comes_to_rest() {
    // GIVEN a CRM that writes every name in capitals
    let world = World::with(|erp| erp, |crm| crm.shouting("Name"));
    let (customer, _) = world.customer_with_order();
    world.sync().await;
    world.clock.pass(2);
    world.erp.edit(&customer, "name", "Weiter See");
    let summary = world.sync().await;
    // THEN the writes are few and end
    assert!(summary.written.values().sum::<u64>() <= 6, "{summary:#?}");
    world.clock.pass(2);
    let last = world.sync().await;
    assert_eq!(last.written.values().sum::<u64>(), 0, "{last:#?}");
}

#[tokio::test]
async fn e16_a_record_that_a_person_deleted_is_not_created_again() {
    // GIVEN a create that landed, its answer lost, and a person who deletes the record after it was seen
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.crm.fault("Invoice", Fault::LostAnswer);
    world.sync().await;
    let invoice = world.only(&world.crm, "Invoice");
    world.clock.pass(2);
    world.crm.delete(&invoice);
    world.sync().await;
    // WHEN the source is edited afterwards
    world.erp.edit(&order, "title", "Once more");
    world.clock.pass(2);
    world.sync().await;
    // THEN there is still none
    assert!(world.crm.live("Invoice").is_empty());
}

#[tokio::test]
async fn e16_a_create_is_sent_again_only_when_the_first_attempt_is_over() {
    // GIVEN a create that is on its way for ten seconds, to a system that would refuse a second one
    let world = World::new();
    world.crm.fault("Division", Fault::Late(10));
    world.customer_with_order();
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    // WHEN it is looked for meanwhile
    world.clock.pass(5);
    engine.round().await.unwrap();
    // THEN no second one is sent: a person could delete what it makes, and the first one would make it again
    assert!(world.crm.live("Division").is_empty());
    engine.sync().await.unwrap();
    drop(engine);
    world.only(&world.crm, "Division");
    world.assert_clean().await;
}

#[tokio::test]
async fn c11_c13_two_records_with_one_key_never_create_in_turns() {
    // GIVEN two orders with one number, and a first create that lands late
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.order(&customer, "O1");
    world.crm.fault("Invoice", Fault::Late(10));
    let first = world.sync().await;
    world.clock.pass(60);
    let second = world.sync().await;
    // THEN one has its invoice, the other is reported, and nothing moves any more
    assert_eq!(world.crm.live("Invoice").len(), 1, "{first:#?}");
    assert_eq!(second.flows["order-invoice"].parked, 1, "{second:#?}");
    assert_eq!(second.written.values().sum::<u64>(), 0, "{second:#?}");
}

#[tokio::test]
async fn c12_an_invoice_deleted_while_its_create_waits_is_not_brought_back() {
    // GIVEN a customer born in the CRM whose counterpart in the ERP is on its way
    let world = World::new();
    world.sync().await;
    let division = world.crm.add("Division", &[("Number", "C9"), ("Name", "Neu")]);
    world.erp.fault("Customer", Fault::Late(5));
    world.erp.fault("Customer", Fault::LostRequest);
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    // WHEN it is deleted meanwhile, and the create lands
    world.crm.delete(&division);
    world.clock.pass(10);
    engine.sync().await.unwrap();
    world.clock.pass(60);
    engine.sync().await.unwrap();
    // THEN it does not come back
    assert!(world.crm.live("Division").is_empty());
}

#[tokio::test]
async fn a_reference_that_a_create_had_to_leave_out_follows_once_it_leads_somewhere() {
    // GIVEN an order whose counterpart is refused, so that its invoice is created without naming it
    let world = World::new();
    let refused = refusal(RefusalKind::Limit, &[]);
    world.crm.fault("Order", Fault::Refused(refused));
    let (_, order) = world.customer_with_order();
    world.sync().await;
    let invoice = world.only(&world.crm, "Invoice");
    assert_eq!(world.crm.value(&invoice, "OrderId"), "");
    // WHEN the counterpart comes after all
    let mut engine = world.engine().await;
    engine.retry(&order).unwrap();
    engine.sync().await.unwrap();
    // THEN the invoice names it
    assert_eq!(
        world.crm.value(&invoice, "OrderId"),
        world.only(&world.crm, "Order").id
    );
}

#[tokio::test]
async fn e4_without_a_unique_identity_what_never_arrived_is_sent_again_after_the_deadline() {
    // GIVEN a system that refuses no duplicate, and a create that gets lost on its way
    let mut world = World::with(|erp| erp, |crm| crm.without_unique());
    for flow in &mut world.flows.flows {
        flow.ends[1].identity = None;
        for rule in &mut flow.companions {
            rule.identity = None;
            rule.find = vec!["Name".to_owned()];
        }
    }
    world.crm.fault("Division", Fault::LostRequest);
    world.customer_with_order();
    // WHEN the sync runs to its end, waiting by the simulated clock
    let summary = world.sync().await;
    // THEN it was sent again, once
    world.only(&world.crm, "Division");
    assert_eq!(summary.flows["customer-division"].failed, 0, "{summary:#?}");
}

#[tokio::test]
async fn e5_what_a_write_without_an_answer_overwrote_is_in_the_history() {
    // GIVEN a number that the CRM gives, changed by a person in the ERP, where it is not carried on
    let world = World::new();
    let (_, order) = world.customer_with_order();
    world.at_rest().await;
    world.erp.edit(&order, "invoiceNumber", "by hand");
    world.sync().await;
    // WHEN the CRM gives another one, and the answer to that write is lost
    let invoice = world.only(&world.crm, "Invoice");
    world.erp.fault("Order", Fault::LostAnswer);
    world.crm.edit(&invoice, "Name", "INV-99");
    world.clock.pass(2);
    world.sync().await;
    // THEN the history keeps what the person had put there
    assert_eq!(world.erp.value(&order, "invoiceNumber"), "INV-99");
    let mut engine = world.engine().await;
    let lines = engine.store().history(Some(&order), 0, 1_000).unwrap();
    let overwritten = lines.iter().any(|(_, line)| {
        matches!(&line.what, tandem_merge::plan::EventKind::Overwrote { old, .. } if old.to_string() == "by hand")
    });
    assert!(overwritten, "{lines:#?}");
}

#[tokio::test]
async fn e13_two_systems_that_rewrite_each_other_are_parked_after_two_rounds() {
    // GIVEN an ERP that writes names in small letters and a CRM that writes them in capitals
    let world = World::with(|erp| erp.muttering("name"), |crm| crm.shouting("Name"));
    let (customer, _) = world.customer_with_order();
    world.sync().await;
    world.clock.pass(2);
    // WHEN a name is edited
    world.erp.edit(&customer, "name", "weiter see");
    let summary = world.sync().await;
    // THEN the writes end, both are left with what they make of it, and a person is told
    assert!(summary.written.values().sum::<u64>() <= 8, "{summary:#?}");
    world.clock.pass(120);
    let last = world.sync().await;
    assert_eq!(last.written.values().sum::<u64>(), 0, "{last:#?}");
    let mut engine = world.engine().await;
    let items = engine.store().items(0, 10).unwrap();
    let kinds: Vec<_> = items.iter().filter_map(|item| item.kind).collect();
    assert_eq!(
        kinds,
        [tandem_merge::cluster::ParkedKind::Rewritten],
        "{items:#?}"
    );
    drop(engine);
    // The next edit is carried again.
    world.erp.edit(&customer, "name", "naher see");
    world.sync().await;
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Name"), "NAHER SEE");
}

#[tokio::test]
async fn e16_a_create_that_landed_and_was_deleted_before_anyone_looked_is_not_sent_again() {
    // GIVEN a create whose answer was lost
    let world = World::new();
    world.customer_with_order();
    world.crm.fault("Invoice", Fault::LostAnswer);
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    let invoice = world.only(&world.crm, "Invoice");
    // WHEN a person deletes the record before it was seen
    world.clock.pass(2);
    world.crm.delete(&invoice);
    engine.sync().await.unwrap();
    world.clock.pass(120);
    engine.sync().await.unwrap();
    // THEN none is made in its place
    assert!(world.crm.live("Invoice").is_empty());
}

#[tokio::test]
async fn e16_a_create_that_arrives_once_more_brings_nothing_back_by_the_counterpart_of_what_it_makes() {
    // GIVEN a division with the customer that was created for it, both deleted by people
    let world = World::new();
    let division = world.crm.add("Division", &[("Number", "N1"), ("Name", "A")]);
    world.at_rest().await;
    world.erp.delete(&world.only(&world.erp, "Customer"));
    world.crm.delete(&division);
    world.clock.pass(2);
    world.sync().await;
    // WHEN the line delivers the create a second time
    let again = [("number", "N1"), ("name", "A"), ("stamp", division.id.as_str())];
    let customer = world.erp.add("Customer", &again);
    world.clock.pass(2);
    world.sync().await;
    // THEN it gets no division, and a person is told why
    assert!(world.crm.live("Division").is_empty());
    let mut engine = world.engine().await;
    let items = engine.store().items(0, 10).unwrap();
    let item = items.iter().find(|item| item.record == customer).unwrap();
    assert!(item.reason.contains("which was deleted"), "{item:#?}");
}

#[tokio::test]
async fn e17_a_repeated_create_answered_with_a_record_that_is_linked_by_now_is_settled() {
    // GIVEN a create whose answer was lost, in a system that knows requests again
    let world = World::with(Fake::knowing_requests, |crm| crm);
    let division = world.crm.add("Division", &[("Number", "N1"), ("Name", "A")]);
    world.erp.fault("Customer", Fault::LostAnswer);
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    let customer = world.only(&world.erp, "Customer");
    // and what it made is another division's counterpart by now, for it carries nothing of the first one any more
    world.erp.edit(&customer, "stamp", "");
    world.erp.edit(&customer, "number", "N2");
    world.erp.edit(&customer, "name", "B");
    let named = format!("Customer:{}", customer.id);
    let values = [("Number", "N2"), ("Name", "B"), ("Ext", named.as_str())];
    let other = world.crm.add("Division", &values);
    world.erp.fault("Customer", Fault::LostRequest);
    world.clock.pass(2);
    engine.round().await.unwrap();
    drop(engine);
    assert!(world.linked(&other, "customer-division").await);
    assert!(!world.linked(&division, "customer-division").await);
    // WHEN the create is sent again
    world.clock.pass(60);
    world.sync().await;
    // THEN it is settled, once and for all, and a person is told why
    assert_eq!(world.only(&world.erp, "Customer"), customer);
    let mut engine = world.engine().await;
    assert!(engine.store().unsettled(0, 10).unwrap().is_empty());
    let items = engine.store().items(0, 10).unwrap();
    let item = items.iter().find(|item| item.record == division).unwrap();
    assert_eq!(item.kind, Some(ParkedKind::Undecidable), "{item:#?}");
    assert!(item.reason.contains("was linked with"), "{item:#?}");
}
