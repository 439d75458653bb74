//! What people decide: approvals, answers, another try; and rounds on a schedule.

use crate::fake::{Fault, refusal};
use crate::flows::t;
use crate::world::World;
use jiff::SignedDuration;
use tandem_connector::RefusalKind;
use tandem_engine::{Choice, Engine, Request, Schedule, Standing};
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
async fn run_serves_requests_between_rounds_and_stops_when_told() {
    let world = World::new();
    let (customer, _) = world.customer_with_order();
    let mut engine = world.engine().await;
    let (requests, mut desk) = mpsc::channel::<Request>(4);
    let (stop, stopped) = oneshot::channel::<()>();
    let (answer, answered) = oneshot::channel::<u64>();
    let look: Request = Box::new(move |engine: &mut Engine| {
        let status = engine.status().unwrap();
        answer.send(status.flows["customer-division"].linked).unwrap();
    });
    requests.send(look).await.unwrap();
    let schedule = Schedule {
        every: SignedDuration::from_secs(5),
        ..Schedule::default()
    };
    let people = async {
        let linked = answered.await.unwrap();
        stop.send(()).unwrap();
        linked
    };
    let stopped = async move { stopped.await.unwrap() };
    let (run, linked) = futures::join!(engine.run(&schedule, &mut desk, stopped), people);
    run.unwrap();
    assert_eq!(linked, 1);
    drop(engine);
    assert_eq!(
        world.erp.value(&customer, "stamp"),
        world.only(&world.crm, "Division").id
    );
}
