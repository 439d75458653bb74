//! What was proven of a system: kept beside the state, and what it only pretends to do is not relied on.

use crate::arguments::Common;
use crate::beside;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tandem_connector::proof::{NEVER_HAD, ONCE, Proof, STALE, STALE_DELETION, Verdict};
use tandem_connector::{Capabilities, Connector};
use tandem_merge::config::Connection;

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
    let name = system.system();
    let mut reliable = system.capabilities().clone();
    let proven = match beside::kept::<BTreeMap<String, Proven>>(folder, FILE) {
        Ok(all) => all.unwrap_or_default().remove(name)?,
        Err(error) => {
            (reliable.conditional_write, reliable.conditional_delete) = (false, false);
            reliable.idempotent_create = false;
            let file = folder.join(FILE);
            let why = format!(
                "{} cannot be read ({error}): nothing that {name} says that it can is relied on. Mend or remove the file",
                file.display()
            );
            return Some((reliable, why));
        }
    };
    let lies = |law: &str| {
        let mut proofs = proven.proofs.iter();
        proofs.any(|proof| proof.law == law && proof.verdict == Verdict::Broken)
    };
    if lies(STALE) || lies(NEVER_HAD) {
        (reliable.conditional_write, reliable.conditional_delete) = (false, false);
    }
    if lies(STALE_DELETION) {
        reliable.conditional_delete = false;
    }
    if lies(ONCE) {
        reliable.idempotent_create = false;
    }
    let why = format!(
        "{name} was found at {:.0} to do only in appearance what it says: conditions of writes and keys of creates are not relied \
         on where `tandem check` or `tandem connector test {name} --write` found them ignored; records are read before they are \
         written instead",
        proven.at
    );
    (reliable != *system.capabilities()).then_some((reliable, why))
}
