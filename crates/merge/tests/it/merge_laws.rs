//! The laws M1 to M12 of merging one component, on random components whose members have habits.

use crate::members::{Case, Habit, Spec, head};
use proptest::prelude::*;
use tandem_merge::component::{Codec, Merged};
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::value::Value;

const NAMES: [&str; 4] = ["a1", "b2", "c3", "d4"];

fn own_form() -> impl Strategy<Value = String> {
    let all = [
        "",
        "a",
        "b",
        "c",
        " a",
        "b ",
        "14",
        "10",
        "long text",
        "P",
        "Q",
        "?",
    ];
    prop::sample::select(all.to_vec()).prop_map(str::to_owned)
}

fn canonical() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "c", "10", "20", "long text"]).prop_map(str::to_owned)
}

prop_compose! {
    fn spec(index: usize, epoch: u64)(
        habit in prop::sample::select(Habit::ALL.to_vec()),
        shadow in own_form(),
        base in prop::option::weighted(0.8, (own_form(), 0..=epoch)),
        same in prop::bool::weighted(0.4),
        at in 0_i64..40,
        second in any::<bool>(),
        source in prop::bool::weighted(0.8),
        target in prop::bool::weighted(0.8),
        blank_is_edit in prop::bool::weighted(0.8),
        in_flight in prop::bool::weighted(0.1),
        parked in prop::option::weighted(0.2, 0..=epoch),
    ) -> Spec {
        let base = base.map(|(value, epoch)| (if same { shadow.clone() } else { value }, epoch));
        Spec {
            name: NAMES[index].to_owned(),
            habit,
            side: if second { Side::Second } else { Side::First },
            shadow: Value::from(shadow.as_str()),
            base: base.map(|(value, epoch)| (Value::from(value.as_str()), epoch)),
            at,
            source,
            target,
            blank_is_edit,
            in_flight,
            parked,
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let policies = vec![
        ConflictPolicy::Latest,
        ConflictPolicy::Wins(Side::First),
        ConflictPolicy::Wins(Side::Second),
        ConflictPolicy::Ask,
    ];
    let shape = (
        prop::option::weighted(0.8, (canonical(), 1_u64..=3, 0_i64..40, 0_usize..4)),
        2_usize..=4,
    );
    let parts = (shape, prop::sample::select(policies));
    parts.prop_flat_map(|((of, count), policy)| {
        let epoch = of.as_ref().map_or(0, |(_, epoch, _, _)| *epoch);
        let members: Vec<_> = (0..count).map(|index| spec(index, epoch)).collect();
        members.prop_map(move |members| {
            let head = of
                .as_ref()
                .map(|(value, epoch, at, origin)| head(value, *epoch, *at, NAMES[*origin]));
            Case {
                members,
                head,
                policy,
                answer: None,
                one_way: false,
            }
        })
    })
}

/// A case as the engine can have it: a base at the head's epoch is a form of the head (S3).
fn reachable() -> impl Strategy<Value = Case> {
    case().prop_map(|mut case| {
        let head = case.head.clone();
        for spec in &mut case.members {
            spec.in_flight = false;
            spec.parked = None;
            let Some((value, epoch)) = spec.base.clone() else {
                continue;
            };
            match &head {
                None => spec.base = None,
                Some(head) if epoch == head.epoch && !spec.habit.fits(&head.value, &value) => {
                    spec.base = spec.habit.encode(&head.value).ok().map(|own| (own, epoch));
                }
                Some(_) => {}
            }
        }
        case
    })
}

fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|index| (u64::try_from(*index).unwrap() + 1).wrapping_mul(seed | 1) % 7919);
    order
}

/// What a merge decided for a member, by its place.
fn of_member(merged: &Merged, index: usize) -> impl PartialEq + std::fmt::Debug + use<> {
    let owed = merged
        .owed
        .iter()
        .find(|(owed, _)| *owed == index)
        .map(|(_, own)| own.clone());
    let troubled = merged.troubles.iter().any(|(place, _)| *place == index);
    let contends = merged
        .conflict
        .as_ref()
        .is_some_and(|clash| clash.members.contains(&index));
    (
        merged.bases[index].clone(),
        owed,
        troubled,
        contends,
        merged.edits.contains(&index),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn m01_merging_is_total_and_deterministic(case in case()) {
        prop_assert_eq!(case.merge(), case.merge());
    }

    #[test]
    fn m02_the_order_of_members_changes_nothing(case in case(), seed in any::<u64>()) {
        let order = order(case.members.len(), seed);
        let mut turned = case.clone();
        turned.members = order.iter().map(|index| case.members[*index].clone()).collect();
        let (one, other) = (case.merge(), turned.merge());
        prop_assert_eq!(&one.head, &other.head);
        prop_assert_eq!(
            one.conflict.as_ref().map(|clash| (&clash.winner, clash.head, clash.estimated)),
            other.conflict.as_ref().map(|clash| (&clash.winner, clash.head, clash.estimated))
        );
        for (there, here) in order.iter().enumerate() {
            prop_assert_eq!(of_member(&one, *here), of_member(&other, there));
        }
    }

    #[test]
    fn m02_the_names_of_members_change_nothing(case in case()) {
        let renamed = |name: &str| NAMES.iter().position(|known| *known == name).map(|index| NAMES[3 - index]);
        let mut other = case.clone();
        for spec in &mut other.members {
            spec.name = renamed(&spec.name).unwrap().to_owned();
        }
        if let Some(origin) = other.head.as_mut().and_then(|head| head.origin.as_mut()) {
            origin.id = renamed(&origin.id).unwrap().to_owned();
        }
        let (one, two) = (case.merge(), other.merge());
        let value = |merged: &Merged| merged.head.as_ref().map(|head| (head.value.clone(), head.epoch, head.span));
        prop_assert_eq!(value(&one), value(&two));
        for index in 0..case.members.len() {
            let (a, b) = (&one.bases[index], &two.bases[index]);
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(one.owed, two.owed);
    }

    #[test]
    fn m03_one_edit_goes_everywhere(case in reachable(), who in 0_usize..4, value in canonical()) {
        let mut case = case;
        prop_assume!(case.head.is_some());
        let (who, epoch) = (who % case.members.len(), case.epoch());
        let head = case.head.clone().unwrap().value;
        for spec in &mut case.members {
            let Ok(own) = spec.habit.encode(&head) else { continue };
            spec.shadow = own.clone();
            spec.base = Some((own, epoch));
        }
        let spec = &mut case.members[who];
        let Ok(own) = spec.habit.encode(&Value::from(value.as_str())) else { return Ok(()) };
        prop_assume!(spec.habit.encode(&head).is_ok());
        prop_assume!(spec.habit.decode(&own).unwrap() != head && spec.shadow != own);
        (spec.source, spec.blank_is_edit, spec.shadow) = (true, true, own);
        let canonical = spec.habit.decode(&spec.shadow).unwrap();
        let unsettled = |spec: &Spec| spec.base.is_none() || spec.changed();
        prop_assume!((0..case.members.len()).all(|index| index == who || !unsettled(&case.members[index])));
        let merged = case.merge();
        prop_assert_eq!(&merged.conflict, &None);
        prop_assert_eq!(&merged.head.as_ref().unwrap().value, &canonical);
        prop_assert_eq!(merged.head.as_ref().unwrap().epoch, epoch + 1);
        for (index, spec) in case.members.iter().enumerate() {
            let there = spec.habit.fits(&canonical, &spec.shadow);
            let owed = merged.owed.iter().any(|(owed, _)| *owed == index);
            let cannot = spec.habit.encode(&canonical).is_err();
            prop_assert_eq!(owed, spec.target && !there && !cannot, "member {}: {:?}", index, merged);
        }
    }

    #[test]
    fn m04_the_same_edit_on_several_members_is_agreement(case in reachable(), value in canonical()) {
        let mut case = case;
        let value = Value::from(value.as_str());
        let mut some = false;
        for spec in &mut case.members {
            match spec.habit.encode(&value) {
                Ok(own) if spec.habit.decode(&own).as_ref() == Ok(&value) => {
                    spec.shadow = own;
                    some |= spec.source;
                }
                _ => spec.base = Some((spec.shadow.clone(), 0)),
            }
        }
        prop_assume!(some && case.head.as_ref().is_none_or(|head| {
            head.value == value || case.members.iter().any(|spec| {
                spec.source && spec.blank_is_edit && spec.changed()
                    && spec.base.as_ref().is_some_and(|(_, epoch)| *epoch == head.epoch)
            })
        }));
        prop_assert_eq!(case.merge().conflict, None);
    }

    #[test]
    fn m05_the_head_is_no_invention(case in case(), answer in prop::option::of(canonical())) {
        let mut case = case;
        case.answer = answer.map(|text| Value::from(text.as_str()));
        let merged = case.merge();
        let Some(head) = merged.head else { return Ok(()) };
        let before = case.head.as_ref().map(|head| head.value.clone());
        let held = case.members.iter().filter_map(|spec| spec.habit.decode(&spec.shadow).ok());
        prop_assert!(held.chain(before).chain(case.answer.clone()).any(|value| value == head.value));
    }

    #[test]
    fn m06_an_edit_is_superseded_only_by_one_on_top_or_in_a_conflict(case in case()) {
        let merged = case.merge();
        let told = merged.conflict.clone();
        if let (Some(before), Some(after)) = (&case.head, &merged.head) && before.value != after.value {
            let on_top = case.members.iter().any(|spec| {
                spec.source && spec.changed() && spec.base.as_ref().is_some_and(|(_, epoch)| *epoch == before.epoch)
            });
            let filed = told.as_ref().is_some_and(|clash| clash.head);
            prop_assert!(on_top || filed || before.value.is_blank(), "{:#?}", merged);
        }
        for (index, spec) in case.members.iter().enumerate() {
            let moved = merged.bases[index].as_ref().is_some_and(|base| Some((&base.value, base.epoch)) != spec.base.as_ref().map(|(value, epoch)| (value, *epoch)));
            let filed = told.as_ref().is_some_and(|clash| clash.members.contains(&index));
            let fits = merged.head.as_ref().is_some_and(|head| spec.habit.fits(&head.value, &spec.shadow));
            // It is what the edit of a record that was created from it was made on top of.
            let below = spec.base.is_none() && case.head.is_none() && case.members.iter().any(|other| {
                let given = other.base.as_ref().filter(|(value, epoch)| *epoch == 0 && !value.is_blank());
                let given = given.and_then(|(value, _)| other.habit.decode(value).ok());
                let edited = other.source && other.changed();
                edited && given.is_some_and(|given| spec.habit.fits(&given, &spec.shadow))
            });
            prop_assert!(!moved || filed || fits || below, "a base moves with agreement or into history: {:#?}", merged);
            let owed = merged.owed.iter().any(|(owed, _)| *owed == index);
            let unseen = spec.source && spec.changed() && !spec.shadow.is_blank() && !filed && !below;
            prop_assert!(!(owed && unseen), "an edit is about to be overwritten untold: {:#?}", merged);
        }
    }

    #[test]
    fn m07_a_conflict_means_that_no_one_value_fits(case in case()) {
        let merged = case.merge();
        let Some(clash) = merged.conflict else { return Ok(()) };
        let head = case.head.as_ref().filter(|_| clash.head).map(|head| head.value.clone());
        let values = clash.members.iter().map(|index| {
            case.members[*index].habit.decode(&case.members[*index].shadow).unwrap()
        });
        for candidate in values.chain(head.clone()) {
            let fits = clash.members.iter().all(|index| {
                case.members[*index].habit.fits(&candidate, &case.members[*index].shadow)
            });
            prop_assert!(!fits || head.as_ref().is_some_and(|head| head != &candidate), "{:?} fits all", candidate);
        }
    }

    #[test]
    fn m08_merging_again_changes_nothing(case in case()) {
        let mut case = case;
        let first = case.merge();
        case.take(&first);
        let freed: Vec<usize> = first.owed.iter().map(|(index, _)| *index).collect();
        freed.into_iter().for_each(|index| case.members[index].parked = None);
        let second = case.merge();
        prop_assert_eq!(&second.head, &first.head);
        prop_assert_eq!(&second.bases, &first.bases);
        prop_assert_eq!(&second.owed, &first.owed);
        prop_assert!(second.edits.is_empty());
        let asked = first.conflict.filter(|clash| clash.winner.is_none());
        prop_assert_eq!(second.conflict, asked);
    }

    #[test]
    fn m08_writing_what_is_owed_comes_to_rest(case in reachable()) {
        let mut case = case;
        let last = case.drive();
        prop_assume!(last.conflict.is_none());
        let Some(head) = case.head.clone() else { return Ok(()) };
        for (index, spec) in case.members.iter().enumerate() {
            let troubled = last.troubles.iter().any(|(place, _)| *place == index);
            let drift = (!spec.source || (spec.shadow.is_blank() && !spec.blank_is_edit))
                && spec.base.as_ref().is_some_and(|(_, epoch)| *epoch == head.epoch);
            let rests = spec.habit.fits(&head.value, &spec.shadow) || !spec.target || troubled || drift;
            prop_assert!(rests, "member {} of {:#?}", index, case);
        }
    }

    #[test]
    fn m10_canonical_form_is_idempotent(habit in prop::sample::select(Habit::ALL.to_vec()), own in own_form()) {
        let own = Value::from(own.as_str());
        let Ok(value) = habit.decode(&own) else { return Ok(()) };
        let Ok(written) = habit.encode(&value) else { return Ok(()) };
        prop_assert_eq!(habit.decode(&written), Ok(value));
    }

    #[test]
    fn m11_a_policy_touches_conflicts_only(case in case(), policy in prop::sample::select(vec![
        ConflictPolicy::Latest, ConflictPolicy::Wins(Side::First), ConflictPolicy::Ask,
    ])) {
        let mut other = case.clone();
        other.policy = policy;
        let (one, two) = (case.merge(), other.merge());
        match (&one.conflict, &two.conflict) {
            (None, None) => prop_assert_eq!(one, two),
            (Some(a), Some(b)) => {
                prop_assert_eq!((&a.members, a.head), (&b.members, b.head));
                let mut offered: Vec<Value> = a.members.iter()
                    .map(|index| case.members[*index].habit.decode(&case.members[*index].shadow).unwrap())
                    .collect();
                offered.extend(case.head.as_ref().filter(|_| a.head).map(|head| head.value.clone()));
                prop_assert!(b.winner.as_ref().is_none_or(|winner| offered.contains(winner)));
                prop_assert_eq!(b.winner.is_none(), policy == ConflictPolicy::Ask);
            }
            _ => prop_assert!(false, "a policy made or hid a conflict"),
        }
    }

    #[test]
    fn m11_ask_moves_nothing(case in reachable()) {
        let mut case = case;
        case.policy = ConflictPolicy::Ask;
        let merged = case.merge();
        if merged.conflict.is_none() {
            return Ok(());
        }
        prop_assert_eq!(&merged.head, &case.head);
        prop_assert!(merged.owed.is_empty() && merged.edits.is_empty());
        for (spec, base) in case.members.iter().zip(&merged.bases) {
            prop_assert_eq!(spec.base.clone(), base.clone().map(|base| (base.value, base.epoch)));
        }
    }

    #[test]
    fn m12_a_member_that_cannot_hold_the_head_stays_alone(case in reachable(), who in 0_usize..4) {
        let mut case = case;
        let who = who % case.members.len();
        for (index, spec) in case.members.iter_mut().enumerate() {
            *spec = Spec { habit: Habit::Plain, ..Spec::clean(NAMES[index], spec.side, "a", 1) };
        }
        case.head = Some(head("a", 1, 0, NAMES[0]));
        case.members[who].habit = Habit::Short;
        let editor = (who + 1) % case.members.len();
        case.members[editor].edit("long text", 10);
        let merged = case.drive();
        prop_assert_eq!(merged.troubles.iter().map(|(index, _)| *index).collect::<Vec<_>>(), vec![who]);
        for (index, shown) in case.shown().iter().enumerate() {
            prop_assert_eq!(shown == "a", index == who, "all but one hold it");
        }
        prop_assert_eq!(case.members[who].base.clone(), Some((Value::from("a"), 1)), "it keeps its base");
    }
}
