//! The real engine, store and connectors against both local systems, all within one thread: no network, a clock that
//! jumps, and one seed that decides what people do, what becomes of each request and answer, and when the process dies.
//!
//! The shipped dataflow with all its flows is under test. Afterwards all comes to rest, and what must hold is checked
//! from the systems' own records and from what people typed. `TANDEM_SCHEDULES` sets how many seeds are run,
//! `TANDEM_SEED` runs one alone and prints what happened. The engine's own simulation, whose systems are models, runs
//! many more schedules; this one adds the connectors and the systems as they are.

#![allow(clippy::unwrap_used)]

mod administrator;
mod alone;
mod guards;
mod line;
mod oracle;
mod people;
mod references;
mod time;
mod world;

use line::Counts;
use world::World;

/// Schedules of an ordinary run.
const SCHEDULES: u64 = 28;

/// Runs something on this thread by a clock that jumps to where the next sleeper wakes.
fn in_simulated_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// Runs one schedule. What is wrong, with what happened.
fn run(seed: u64, traced: bool) -> (Result<String, String>, Counts) {
    in_simulated_time(async {
        let mut world = World::new(seed, traced).await;
        let outcome = world.run().await;
        let told = world.told();
        let counts = world.lines.state().counts;
        let outcome = match outcome {
            Ok(()) => Ok(told),
            Err(wrong) => Err(format!("seed {seed}: {wrong}\n{told}")),
        };
        (outcome, counts)
    })
}

#[allow(clippy::disallowed_methods)] // A failed seed is run again alone, a long run asks for more.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs seeds on two threads; each is one thread's alone. What is wrong with those that fail, and what came to pass.
#[allow(clippy::disallowed_methods)]
fn failing(seeds: std::ops::RangeInclusive<u64>) -> (Vec<String>, Counts) {
    let half = |rest: u64| {
        let mine = seeds.clone().filter(move |seed| seed % 2 == rest);
        move || -> (Vec<String>, Counts) {
            let mut counts = Counts::default();
            let failing = mine.filter_map(|seed| {
                let (outcome, own) = run(seed, false);
                counts = counts.and(own);
                outcome.err()
            });
            (failing.collect(), counts)
        }
    };
    let other = std::thread::spawn(half(1));
    let (mut found, counts) = half(0)();
    let (rest, others) = other.join().unwrap();
    found.extend(rest);
    (found, counts.and(others))
}

#[test]
fn e1_e16_the_connectors_and_both_local_systems_lose_nothing_and_double_nothing() {
    if let Some(seed) = asked("TANDEM_SEED") {
        if let (Err(wrong), _) = run(seed, true) {
            panic!("{wrong}");
        }
        return;
    }
    let schedules = asked("TANDEM_SCHEDULES").unwrap_or(SCHEDULES);
    let (failing, counts) = failing(1..=schedules);
    assert!(failing.is_empty(), "{counts:?}\n{}", failing.join("\n"));
    assert!(
        schedules < SCHEDULES || !counts.lacks_any(),
        "not all comes to pass: {counts:?}"
    );
}

#[test]
fn a_seed_replays_exactly() {
    let (once, counts) = run(7, true);
    assert!(
        once.as_ref().is_ok_and(|told| told.lines().count() > 100),
        "{once:?}"
    );
    assert_eq!((once, counts), run(7, true));
}
