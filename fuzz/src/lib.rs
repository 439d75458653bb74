//! Fuzzing on a stable compiler: inputs mutated from a corpus, by a seed, for as many runs as are asked for.
//!
//! A target is a function of bytes, `Fn(&[u8])`, the shape that libFuzzer takes; it lives in the room that it is for, among its
//! tests. `TANDEM_FUZZ` says how many inputs each target gets, `TANDEM_SEED` replays a series. The input at hand is kept in
//! a file while it runs: what takes the process along with it (a stack that overflows) is found there.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Inputs of each target where nobody asks for more.
const RUNS: u64 = 1_500;
/// The longest input.
const LONGEST: usize = 64 * 1024;
/// What parsers stumble over.
const TOKENS: [&[u8]; 26] = [
    b"(",
    b")",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b",",
    b":",
    b"-",
    b"\n",
    b"\r\n",
    b"\0",
    b"#",
    b"&a ",
    b"*a",
    b"null",
    b"NOT ",
    b"99999999999999999999",
    b"-9223372036854775808",
    b"1e999",
    b"\xff\xfe",
    b"\xf0\x9f\x90\xa6",
    b"\xcc\x81",
];

/// Gives a target every input of the corpus, then mutations of them.
///
/// # Panics
/// As the target does; the seed and the input's file are told.
pub fn drive(name: &str, corpus: &[&[u8]], target: impl Fn(&[u8])) {
    let number = |variable: &str| env::var(variable).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("TANDEM_SEED").unwrap_or(20_264);
    let runs = number("TANDEM_FUZZ").unwrap_or(RUNS).max(corpus.len() as u64);
    let file = env::temp_dir().join(format!("tandem-fuzz-{name}-{}", std::process::id()));
    let mut dice = Dice::new(seed ^ 0x5eed);
    for run in 0..runs {
        let place = usize::try_from(run).unwrap_or(usize::MAX);
        let input = match corpus.get(place) {
            Some(input) => input.to_vec(),
            None => mutated(&mut dice, corpus),
        };
        // Without it an overflow is harder to find, and no less found.
        let _ = std::fs::write(&file, &input);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            println!(
                "fuzz {name}: TANDEM_SEED={seed}, run {run}, the input is in {}",
                file.display()
            );
            resume_unwind(panic);
        }
    }
    let _ = std::fs::remove_file(file);
}

/// An input of the corpus, changed in a few places.
fn mutated(dice: &mut Dice, corpus: &[&[u8]]) -> Vec<u8> {
    let mut input = dice.one(corpus).map(<[u8]>::to_vec).unwrap_or_default();
    for _ in 0..=dice.place(6) {
        mutate(dice, &mut input, corpus);
    }
    input.truncate(LONGEST);
    input
}

fn mutate(dice: &mut Dice, input: &mut Vec<u8>, corpus: &[&[u8]]) {
    let at = dice.place(input.len() + 1);
    let end = (at + dice.place(24)).min(input.len());
    match dice.place(8) {
        0 if at < input.len() => input[at] ^= 1 << dice.place(8),
        1 if at < input.len() => input[at] = dice.byte(),
        2 => drop(input.drain(at..end)),
        3 => input.truncate(at),
        4 => {
            let token = dice.one(&TOKENS).unwrap_or_default();
            input.splice(at..at, token.iter().copied());
        }
        5 => {
            // Depth: a part again and again.
            let part = match dice.place(2) {
                0 => input[at..end].to_vec(),
                _ => dice.one(&TOKENS).unwrap_or_default().to_vec(),
            };
            let times = 1 << dice.place(13);
            let room = LONGEST.saturating_sub(input.len()) / part.len().max(1);
            input.splice(at..at, part.repeat(times.min(room)));
        }
        6 => {
            let other = dice.one(corpus).unwrap_or_default();
            let from = dice.place(other.len() + 1);
            let to = (from + dice.place(64)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let random: Vec<u8> = (0..dice.place(16)).map(|_| dice.byte()).collect();
            input.splice(at..end, random);
        }
    }
}

/// Repeatable choices: the same ones for the same seed on every machine (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Those of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below a limit; 0 where the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Whether the one case of so many is met.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn place(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn one<'a>(&mut self, of: &[&'a [u8]]) -> Option<&'a [u8]> {
        of.get(self.place(of.len())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_a_planted_fault_is_found() {
        let seen = || {
            let all = RefCell::new(Vec::new());
            drive("same", &[b"SELECT (Id)", b"x"], |input| {
                all.borrow_mut().push(input.to_vec())
            });
            all.into_inner()
        };
        assert!(seen() == seen());
        let found = catch_unwind(|| {
            drive("planted", &[b"SELECT Id FROM Account"], |input| {
                assert!(!input.windows(2).any(|pair| pair == b"(("), "too deep");
            });
        });
        assert!(found.is_err());
    }
}
