//! Why a run could not go on.

/// Why the engine could not do what it was asked. What single records met is parked, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state failed: nothing of the unit of work at hand is stored.
    #[error(transparent)]
    Store(#[from] tandem_ledger::Error),
    /// A system is down or refuses us.
    #[error(transparent)]
    System(#[from] tandem_connector::Error),
    /// A command of a person cannot be carried out.
    #[error("{what}. {advice}")]
    Command {
        /// What is in the way, one sentence without the final stop.
        what: String,
        /// What to do about it.
        advice: String,
    },
}

impl Error {
    /// A command that cannot be carried out.
    pub(crate) fn command(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Command {
            what: what.into(),
            advice: advice.into(),
        }
    }
}
