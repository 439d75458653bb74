//! Numbers that look random and follow from a seed alone.

/// A stream of numbers (SplitMix64, by Steele, Lea and Flood).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl Random {
    /// The stream of one record: independent of how many others there are.
    pub(super) fn of(seed: u64, stream: u64, index: u64) -> Self {
        Self(mix(
            mix(mix(seed.wrapping_add(STEP)).wrapping_add(stream)).wrapping_add(index)
        ))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number from 0 to below `end`; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of the items.
    ///
    /// # Panics
    /// When there is none: the built-in lists are never empty, which a test asserts.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let end = items.len() as u64;
        let index = usize::try_from(self.below(end)).unwrap_or(0);
        &items[index]
    }

    /// One of the words.
    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        let word: &&'static str = self.pick(words);
        word
    }

    /// The pattern with a digit for each `#`, one that is not 0 for each `%`, and a capital letter for each `@`.
    pub(super) fn filled(&mut self, pattern: &str) -> String {
        // Letters that postal codes use after the first position.
        const LETTERS: &[u8] = b"ABDEFGHJLNPQRSTUWXYZ";
        let fill = |character| match character {
            '#' => char::from(b'0' + u8::try_from(self.below(10)).unwrap_or(0)),
            '%' => char::from(b'1' + u8::try_from(self.below(9)).unwrap_or(0)),
            '@' => char::from(*self.pick(LETTERS)),
            other => other,
        };
        pattern.chars().map(fill).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_from_its_seed() {
        let draw = |seed, index| {
            let mut random = Random::of(seed, 1, index);
            [random.below(1000), random.below(1000), random.below(1000)]
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
        assert_ne!(draw(7, 3), draw(8, 3));
    }

    #[test]
    fn numbers_stay_below_their_end_and_spread() {
        let mut random = Random::of(1, 1, 1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(random.below(10)).unwrap_or(99)] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert_eq!(random.filled("a-##").len(), 4);
    }
}
