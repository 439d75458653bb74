//! How commands end: exit codes, and failures with what to do about them.

use std::process::ExitCode;
use tandem_connector::ErrorKind;
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
        /// The disk is full: it may pass while a program waits.
        full: bool,
    },
    /// The configuration cannot be used: every problem, each with file, line and what to write instead.
    Configuration(Vec<Problem>),
    /// A file that people filled in cannot be used, likewise.
    Sheet(Vec<Problem>),
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
            full: false,
        }
    }

    /// Whether the disk of the state is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::One { full: true, .. })
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::One { exit, .. } => *exit,
            Self::Configuration(_) | Self::Sheet(_) => Exit::Usage,
        }
    }
}

impl From<tandem_connector::Error> for Failure {
    fn from(error: tandem_connector::Error) -> Self {
        let tandem_connector::Error {
            system,
            kind,
            message,
            advice,
            ..
        } = error;
        let exit = match kind {
            ErrorKind::Missing => Exit::Usage,
            ErrorKind::Down | ErrorKind::SignIn | ErrorKind::Refused | ErrorKind::Protocol => Exit::Trouble,
        };
        Self::one(exit, format!("{system}: {message}"), advice)
    }
}

impl From<tandem_store::Error> for Failure {
    fn from(error: tandem_store::Error) -> Self {
        let exit = match error {
            tandem_store::Error::OtherSystem { .. }
            | tandem_store::Error::Held(_)
            | tandem_store::Error::KeyMissing
            | tandem_store::Error::KeyWrong
            | tandem_store::Error::Taken(_)
            | tandem_store::Error::NoBackup(_)
            | tandem_store::Error::UnderWay(_)
            | tandem_store::Error::Shared(_)
            | tandem_store::Error::Older { .. }
            | tandem_store::Error::Newer { .. }
            | tandem_store::Error::Folder { .. } => Exit::Usage,
            _ => Exit::Trouble,
        };
        Self::One {
            exit,
            what: error.to_string(),
            advice: String::new(),
            full: matches!(error, tandem_store::Error::Full(_)),
        }
    }
}

impl From<tandem_engine::Error> for Failure {
    fn from(error: tandem_engine::Error) -> Self {
        match error {
            tandem_engine::Error::Store(error) => error.into(),
            tandem_engine::Error::System(error) => error.into(),
            tandem_engine::Error::Command { what, advice } => Self::usage(what, advice),
        }
    }
}
