//! How writes share calls: five collections of 200 to a call and rows by themselves beside them, conditional rows
//! 25 to a call, siblings never in two calls at a time.

use super::composite::{QUERIES, SUBREQUESTS};
use crate::Write;
use std::collections::BTreeMap;
use tandem_merge::record::Version;

/// The most records of a collection.
const COLLECTION: usize = 200;
/// The most runs of records of one object in a collection.
const RUNS: usize = 10;
/// Rows by themselves that a call has room for beside its collections.
const RIDERS: usize = SUBREQUESTS - QUERIES;
/// Users are set up rather than written: no transaction holds them and other records.
const SET_UP: &str = "User";

/// How writes travel. Creates and deletes of one object share a call, and so do updates of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Inserts, as a collection.
    Create,
    /// Single rows with a condition each, as a composite.
    Conditional,
    /// Updates without a condition, as a collection.
    Update,
    /// Deletes without a condition, as a collection.
    Delete,
}

/// One write, ready to travel.
pub(super) struct Prepared<'a> {
    /// Its place in the batch.
    pub(super) place: usize,
    pub(super) way: Way,
    pub(super) object: String,
    pub(super) write: &'a Write,
    pub(super) condition: Option<&'a Version>,
    /// Whose child the record is, as far as its values tell.
    pub(super) parent: String,
    /// It travels by itself beside collections, in a transaction of its own.
    pub(super) rides: bool,
}

/// Writes by way and, where the object matters, object.
pub(super) type Ways<'a> = BTreeMap<(Way, String), Vec<Prepared<'a>>>;

/// Writes of one call; those that ride stand last.
pub(super) type Pack<'p, 'a> = &'p [Prepared<'a>];

/// Packs that go one after the other, because records of one parent are in two of them: side by side they would
/// lock their parent against each other. Other trains run at the same time.
pub(super) type Train<'p, 'a> = Vec<Pack<'p, 'a>>;

impl Way {
    /// Writes of a call, beside those that ride.
    fn size(self) -> usize {
        match self {
            Self::Conditional => SUBREQUESTS,
            _ => COLLECTION * QUERIES,
        }
    }

    /// Cuts writes, siblings next to each other, into full packs.
    pub(super) fn trains<'p, 'a>(self, writes: &'p [Prepared<'a>]) -> Vec<Train<'p, 'a>> {
        let mut trains: Vec<Train<'p, 'a>> = Vec::new();
        for pack in self.packs(writes) {
            let before = trains.last_mut();
            let last = before.as_ref().and_then(|train| {
                let pack = train.last()?;
                pack.iter().rfind(|one| !one.rides)
            });
            let siblings = |one: &Prepared<'_>, other: &Prepared<'_>| {
                !one.parent.is_empty() && one.parent == other.parent
            };
            let tied = last
                .zip(pack.first())
                .is_some_and(|(last, first)| siblings(last, first));
            match before {
                Some(train) if tied => train.push(pack),
                _ => trains.push(vec![pack]),
            }
        }
        trains
    }

    fn packs<'p, 'a>(self, writes: &'p [Prepared<'a>]) -> Vec<Pack<'p, 'a>> {
        let (mut packs, mut left) = (Vec::new(), writes);
        while !left.is_empty() {
            let (mut rows, mut riders) = (0, 0);
            let fits = |one: &&Prepared<'_>| {
                let (count, most) = match one.rides {
                    true => (&mut riders, RIDERS),
                    false => (&mut rows, self.size()),
                };
                *count += 1;
                *count <= most
            };
            let (pack, rest) = left.split_at(left.iter().take_while(fits).count());
            packs.push(pack);
            left = rest;
        }
        packs
    }
}

/// The parts of a call: collections, and rows by themselves.
pub(super) fn units<'p, 'a>(pack: Pack<'p, 'a>) -> Vec<Pack<'p, 'a>> {
    let riders = pack.iter().filter(|one| one.rides).count();
    let (rows, riders) = pack.split_at(pack.len() - riders);
    rows.chunks(COLLECTION).chain(riders.chunks(1)).collect()
}

/// Puts updates of several objects together. Users ride along as far as there is room; the others travel alone.
pub(super) fn share_calls(ways: &mut Ways<'_>) {
    let shares = |(way, object): &&(Way, String)| *way == Way::Update && object != SET_UP;
    let sharing: Vec<(Way, String)> = ways.keys().filter(shares).cloned().collect();
    if sharing.is_empty() || sharing.len() > RUNS {
        return;
    }
    let shared = sharing.iter().filter_map(|way| ways.remove(way));
    let mut shared: Vec<Prepared<'_>> = shared.flatten().collect();
    let set_up = (Way::Update, SET_UP.to_owned());
    if let Some(mut riders) = ways.remove(&set_up) {
        let room = shared.len().div_ceil(Way::Update.size()) * RIDERS;
        let left = riders.split_off(room.min(riders.len()));
        if !left.is_empty() {
            ways.insert(set_up, left);
        }
        shared = seat(shared, riders);
    }
    ways.insert((Way::Update, String::new()), shared);
}

/// Puts riders behind the rows of each call.
fn seat<'a>(rows: Vec<Prepared<'a>>, riders: Vec<Prepared<'a>>) -> Vec<Prepared<'a>> {
    let mut seated = Vec::with_capacity(rows.len() + riders.len());
    let mut riders = riders.into_iter().map(|one| Prepared { rides: true, ..one });
    let (mut rows, calls) = (rows.into_iter(), Way::Update.size());
    while rows.len() > 0 {
        seated.extend(rows.by_ref().take(calls));
        seated.extend(riders.by_ref().take(RIDERS));
    }
    seated
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Change;
    use tandem_merge::record::{RecordKey, RecordType};

    fn updates(object: &str, count: usize) -> Vec<Write> {
        let of = RecordType::new("salesforce", object);
        let update = |number: usize| Write {
            intent: number as u64,
            key: number.to_string(),
            change: Change::Update {
                record: RecordKey {
                    record_type: of.clone(),
                    id: number.to_string(),
                },
                values: BTreeMap::new(),
                only_if: None,
            },
        };
        (0..count).map(update).collect()
    }

    /// How many records of each object the parts of each call have.
    fn calls(writes: &[(&str, Vec<Write>)]) -> Vec<Vec<(String, usize)>> {
        let mut ways = Ways::new();
        for (object, writes) in writes {
            let prepared = writes.iter().enumerate().map(|(place, write)| Prepared {
                place,
                way: Way::Update,
                object: (*object).to_owned(),
                write,
                condition: None,
                parent: String::new(),
                rides: false,
            });
            ways.insert((Way::Update, (*object).to_owned()), prepared.collect());
        }
        share_calls(&mut ways);
        let trains = ways.iter().flat_map(|((way, _), writes)| way.trains(writes));
        let packs: Vec<Pack<'_, '_>> = trains.flatten().collect();
        let part = |unit: Pack<'_, '_>| (unit[0].object.clone(), unit.len());
        let call = |pack: &Pack<'_, '_>| units(pack).into_iter().map(part).collect();
        packs.iter().map(call).collect()
    }

    #[test]
    fn users_ride_beside_full_collections_and_never_in_one() {
        let contacts = updates("Contact", 1_967);
        let found = calls(&[("Contact", contacts), ("User", updates("User", 33))]);
        assert_eq!(found.len(), 2);
        for call in &found {
            let riders = call.iter().filter(|(object, _)| object == "User");
            assert!(riders.clone().all(|(_, rows)| *rows == 1));
            assert!(call.len() <= SUBREQUESTS && call.len() - riders.count() <= QUERIES);
        }
        let users = found.iter().flatten().filter(|(object, _)| object == "User");
        assert_eq!(users.count(), 33);
    }

    #[test]
    fn users_without_a_seat_share_calls_of_their_own() {
        let found = calls(&[
            ("Contact", updates("Contact", 10)),
            ("User", updates("User", 300)),
        ]);
        let sizes: Vec<usize> = found
            .iter()
            .map(|call| call.iter().map(|(_, rows)| rows).sum())
            .collect();
        assert_eq!(sizes, [30, 280]);
        let alone = calls(&[("User", updates("User", 300))]);
        assert_eq!(alone, [vec![("User".to_owned(), 200), ("User".to_owned(), 100)]]);
    }
}
