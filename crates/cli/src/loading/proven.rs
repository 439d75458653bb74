//! What was proven of a system: kept beside the state, and what it only pretends to do is not relied on.

use crate::arguments::Common;
use crate::beside;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tandem_connector::proof::{NEVER_HAD, ONCE, Proof, STALE, STALE_DELETION, Verdict};
use tandem_connector::{Capabilities, Connector, Protection};
use tandem_merge::config::Connection;
use tandem_merge::record::RecordType;

/// The file beside the state with what was proven of each system.
const FILE: &str = "proofs.json";
/// What was proven of a system, and when.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proven {
    at: Timestamp,
    /// Who it was: its own id.
    system: String,
    proofs: Vec<Proof>,
}

/// Keeps what was proven beside the state, for whoever asks later what was tried and when.
pub(crate) fn keep_proofs(common: &Common, system: &dyn Connector, id: &str, proofs: &[Proof]) {
    let folder = common.state_folder();
    let mut all: BTreeMap<String, Proven> = match beside::kept(&folder, FILE) {
        Ok(before) => before.unwrap_or_default(),
        Err(error) => {
            // What was found there may be that something is pretended: it is not written over.
            let file = folder.join(FILE);
            tracing::warn!("{} cannot be read ({error}); mend or remove it", file.display());
            return;
        }
    };
    let proven = all.entry(system.system().to_owned()).or_insert_with(|| Proven {
        at: Timestamp::now(),
        system: id.to_owned(),
        proofs: Vec::new(),
    });
    if proven.system != id {
        (proven.system, proven.proofs) = (id.to_owned(), Vec::new());
    }
    proven.at = Timestamp::now();
    let tried = |one: &Proof| {
        proofs
            .iter()
            // What could not be tried says nothing about what was found when it could.
            .filter(|proof| proof.verdict != Verdict::Untried || one.verdict == Verdict::Untried)
            .any(|proof| (&proof.record_type, &proof.law) == (&one.record_type, &one.law))
    };
    proven.proofs.retain(|one| !tried(one));
    let known = |proof: &&Proof| {
        let mut all = proven.proofs.iter();
        !all.any(|one| (&one.record_type, &one.law) == (&proof.record_type, &proof.law))
    };
    let new: Vec<Proof> = proofs.iter().filter(known).cloned().collect();
    proven.proofs.extend(new);
    if let Err(error) = beside::keep(&folder, FILE, &all) {
        tracing::warn!("{} cannot be written: {error}", folder.join(FILE).display());
    }
}

/// What a system can do, without what it was found to do only in appearance.
pub(crate) fn relied_on(folder: &Path, connection: &Connection, system: &dyn Connector) -> Capabilities {
    let reliable = connection.is_described().then(|| found(folder, system)).flatten();
    reliable.map_or_else(|| system.capabilities().clone(), |(reliable, _)| reliable)
}

/// The same, said to whoever reads the log; none where nothing such is known.
pub(super) fn reliable(folder: &Path, system: &dyn Connector) -> Option<Capabilities> {
    let (reliable, why) = found(folder, system)?;
    tracing::warn!("{why}");
    Some(reliable)
}

/// What a system can be relied on for, and why that is less than what it says; none where it is not.
fn found(folder: &Path, system: &dyn Connector) -> Option<(Capabilities, String)> {
    let (name, says) = (system.system(), system.capabilities());
    let proven = match beside::kept::<BTreeMap<String, Proven>>(folder, FILE) {
        Ok(all) => all.unwrap_or_default().remove(name)?,
        Err(error) => {
            let file = folder.join(FILE);
            let why = format!(
                "{} cannot be read ({error}): nothing that {name} says that it can is relied on. Mend or remove the file",
                file.display()
            );
            let nothing = |of: Protection, _: Option<&str>| Protection {
                conditional_write: false,
                conditional_delete: false,
                idempotent_create: false,
                ..of
            };
            return Some((by_type(says, says.of_types.keys(), nothing), why));
        }
    };
    let tried = proven
        .proofs
        .iter()
        .filter_map(|proof| proof.record_type.as_ref());
    let types: BTreeSet<&String> = says.of_types.keys().chain(tried).collect();
    let reliable = by_type(says, types.iter().copied(), |of, name| {
        trusted(of, &proven.proofs, name)
    });
    let same = |of: &RecordType| reliable.of(of) == says.of(of);
    let mut all = types.iter().map(|of| RecordType::new(name, of.as_str()));
    if all.all(|of| same(&of)) && same(&RecordType::new(name, "")) {
        return None;
    }
    let why = format!(
        "{name} was found at {:.0} to do only in appearance what it says: conditions of writes and keys of creates are not relied \
         on for record types of which `tandem check` or `tandem connector test {name} --write` found them ignored, or did not find \
         that they hold; their records are read before they are written instead",
        proven.at
    );
    Some((reliable, why))
}

/// What protects records of each of these types, and of all others (no name).
fn by_type<'t>(
    says: &Capabilities,
    types: impl IntoIterator<Item = &'t String>,
    of: impl Fn(Protection, Option<&str>) -> Protection,
) -> Capabilities {
    let said = |name: &str| says.of(&RecordType::new("", name));
    let others = of(said(""), None);
    let types = types.into_iter();
    Capabilities {
        conditional_write: others.conditional_write,
        conditional_delete: others.conditional_delete,
        idempotent_create: others.idempotent_create,
        of_types: types
            .map(|name| (name.clone(), of(said(name), Some(name))))
            .collect(),
        ..says.clone()
    }
}

/// What protects records of a type by what was proven. Where something was found to be pretended for one type, it is believed
/// only of those for which it was found to hold.
fn trusted(says: Protection, proofs: &[Proof], name: Option<&str>) -> Protection {
    let holds = |laws: &[&str]| {
        let told = |verdict, own: bool| {
            proofs.iter().any(|proof| {
                let mine = !own || (name.is_some() && proof.record_type.as_deref() == name);
                laws.contains(&&*proof.law) && proof.verdict == verdict && mine
            })
        };
        let believed = told(Verdict::Holds, true) || !told(Verdict::Broken, false);
        believed && !told(Verdict::Broken, true)
    };
    let writes = holds(&[STALE, NEVER_HAD]);
    Protection {
        conditional_write: says.conditional_write && writes,
        conditional_delete: says.conditional_delete && writes && holds(&[STALE_DELETION]),
        idempotent_create: says.idempotent_create && holds(&[ONCE]),
        ..says
    }
}
