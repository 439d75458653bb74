//! What a system does by itself, beside what every one does: drawn by the seed from dice of their own, so that the
//! schedules of all other seeds stay what they are.

use super::dice::Dice;
use std::collections::BTreeSet;

/// One seed in so many has a system with a habit of its own.
const ONE_IN: u64 = 3;

/// Of the other seeds, one in so many has a system that does not show some records by their ids.
const HIDES_ONE_IN: u64 = 7;

/// One habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// What Tandem wrote is shown late.
    ShowsLate,
    /// References to a record go blank when it is deleted.
    Blanks,
    /// Records whose counterpart was deleted are put out of use by a property that travels.
    PutsOut,
    /// Some of what people delete leaves no trace.
    Forgets,
    /// Some values are accepted and do not come to stand.
    Ignores,
    /// No deletion by Tandem is allowed.
    KeepsAll,
    /// Writes of some records come to nothing, whatever is tried.
    NeverSettles,
    /// Some records cannot be read by their ids, alone or with others. Drawn apart from the others.
    Hides,
}

impl Quirk {
    const ALL: [Self; 7] = [
        Self::ShowsLate,
        Self::Blanks,
        Self::PutsOut,
        Self::Forgets,
        Self::Ignores,
        Self::KeepsAll,
        Self::NeverSettles,
    ];
}

/// The habits of the two systems.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    of: [BTreeSet<Quirk>; 2],
}

impl Quirks {
    pub fn draw(seed: u64) -> Self {
        let mut quirks = Self::default();
        let mut dice = dice(seed);
        let quirk = match seed.is_multiple_of(ONE_IN) {
            true => dice.of(&Quirk::ALL),
            false if seed % HIDES_ONE_IN == 1 => Quirk::Hides,
            false => return quirks,
        };
        // A flow's own habit is both systems'.
        let where_to = if quirk == Quirk::PutsOut { 2 } else { dice.below(3) };
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

    /// Whether either system has a habit.
    pub fn any(&self, quirk: Quirk) -> bool {
        self.of.iter().any(|own| own.contains(&quirk))
    }
}

/// Dice that no schedule draws from.
pub fn dice(seed: u64) -> Dice {
    Dice::new(seed ^ 0x5157_4952_4B53)
}
