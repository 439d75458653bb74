//! What a system says that it can, tried on it: laws, each with a positive and a negative side.

use super::compare::{Finding, Weight};
use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading;
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::Connector;
use tandem_connector::proof::{Effort, NEVER_HAD, ONCE, STALE, STALE_DELETION, Verdict, prove};
use tandem_merge::config::Connection;
use tandem_merge::record::RecordType;

/// So many pages of each type are read: enough to see whether a listing gets on.
const PAGES: usize = 3;

/// Proves what can be proven without changing anything, of systems whose kind leaves it to a description, a folder or a program.
pub(super) async fn findings(
    common: &Common,
    connection: &Connection,
    system: &dyn Connector,
    types: &[RecordType],
    written: BTreeSet<String>,
) -> Result<Vec<Finding>, Failure> {
    if !connection.is_described() {
        return Ok(Vec::new());
    }
    let effort = Effort {
        pages: PAGES,
        write: false,
        conditions: if connection.read_only {
            BTreeSet::new()
        } else {
            written
        },
    };
    let proofs = prove(system, types, effort).await?;
    loading::keep_proofs(common, connection, &system.identify().await?, &proofs);
    let of = |verdict| proofs.iter().filter(move |proof| proof.verdict == verdict);
    let kept = of(Verdict::Holds).count();
    let mut findings = vec![Finding {
        weight: Weight::Fine,
        flow: None,
        property: None,
        place: None,
        what: format!("{}: {kept} laws were tried and hold", system.system()),
        why: format!(
            "`tandem connector test {}` shows them, and with --write tries writing",
            system.system()
        ),
    }];
    // What is doubted of several types for the same reason is said once.
    let mut doubts: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for proof in of(Verdict::Doubtful) {
        let names = doubts.entry((&proof.law, &proof.seen)).or_default();
        names.extend(proof.record_type.as_deref());
    }
    findings.extend(doubts.into_iter().map(|((law, seen), names)| Finding {
        weight: Weight::Doubtful,
        flow: None,
        property: None,
        place: None,
        what: format!("{} {} may break a law: {law}", system.system(), names.join(", ")).replace("  ", " "),
        why: seen.to_owned(),
    }));
    findings.extend(of(Verdict::Broken).map(|proof| {
        let name = proof.record_type.as_deref().unwrap_or_default();
        Finding {
            // What was found to be pretended is not relied on, so that the flows work all the same.
            weight: match [STALE, NEVER_HAD, STALE_DELETION, ONCE].contains(&proof.law.as_ref()) {
                true => Weight::Limit,
                false => Weight::Wrong,
            },
            flow: None,
            property: None,
            place: None,
            what: format!("{} {name} breaks a law: {}", system.system(), proof.law).replace("  ", " "),
            why: proof.seen.clone(),
        }
    }));
    Ok(findings)
}
