//! The counterexamples of the rules, as far as one component shows them: O an Order, I its Invoice, S its
//! Salesforce Order, all `0` at epoch 1 at first.

use crate::members::{Case, Habit, Spec, head};
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::value::Value;

const O: usize = 0;
const I: usize = 1;
const S: usize = 2;

fn star() -> Case {
    Case {
        members: vec![
            Spec::clean("O", Side::First, "0", 1),
            Spec::clean("I", Side::Second, "0", 1),
            Spec::clean("S", Side::Second, "0", 1),
        ],
        head: Some(head("0", 1, 0, "O")),
        policy: ConflictPolicy::Wins(Side::First),
        answer: None,
        one_way: false,
    }
}

/// Merges and takes over; what each member is owed.
fn step(case: &mut Case) -> Vec<(usize, String)> {
    let merged = case.merge();
    case.take(&merged);
    merged
        .owed
        .into_iter()
        .map(|(index, own)| (index, own.to_string()))
        .collect()
}

fn owed(entries: &[(usize, &str)]) -> Vec<(usize, String)> {
    entries
        .iter()
        .map(|(index, value)| (*index, (*value).to_owned()))
        .collect()
}

#[test]
fn c01_the_winner_is_not_overwritten_when_only_one_write_has_settled() {
    let mut case = star();
    case.members[O].edit("2", 10);
    case.members[S].edit("1", 10);
    assert_eq!(step(&mut case), owed(&[(I, "2"), (S, "2")]));
    case.settle(I, &Value::from("2"), 2);
    assert_eq!(
        step(&mut case),
        owed(&[(S, "2")]),
        "the loser is owed, it is no edit"
    );
    case.drive();
    assert_eq!(case.shown(), ["2", "2", "2"]);
}

#[test]
fn c02_an_edit_on_top_of_a_settled_write_is_no_conflict() {
    let mut case = star();
    case.members[O].edit("1", 10);
    assert_eq!(step(&mut case), owed(&[(I, "1"), (S, "1")]));
    case.settle(I, &Value::from("1"), 2);
    case.members[I].edit("2", 20);
    let merged = case.merge();
    assert_eq!(merged.conflict, None);
    case.take(&merged);
    assert_eq!(merged.owed, vec![(O, Value::from("2")), (S, Value::from("2"))]);
}

#[test]
fn c03_an_edit_seen_while_the_first_write_waits_is_concurrent() {
    let mut case = star();
    case.members[O].edit("2", 10);
    step(&mut case);
    case.members[I].edit("1", 11);
    let merged = case.merge();
    let clash = merged.conflict.as_ref().expect("the edit had not seen the head");
    assert!(clash.head);
    assert_eq!(clash.members, vec![I]);
    case.take(&merged);
    case.drive();
    assert_eq!(case.shown(), ["2", "2", "2"], "the owner's value stands");
}

#[test]
fn c04_a_middle_record_neither_trims_nor_cuts_off_the_far_one() {
    let mut case = star();
    case.members[O].habit = Habit::Trims;
    case.members[O].parked = Some(2);
    case.members[I].edit("1_ ", 10);
    assert_eq!(
        step(&mut case),
        owed(&[(S, "1_ ")]),
        "O refused it, S gets it in full"
    );
    case.drive();
    assert_eq!(case.shown(), ["0", "1_ ", "1_ "]);
}

#[test]
fn c07_an_older_value_admitted_by_mistake_would_be_an_edit_so_the_fence_comes_first() {
    let mut case = star();
    case.members[O].edit("1", 10);
    case.drive();
    assert_eq!(case.shown(), ["1", "1", "1"]);
    case.members[I].edit("0", 0);
    let merged = case.merge();
    assert_eq!(
        merged.edits,
        vec![I],
        "by value alone it cannot be told from an edit"
    );
}

#[test]
fn c08_a_base_from_the_answer_keeps_a_later_edit_an_edit() {
    let mut case = star();
    case.members[O].edit("1", 10);
    step(&mut case);
    case.settle(I, &Value::from("1"), 2);
    case.members[I].edit("3", 20);
    let merged = case.drive();
    assert_eq!(merged.conflict, None);
    assert_eq!(case.shown(), ["3", "3", "3"]);
}

#[test]
fn a_parked_member_is_freed_by_its_own_edit_even_when_that_edit_loses() {
    let mut case = star();
    case.members[I].parked = Some(2);
    case.members[O].edit("2", 10);
    assert_eq!(step(&mut case), owed(&[(S, "2")]));
    case.members[I].edit("7", 5);
    let merged = case.merge();
    assert!(merged.conflict.is_some());
    assert!(merged.owed.contains(&(I, Value::from("2"))), "{merged:?}");
}

#[test]
fn of_several_edits_on_the_winning_side_the_latest_of_that_side_wins() {
    let mut case = star();
    case.policy = ConflictPolicy::Wins(Side::Second);
    case.members[I].edit("1", 10);
    case.members[S].edit("2", 20);
    case.members[O].edit("3", 30);
    case.drive();
    assert_eq!(case.shown(), ["2", "2", "2"]);
}

#[test]
fn s03_a_write_of_a_component_that_ended_stands_above_no_later_head() {
    // GIVEN a member whose last write carried the epoch of a head that is no more
    let mut case = star();
    case.members[I] = Spec::clean("I", Side::Second, "old", 5);
    // THEN it is owed the present head, and its base stands below that
    assert_eq!(step(&mut case), owed(&[(I, "0")]));
    assert_eq!(case.members[I].base, Some((Value::from("old"), 0)));
}
