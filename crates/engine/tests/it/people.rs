//! What people decide: approvals, answers, another try; and rounds on a schedule.

use crate::fake::{Fault, refusal};
use crate::flows::t;
use crate::world::World;
use jiff::SignedDuration;
use std::sync::{Arc, Mutex};
use tandem_connector::RefusalKind;
use tandem_engine::{Choice, Clock, Engine, Happening, Parts, Request, Schedule, Standing, Watcher};
use tandem_ledger::Stood;
use tandem_merge::dataflow::{ConflictPolicy, DeletePolicy};
use tokio::sync::{mpsc, oneshot};

#[tokio::test]
async fn a_conflict_under_ask_waits_for_an_answer_and_takes_it() {
    let mut world = World::new();
    for flow in &mut world.flows.flows {
        flow.conflict = ConflictPolicy::Ask;
    }
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.edit(&customer, "name", "Of the ERP");
    world.crm.edit(&division, "Name", "Of the CRM");
    world.clock.pass(2);
    let summary = world.sync().await;
    assert_eq!(summary.standing(), Standing::Waits);
    let mut engine = world.engine().await;
    let item = engine.store().items(0, 10).unwrap().remove(0);
    assert_eq!(item.contenders.len(), 2, "{item:?}");
    engine
        .resolve(item.number, &Choice::Record(division.clone()))
        .unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.erp.value(&customer, "name"), "Of the CRM");
}

#[tokio::test]
async fn an_answer_to_a_conflict_that_has_changed_is_refused() {
    let mut world = World::new();
    for flow in &mut world.flows.flows {
        flow.conflict = ConflictPolicy::Ask;
    }
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.edit(&customer, "name", "Of the ERP");
    world.crm.edit(&division, "Name", "Of the CRM");
    world.clock.pass(2);
    world.sync().await;
    let mut engine = world.engine().await;
    assert!(engine.resolve(9_999, &Choice::Head).is_err());
    let item = engine.store().items(0, 10).unwrap().remove(0);
    engine
        .resolve(item.number, &Choice::Value(t("Of a person")))
        .unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.erp.value(&customer, "name"), "Of a person");
    assert_eq!(world.crm.value(&division, "Name"), "Of a person");
}

#[tokio::test]
async fn a_deletion_that_asks_is_carried_on_once_approved() {
    let mut world = World::new();
    for flow in &mut world.flows.flows {
        flow.ends[0].on_delete = DeletePolicy::Ask;
    }
    let (customer, _) = world.customer_with_order();
    world.at_rest().await;
    world.erp.delete(&customer);
    let summary = world.sync().await;
    assert_eq!(summary.flows["customer-division"].approvals, 1, "{summary:#?}");
    assert_eq!(world.crm.live("Division").len(), 1);
    let mut engine = world.engine().await;
    let item = engine.store().items(0, 10).unwrap().remove(0);
    engine.approve(item.number, None).unwrap();
    engine.sync().await.unwrap();
    assert!(world.crm.live("Division").is_empty());
}

#[tokio::test]
async fn retry_sends_a_refused_create_again() {
    let world = World::new();
    world
        .crm
        .fault("Division", Fault::Refused(refusal(RefusalKind::Limit, &[])));
    let (customer, _) = world.customer_with_order();
    world.sync().await;
    assert!(world.crm.live("Division").is_empty());
    let mut engine = world.engine().await;
    engine.retry(&customer).unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.crm.live("Division").len(), 1);
}

#[tokio::test]
async fn people_are_served_while_a_round_goes_on_and_what_follows_is_done_at_once() {
    // GIVEN a run that has begun to ask the systems, and somebody who comes meanwhile and pauses a flow
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    let mut engine = world.engine().await;
    let (requests, desk) = mpsc::channel::<Request>(4);
    engine.listen(desk);
    let (stop, stopped) = oneshot::channel::<()>();
    let (answer, answered) = oneshot::channel::<u64>();
    let pause: Request = Box::new(move |engine| {
        Box::pin(async move {
            engine.pause("customer-division").unwrap();
            let linked = engine.status().unwrap().flows["customer-division"].linked;
            answer.send(linked).unwrap();
        })
    });
    let resume: Request =
        Box::new(move |engine| Box::pin(async move { engine.resume("customer-division").unwrap() }));
    requests.send(pause).await.unwrap();
    let schedule = Schedule {
        every: SignedDuration::from_secs(3_600),
        ..Schedule::default()
    };
    let people = async {
        let linked = answered.await.unwrap();
        assert_eq!(linked, 0, "nobody waited for the end of the round");
        assert!(world.crm.live("Division").is_empty(), "nothing of it was written");
        // WHEN it goes on again
        requests.send(resume).await.unwrap();
        // THEN what follows is done long before the systems are asked again
        let began = world.clock.now();
        while world.erp.value(&customer, "stamp").is_empty() {
            tokio::task::yield_now().await;
        }
        let took = world.clock.now().duration_since(began);
        assert!(took < SignedDuration::from_secs(60), "{took}");
        stop.send(()).unwrap();
    };
    let stopped = async move { stopped.await.unwrap() };
    let (run, ()) = futures::join!(engine.run(&schedule, stopped), people);
    run.unwrap();
    drop(engine);
    assert_eq!(
        world.erp.value(&customer, "stamp"),
        world.only(&world.crm, "Division").id
    );
}

/// Asks for a pause of a flow as soon as the first writes leave.
struct Hasty(Mutex<Option<(mpsc::Sender<Request>, Request)>>);

impl Watcher for Hasty {
    fn happened(&self, what: &Happening<'_>) {
        if let Happening::Sending { system: "crm", .. } = what
            && let Some((asks, request)) = self.0.lock().unwrap().take()
        {
            asks.try_send(request).unwrap();
        }
    }
}

#[tokio::test]
async fn a_pause_holds_from_the_moment_it_is_answered_also_for_what_was_chosen_to_be_sent() {
    // GIVEN more customers than travel at once, and somebody who pauses their flow as soon as the first ones leave
    let world = World::new();
    for number in 0..15 {
        world
            .erp
            .add("Customer", &[("number", &format!("C{number}")), ("name", "Many")]);
    }
    let (asks, desk) = mpsc::channel::<Request>(1);
    let pause: Request = Box::new(|engine| Box::pin(async { engine.pause("customer-division").unwrap() }));
    let watcher = Hasty(Mutex::new(Some((asks, pause))));
    let parts = Parts {
        watcher: Arc::new(watcher),
        ..world.parts()
    };
    let mut engine = Engine::open(parts).await.unwrap();
    engine.listen(desk);
    // THEN what was on its way arrives, and nothing else of it leaves
    engine.sync().await.unwrap();
    assert!(world.crm.live("Division").len() <= 6, "two packs of three");
    assert!(!world.crm.live("Division").is_empty());
    // WHEN it goes on, all of them come
    engine.resume("customer-division").unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.crm.live("Division").len(), 15);
}

/// Rounds every half a minute until so many seconds went by.
async fn rounds_for(world: &World, engine: &mut Engine, seconds: i64) {
    let schedule = Schedule {
        every: SignedDuration::from_secs(30),
        ..Schedule::default()
    };
    let end = world.clock.now() + SignedDuration::from_secs(seconds);
    let stop = async {
        while world.clock.now() < end {
            tokio::task::yield_now().await;
        }
    };
    engine.run(&schedule, stop).await.unwrap();
}

#[tokio::test]
async fn how_long_a_flow_rested_is_noted_while_rounds_go_on_and_nothing_where_none_did() {
    let world = World::new();
    let began = world.clock.now();
    let seconds = |engine: &mut Engine, stood: &Stood| {
        let hours = engine.store().hours(began).unwrap();
        let of = hours.iter().filter(|hour| hour.what == stood.what());
        of.map(|hour| hour.n).collect::<Vec<_>>()
    };
    let (watched, paused) = (Stood::Watched, Stood::Paused("customer-division".to_owned()));
    // GIVEN rounds for a while, then some with a flow that is paused, over the end of an hour
    let mut engine = world.engine().await;
    rounds_for(&world, &mut engine, 600).await;
    assert!(seconds(&mut engine, &paused).is_empty());
    engine.pause("customer-division").unwrap();
    rounds_for(&world, &mut engine, 4_000).await;
    drop(engine);
    // WHEN nobody works for hours, and then somebody does
    world.clock.pass(7_200);
    let mut engine = world.engine().await;
    engine.resume("customer-division").unwrap();
    rounds_for(&world, &mut engine, 300).await;
    // THEN each is told for as long as it was, to half a minute or so, and the hours between are of no record
    let all = |of: &[u64]| of.iter().sum::<u64>();
    let [watched, paused] = [watched, paused].map(|stood| seconds(&mut engine, &stood));
    assert!((4_800..=5_000).contains(&all(&watched)), "{watched:?}");
    assert!((3_900..=4_100).contains(&all(&paused)), "{paused:?}");
    assert!(
        paused.len() >= 2 && watched.iter().all(|n| *n <= 3_600),
        "{watched:?} {paused:?}"
    );
}
