//! What counts as an echo, and what a record takes of one (E7).

use crate::members::moment;
use crate::plan_laws::{at_rest, of_order, order, seen, values};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::cluster::{
    Action, Cleared, Deed, Intent, Newborn, Parked, ParkedKind, Planned, Record, Unconfirmed,
};
use tandem_merge::echo::taken;
use tandem_merge::record::{Observation, Presence, Values};
use tandem_merge::trace::Trace;
use tandem_merge::unreadable::WHOLE;

/// What makes a difference, with a name for it.
type Changed<T> = (&'static str, fn(&mut T));

/// The order of the cluster at rest, and a later look at it that shows nothing else.
fn order_and_echo() -> (Record, Observation) {
    let record = at_rest(&star(Policies::default())).records[&order()].clone();
    let echo = seen(&order(), 50, record.shadow.values.clone());
    (record, echo)
}

fn is_echo(record: &Record, seen: &Observation) -> bool {
    taken(&star(Policies::default()), record, seen).is_some()
}

/// Our write of a description, answered at 40.
fn write(description: &str) -> Unconfirmed {
    let planned = Planned {
        epoch: 2,
        ..Planned::own(description.into())
    };
    Unconfirmed {
        deed: Deed::Update,
        version: seen(&order(), 10, Values::new()).version,
        before: values(&[("description", "before")]),
        wrote: BTreeMap::from([("description".to_owned(), planned)]),
        at: moment(40),
        there: None,
        unshown: std::collections::BTreeSet::new(),
        doubted: false,
    }
}

fn parked() -> Parked {
    Parked {
        epoch: 1,
        kind: ParkedKind::Refused,
        reason: String::new(),
        advice: String::new(),
        since: moment(1),
        by: None,
        grounds: None,
    }
}

fn intent() -> Intent {
    Intent {
        id: 1,
        action: Action::Update { record: order() },
        values: BTreeMap::new(),
        version: None,
        before: Values::new(),
        sent: None,
        first_sent: None,
        attempts: 0,
        unknown: false,
        rank: 0,
        reason: String::new(),
        follows: false,
        trace: Trace::NONE,
    }
}

#[test]
fn e7_an_echo_moves_version_author_and_moment_and_nothing_else() {
    let (record, mut echo) = order_and_echo();
    echo.author = Some("alice".to_owned());
    let after = taken(&star(Policies::default()), &record, &echo).unwrap();
    assert_eq!(after.shadow.version, echo.version);
    assert_eq!(after.shadow.author, echo.author);
    assert_eq!(after.shadow.seen, echo.read_began);
    let mut same = after.clone();
    same.shadow = record.shadow.clone();
    assert_eq!(same, record);
    assert_eq!(after.shadow.values, record.shadow.values);
}

#[test]
fn e7_an_echo_confirms_the_write_that_it_shows() {
    let (mut record, echo) = order_and_echo();
    let description = record.value("description").to_string();
    record.unconfirmed.push(write(&description));
    let after = taken(&star(Policies::default()), &record, &echo).unwrap();
    assert_eq!(after.unconfirmed, []);
    // What stands there is not what was written, or it is in doubt what stands there.
    record.unconfirmed = vec![write("another")];
    assert!(!is_echo(&record, &echo));
    record.unconfirmed = vec![Unconfirmed {
        doubted: true,
        ..write(&description)
    }];
    assert!(!is_echo(&record, &echo));
}

#[test]
fn e7_what_shows_anything_else_is_no_echo() {
    let (record, echo) = order_and_echo();
    assert!(is_echo(&record, &echo));
    let others: [Changed<Observation>; 9] = [
        ("a value", |seen| seen.values = of_order("another")),
        ("a blank value", |seen| drop(seen.values.remove("description"))),
        ("one more", |seen| {
            drop(seen.values.insert("more".to_owned(), "x".into()))
        }),
        ("a deletion", |seen| seen.presence = Presence::Deleted),
        ("a part", |seen| seen.partial = true),
        ("a protected record", |seen| seen.protected = true),
        ("something unreadable", |seen| {
            drop(seen.unreadable.insert("number".to_owned(), "why".to_owned()));
        }),
        ("no version", |seen| seen.version = None),
        ("an earlier state", |shown| {
            shown.version = seen(&order(), 0, Values::new()).version
        }),
    ];
    for (what, change) in others {
        let mut seen = echo.clone();
        change(&mut seen);
        assert!(!is_echo(&record, &seen), "{what}");
    }
    // Its id stands for another record, made later.
    let mut record = record;
    record.shadow.created = Some(echo.read_began - jiff::SignedDuration::from_hours(2));
    let mut another = echo;
    another.created = Some(another.read_began - jiff::SignedDuration::from_hours(1));
    assert!(!is_echo(&record, &another));
}

#[test]
fn e7_a_record_with_anything_open_is_decided_anew() {
    let (record, echo) = order_and_echo();
    let open: [Changed<Record>; 8] = [
        ("a write", |record| record.intent = Some(intent())),
        ("a create that was not seen", |record| {
            record.newborn = Some(Newborn::default())
        }),
        ("a parked property", |record| {
            drop(record.parked.insert("description".to_owned(), parked()));
        }),
        ("a hold", |record| {
            drop(record.held.insert("order-order".to_owned(), parked()))
        }),
        ("a cleared reference", |record| {
            record.cleared = BTreeMap::from([("number".to_owned(), Cleared::Asked)]);
        }),
        ("a create that was taken back", |record| {
            record.unmade = Some(Values::new())
        }),
        ("something unreadable", |record| {
            drop(
                record
                    .shadow
                    .unreadable
                    .insert(WHOLE.to_owned(), "why".to_owned()),
            );
        }),
        ("a deletion", |record| record.shadow.presence = Presence::Deleted),
    ];
    for (what, change) in open {
        let mut record = record.clone();
        change(&mut record);
        assert!(!is_echo(&record, &echo), "{what}");
    }
}
