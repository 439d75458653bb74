//! What a service may be told to do wrong, as real ones do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A way in which a service does not do what the standard says, or what its clients hope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// The paging link counts rows: where one is deleted between two pages, another is never shown.
    OffsetPaging,
    /// `$filter` is passed over: everything is answered.
    IgnoresFilters,
    /// A delta link is answered with 200 and the first page of everything.
    IgnoresDeltaTokens,
    /// `If-Match` is passed over: what somebody else wrote is overwritten, with success.
    IgnoresConditions,
    /// Delta links tell deletions late.
    LateTombstones,
    /// The link of the second page leads to the second page.
    RepeatsAPage,
    /// An entity keeps its entity tag whatever happens to it.
    EtagNeverChanges,
    /// Listings and delta links show a change late, with the time stamp of when it was made.
    SlowCommit,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OffsetPaging,
        Self::IgnoresFilters,
        Self::IgnoresDeltaTokens,
        Self::IgnoresConditions,
        Self::LateTombstones,
        Self::RepeatsAPage,
        Self::EtagNeverChanges,
        Self::SlowCommit,
    ];

    /// The lie of that name, such as `offset-paging`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

/// The lies that are told now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lies(pub(crate) BTreeSet<Lie>);

impl Lies {
    pub(crate) fn tells(&self, lie: Lie) -> bool {
        self.0.contains(&lie)
    }
}
