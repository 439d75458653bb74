//! The law of conditions, tried on a record that is there: an update under a version that the record never had, to the value
//! that it has. A system that keeps the law refuses it, and one that does not changes nothing by it.

use super::words::told;
use super::writing::one;
use super::{Proofs, Tried, firm};
use crate::probe::another;
use crate::{Change, Error, ErrorKind, Outcome, Probe, Probed, Scope, Write};
use tandem_merge::record::{Observation, Presence, Values, Version};
use tandem_merge::value::Value;

/// The law of [`Protection::conditional_write`](crate::Protection::conditional_write), tried on what is there.
pub const NEVER_HAD: &str = "an update of a version that never was is refused and changes nothing";
/// Records that are looked at for one whose version protects it and that has a text.
const LOOKED_AT: usize = 20;

/// Tries it, where the system says that it refuses such updates. `listed`: records of the type.
pub(super) async fn prove(
    tried: &Tried<'_>,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    if !tried.described.updateable {
        return Ok(());
    }
    if !tried.can().conditional_write {
        proofs.untried(NEVER_HAD, unconditional(tried));
        return Ok(());
    }
    for shown in listed.iter().take(LOOKED_AT) {
        let shown = firm(tried.system, tried.of, &shown.key.id).await?;
        let alive = shown.filter(|shown| shown.presence == Presence::Alive);
        let Some((shown, wrong, values)) = alive.and_then(|shown| harmless(tried, shown)) else {
            continue;
        };
        let update = Change::Update {
            record: shown.key.clone(),
            values,
            only_if: Some(wrong),
        };
        let (id, compares) = (&shown.key.id, tried.can().compares);
        match asked(tried, update.under("tandem-check")).await? {
            Outcome::Stale => proofs.add(true, NEVER_HAD, format!("refused, on {id}")),
            Outcome::Applied { .. } => proofs.add(false, NEVER_HAD, taken(id, compares)),
            other => proofs.untried(
                NEVER_HAD,
                format!("asked under a version that it never had, {}", told(&other)),
            ),
        }
        return Ok(());
    }
    proofs.untried(NEVER_HAD, "no record was shown that has a version and a text");
    Ok(())
}

/// Asks the system itself for a write: whoever reads first and compares does not, this time.
pub(super) async fn asked(tried: &Tried<'_>, write: Write) -> Result<Outcome, Error> {
    match tried.system.probe(Probe::Condition(&write)).await? {
        Some(Probed::Answered(outcome)) => Ok(outcome),
        Some(Probed::Untried(why)) => Ok(Outcome::NotSent(Error {
            system: tried.system.system().to_owned(),
            kind: ErrorKind::Refused,
            message: why,
            advice: "Try it again in an hour".to_owned(),
            retry_at: None,
            scope: Scope::System,
        })),
        _ => Ok(one(tried, write).await),
    }
}

/// What it costs that no condition goes with an update.
pub(super) fn unconditional(tried: &Tried<'_>) -> &'static str {
    match tried.can().compares {
        true => {
            "it does not say so: a record is read and compared before it is written, and an edit between that read and the \
             write is lost"
        }
        false => {
            "it does not say so: a record is read before it is written, and an edit in that moment is lost"
        }
    }
}

fn taken(id: &str, compares: bool) -> String {
    let besides = match compares {
        true => {
            "; where Tandem reads a record before it writes it, it compares itself, and overwrites what is edited in between"
        }
        false => "",
    };
    format!(
        "an update of {id} under a version that it never had was taken (to the value that it had: nothing is lost){besides}"
    )
}

/// A version that the record never had, and a text that it has.
fn harmless(tried: &Tried<'_>, shown: Observation) -> Option<(Observation, Version, Values)> {
    let version = shown.version.clone().filter(|version| version.firm)?;
    let token = another(&version.token)?;
    let text = shown.values.iter().find(|(name, value)| {
        let of = tried.described.properties.get(*name);
        let free = of.is_some_and(|of| of.updateable && of.data_type == "string" && of.references.is_empty());
        free && matches!(value, Value::Text(_)) && !value.is_blank()
    });
    let values = text.map(|(name, value)| Values::from([(name.clone(), value.clone())]))?;
    Some((shown, Version { token, ..version }, values))
}
