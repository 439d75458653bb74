//! The real engine over the real stores, against two systems in memory, driven by one seed: people edit, create and
//! delete at any moment, the network loses, delays and repeats, the process dies at any await. Then all comes to rest,
//! and what must hold is checked from the systems' own log of what people did.
//!
//! `TANDEM_SCHEDULES` sets how many schedules are run, `TANDEM_SEED` runs one alone and prints what happened.

mod aftermath;
mod clock;
mod connector;
mod desk;
mod dice;
mod habits;
mod log;
mod oracle;
mod quirks;
mod schedule;
mod setting;
mod system;
#[cfg(feature = "mutations")]
mod teeth;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// Schedules of an ordinary run.
const SCHEDULES: u64 = 2_000;

/// Whether the rule that a system keeps is removed: changes are shown again for some time.
fn without_overlap() -> bool {
    tandem_merge::mutation::removed(tandem_merge::mutation::Mutation::NoOverlap)
}

/// How many steps a seed's schedule has.
fn steps(seed: u64) -> u64 {
    20 + (seed * 37) % 260
}

/// Runs one schedule. What is wrong, with what happened where that is asked for.
fn run(seed: u64, steps: u64, traced: bool) -> Result<u64, String> {
    let mut world = World::new(seed, traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        world.run(steps)?;
        let mut engine = world.rest()?;
        let broken = oracle::check(&mut world, &mut engine);
        if broken.is_empty() {
            Ok(())
        } else {
            Err(broken.join("\n"))
        }
    }));
    let wrong = match outcome {
        Ok(Ok(())) => {
            return Ok(world
                .log
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .writes);
        }
        Ok(Err(wrong)) => wrong,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            text.unwrap_or_else(|| "it panics".to_owned())
        }
    };
    let log = world
        .log
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let said = log.broken.join("\n");
    Err(format!(
        "seed {seed}, {steps} steps:\n{wrong}\n{said}\n{}",
        log.trace()
    ))
}

/// The shortest beginning of a seed's schedule that fails, with what happened.
fn shortest(seed: u64) -> String {
    let fails = |steps: u64| run(seed, steps, false).is_err();
    let most = steps(seed);
    let coarse = (0..=most).step_by(8).find(|steps| fails(*steps)).unwrap_or(most);
    let fewest = (coarse.saturating_sub(7)..=coarse)
        .find(|steps| fails(*steps))
        .unwrap_or(most);
    run(seed, fewest, true).err().unwrap_or_default()
}

#[allow(clippy::disallowed_methods)] // A failed seed is run again alone, a long run asks for more.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs schedules on two threads; each is one thread's alone. The seeds that fail, the first ones first, with what is
/// wrong.
#[allow(clippy::disallowed_methods)]
fn failing(seeds: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    let half = |rest: u64| {
        let mine = seeds.clone().filter(move |seed| seed % 2 == rest);
        move || -> Vec<(u64, String)> {
            mine.filter_map(|seed| Some((seed, run(seed, steps(seed), false).err()?)))
                .collect()
        }
    };
    let other = std::thread::spawn(half(1));
    let mut found = half(0)();
    found.extend(other.join().unwrap());
    found.sort();
    found
}

#[test]
fn e1_e16_random_schedules_lose_nothing_double_nothing_and_come_to_rest() {
    if let Some(seed) = asked("TANDEM_SEED") {
        if let Err(wrong) = run(seed, steps(seed), false) {
            panic!("{}\n{wrong}", shortest(seed));
        }
        return;
    }
    let seeds = 1..=asked("TANDEM_SCHEDULES").unwrap_or(SCHEDULES);
    let failing = failing(seeds);
    if let Some((seed, _)) = failing.first() {
        let all = failing
            .iter()
            .map(|(seed, wrong)| format!("{seed}: {}", wrong.lines().nth(1).unwrap_or_default()));
        let all: Vec<String> = all.collect();
        panic!("{}\nthe first one is:\n{}", all.join("\n"), shortest(*seed));
    }
}
