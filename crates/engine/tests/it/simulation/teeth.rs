//! Each rule of the core removed once: the simulation must notice, soon.
//!
//! Run with `--features mutations`. `TANDEM_SCHEDULES` bounds the search; the first failing schedule of each is printed.

use super::{asked, run, steps};
use tandem_merge::mutation::{Mutation, set};

/// The first seed whose schedule fails without a rule, within a bound.
fn first_failing(mutation: Mutation, most: u64) -> Option<(u64, String)> {
    set(Some(mutation));
    let found = (1..=most).find_map(|seed| Some((seed, run(seed, steps(seed), false).err()?)));
    set(None);
    match &found {
        Some((seed, wrong)) => println!(
            "{mutation:?} {seed}: {}",
            wrong.lines().nth(1).unwrap_or_default()
        ),
        None => println!("{mutation:?}: not within {most}"),
    }
    found
}

/// Rules whose removal shows soon.
const SOON: u64 = 1_000;

#[test]
#[allow(clippy::disallowed_methods)] // Two threads, each with rules of its own.
fn every_rule_removed_is_noticed() {
    let most = asked("TANDEM_SCHEDULES").unwrap_or(SOON);
    let half = |rest: usize| {
        move || -> Vec<(Mutation, Option<(u64, String)>)> {
            let mine = Mutation::ALL
                .into_iter()
                .enumerate()
                .filter(|(place, _)| place % 2 == rest);
            mine.map(|(_, mutation)| (mutation, first_failing(mutation, most)))
                .collect()
        }
    };
    let other = std::thread::spawn(half(1));
    let mut found = half(0)();
    found.extend(other.join().unwrap());
    let unnoticed = found.into_iter().filter(|(_, found)| found.is_none());
    let unnoticed: Vec<Mutation> = unnoticed.map(|(mutation, _)| mutation).collect();
    assert!(
        unnoticed.is_empty(),
        "not noticed within {most} schedules: {unnoticed:?}"
    );
}
