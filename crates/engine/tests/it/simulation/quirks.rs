//! What a system does by itself, beside what every one does: drawn by the seed from dice of their own, so that the
//! schedules of all other seeds stay what they are.

use super::dice::Dice;
use std::collections::BTreeSet;

/// One seed in so many has a system with a habit of its own.
const ONE_IN: u64 = 3;

/// One habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// What Tandem wrote is shown late.
    ShowsLate,
}

impl Quirk {
    const ALL: [Self; 1] = [Self::ShowsLate];
}

/// The habits of the two systems.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    of: [BTreeSet<Quirk>; 2],
}

impl Quirks {
    pub fn draw(seed: u64) -> Self {
        let mut quirks = Self::default();
        if !seed.is_multiple_of(ONE_IN) {
            return quirks;
        }
        let mut dice = dice(seed);
        let quirk = dice.of(&Quirk::ALL);
        let where_to = dice.below(3);
        for (index, own) in quirks.of.iter_mut().enumerate() {
            if where_to == index || where_to == 2 {
                own.insert(quirk);
            }
        }
        quirks
    }

    /// The habits of one system.
    pub fn of(&self, index: usize) -> &BTreeSet<Quirk> {
        &self.of[index]
    }
}

/// Dice that no schedule draws from.
pub fn dice(seed: u64) -> Dice {
    Dice::new(seed ^ 0x5157_4952_4B53)
}
