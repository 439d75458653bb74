//! The whole small scope: every reachable state of two and three members over three values, three epochs and
//! all roles, merged and driven to rest.

use crate::members::{Case, Habit, Spec, head};
use tandem_merge::component::{Codec, Merged};
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::value::Value;

const VALUES: [&str; 3] = ["", "a", "b"];
const POLICIES: [ConflictPolicy; 3] = [
    ConflictPolicy::Latest,
    ConflictPolicy::Wins(Side::Second),
    ConflictPolicy::Ask,
];

/// All states of a member under a head: a base at the head's epoch is the head's value (S3).
fn states(index: usize, head: Option<(&str, u64)>, roles: &[(bool, bool)]) -> Vec<Spec> {
    let newest = head.map_or(0, |(_, epoch)| epoch);
    let mut bases = vec![None];
    for epoch in 0..=newest {
        bases.extend(VALUES.iter().map(|value| Some((Value::from(*value), epoch))));
    }
    bases.retain(|base| match (base, head) {
        (Some((value, epoch)), Some((agreed, newest))) => *epoch < newest || value == &Value::from(agreed),
        (base, None) => base.is_none(),
        (None, Some(_)) => true,
    });
    let mut found = Vec::new();
    for shadow in VALUES {
        for base in &bases {
            for (source, target) in roles {
                found.push(Spec {
                    name: format!("m{index}"),
                    habit: Habit::Plain,
                    side: if index == 0 { Side::First } else { Side::Second },
                    shadow: Value::from(shadow),
                    base: base.clone(),
                    at: 10 * i64::try_from(index).unwrap(),
                    source: *source,
                    target: *target,
                    blank_is_edit: true,
                    in_flight: false,
                    parked: None,
                });
            }
        }
    }
    found
}

fn heads() -> Vec<Option<(&'static str, u64)>> {
    let some = VALUES
        .into_iter()
        .flat_map(|value| [1, 2].map(|epoch| Some((value, epoch))));
    std::iter::once(None).chain(some).collect()
}

fn case(members: Vec<Spec>, of: Option<(&str, u64)>, policy: ConflictPolicy) -> Case {
    let head = of.map(|(value, epoch)| head(value, epoch, 5, "m0"));
    Case {
        members,
        head,
        policy,
        answer: None,
        one_way: false,
    }
}

/// Contenders by the table of the rules, written down a second time.
fn contenders(case: &Case) -> (Vec<usize>, bool) {
    let changed = |spec: &Spec| spec.source && spec.changed();
    let joining_blank = |spec: &Spec| spec.base.is_none() && spec.shadow.is_blank();
    let mut found: Vec<usize> = (0..case.members.len())
        .filter(|index| changed(&case.members[*index]))
        .collect();
    let blanks_only = found.iter().all(|index| joining_blank(&case.members[*index]));
    if !(blanks_only && case.head.is_none()) {
        found.retain(|index| !joining_blank(&case.members[*index]));
    }
    let edited = |spec: &Spec| {
        spec.base
            .as_ref()
            .is_some_and(|(_, epoch)| *epoch == case.epoch())
    };
    let on_top = case.head.is_some() && found.iter().any(|index| edited(&case.members[*index]));
    let blank_head = case.head.as_ref().is_some_and(|head| head.value.is_blank());
    let only_joining = found.iter().all(|index| case.members[*index].base.is_none());
    let joins_blank = blank_head && only_joining;
    let with_head = case.head.is_some() && !on_top && !found.is_empty() && !joins_blank;
    (found, with_head)
}

fn agree(case: &Case, contenders: &[usize], with_head: bool) -> bool {
    let values = contenders.iter().map(|index| &case.members[*index].shadow);
    let head = case.head.as_ref().filter(|_| with_head).map(|head| &head.value);
    let mut all: Vec<&Value> = values.chain(head).collect();
    all.dedup();
    all.len() <= 1
}

fn check(case: &Case) {
    let merged = case.merge();
    assert_eq!(merged, case.merge(), "M1");
    let (contending, with_head) = contenders(case);
    let agreeing = agree(case, &contending, with_head);
    assert_eq!(
        merged.conflict.is_none(),
        agreeing,
        "M4, M7: {case:#?}\n{merged:#?}"
    );
    if let Some(clash) = &merged.conflict {
        assert_eq!(
            (&clash.members, clash.head),
            (&contending, with_head),
            "M7: {case:#?}"
        );
        let offered = |value: &Value| {
            contending
                .iter()
                .any(|index| &case.members[*index].shadow == value)
                || case
                    .head
                    .as_ref()
                    .is_some_and(|head| with_head && &head.value == value)
        };
        assert!(
            clash.winner.as_ref().is_none_or(offered),
            "M11: {case:#?}\n{merged:#?}"
        );
        assert_eq!(clash.winner.is_none(), case.policy == ConflictPolicy::Ask, "M11");
    } else if let Some(index) = contending.first() {
        let value = merged.head.as_ref().map(|head| &head.value);
        assert_eq!(value, Some(&case.members[*index].shadow), "M3: {case:#?}");
    }
    check_head(case, &merged);
    check_rest(case);
}

fn check_head(case: &Case, merged: &Merged) {
    let epoch = merged.head.as_ref().map_or(0, |head| head.epoch);
    assert!(
        epoch >= case.epoch() && epoch <= case.epoch() + 1,
        "the epoch counts changes: {case:#?}"
    );
    if merged.head != case.head {
        let value = &merged.head.as_ref().unwrap().value;
        let held = case.members.iter().any(|spec| &spec.shadow == value);
        assert!(held || case.answer.as_ref() == Some(value), "M5: {case:#?}");
    }
    for (spec, base) in case.members.iter().zip(&merged.bases) {
        let Some(base) = base else { continue };
        assert!(base.epoch <= epoch, "S3: {case:#?}\n{merged:#?}");
        let kept = spec.base.as_ref().is_some_and(|(value, _)| value == &base.value);
        assert!(
            kept || spec.shadow == base.value,
            "a base is a value of its own record"
        );
    }
    for (index, own) in &merged.owed {
        assert!(case.members[*index].target, "E9: {case:#?}");
        assert_eq!(Some(own), merged.head.as_ref().map(|head| &head.value), "R1");
    }
}

fn check_rest(case: &Case) {
    let mut later = case.clone();
    let merged = later.merge();
    later.take(&merged);
    let again = later.merge();
    assert_eq!(
        (&again.head, &again.bases, &again.owed),
        (&merged.head, &merged.bases, &merged.owed),
        "M8: {case:#?}"
    );
    assert!(again.edits.is_empty(), "M8: {case:#?}");
    let last = later.drive();
    if last.conflict.is_some() {
        assert_eq!(
            case.policy,
            ConflictPolicy::Ask,
            "M8: a settled conflict comes back: {case:#?}"
        );
        return;
    }
    let Some(head) = &later.head else { return };
    for spec in &later.members {
        let drifted = !spec.source && spec.base.as_ref().is_some_and(|(_, epoch)| *epoch == head.epoch);
        let ok = !spec.target || drifted || spec.habit.fits(&head.value, &spec.shadow);
        assert!(ok, "E8: {case:#?}\n{later:#?}");
    }
}

#[test]
fn m01_to_m12_two_members_all_roles() {
    let roles = [(true, true), (true, false), (false, true), (false, false)];
    let mut count = 0_u32;
    for head in heads() {
        for first in states(0, head, &roles) {
            for second in states(1, head, &roles) {
                for policy in POLICIES {
                    check(&case(vec![first.clone(), second.clone()], head, policy));
                    count += 1;
                }
            }
        }
    }
    assert!(count > 30_000, "{count}");
}

#[test]
fn m01_to_m12_three_members() {
    let roles = [(true, true), (false, true)];
    let mut count = 0_u32;
    for (turn, head) in heads().into_iter().enumerate() {
        let members = [
            states(0, head, &roles),
            states(1, head, &roles),
            states(2, head, &roles),
        ];
        for (i, first) in members[0].iter().enumerate() {
            for (j, second) in members[1].iter().enumerate() {
                // The order of members is the law M2's affair: unordered triples are enough.
                for third in members[2].iter().skip(i.max(j)) {
                    let policy = POLICIES[(turn + i + j) % POLICIES.len()];
                    check(&case(
                        vec![first.clone(), second.clone(), third.clone()],
                        head,
                        policy,
                    ));
                    count += 1;
                }
            }
        }
    }
    assert!(count > 50_000, "{count}");
}
