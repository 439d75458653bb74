//! What a system says that it can, tried on it: laws of reading, each with a positive and a negative side.

use super::compare::{Finding, Weight};
use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading;
use tandem_connector::Connector;
use tandem_connector::proof::{Effort, Verdict, prove};
use tandem_merge::config::Connection;
use tandem_merge::record::RecordType;

/// So much is read of each type: enough to see whether a listing gets on.
const EFFORT: Effort = Effort {
    pages: 3,
    write: false,
};

/// Proves what can be proven without writing, of systems whose kind leaves it to a description, a folder or a program.
pub(super) async fn findings(
    common: &Common,
    connection: &Connection,
    system: &dyn Connector,
    types: &[RecordType],
) -> Result<Vec<Finding>, Failure> {
    if !connection.is_described() {
        return Ok(Vec::new());
    }
    let proofs = prove(system, types, EFFORT).await?;
    loading::keep_proofs(common, system, &system.identify().await?.id, &proofs);
    let of = |verdict| proofs.iter().filter(move |proof| proof.verdict == verdict);
    let kept = of(Verdict::Holds).count();
    let mut findings = vec![Finding {
        weight: Weight::Fine,
        flow: None,
        property: None,
        what: format!("{}: {kept} laws of reading were tried and hold", system.system()),
        why: format!(
            "`tandem connector test {}` shows them, and with --write tries writing",
            system.system()
        ),
    }];
    findings.extend(of(Verdict::Broken).map(|proof| {
        let name = proof.record_type.as_deref().unwrap_or_default();
        Finding {
            weight: Weight::Wrong,
            flow: None,
            property: None,
            what: format!("{} {name} breaks a law: {}", system.system(), proof.law).replace("  ", " "),
            why: proof.seen.clone(),
        }
    }));
    Ok(findings)
}
