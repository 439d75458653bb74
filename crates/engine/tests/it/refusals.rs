//! E17: nothing equal to what was refused is sent again, one record's lasting trouble is its own, and every loop ends.

use crate::fake::{Fake, State, refusal};
use crate::world::World;
use tandem_connector::{Change, Error, ErrorKind, Outcome, RefusalKind, Scope};
use tandem_engine::{Standing, Summary};
use tandem_ledger::Item;
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::record::RecordKey;

fn creates(kind: &str) -> impl Fn(&Change) -> bool + Send + 'static {
    let kind = kind.to_owned();
    move |change| matches!(change, Change::Create { record_type, .. } if record_type.name == kind)
}

/// Updates and deletions of one record.
fn changes(of: &RecordKey) -> impl Fn(&Change) -> bool + Send + 'static {
    let of = of.clone();
    move |change| match change {
        Change::Update { record, .. } | Change::Delete { record, .. } => *record == of,
        Change::Create { .. } => false,
    }
}

fn deletes(change: &Change) -> bool {
    matches!(change, Change::Delete { .. })
}

fn refused(kind: RefusalKind, named: &[&str]) -> Option<Outcome> {
    Some(Outcome::Refused(refusal(kind, named)))
}

pub fn down() -> Outcome {
    Outcome::NotSent(Error {
        system: "crm".to_owned(),
        kind: ErrorKind::Down,
        message: "it answered 503 (deadline)".to_owned(),
        advice: "Wait".to_owned(),
        retry_at: None,
        scope: Scope::System,
    })
}

async fn items(world: &World) -> Vec<Item> {
    let mut engine = world.engine().await;
    let items = engine.store().items(0, 100).unwrap();
    items
        .into_iter()
        .filter(|item| item.kind.is_some_and(ParkedKind::needs_mending))
        .collect()
}

/// Two customers with their divisions, at rest.
async fn two(world: &World) -> [(RecordKey, RecordKey); 2] {
    let pair = |number: &str, name: &str| {
        world.erp.add(
            "Customer",
            &[("number", number), ("name", name), ("email", "a@example.org")],
        )
    };
    let (one, other) = (pair("C1", "Blauer See"), pair("C2", "Roter Berg"));
    world.at_rest().await;
    let division = |number: &str| {
        let live = world.crm.live("Division");
        live.into_iter()
            .find(|key| world.crm.value(key, "Number") == number)
            .unwrap()
    };
    let pairs = [(one, division("C1")), (other, division("C2"))];
    world.crm.met(|_| true);
    world.erp.met(|_| true);
    pairs
}

async fn retry(world: &World, record: &RecordKey) {
    world.engine().await.retry(record).unwrap();
}

#[tokio::test]
async fn e17_a_create_refused_for_what_it_does_not_carry_is_sent_once() {
    // GIVEN a CRM that wants a property which the ERP's record leaves blank
    let world = World::new();
    world.crm.always(|change, _| match change {
        Change::Create { record_type, values }
            if record_type.name == "Division" && !values.contains_key("Email") =>
        {
            refused(RefusalKind::Invalid, &["Email"])
        }
        _ => None,
    });
    let (customer, _) = world.customer_with_order();
    // WHEN it is synced again and again
    world.sync().await;
    world.sync().await;
    // THEN it was asked once, its order went on, and one item names who refused
    assert_eq!(world.crm.met(creates("Division")), 1);
    world.only(&world.crm, "Order");
    let parked = items(&world).await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(
        (&parked[0].record, parked[0].by.as_deref()),
        (&customer, Some("crm"))
    );
    // AND the value that it wants frees it
    world.erp.edit(&customer, "email", "a@example.org");
    world.sync().await;
    world.only(&world.crm, "Division");
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn e17_a_create_refused_with_and_without_a_value_is_sent_once_each_and_told_once() {
    let world = World::new();
    world.crm.always(|change, _| {
        let division = creates("Division")(change);
        division.then(|| Outcome::Refused(refusal(RefusalKind::Invalid, &["Email"])))
    });
    let customer = world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "B"), ("email", "x")]);
    world.sync().await;
    world.sync().await;
    assert_eq!(world.crm.met(creates("Division")), 2);
    let parked = items(&world).await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    // A person's word frees it.
    world.crm.mended();
    retry(&world, &customer).await;
    world.sync().await;
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Email"), "x");
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn a_value_refused_at_the_create_is_one_item_of_who_refused_it() {
    // GIVEN a CRM that takes no e-mail address of that form, on create or later
    let world = World::new();
    world.crm.always(|change, _| match change {
        Change::Create { values, .. } | Change::Update { values, .. } => {
            let shown = values.get("Email").map(ToString::to_string);
            shown
                .filter(|shown| !shown.contains(".org"))
                .and_then(|_| refused(RefusalKind::Invalid, &["Email"]))
        }
        Change::Delete { .. } => None,
    });
    let customer = world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "B"), ("email", "a@b")]);
    // WHEN its record is created without
    world.sync().await;
    world.sync().await;
    // THEN one value is one item
    let division = world.only(&world.crm, "Division");
    let parked = items(&world).await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(
        (&parked[0].record, parked[0].by.as_deref()),
        (&division, Some("crm"))
    );
    assert_eq!(parked[0].property.as_deref(), Some("Email"));
    assert!(world.crm.met(changes(&division)) <= 1);
    world.erp.edit(&customer, "email", "a@b.org");
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Email"), "a@b.org");
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn what_a_refusal_names_frees_the_property_that_was_refused_for_its_sake() {
    // GIVEN a CRM that takes no new name while the e-mail address is blank, and says so at that
    let world = World::new();
    let [(customer, division), _] = two(&world).await;
    world.erp.edit(&customer, "email", "");
    world.at_rest().await;
    let own = division.clone();
    world.crm.always(move |change, state: &State| match change {
        Change::Update { record, values, .. } if *record == own => {
            let held = &state.rows[record].values;
            let email = values.get("Email").or_else(|| held.get("Email"));
            email
                .is_none_or(|email| email.is_blank())
                .then(|| Outcome::Refused(refusal(RefusalKind::Invalid, &["Email"])))
        }
        _ => None,
    });
    world.erp.edit(&customer, "name", "Neuer See");
    world.sync().await;
    world.sync().await;
    assert_eq!(world.crm.met(changes(&division)), 2, "cleared, then refused once");
    assert_eq!(items(&world).await.len(), 1);
    // WHEN that is given
    world.erp.edit(&customer, "email", "new@example.org");
    world.sync().await;
    // THEN both travel, nobody had to type anything
    assert_eq!(world.crm.value(&division, "Name"), "Neuer See");
    assert_eq!(world.crm.value(&division, "Email"), "new@example.org");
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn a_person_who_mends_the_record_on_the_side_that_refused_frees_it_too() {
    let world = World::new();
    let [(customer, division), _] = two(&world).await;
    let own = division.clone();
    world.crm.always(move |change, state: &State| {
        let locked = state.rows[&own]
            .values
            .get("Number")
            .is_some_and(|number| number.to_string() == "C1");
        (locked && changes(&own)(change)).then(|| Outcome::Refused(refusal(RefusalKind::Locked, &[])))
    });
    world.erp.edit(&customer, "name", "Neuer See");
    world.sync().await;
    world.sync().await;
    assert_eq!(world.crm.met(changes(&division)), 1);
    world.clock.pass(2);
    world.crm.edit(&division, "Number", "C1a");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Neuer See");
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn e17_a_refused_deletion_is_sent_once_and_delays_nobody() {
    // GIVEN a CRM that lets a division not be deleted
    let world = World::new();
    let [(customer, division), (other, its)] = two(&world).await;
    world
        .crm
        .always(|change, _| deletes(change).then(|| Outcome::Refused(refusal(RefusalKind::Locked, &[]))));
    // WHEN its customer is deleted, by the flow's policy the division with it
    world.erp.delete(&customer);
    world.erp.edit(&other, "name", "Weisser Berg");
    world.sync().await;
    world.sync().await;
    // THEN it was asked once, the other went on, and the division is listed
    assert_eq!(world.crm.met(deletes), 1);
    assert_eq!(world.crm.value(&its, "Name"), "Weisser Berg");
    let parked = items(&world).await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(
        (&parked[0].record, parked[0].by.as_deref()),
        (&division, Some("crm"))
    );
    // AND a person may try again, or do without
    retry(&world, &division).await;
    world.sync().await;
    assert_eq!(world.crm.met(deletes), 1);
    let number = items(&world).await[0].number;
    world
        .engine()
        .await
        .approve(number, Some(Verdict::Unlink))
        .unwrap();
    world.sync().await;
    assert!(!world.linked(&division, "customer-division").await);
    assert!(items(&world).await.is_empty());
    assert_eq!(world.crm.met(deletes), 0);
}

#[tokio::test]
async fn e17_a_refused_deactivation_is_sent_once_by_policy_or_by_a_persons_word() {
    for asks in [false, true] {
        let mut world = World::new();
        let end = &mut world.flows.flows[0].ends;
        end[0].on_delete = if asks {
            tandem_merge::dataflow::DeletePolicy::AskThenDeactivate
        } else {
            tandem_merge::dataflow::DeletePolicy::Deactivate
        };
        let off = tandem_merge::value::Value::text("no");
        end[1].deactivate = Some(("Active".to_owned(), off));
        let [(customer, division), (other, its)] = two(&world).await;
        world.crm.always(|change, _| match change {
            Change::Update { values, .. } if values.contains_key("Active") => {
                refused(RefusalKind::Invalid, &["Active"])
            }
            _ => None,
        });
        world.erp.delete(&customer);
        world.erp.edit(&other, "name", "Weisser Berg");
        world.sync().await;
        if asks {
            assert_eq!(world.crm.met(changes(&division)), 0);
            let mut engine = world.engine().await;
            let waiting = engine.store().items(0, 10).unwrap();
            engine
                .approve(waiting[0].number, Some(Verdict::Deactivate))
                .unwrap();
            drop(engine);
            world.sync().await;
        }
        world.sync().await;
        assert_eq!(world.crm.met(changes(&division)), 1, "asks: {asks}");
        assert_eq!(world.crm.value(&its, "Name"), "Weisser Berg");
        let parked = items(&world).await;
        assert_eq!(parked.len(), 1, "{parked:#?}");
        // Mended and tried again, it is put out of use.
        world.crm.mended();
        retry(&world, &division).await;
        world.sync().await;
        if !asks {
            assert_eq!(world.crm.value(&division, "Active"), "no");
            assert!(items(&world).await.is_empty());
        }
    }
}

/// What a system may answer for ever to a write of one record.
fn lasting() -> Vec<(&'static str, Outcome)> {
    vec![
        ("stale", Outcome::Stale),
        ("gone", Outcome::Gone),
        ("unknown", Outcome::Unknown("status 500".to_owned())),
        ("unclear", Outcome::Refused(refusal(RefusalKind::Unclear, &[]))),
        ("down", down()),
    ]
}

fn assert_parked_alone(summary: &Summary, what: &str) {
    assert_eq!(summary.standing(), Standing::Waits, "{what}: {summary:#?}");
    assert_eq!(
        summary.flows["customer-division"].parked, 1,
        "{what}: {summary:#?}"
    );
}

#[tokio::test]
async fn e17_one_record_whose_writes_settle_nothing_is_parked_alone() {
    for (what, outcome) in lasting() {
        for erp_side in [false, true] {
            // GIVEN a record to whose writes a system answers the same for ever
            let world = World::new();
            let [(customer, division), (other, its)] = two(&world).await;
            let (system, stuck): (&Fake, &RecordKey) = if erp_side {
                (&world.erp, &customer)
            } else {
                (&world.crm, &division)
            };
            let (always, own) = (outcome.clone(), changes(stuck));
            system.always(move |change, _| own(change).then(|| always.clone()));
            // WHEN it and another are edited
            if erp_side {
                world.crm.edit(&division, "Name", "Neuer See");
                world.crm.edit(&its, "Name", "Weisser Berg");
            } else {
                world.erp.edit(&customer, "name", "Neuer See");
                world.erp.edit(&other, "name", "Weisser Berg");
            }
            world.clock.pass(2);
            let summary = world.sync().await;
            // THEN a few tries were made, and it is parked with what was answered
            assert_parked_alone(&summary, what);
            let tries = system.met(changes(stuck));
            assert!((2..=4).contains(&tries), "{what}: {tries}");
            assert_eq!(world.crm.value(&its, "Name"), "Weisser Berg");
            assert_eq!(world.erp.value(&other, "name"), "Weisser Berg");
            // AND the next sync leaves it alone, until it answers otherwise and a person says so
            assert_parked_alone(&world.sync().await, what);
            assert_eq!(system.met(changes(stuck)), 0, "{what}");
            system.mended();
            retry(&world, stuck).await;
            assert_eq!(world.sync().await.standing(), Standing::Done, "{what}");
            assert_eq!(world.crm.value(&division, "Name"), "Neuer See");
            assert_eq!(world.erp.value(&customer, "name"), "Neuer See");
        }
    }
}

#[tokio::test]
async fn e17_one_create_whose_answers_settle_nothing_is_parked_alone() {
    for (what, outcome) in lasting() {
        let world = World::new();
        let always = outcome.clone();
        world.crm.always(move |change, _| match change {
            Change::Create { values, .. }
                if values.get("Number").is_some_and(|it| it.to_string() == "C1") =>
            {
                Some(always.clone())
            }
            _ => None,
        });
        let customer = world
            .erp
            .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
        world
            .erp
            .add("Customer", &[("number", "C2"), ("name", "Roter Berg")]);
        // A create without an answer waits for the longest time that a request may take, each sync for one.
        for _ in 0..6 {
            world.engine().await.sync().await.unwrap();
            world.clock.pass(31);
        }
        let summary = world.sync().await;
        assert_parked_alone(&summary, what);
        let tries = world.crm.met(creates("Division"));
        assert!((3..=6).contains(&tries), "{what}: {tries}");
        world.sync().await;
        assert_eq!(world.crm.met(creates("Division")), 0, "{what}");
        world.only(&world.crm, "Division");
        world.crm.mended();
        retry(&world, &customer).await;
        assert_eq!(world.sync().await.standing(), Standing::Done, "{what}");
        assert_eq!(world.crm.live("Division").len(), 2, "{what}");
    }
}

#[tokio::test]
async fn e17_a_deletion_whose_answers_settle_nothing_is_parked() {
    for (what, outcome) in lasting() {
        let world = World::new();
        let [(customer, _), (other, its)] = two(&world).await;
        let always = outcome.clone();
        world
            .crm
            .always(move |change, _| deletes(change).then(|| always.clone()));
        world.erp.delete(&customer);
        world.erp.edit(&other, "name", "Weisser Berg");
        assert_parked_alone(&world.sync().await, what);
        assert_parked_alone(&world.sync().await, what);
        let tries = world.crm.met(deletes);
        assert!((2..=4).contains(&tries), "{what}: {tries}");
        assert_eq!(world.crm.value(&its, "Name"), "Weisser Berg");
    }
}

#[tokio::test]
async fn e17_a_record_that_makes_its_whole_pack_fail_is_parked_alone() {
    // GIVEN ten records in few packs, one of which no pack survives
    let world = World::new();
    let add = |number: usize| {
        let (number, name) = (format!("C{number}"), format!("Name {number}"));
        world.erp.add("Customer", &[("number", &number), ("name", &name)])
    };
    let customers: Vec<RecordKey> = (0..10).map(add).collect();
    world.at_rest().await;
    let poison = world.crm.live("Division").remove(4);
    world.crm.state.lock().unwrap().poison = Some(poison.clone());
    // WHEN all are edited
    for customer in &customers {
        world.erp.edit(customer, "email", "all@example.org");
    }
    let summary = world.sync().await;
    // THEN nine travel
    assert_parked_alone(&summary, "poison");
    let written = world
        .crm
        .live("Division")
        .into_iter()
        .filter(|key| world.crm.value(key, "Email") == "all@example.org");
    assert_eq!(written.count(), 9);
    assert_eq!(items(&world).await[0].record, poison);
}

#[tokio::test]
async fn writes_that_all_come_to_nothing_are_their_systems_trouble_and_follow_by_themselves() {
    // GIVEN a CRM that can be read, and carries no write out
    let world = World::new();
    let add = |number: usize| {
        let (number, name) = (format!("C{number}"), format!("Name {number}"));
        world.erp.add("Customer", &[("number", &number), ("name", &name)])
    };
    let customers: Vec<RecordKey> = (0..8).map(add).collect();
    world.at_rest().await;
    world.crm.met(|_| true);
    world
        .crm
        .always(|_, _| Some(Outcome::Unknown("status 503".to_owned())));
    for customer in &customers {
        world.erp.edit(customer, "email", "all@example.org");
    }
    // WHEN it is synced
    let summary = world.engine().await.sync().await.unwrap();
    // THEN the sync ends, says so, and parks nothing
    assert_eq!(summary.standing(), Standing::Trouble, "{summary:#?}");
    assert_eq!(summary.flows["customer-division"].parked, 0);
    assert!(world.crm.met(|_| true) <= 8 * 4);
    world.crm.mended();
    assert_eq!(world.sync().await.standing(), Standing::Done);
    assert!(
        world
            .crm
            .live("Division")
            .iter()
            .all(|key| world.crm.value(key, "Email") == "all@example.org")
    );
}

#[tokio::test]
async fn what_was_parked_while_nothing_was_settled_is_tried_again_once_something_is() {
    let world = World::new();
    let [(customer, division), (other, its)] = two(&world).await;
    world
        .crm
        .always(|_, _| Some(Outcome::Unknown("status 503".to_owned())));
    world.erp.edit(&customer, "name", "Neuer See");
    let mut engine = world.engine().await;
    let summary = engine.sync().await.unwrap();
    assert_parked_alone(&summary, "alone in a system that carries nothing out");
    world.crm.mended();
    world.erp.edit(&other, "name", "Weisser Berg");
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Done, "{summary:#?}");
    assert_eq!(world.crm.value(&its, "Name"), "Weisser Berg");
    assert_eq!(world.crm.value(&division, "Name"), "Neuer See");
}

#[tokio::test]
async fn e17_a_companion_that_was_deleted_is_looked_for_again_and_none_is_made_unasked() {
    // GIVEN a customer whose account somebody deleted in the CRM
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let account = world.only(&world.crm, "Account");
    world.crm.delete(&account);
    world.crm.met(|_| true);
    let dead = account.id.clone();
    world.crm.always(move |change, _| match change {
        Change::Create { values, .. } | Change::Update { values, .. } => {
            let names = values.get("Account").and_then(|value| value.as_text()) == Some(dead.as_str());
            names.then(|| Outcome::Refused(refusal(RefusalKind::BadReference, &["Account"])))
        }
        Change::Delete { .. } => None,
    });
    // WHEN another order of it comes
    world.order(&customer, "O2");
    world.sync().await;
    world.sync().await;
    // THEN no more creates met it than travel at once, the others wait, and the missing account is the one thing to mend
    let met = world.crm.met(|change| matches!(change, Change::Create { .. }));
    assert!((1..=2).contains(&met), "{met}");
    assert!(world.crm.live("Account").is_empty());
    let parked = items(&world).await;
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(
        (&parked[0].record, parked[0].role.as_deref()),
        (&customer, Some("Account"))
    );
    // AND a person's word makes another
    retry(&world, &customer).await;
    world.sync().await;
    world.only(&world.crm, "Account");
    assert_eq!(world.crm.live("Order").len(), 2);
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn e17_a_companion_that_was_merged_away_is_the_one_that_it_was_merged_into() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let account = world.only(&world.crm, "Account");
    let survivor = world.crm.add("Account", &[("Name", "The other name")]);
    world
        .crm
        .state
        .lock()
        .unwrap()
        .merged
        .insert(account.clone(), survivor.id.clone());
    world.crm.delete(&account);
    let dead = account.id.clone();
    world.crm.always(move |change, _| match change {
        Change::Create { values, .. } => {
            let names = values.get("Account").and_then(|value| value.as_text()) == Some(dead.as_str());
            names.then(|| Outcome::Refused(refusal(RefusalKind::BadReference, &[])))
        }
        _ => None,
    });
    world.order(&customer, "O2");
    world.sync().await;
    assert_eq!(world.crm.live("Order").len(), 2);
    let named = world
        .crm
        .live("Order")
        .into_iter()
        .any(|key| world.crm.value(&key, "Account") == survivor.id);
    assert!(named);
    assert!(items(&world).await.is_empty());
}

#[tokio::test]
async fn e13_e17_what_two_systems_add_to_each_others_values_is_parked_after_few_writes() {
    let world = World::with(|erp| erp.adding("name", "?"), |crm| crm.adding("Name", "!"));
    let (customer, _) = world.customer_with_order();
    let summary = world.engine().await.sync().await.unwrap();
    // THEN the sync ends, somebody is told, and nothing was written back and forth
    assert_eq!(summary.standing(), Standing::Waits, "{summary:#?}");
    let parked = items(&world).await;
    assert!(
        parked.iter().any(|item| item.kind == Some(ParkedKind::Rewritten)),
        "{parked:#?}"
    );
    let name = world.erp.value(&customer, "name");
    assert!(name.matches('?').count() <= 2, "{name}");
}

#[cfg(feature = "mutations")]
#[tokio::test]
async fn e17_a_write_that_is_planned_again_and_again_ends_the_sync_with_a_clear_word() {
    // GIVEN a core that forgets what was refused, and a CRM that refuses for ever
    let world = World::new();
    let [(customer, division), _] = two(&world).await;
    world.crm.always(|change, _| {
        let update = matches!(change, Change::Update { .. });
        update.then(|| Outcome::Refused(refusal(RefusalKind::Invalid, &["Name"])))
    });
    world.erp.edit(&customer, "name", "Neuer See");
    // WHEN it is synced
    tandem_merge::mutation::set(Some(tandem_merge::mutation::Mutation::ParkedForgotten));
    let summary = world.engine().await.sync().await;
    tandem_merge::mutation::set(None);
    // THEN it ends, and says which record
    let summary = summary.unwrap();
    assert_eq!(summary.standing(), Standing::Trouble, "{summary:#?}");
    let said = summary.troubles[0].to_string();
    assert!(
        said.contains(&division.to_string()) && said.contains("30 writes"),
        "{said}"
    );
    assert_eq!(world.crm.met(|_| true), 30);
}

#[tokio::test]
async fn a_record_that_somebody_edits_right_before_each_of_our_writes_is_written_in_the_end() {
    let world = World::new();
    let [(customer, division), _] = two(&world).await;
    for turn in 0..10 {
        let values = crate::fake::texts(&[("Other", &format!("T{turn}"))]);
        let edit = (division.clone(), values);
        world.crm.state.lock().unwrap().meddling.push_back(edit);
    }
    world.erp.edit(&customer, "name", "Neuer See");
    assert_eq!(world.sync().await.standing(), Standing::Done);
    assert_eq!(world.crm.value(&division, "Name"), "Neuer See");
    assert_eq!(world.crm.met(changes(&division)), 11);
}
