//! Two systems that are populated already: matches shown first, decisions carried out, only new records, filters.

use crate::flows::ERP;
use crate::world::{World, folder};
use tandem_engine::{Match, MatchReport, Standing, matches};
use tandem_ledger::{Home, Ledger};
use tandem_merge::dataflow::{CreatePolicy, MatchPart, MatchRule, Normaliser};
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::filter::Filter;
use tandem_merge::record::RecordKey;

const FLOW: &str = "customer-division";

/// One pair, one tie of two divisions for a customer, one single on each side, and a customer that is there twice.
struct Town {
    world: World,
    tied: RecordKey,
    divisions: [RecordKey; 2],
}

fn town() -> Town {
    let world = World::new();
    let erp = |number: &str, name: &str| world.erp.add("Customer", &[("number", number), ("name", name)]);
    let crm = |number: &str, name: &str| world.crm.add("Division", &[("Number", number), ("Name", name)]);
    erp("C1", "Pair");
    crm("C1", "Pair");
    let tied = erp("C2", "Tie");
    let divisions = [crm("C2", "Nothing alike"), crm("C2", "Tie")];
    erp("C3", "Only here");
    crm("C4", "Only there");
    erp("C5", "Twice");
    erp("c5", "Twice as well");
    Town {
        world,
        tied,
        divisions,
    }
}

async fn look(world: &World) -> (Vec<Match>, MatchReport) {
    let copy = folder();
    let store = Ledger::open_copy(
        &Home::Folder(world.folder.path().to_owned()),
        copy.path(),
        &tandem_ledger::Keys::default(),
    )
    .unwrap();
    let mut found = Vec::new();
    let mut see = |one: &Match| found.push(one.clone());
    let report = matches(world.parts_in(store), None, &mut see).await.unwrap();
    (found, report)
}

fn link(first: &RecordKey, second: &RecordKey) -> Decision {
    Decision::Link {
        flow: FLOW.to_owned(),
        first: first.clone(),
        second: second.clone(),
    }
}

fn different(first: &RecordKey, second: &RecordKey) -> Decision {
    Decision::Different {
        flow: FLOW.to_owned(),
        first: first.clone(),
        second: second.clone(),
    }
}

#[tokio::test]
async fn matches_are_shown_and_nothing_is_written() {
    let Town {
        world,
        tied,
        divisions,
    } = town();
    let (found, report) = look(&world).await;
    let counts = report.flows[FLOW];
    assert_eq!(
        (counts.linked, counts.pairs, counts.ties),
        (0, 1, 1),
        "{found:#?}"
    );
    assert_eq!((counts.singles, counts.duplicates), ([3, 1], [1, 1]));
    let tie = found.iter().find_map(|one| match one {
        Match::Tie(pairs) => Some(pairs),
        _ => None,
    });
    let tie = tie.unwrap();
    assert_eq!(tie.len(), 2);
    assert!(tie.iter().all(|pair| pair.first.key == tied));
    // The most alike comes first.
    assert_eq!((&tie[0].second.key, tie[0].score), (&divisions[1], 100));
    assert!(tie[1].score < 100);
    let singles: Vec<&String> = found
        .iter()
        .filter_map(|one| match one {
            Match::Single { why, .. } => Some(why),
            _ => None,
        })
        .collect();
    assert!(
        singles.iter().any(|why| *why == "its Division is created in crm"),
        "{singles:?}"
    );
    assert_eq!((world.erp.applied(), world.crm.applied()), (0, 0));
    assert!(
        world
            .engine()
            .await
            .store()
            .links(None, 0, 10)
            .unwrap()
            .is_empty()
    );
    // The same again, byte for byte (R9).
    assert_eq!(look(&world).await.0, found);
}

#[tokio::test]
async fn decisions_before_the_first_sync_end_the_tie_for_good() {
    let Town {
        world,
        tied,
        divisions,
    } = town();
    let [far, near] = &divisions;
    let mut engine = world.engine().await;
    assert!(engine.look().await.unwrap().troubles.is_empty());
    let decisions = [link(&tied, near), different(&tied, far)];
    // WHEN it is weighed nothing changes
    assert_eq!(
        engine.weigh_links(&decisions).unwrap(),
        [Outcome::Done, Outcome::Done]
    );
    assert!(engine.store().links(None, 0, 10).unwrap().is_empty());
    assert_eq!(
        engine.decide_links(&decisions).unwrap(),
        [Outcome::Done, Outcome::Done]
    );
    assert_eq!(
        engine.decide_links(&decisions).unwrap(),
        [Outcome::Already, Outcome::Already]
    );
    let again = engine.weigh_links(&[link(&tied, far)]).unwrap();
    assert!(
        matches!(&again[0], Outcome::Refused(why) if why.contains("linked with")),
        "{again:?}"
    );
    drop(engine);
    // THEN the sync links the rest, and what is different becomes a customer of its own
    world.sync().await;
    let mut engine = world.engine().await;
    let links = engine.store().links(Some(FLOW), 0, 100).unwrap();
    let of = |key: &RecordKey| {
        links
            .iter()
            .filter(|link| &link.first == key || &link.second == key)
            .count()
    };
    assert_eq!((of(&tied), of(near), of(far)), (1, 1, 1), "{links:#?}");
    let partner = links.iter().find(|link| &link.second == far).unwrap();
    assert_ne!(partner.first, tied);
    assert_eq!(world.erp.value(&partner.first, "number"), "C2");
    drop(engine);
    let (found, report) = look(&world).await;
    assert_eq!(report.flows[FLOW].ties, 0, "{found:#?}");
    world.assert_clean().await;
}

#[tokio::test]
async fn many_decisions_about_one_another_are_carried_out_in_order() {
    let world = World::new();
    let numbers: Vec<String> = (0..300).map(|number| format!("N{number}")).collect();
    let mut decisions = Vec::new();
    for number in &numbers {
        let customer = world.erp.add("Customer", &[("number", number), ("name", number)]);
        let there = format!("other {number}");
        let division = world.crm.add("Division", &[("Number", &there), ("Name", &there)]);
        decisions.push(link(&customer, &division));
    }
    let mut engine = world.engine().await;
    engine.look().await.unwrap();
    let done = engine.decide_links(&decisions).unwrap();
    assert!(done.iter().all(|outcome| *outcome == Outcome::Done));
    assert_eq!(engine.store().links(None, 0, 1_000).unwrap().len(), 300);
}

#[tokio::test]
async fn only_new_onboarding_leaves_what_was_there_and_creates_what_comes() {
    let mut world = World::new();
    for flow in &mut world.flows.flows {
        flow.ends
            .iter_mut()
            .for_each(|end| end.create = CreatePolicy::OnlyNew);
    }
    world.erp.add("Customer", &[("number", "C1"), ("name", "Old")]);
    world
        .crm
        .add("Division", &[("Number", "C2"), ("Name", "Old there")]);
    let both = [("number", "C3"), ("name", "Both")];
    world.erp.add("Customer", &both);
    world.crm.add("Division", &[("Number", "C3"), ("Name", "Both")]);
    world.clock.pass(60);
    let summary = world.sync().await;
    assert_eq!(summary.flows[FLOW].linked, 1);
    assert_eq!(summary.flows[FLOW].not_created, 2);
    assert_eq!(
        (world.erp.live("Customer").len(), world.crm.live("Division").len()),
        (2, 2)
    );
    world.clock.pass(60);
    world.erp.add("Customer", &[("number", "C4"), ("name", "New")]);
    world
        .crm
        .add("Division", &[("Number", "C5"), ("Name", "New there")]);
    world.clock.pass(60);
    world.sync().await;
    assert_eq!(
        (world.erp.live("Customer").len(), world.crm.live("Division").len()),
        (4, 4)
    );
}

#[tokio::test]
async fn records_are_matched_by_a_property_that_holds_the_other_systems_id() {
    let mut world = World::new();
    world.flows.flows[0].match_rules.insert(
        0,
        MatchRule {
            parts: vec![MatchPart {
                properties: ["id".to_owned(), "Legacy".to_owned()],
                normaliser: Normaliser::Trim,
            }],
            ..MatchRule::default()
        },
    );
    let customer = world.erp.add("Customer", &[("number", "C1"), ("name", "Here")]);
    let division = world.crm.add(
        "Division",
        &[("Legacy", &customer.id), ("Number", "other"), ("Name", "There")],
    );
    world.sync().await;
    let links = world.engine().await.store().links(Some(FLOW), 0, 10).unwrap();
    assert_eq!((&links[0].first, &links[0].second), (&customer, &division));
    assert_eq!(world.erp.live("Customer").len(), 1);
}

#[tokio::test]
async fn a_filter_syncs_what_is_inside_and_unlinks_what_leaves() {
    let mut world = World::new();
    world.flows.flows[0].ends[0].filter =
        Some(Filter::parse("rating >= 'C' and rating is not blank").unwrap());
    let won = world
        .erp
        .add("Customer", &[("number", "C1"), ("name", "Won"), ("rating", "D")]);
    let lost = world
        .erp
        .add("Customer", &[("number", "C2"), ("name", "Lost"), ("rating", "A")]);
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    assert_eq!(world.crm.value(&division, "Number"), "C1");
    // WHEN it leaves, its counterpart stays as it is
    world.erp.edit(&won, "rating", "A");
    world.erp.edit(&won, "name", "Won no more");
    world.clock.pass(2);
    world.at_rest().await;
    assert!(
        world
            .engine()
            .await
            .store()
            .links(None, 0, 10)
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.crm.value(&division, "Name"), "Won");
    assert_eq!(world.crm.live("Division").len(), 1);
    // AND back inside it is linked with the same one, another that enters is created
    world.erp.edit(&won, "rating", "C");
    world.erp.edit(&lost, "rating", "C");
    world.clock.pass(2);
    world.at_rest().await;
    let links = world.engine().await.store().links(Some(FLOW), 0, 10).unwrap();
    assert!(
        links
            .iter()
            .any(|link| link.first == won && link.second == division),
        "{links:#?}"
    );
    assert_eq!((links.len(), world.crm.live("Division").len()), (2, 2));
    world.assert_clean().await;
    assert_eq!(world.sync().await.standing(), Standing::Done);
}

#[tokio::test]
async fn matches_of_a_system_that_is_down_are_trouble() {
    let Town { world, .. } = town();
    world.erp.state.lock().unwrap().down = true;
    let copy = folder();
    let store = Ledger::open_copy(
        &Home::Folder(world.folder.path().to_owned()),
        copy.path(),
        &tandem_ledger::Keys::default(),
    )
    .unwrap();
    let mut see = |one: &Match| panic!("{one:?}");
    let found = matches(world.parts_in(store), None, &mut see).await;
    let told = match found {
        Ok(report) => report.troubles.iter().any(|trouble| trouble.system == ERP),
        Err(_) => true,
    };
    assert!(told);
}
