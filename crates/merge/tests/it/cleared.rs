//! What a deletion brings along belongs to the deletion (E18): references that a system blanks by itself, and records
//! that we put out of use.

use crate::members::moment;
use crate::plan_laws::{creates, facts, gone, seen, sent, updates, values};
use crate::star::flows::{dataflow, end, flow, mapping};
use std::collections::BTreeMap;
use tandem_merge::cluster::{Cleared, Cluster, Deed, Link, ParkedKind, Unconfirmed, Verdict};
use tandem_merge::dataflow::{Dataflow, DeletePolicy, Kind, Mapping, Reference, Side};
use tandem_merge::facts::{Facts, Referent, Referral};
use tandem_merge::fates::{Became, Fate, Stored, fate};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{Settlement, needs, reconcile, settle};
use tandem_merge::record::{Observation, Presence, RecordKey, Values};
use tandem_merge::value::Value;

const FLOW: &str = "contact";

/// Contacts that name their boss, a contact as well.
fn contacts() -> Dataflow {
    let boss = Mapping {
        kind: Kind::Reference(Reference::Flow(FLOW.to_owned())),
        ..mapping("boss", "BossId")
    };
    let contact = flow(
        FLOW,
        [
            end("erp", "Contact", "stamp", ""),
            end("sf", "Contact", "Ext", "Contact:"),
        ],
        ["name", "Name"],
        vec![mapping("name", "Name"), mapping("phone", "Phone"), boss],
    );
    dataflow(vec![contact])
}

fn own() -> RecordKey {
    RecordKey::new("erp", "Contact", "c")
}

fn theirs() -> RecordKey {
    RecordKey::new("sf", "Contact", "C")
}

fn key(side: Side, id: &str) -> RecordKey {
    RecordKey::new(if side == Side::First { "erp" } else { "sf" }, "Contact", id)
}

fn of_own(boss: &str) -> Values {
    values(&[("name", "Report"), ("stamp", "C"), ("boss", boss)])
}

fn of_theirs(boss: &str) -> Values {
    values(&[("Name", "Report"), ("Ext", "Contact:c"), ("BossId", boss)])
}

fn referral(side: Side, id: &str) -> Referral {
    Referral {
        through: Reference::Flow(FLOW.to_owned()),
        side,
        id: id.to_owned(),
    }
}

/// Facts by which contacts of the two sides are linked.
fn linked(pairs: &[(&str, &str)]) -> Facts {
    let mut known = facts();
    for (first, second) in pairs {
        let to = |id: &str| Referent::Linked(id.to_owned());
        known.referrals.insert(referral(Side::First, first), to(second));
        known.referrals.insert(referral(Side::Second, second), to(first));
    }
    known
}

/// The same, with what became of a boss that a blank reference named.
fn known(pairs: &[(&str, &str)], side: Side, id: &str, became: Became, counterpart: &str) -> Facts {
    let mut known = linked(pairs);
    let fate = Fate {
        of: key(side, id),
        became,
        counterpart: Some(key(side.other(), counterpart)),
    };
    known.fates.insert(referral(side, id), fate);
    known
}

/// The report and its counterpart, linked; their boss is `m` there and `S` here.
fn at_rest(flows: &Dataflow) -> Cluster {
    let rows = vec![seen(&own(), 1, of_own("m")), seen(&theirs(), 1, of_theirs("S"))];
    let plan = reconcile(flows, Cluster::default(), rows, &linked(&[("m", "S")]));
    assert_eq!(plan.cluster.links.len(), 1);
    assert!(updates(&plan.cluster).is_empty());
    plan.cluster
}

fn blank(side: Side, at: i64) -> Observation {
    match side {
        Side::First => seen(&own(), at, of_own("")),
        Side::Second => seen(&theirs(), at, of_theirs("")),
    }
}

/// The boss was deleted on a side, and its references there went blank: known, and undecided.
fn lost(flows: &Dataflow, side: Side) -> Plan {
    let (id, other) = if side == Side::First {
        ("m", "S")
    } else {
        ("S", "m")
    };
    let open = known(&[], side, id, Became::Open, other);
    reconcile(flows, at_rest(flows), vec![blank(side, 10)], &open)
}

fn how(plan: &Plan, side: Side) -> Option<Cleared> {
    let (record, property) = match side {
        Side::First => (own(), "boss"),
        Side::Second => (theirs(), "BossId"),
    };
    plan.cluster.records[&record].cleared.get(property).copied()
}

fn again(flows: &Dataflow, plan: Plan, facts: &Facts) -> Plan {
    reconcile(flows, plan.cluster, Vec::new(), facts)
}

fn written(record: RecordKey, property: &str, value: &str) -> BTreeMap<RecordKey, BTreeMap<String, String>> {
    let value = BTreeMap::from([(property.to_owned(), value.to_owned())]);
    BTreeMap::from([(record, value)])
}

#[test]
fn a_blank_reference_is_no_edit_before_the_record_that_it_named_was_looked_at_again() {
    let flows = contacts();
    for (side, id, there) in [(Side::Second, "S", "boss"), (Side::First, "m", "BossId")] {
        let asked = needs(&flows, &at_rest(&flows), &[blank(side, 10)]);
        assert!(asked.fates.contains(&referral(side, id)));
        // GIVEN a boss that was alive when it was seen last, and a reference to it that went blank.
        let before = known(&[("m", "S")], side, id, Became::Alive, "");
        let plan = reconcile(&flows, at_rest(&flows), vec![blank(side, 10)], &before);
        // THEN nothing is written before the boss was read by a look that begins later.
        assert_eq!(how(&plan, side), Some(Cleared::Asked));
        assert_eq!(
            plan.waits.reread,
            BTreeMap::from([(key(side, id), moment(1_000))])
        );
        assert!(plan.waits.on.contains(&key(side, id)));
        assert!(updates(&plan.cluster).is_empty());
        let unread = known(&[("m", "S")], side, id, Became::Unread, "");
        let plan = again(&flows, plan, &unread);
        assert_eq!(how(&plan, side), Some(Cleared::Asked));
        assert!(plan.waits.reread.is_empty(), "it is asked for once");
        assert!(updates(&plan.cluster).is_empty());
        // WHEN it is still there, somebody cleared the reference.
        let plan = again(&flows, plan, &before);
        let other = if side == Side::First { theirs() } else { own() };
        assert_eq!(updates(&plan.cluster), written(other, there, ""));
        assert!(again(&flows, plan, &linked(&[("m", "S")])).history.is_empty());
    }
}

#[test]
fn a_reference_whose_record_is_out_of_sight_waits_and_is_an_edit_once_it_is_seen_alive() {
    let flows = contacts();
    let unseen = known(&[], Side::Second, "S", Became::Unseen, "");
    let plan = reconcile(&flows, at_rest(&flows), vec![blank(Side::Second, 10)], &unseen);
    let plan = again(&flows, plan, &unseen);
    assert_eq!(how(&plan, Side::Second), Some(Cleared::Asked));
    assert_eq!(
        plan.cluster.records[&theirs()].parked["BossId"].kind,
        ParkedKind::Deferred
    );
    assert!(updates(&plan.cluster).is_empty());
    let alive = known(&[("m", "S")], Side::Second, "S", Became::Alive, "");
    let plan = again(&flows, plan, &alive);
    assert_eq!(updates(&plan.cluster), written(own(), "boss", ""));
}

#[test]
fn nothing_is_decided_about_a_blank_reference_that_is_out_of_sight_and_nothing_forgotten() {
    let flows = contacts();
    let alive = known(&[("m", "S")], Side::Second, "S", Became::Alive, "");
    let asked = reconcile(&flows, at_rest(&flows), vec![blank(Side::Second, 10)], &alive).cluster;
    // WHEN it cannot be read, of this record or of any
    let mut unreadable = blank(Side::Second, 11);
    unreadable.values.remove("BossId");
    let why = "a number is shown that is no id".to_owned();
    unreadable.unreadable.insert("BossId".to_owned(), why);
    let mut hidden = flows.clone();
    let of = (theirs().record_type, "BossId".to_owned());
    hidden.out_of_sight.insert(of);
    for (flows, inbox) in [(&flows, vec![unreadable]), (&hidden, Vec::new())] {
        let plan = reconcile(flows, asked.clone(), inbox, &alive);
        // THEN it is asked about as before
        assert_eq!(how(&plan, Side::Second), Some(Cleared::Asked));
        assert!(updates(&plan.cluster).is_empty());
        // WHEN it is seen again, it was cleared by hand
        let inbox = vec![blank(Side::Second, 12)];
        let plan = reconcile(&contacts(), plan.cluster, inbox, &alive);
        assert_eq!(updates(&plan.cluster), written(own(), "boss", ""));
    }
}

#[test]
fn what_a_deletion_blanked_waits_with_it() {
    let flows = contacts();
    for (side, id, counterpart) in [(Side::Second, "S", "m"), (Side::First, "m", "S")] {
        let plan = lost(&flows, side);
        assert_eq!(how(&plan, side), Some(Cleared::WithRecord));
        assert!(updates(&plan.cluster).is_empty());
        assert!(plan.waits.reread.is_empty());
        // THEN it wakes with the deletion and with its counterpart, and is counted there.
        let on = [key(side, id), key(side.other(), counterpart)];
        assert_eq!(plan.waits.on, on.into());
        assert!(plan.waits.wake.contains(&key(side, id)));
        let (record, property) = if side == Side::First {
            (own(), "boss")
        } else {
            (theirs(), "BossId")
        };
        let parked = &plan.cluster.records[&record].parked[property];
        assert_eq!(parked.kind, ParkedKind::Deferred);
        assert!(parked.reason.contains("was deleted"), "{}", parked.reason);
        // THEN what else is edited goes on.
        let mut edited = of_own(if side == Side::First { "" } else { "m" });
        edited.insert("phone".to_owned(), "7".into());
        let open = known(&[], side, id, Became::Open, counterpart);
        let plan = reconcile(&flows, plan.cluster, vec![seen(&own(), 20, edited)], &open);
        assert_eq!(updates(&plan.cluster), written(theirs(), "Phone", "7"));
        assert!(plan.waits.wake.is_empty(), "counted once");
    }
}

#[test]
fn a_withdrawn_deletion_gives_the_reference_back() {
    let flows = contacts();
    // Created again: the new record of the side takes the place of the old one.
    let created = known(
        &[("m", "S2")],
        Side::Second,
        "S",
        Became::Replaced("S2".to_owned()),
        "m",
    );
    let plan = again(&flows, lost(&flows, Side::Second), &created);
    assert_eq!(updates(&plan.cluster), written(theirs(), "BossId", "S2"));
    let created = known(
        &[("m2", "S")],
        Side::First,
        "m",
        Became::Replaced("m2".to_owned()),
        "S",
    );
    let plan = again(&flows, lost(&flows, Side::First), &created);
    assert_eq!(updates(&plan.cluster), written(own(), "boss", "m2"));
    // THEN the other side is at one with it, and so it stays.
    let settled = seen(&own(), 30, of_own("m2"));
    let applied = Settlement::Applied {
        id: own().id,
        state: Some(settled),
        at: moment(1_001),
    };
    let facts = linked(&[("m2", "S")]);
    let plan = settle(&flows, sent(plan), Vec::new(), vec![(1, applied)], &facts);
    assert!(updates(&plan.cluster).is_empty(), "{:?}", updates(&plan.cluster));
    assert_eq!(how(&plan, Side::First), None);
    assert!(again(&flows, plan, &facts).history.is_empty());
    // Undeleted: it is the same record.
    for (side, id, value) in [(Side::Second, "S", "S"), (Side::First, "m", "m")] {
        let back = known(&[("m", "S")], side, id, Became::Alive, "");
        let plan = again(&flows, lost(&flows, side), &back);
        let (record, property) = if side == Side::First {
            (own(), "boss")
        } else {
            (theirs(), "BossId")
        };
        assert_eq!(updates(&plan.cluster), written(record, property, value));
    }
}

#[test]
fn a_deletion_that_was_carried_on_takes_the_references_with_it() {
    let flows = contacts();
    for (side, id, there) in [(Side::Second, "S", "boss"), (Side::First, "m", "BossId")] {
        let over = known(&[], side, id, Became::Over, "");
        let plan = again(&flows, lost(&flows, side), &over);
        let other = if side == Side::First { theirs() } else { own() };
        assert_eq!(updates(&plan.cluster), written(other, there, ""));
        assert!(plan.edited.is_empty(), "it counts as nobody's edit");
    }
    // WHEN both systems blanked theirs, nothing is written.
    let over = known(&[], Side::Second, "S", Became::Over, "");
    let mut over_here = known(&[], Side::First, "m", Became::Over, "");
    over_here.fates.extend(over.fates);
    let plan = reconcile(
        &flows,
        lost(&flows, Side::Second).cluster,
        vec![blank(Side::First, 20)],
        &over_here,
    );
    assert!(updates(&plan.cluster).is_empty());
    let plan = again(&flows, plan, &facts());
    assert!(plan.history.is_empty() && plan.cluster.records[&theirs()].cleared.is_empty());
}

/// Facts of a boss that is about to be deleted because its counterpart was.
fn going() -> Facts {
    let mut facts = known(&[("m", "S")], Side::Second, "S", Became::Going, "m");
    let own = known(&[], Side::First, "m", Became::Going, "S");
    facts.fates.extend(own.fates);
    facts
}

/// A report whose reference to that boss was released, which is settled this way.
fn released(flows: &Dataflow, outcome: Settlement) -> Plan {
    let plan = again(flows, lost(flows, Side::Second), &going());
    assert_eq!(updates(&plan.cluster), written(own(), "boss", ""));
    let cluster = sent(plan);
    let id = cluster.records[&own()].intent.as_ref().unwrap().id;
    let plan = settle(flows, cluster, Vec::new(), vec![(id, outcome)], &going());
    assert!(updates(&plan.cluster).is_empty(), "once is enough");
    plan
}

fn answered() -> Settlement {
    Settlement::Applied {
        id: "c".to_owned(),
        state: Some(blank(Side::First, 50)),
        at: moment(50),
    }
}

#[test]
fn e18_what_was_released_for_a_deletion_comes_back_where_that_is_refused() {
    let flows = contacts();
    // whatever became of the answer
    let read = Settlement::Read {
        state: blank(Side::First, 50),
        unknown: true,
    };
    for outcome in [answered(), read] {
        let plan = released(&flows, outcome);
        assert_eq!(how(&plan, Side::First), Some(Cleared::WithRecord));
        // GIVEN a deletion that was refused, about which a person is asked again, THEN what names the boss does so again
        let mut refused = known(&[("m", "S")], Side::Second, "S", Became::Open, "m");
        let own_fate = known(&[], Side::First, "m", Became::Alive, "S");
        refused.fates.extend(own_fate.fates);
        let plan = again(&flows, plan, &refused);
        assert_eq!(updates(&plan.cluster), written(own(), "boss", "m"));
        // and at a second attempt it is released again.
        let cluster = sent(plan);
        let id = cluster.records[&own()].intent.as_ref().unwrap().id;
        let back = Settlement::Applied {
            id: "c".to_owned(),
            state: Some(seen(&own(), 60, of_own("m"))),
            at: moment(60),
        };
        let plan = settle(&flows, cluster, Vec::new(), vec![(id, back)], &refused);
        assert!(updates(&plan.cluster).is_empty());
        let plan = again(&flows, plan, &going());
        assert_eq!(updates(&plan.cluster), written(own(), "boss", ""));
    }
}

#[test]
fn e18_a_reference_that_went_blank_is_no_edit_in_a_flow_that_does_not_follow_it_either() {
    // GIVEN a contact that is linked in one flow alone, which takes the boss for the owner of a companion
    let mut flows = contacts();
    let through = Reference::Companion {
        role: "Account".to_owned(),
        of: own().record_type,
    };
    let owner = Mapping {
        kind: Kind::Reference(through.clone()),
        ..mapping("boss", "AccountId")
    };
    let person = flow(
        "person",
        [
            end("erp", "Contact", "person", ""),
            end("sf", "Person", "Ext", "Person:"),
        ],
        ["name", "Name"],
        vec![mapping("name", "Name"), owner],
    );
    flows.flows.push(person);
    flows.flows[0].ends[1].write = false;
    let theirs = RecordKey::new("sf", "Person", "P");
    let of_theirs = values(&[("Name", "Report"), ("Ext", "Person:c"), ("AccountId", "A")]);
    let mut shown = of_own("m");
    shown.insert("person".to_owned(), "P".into());
    shown.remove("stamp");
    let mut open = known(&[], Side::First, "m", Became::Open, "S");
    let owned = Referral {
        through,
        side: Side::First,
        id: "m".to_owned(),
    };
    open.referrals.insert(owned, Referent::Linked("A".to_owned()));
    let rows = vec![seen(&own(), 1, shown.clone()), seen(&theirs, 1, of_theirs)];
    let cluster = reconcile(&flows, Cluster::default(), rows, &open).cluster;
    assert_eq!(cluster.links.len(), 1);
    // WHEN the boss is deleted, and its system blanks the reference
    shown.insert("boss".to_owned(), "".into());
    let plan = reconcile(&flows, cluster, vec![seen(&own(), 10, shown)], &open);
    // THEN it waits for what becomes of the deletion
    assert_eq!(how(&plan, Side::First), Some(Cleared::WithRecord));
    assert!(updates(&plan.cluster).is_empty(), "{:?}", updates(&plan.cluster));
}

/// What became of a boss that was deleted on the first side, and of its counterpart.
fn deleted_there(own: Became, other: Became) -> Facts {
    let mut facts = known(&[], Side::First, "m", own, "S");
    let other = known(&[], Side::Second, "S", other, "m");
    facts.fates.extend(other.fates);
    facts.referrals.insert(referral(Side::First, "m"), Referent::Gone);
    facts
        .referrals
        .insert(referral(Side::Second, "S"), Referent::Unlinked);
    facts
}

#[test]
fn e18_what_was_released_for_a_deletion_comes_back_though_the_head_names_what_was_deleted() {
    // GIVEN a boss that was deleted on the side whose ids the head holds, and a report that was released for the deletion
    // of its counterpart
    let flows = contacts();
    let going = deleted_there(Became::Going, Became::Going);
    let plan = again(&flows, lost(&flows, Side::First), &going);
    assert_eq!(updates(&plan.cluster), written(theirs(), "BossId", ""));
    let answer = |boss: &str, at: i64| Settlement::Applied {
        id: theirs().id,
        state: Some(seen(&theirs(), at, of_theirs(boss))),
        at: moment(at),
    };
    let released = settle(&flows, sent(plan), Vec::new(), vec![(1, answer("", 50))], &going);
    // WHEN that is asked about instead, or a person ended the link
    for became in [Became::Open, Became::Kept] {
        let withdrawn = deleted_there(became.clone(), Became::Alive);
        let plan = again(&flows, released.clone(), &withdrawn);
        // THEN the report names the counterpart again, however often it is decided before that is written
        let plan = again(&flows, plan, &withdrawn);
        assert_eq!(
            updates(&plan.cluster),
            written(theirs(), "BossId", "S"),
            "{became:?}"
        );
        let answered = vec![(1, answer("S", 60))];
        let plan = settle(&flows, sent(plan), Vec::new(), answered, &withdrawn);
        let plan = again(&flows, plan, &withdrawn);
        assert!(updates(&plan.cluster).is_empty(), "{became:?}");
        let record = &plan.cluster.records[&theirs()];
        assert!(
            record.cleared.is_empty() && record.parked.is_empty(),
            "{became:?}"
        );
        // and is released again for another attempt.
        let plan = again(&flows, plan, &going);
        assert_eq!(
            updates(&plan.cluster),
            written(theirs(), "BossId", ""),
            "{became:?}"
        );
    }
}

#[test]
fn e18_what_was_released_for_a_deletion_is_blank_everywhere_once_that_was_carried_out() {
    let flows = contacts();
    let plan = released(&flows, answered());
    let mut over = known(&[], Side::Second, "S", Became::Over, "m");
    let own_fate = known(&[], Side::First, "m", Became::Over, "S");
    over.fates.extend(own_fate.fates);
    let plan = again(&flows, plan, &over);
    assert!(updates(&plan.cluster).is_empty());
    let boss = |(anchor, _): &(&tandem_merge::cluster::Anchor, _)| anchor.property == "boss";
    let (_, head) = plan.cluster.heads.iter().find(boss).unwrap();
    assert_eq!(head.value, Value::Blank);
    let plan = again(&flows, plan, &over);
    assert!(
        plan.cluster
            .records
            .values()
            .all(|record| record.cleared.is_empty())
    );
}

#[test]
fn a_release_that_was_refused_is_not_sent_again_and_counts_no_longer_than_the_deletion_is_wanted() {
    let flows = contacts();
    let no = Settlement::Refused {
        kind: ParkedKind::Refused,
        properties: vec!["boss".to_owned()],
        reason: "a report has a boss".to_owned(),
        advice: String::new(),
        at: moment(50),
    };
    let plan = released(&flows, no);
    assert!(plan.cluster.records[&own()].parked.contains_key("boss"));
    let plan = again(&flows, plan, &going());
    assert!(updates(&plan.cluster).is_empty());
    let open = known(&[("m", "S")], Side::Second, "S", Became::Open, "m");
    let plan = again(&flows, plan, &open);
    assert!(!plan.cluster.records[&own()].parked.contains_key("boss"));
}

#[test]
fn a_counterpart_that_stays_alone_keeps_what_names_it() {
    let flows = contacts();
    for (side, id, counterpart) in [(Side::Second, "S", "m"), (Side::First, "m", "S")] {
        let kept = known(&[], side, id, Became::Kept, counterpart);
        let plan = again(&flows, lost(&flows, side), &kept);
        assert!(updates(&plan.cluster).is_empty());
        let records = plan.cluster.records.values();
        assert!(records.into_iter().all(|record| record.parked.is_empty()));
        assert!(plan.waits.on.contains(&key(side.other(), counterpart)));
    }
}

#[test]
fn a_deleted_record_that_was_parted_from_its_counterpart_takes_no_reference_to_that_along() {
    let flows = contacts();
    for (side, id, there) in [
        (Side::Second, "S", (Side::First, "m")),
        (Side::First, "m", (Side::Second, "S")),
    ] {
        let over = |alive: bool| {
            let mut over = facts();
            let fate = Fate {
                of: key(side, id),
                became: Became::Over,
                counterpart: None,
            };
            over.fates.insert(referral(side, id), fate);
            let referent = if alive { Referent::Unlinked } else { Referent::Gone };
            over.referrals.insert(referral(there.0, there.1), referent);
            over
        };
        let plan = again(&flows, lost(&flows, side), &over(true));
        assert!(updates(&plan.cluster).is_empty(), "{side:?}");
        let plan = again(&flows, plan, &over(false));
        let (record, property) = if side == Side::First {
            (theirs(), "BossId")
        } else {
            (own(), "boss")
        };
        assert_eq!(updates(&plan.cluster), written(record, property, ""));
    }
    // Linked with another one since: it is that one which is meant.
    let mut over = linked(&[("m", "S2")]);
    let fate = Fate {
        of: key(Side::Second, "S"),
        became: Became::Over,
        counterpart: None,
    };
    over.fates.insert(referral(Side::Second, "S"), fate);
    let plan = again(&flows, lost(&flows, Side::Second), &over);
    assert_eq!(updates(&plan.cluster), written(theirs(), "BossId", "S2"));
}

#[test]
fn another_record_chosen_meanwhile_is_an_edit_like_any_other() {
    let flows = contacts();
    let pairs = [("m3", "S3")];
    let open = known(&pairs, Side::Second, "S", Became::Open, "m");
    // Where the reference was lost,
    let chosen = vec![seen(&theirs(), 20, of_theirs("S3"))];
    let plan = reconcile(&flows, lost(&flows, Side::Second).cluster, chosen, &open);
    assert_eq!(updates(&plan.cluster), written(own(), "boss", "m3"));
    assert_eq!(how(&plan, Side::Second), None);
    // and on the other side: what went blank gets it.
    let chosen = vec![seen(&own(), 20, of_own("m3"))];
    let plan = reconcile(&flows, lost(&flows, Side::Second).cluster, chosen, &open);
    assert_eq!(updates(&plan.cluster), written(theirs(), "BossId", "S3"));
    // Cleared there, it stays blank whatever becomes of the deletion.
    let chosen = vec![seen(&own(), 20, of_own(""))];
    let plan = reconcile(&flows, lost(&flows, Side::Second).cluster, chosen, &open);
    let back = known(&[("m", "S")], Side::Second, "S", Became::Alive, "");
    let plan = again(&flows, plan, &back);
    let edited = [own(), theirs()].map(|key| plan.cluster.records[&key].shadow.values.clone());
    assert_eq!(edited, [of_own(""), of_theirs("")]);
    assert!(plan.waits.reread.is_empty() || how(&plan, Side::First) == Some(Cleared::Asked));
}

#[test]
fn a_lost_reference_is_no_edit_against_a_deletion() {
    let flows = contacts();
    let open = known(&[], Side::Second, "S", Became::Open, "m");
    let deleted = vec![gone(&own(), 20)];
    let plan = reconcile(&flows, lost(&flows, Side::Second).cluster, deleted, &open);
    assert_eq!(
        plan.cluster.records[&theirs()].held[FLOW].kind,
        ParkedKind::Approval
    );
    // One that is not proven to be lost holds even what a person decided, until it is.
    let before = known(&[], Side::Second, "S", Became::Unread, "");
    let mut cluster = at_rest(&flows);
    cluster.links[0].verdict = Some(Verdict::Propagate);
    let rows = vec![gone(&own(), 20), blank(Side::Second, 20)];
    let plan = reconcile(&flows, cluster, rows, &before);
    let waits = &plan.cluster.records[&theirs()];
    assert_eq!(waits.held[FLOW].kind, ParkedKind::Deferred);
    assert!(waits.intent.is_none());
    let carried_on = again(&flows, plan.clone(), &open);
    assert!(
        carried_on.cluster.records[&theirs()].intent.is_some(),
        "the verdict stands"
    );
    // A person cleared it: the verdict was about a record that is not the one it was.
    let alive = known(&[], Side::Second, "S", Became::Alive, "");
    let asked = again(&flows, plan, &alive);
    assert_eq!(
        asked.cluster.records[&theirs()].held[FLOW].kind,
        ParkedKind::DeleteConflict
    );
}

#[test]
fn a_question_about_a_deletion_tells_how_many_references_went_with_it() {
    let flows = contacts();
    let mut known = facts();
    known.named.insert(own(), 2);
    let asked = needs(&flows, &at_rest(&flows), &[gone(&own(), 20)]);
    assert!(asked.named.contains(&own()));
    let plan = reconcile(&flows, at_rest(&flows), vec![gone(&own(), 20)], &known);
    let reason = &plan.cluster.records[&theirs()].held[FLOW].reason;
    assert!(
        reason.ends_with("(2 records lost their reference to it, and wait for the answer)"),
        "{reason}"
    );
}

/// What became of `S`, by these clusters.
fn became(flows: &Dataflow, clusters: &[Cluster], [undecided, unread, forgotten]: [bool; 3]) -> Became {
    let mut look = |key: &RecordKey| {
        let found = clusters.iter().find(|cluster| cluster.records.contains_key(key));
        let stored = found.map(|cluster| Stored {
            cluster: cluster.clone(),
            undecided,
            unread,
            forgotten,
        });
        Ok::<_, std::convert::Infallible>(stored)
    };
    let Ok(found) = fate(flows, &referral(Side::Second, "C"), &mut look);
    found.unwrap().became
}

/// What became of the boss of the ERP, by what is stored of it.
fn became_of_own(flows: &Dataflow, cluster: &Cluster) -> Became {
    let mut look = |key: &RecordKey| -> Result<Option<Stored>, ()> {
        let known = cluster.records.contains_key(key);
        Ok(known.then(|| Stored {
            cluster: cluster.clone(),
            ..Stored::default()
        }))
    };
    let found = fate(flows, &referral(Side::First, "c"), &mut look).unwrap();
    found.unwrap().became
}

#[test]
fn what_became_of_a_record_follows_from_what_is_stored() {
    let flows = contacts();
    let rest = at_rest(&flows);
    let after = |cluster: &Cluster, rows: Vec<Observation>, verdict: Option<Verdict>| {
        let mut cluster = cluster.clone();
        for link in &mut cluster.links {
            link.verdict = verdict;
        }
        reconcile(&flows, cluster, rows, &linked(&[("m", "S")])).cluster
    };
    let so = |cluster: &Cluster, how: [bool; 3]| became(&flows, std::slice::from_ref(cluster), how);
    let of = |cluster: &Cluster| so(cluster, [false; 3]);
    assert_eq!(became(&flows, &[], [false; 3]), Became::Unseen);
    assert_eq!(of(&rest), Became::Alive);
    assert_eq!(so(&rest, [true, true, false]), Became::Undecided);
    assert_eq!(so(&rest, [false, true, false]), Became::Unread);
    assert_eq!(so(&rest, [false, false, true]), Became::Over);
    let missing = Observation {
        presence: Presence::Missing,
        ..gone(&theirs(), 20)
    };
    assert_eq!(of(&after(&rest, vec![missing], None)), Became::Unseen);
    // We made it, and a look right after that did not show it: it may be gone by now, which a later look decides.
    let mut unsure = rest.clone();
    let made = unsure.records.get_mut(&theirs()).unwrap();
    let before = |doubted| Unconfirmed {
        deed: Deed::Create,
        version: None,
        before: Values::new(),
        wrote: BTreeMap::new(),
        at: moment(5),
        there: None,
        unshown: std::collections::BTreeSet::new(),
        doubted,
    };
    made.unconfirmed = vec![before(false)];
    assert_eq!(of(&unsure), Became::Alive);
    unsure.records.get_mut(&theirs()).unwrap().unconfirmed = vec![before(true)];
    assert_eq!(of(&unsure), Became::Unread);
    let open = after(&rest, vec![gone(&theirs(), 20)], None);
    assert_eq!(of(&open), Became::Open);
    assert_eq!(so(&open, [false, true, false]), Became::Open);
    assert_eq!(so(&open, [true, false, false]), Became::Undecided);
    let parted = after(&open, Vec::new(), Some(Verdict::Unlink));
    assert_eq!(of(&parted), Became::Kept);
    // A link of another flow, or of another record in its own, is none of its counterpart's here.
    let link = rest.links[0].clone();
    let elsewhere = Link {
        flow: "another".to_owned(),
        ..link.clone()
    };
    let of_another = Link {
        first: key(Side::First, "x"),
        second: key(Side::Second, "X"),
        ..link
    };
    for link in [elsewhere, of_another] {
        let mut parted = parted.clone();
        parted.links = vec![link];
        assert_eq!(of(&parted), Became::Kept);
    }
    // What names a record goes before it.
    let going = after(&open, Vec::new(), Some(Verdict::Propagate));
    assert_eq!(of(&going), Became::Going);
    assert_eq!(became_of_own(&flows, &going), Became::Going);
    assert_eq!(became_of_own(&flows, &open), Became::Alive);
    assert_eq!(of(&after(&open, vec![gone(&own(), 30)], None)), Became::Over);
    // Created again: on its way first, then there.
    let recreated = after(&open, Vec::new(), Some(Verdict::Recreate));
    assert_eq!(creates(&recreated).len(), 1);
    assert_eq!(of(&recreated), Became::Open);
    let plan = Plan {
        cluster: recreated,
        ..lost(&flows, Side::Second)
    };
    let born = Settlement::Applied {
        id: "C2".to_owned(),
        state: None,
        at: moment(1_001),
    };
    let there = settle(
        &flows,
        sent(plan),
        Vec::new(),
        vec![(1, born)],
        &linked(&[("m", "S")]),
    );
    assert_eq!(of(&there.cluster), Became::Replaced("C2".to_owned()));
    // Merged: what it lives on as.
    let merged = Observation {
        merged_into: Some("C3".to_owned()),
        ..gone(&theirs(), 20)
    };
    let survivor = seen(&key(Side::Second, "C3"), 20, of_theirs("S"));
    let merged = after(&rest, vec![merged, survivor], None);
    assert_eq!(of(&merged), Became::Replaced("C3".to_owned()));
}

/// Contacts of the second side are put out of use where those of the first are deleted.
fn deactivating(policy: DeletePolicy) -> Dataflow {
    let mut flows = contacts();
    let contact = &mut flows.flows[0];
    contact.mappings[1] = mapping("phone", "Phone");
    contact.mappings.push(mapping("use", "Use"));
    contact.ends[0].on_delete = policy;
    contact.ends[1].deactivate = Some(("Use".to_owned(), Value::from("no")));
    flows
}

fn in_use(side: Side, value: &str) -> Values {
    let (mut values, property) = match side {
        Side::First => (of_own("m"), "use"),
        Side::Second => (of_theirs("S"), "Use"),
    };
    values.insert(property.to_owned(), value.into());
    values
}

/// The first side's contact was deleted, and the deactivation of the other is under way.
fn being_put_out_of_use(flows: &Dataflow, verdict: Option<Verdict>) -> Cluster {
    let rows = vec![
        seen(&own(), 1, in_use(Side::First, "yes")),
        seen(&theirs(), 1, in_use(Side::Second, "yes")),
    ];
    let facts = linked(&[("m", "S")]);
    let mut cluster = reconcile(flows, Cluster::default(), rows, &facts).cluster;
    cluster.links[0].verdict = verdict;
    let plan = reconcile(flows, cluster, vec![gone(&own(), 20)], &facts);
    assert_eq!(updates(&plan.cluster), written(theirs(), "Use", "no"));
    sent(plan)
}

fn shown(at: i64, phone: &str) -> Observation {
    let mut values = in_use(Side::Second, "no");
    values.insert("Phone".to_owned(), phone.into());
    seen(&theirs(), at, values)
}

#[test]
fn our_own_deactivation_is_nobodys_edit_whatever_became_of_its_answer() {
    let cases = [
        (DeletePolicy::Deactivate, None),
        (DeletePolicy::AskThenDeactivate, Some(Verdict::Deactivate)),
        (DeletePolicy::Ask, Some(Verdict::Deactivate)),
    ];
    // What its system changes along with it is ours as well.
    for ((policy, verdict), phone) in cases
        .into_iter()
        .zip(["", "", "set by a rule"])
        .chain(cases.into_iter().zip(["set by a rule"; 3]))
    {
        let flows = deactivating(policy);
        let facts = linked(&[("m", "S")]);
        let sent = being_put_out_of_use(&flows, verdict);
        let applied = |state| Settlement::Applied {
            id: theirs().id,
            state,
            at: moment(1_001),
        };
        let read = |unknown| Settlement::Read {
            state: shown(30, phone),
            unknown,
        };
        let outcomes = [
            applied(None),
            applied(Some(shown(30, phone))),
            read(true),
            read(false),
        ];
        for outcome in outcomes {
            let told = format!("{policy:?} {verdict:?} {outcome:?}");
            let plan = settle(&flows, sent.clone(), Vec::new(), vec![(1, outcome)], &facts);
            // THEN the link ends in the same settlement, and nobody is asked.
            assert!(plan.cluster.links.is_empty(), "{told}");
            let record = &plan.cluster.records[&theirs()];
            assert!(record.held.is_empty() && record.intent.is_none(), "{told}");
            assert!(plan.cluster.questions.is_empty(), "{told}");
            // THEN what is seen later asks neither.
            let plan = reconcile(&flows, plan.cluster, vec![shown(40, "later")], &facts);
            let record = &plan.cluster.records[&theirs()];
            assert!(record.held.is_empty() && record.intent.is_none(), "{told}");
        }
    }
}

#[test]
fn a_deactivation_that_did_not_take_effect_is_sent_again() {
    let flows = deactivating(DeletePolicy::Deactivate);
    let sent = being_put_out_of_use(&flows, None);
    let read = Settlement::Read {
        state: seen(&theirs(), 1, in_use(Side::Second, "yes")),
        unknown: true,
    };
    let plan = settle(&flows, sent, Vec::new(), vec![(1, read)], &linked(&[("m", "S")]));
    assert_eq!(updates(&plan.cluster), written(theirs(), "Use", "no"));
    // WHEN the first one arrives late, the second is told that the record is not what it was.
    let read = Settlement::Read {
        state: shown(30, ""),
        unknown: false,
    };
    let plan = settle(
        &flows,
        self::sent(plan),
        Vec::new(),
        vec![(1, read)],
        &linked(&[("m", "S")]),
    );
    assert!(plan.cluster.links.is_empty());
    assert!(plan.cluster.records[&theirs()].held.is_empty());
}
