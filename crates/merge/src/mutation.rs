//! Rules of the core that tests remove, one at a time, to see that the simulation notices (RULES.md section 9).
//! Without the feature `mutations` nothing can be removed and asking costs nothing.

/// One rule, by what goes wrong without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// A member that was edited while it was behind the head counts as edited on top of it.
    BehindIsOnTop,
    /// Two creates may have one match key.
    NoReservation,
    /// A record may have two links in a flow group, and ties are guessed.
    SharedLink,
    /// What was refused is sent again while the head stands where it stood.
    ParkedForgotten,
    /// A new decision refreshes the version of an unsent write and keeps its values.
    StaleValues,
    /// Writes carry no condition.
    NoCondition,
    /// Observations count whatever their version.
    NoFence,
    /// Creates are not looked up before.
    NoLookUp,
    /// Records that no condition protects are not read before they are written.
    NoPreRead,
    /// Creates of a source that was deleted are sent all the same, and their records take part.
    OrphanedCreate,
    /// A deletion is carried on although the deleted record had not seen the head.
    DeleterBehind,
    /// Writes leave without a durable mark.
    NoSentMark,
    /// The loser of a conflict counts as having seen the head.
    LoserCaughtUp,
    /// What stands in a record some time after a write is taken for what was written.
    BaseFromReadBack,
    /// A write without an answer is planned and sent again.
    RetryUnread,
    /// A request is given up at once, although it may still take effect.
    NoDeadline,
    /// A cursor is stored before the rows that it covers.
    CursorFirst,
    /// What is seen of a record while its write is under way is decided at once.
    NotHeldInFlight,
    /// Changes are read without an overlap.
    NoOverlap,
    /// A record that a create without an answer may have made is linked like any other.
    NotHeldForCreate,
    /// A create without an answer is planned anew instead of being sent as it was.
    CreateThaws,
    /// The state before a write of ours, read after its answer, counts as an edit back.
    LateSight,
    /// A link whose end is out of sight is told to nobody, nor are edits that wait for it.
    DeadLink,
    /// A reference that went blank with the record that it named counts as cleared by a person.
    BlankedReference,
    /// A counterpart that we put out of use counts as edited.
    OwnDeactivation,
    /// What a system shows instead of what it accepted counts as an edit.
    NotKept,
    /// A removal that was refused is sent again while nothing changed.
    RemovalAskedAgain,
    /// A write whose answers settle nothing is tried for ever.
    Impatience,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::BehindIsOnTop,
        Self::NoReservation,
        Self::SharedLink,
        Self::ParkedForgotten,
        Self::StaleValues,
        Self::NoCondition,
        Self::NoFence,
        Self::NoLookUp,
        Self::NoPreRead,
        Self::OrphanedCreate,
        Self::DeleterBehind,
        Self::NoSentMark,
        Self::LoserCaughtUp,
        Self::BaseFromReadBack,
        Self::RetryUnread,
        Self::NoDeadline,
        Self::CursorFirst,
        Self::NotHeldInFlight,
        Self::NoOverlap,
        Self::NotHeldForCreate,
        Self::CreateThaws,
        Self::LateSight,
        Self::DeadLink,
        Self::BlankedReference,
        Self::OwnDeactivation,
        Self::NotKept,
        Self::RemovalAskedAgain,
        Self::Impatience,
    ];
}

#[cfg(feature = "mutations")]
mod switch {
    use super::Mutation;
    use std::cell::Cell;

    thread_local! {
        static IN_FORCE: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Sets what this thread does wrong from now on.
    pub fn set(mutation: Option<Mutation>) {
        IN_FORCE.set(mutation);
    }

    /// Whether a rule is removed in this thread.
    #[must_use]
    pub fn removed(mutation: Mutation) -> bool {
        IN_FORCE.get() == Some(mutation)
    }
}

#[cfg(feature = "mutations")]
pub use switch::{removed, set};

/// Whether a rule is removed: none ever is.
#[cfg(not(feature = "mutations"))]
#[must_use]
pub const fn removed(_mutation: Mutation) -> bool {
    false
}
