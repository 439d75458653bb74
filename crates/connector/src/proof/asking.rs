//! Laws of asking: what lies ahead is not shown, what was never given out is refused, and the same question has the same answer.

use super::{Proofs, ids, is_alive, read};
use crate::{Connector, Error, ErrorKind, Probe, Probed};
use jiff::{SignedDuration, Timestamp};
use tandem_merge::record::{Observation, RecordType};

const AHEAD: &str = "there are no changes since a moment that lies ahead";
/// A question for changes shows what was changed since.
pub const SINCE: &str = "changes since a moment show what was changed then";
/// A search by what the system does not know is no search for everything.
pub const FILTER: &str = "an unknown filter is refused or finds nothing, or is declared as ignored";
/// A link for changes that is not known is no beginning.
pub const UNKNOWN_LINK: &str = "a link for changes that it never gave out is refused";
const SAME_PAGE: &str = "a page that is asked for twice shows the same records";

/// Tries what is asked for beside records. `listed`: what there is. `cursor`: where its changes end.
pub(super) async fn prove(
    system: &dyn Connector,
    of: &RecordType,
    listed: &[Observation],
    cursor: Option<&[u8]>,
    proofs: &mut Proofs,
) -> Result<(), Error> {
    if listed.is_empty() {
        for law in [AHEAD, SINCE, FILTER, SAME_PAGE] {
            proofs.untried(law, "it has no record");
        }
        return unknown_link(system, of, cursor, proofs).await;
    }
    let ahead = crate::http::clock::now().checked_add(SignedDuration::from_hours(24 * 365));
    if let Ok(ahead) = ahead {
        let probed = system.probe(Probe::ChangesSince(of, ahead)).await;
        let nothing = "its changes are not asked for by a moment";
        tell(probed, AHEAD, nothing, none_or_refused, proofs)?;
    }
    newest(system, of, listed, proofs).await?;
    let probed = system.probe(Probe::UnknownFilter(of)).await;
    let nothing = "it is not asked by a filter of texts, or it is said that it ignores what it does not know";
    tell(probed, FILTER, nothing, none_or_refused, proofs)?;
    unknown_link(system, of, cursor, proofs).await?;
    same_page(system, of, proofs).await
}

fn none_or_refused(probed: &Probed) -> bool {
    matches!(probed, Probed::Shown(0) | Probed::Refused(_))
}

async fn unknown_link(
    system: &dyn Connector,
    of: &RecordType,
    cursor: Option<&[u8]>,
    proofs: &mut Proofs,
) -> Result<(), Error> {
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
    )
}

/// Whoever asks for changes since just before the latest one is shown that one: a moment in another zone or form shows it not.
async fn newest(
    system: &dyn Connector,
    of: &RecordType,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    let now = crate::http::clock::now();
    let modified = |shown: &Observation| shown.version.as_ref().map(|version| version.modified);
    let dated = listed.iter().filter_map(|shown| Some((modified(shown)?, shown)));
    let Some((at, latest)) = dated.max_by_key(|(at, _)| *at) else {
        proofs.untried(SINCE, "no record was shown with the time of its last change");
        return Ok(());
    };
    let id = latest.key.id.as_str();
    let before = at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(at);
    let probed = system.probe(Probe::ChangedSince(of, before, id)).await;
    if !matches!(probed, Ok(Some(Probed::Shown(0)))) {
        let nothing = "its changes are not asked for by a moment that its records show";
        let holds = |probed: &Probed| matches!(probed, Probed::Shown(some) if *some > 0);
        let fine = probed.map(|probed| probed.map(|probed| (probed, format!("{id}, changed at {at}"))));
        return told(fine, SINCE, nothing, holds, proofs);
    }
    let young = now.duration_since(at) < system.capabilities().commit_delay;
    if young || moved(system, of, id, at).await? {
        proofs.untried(SINCE, format!("{id} was changed just now"));
        return Ok(());
    }
    let seen = format!(
        "{id} was changed at {at}, and whoever asks for changes since {before} is not shown it: correct `zone`, `format` or `granularity` under `since:`, or `modified:`"
    );
    proofs.add(false, SINCE, seen);
    Ok(())
}

/// Whether a record is another one by now.
async fn moved(system: &dyn Connector, of: &RecordType, id: &str, at: Timestamp) -> Result<bool, Error> {
    let now = read(system, of, id).await?;
    let same = |shown: &Observation| {
        shown
            .version
            .as_ref()
            .is_some_and(|version| version.modified == at)
    };
    Ok(!is_alive(now.as_ref()) || !now.as_ref().is_some_and(same))
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
        probed => probed,
    };
    let with_words = |probed: Probed| {
        let seen = match &probed {
            Probed::Shown(0) => "none".to_owned(),
            Probed::Shown(some) => format!("{some} records are shown: it ignores what it is asked by"),
            Probed::Taken => "it was taken".to_owned(),
            Probed::Refused(words) => format!("refused ({words})"),
            Probed::Answered(_) | Probed::Shape(_) | Probed::Untried(_) => String::new(),
        };
        (probed, seen)
    };
    told(
        probed.map(|probed| probed.map(with_words)),
        law,
        nothing,
        holds,
        proofs,
    )
}

fn told(
    probed: Result<Option<(Probed, String)>, Error>,
    law: &'static str,
    nothing: &str,
    holds: impl Fn(&Probed) -> bool,
    proofs: &mut Proofs,
) -> Result<(), Error> {
    match probed {
        Ok(Some((probed, seen))) => proofs.add(holds(&probed), law, seen),
        Ok(None) => proofs.untried(law, nothing),
        Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => return Err(error),
        Err(error) => proofs.add(false, law, error.to_string()),
    }
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
            match last.len() {
                0 => proofs.untried(SAME_PAGE, "the page shows no record"),
                some => proofs.add(true, SAME_PAGE, format!("{some} records, twice")),
            }
            return Ok(());
        }
    }
    proofs.add(false, SAME_PAGE, "three times it was another one");
    Ok(())
}
