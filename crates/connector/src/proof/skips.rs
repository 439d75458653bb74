//! The law of pages: a record that goes away between two of them hides no other.

use super::writing::{clean, create, sample};
use super::{Proofs, Tried};
use crate::{Error, ErrorKind, Outcome, Schema};
use std::collections::BTreeSet;
use tandem_merge::record::Observation;

const SKIPS: &str = "a record that goes away between two pages hides no other";
/// Larger pages are not filled for it.
const SMALL: usize = 20;
const PAGES: usize = 1_000;

/// One page of a walk, and how the next one was asked for.
struct Page {
    ids: Vec<String>,
    resume: Option<Vec<u8>>,
}

/// Tries it on records that are made for it and deleted again.
pub(super) async fn prove(
    tried: &Tried<'_>,
    schema: &Schema,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    let first = tried.system.list(tried.of, None).await?;
    let size = first.observations.len();
    if first.resume.is_none() || size == 0 || size > SMALL {
        proofs.untried(
            SKIPS,
            format!("its first page holds {size} records: it takes several pages of {SMALL} at most"),
        );
        return Ok(());
    }
    let mut made = BTreeSet::new();
    for _ in 0..=size {
        let Ok(Some(values)) = sample(tried, schema, listed).await else {
            break;
        };
        let outcome = create(tried, &values).await;
        let Outcome::Applied { id, .. } = outcome else {
            break;
        };
        made.insert(id);
    }
    let outcome = seam(tried, &mut made, proofs).await;
    for id in &made {
        clean(tried, id).await;
    }
    match outcome {
        Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => Err(error),
        Err(error) => {
            proofs.add(false, SKIPS, error.to_string());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Deletes a record that was made from the page before one that is not read yet.
async fn seam(tried: &Tried<'_>, made: &mut BTreeSet<String>, proofs: &mut Proofs) -> Result<(), Error> {
    let walked = walk(tried).await?;
    let seam = walked.windows(2).find_map(|pages| {
        let ours = pages[0].ids.iter().find(|id| made.contains(*id))?;
        let next = pages[1].ids.first()?;
        Some((ours.clone(), pages[0].resume.clone(), next.clone()))
    });
    let Some((ours, resume, next)) = seam else {
        proofs.untried(SKIPS, "no record that was made stands before the end of a page");
        return Ok(());
    };
    clean(tried, &ours).await;
    made.remove(&ours);
    let page = tried.system.list(tried.of, resume.as_deref()).await?;
    let shown = page.observations.iter().any(|shown| shown.key.id == next);
    let seen = match shown {
        true => format!("{next} is shown behind {ours}, which was deleted"),
        false => format!("{next} is not shown since {ours} before it was deleted: its pages are counted"),
    };
    proofs.add(shown, SKIPS, seen);
    Ok(())
}

async fn walk(tried: &Tried<'_>) -> Result<Vec<Page>, Error> {
    let (mut pages, mut at) = (Vec::new(), None::<Vec<u8>>);
    for _ in 0..PAGES {
        let page = tried.system.list(tried.of, at.as_deref()).await?;
        let ids = page.observations.into_iter().map(|shown| shown.key.id).collect();
        at.clone_from(&page.resume);
        pages.push(Page {
            ids,
            resume: page.resume,
        });
        if at.is_none() {
            break;
        }
    }
    Ok(pages)
}
