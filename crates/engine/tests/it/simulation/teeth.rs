//! Each rule of the core removed once: the simulation must notice, soon.
//!
//! Run with `--features mutations`. `TANDEM_MUTATION` names one rule to remove alone, `TANDEM_SCHEDULES` bounds the
//! search. The first failing schedule of each is printed.

use super::{run, steps};
use std::sync::atomic::{AtomicU64, Ordering};
use tandem_merge::mutation::{Mutation, set};

/// The first seed whose schedule fails without a rule, within a bound, with what is wrong. Two threads take the seeds
/// in turn.
#[allow(clippy::disallowed_methods)] // Each schedule is one thread's alone.
fn first_failing(mutation: Mutation, most: u64) -> Option<(u64, String)> {
    let next = AtomicU64::new(1);
    let first = AtomicU64::new(u64::MAX);
    let search = || -> Option<(u64, String)> {
        set(Some(mutation));
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed > most.min(first.load(Ordering::SeqCst)) {
                return None;
            }
            if let Err(wrong) = run(seed, steps(seed), false) {
                first.fetch_min(seed, Ordering::SeqCst);
                return Some((seed, wrong));
            }
        }
    };
    let found = std::thread::scope(|scope| {
        let threads = [scope.spawn(search), scope.spawn(search)];
        threads.map(|thread| thread.join().unwrap())
    });
    found.into_iter().flatten().min()
}

/// What the search for one rule came to, in a line.
fn told(mutation: Mutation, most: u64, found: Option<&(u64, String)>) -> String {
    let Some((seed, wrong)) = found else {
        return format!("{mutation:?}: not within {most}");
    };
    format!(
        "{mutation:?}: {seed}: {}",
        wrong.lines().nth(1).unwrap_or_default()
    )
}

/// Within how many schedules the removal of a rule must be noticed; none: it is not noticed here.
///
/// What is seen of a record in flight is held back by the store alone, whose suite shows it: a round settles what it
/// sent before it reads again. What is left in flight then is a write whose outcome is unknown, after which a conflict
/// that was none is allowed (RULES.md section 8), or a row of a load; there an observation of our own value makes a
/// base (the head fits), and one that began before the answer is dropped after it.
fn bound(mutation: Mutation) -> Option<u64> {
    match mutation {
        Mutation::NotHeldInFlight => None,
        Mutation::CursorFirst
        | Mutation::NotHeldForCreate
        | Mutation::CreateThaws
        | Mutation::BlankedReference => Some(20_000),
        Mutation::OwnDeactivation => Some(5_000),
        _ => Some(1_000),
    }
}

#[test]
fn every_rule_removed_is_noticed() {
    #[allow(clippy::disallowed_methods)]
    let only = std::env::var("TANDEM_MUTATION").ok();
    let asked = super::asked("TANDEM_SCHEDULES");
    let chosen = |mutation: &Mutation| only.as_ref().is_none_or(|name| *name == format!("{mutation:?}"));
    let mut unnoticed = Vec::new();
    for mutation in Mutation::ALL.into_iter().filter(chosen) {
        let bound = bound(mutation).or(only.as_ref().map(|_| 20_000));
        let Some(most) = asked.or(bound) else {
            println!("{mutation:?}: shown by the suite of the store");
            continue;
        };
        let found = first_failing(mutation, most);
        let line = told(mutation, most, found.as_ref());
        println!("{line}");
        if found.is_none() {
            unnoticed.push(line);
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
