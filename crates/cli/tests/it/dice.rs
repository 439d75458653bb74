//! Chance that can be repeated: `TANDEM_SEED` replays a series, `TANDEM_KILLS` makes series longer.

/// Numbers from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice from the environment's seed, else from a fixed one; the seed is printed.
    pub(crate) fn thrown(usual: u64) -> Self {
        let asked = std::env::var("TANDEM_SEED").ok();
        let seed = asked.and_then(|text| text.parse().ok()).unwrap_or(usual);
        println!("TANDEM_SEED={seed}");
        Self(seed)
    }

    /// Dice from a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// How often something is done in a series: as the environment asks for, else a few times.
pub(crate) fn times(variable: &str, few: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(few)
}
