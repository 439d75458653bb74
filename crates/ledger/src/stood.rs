//! How things stood over time, as hours keep it.

use jiff::Timestamp;

/// How something stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stood {
    /// A process kept in step and noted how things stood. Of other times nobody knows.
    Watched,
    /// A guard, or a system that shows an earlier state, held this flow.
    Held(String),
    /// A person had paused this flow.
    Paused(String),
    /// This system did not answer.
    Away(String),
    /// A guard had stopped this system, or did not believe it.
    Stopped(String),
}

/// What it is kept under, with a name behind each but the first.
const WATCHED: &str = "watched";
const HELD: &str = "held:";
const PAUSED: &str = "paused:";
const AWAY: &str = "away:";
const STOPPED: &str = "stopped:";

impl Stood {
    /// As what an hour keeps it ([`Hour::what`]).
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Watched => WATCHED.to_owned(),
            Self::Held(flow) => format!("{HELD}{flow}"),
            Self::Paused(flow) => format!("{PAUSED}{flow}"),
            Self::Away(system) => format!("{AWAY}{system}"),
            Self::Stopped(system) => format!("{STOPPED}{system}"),
        }
    }

    /// What an hour keeps; none where that is something else.
    #[must_use]
    pub fn of(what: &str) -> Option<Self> {
        let named = |kind, of: fn(String) -> Self| Some(of(what.strip_prefix(kind)?.to_owned()));
        match what {
            WATCHED => Some(Self::Watched),
            _ => named(HELD, Self::Held)
                .or_else(|| named(PAUSED, Self::Paused))
                .or_else(|| named(AWAY, Self::Away))
                .or_else(|| named(STOPPED, Self::Stopped)),
        }
    }
}

/// For how long something stood in some way within an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoodFor {
    /// A moment of the hour.
    pub at: Timestamp,
    /// What, and how.
    pub stood: Stood,
    /// For so many seconds.
    pub seconds: u64,
}
