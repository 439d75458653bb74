//! The configuration changes on live data.

use crate::flows::{mapping, text};
use crate::veil::Veil;
use crate::world::{World, folder};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_engine::{Changed, Engine, Parts, PlanReport, Standing, plan};
use tandem_ledger::{Home, Keys, Ledger};
use tandem_merge::dataflow::{ConflictPolicy, EnumMap, Kind, Mapping};
use tandem_merge::record::RecordKey;

const FLOW: &str = "customer-division";

fn size(names: &[(&str, &str)]) -> Mapping {
    let own = |pairs: &[(&str, &str)], turned: bool| -> BTreeMap<String, String> {
        let pairs = pairs.iter().map(|(a, b)| if turned { (b, a) } else { (a, b) });
        pairs.map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let map = EnumMap {
        to_second: own(names, false),
        to_first: own(names, true),
    };
    mapping("size", "Size", Kind::Enum(map))
}

async fn rehearse(world: &World) -> PlanReport {
    let copy = folder();
    let store = Ledger::open_copy(
        &Home::Folder(world.folder.path().to_owned()),
        &copy.path().join("copy"),
        &Keys::default(),
    )
    .unwrap();
    plan(world.parts_in(store)).await.unwrap()
}

/// Two customers of a size each, linked with divisions and at rest.
async fn sized() -> (World, [RecordKey; 2], [RecordKey; 2]) {
    let mut world = World::new();
    let names = [("small", "S"), ("large", "L")];
    world.flows.flows[0].mappings.push(size(&names));
    let add = |number: &str, size: &str| {
        let values = [("number", number), ("name", number), ("size", size)];
        world.erp.add("Customer", &values)
    };
    let customers = [add("C1", "small"), add("C2", "large")];
    world.at_rest().await;
    let divisions = world.crm.live("Division");
    let divisions = [divisions[0].clone(), divisions[1].clone()];
    (world, customers, divisions)
}

#[tokio::test]
async fn a_converter_that_changes_converts_what_is_linked_anew_and_plan_says_how_much() {
    let (mut world, customers, divisions) = sized().await;
    assert_eq!(world.crm.value(&divisions[0], "Size"), "S");
    // WHEN small is called otherwise in the CRM
    let names = [("small", "Small"), ("large", "L")];
    *world.flows.flows[0].mappings.last_mut().unwrap() = size(&names);
    // THEN plan shows the change and the one value that moves, and writes nothing
    let report = rehearse(&world).await;
    let [(change, moves)] = report.changes.as_slice() else {
        panic!("{:?}", report.changes)
    };
    assert_eq!(change.what, Changed::PropertyConverted("size".to_owned()));
    assert_eq!((*moves, report.writes.len()), (1, 1));
    assert_eq!(world.crm.value(&divisions[0], "Size"), "S");
    // AND a sync does just that, once
    let before = (world.erp.applied(), world.crm.applied());
    world.sync().await;
    assert_eq!(world.crm.value(&divisions[0], "Size"), "Small");
    assert_eq!(
        (world.erp.applied() - before.0, world.crm.applied() - before.1),
        (0, 1)
    );
    let summary = world.sync().await;
    assert_eq!(
        (world.crm.applied() - before.1, summary.standing()),
        (1, Standing::Done)
    );
    assert_eq!(world.erp.value(&customers[1], "size"), "large");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_conversion_that_died_in_between_begins_again_and_an_edit_meanwhile_counts() {
    let (mut world, customers, divisions) = sized().await;
    let names = [("small", "Small"), ("large", "Large")];
    *world.flows.flows[0].mappings.last_mut().unwrap() = size(&names);
    // GIVEN a state whose conversion was done, and not noted
    let shape = world.shape();
    drop(world.engine().await);
    world.set_shape(&shape);
    // WHEN somebody edits before the next sync
    world.erp.edit(&customers[0], "size", "large");
    world.clock.pass(2);
    // THEN it is done again, and both stand
    world.sync().await;
    assert_eq!(world.crm.value(&divisions[0], "Size"), "Large");
    assert_eq!(world.crm.value(&divisions[1], "Size"), "Large");
    assert_eq!(world.erp.value(&customers[0], "size"), "large");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_mapping_change_that_rewrites_too_much_is_held() {
    let (mut world, _, divisions) = sized().await;
    world.flows.flows[0].guard.edits = Some(tandem_merge::dataflow::EditGuard {
        count: 1,
        percent: 50,
        hours: 1,
    });
    world.sync().await;
    let names = [("small", "Small"), ("large", "Large")];
    *world.flows.flows[0].mappings.last_mut().unwrap() = size(&names);
    let summary = world.sync().await;
    assert_eq!((summary.holds.len(), summary.standing()), (1, Standing::Waits));
    assert_eq!(world.crm.value(&divisions[0], "Size"), "S");
    let mut engine = world.engine().await;
    engine.approve_flow(FLOW, None).unwrap();
    engine.sync().await.unwrap();
    assert_eq!(world.crm.value(&divisions[0], "Size"), "Small");
    assert_eq!(world.crm.value(&divisions[1], "Size"), "Large");
}

async fn open(world: &World, veil: &Arc<Veil>) -> Engine {
    veil.describe().await.unwrap();
    let systems = [
        Arc::clone(&world.erp) as Arc<dyn Connector>,
        Arc::clone(veil) as _,
    ];
    Engine::open(Parts {
        systems,
        ..world.parts()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_property_that_is_added_meets_like_at_a_first_link_and_what_was_never_read_is_not_blank() {
    // GIVEN customers and divisions linked without their e-mail addresses, which the CRM does not even show
    let mut world = World::new();
    world.flows.flows[0].conflict = ConflictPolicy::Wins(tandem_merge::dataflow::Side::First);
    let email = world.flows.flows[0].mappings.pop().unwrap();
    assert_eq!(email.properties[0], "email");
    let add = |number: &str, email: &str| {
        let values = [("number", number), ("name", number), ("email", email)];
        world.erp.add("Customer", &values)
    };
    let customers = [
        add("C1", ""),
        add("C2", "erp@example.org"),
        add("C3", "erp@example.org"),
    ];
    let veil = Veil::over(&world.crm, &world.flows);
    veil.hide("Division", "Email");
    open(&world, &veil).await.sync().await.unwrap();
    let divisions = world.crm.live("Division");
    for (division, email) in divisions.iter().zip(["crm@example.org", "", "crm@example.org"]) {
        world.crm.edit(division, "Email", email);
    }
    world.clock.pass(120);
    open(&world, &veil).await.sync().await.unwrap();
    world.clock.pass(120);
    open(&world, &veil).await.sync().await.unwrap();
    // WHEN they are mapped, and shown
    veil.show("Division", "Email");
    world.flows.flows[0].mappings.push(text("email", "Email"));
    let mut engine = open(&world, &veil).await;
    assert_eq!(
        engine.changes()[0].what,
        Changed::PropertyAdded("email".to_owned())
    );
    let summary = engine.sync().await.unwrap();
    // THEN the value goes where blank stood, and where both have one the policy decides
    assert_eq!(summary.standing(), Standing::Done, "{summary:?}");
    let all: Vec<(String, String)> = customers
        .iter()
        .zip(&divisions)
        .map(|(customer, division)| {
            (
                world.erp.value(customer, "email"),
                world.crm.value(division, "Email"),
            )
        })
        .collect();
    let same = |email: &str| (email.to_owned(), email.to_owned());
    assert_eq!(
        all,
        [
            same("crm@example.org"),
            same("erp@example.org"),
            same("erp@example.org")
        ]
    );
}

#[tokio::test]
async fn what_is_taken_out_of_the_configuration_stays_in_both_systems_and_works_when_it_is_back() {
    let mut world = World::new();
    let (customer, order) = world.customer_with_order();
    world.erp.edit(&customer, "email", "first@example.org");
    world.at_rest().await;
    let (division, invoice) = (
        world.only(&world.crm, "Division"),
        world.only(&world.crm, "Invoice"),
    );
    let whole = world.flows.clone();
    let before = (world.erp.applied(), world.crm.applied());
    // WHEN a property and a flow are taken out
    world.flows.flows[0].mappings.pop();
    world.flows.flows.remove(1);
    world.erp.edit(&customer, "email", "second@example.org");
    world.erp.edit(&order, "description", "second");
    world.clock.pass(2);
    world.sync().await;
    // THEN nothing of theirs is touched, and the rest goes on
    assert_eq!(world.crm.value(&division, "Email"), "first@example.org");
    assert_eq!(world.crm.value(&invoice, "Description"), "first");
    assert_eq!(
        (world.erp.applied() - before.0, world.crm.applied() - before.1),
        (0, 1)
    );
    // WHEN they are back, what was edited meanwhile travels, and no record was made twice
    world.flows = whole;
    world.clock.pass(120);
    let mut engine = world.engine().await;
    let changes: Vec<Changed> = engine
        .changes()
        .iter()
        .map(|change| change.what.clone())
        .collect();
    assert!(changes.contains(&Changed::Added), "{changes:?}");
    assert!(
        changes.contains(&Changed::PropertyAdded("email".to_owned())),
        "{changes:?}"
    );
    engine.sync().await.unwrap();
    drop(engine);
    assert_eq!(world.crm.value(&division, "Email"), "second@example.org");
    assert_eq!(world.crm.value(&invoice, "Description"), "second");
    assert_eq!(world.crm.live("Invoice").len(), 1);
    world.assert_clean().await;
}
