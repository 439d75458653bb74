//! What a system changes by itself because a record was deleted or put out of use belongs to that event (E18).

use crate::fake::{Fake, Fault};
use crate::flows::{t, with_contacts};
use crate::world::World;
use tandem_engine::Standing;
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::dataflow::{DeletePolicy, Side};
use tandem_merge::record::RecordKey;

const FLOW: &str = "contact-contact";

/// Two systems that blank what names a deleted contact.
fn world() -> World {
    world_with(|erp| erp)
}

/// The same with another ERP.
fn world_with(erp: impl FnOnce(Fake) -> Fake) -> World {
    let mut world = World::with(
        |own| erp(own).blanking("Contact", "boss").blanking("Order", "contact"),
        |crm| {
            crm.blanking("Contact", "Boss")
                .blanking("Order", "Contact")
                .deleting_anyway()
        },
    );
    world.flows = with_contacts();
    world
}

/// A boss, a report and an order that name it, with their counterparts: on the ERP's side, then on the CRM's.
struct Case {
    world: World,
    boss: [RecordKey; 2],
    report: [RecordKey; 2],
    order: [RecordKey; 2],
}

impl Case {
    async fn new() -> Self {
        Self::of(world()).await
    }

    async fn of(world: World) -> Self {
        let customer = world
            .erp
            .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
        let boss = world.erp.add("Contact", &[("name", "Boss")]);
        let own = [("name", "Report"), ("boss", boss.id.as_str())];
        let report = world.erp.add("Contact", &own);
        let order = world.order(&customer, "O1");
        world.erp.edit(&order, "contact", &boss.id);
        world.at_rest().await;
        let named = |name: &str| {
            let mut all = world.crm.live("Contact").into_iter();
            all.find(|key| world.crm.value(key, "Name") == name).unwrap()
        };
        let (theirs, reports) = (named("Boss"), named("Report"));
        let orders = world.only(&world.crm, "Order");
        let case = Self {
            boss: [boss, theirs],
            report: [report, reports],
            order: [order, orders],
            world,
        };
        case.assert_names(case.boss.clone()).await;
        case
    }

    fn system(&self, side: Side) -> &Fake {
        match side {
            Side::First => &self.world.erp,
            Side::Second => &self.world.crm,
        }
    }

    /// What the report and the order name on a side.
    fn references(&self, side: Side) -> [String; 2] {
        let properties = match side {
            Side::First => ["boss", "contact"],
            Side::Second => ["Boss", "Contact"],
        };
        let system = self.system(side);
        [
            system.value(&self.report[side.index()], properties[0]),
            system.value(&self.order[side.index()], properties[1]),
        ]
    }

    /// The boss is deleted on a side, and a person is asked.
    async fn deleted(&self, side: Side) {
        self.system(side).delete(&self.boss[side.index()]);
        self.world.clock.pass(2);
        self.assert_waits(side).await;
    }

    /// A person is asked about the deletion alone, and nothing else happened.
    async fn assert_waits(&self, side: Side) {
        let written = self.written();
        let summary = self.world.sync().await;
        assert_eq!(summary.standing(), Standing::Waits);
        assert_eq!(summary.flows[FLOW].approvals, 1);
        assert_eq!(self.written(), written, "nothing is written while it waits");
        let (other, id) = (side.other(), &self.boss[side.other().index()].id);
        assert_eq!(self.references(other), [id.clone(), id.clone()]);
        assert_eq!(self.references(side), ["", ""]);
        let mut engine = self.world.engine().await;
        let items = engine.store().items(0, 10).unwrap();
        let asked = items.iter().find(|item| item.kind == Some(ParkedKind::Approval));
        let reason = &asked.unwrap().reason;
        assert!(
            reason.contains("2 records lost their reference to it"),
            "{reason}"
        );
        let rest = items
            .iter()
            .filter(|item| item.kind != Some(ParkedKind::Approval));
        let rest: Vec<_> = rest.map(|item| item.kind).collect();
        assert_eq!(rest, [Some(ParkedKind::Deferred); 2], "{items:#?}");
        drop(engine);
        self.world.assert_clean().await;
    }

    async fn decide(&self, verdict: Verdict) {
        let mut engine = self.world.engine().await;
        let items = engine.store().items(0, 10).unwrap();
        let mut items = items.iter();
        let asked = items
            .find(|item| item.kind == Some(ParkedKind::Approval))
            .unwrap();
        engine.approve(asked.number, Some(verdict)).unwrap();
        drop(engine);
        self.world.at_rest().await;
    }

    fn written(&self) -> [usize; 2] {
        [self.world.erp.applied(), self.world.crm.applied()]
    }

    /// The report and the order name these on the two sides, all agrees, and nothing is left to do.
    async fn assert_names(&self, boss: [RecordKey; 2]) {
        for side in Side::BOTH {
            let id = boss[side.index()].id.clone();
            assert_eq!(self.references(side), [id.clone(), id], "{side:?}");
        }
        self.assert_at_rest().await;
    }

    async fn assert_at_rest(&self) {
        self.world.at_rest().await;
        let written = self.written();
        let summary = self.world.sync().await;
        assert_eq!(summary.standing(), Standing::Done, "{:?}", summary.flows);
        assert_eq!(self.written(), written);
        self.world.assert_clean().await;
    }

    /// The boss that is there now on a side.
    fn boss_now(&self, side: Side) -> RecordKey {
        let property = if side == Side::First { "name" } else { "Name" };
        let live = self.system(side).live("Contact").into_iter();
        let mut bosses = live.filter(|key| self.system(side).value(key, property) == "Boss");
        let boss = bosses.next().unwrap();
        assert!(bosses.next().is_none());
        boss
    }
}

#[tokio::test]
async fn a_deletion_that_waits_blanks_nothing_on_the_other_side_and_recreate_brings_all_back() {
    for side in Side::BOTH {
        let case = Case::new().await;
        case.deleted(side).await;
        case.assert_waits(side).await;
        case.decide(Verdict::Recreate).await;
        let mut boss = case.boss.clone();
        boss[side.index()] = case.boss_now(side);
        assert_ne!(boss[side.index()], case.boss[side.index()]);
        case.assert_names(boss).await;
    }
}

#[tokio::test]
async fn an_undelete_brings_the_references_back_before_and_after_the_answer() {
    for side in Side::BOTH {
        for verdict in [None, Some(Verdict::Unlink)] {
            let case = Case::new().await;
            case.deleted(side).await;
            if let Some(verdict) = verdict {
                case.decide(verdict).await;
            }
            case.system(side).undelete(&case.boss[side.index()]);
            case.world.clock.pass(2);
            case.world.at_rest().await;
            case.assert_names(case.boss.clone()).await;
        }
    }
}

#[tokio::test]
async fn a_deletion_that_is_carried_on_takes_the_references_with_it() {
    for side in Side::BOTH {
        let case = Case::new().await;
        case.deleted(side).await;
        case.decide(Verdict::Propagate).await;
        assert_eq!(case.references(Side::First), ["", ""]);
        assert_eq!(case.references(Side::Second), ["", ""]);
        case.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_deletion_is_carried_on_where_nothing_that_is_named_may_be_deleted() {
    for policy in [DeletePolicy::Ask, DeletePolicy::Propagate] {
        let mut case = Case::of(world_with(Fake::keeping_named)).await;
        case.world.flows.flows[1].ends[1].on_delete = policy;
        if policy == DeletePolicy::Ask {
            case.deleted(Side::Second).await;
            case.decide(Verdict::Propagate).await;
        } else {
            case.system(Side::Second).delete(&case.boss[1]);
            case.world.clock.pass(2);
            case.world.sync().await;
        }
        assert!(
            !case.world.erp.live("Contact").contains(&case.boss[0]),
            "{policy:?}"
        );
        assert_eq!(case.references(Side::First), ["", ""]);
        assert_eq!(case.references(Side::Second), ["", ""]);
        case.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_deletion_that_is_carried_on_blanks_what_the_other_system_leaves() {
    let mut world = World::with(|erp| erp, |crm| crm.blanking("Contact", "Boss"));
    world.flows = with_contacts();
    for end in &mut world.flows.flows[1].ends {
        end.on_delete = DeletePolicy::Propagate;
    }
    let boss = world.erp.add("Contact", &[("name", "Boss")]);
    let own = [("name", "Report"), ("boss", boss.id.as_str())];
    let report = world.erp.add("Contact", &own);
    world.at_rest().await;
    let mut theirs = world.crm.live("Contact").into_iter();
    let theirs = theirs.find(|key| world.crm.value(key, "Name") == "Boss").unwrap();
    world.crm.delete(&theirs);
    world.clock.pass(2);
    world.at_rest().await;
    assert_eq!(world.erp.live("Contact"), [report.clone()].as_slice());
    assert_eq!(world.erp.value(&report, "boss"), "");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_counterpart_that_is_unlinked_keeps_what_names_it() {
    for side in Side::BOTH {
        let case = Case::new().await;
        case.deleted(side).await;
        case.decide(Verdict::Unlink).await;
        let id = case.boss[side.other().index()].id.clone();
        assert_eq!(case.references(side.other()), [id.clone(), id]);
        assert_eq!(case.references(side), ["", ""]);
        case.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_blank_that_is_seen_before_the_deletion_is_no_edit_either() {
    for side in Side::BOTH {
        let case = Case::new().await;
        // GIVEN a feed that shows what was blanked and not what was deleted: a read by id does.
        let boss = &case.boss[side.index()];
        case.system(side).delete(boss);
        case.system(side).vanish(boss);
        case.world.clock.pass(2);
        case.assert_waits(side).await;
        case.decide(Verdict::Recreate).await;
        let mut boss = case.boss.clone();
        boss[side.index()] = case.boss_now(side);
        case.assert_names(boss).await;
    }
}

#[tokio::test]
async fn a_reference_that_a_person_clears_travels_in_the_same_sync() {
    for side in Side::BOTH {
        let case = Case::new().await;
        let property = if side == Side::First { "boss" } else { "Boss" };
        case.system(side).edit(&case.report[side.index()], property, "");
        case.world.clock.pass(2);
        assert_eq!(case.world.sync().await.standing(), Standing::Done);
        assert_eq!(case.references(side.other())[0], "");
        // What is deleted later brings nothing back.
        case.system(side).delete(&case.boss[side.index()]);
        case.world.clock.pass(2);
        case.world.sync().await;
        case.decide(Verdict::Recreate).await;
        assert_eq!(case.references(Side::First)[0], "");
        assert_eq!(case.references(Side::Second)[0], "");
        assert_eq!(case.references(side)[1], case.boss_now(side).id);
        case.assert_at_rest().await;
    }
}

#[tokio::test]
async fn another_record_chosen_while_a_deletion_waits_stays_chosen() {
    for (side, at) in [
        (Side::First, Side::First),
        (Side::Second, Side::First),
        (Side::Second, Side::Second),
    ] {
        let case = Case::new().await;
        let other = case.world.erp.add("Contact", &[("name", "Other")]);
        case.world.at_rest().await;
        let crm = &case.world.crm;
        let mut theirs = crm.live("Contact").into_iter();
        let theirs = theirs.find(|key| crm.value(key, "Name") == "Other").unwrap();
        case.deleted(side).await;
        let (property, chosen) = match at {
            Side::First => ("boss", &other.id),
            Side::Second => ("Boss", &theirs.id),
        };
        case.system(at).edit(&case.report[at.index()], property, chosen);
        case.world.clock.pass(2);
        case.world.sync().await;
        let both = [
            case.references(Side::First)[0].clone(),
            case.references(Side::Second)[0].clone(),
        ];
        assert_eq!(both, [other.id.clone(), theirs.id.clone()]);
        case.decide(Verdict::Recreate).await;
        let both = [
            case.references(Side::First)[0].clone(),
            case.references(Side::Second)[0].clone(),
        ];
        assert_eq!(both, [other.id, theirs.id]);
        case.assert_at_rest().await;
    }
}

#[tokio::test]
async fn a_record_read_just_before_is_not_deleted_where_it_was_edited_though_conditions_do_not_hold() {
    let mut case = Case::new().await;
    case.world.flows.flows[1].ends[0].on_delete = DeletePolicy::Propagate;
    // GIVEN an edit after the changes were asked for: with the create of another record.
    let edit = (case.boss[1].clone(), crate::fake::texts(&[("Name", "Edited")]));
    case.world.crm.state.lock().unwrap().meddling.push_back(edit);
    case.world.erp.add("Contact", &[("name", "Another")]);
    case.world.erp.delete(&case.boss[0]);
    case.world.clock.pass(2);
    let summary = case.world.sync().await;
    // THEN it is decided again.
    assert_eq!(summary.flows[FLOW].approvals, 1, "{:?}", summary.flows[FLOW]);
    assert_eq!(case.world.crm.value(&case.boss[1], "Name"), "Edited");
    assert!(case.world.crm.live("Contact").contains(&case.boss[1]));
}

/// Contacts of the CRM are put out of use where those of the ERP are deleted.
fn deactivating(policy: DeletePolicy) -> World {
    let mut world = world();
    let contact = &mut world.flows.flows[1];
    contact.ends[0].on_delete = policy;
    contact.ends[1].deactivate = Some(("Use".to_owned(), t("no")));
    world
}

#[tokio::test]
async fn our_own_deactivation_is_asked_about_by_nobody_whatever_becomes_of_its_answer() {
    let policies = [
        DeletePolicy::Deactivate,
        DeletePolicy::AskThenDeactivate,
        DeletePolicy::Ask,
    ];
    let faults = [
        None,
        Some(Fault::LostAnswer),
        Some(Fault::LostRequest),
        Some(Fault::Late(20)),
    ];
    for policy in policies {
        for fault in &faults {
            let told = format!("{policy:?} {fault:?}");
            let world = deactivating(policy);
            let contact = world.erp.add("Contact", &[("name", "Boss"), ("use", "yes")]);
            world.at_rest().await;
            let theirs = world.only(&world.crm, "Contact");
            world.erp.delete(&contact);
            world.clock.pass(2);
            if policy != DeletePolicy::Deactivate {
                world.sync().await;
                let mut engine = world.engine().await;
                let item = engine.store().items(0, 10).unwrap().remove(0);
                engine.approve(item.number, Some(Verdict::Deactivate)).unwrap();
            }
            if let Some(fault) = fault {
                world.crm.fault("Contact", fault.clone());
            }
            let summary = world.sync().await;
            // WHEN it is edited afterwards, nobody is asked either.
            world.crm.edit(&theirs, "Name", "Boss (gone)");
            world.clock.pass(2);
            let later = world.sync().await;
            assert_eq!(summary.standing(), Standing::Done, "{told}");
            assert_eq!(later.standing(), Standing::Done, "{told}");
            assert_eq!(world.crm.value(&theirs, "Use"), "no", "{told}");
            assert!(!world.linked(&theirs, FLOW).await, "{told}");
            assert!(world.erp.live("Contact").is_empty(), "{told}");
            world.assert_clean().await;
        }
    }
}
