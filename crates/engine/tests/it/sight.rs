//! Properties that a system no longer shows: held, never read as blank, and taken up again when they are back.

use crate::veil::{Veil, plain};
use crate::world::World;
use std::sync::Arc;
use tandem_connector::{Connector, PropertySchema};
use tandem_engine::{Engine, Lost, Parts, Standing};

async fn open(world: &World, veil: &Arc<Veil>) -> Engine {
    let described = [
        Veil::over(&world.erp, &world.flows).describe().await.unwrap(),
        veil.describe().await.unwrap(),
    ];
    let systems = [
        Arc::clone(&world.erp) as Arc<dyn Connector>,
        Arc::clone(veil) as _,
    ];
    let parts = Parts {
        systems,
        described: Some(described),
        ..world.parts()
    };
    Engine::open(parts).await.unwrap()
}

struct Scene {
    world: World,
    veil: Arc<Veil>,
    customer: tandem_merge::record::RecordKey,
    division: tandem_merge::record::RecordKey,
}

/// A customer with an e-mail address, linked and at rest.
async fn scene() -> Scene {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.erp.edit(&customer, "email", "first@example.org");
    let veil = Veil::over(&world.crm, &world.flows);
    open(&world, &veil).await.sync().await.unwrap();
    world.clock.pass(120);
    let summary = open(&world, &veil).await.sync().await.unwrap();
    assert_eq!(summary.standing(), Standing::Done, "{:?}", summary.notices);
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Email"), "first@example.org");
    Scene {
        world,
        veil,
        customer,
        division,
    }
}

#[tokio::test]
async fn a_property_that_vanishes_in_mid_run_clears_nothing_and_holds_up_nothing_else() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    let mut engine = open(&world, &veil).await;
    // WHEN the field is hidden while we run, and the record is edited
    veil.hide("Division", "Email");
    world.crm.edit(&division, "Name", "Roter See");
    world.clock.pass(2);
    let summary = engine.sync().await.unwrap();
    // THEN it is reported, nothing is cleared, and the edit travels
    assert!(summary.troubles.is_empty(), "{:?}", summary.troubles);
    assert_eq!(summary.standing(), Standing::Waits);
    let [notice] = summary.notices.as_slice() else {
        panic!("{:?}", summary.notices)
    };
    assert_eq!(
        (notice.what, notice.held, notice.property.as_str()),
        (Lost::Sight, true, "Email")
    );
    assert!(!notice.advice().is_empty());
    assert_eq!(world.erp.value(&customer, "email"), "first@example.org");
    assert_eq!(world.erp.value(&customer, "name"), "Roter See");
    drop(engine);
    // Nor does it after a restart, nor is anything written there.
    world.erp.edit(&customer, "email", "second@example.org");
    world.clock.pass(2);
    let summary = open(&world, &veil).await.sync().await.unwrap();
    assert_eq!(summary.notices.len(), 1);
    assert_eq!(world.erp.value(&customer, "email"), "second@example.org");
    assert_eq!(world.crm.value(&division, "Email"), "first@example.org");
    // WHEN it is back, the edit that waited travels, and the notice is gone.
    veil.show("Division", "Email");
    world.clock.pass(2);
    let summary = open(&world, &veil).await.sync().await.unwrap();
    assert!(summary.notices.is_empty(), "{:?}", summary.notices);
    assert_eq!(world.crm.value(&division, "Email"), "second@example.org");
    world.clock.pass(120);
    open(&world, &veil).await.sync().await.unwrap();
    world.assert_clean().await;
}

/// Whether a system is there is asked by having it describe itself, and from then on it shows what that shows.
#[tokio::test]
async fn e05_a_property_that_is_found_missing_by_the_way_clears_nothing() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    let mut engine = open(&world, &veil).await;
    engine.sync().await.unwrap();
    // GIVEN reads by id that always fail, so that the system is asked something else, before its changes
    let all = ["Division", "Order", "Invoice"].map(|kind| world.crm.live(kind));
    world.crm.hide_from_reads(all.iter().flatten());
    world.clock.pass(3_600);
    // WHEN a field was hidden by then, and the record is edited
    veil.hide("Division", "Email");
    world.crm.edit(&division, "Name", "Roter See");
    world.clock.pass(2);
    let summary = engine.sync().await.unwrap();
    // THEN the field is out of sight, and not blank
    assert!(summary.troubles.is_empty(), "{:?}", summary.troubles);
    assert_eq!(world.erp.value(&customer, "name"), "Roter See");
    assert_eq!(world.erp.value(&customer, "email"), "first@example.org");
    let lost: Vec<_> = summary.notices.iter().map(|notice| notice.what).collect();
    assert_eq!(lost, [Lost::Sight]);
}

/// What was read before that shows less, and must neither count as blank nor end the reading of everything.
#[tokio::test]
async fn e05_a_property_that_is_found_again_by_the_way_is_not_blank_and_all_is_read_again() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    let green = [
        ("number", "C2"),
        ("name", "Gruener See"),
        ("email", "second@example.org"),
    ];
    let second = world.erp.add("Customer", &green);
    let other = world.crm.add("Division", &[("Number", "C9"), ("Name", "Alone")]);
    let mut engine = open(&world, &veil).await;
    engine.sync().await.unwrap();
    let made = world.crm.live("Division").into_iter();
    let made = made.filter(|key| world.crm.value(key, "Name") == "Gruener See");
    // GIVEN a field that is out of sight, edited meanwhile
    veil.hide("Division", "Email");
    for one in made {
        world.crm.edit(&one, "Email", "unseen@example.org");
    }
    world.clock.pass(3_600);
    engine.sync().await.unwrap();
    assert_eq!(world.erp.value(&second, "email"), "second@example.org");
    // WHEN it is shown again, and the system is asked whether it is there while its changes are read
    veil.show("Division", "Email");
    world.crm.edit(&division, "Name", "Roter See");
    world.crm.hide_from_reads([&other]);
    world.crm.state.lock().unwrap().hints = vec![other];
    world.clock.pass(2);
    engine.sync().await.unwrap();
    // THEN nothing was taken for blank, and what was edited out of sight travels
    assert_eq!(world.erp.value(&customer, "name"), "Roter See");
    assert_eq!(world.erp.value(&customer, "email"), "first@example.org");
    assert_eq!(world.erp.value(&second, "email"), "unseen@example.org");
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_compared_as_blank() {
    for hide in [Veil::hide, Veil::garble] {
        let Scene { world, veil, .. } = scene().await;
        // WHEN a value is out of sight, of the whole type or because it cannot be read
        hide(&veil, "Division", "Email");
        let found = open(&world, &veil).await.verify().await.unwrap();
        // THEN it is counted apart, and nobody says that the two differ
        assert_eq!(found.different, 0, "{found:?}");
        let mut hidden = found.hidden.keys();
        assert!(
            hidden.any(|property| property.ends_with("Division.Email")),
            "{found:?}"
        );
        assert!(found.compared > 0);
    }
}

#[tokio::test]
async fn an_edit_made_out_of_sight_travels_when_the_property_is_back() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    veil.hide("Division", "Email");
    open(&world, &veil).await.sync().await.unwrap();
    world.crm.edit(&division, "Email", "unseen@example.org");
    world.clock.pass(300);
    open(&world, &veil).await.sync().await.unwrap();
    assert_eq!(world.erp.value(&customer, "email"), "first@example.org");
    // The record shows no change of its own any more when the field is back: all is read again.
    world.clock.pass(300);
    veil.show("Division", "Email");
    let mut engine = open(&world, &veil).await;
    assert!(engine.notices().iter().all(|notice| notice.returning));
    engine.sync().await.unwrap();
    assert_eq!(world.erp.value(&customer, "email"), "unseen@example.org");
    assert!(engine.notices().is_empty());
}

#[tokio::test]
async fn what_is_created_meanwhile_gets_the_value_later() {
    let Scene { world, veil, .. } = scene().await;
    veil.hide("Division", "Email");
    open(&world, &veil).await.sync().await.unwrap();
    let values = [
        ("number", "C2"),
        ("name", "Gruener See"),
        ("email", "late@example.org"),
    ];
    world.erp.add("Customer", &values);
    world.clock.pass(2);
    open(&world, &veil).await.sync().await.unwrap();
    let of_name = |name: &str| {
        let all = world.crm.live("Division").into_iter();
        all.filter(|key| world.crm.value(key, "Name") == name)
            .collect::<Vec<_>>()
    };
    let [division] = of_name("Gruener See").try_into().unwrap();
    assert_eq!(world.crm.value(&division, "Email"), "");
    veil.show("Division", "Email");
    world.clock.pass(2);
    open(&world, &veil).await.sync().await.unwrap();
    assert_eq!(world.crm.value(&division, "Email"), "late@example.org");
}

#[tokio::test]
async fn a_write_that_is_refused_for_a_hidden_property_leads_to_a_look_and_is_tried_again_later() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    let mut engine = open(&world, &veil).await;
    engine.sync().await.unwrap();
    // The read side does not notice: the edit comes from the other system first.
    world.erp.edit(&customer, "email", "second@example.org");
    engine.round().await.unwrap();
    veil.hide("Division", "Email");
    world.erp.edit(&customer, "email", "third@example.org");
    world.clock.pass(2);
    let summary = engine.sync().await.unwrap();
    assert_eq!(summary.notices.len(), 1, "{:?}", summary.troubles);
    drop(engine);
    veil.show("Division", "Email");
    world.clock.pass(2);
    open(&world, &veil).await.sync().await.unwrap();
    assert_eq!(world.crm.value(&division, "Email"), "third@example.org");
}

#[tokio::test]
async fn what_became_narrower_is_reported_and_goes_on() {
    let Scene {
        world,
        veil,
        customer,
        division,
    } = scene().await;
    let shorter = PropertySchema {
        max_length: Some(40),
        ..plain()
    };
    veil.describe_as("Division", "Email", shorter);
    world.erp.edit(&customer, "email", "short@example.org");
    world.clock.pass(2);
    let summary = open(&world, &veil).await.sync().await.unwrap();
    let [notice] = summary.notices.as_slice() else {
        panic!("{:?}", summary.notices)
    };
    assert_eq!((notice.what, notice.held), (Lost::Length, false));
    assert!(notice.words.contains("was 255 and is 40"), "{notice}");
    assert_eq!(world.crm.value(&division, "Email"), "short@example.org");
    // While it runs, it looks again from time to time, if anything moves.
    let mut engine = open(&world, &veil).await;
    engine.sync().await.unwrap();
    let fixed = PropertySchema {
        data_type: "double".to_owned(),
        ..plain()
    };
    veil.describe_as("Division", "Email", fixed);
    world.clock.pass(16 * 60);
    world.crm.edit(&division, "Name", "Roter See");
    engine.sync().await.unwrap();
    let notices = engine.notices();
    assert_eq!((notices[0].what, notices[0].held), (Lost::Type, true));
}
