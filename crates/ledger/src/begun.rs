//! What the clusters of a taking begin with, gathered for all of them together: who is tied to each record, and who can
//! be found by the keys of each.

use crate::db::{Db, Rid, Trouble};
use crate::gathered::Gathered;
use crate::hash;
use crate::match_index;
use crate::take::Net;
use std::collections::{BTreeSet, HashMap, HashSet};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::Needs;

/// As many candidates by one key are too many.
const MANY: usize = 201;

/// So many candidates of a taking are begun beside its seeds: those of a key that many records share may be ever so many,
/// and are read when they are joined.
const BESIDE: usize = 1_000;

/// Clusters as links tie them, without candidates, and what was found by keys.
#[derive(Default)]
pub(crate) struct Begun {
    /// With what each needs to know, by the record that it was gathered for.
    nets: HashMap<Rid, (Net, Needs)>,
    /// In which of them a record is.
    places: HashMap<Rid, Rid>,
    found: HashMap<i64, Vec<Rid>>,
}

impl Begun {
    /// Begins the clusters of records and of whoever may be a candidate of any; these ask by keys of their own, once they
    /// are joined.
    pub(crate) fn begin(
        &mut self,
        db: &Db,
        flows: &Dataflow,
        gathered: &mut Gathered,
        seeds: &[Rid],
    ) -> Result<(), Trouble> {
        let mut candidates = self.begin_alone(db, flows, gathered, seeds)?;
        candidates.truncate(BESIDE);
        self.begin_alone(db, flows, gathered, &candidates).map(drop)
    }

    /// Begins the clusters of records that are in none yet. Answers whom their keys find beside them.
    fn begin_alone(
        &mut self,
        db: &Db,
        flows: &Dataflow,
        gathered: &mut Gathered,
        seeds: &[Rid],
    ) -> Result<Vec<Rid>, Trouble> {
        gathered.read(db, seeds.iter().copied())?;
        let mut keys = BTreeSet::new();
        for seed in seeds {
            if self.places.contains_key(seed) {
                continue;
            }
            let mut net = Net::default();
            net.join(db, gathered, *seed, &HashSet::new())?;
            let needs = net.needs(flows)?;
            keys.extend(needs.keys.iter().map(hash::match_key));
            self.places.extend(net.rows.keys().map(|rid| (*rid, *seed)));
            self.nets.insert(*seed, (net, needs));
        }
        let mut found: Vec<Rid> = self.found_by(db, &keys)?.into_iter().collect();
        found.retain(|rid| !self.places.contains_key(rid));
        Ok(found)
    }

    /// Hands out the cluster that a record was begun with, unless it was handed out.
    pub(crate) fn take(&mut self, rid: Rid) -> Option<(Net, Needs)> {
        let begun = self.nets.remove(self.places.get(&rid)?)?;
        for rid in begun.0.rows.keys() {
            self.places.remove(rid);
        }
        Some(begun)
    }

    /// Records that have one of these keys, as few of each as are of use.
    pub(crate) fn found_by(&mut self, db: &Db, keys: &BTreeSet<i64>) -> Result<BTreeSet<Rid>, Trouble> {
        let unasked = keys.iter().filter(|key| !self.found.contains_key(key));
        let unasked: Vec<i64> = unasked.copied().collect();
        self.found.extend(match_index::having_each(db, &unasked, MANY)?);
        let found = keys.iter().filter_map(|key| self.found.get(key));
        Ok(found.flatten().copied().collect())
    }
}
