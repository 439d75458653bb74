//! Merges of one component that are easier told one by one than found by chance: what a system makes of our values,
//! when the order of edits is an estimate, and what counts as a move of the head.

use crate::members::{Case, Habit, Spec, head, member, moment};
use tandem_merge::cluster::{Base, Head, Span};
use tandem_merge::component::{self, Member, Merged, Rule};
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::value::Value;

fn case(head: Head, members: Vec<Spec>) -> Case {
    Case {
        members,
        head: Some(head),
        policy: ConflictPolicy::Latest,
        answer: None,
        one_way: false,
    }
}

fn base(value: &str, epoch: u64) -> Option<Base> {
    let value = Value::from(value);
    Some(Base { value, epoch })
}

#[test]
fn m04_what_a_member_was_set_to_that_the_head_says_already_moves_nothing() {
    // GIVEN a member behind, whose edit says what the head says
    let mut behind = Spec::clean("b", Side::Second, "0", 3);
    behind.edit("1", 20);
    let merged = case(
        head("1", 4, 10, "a"),
        vec![Spec::clean("a", Side::First, "1", 4), behind],
    )
    .merge();
    // THEN the head stays in its epoch, nobody edited anything, and the member is in step
    assert_eq!(merged.head, Some(head("1", 4, 10, "a")));
    assert!(merged.edits.is_empty() && merged.owed.is_empty());
    assert_eq!(merged.bases[1], base("1", 4));
    assert_eq!(merged.conflict, None);
}

/// The source of a create that was sent before there was a head, what the create made of it, edited since, and others.
fn made(policy: ConflictPolicy, others: &[&str]) -> Merged {
    let joining = |(name, value): (&str, &str)| Spec {
        base: None,
        ..Spec::clean(name, Side::First, value, 0)
    };
    let mut made = Spec::clean("b", Side::Second, "1", 0);
    made.edit("2", 20);
    let others = others.iter().map(|value| joining(("c", value)));
    let members = [joining(("a", "1")), made].into_iter().chain(others).collect();
    let head = head("", 0, 0, "a");
    Case {
        policy,
        head: None,
        ..case(head, members)
    }
    .merge()
}

#[test]
fn m06_an_edit_of_what_a_create_made_is_on_top_of_the_source_that_the_create_took_it_from() {
    // WHEN the policy is for the source, THEN the edit is no conflict with it
    let merged = made(ConflictPolicy::Wins(Side::First), &[]);
    assert_eq!(merged.conflict, None);
    assert_eq!(merged.head.unwrap().value, Value::from("2"));
    assert_eq!(merged.owed, [(0, Value::from("2"))]);
    // and with a third one the two that differ contend, and they alone
    let merged = made(ConflictPolicy::Wins(Side::First), &["3"]);
    let clash = merged.conflict.unwrap();
    assert_eq!(
        (clash.members, clash.winner),
        (vec![1, 2], Some(Value::from("3")))
    );
    assert_eq!(merged.owed, [(0, Value::from("3")), (1, Value::from("3"))]);
    assert_eq!(
        merged.bases[..2],
        [base("1", 0), base("2", 0)],
        "seen, and overruled"
    );
    // nor is one lost where a person is asked
    let merged = made(ConflictPolicy::Ask, &["3"]);
    assert_eq!(merged.conflict.unwrap().members, [1, 2]);
    assert!(merged.owed.is_empty() && merged.head.is_none());
}

#[test]
fn m07_a_head_that_the_edits_agree_against_contends() {
    // GIVEN two members behind that were set to the same value, which is not the head's
    let behind = |name: &str| {
        let mut spec = Spec::clean(name, Side::Second, "0", 3);
        spec.edit("2", 20);
        spec
    };
    let merged = case(head("1", 4, 10, "a"), vec![behind("b"), behind("c")]).merge();
    let clash = merged.conflict.unwrap();
    assert!(clash.head);
    assert_eq!(merged.head.unwrap().epoch, 5);
}

/// A component whose system at the other end shows `shown` by its own hand, after the head went from `before` to "A".
fn rewriting(before: &str, rewritten: u32, shown: &str, ours: bool, base_epoch: u64) -> Merged {
    let one = Spec::clean("a", Side::First, "A", 4);
    let mut other = Spec::clean("b", Side::Second, "A", base_epoch);
    other.edit(shown, 30);
    let head = Head {
        before: Some(Value::from(before)),
        rewritten,
        ..head("A", 4, 10, "a")
    };
    let members = [
        member(&one),
        Member {
            ours,
            ..member(&other)
        },
    ];
    let rule = Rule {
        policy: ConflictPolicy::Latest,
        clock_error: 2,
        answer: None,
        one_way: false,
        floor: 0,
    };
    component::merge(Some(&head), &members, &rule)
}

#[test]
fn e13_what_a_system_makes_of_our_value_once_too_often_is_left_there() {
    let merged = rewriting("a", 1, "a", true, 4);
    assert_eq!(merged.rewritten, [1]);
    assert_eq!(merged.bases[1], base("a", 4));
    assert_eq!(merged.head.unwrap().value, "A".into());
    assert!(merged.owed.is_empty() && merged.edits.is_empty());
}

#[test]
fn e13_a_system_is_followed_the_first_time_and_counted() {
    // The first time, it may be right.
    let head = rewriting("a", 0, "a", true, 4).head.unwrap();
    assert_eq!((head.value, head.epoch, head.rewritten), ("a".into(), 5, 1));
    assert_eq!(head.before, Some("A".into()));
    // A value that it did not make before begins the count again.
    let head = rewriting("a", 1, "other", true, 4).head.unwrap();
    assert_eq!((head.value, head.rewritten), ("other".into(), 0));
    // So does an edit that a person made.
    let head = rewriting("a", 1, "a", false, 4).head.unwrap();
    assert_eq!((head.value, head.before, head.rewritten), ("a".into(), None, 0));
}

#[test]
fn e13_an_edit_behind_the_head_is_weighed_and_not_left_as_the_systems_own() {
    let merged = rewriting("a", 1, "a", true, 3);
    assert!(merged.rewritten.is_empty());
    assert!(merged.conflict.unwrap().head);
}

/// Whether the order of two edits is an estimate, of moments from (if known) and to in seconds.
fn estimated(one: (Option<i64>, i64), other: (Option<i64>, i64), of_head: bool) -> bool {
    let span = |(from, to): (Option<i64>, i64)| Span {
        from: from.map(moment),
        to: moment(to),
    };
    let epoch = if of_head { 3 } else { 4 };
    let mut specs = [
        Spec::clean("a", Side::First, "0", epoch),
        Spec::clean("b", Side::Second, "0", epoch),
    ];
    specs[0].edit("1", 0);
    if !of_head {
        specs[1].edit("2", 0);
    }
    let members = [
        Member {
            span: span(one),
            ..member(&specs[0])
        },
        Member {
            span: span(other),
            ..member(&specs[1])
        },
    ];
    let head = Head {
        span: span(if of_head { other } else { (None, 0) }),
        ..head(if of_head { "2" } else { "0" }, 4, 0, "x")
    };
    let rule = Rule {
        policy: ConflictPolicy::Latest,
        clock_error: 2,
        answer: None,
        one_way: false,
        floor: 0,
    };
    let merged = component::merge(Some(&head), &members, &rule);
    let clash = merged.conflict.unwrap();
    assert_eq!(clash.head, of_head);
    clash.estimated
}

#[test]
fn the_order_of_edits_is_certain_only_where_their_moments_are_apart_by_more_than_the_clocks_error() {
    for of_head in [false, true] {
        let rows = [
            // Made between 13 and 20, the other one at 10 at the latest.
            ((None, 10), (Some(13), 20), false),
            ((None, 10), (Some(12), 20), true),
            ((None, 10), (Some(5), 20), true),
            ((None, 10), (None, 20), true),
            // Which of the two is the later one is not a matter of their order.
            ((Some(13), 20), (None, 10), false),
            ((Some(12), 20), (None, 10), true),
            // The lower end of the earlier one matters nothing.
            ((Some(1), 10), (Some(13), 20), false),
            // One and the same moment.
            ((Some(13), 20), (Some(13), 20), true),
            ((None, 20), (None, 20), true),
        ];
        for (one, other, expected) in rows {
            let found = estimated(one, other, of_head);
            assert_eq!(found, expected, "{one:?} {other:?}, the head: {of_head}");
        }
    }
}

#[test]
fn m02_of_three_edits_one_that_is_not_apart_makes_the_order_an_estimate() {
    let mut members: Vec<Spec> = ["a", "b", "c"]
        .map(|name| Spec::clean(name, Side::First, "0", 4))
        .into();
    for (spec, (value, at)) in members.iter_mut().zip([("1", 10), ("2", 20), ("3", 30)]) {
        spec.edit(value, at);
    }
    let spans = [(None, 10), (None, 29), (Some(20), 30)];
    let all: Vec<Member<'_>> = members
        .iter()
        .zip(spans)
        .map(|(spec, (from, to))| Member {
            span: Span {
                from: from.map(moment),
                to: moment(to),
            },
            ..member(spec)
        })
        .collect();
    let rule = Rule {
        policy: ConflictPolicy::Wins(Side::First),
        clock_error: 2,
        answer: None,
        one_way: false,
        floor: 0,
    };
    let merged = component::merge(Some(&head("0", 4, 0, "x")), &all, &rule);
    assert!(merged.conflict.unwrap().estimated);
    assert_eq!(merged.head.unwrap().value, "3".into());
}

#[test]
fn m06_whoever_lost_is_behind_whatever_decided() {
    // GIVEN edits on top of the head and behind it
    let on_top = |name: &str, side, value: &str, at| {
        let mut spec = Spec::clean(name, side, "0", 4);
        spec.edit(value, at);
        spec
    };
    let mut behind = Spec::clean("c", Side::Second, "9", 2);
    behind.edit("3", 12);
    let members = vec![
        on_top("a", Side::First, "1", 10),
        on_top("b", Side::Second, "2", 11),
        behind,
    ];
    let answers = [
        None,
        Some(Value::from("0")),
        Some(Value::from("2")),
        Some(Value::from("8")),
    ];
    for (policy, answer) in answers.into_iter().flat_map(|answer| {
        let policies = [
            ConflictPolicy::Latest,
            ConflictPolicy::Wins(Side::First),
            ConflictPolicy::Wins(Side::Second),
        ];
        policies.map(|policy| (policy, answer.clone()))
    }) {
        let case = Case {
            policy,
            answer: answer.clone(),
            ..case(head("0", 4, 0, "x"), members.clone())
        };
        let merged = case.merge();
        let now = merged.head.unwrap();
        // THEN the head moved, and each loser stands at the epoch that it had seen, so that it is owed the winner
        assert_eq!(now.epoch, 5, "{policy:?} {answer:?}");
        for (index, spec) in members.iter().enumerate() {
            let known = spec.base.as_ref().unwrap().1;
            let won = spec.shadow == now.value;
            let expected = if won { 5 } else { known };
            assert_eq!(
                merged.bases[index].as_ref().map(|base| base.epoch),
                Some(expected),
                "{policy:?} {answer:?} {index}"
            );
            let owed = merged.owed.iter().any(|(owed, _)| *owed == index);
            assert_eq!(owed, !won, "{policy:?} {answer:?} {index}");
        }
    }
}

#[test]
fn m04_the_value_that_fits_every_edit_is_the_head() {
    // GIVEN systems that keep whole tens, beside one that keeps all: 14 fits 10 there, and 10 does not fit 14 here
    let spec = |name: &str, habit, value: &str| {
        let mut spec = Spec::clean(name, Side::First, "0", 4);
        spec.habit = habit;
        spec.edit(value, 20);
        spec
    };
    let members = vec![
        spec("a", Habit::Quantises, "10"),
        spec("b", Habit::Plain, "14"),
        spec("c", Habit::Quantises, "10"),
    ];
    let merged = case(head("0", 4, 0, "x"), members).merge();
    assert_eq!(merged.conflict, None);
    assert_eq!(merged.head.unwrap().value, "14".into());
    assert_eq!(merged.edits, [0, 1, 2]);
    assert!(merged.owed.is_empty());
}
