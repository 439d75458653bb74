//! Creates whose key the system has forgotten.

use crate::fake::Fault;
use crate::world::World;
use jiff::SignedDuration;

#[tokio::test]
async fn e3_a_create_is_not_sent_again_once_its_key_may_be_forgotten() {
    // GIVEN a system that knows a request for ten minutes, and no record otherwise
    let life = SignedDuration::from_mins(10);
    let mut world = World::with(|erp| erp, |crm| crm.knowing_requests_for(life).without_unique());
    for flow in &mut world.flows.flows {
        flow.ends[1].identity = None;
        for rule in &mut flow.companions {
            rule.identity = None;
            rule.find = vec!["Name".to_owned()];
        }
    }
    // and a create that landed there without an answer
    world.erp.add("Customer", &[("number", "C1"), ("name", "A")]);
    world.crm.fault("Division", Fault::LostAnswer);
    world.engine().await.round().await.unwrap();
    let division = world.only(&world.crm, "Division");
    // and that was sent again after five minutes, without an answer
    world.clock.pass(300);
    world.crm.fault("Division", Fault::LostAnswer);
    world.engine().await.round().await.unwrap();
    let mut engine = world.engine().await;
    let open = engine.store().unsettled(0, 10).unwrap();
    assert!(open.len() == 1 && open[0].sent > open[0].first_sent, "{open:#?}");
    drop(engine);
    // WHEN the first attempt is twelve minutes old, and the last one seven
    world.clock.pass(420);
    world.sync().await;
    // THEN what it made is looked for, and found
    assert_eq!(world.only(&world.crm, "Division"), division);
    let mut engine = world.engine().await;
    assert!(engine.store().unsettled(0, 10).unwrap().is_empty());
}
