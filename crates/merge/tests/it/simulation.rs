//! Random schedules of edits, late and duplicated observations, lost and late requests, refusals, crashes,
//! creates and deletions around the pure core; then rest, and what must hold there.

use crate::star::drive::World;
use crate::star::oracle;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many schedules; `TANDEM_SCHEDULES` asks for more.
fn schedules() -> u64 {
    std::env::var("TANDEM_SCHEDULES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(800)
}

fn run(seed: u64, steps: usize) -> Result<(), String> {
    let mut world = World::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for side in 0..2 {
            world.engine.listed.insert(side);
            world.engine.poll(&world.systems, side);
        }
        (0..steps).for_each(|_| world.step());
        world.rest()?;
        let writes = world.systems.writes;
        world.systems.clock += 30;
        world.rest()?;
        if world.systems.writes != writes {
            return Err("E7: a second run writes".to_owned());
        }
        Ok(oracle::check(&world))
    }));
    let broken = match outcome {
        Ok(Ok(broken)) if broken.is_empty() => return Ok(()),
        Ok(Ok(broken)) => broken,
        Ok(Err(broken)) => vec![broken],
        Err(panic) => vec![
            panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "panics".to_owned()),
        ],
    };
    Err(format!(
        "seed {seed}, {steps} steps: {broken:#?}\n{}",
        world.trace.join("\n")
    ))
}

/// The shortest schedule of a seed that fails.
fn shortest(seed: u64, steps: usize) -> String {
    let mut failure = String::new();
    for fewer in (0..=steps).rev() {
        match run(seed, fewer) {
            Err(text) => failure = text,
            Ok(()) if !failure.is_empty() => break,
            Ok(()) => {}
        }
    }
    failure
}

#[test]
fn random_schedules_converge_without_losing_an_edit() {
    let one = std::env::var("TANDEM_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seeds = one.map_or(1..=schedules(), |seed| seed..=seed);
    for seed in seeds {
        let steps = 10 + usize::try_from(seed % 80).unwrap();
        if run(seed, steps).is_err() {
            panic!("{}", shortest(seed, steps));
        }
    }
}
