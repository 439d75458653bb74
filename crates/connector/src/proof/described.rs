//! Laws of descriptions: what is said of a system's records stands where it is said to. A wrong place shows nothing, which
//! looks like nothing being there.

use super::{Proofs, Verdict};
use crate::{Connector, Error, ErrorKind, Probe, Probed, Shape};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence, RecordType};

/// Every row of a list is somebody's.
pub(crate) const HAS_ID: &str = "every row of a list has an id";
/// Pages lead to each other.
pub(crate) const PAGES: &str = "what leads from page to page stands where it is said to";
/// Properties stand somewhere.
pub(crate) const PLACES: &str = "what is said of a record stands where it is said to";
/// No time is taken for one of another zone.
pub(crate) const ZONE: &str = "times have a zone, or it is said which";
/// A key tells rows apart.
pub(crate) const KEY: &str = "the key tells a row from all others";
const READABLE: &str = "what a record shows can be read";
const NOT_AHEAD: &str = "no record was changed at a moment that lies ahead";
const VERSIONS: &str = "records of different states have different versions";

/// Clocks differ by so much without being wrong.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(5);
/// So many records tell whether their versions move.
const SEVERAL: usize = 3;

/// Tries them. `listed`: what there is. What the system says of the type's shape.
pub(super) async fn prove(
    system: &dyn Connector,
    of: &RecordType,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<Option<Shape>, Error> {
    let now = crate::http::clock::now();
    let shape = match system.probe(Probe::Shape(of)).await {
        Ok(Some(Probed::Shape(shape))) => Some(shape),
        Ok(_) => None,
        Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => return Err(error),
        Err(error) => {
            proofs.add(false, PLACES, error.to_string());
            None
        }
    };
    for told in shape.iter().flat_map(|shape| &shape.told) {
        proofs.push(told.verdict, told.law, told.seen.clone());
    }
    let places = shape.as_ref().map(|shape| &shape.places);
    readable(listed, places, proofs);
    if !listed.is_empty() {
        not_ahead(system, listed, now, proofs);
        versions(listed, proofs);
    }
    Ok(shape)
}

/// What no record lets be read stands elsewhere, or is of another type.
fn readable(listed: &[Observation], places: Option<&BTreeMap<String, String>>, proofs: &mut Proofs) {
    if listed.is_empty() {
        proofs.untried(READABLE, "it has no record");
        return;
    }
    let mut odd: BTreeMap<&str, (usize, &str, &str)> = BTreeMap::new();
    for shown in listed {
        for (name, why) in &shown.unreadable {
            let first = odd.entry(name).or_insert((0, why, &shown.key.id));
            first.0 += 1;
        }
    }
    let all = listed.len();
    let place = |name: &str| {
        let at = places
            .and_then(|places| places.get(name))
            .filter(|at| *at != name);
        at.map_or_else(|| format!("`{name}`"), |at| format!("`{name}` at `{at}`"))
    };
    let texts = odd.iter().map(|(name, (count, why, id))| match *count == all {
        true => format!("{} cannot be read in any of {all} records: {why}", place(name)),
        false => format!(
            "{} cannot be read in {count} of {all} records, such as {id}: {why}",
            place(name)
        ),
    });
    let seen = texts.collect::<Vec<_>>().join("; ");
    let verdict = match odd.values().any(|(count, ..)| *count == all) {
        true => Verdict::Broken,
        false if odd.is_empty() => Verdict::Holds,
        false => Verdict::Doubtful,
    };
    let seen = if odd.is_empty() {
        format!("{all} records")
    } else {
        seen
    };
    proofs.push(verdict, READABLE, seen);
}

/// A time that is taken for one of another zone lies ahead, or that far behind.
fn not_ahead(system: &dyn Connector, listed: &[Observation], began: Timestamp, proofs: &mut Proofs) {
    let ahead = system
        .clock_offset()
        .map(|offset| offset.most)
        .unwrap_or_default();
    let ahead = ahead.max(SignedDuration::ZERO).saturating_add(CLOCK_ERROR);
    let now = began.checked_add(ahead).unwrap_or(Timestamp::MAX);
    let version = |shown: &Observation| shown.version.as_ref().map(|version| version.modified);
    let dated = listed
        .iter()
        .filter_map(|shown| Some((version(shown)?, &shown.key.id)));
    match dated.max() {
        Some((at, id)) if at > now => {
            let seen = format!(
                "{id} says that it was changed at {at}, and now it is {began:.0}: its times are of another zone (write `zone:`), or its clock is wrong"
            );
            proofs.add(false, NOT_AHEAD, seen);
        }
        Some((at, id)) => proofs.add(true, NOT_AHEAD, format!("the latest is {id}, at {at}")),
        None => proofs.untried(NOT_AHEAD, "no record was shown with the time of its last change"),
    }
}

/// Records that were changed at different moments and all say the same of their state: perhaps it never moves.
fn versions(listed: &[Observation], proofs: &mut Proofs) {
    let alive = listed.iter().filter(|shown| shown.presence == Presence::Alive);
    let shown: Vec<_> = alive
        .filter_map(|shown| Some((shown, shown.version.as_ref()?)))
        // A version that counts changes begins alike for all.
        .filter(|(shown, version)| shown.created.is_none_or(|created| version.modified > created))
        .collect();
    let tokens: BTreeSet<&str> = shown.iter().map(|(_, version)| version.token.as_str()).collect();
    let moments: BTreeSet<Timestamp> = shown.iter().map(|(_, version)| version.modified).collect();
    if shown.len() < SEVERAL || moments.len() < 2 {
        let why = format!(
            "{} records were shown that were changed at {} moments",
            shown.len(),
            moments.len()
        );
        proofs.untried(VERSIONS, why);
        return;
    }
    let (Some(token), 1) = (tokens.first(), tokens.len()) else {
        proofs.add(
            true,
            VERSIONS,
            format!("{} records, {} versions", shown.len(), tokens.len()),
        );
        return;
    };
    let seen = format!(
        "all {} records say `{token}`, although they were changed at different moments: a version that never changes protects nothing. Is `token:` the right place? A test with --write tries whether it moves",
        shown.len()
    );
    proofs.push(Verdict::Doubtful, VERSIONS, seen);
}
