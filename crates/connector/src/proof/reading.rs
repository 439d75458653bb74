//! Laws of reading: listings end, ids are answered, filters filter, changes begin where they ended.

use super::words::{standing, unread};
use super::{Effort, Proofs, asking, described, ids, is_alive, read};
use crate::{Connector, Error, ErrorKind, TypeSchema};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence, RecordType};
use tandem_merge::value::Value;

/// An id and a value that no record has.
const NOBODY: &str = "tandem-no-such-record-0";
/// Records that are read again by their ids.
const SAMPLES: usize = 5;

const ENDS: &str = "a listing ends, shows each record once and no record twice";
const SAME: &str = "a record that is read by its id is the one that was listed";
const NOT_THERE: &str = "an id that no record has is answered with no record";
const FOUND: &str = "a record is found by a value that it has";
/// A search by a value that nobody has finds nobody.
pub const NOT_FOUND: &str = "nothing is found by a value that no record has";
const GOES_ON: &str = "changes end, and what was shown before is not shown again";

/// Tries them; what was listed.
pub(super) async fn prove(
    system: &dyn Connector,
    of: &RecordType,
    described: &TypeSchema,
    effort: &Effort,
    proofs: &mut Proofs,
) -> Result<Vec<Observation>, Error> {
    let Some((listed, whole)) = listing(system, of, effort, proofs).await? else {
        return Ok(Vec::new());
    };
    let shape = described::prove(system, of, &listed, proofs).await?;
    ids_are_answered(system, of, &listed, proofs).await?;
    let nobody = shape.map_or_else(|| Some(NOBODY.to_owned()), |shape| shape.nobody);
    not_there(system, of, nobody.as_deref(), proofs).await;
    finding(system, of, described, &listed, proofs).await?;
    let mut cursor = None;
    if whole {
        cursor = changes(system, of, proofs).await?;
    } else {
        proofs.untried(
            GOES_ON,
            format!("it has more records than {} pages show", effort.pages),
        );
    }
    asking::prove(system, of, &listed, cursor.as_deref(), proofs).await?;
    Ok(listed)
}

/// An id that no record has is asked for.
async fn not_there(system: &dyn Connector, of: &RecordType, nobody: Option<&str>, proofs: &mut Proofs) {
    let Some(nobody) = nobody else {
        proofs.untried(NOT_THERE, "no id is known that is sent and that no record has");
        return;
    };
    match read(system, of, nobody).await {
        Ok(absent) => {
            let seen = match &absent {
                Some(shown) => format!("`{nobody}` is answered: {}", standing(shown.presence)),
                None => format!("`{nobody}` is not answered at all"),
            };
            proofs.add(absent.is_some() && !is_alive(absent.as_ref()), NOT_THERE, seen);
        }
        // Not now, which says nothing of what it does.
        Err(error) if error.kind == ErrorKind::Down => proofs.untried(NOT_THERE, error.to_string()),
        Err(error) => proofs.add(false, NOT_THERE, error.to_string()),
    }
}

/// What is listed, and whether that is all; none where it does not get on.
async fn listing(
    system: &dyn Connector,
    of: &RecordType,
    effort: &Effort,
    proofs: &mut Proofs,
) -> Result<Option<(Vec<Observation>, bool)>, Error> {
    let (mut listed, mut resume, mut whole) = (Vec::new(), None, false);
    for _ in 0..effort.pages {
        let page = match system.list(of, resume.as_deref()).await {
            Ok(page) => page,
            Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => return Err(error),
            Err(error) => {
                proofs.add(false, ENDS, error.to_string());
                return Ok(None);
            }
        };
        listed.extend(page.observations);
        resume = page.resume;
        if resume.is_none() {
            whole = true;
            break;
        }
    }
    let twice = listed.len() - ids(&listed).len();
    if listed.is_empty() && whole {
        proofs.untried(ENDS, "it shows no record");
        return Ok(Some((listed, whole)));
    }
    let far = if whole { "in all" } else { "so far" };
    let mut seen = format!("{} records {far}, {twice} of them twice", listed.len());
    if let Some(shared) = shared(&listed) {
        seen.push_str(&format!(
            ", {shared} among them: either more than one record has that id, and `id` or `key` of the description is to be \
             corrected, or a page is shown twice"
        ));
    }
    proofs.add(twice == 0, ENDS, seen);
    Ok(Some((listed, whole)))
}

/// An id that several of the records have.
fn shared(listed: &[Observation]) -> Option<&str> {
    let mut known = BTreeSet::new();
    let mut ids = listed.iter().map(|shown| shown.key.id.as_str());
    ids.find(|id| !known.insert(*id))
}

async fn ids_are_answered(
    system: &dyn Connector,
    of: &RecordType,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    if listed.is_empty() {
        proofs.untried(SAME, "it has no record");
        return Ok(());
    }
    let step = listed.len().div_ceil(SAMPLES);
    let asked: Vec<&Observation> = listed.iter().step_by(step).collect();
    let wanted: Vec<String> = asked.iter().map(|shown| shown.key.id.clone()).collect();
    let again = system.fetch(of, &wanted).await?;
    let by_id: BTreeMap<&str, &Observation> =
        again.iter().map(|shown| (shown.key.id.as_str(), shown)).collect();
    let token = |shown: &Observation| shown.version.as_ref().map(|version| version.token.clone());
    let other = asked.iter().find_map(|listed| {
        let again = by_id.get(listed.key.id.as_str());
        match again {
            None => Some(format!("{} is not answered", listed.key.id)),
            Some(again) if again.presence != Presence::Alive => {
                Some(unread(again).unwrap_or_else(|| format!("{} is said to be gone", listed.key.id)))
            }
            // Edited meanwhile.
            Some(again) if token(again) != token(listed) => None,
            Some(again) => {
                let mut shown = again.values.iter();
                let differs = shown.find(|(name, value)| listed.values.get(*name) != Some(*value));
                differs.map(|(name, _)| {
                    format!(
                        "{} of {} is shown in another way than in the list",
                        name, listed.key.id
                    )
                })
            }
        }
    });
    let fine = format!("{} of {} read again", asked.len(), listed.len());
    proofs.add(other.is_none(), SAME, other.unwrap_or(fine));
    Ok(())
}

async fn finding(
    system: &dyn Connector,
    of: &RecordType,
    described: &TypeSchema,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    let text = |name: &str, value: &Value| {
        let plain = described
            .properties
            .get(name)
            .is_some_and(|it| it.values.is_empty() && it.references.is_empty());
        plain
            && value
                .as_text()
                .is_some_and(|text| (1..80).contains(&text.len()) && text.trim() == text)
    };
    let known = listed.iter().find_map(|shown| {
        let mut values = shown.values.iter();
        let (name, value) = values.find(|(name, value)| text(name, value))?;
        Some((shown, name, value))
    });
    let Some((shown, name, value)) = known else {
        proofs.untried(FOUND, "no record that was listed has a text");
        proofs.untried(NOT_FOUND, "no record that was listed has a text");
        return Ok(());
    };
    let by = [name.clone()];
    let found = system.find(of, &by, &[vec![value.clone()]]).await?;
    let seen = format!("{} found by {name}", found.len());
    proofs.add(ids(&found).contains(shown.key.id.as_str()), FOUND, seen);
    let none = system.find(of, &by, &[vec![Value::text(NOBODY)]]).await?;
    let seen = match none.len() {
        0 => format!("none by {name}"),
        some => format!(
            "{some} by {name}, among them {}: the filter is ignored",
            none[0].key.id
        ),
    };
    proofs.add(none.is_empty(), NOT_FOUND, seen);
    Ok(())
}

/// Whoever asks for changes since the end of a round gets none that were long over when it began.
/// Where its changes end.
async fn changes(
    system: &dyn Connector,
    of: &RecordType,
    proofs: &mut Proofs,
) -> Result<Option<Vec<u8>>, Error> {
    const PAGES: usize = 10_000;
    let began = crate::http::clock::now();
    let (mut cursor, mut rounds) = (None, Vec::new());
    for _ in 0..2 {
        let (mut shown, mut compared, mut ended) = (Vec::<Observation>::new(), false, false);
        for _ in 0..PAGES {
            let page = match system.changes(std::slice::from_ref(of), cursor.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    proofs.add(false, GOES_ON, error.to_string());
                    return Ok(None);
                }
            };
            compared |= page.complete.is_some();
            shown.extend(page.observations);
            cursor = Some(page.cursor);
            if !page.more {
                ended = true;
                break;
            }
        }
        if !ended {
            proofs.add(false, GOES_ON, format!("{PAGES} pages, and still more"));
            return Ok(None);
        }
        rounds.push((shown, compared));
    }
    let (again, compared) = &rounds[1];
    let wait = system.capabilities().commit_delay.saturating_mul(2);
    let long_over = began.checked_sub(wait).unwrap_or(Timestamp::UNIX_EPOCH);
    let old = again.iter().filter(|shown| {
        let modified = shown.version.as_ref().map(|version| version.modified);
        modified.is_some_and(|modified| modified < long_over)
    });
    let old = old.count();
    let seen = match (compared, old) {
        (true, _) => "it tells of no changes: all of it is listed and compared each time".to_owned(),
        (false, 0) => format!("{} records at first, {} again", rounds[0].0.len(), again.len()),
        (false, old) => format!(
            "{old} records are shown again that were not changed since: it ignores since when it is asked"
        ),
    };
    match rounds[0].0.len() + again.len() {
        0 => proofs.untried(GOES_ON, "no change is shown at all"),
        _ if *compared => proofs.untried(GOES_ON, seen),
        _ => proofs.add(old == 0, GOES_ON, seen),
    }
    Ok(cursor)
}
