//! Laws of asking: what lies ahead is not shown, what was never given out is refused, and the same question has the same answer.

use super::{Proofs, ids};
use crate::{Connector, Error, ErrorKind, Probe, Probed};
use jiff::SignedDuration;
use tandem_merge::record::RecordType;

const AHEAD: &str = "there are no changes since a moment that lies ahead";
const UNKNOWN_LINK: &str = "a link for changes that it never gave out is refused";
const SAME_PAGE: &str = "a page that is asked for twice shows the same records";

/// Tries what is asked for beside records. `cursor`: where its changes end.
pub(super) async fn prove(
    system: &dyn Connector,
    of: &RecordType,
    cursor: Option<&[u8]>,
    proofs: &mut Proofs,
) -> Result<(), Error> {
    let ahead = crate::http::clock::now().checked_add(SignedDuration::from_hours(24 * 365));
    if let Ok(ahead) = ahead {
        let probed = system.probe(Probe::ChangesSince(of, ahead)).await;
        let holds = |probed: &Probed| matches!(probed, Probed::Shown(0) | Probed::Refused(_));
        tell(
            probed,
            AHEAD,
            "its changes are not asked for by a moment",
            holds,
            proofs,
        )?;
    }
    let probed = match cursor {
        Some(cursor) => system.probe(Probe::UnknownLink(of, cursor)).await,
        None => Ok(None),
    };
    let holds = |probed: &Probed| matches!(probed, Probed::Refused(_));
    tell(
        probed,
        UNKNOWN_LINK,
        "its changes are not asked for by links",
        holds,
        proofs,
    )?;
    same_page(system, of, proofs).await
}

fn tell(
    probed: Result<Option<Probed>, Error>,
    law: &'static str,
    nothing: &str,
    holds: impl Fn(&Probed) -> bool,
    proofs: &mut Proofs,
) -> Result<(), Error> {
    let probed = match probed {
        Ok(Some(Probed::Untried(why))) => {
            proofs.untried(law, why);
            return Ok(());
        }
        Ok(Some(probed)) => probed,
        Ok(None) => {
            proofs.untried(law, nothing);
            return Ok(());
        }
        Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => return Err(error),
        Err(error) => {
            proofs.add(false, law, error.to_string());
            return Ok(());
        }
    };
    let seen = match &probed {
        Probed::Shown(0) => "none".to_owned(),
        Probed::Shown(some) => format!("{some} records are shown: it ignores what it is asked by"),
        Probed::Taken => "it was taken".to_owned(),
        Probed::Refused(words) | Probed::Untried(words) => format!("refused ({words})"),
    };
    proofs.add(holds(&probed), law, seen);
    Ok(())
}

/// The second page, else the only one. What moves meanwhile is asked for once more.
async fn same_page(system: &dyn Connector, of: &RecordType, proofs: &mut Proofs) -> Result<(), Error> {
    let first = system.list(of, None).await?;
    let resume = first.resume;
    let mut pages = Vec::new();
    for _ in 0..3 {
        pages.push(system.list(of, resume.as_deref()).await?.observations);
        let sets: Vec<_> = pages.iter().map(|page| ids(page)).collect();
        if let [.., before, last] = sets.as_slice()
            && before == last
        {
            proofs.add(true, SAME_PAGE, format!("{} records, twice", last.len()));
            return Ok(());
        }
    }
    proofs.add(false, SAME_PAGE, "three times it was another one");
    Ok(())
}
