//! Every policy of conflicts, for a whole flow and for one property, and answers by people.

use crate::world::World;
use tandem_engine::{Choice, Standing};
use tandem_ledger::Item;
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::record::RecordKey;

/// A customer and its division with a name in conflict: the ERP's edit first, the CRM's ten seconds later.
async fn clash(world: &World, property: [&str; 2]) -> [RecordKey; 2] {
    let customer = world.erp.add(
        "Customer",
        &[("number", "C1"), ("name", "First"), ("email", "a@b.example")],
    );
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.erp.edit(&customer, property[0], "of the ERP");
    world.clock.pass(10);
    world.crm.edit(&division, property[1], "of the CRM");
    world.clock.pass(10);
    [customer, division]
}

fn holds(world: &World, [customer, division]: &[RecordKey; 2], property: [&str; 2]) -> [String; 2] {
    [
        world.erp.value(customer, property[0]),
        world.crm.value(division, property[1]),
    ]
}

const NAME: [&str; 2] = ["name", "Name"];
const EMAIL: [&str; 2] = ["email", "Email"];

#[tokio::test]
async fn the_policy_of_a_flow_decides() {
    let cases = [
        (ConflictPolicy::Latest, "of the CRM"),
        (ConflictPolicy::Wins(Side::First), "of the ERP"),
        (ConflictPolicy::Wins(Side::Second), "of the CRM"),
    ];
    for (policy, winner) in cases {
        let mut world = World::new();
        world.flows.flows[0].conflict = policy;
        let records = clash(&world, NAME).await;
        let summary = world.sync().await;
        assert_eq!(summary.standing(), Standing::Done, "{policy:?}");
        assert_eq!(holds(&world, &records, NAME), [winner, winner], "{policy:?}");
        assert_eq!(summary.flows["customer-division"].conflicts, 1);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn the_policy_of_a_property_overrides_its_flows() {
    let cases = [
        (ConflictPolicy::Latest, "of the CRM"),
        (ConflictPolicy::Wins(Side::First), "of the ERP"),
        (ConflictPolicy::Wins(Side::Second), "of the CRM"),
    ];
    for (policy, winner) in cases {
        let mut world = World::new();
        world.flows.flows[0].conflict = ConflictPolicy::Ask;
        let rows = &mut world.flows.flows[0].mappings;
        let row = rows.iter_mut().find(|row| row.properties[0] == "email").unwrap();
        row.conflict = Some(policy);
        let records = clash(&world, EMAIL).await;
        assert_eq!(world.sync().await.standing(), Standing::Done, "{policy:?}");
        assert_eq!(holds(&world, &records, EMAIL), [winner, winner], "{policy:?}");
        // The other properties go on asking.
        world.erp.edit(&records[0], "name", "of the ERP");
        world.crm.edit(&records[1], "Name", "of the CRM");
        world.clock.pass(10);
        assert_eq!(world.sync().await.standing(), Standing::Waits, "{policy:?}");
        assert_eq!(holds(&world, &records, NAME), ["of the ERP", "of the CRM"]);
    }
}

#[tokio::test]
async fn the_latest_edit_of_the_erp_wins_where_it_is_the_latest() {
    let mut world = World::new();
    world.flows.flows[0].conflict = ConflictPolicy::Latest;
    let customer = world.erp.add("Customer", &[("number", "C1"), ("name", "First")]);
    world.at_rest().await;
    let division = world.only(&world.crm, "Division");
    world.crm.edit(&division, "Name", "of the CRM");
    world.clock.pass(10);
    world.erp.edit(&customer, "name", "of the ERP");
    world.clock.pass(10);
    world.sync().await;
    assert_eq!(
        holds(&world, &[customer, division], NAME),
        ["of the ERP", "of the ERP"]
    );
}

#[tokio::test]
async fn at_the_first_link_a_value_wins_over_blank_whatever_the_policy() {
    for policy in [ConflictPolicy::Ask, ConflictPolicy::Wins(Side::Second)] {
        let mut world = World::new();
        world.flows.flows[0].conflict = policy;
        let customer = world.erp.add(
            "Customer",
            &[("number", "C1"), ("name", "Same"), ("email", "a@b.example")],
        );
        let division = world.crm.add("Division", &[("Number", "C1"), ("Name", "Same")]);
        assert_eq!(world.sync().await.standing(), Standing::Done, "{policy:?}");
        let both = holds(&world, &[customer, division], EMAIL);
        assert_eq!(both, ["a@b.example", "a@b.example"], "{policy:?}");
    }
}

#[tokio::test]
async fn clearing_travels_unless_it_is_declared_to_be_no_edit() {
    for blank_is_edit in [true, false] {
        let mut world = World::new();
        for row in &mut world.flows.flows[0].mappings {
            row.blank_is_edit = blank_is_edit;
        }
        let customer = world.erp.add(
            "Customer",
            &[("number", "C1"), ("name", "A"), ("email", "a@b.example")],
        );
        world.at_rest().await;
        let division = world.only(&world.crm, "Division");
        world.crm.edit(&division, "Email", "");
        world.clock.pass(2);
        world.sync().await;
        let left = world.erp.value(&customer, "email");
        assert_eq!(left.is_empty(), blank_is_edit, "{left}");
    }
}

#[tokio::test]
async fn a_side_that_is_not_written_is_read_and_nothing_else() {
    let mut world = World::new();
    world.flows.flows[0].ends[1].write = false;
    world.flows.flows[0].conflict = ConflictPolicy::Wins(Side::First);
    let customer = world.erp.add("Customer", &[("number", "C1"), ("name", "First")]);
    let division = world.crm.add("Division", &[("Number", "C1"), ("Name", "First")]);
    world.at_rest().await;
    world.crm.edit(&division, "Name", "of the CRM");
    world.clock.pass(2);
    world.at_rest().await;
    assert_eq!(world.erp.value(&customer, "name"), "of the CRM");
    world.erp.edit(&customer, "name", "of the ERP");
    world.clock.pass(2);
    world.at_rest().await;
    assert_eq!(world.crm.value(&division, "Name"), "of the CRM");
    assert_eq!(world.crm.applied(), 0);
}

/// A world with one conflict that asks.
async fn asked() -> (World, [RecordKey; 2], Item) {
    let mut world = World::new();
    world.flows.flows[0].conflict = ConflictPolicy::Ask;
    let records = clash(&world, NAME).await;
    world.sync().await;
    let item = world.engine().await.store().items(0, 10).unwrap().remove(0);
    (world, records, item)
}

#[tokio::test]
async fn an_answer_is_refused_where_a_value_was_edited_after_the_last_sync() {
    let (world, records, item) = asked().await;
    world.crm.edit(&records[1], "Name", "edited since");
    world.clock.pass(2);
    let mut engine = world.engine().await;
    engine.read_contenders(&[item.number]).await.unwrap();
    let refused = engine
        .resolve(item.number, &Choice::Record(records[0].clone()))
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("has changed since the conflict was shown"),
        "{refused}"
    );
    drop(engine);
    world.sync().await;
    assert_eq!(holds(&world, &records, NAME), ["of the ERP", "edited since"]);
    // The conflict of the new values is another one: the number shown before hits nothing.
    let mut engine = world.engine().await;
    let again = engine.store().items(0, 10).unwrap().remove(0);
    assert_ne!(again.number, item.number);
    assert!(engine.resolve(item.number, &Choice::Head).is_err());
    engine.read_contenders(&[again.number]).await.unwrap();
    engine
        .resolve(again.number, &Choice::Record(records[0].clone()))
        .unwrap();
    engine.sync().await.unwrap();
    assert_eq!(holds(&world, &records, NAME), ["of the ERP", "of the ERP"]);
}

#[tokio::test]
async fn a_value_given_as_text_is_read_by_the_propertys_type_and_must_fit() {
    let (mut world, records, item) = asked().await;
    for row in &mut world.flows.flows[0].mappings {
        row.max_length[1] = Some(10);
    }
    let mut engine = world.engine().await;
    let long = engine
        .resolve(item.number, &Choice::Text("longer than ten".to_owned()))
        .unwrap_err();
    assert!(long.to_string().contains("cannot be the answer"), "{long}");
    engine
        .resolve(item.number, &Choice::Text("neither".to_owned()))
        .unwrap();
    engine.sync().await.unwrap();
    assert_eq!(holds(&world, &records, NAME), ["neither", "neither"]);
    let history = engine.store().history(None, 0, 1_000).unwrap();
    assert!(
        history
            .iter()
            .any(|(_, event)| event.why == "answered by a person")
    );
}
