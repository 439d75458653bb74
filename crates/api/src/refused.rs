//! Why a command was not carried out.

use serde::{Deserialize, Serialize};
use tandem_connector::ErrorKind;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Where the fault lies.
    pub blame: Blame,
    /// What happened, one sentence without the final stop.
    pub what: String,
    /// What to do about it, likewise; empty where `what` says so.
    pub advice: String,
    /// The disk of the state is full: it may pass while a program waits.
    #[serde(default)]
    pub full: bool,
}

/// Where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// In what was asked for, or in the configuration.
    Usage,
    /// With a system or this machine.
    Trouble,
}

impl Refused {
    /// Something was asked for that cannot be.
    pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Blame::Usage, what.into(), advice.into())
    }

    /// A system, or this machine, is in trouble.
    pub fn trouble(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Blame::Trouble, what.into(), advice.into())
    }

    fn new(blame: Blame, what: String, advice: String) -> Self {
        Self {
            blame,
            what,
            advice,
            full: false,
        }
    }
}

impl From<tandem_connector::Error> for Refused {
    fn from(error: tandem_connector::Error) -> Self {
        let blame = match error.kind {
            ErrorKind::Missing => Blame::Usage,
            ErrorKind::Down | ErrorKind::SignIn | ErrorKind::Refused | ErrorKind::Protocol => Blame::Trouble,
        };
        Self::new(
            blame,
            format!("{}: {}", error.system, error.message),
            error.advice,
        )
    }
}

impl From<tandem_ledger::Error> for Refused {
    fn from(error: tandem_ledger::Error) -> Self {
        use tandem_ledger::Error;
        let blame = match error {
            Error::OtherSystem { .. }
            | Error::Held(_)
            | Error::KeyMissing
            | Error::KeyWrong
            | Error::Taken(_)
            | Error::NoBackup(_)
            | Error::UnderWay(_)
            | Error::Shared(_)
            | Error::Older { .. }
            | Error::Behind { .. }
            | Error::Newer { .. }
            | Error::Folder { .. } => Blame::Usage,
            _ => Blame::Trouble,
        };
        Self {
            full: matches!(error, Error::Full(_)),
            ..Self::new(blame, error.to_string(), String::new())
        }
    }
}

impl From<tandem_engine::Error> for Refused {
    fn from(error: tandem_engine::Error) -> Self {
        match error {
            tandem_engine::Error::Store(error) => error.into(),
            tandem_engine::Error::System(error) => error.into(),
            tandem_engine::Error::Command { what, advice } => Self::usage(what, advice),
        }
    }
}
