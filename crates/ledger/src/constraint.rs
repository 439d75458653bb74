//! The uniqueness constraints, in words: why a plan was put back.

/// L1, R8.
pub(crate) const LINK: &str = "one live link per record and flow group";
/// L2.
pub(crate) const RESERVATION: &str = "one open create per record type and match key";
/// S5.
pub(crate) const INTENT: &str = "one open write per record, one open create per source and flow";
/// One companion per role and owner.
pub(crate) const COMPANION: &str = "one companion per role and owner";
/// A record of the plan was changed after it was taken.
pub(crate) const CHANGED: &str = "the record changed since it was taken";
/// Anything else; none is known.
pub(crate) const OTHER: &str = "another constraint";
