//! E17: a record that its system does not show to who asks for it by its id is nobody else's trouble; nor is a type whose
//! list does not end, longer than that lasts.

use crate::fake::{Fake, Fault};
use crate::flows::{CRM, ERP, end, flow, text, unique, with_lines};
use crate::world::World;
use tandem_connector::Change;
use tandem_engine::{Standing, Summary};
use tandem_ledger::Item;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::CreatePolicy;
use tandem_merge::record::RecordKey;

/// A customer and its division.
type Both = (RecordKey, RecordKey);

/// Two systems of which none protects an update: a record is read before each. With nine customers in step.
async fn nine() -> (World, Vec<Both>) {
    let world = World::with(Fake::without_conditions, Fake::without_conditions);
    let both = pairs(&world, 9).await;
    (world, both)
}

async fn pairs(world: &World, many: usize) -> Vec<Both> {
    let names: Vec<String> = (0..many).map(|number| format!("C{number}")).collect();
    let add = |name: &String| {
        let values = [("number", name.as_str()), ("name", name.as_str())];
        world.erp.add("Customer", &values)
    };
    let customers: Vec<RecordKey> = names.iter().map(add).collect();
    world.at_rest().await;
    let counterpart = |customer: &RecordKey| {
        let name = world.erp.value(customer, "name");
        let mut all = world.crm.live("Division").into_iter();
        all.find(|key| world.crm.value(key, "Name") == name).unwrap()
    };
    let both = customers.into_iter().map(|one| (one.clone(), counterpart(&one)));
    both.collect()
}

async fn unreadable(world: &World) -> Vec<Item> {
    let mut engine = world.engine().await;
    let mut items = engine.store().items(0, 100).unwrap();
    items.retain(|item| item.kind == Some(ParkedKind::Unreadable));
    items
}

fn named(items: &[Item]) -> Vec<&RecordKey> {
    items.iter().map(|item| &item.record).collect()
}

/// A sync of which no system is said to be in trouble.
async fn sync(world: &World) -> Summary {
    let summary = world.engine().await.sync().await.unwrap();
    assert!(summary.troubles.is_empty(), "{:?}", summary.troubles);
    summary
}

#[tokio::test]
async fn e17_a_record_whose_reads_always_fail_holds_up_no_other_at_either_side() {
    for (of_erp, silent) in [(false, false), (true, false), (false, true), (true, true)] {
        let (world, both) = nine().await;
        let (system, other) = if of_erp {
            (&world.erp, &world.crm)
        } else {
            (&world.crm, &world.erp)
        };
        let (name, its) = if of_erp {
            ("name", "Name")
        } else {
            ("Name", "name")
        };
        let ends = |(customer, division): &Both| {
            if of_erp {
                (customer.clone(), division.clone())
            } else {
                (division.clone(), customer.clone())
            }
        };
        let (broken, _) = ends(&both[4]);
        // GIVEN a record of which every read fails, and edits of it and of all others
        system.hide_from_reads([&broken]);
        system.state.lock().unwrap().silent = silent;
        for (place, pair) in both.iter().enumerate() {
            other.edit(&ends(pair).1, its, &format!("N{place}"));
        }
        // WHEN they travel
        let summary = sync(&world).await;
        // THEN the others arrive, it is not written unseen (E2), and one item says so
        for (place, pair) in both.iter().enumerate() {
            let wanted = if place == 4 {
                "C4".to_owned()
            } else {
                format!("N{place}")
            };
            assert_eq!(system.value(&ends(pair).0, name), wanted);
        }
        assert_eq!(summary.standing(), Standing::Waits);
        let items = unreadable(&world).await;
        assert_eq!(named(&items), [&broken]);
        let said = match silent {
            true => "it did not answer in time",
            false => "it answered 500",
        };
        assert!(items[0].reason.contains(said), "{items:#?}");
        // AND once it can be read, it goes on by itself
        system.show_to_reads();
        let summary = sync(&world).await;
        assert_eq!(system.value(&broken, name), "N4");
        assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
        assert!(unreadable(&world).await.is_empty());
        world.clock.pass(120);
        sync(&world).await;
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn e17_reads_that_always_fail_grow_rare_and_cost_others_nothing() {
    let (world, both) = nine().await;
    let broken = &both[2].1;
    world.crm.hide_from_reads([broken]);
    let mut engine = world.engine().await;
    world.erp.edit(&both[2].0, "name", "new");
    engine.sync().await.unwrap();
    let (_, first) = world.crm.reads_of(broken);
    assert!((2..=8).contains(&first), "{first} reads");
    // WHEN three hours go by in rounds of five seconds, and others are edited
    for number in 0..2_160 {
        if number % 100 == 0 {
            let name = format!("at {number}");
            world.erp.edit(&both[5].0, "name", &name);
        }
        let round = engine.round().await.unwrap();
        assert!(round.troubles.is_empty(), "{:?}", round.troubles);
        world.clock.pass(5);
    }
    // THEN it is asked for every quarter of an hour, alone
    let (all, times) = world.crm.reads_of(broken);
    assert!((10..=20).contains(&times), "{times} reads");
    // The others: one for each of their edits, and their witnesses.
    assert!(all - times < 50, "{all} reads");
    assert_eq!(world.crm.value(&both[5].1, "Name"), "at 2100");
}

#[tokio::test]
async fn a_system_that_answers_nothing_at_all_is_in_trouble_and_no_record_is_blamed() {
    for (silent, most) in [(false, 4), (true, 1)] {
        answers_nothing(silent, most).await;
    }
}

async fn answers_nothing(silent: bool, most: usize) {
    let (world, both) = nine().await;
    world.crm.state.lock().unwrap().silent = silent;
    world
        .crm
        .hide_from_reads(both.iter().map(|(_, division)| division));
    world.crm.state.lock().unwrap().mute = true;
    for (customer, _) in &both {
        world.erp.edit(customer, "name", "new");
    }
    let summary = world.engine().await.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Trouble);
    let asked = world.crm.state.lock().unwrap().asked.len();
    assert!(asked <= most, "{asked} reads");
    world.crm.show_to_reads();
    world.crm.state.lock().unwrap().mute = false;
    assert!(unreadable(&world).await.is_empty());
    sync(&world).await;
    world.clock.pass(120);
    sync(&world).await;
    world.assert_clean().await;
}

#[tokio::test]
async fn e17_where_no_record_of_a_type_can_be_read_calls_stay_few_and_other_types_travel() {
    let (world, both) = nine().await;
    let order = world.order(&both[0].0, "O1");
    world.at_rest().await;
    let counterpart = world.only(&world.crm, "Order");
    world
        .crm
        .hide_from_reads(both.iter().map(|(_, division)| division));
    for (customer, _) in &both {
        world.erp.edit(customer, "name", "new");
    }
    world.erp.edit(&order, "description", "second");
    sync(&world).await;
    assert_eq!(world.crm.value(&counterpart, "Description"), "second");
    assert_eq!(unreadable(&world).await.len(), 9);
    let asked = world.crm.state.lock().unwrap().asked.len();
    assert!(asked <= 100, "{asked} reads");
    world.crm.show_to_reads();
    sync(&world).await;
    assert!(unreadable(&world).await.is_empty());
    world.clock.pass(120);
    sync(&world).await;
    world.assert_clean().await;
}

#[tokio::test]
async fn e17_where_no_read_of_a_type_is_answered_few_are_waited_for_and_other_types_travel() {
    let world = World::new();
    let both = pairs(&world, 18).await;
    let order = world.order(&both[0].0, "O1");
    world.at_rest().await;
    let counterpart = world.only(&world.crm, "Order");
    // GIVEN hints at records whose reads, four at a time, are not answered
    for (_, division) in &both {
        world.crm.drift(division, "Phone", "5");
    }
    let hints: Vec<RecordKey> = both.iter().map(|(_, division)| division.clone()).collect();
    world.crm.hide_from_reads(&hints);
    {
        let mut state = world.crm.state.lock().unwrap();
        (state.silent, state.hints) = (true, hints);
    }
    world.erp.edit(&order, "description", "second");
    let round = world.engine().await.round().await.unwrap();
    // THEN three are looked for alone, and what else hangs is asked for once
    assert!(round.troubles.is_empty(), "{:?}", round.troubles);
    let asked = world.crm.state.lock().unwrap().asked.len();
    assert!((6..=12).contains(&asked), "{asked} reads that hang");
    sync(&world).await;
    assert_eq!(world.crm.value(&counterpart, "Description"), "second");
    assert_eq!(unreadable(&world).await.len(), 18);
    world.crm.show_to_reads();
    world.clock.pass(1_000);
    sync(&world).await;
    assert!(unreadable(&world).await.is_empty());
    world.assert_clean().await;
}

#[tokio::test]
async fn e4_a_write_of_unknown_outcome_to_a_record_that_cannot_be_read_waits_for_it_alone() {
    let world = World::new();
    let both = pairs(&world, 3).await;
    let (customer, division) = &both[1];
    world.crm.hide_from_reads([division]);
    world.crm.fault("Division", Fault::LostAnswer);
    world.erp.edit(customer, "name", "lost");
    sync(&world).await;
    for (place, (customer, _)) in both.iter().enumerate().filter(|(place, _)| *place != 1) {
        world.erp.edit(customer, "name", &format!("N{place}"));
    }
    let summary = sync(&world).await;
    assert_eq!(summary.standing(), Standing::Waits);
    assert_eq!(world.crm.value(&both[0].1, "Name"), "N0");
    assert_eq!(world.crm.value(&both[2].1, "Name"), "N2");
    assert_eq!(named(&unreadable(&world).await), [division]);
    world.crm.show_to_reads();
    let summary = sync(&world).await;
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    assert_eq!(
        world
            .crm
            .met(|change| matches!(change, Change::Update { record, .. } if record == division)),
        1
    );
    world.assert_clean().await;
}

#[tokio::test]
async fn e17_an_order_that_cannot_be_read_keeps_no_other_from_its_sum() {
    let world = World {
        flows: with_lines(),
        ..World::new()
    };
    let customer = world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
    let orders = ["O1", "O2", "O3"].map(|number| world.order(&customer, number));
    let lines = orders.each_ref().map(|order| {
        let values = [("order", order.id.as_str()), ("quantity", "5")];
        world.erp.add("Line", &values)
    });
    world.at_rest().await;
    let counterpart = |order: &RecordKey| {
        let number = world.erp.value(order, "number");
        let mut all = world.crm.live("Order").into_iter();
        all.find(|key| world.crm.value(key, "Name") == number || world.crm.value(key, "Number") == number)
    };
    let counterparts = orders.each_ref().map(|order| counterpart(order).unwrap());
    // WHEN lines of all move sums, and one order cannot be read
    world.crm.hide_from_reads([&counterparts[0]]);
    for (line, sales_order) in lines.iter().zip(&counterparts) {
        world.erp.edit(line, "quantity", "7");
        world.crm.whisper(sales_order, "Sum", "70");
    }
    sync(&world).await;
    // THEN the others' are read
    assert_eq!(
        orders.each_ref().map(|order| world.erp.value(order, "sum")),
        ["", "70", "70"]
    );
    assert_eq!(named(&unreadable(&world).await), [&counterparts[0]]);
    world.crm.show_to_reads();
    sync(&world).await;
    assert_eq!(world.erp.value(&orders[0], "sum"), "70");
    assert!(
        world
            .engine()
            .await
            .store()
            .to_reread(jiff::Timestamp::UNIX_EPOCH, 10)
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn r6_what_a_comparison_misses_and_cannot_be_read_is_listed_and_not_taken_for_deleted() {
    let world = World::new();
    let both = pairs(&world, 12).await;
    let (kept, gone) = (&both[3], &both[7]);
    // GIVEN two that a listing does not show, of which one can be read by its id
    world.crm.vanish(&kept.1);
    world.crm.vanish(&gone.1);
    world.crm.hide_from_reads([&kept.1]);
    world.crm.state.lock().unwrap().compared = Some("Division".to_owned());
    sync(&world).await;
    // THEN the other's deletion is carried on, and this one waits, also when nobody compares any more
    assert!(!world.erp.live("Customer").contains(&gone.0));
    assert!(world.erp.live("Customer").contains(&kept.0));
    assert_eq!(named(&unreadable(&world).await), [&kept.1]);
    world.crm.show_to_reads();
    sync(&world).await;
    assert!(!world.erp.live("Customer").contains(&kept.0));
}

#[tokio::test]
async fn e17_a_hint_at_a_record_that_cannot_be_read_keeps_no_other_from_being_seen() {
    let world = World::new();
    let both = pairs(&world, 6).await;
    // GIVEN edits of which the system only hints
    for (place, (_, division)) in both.iter().enumerate() {
        world.crm.drift(division, "Name", &format!("N{place}"));
    }
    let hints: Vec<RecordKey> = both.iter().map(|(_, division)| division.clone()).collect();
    world.crm.hide_from_reads([&hints[1]]);
    world.crm.state.lock().unwrap().hints = hints.clone();
    sync(&world).await;
    for (place, (customer, _)) in both.iter().enumerate() {
        let wanted = if place == 1 {
            "C1".to_owned()
        } else {
            format!("N{place}")
        };
        assert_eq!(world.erp.value(customer, "name"), wanted);
    }
    assert_eq!(named(&unreadable(&world).await), [&hints[1]]);
    world.crm.show_to_reads();
    sync(&world).await;
    assert_eq!(world.erp.value(&both[1].0, "name"), "N1");
}

#[tokio::test]
async fn a_comparison_of_all_names_what_cannot_be_read_and_compares_the_rest() {
    let (world, both) = nine().await;
    world.crm.drift(&both[0].1, "Name", "drifted");
    world.crm.hide_from_reads([&both[6].1]);
    let found = world.verify().await;
    assert_eq!((found.pairs, found.different), (8, 2), "{:#?}", found.differences);
    let told = found
        .differences
        .iter()
        .any(|one| one.what.contains("cannot be read"));
    assert!(told, "{:#?}", found.differences);
}

#[tokio::test]
async fn e17_a_write_that_fails_to_a_record_that_cannot_be_read_either_is_its_own_trouble() {
    let world = World::new();
    let both = pairs(&world, 3).await;
    let (customer, division) = &both[1];
    let own = division.clone();
    world.crm.hide_from_reads([division]);
    world.crm.always(move |change, _| match change {
        Change::Update { record, .. } if *record == own => Some(crate::refusals::down()),
        _ => None,
    });
    world.erp.edit(customer, "name", "never");
    sync(&world).await;
    world.erp.edit(&both[2].0, "name", "at once");
    let summary = sync(&world).await;
    assert_eq!(world.crm.value(&both[2].1, "Name"), "at once");
    assert_eq!(summary.standing(), Standing::Waits);
}

fn unspeakable(world: &World, value: Option<&str>) {
    world.crm.state.lock().unwrap().unspeakable = value.map(str::to_owned);
}

#[tokio::test]
async fn e17_a_create_whose_search_always_fails_is_never_made_unlooked_and_keeps_no_other_waiting() {
    let world = World::new();
    unspeakable(&world, Some("C4"));
    // GIVEN nine new customers, one of which has its division already
    let there = world.crm.add("Division", &[("Number", "C4"), ("Name", "C4")]);
    world.clock.pass(2);
    let add = |name: String| world.erp.add("Customer", &[("number", &name), ("name", &name)]);
    let customers: Vec<RecordKey> = (0..9).map(|number| add(format!("C{number}"))).collect();
    // and no list shows it
    let row = world.crm.take_away(&there);
    let summary = sync(&world).await;
    // THEN the others are made, it is not, and a person is told
    assert_eq!(world.crm.live("Division").len(), 8);
    assert_eq!(summary.standing(), Standing::Waits);
    let items = world.engine().await.store().items(0, 100).unwrap();
    let told = items.iter().find(|item| item.record == customers[4]).unwrap();
    assert!(told.reason.contains("a search for it fails"), "{told:#?}");
    assert!(!world.linked(&customers[4], "customer-division").await);
    // AND once it can be looked for, it is found
    world.clock.pass(600);
    world.crm.give_back(&there, row);
    unspeakable(&world, None);
    world.engine().await.retry(&customers[4]).unwrap();
    sync(&world).await;
    assert!(world.linked(&there, "customer-division").await);
    assert_eq!(world.crm.live("Division").len(), 9);
}

#[tokio::test]
async fn e3_a_create_of_unknown_outcome_that_cannot_be_looked_for_is_not_sent_again() {
    let world = World::new();
    let add = |name: &str| world.erp.add("Customer", &[("number", name), ("name", name)]);
    let customer = add("C1");
    world.crm.fault("Division", Fault::LostAnswer);
    let mut engine = world.engine().await;
    engine.round().await.unwrap();
    drop(engine);
    let division = world.only(&world.crm, "Division");
    // GIVEN a search for it that fails, by its key and by its identity
    let identity = world.crm.value(&division, "Ext");
    unspeakable(&world, Some(&identity));
    let row = world.crm.take_away(&division);
    let other = add("C2");
    sync(&world).await;
    assert!(world.linked(&other, "customer-division").await);
    assert_eq!(world.crm.met(|change| matches!(change, Change::Create { .. })), 2);
    world.crm.give_back(&division, row);
    unspeakable(&world, None);
    sync(&world).await;
    assert!(world.linked(&customer, "customer-division").await);
    assert_eq!(world.crm.live("Division").len(), 2);
}

#[tokio::test]
async fn e8_all_flows_that_rested_for_a_list_that_did_not_end_go_on_once_it_does() {
    // GIVEN invoices that come of orders and of quotes, and quotes that cannot be listed
    let mut world = World::new();
    "invoice".clone_into(&mut world.flows.flows[1].group);
    let ends = [
        end(ERP, "Quote", CreatePolicy::Off, unique("stamp", "")),
        end(CRM, "Invoice", CreatePolicy::On, unique("Ext", "Quote:")),
    ];
    let mut quotes = flow("quote-invoice", ends, Vec::new(), vec![text("number", "Number")]);
    "invoice".clone_into(&mut quotes.group);
    world.flows.flows.push(quotes);
    let (_, order) = world.customer_with_order();
    world.erp.state.lock().unwrap().cut_short = Some("Quote".to_owned());
    let synced = world.engine().await.sync().await.unwrap();
    assert_eq!(synced.troubles.len(), 1, "{synced:#?}");
    world.clock.pass(120);
    world.engine().await.sync().await.unwrap();
    // THEN nobody can tell whose an invoice is
    assert!(world.linked(&order, "order-order").await);
    assert!(world.crm.live("Invoice").is_empty());
    // WHEN they are listed, and nothing else is seen
    world.erp.state.lock().unwrap().cut_short = None;
    world.sync().await;
    // THEN the order has its invoice
    assert!(world.linked(&order, "order-invoice").await);
    world.assert_clean().await;
}
