//! How commands end: exit codes, and failures with what to do about them.

use std::process::ExitCode;
use tandem_api::{Blame, Refused};
use tandem_engine::Standing;
use tandem_merge::config::Problem;

/// The exit codes, a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// A system is down or refuses us.
    Trouble,
    /// Usage or configuration.
    Usage,
    /// Done, but conflicts, parked work or approvals wait.
    Waits,
    /// Stopped by a signal before it was done.
    Stopped,
}

impl Exit {
    /// The number a shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Trouble => 1,
            Self::Usage => 2,
            Self::Waits => 3,
            Self::Stopped => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Done => Self::Done,
            Standing::Waits => Self::Waits,
            Standing::Trouble => Self::Trouble,
        }
    }
}

/// Why a command could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One thing is in the way.
    One {
        /// How the command ends.
        exit: Exit,
        /// What happened, one sentence without the final stop.
        what: String,
        /// What to do about it, likewise.
        advice: String,
        /// It may pass while a program waits.
        passes: Option<Passes>,
    },
    /// The configuration cannot be used: every problem, each with file, line and what to write instead.
    Configuration(Vec<Problem>),
    /// A file that people filled in cannot be used, likewise.
    Sheet(Vec<Problem>),
}

/// What may pass while a program waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passes {
    /// The disk of the state is full.
    Full,
    /// Another process holds the state.
    Held,
    /// The state is not held any more, or its server is away.
    Lost,
    /// This system is in trouble.
    Away(String),
}

impl Failure {
    /// Something is used or configured wrongly.
    pub(crate) fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::one(Exit::Usage, what.into(), advice.into())
    }

    /// A system, or this machine, is in trouble.
    pub(crate) fn trouble(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::one(Exit::Trouble, what.into(), advice.into())
    }

    fn one(exit: Exit, what: String, advice: String) -> Self {
        Self::One {
            exit,
            what,
            advice,
            passes: None,
        }
    }

    /// Whether the disk of the state is full.
    pub(crate) fn is_full(&self) -> bool {
        self.passes() == Some(&Passes::Full)
    }

    /// Whether another process holds the state.
    pub(crate) fn is_held(&self) -> bool {
        self.passes() == Some(&Passes::Held)
    }

    /// Whether the state is not held any more, or its server is away.
    pub(crate) fn is_lost(&self) -> bool {
        self.passes() == Some(&Passes::Lost)
    }

    /// The system that is in trouble, where it is one.
    pub(crate) fn away(&self) -> Option<&str> {
        match self.passes()? {
            Passes::Away(system) => Some(system),
            Passes::Full | Passes::Held | Passes::Lost => None,
        }
    }

    fn passes(&self) -> Option<&Passes> {
        match self {
            Self::One { passes, .. } => passes.as_ref(),
            Self::Configuration(_) | Self::Sheet(_) => None,
        }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::One { exit, .. } => *exit,
            Self::Configuration(_) | Self::Sheet(_) => Exit::Usage,
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let exit = match refused.blame {
            Blame::Usage => Exit::Usage,
            Blame::Trouble => Exit::Trouble,
        };
        Self::One {
            exit,
            what: refused.what,
            advice: refused.advice,
            passes: refused.full.then_some(Passes::Full),
        }
    }
}

impl Failure {
    /// The same, which may pass.
    fn that_passes(self, by: Option<Passes>) -> Self {
        match self {
            Self::One {
                exit,
                what,
                advice,
                passes,
            } => Self::One {
                exit,
                what,
                advice,
                passes: passes.or(by),
            },
            other => other,
        }
    }
}

impl From<tandem_connector::Error> for Failure {
    fn from(error: tandem_connector::Error) -> Self {
        let system = error.system.clone();
        let failure = Self::from(Refused::from(error));
        let passes = (failure.exit() == Exit::Trouble).then_some(Passes::Away(system));
        failure.that_passes(passes)
    }
}

impl From<tandem_ledger::Error> for Failure {
    fn from(error: tandem_ledger::Error) -> Self {
        use tandem_ledger::Error;
        let passes = match error {
            Error::Held(_) => Some(Passes::Held),
            Error::Lost(_) | Error::Unreachable { .. } => Some(Passes::Lost),
            _ => None,
        };
        Self::from(Refused::from(error)).that_passes(passes)
    }
}

impl From<tandem_api::NotRestored> for Failure {
    fn from(why: tandem_api::NotRestored) -> Self {
        match why {
            tandem_api::NotRestored::Store(error) => error.into(),
            why @ tandem_api::NotRestored::Newer(_) => Refused::from(why).into(),
        }
    }
}

impl From<tandem_engine::Error> for Failure {
    fn from(error: tandem_engine::Error) -> Self {
        match error {
            tandem_engine::Error::Store(error) => error.into(),
            tandem_engine::Error::System(error) => error.into(),
            error @ tandem_engine::Error::Command { .. } => Refused::from(error).into(),
        }
    }
}
