//! The public conformance suite: laws that every connector keeps, tried against a running system. Each has a positive
//! side (what is there is shown) and a negative one (what is not there is not): a system that accepts in silence what it
//! does not understand is found here, and not by lost data later.

mod asking;
mod conditions;
mod described;
mod reading;
mod shown;
mod skips;
mod words;
mod writing;

pub use asking::{FILTER, SINCE, UNKNOWN_LINK};
pub use conditions::NEVER_HAD;
pub(crate) use described::{HAS_ID, KEY, PAGES, PLACES, ZONE};
pub use reading::NOT_FOUND;
pub(crate) use words::told;
pub use writing::{ONCE, STALE, STALE_DELETION};

use crate::{Connector, Error, Outcome, Protection, TypeSchema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;
use tandem_merge::record::{Observation, Presence, RecordType};

/// What became of one law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The record type it was tried on; none: the system as a whole.
    pub record_type: Option<String>,
    /// What must hold.
    pub law: Cow<'static, str>,
    /// Whether it does.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}

/// Whether a law holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was tried and holds.
    Holds,
    /// It was tried and does not.
    Broken,
    /// Something speaks against it, and a person has to look.
    Doubtful,
    /// It could not be tried, and why is said.
    Untried,
}

/// How much is read and written for the proofs.
#[derive(Clone, Debug, Default)]
pub struct Effort {
    /// Pages of a listing that are read at most.
    pub pages: usize,
    /// Records are made, changed and deleted again, one of each type.
    pub write: bool,
    /// Types of which an update is sent that must be refused, where nothing is written else: to the value that a record has.
    pub conditions: BTreeSet<String>,
}

/// Tries all laws on these record types.
///
/// # Errors
/// The system cannot be asked at all.
pub async fn prove(
    system: &dyn Connector,
    types: &[RecordType],
    effort: Effort,
) -> Result<Vec<Proof>, Error> {
    let mut proofs = Proofs::default();
    let (first, second) = (system.identify().await?, system.identify().await?);
    let same = first.id == second.id && !first.id.is_empty();
    let seen = match &first.version {
        Some(version) => format!("{} ({version})", first.id),
        None => first.id,
    };
    proofs.add(same, "it says who it is, and always the same", seen);
    let schema = system.describe().await?;
    for of in types {
        proofs.of = Some(of.name.clone());
        let Some(described) = schema.types.get(&of.name) else {
            let why = schema.missing.get(&of.name).cloned();
            proofs.add(
                false,
                "it has the record type",
                why.unwrap_or_else(|| "it is not described".to_owned()),
            );
            continue;
        };
        let listed = reading::prove(system, of, described, &effort, &mut proofs).await?;
        let tried = Tried {
            system,
            of,
            described,
        };
        if effort.conditions.contains(&of.name) && !effort.write {
            conditions::prove(&tried, &listed, &mut proofs).await?;
        }
        if effort.write {
            writing::prove(&tried, &schema, &listed, &mut proofs).await?;
        }
    }
    Ok(proofs.all)
}

/// What is tried.
struct Tried<'a> {
    system: &'a dyn Connector,
    of: &'a RecordType,
    described: &'a TypeSchema,
}

impl Tried<'_> {
    /// What protects its records, as the system says.
    fn can(&self) -> Protection {
        self.system.capabilities().of(self.of)
    }
}

/// What was proven so far.
#[derive(Default)]
struct Proofs {
    of: Option<String>,
    all: Vec<Proof>,
}

impl Proofs {
    fn add(&mut self, holds: bool, law: &'static str, seen: impl Into<String>) {
        let verdict = if holds { Verdict::Holds } else { Verdict::Broken };
        self.push(verdict, law, seen.into());
    }

    /// An old version must be refused; what was not sent at all says nothing.
    fn refused_as_stale(&mut self, outcome: &Outcome, kept: bool, law: &'static str, seen: String) {
        match outcome {
            Outcome::NotSent(_) if kept => self.untried(law, seen),
            outcome => self.add(*outcome == Outcome::Stale && kept, law, seen),
        }
    }

    fn untried(&mut self, law: &'static str, why: impl Into<String>) {
        self.push(Verdict::Untried, law, why.into());
    }

    fn push(&mut self, verdict: Verdict, law: &'static str, seen: String) {
        self.all.push(Proof {
            record_type: self.of.clone(),
            law: law.into(),
            verdict,
            seen,
        });
    }
}

/// One record by its id, alive or not.
async fn read(system: &dyn Connector, of: &RecordType, id: &str) -> Result<Option<Observation>, Error> {
    let shown = system.fetch(of, &[id.to_owned()]).await?;
    Ok(shown.into_iter().find(|shown| shown.key.id == id))
}

/// One record by its id, at a time when its version protects it: an edit from now on shows another.
async fn firm(system: &dyn Connector, of: &RecordType, id: &str) -> Result<Option<Observation>, Error> {
    const TRIES: usize = 20;
    let mut shown = read(system, of, id).await?;
    for _ in 0..TRIES {
        let protects = |shown: &Observation| shown.version.as_ref().is_none_or(|version| version.firm);
        if !system.capabilities().of(of).conditional_write || shown.as_ref().is_none_or(protects) {
            break;
        }
        // Versions of coarse times protect once the system's clock has gone on.
        tokio::time::sleep(Duration::from_millis(500)).await;
        shown = read(system, of, id).await?;
    }
    Ok(shown)
}

fn is_alive(shown: Option<&Observation>) -> bool {
    shown.is_some_and(|shown| shown.presence == Presence::Alive)
}

fn ids(shown: &[Observation]) -> BTreeSet<&str> {
    shown.iter().map(|shown| shown.key.id.as_str()).collect()
}
