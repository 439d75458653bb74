//! What people take back: values, creates; what is left alone, and that an undo can be undone.

use crate::world::World;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_engine::{Clock, Selection, UndoReport};
use tandem_merge::plan::EventKind;
use tandem_merge::record::RecordKey;
use tandem_merge::undo::{How, Step};

/// The last run with a line of this kind.
async fn last_run(world: &World, kind: &str) -> u64 {
    let mut engine = world.engine().await;
    let runs = engine.store().runs(0, 1_000).unwrap();
    let of = runs.iter().rev().find(|run| run.counts.contains_key(kind));
    of.unwrap_or_else(|| panic!("no run with {kind}: {runs:#?}"))
        .number
}

fn run(number: u64) -> Selection {
    Selection {
        run: Some(number),
        ..Selection::default()
    }
}

fn how() -> How {
    How {
        what: "run".to_owned(),
        ..How::default()
    }
}

/// Takes back and carries out.
async fn take_back(world: &World, selection: &Selection, how: &How) -> UndoReport {
    let mut engine = world.engine().await;
    let report = engine.undo(selection, how, true).await.unwrap();
    engine.sync().await.unwrap();
    report
}

/// A customer and its division, at rest, and the name edited to something wrong in the CRM.
async fn wrongly_named(world: &World) -> (RecordKey, RecordKey, u64) {
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.edit(&division, "Name", "WRONG");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.erp.value(&customer, "name"), "WRONG");
    let run = last_run(world, "edited").await;
    (customer, division, run)
}

#[tokio::test]
async fn a_run_is_shown_then_taken_back_and_the_undo_is_taken_back_too() {
    let world = World::new();
    let (customer, division, number) = wrongly_named(&world).await;
    // WHEN it is only shown
    let mut engine = world.engine().await;
    let plan = engine.undo(&run(number), &how(), false).await.unwrap();
    assert_eq!(plan.back.len(), 2, "{plan:#?}");
    assert!(plan.left.is_empty(), "{plan:#?}");
    engine.sync().await.unwrap();
    assert_eq!(world.erp.value(&customer, "name"), "WRONG");
    drop(engine);
    // THEN nothing changes; WHEN it is carried out, both sides hold the value before
    take_back(&world, &run(number), &how()).await;
    assert_eq!(world.erp.value(&customer, "name"), "Blauer See");
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
    world.assert_clean().await;
    // AND history says so, and the undo is a run that can be taken back
    let undone = last_run(&world, "undone").await;
    take_back(&world, &run(undone), &how()).await;
    assert_eq!(world.erp.value(&customer, "name"), "WRONG");
    assert_eq!(world.crm.value(&division, "Name"), "WRONG");
    world.assert_clean().await;
}

#[tokio::test]
async fn what_was_edited_since_is_left_alone_unless_told_to() {
    let world = World::new();
    let (customer, division, number) = wrongly_named(&world).await;
    world.erp.edit(&customer, "name", "Better");
    world.clock.pass(2);
    world.sync().await;
    let report = take_back(&world, &run(number), &how()).await;
    assert!(report.back.is_empty(), "{report:#?}");
    assert!(
        report.left[0].reason.contains("name was edited in erp Customer"),
        "{report:#?}"
    );
    assert_eq!(world.crm.value(&division, "Name"), "Better");
    let force = How {
        overwrite: true,
        ..how()
    };
    take_back(&world, &run(number), &force).await;
    assert_eq!(world.erp.value(&customer, "name"), "Blauer See");
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
}

#[tokio::test]
async fn an_edit_that_nobody_has_seen_yet_counts_too() {
    let world = World::new();
    let (customer, division, number) = wrongly_named(&world).await;
    // GIVEN an edit that no round has seen
    world.crm.edit(&division, "Name", "Seen by nobody");
    world.clock.pass(2);
    let mut engine = world.engine().await;
    let report = engine.undo(&run(number), &how(), true).await.unwrap();
    assert_eq!((report.back.len(), report.left.len()), (0, 1), "{report:#?}");
    drop(engine);
    world.sync().await;
    assert_eq!(world.erp.value(&customer, "name"), "Seen by nobody");
    // AND with force it is overruled, but stays in history
    world.crm.edit(&division, "Name", "Again unseen");
    world.clock.pass(2);
    let force = How {
        overwrite: true,
        ..how()
    };
    take_back(&world, &run(number), &force).await;
    assert_eq!(world.crm.value(&division, "Name"), "Blauer See");
    let mut engine = world.engine().await;
    let history = format!("{:?}", engine.store().history(None, 0, 1_000).unwrap());
    assert!(history.contains("Again unseen"), "{history}");
}

#[tokio::test]
async fn an_edit_after_the_undo_was_decided_wins() {
    // GIVEN the latest edit wins
    let mut world = World::new();
    for flow in &mut world.flows.flows {
        flow.conflict = tandem_merge::dataflow::ConflictPolicy::Latest;
    }
    let (customer, division, number) = wrongly_named(&world).await;
    // WHEN somebody edits between the undo's last look and its write
    let values = crate::fake::texts(&[("Name", "Just now")]);
    let mut engine = world.engine().await;
    engine.undo(&run(number), &how(), true).await.unwrap();
    world
        .crm
        .state
        .lock()
        .unwrap()
        .meddling
        .push_back((division.clone(), values));
    engine.sync().await.unwrap();
    // THEN the edit stands
    assert_eq!(world.crm.value(&division, "Name"), "Just now");
    assert_eq!(world.erp.value(&customer, "name"), "Just now");
}

#[tokio::test]
async fn the_loser_of_a_conflict_is_brought_back() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.edit(&customer, "name", "Of the ERP");
    world.crm.edit(&division, "Name", "Of the CRM");
    world.clock.pass(2);
    world.sync().await;
    assert_eq!(world.crm.value(&division, "Name"), "Of the ERP");
    take_back(&world, &run(last_run(&world, "conflict").await), &how()).await;
    assert_eq!(world.crm.value(&division, "Name"), "Of the CRM");
    assert_eq!(world.erp.value(&customer, "name"), "Of the CRM");
}

#[tokio::test]
async fn two_edits_of_one_run_go_back_behind_the_first() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let mut engine = world.engine().await;
    let began = world.clock.now();
    for name in ["One", "Two"] {
        world.erp.edit(&customer, "name", name);
        world.clock.pass(2);
        engine.round().await.unwrap();
    }
    drop(engine);
    let span = Selection {
        since: Some(began),
        until: Some(Timestamp::MAX),
        flow: Some("customer-division".to_owned()),
        ..Selection::default()
    };
    let report = take_back(&world, &span, &how()).await;
    assert_eq!(report.left, [], "{report:#?}");
    assert_eq!(world.erp.value(&customer, "name"), "Blauer See");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_create_is_taken_back_only_when_asked_for_and_unedited() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let created = run(last_run(&world, "created").await);
    let created = Selection {
        records: BTreeSet::from([division.clone(), customer.clone()]),
        ..created
    };
    // WHEN nobody asks for it
    let report = take_back(&world, &created, &how()).await;
    assert!(report.back.is_empty(), "{report:#?}");
    assert_eq!(report.left[0].reason, "was created", "{report:#?}");
    assert_eq!(world.crm.live("Division").len(), 1);
    // THEN it stays; asked for, it goes, its source stays, and none is created again
    let delete = How {
        delete_created: true,
        ..how()
    };
    let report = take_back(&world, &created, &delete).await;
    assert!(
        report.back.iter().any(|back| back.what == Step::Delete),
        "{report:#?}"
    );
    assert!(world.crm.live("Division").is_empty());
    assert_eq!(world.erp.live("Customer"), std::slice::from_ref(&customer));
    world.clock.pass(120);
    world.sync().await;
    assert!(world.crm.live("Division").is_empty());
    // AND its deletion is taken back by creating it again
    let deleted = run(last_run(&world, "unlinked").await);
    let report = take_back(&world, &deleted, &how()).await;
    assert!(
        matches!(report.back[0].what, Step::Recreate { .. }),
        "{report:#?}"
    );
    assert_eq!(world.crm.live("Division").len(), 1);
}

#[tokio::test]
async fn a_created_record_that_somebody_edited_stays() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    let created = Selection {
        records: BTreeSet::from([division.clone(), customer]),
        ..run(last_run(&world, "created").await)
    };
    let delete = How {
        delete_created: true,
        ..how()
    };
    // WHEN it is edited after the undo was decided, before the deletion is sent
    let mut engine = world.engine().await;
    engine.undo(&created, &delete, true).await.unwrap();
    world.crm.edit(&division, "Email", "used@example.org");
    world.clock.pass(2);
    engine.sync().await.unwrap();
    assert_eq!(world.crm.live("Division"), std::slice::from_ref(&division));
    // AND one that was edited before is not even planned
    let report = engine.undo(&created, &delete, false).await.unwrap();
    assert!(report.back.is_empty(), "{report:#?}");
}

#[tokio::test]
async fn old_history_goes_by_itself_and_what_waits_keeps_its_own() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.erp.edit(&customer, "email", "new@example.org");
    world.clock.pass(2);
    world.sync().await;
    let mut engine = world.engine().await;
    let told = engine.store().history(None, 0, 1_000).unwrap();
    assert!(told.len() > 5);
    let about = |event: &tandem_merge::plan::Event| matches!(event.what, EventKind::Edited { .. });
    assert!(told.iter().any(|(_, event)| about(event)));
    drop(engine);
    world.clock.pass(399 * 24 * 3_600);
    world.sync().await;
    assert_eq!(
        world
            .engine()
            .await
            .store()
            .history(None, 0, 1_000)
            .unwrap()
            .len(),
        told.len()
    );
    world.clock.pass(2 * 24 * 3_600);
    world.sync().await;
    let mut engine = world.engine().await;
    assert!(engine.store().history(None, 0, 1_000).unwrap().is_empty());
    assert!(engine.store().runs(0, 1_000).unwrap().is_empty());
    let status = engine.status().unwrap();
    assert_eq!(
        (status.history.lines, status.history.bytes, status.history.oldest),
        (0, 0, None)
    );
}
