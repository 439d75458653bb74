//! Which observation stands for a record: the fence of versions (S9, E6).

use crate::members::moment;
use crate::plan_laws::{at_rest, facts, gone, of_order, of_sales_order, order, sales_order, seen, updates};
use crate::star::flows::{Policies, star};
use std::collections::BTreeMap;
use tandem_merge::admit::{admit, older};
use tandem_merge::cluster::{Record, Shadow};
use tandem_merge::dataflow::ConflictPolicy;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::{Observation, Presence};

/// The order after one more observation.
fn after(record: Observation, then: Observation) -> Record {
    let flows = star(Policies::default());
    let plan = reconcile(&flows, at_rest(&flows), vec![record], &facts());
    let plan = reconcile(&flows, plan.cluster, vec![then], &facts());
    plan.cluster.records[&order()].clone()
}

fn read_at(at: i64, observation: Observation) -> Observation {
    Observation {
        read_began: moment(at),
        ..observation
    }
}

#[test]
fn s9_a_read_that_shows_a_record_alive_at_the_very_version_of_its_deletion_brings_nothing_back() {
    let alive = read_at(500, seen(&order(), 20, of_order("0")));
    let record = after(gone(&order(), 20), alive);
    assert_eq!(record.shadow.presence, Presence::Deleted);
    // The deletion at the version that was seen alive counts, whenever it was read.
    let record = after(
        read_at(500, seen(&order(), 20, of_order("0"))),
        gone(&order(), 20),
    );
    assert_eq!(record.shadow.presence, Presence::Deleted);
}

#[test]
fn s9_what_was_deleted_stays_so_where_it_is_not_to_be_found_any_more() {
    // a system that purges it forgets that too
    let purged = Observation {
        presence: Presence::Missing,
        version: None,
        ..read_at(500, gone(&order(), 20))
    };
    let record = after(gone(&order(), 20), purged);
    assert_eq!(record.shadow.presence, Presence::Deleted);
}

#[test]
fn s9_behind_a_write_without_a_version_what_was_read_before_its_answer_is_older() {
    let mut shadow: Shadow = seen(&order(), 10, of_order("0")).into();
    shadow.version.as_mut().unwrap().firm = false;
    shadow.seen = moment(100);
    let read = |at| read_at(at, seen(&order(), 50, of_order("1")));
    assert!(older(&shadow, &read(99)));
    assert!(!older(&shadow, &read(100)), "it began with the answer");
}

#[test]
fn what_cannot_be_read_is_known_until_it_is_shown_again() {
    let mut garbled = seen(&order(), 10, of_order("0"));
    garbled.values.remove("due");
    let why = "no date".to_owned();
    garbled.unreadable.insert("due".to_owned(), why);
    let part = |property: &str| {
        let mut seen = seen(&order(), 11, of_order("0"));
        seen.values.retain(|name, _| name == property);
        seen.values.insert(property.to_owned(), "x".into());
        Observation {
            partial: true,
            ..seen
        }
    };
    assert!(
        after(garbled.clone(), part("description"))
            .shadow
            .unreadable
            .contains_key("due")
    );
    assert!(after(garbled, part("due")).shadow.unreadable.is_empty());
}

#[test]
fn an_edit_was_made_after_the_state_that_was_known_before() {
    let record = after(
        seen(&order(), 20, of_order("0")),
        seen(&order(), 30, of_order("1")),
    );
    let span = record.times["description"];
    assert_eq!((span.from, span.to), (Some(moment(20)), moment(30)));
}

/// The order as an edit at 30 shows it whose time is known to a hundred seconds.
fn coarse(read: i64, description: &str) -> Observation {
    let mut seen = read_at(read, seen(&order(), 30, of_order(description)));
    seen.version.as_mut().unwrap().coarse = jiff::SignedDuration::from_secs(100);
    seen
}

#[test]
fn an_edit_of_a_coarse_time_may_have_been_made_until_it_was_read() {
    let before = || seen(&order(), 20, of_order("0"));
    let until = |read| after(before(), coarse(read, "1")).times["description"];
    assert_eq!((until(55).from, until(55).to), (Some(moment(20)), moment(55)));
    // No later than its time leaves open, and no earlier than it says.
    assert_eq!((until(500).to, until(25).to), (moment(130), moment(30)));
    // So may what the first read showed.
    let (flows, mut records) = (star(Policies::default()), BTreeMap::new());
    admit(&flows, &mut records, coarse(55, "1"));
    let record = &records[&order()];
    assert_eq!(
        (record.since, record.span("description").to),
        (moment(30), moment(55))
    );
}

#[test]
fn an_edit_of_a_coarse_time_is_not_older_than_one_that_was_made_meanwhile() {
    let latest = star(Policies {
        conflict: ConflictPolicy::Latest,
        ..Policies::default()
    });
    let written = |read| {
        let edits = vec![coarse(read, "e"), seen(&sales_order(), 40, of_sales_order("s"))];
        let plan = reconcile(&latest, at_rest(&latest), edits, &facts());
        updates(&plan.cluster)
    };
    // Its time says 30, and it may have been made when it was read.
    assert_eq!(written(55)[&sales_order()]["Description"], "e");
    // It was seen before the other one was made.
    assert_eq!(written(35)[&order()]["description"], "s");
}

#[test]
fn an_edit_that_leaves_nothing_to_be_shown_has_its_moment_too() {
    let mut blanked = of_order("1");
    blanked.remove("description");
    let with = || seen(&order(), 20, of_order("0"));
    let record = after(with(), seen(&order(), 30, blanked.clone()));
    let span = record.times["description"];
    assert_eq!((span.from, span.to), (Some(moment(20)), moment(30)));
    // What is not shown this time alone, or cannot be read, was not edited.
    let before = after(with(), with()).times.get("description").copied();
    let partial = Observation {
        partial: true,
        ..seen(&order(), 30, blanked.clone())
    };
    let garbled = Observation {
        unreadable: [("description".to_owned(), "no text".to_owned())].into(),
        ..seen(&order(), 30, blanked)
    };
    for hidden in [partial, garbled] {
        let record = after(with(), hidden);
        assert_eq!(record.times.get("description").copied(), before);
    }
}
