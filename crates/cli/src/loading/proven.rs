//! What was proven of a system: kept beside the state, and what it only pretends to do is not relied on.

use crate::arguments::Common;
use crate::beside;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tandem_connector::proof::{
    FILTER, NEVER_HAD, NOT_FOUND, ONCE, Proof, SINCE, STALE, STALE_DELETION, UNKNOWN_LINK, Verdict,
};
use tandem_connector::{Capabilities, Identification, Protection};
use tandem_merge::config::Connection;
use tandem_merge::record::RecordType;

/// The file beside the state with what was proven of each system.
const FILE: &str = "proofs.json";

/// What was proven of a system.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proven {
    /// Who it was: its own id.
    system: String,
    proofs: Vec<Kept>,
}

/// A proof as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// When it was tried.
    #[serde(default)]
    at: Timestamp,
    /// What the system said of its version then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// How the system was described then; none: that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    described: Option<String>,
    #[serde(flatten)]
    proof: Proof,
}

impl Kept {
    fn is_of(&self, proof: &Proof) -> bool {
        (&self.proof.record_type, &self.proof.law) == (&proof.record_type, &proof.law)
    }

    /// Whether the system was described as it is now.
    fn holds_for(&self, described: &str) -> bool {
        self.described.as_deref().is_none_or(|then| then == described)
    }
}

/// A fingerprint of how a system is reached and described: what was proven by another description says nothing of this one.
fn fingerprint(connection: &Connection) -> String {
    let file = connection.description.as_deref();
    let text = file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    let mut said = format!(
        "{}\n{}\n{:?}\n",
        connection.kind, connection.url, connection.command
    )
    .into_bytes();
    said.extend(text);
    Sha256::digest(&said)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Keeps what was proven beside the state, for whoever asks later what was tried and when.
pub(crate) fn keep_proofs(common: &Common, connection: &Connection, who: &Identification, proofs: &[Proof]) {
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
    let before = all
        .remove(&connection.name)
        .filter(|before| before.system == who.id);
    let proven = Proven {
        system: who.id.clone(),
        proofs: added(
            before.map(|before| before.proofs).unwrap_or_default(),
            connection,
            who,
            proofs,
        ),
    };
    all.insert(connection.name.clone(), proven);
    if let Err(error) = beside::keep(&folder, FILE, &all) {
        tracing::warn!("{} cannot be written: {error}", folder.join(FILE).display());
    }
}

/// Proofs with those of a run laid over them, each with its own date.
fn added(mut all: Vec<Kept>, connection: &Connection, who: &Identification, proofs: &[Proof]) -> Vec<Kept> {
    let described = fingerprint(connection);
    let tried = |one: &Kept| {
        proofs
            .iter()
            // What could not be tried says nothing about what was found when it could.
            .filter(|proof| proof.verdict != Verdict::Untried || one.proof.verdict == Verdict::Untried)
            .any(|proof| one.is_of(proof))
    };
    all.retain(|one| one.holds_for(&described) && !tried(one));
    let known = |proof: &&Proof| !all.iter().any(|one| one.is_of(proof));
    let new = proofs.iter().filter(known).map(|proof| Kept {
        at: Timestamp::now(),
        version: who.version.clone(),
        described: Some(described.clone()),
        proof: proof.clone(),
    });
    let new: Vec<Kept> = new.collect();
    all.extend(new);
    all
}

/// What was found of a system by its present description.
pub(crate) struct Proofs {
    name: String,
    /// Why nobody knows it, where it cannot be read.
    proofs: Result<Vec<Kept>, String>,
}

impl Proofs {
    /// What is kept beside the state.
    pub(crate) fn of(folder: &Path, connection: &Connection) -> Self {
        let name = connection.name.clone();
        let described = fingerprint(connection);
        let kept = beside::kept::<BTreeMap<String, Proven>>(folder, FILE);
        let proofs = kept.map(|all| {
            let proven = all.unwrap_or_default().remove(&name);
            let proofs = proven.map(|proven| proven.proofs).unwrap_or_default();
            let present = proofs.into_iter().filter(|one| one.holds_for(&described));
            present.collect()
        });
        let file = folder.join(FILE);
        let unread = |error| {
            format!(
                "{} cannot be read ({error}): nothing that {name} says that it can is relied on. Mend or remove the file",
                file.display()
            )
        };
        Self {
            proofs: proofs.map_err(unread),
            name,
        }
    }

    /// What a system can do, without what it was found to do only in appearance.
    pub(crate) fn relied_on(&self, says: &Capabilities) -> Capabilities {
        self.less(says)
            .map_or_else(|| says.clone(), |(reliable, _)| reliable)
    }

    /// The same, said to whoever reads the log; none where it is all that the system says.
    pub(super) fn reliable(&self, says: &Capabilities) -> Option<Capabilities> {
        let (reliable, why) = self.less(says)?;
        tracing::warn!("{why}");
        Some(reliable)
    }

    /// Record types whose searches, and whose questions for changes, were found to be answered with something else. Said to
    /// whoever reads the log. Where nobody knows what was found, these are `all` types.
    pub(super) fn pretended(&self, all: BTreeSet<String>) -> [BTreeSet<String>; 2] {
        let Ok(proofs) = &self.proofs else {
            return [all.clone(), all];
        };
        let told = |laws: &[&str], what: &str, instead: &str| -> BTreeSet<String> {
            let of = broken(proofs, laws).filter_map(|one| one.proof.record_type.clone());
            let of: BTreeSet<String> = of.collect();
            if !of.is_empty() {
                let name = &self.name;
                let types = of.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                tracing::warn!(
                    "{name} answers {what} with something else, for {types}: {instead} instead. Where it is mended, run `tandem check`"
                );
            }
            of
        };
        [
            told(
                &[NOT_FOUND, FILTER],
                "a search by a value",
                "all records are looked through",
            ),
            told(
                &[SINCE, UNKNOWN_LINK],
                "the question for changes",
                "all records are compared",
            ),
        ]
    }

    /// What can be relied on, and why that is less than what the system says; none where it is not.
    fn less(&self, says: &Capabilities) -> Option<(Capabilities, String)> {
        let name = &self.name;
        let proofs = match &self.proofs {
            Ok(proofs) => proofs,
            Err(why) => {
                let nothing = |of: Protection, _: Option<&str>| Protection {
                    compares: of.compares,
                    ..Protection::default()
                };
                return Some((by_type(says, says.of_types.keys(), nothing), why.clone()));
            }
        };
        let tried = proofs.iter().filter_map(|one| one.proof.record_type.as_ref());
        let types: BTreeSet<&String> = says.of_types.keys().chain(tried).collect();
        let reliable = by_type(says, types.iter().copied(), |of, name| trusted(of, proofs, name));
        let same = |of: &RecordType| reliable.of(of) == says.of(of);
        let mut all = types.iter().map(|of| RecordType::new(name, of.as_str()));
        if all.all(|of| same(&of)) && reliable.usual == says.usual {
            return None;
        }
        let mut broken: Vec<&Kept> = broken(proofs, &[STALE, NEVER_HAD, STALE_DELETION, ONCE]).collect();
        broken.sort_by_key(|one| one.at);
        let broken: Vec<String> = broken.into_iter().map(told).collect();
        let why = format!(
            "{name} does only in appearance what it says: {}. That is not relied on, for these record types nor for others for which \
             it was not found to hold; their records are read before they are written instead. Where it is mended, run \
             `tandem connector test {name} --write`, or `tandem check`",
            broken.join("; ")
        );
        Some((reliable, why))
    }
}

/// What was found not to hold of these laws.
fn broken<'k>(proofs: &'k [Kept], laws: &[&str]) -> impl Iterator<Item = &'k Kept> {
    proofs
        .iter()
        .filter(|one| one.proof.verdict == Verdict::Broken && laws.contains(&one.proof.law.as_ref()))
}

/// What protects records of each of these types, and of all others (no name).
fn by_type<'t>(
    says: &Capabilities,
    types: impl IntoIterator<Item = &'t String>,
    of: impl Fn(Protection, Option<&str>) -> Protection,
) -> Capabilities {
    let said = |name: &String| says.of(&RecordType::new("", name.as_str()));
    let types = types.into_iter();
    Capabilities {
        usual: of(says.usual, None),
        of_types: types
            .map(|name| (name.clone(), of(said(name), Some(name))))
            .collect(),
        ..says.clone()
    }
}

/// What protects records of a type by what was proven. Where something was found to be pretended for one type, it is believed
/// only of those for which it was found to hold.
fn trusted(says: Protection, proofs: &[Kept], name: Option<&str>) -> Protection {
    let holds = |laws: &[&str]| {
        let told = |verdict, own: bool| {
            proofs.iter().map(|one| &one.proof).any(|proof| {
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

/// A proof for people: what does not hold, of which type, and when that was found.
fn told(one: &Kept) -> String {
    let of = one
        .proof
        .record_type
        .as_ref()
        .map(|of| format!("{of}: "))
        .unwrap_or_default();
    let version = one
        .version
        .as_ref()
        .map(|version| format!(" of {version}"))
        .unwrap_or_default();
    format!("{of}{}, found broken at {:.0}{version}", one.proof.law, one.at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn connection(file: &Path) -> Connection {
        let text = format!(
            r#"{{ "name": "erp", "kind": "rest", "url": "https://erp.example", "secrets": {{}}, "overlap_ms": 0, "poll_ms": 0,
                "changes": {{ "events": [], "pubsub": "", "poll_ms": 0, "compare_every_ms": 0 }}, "description": {:?} }}"#,
            file.display().to_string()
        );
        serde_json::from_str(&text).unwrap()
    }

    fn who(version: &str) -> Identification {
        Identification {
            id: "id".to_owned(),
            name: String::new(),
            user: String::new(),
            author: None,
            sandbox: None,
            instance: None,
            version: Some(version.to_owned()),
        }
    }

    fn proof(law: &'static str, verdict: Verdict) -> Proof {
        Proof {
            record_type: Some("Contact".to_owned()),
            law: law.into(),
            verdict,
            seen: String::new(),
        }
    }

    #[test]
    fn each_proof_keeps_its_date_and_version_and_ends_with_its_description() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("erp.yaml");
        std::fs::write(&file, "one").unwrap();
        let connection = connection(&file);
        let first = added(
            Vec::new(),
            &connection,
            &who("1"),
            &[proof(STALE, Verdict::Broken)],
        );
        // WHEN another law is tried later, and this one cannot be
        let both = [proof(STALE, Verdict::Untried), proof(ONCE, Verdict::Holds)];
        let second = added(first.clone(), &connection, &who("2"), &both);
        // THEN what was found before bears its own date
        assert_eq!(
            (second[0].at, second[0].version.as_deref()),
            (first[0].at, Some("1"))
        );
        assert_eq!(second[0].proof.verdict, Verdict::Broken);
        assert_eq!((second.len(), second[1].version.as_deref()), (2, Some("2")));
        assert!(second[1].at > first[0].at);
        let sentence = told(&second[0]);
        assert!(
            sentence.starts_with("Contact: ") && sentence.ends_with(" of 1"),
            "{sentence}"
        );
        // and a description that changed leaves nothing of it
        std::fs::write(&file, "two").unwrap();
        let third = added(second, &connection, &who("2"), &[proof(ONCE, Verdict::Holds)]);
        assert_eq!(third.len(), 1);
        assert!(!first[0].holds_for(&fingerprint(&connection)));
    }
}
