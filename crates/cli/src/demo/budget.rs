//! The budget of API calls of a first sync.

use super::ledger::Written;
use serde::Serialize;

/// What a first sync did in a system, and what it may have cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Budget {
    /// API calls made.
    pub(crate) calls: u64,
    /// API calls allowed.
    pub(crate) allowed: f64,
    /// Records created.
    pub(crate) creates: u64,
    /// Records updated or deleted.
    pub(crate) updates: u64,
    /// Keys looked up before creates.
    pub(crate) keys_looked_up: u64,
    /// Rows read.
    pub(crate) rows_read: u64,
}

impl Budget {
    /// 1.2 × (creates / 200 + updates / 25 + keys looked up / 1,500 + rows read / 2,000) + 50.
    #[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
    pub(crate) fn new(calls: u64, written: Written, keys_looked_up: u64, rows_read: u64) -> Self {
        let Written { creates, updates } = written;
        let share = |count: u64, pack: f64| count as f64 / pack;
        let packed = share(creates, 200.0)
            + share(updates, 25.0)
            + share(keys_looked_up, 1_500.0)
            + share(rows_read, 2_000.0);
        Self {
            calls,
            allowed: ((1.2 * packed + 50.0) * 10.0).round() / 10.0,
            creates,
            updates,
            keys_looked_up,
            rows_read,
        }
    }

    /// Whether it was kept.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls stay far below 2^52")]
    pub(crate) fn kept(&self) -> bool {
        self.calls as f64 <= self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_follows_its_formula() {
        let written = Written {
            creates: 2_000,
            updates: 100,
        };
        let budget = Budget::new(69, written, 3_000, 4_000);
        // 1.2 × (10 + 4 + 2 + 2) + 50
        assert!((budget.allowed - 71.6).abs() < 1e-9, "{budget:?}");
        assert!(budget.kept());
    }
}
