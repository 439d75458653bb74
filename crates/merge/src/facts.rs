//! Facts: what a decision about one cluster needs to know of others. The store looks them up by the
//! [`Needs`] that [`crate::reconcile::needs`] derives, so that the core stays free of any database.

use crate::cluster::{Cluster, Link, Record, Verdict};
use crate::dataflow::{CompanionKey, Dataflow, Reference, Side};
use crate::fates::Fate;
use crate::record::{Presence, RecordKey, Values};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A reference as a record shows it: through what, on which side, to which id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Referral {
    /// The flow or companion it goes through.
    pub through: Reference,
    /// The side on which `id` is an id.
    pub side: Side,
    /// The id it names.
    pub id: String,
}

/// What a referral leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Referent {
    /// The id on the other side.
    Linked(String),
    /// A create of the counterpart is open, or the record is not reconciled yet: it will come by itself.
    Pending,
    /// The record is known, and its counterpart waits for something that is told or comes by itself (parked,
    /// deferred, to be approved, no such companion yet).
    Unlinked,
    /// The record is known, and no counterpart comes by itself; why.
    Never(String),
    /// No such record was ever observed: it must be read.
    Unknown,
    /// A read by id said that it does not exist, or it was deleted.
    Gone,
    /// A person had the record forgotten: it has no counterpart and gets none.
    Forgotten,
}

/// What must be looked up before a cluster can be decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// References to translate.
    pub referrals: BTreeSet<Referral>,
    /// Match keys to look for among records outside the cluster: flow, rule index (identity rules are
    /// [`MatchKey::IDENTITY`]), side on which candidates are sought, normalised key.
    pub keys: BTreeSet<MatchKey>,
    /// Reservations that planned creates would take: record type of the target with key.
    pub reservations: BTreeSet<(RecordKeyType, String)>,
    /// Flows whose guard counts matter.
    pub guards: BTreeSet<String>,
    /// Records to decide with the cluster: what merged ones live on as, and the former counterparts of undeleted
    /// ones.
    pub records: BTreeSet<crate::record::RecordKey>,
    /// Records whose parts matter.
    pub parts: BTreeSet<PartsOf>,
    /// Parents of parts, by the reference that names them.
    pub parents: BTreeSet<Referral>,
    /// References that went blank, as they were: what became of the records that they named.
    pub fates: BTreeSet<Referral>,
    /// Deleted records: how many others lost their reference to them.
    pub named: BTreeSet<RecordKey>,
}

/// Asks for the parts of a record: the records of a supporting flow that name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartsOf {
    /// The supporting flow.
    pub flow: String,
    /// The side of the parts and of their parent.
    pub side: Side,
    /// The parent's id.
    pub parent: String,
}

/// A part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The part.
    pub record: RecordKey,
    /// How it stands.
    pub standing: Standing,
}

/// How a part of a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Linked, and nothing is on its way.
    AtRest,
    /// It will come to rest by itself.
    Moving,
    /// It waits, for this reason.
    Waits(String),
    /// It gets no counterpart by itself, for this reason.
    Never(String),
}

/// The parent of a part, with its counterpart in the supported flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Whether the parent is there, and its values; none where it was never observed.
    pub own: Option<(Presence, Values)>,
    /// The same of its counterpart, while they are linked.
    pub other: Option<(Presence, Values)>,
    /// What a person decided about a deletion of one of the two.
    pub verdict: Option<Verdict>,
    /// Something seen of it was not decided yet.
    pub undecided: bool,
    /// It is to be read again, which was not done yet.
    pub unread: bool,
}

/// A record type, in the form that reservations are kept by.
pub type RecordKeyType = crate::record::RecordType;

/// A normalised match key of a flow, on a side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MatchKey {
    /// The flow's name.
    pub flow: String,
    /// The rule's index, or [`MatchKey::IDENTITY`] / [`MatchKey::STAMP`].
    pub rule: u32,
    /// The side of the record that *has* the key.
    pub side: Side,
    /// The normalised key.
    pub key: String,
}

impl MatchKey {
    /// The rule "the second side's external id names the first side's record".
    pub const IDENTITY: u32 = u32::MAX;
    /// The rule "the first side's stamp names the second side's record".
    pub const STAMP: u32 = u32::MAX - 1;
    /// No rule of matching: the record is a part of the one whose id is the key.
    pub const PARENT: u32 = u32::MAX - 2;
}

/// Answers to [`Needs`], and what holds for the whole dataflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Translated references.
    pub referrals: BTreeMap<Referral, Referent>,
    /// Reservations held by others: who holds the key.
    pub reserved: BTreeMap<(RecordKeyType, String), RecordKey>,
    /// Per flow: how many of its links deletions are about.
    pub deletions: BTreeMap<String, Removals>,
    /// The record type of a flow's side, for every flow: derived from the dataflow ([`types`]), filled by the core itself
    /// where whoever looked the facts up did not.
    pub types: Types,
    /// Flows whose deletions a person approved beyond the guard.
    pub approved: BTreeSet<String>,
    /// The parts asked for; those that are not there any more left out.
    pub parts: BTreeMap<PartsOf, Vec<Part>>,
    /// The parents asked for.
    pub parents: BTreeMap<Referral, Parent>,
    /// What became of the records that blank references named.
    pub fates: BTreeMap<Referral, Fate>,
    /// How many clusters wait for what becomes of deleted records that they named.
    pub named: BTreeMap<RecordKey, u64>,
    /// Both systems were listed in full once: only then are records created or linked (L6, R5).
    pub listed: bool,
    /// When that first full listing was complete, for the policy "only new".
    pub listed_at: Option<Timestamp>,
    /// Now, by our clock. For the `since` of what is decided; decides nothing itself.
    pub now: Timestamp,
}

/// Record types by flow and side.
pub type Types = Arc<BTreeMap<(String, Side), RecordKeyType>>;

/// Deletions on the links of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// Live links one end of which was deleted, decided or not.
    pub waiting: u64,
    /// Deletions that were carried on within the guard's window, and ended a link.
    pub carried_on: u64,
    /// Live links.
    pub links: u64,
}

impl Removals {
    /// Whether they are more than pass without approval: beyond the limits, summed over the window, or the whole
    /// flow, of which a single link is none.
    #[must_use]
    pub fn pass(&self, guard: &crate::dataflow::Guard) -> bool {
        let (all, gone) = (self.links + self.carried_on, self.waiting + self.carried_on);
        let share = (all * guard.percent / 100).max(guard.at_least);
        let whole = all > 1 && self.links > 0 && self.waiting >= self.links;
        whole || gone > guard.count.min(share)
    }
}

/// What a plan asks the store to remember beside the cluster itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Referrals whose answer would change the plan: when one changes, the cluster is dirty again. The
    /// key is the record that the referral names, or the owner of the companion.
    pub on: BTreeSet<RecordKey>,
    /// Companions that are needed and do not exist: their owners' clusters create them.
    pub companions: BTreeSet<CompanionKey>,
    /// Records to read by id because nothing is known of them.
    pub read: BTreeSet<RecordKey>,
    /// Records to read again because parts of them moved: what is seen of a read that began at this moment or
    /// later answers it.
    pub reread: BTreeMap<RecordKey, Timestamp>,
    /// Records to read once more by a read that begins at this moment or later: what is seen of them earlier may lag behind
    /// their parts, or their create may arrive once more until then, after which they are decided again.
    pub later: BTreeMap<RecordKey, Timestamp>,
    /// Records whose decision the cluster bears on: their parts stand otherwise now.
    pub wake: BTreeSet<RecordKey>,
}

impl Facts {
    /// The same facts with the record types of all flows' sides.
    #[must_use]
    pub fn with_types(&self, flows: &Dataflow) -> Cow<'_, Self> {
        if !self.types.is_empty() {
            return Cow::Borrowed(self);
        }
        let types = types(flows);
        Cow::Owned(Self {
            types,
            ..self.clone()
        })
    }

    /// The same facts with what a cluster itself has settled since they were looked up: links, as far as a flow of its
    /// records refers to theirs, and companions.
    #[must_use]
    pub fn with_cluster(&self, flows: &Dataflow, cluster: &Cluster) -> Cow<'_, Self> {
        let mut facts = Cow::Borrowed(self);
        let alive = |key| cluster.records.get(key).is_some_and(Record::alive);
        let referred = |link: &&Link| {
            let mut records = cluster.records.keys();
            records.any(|key| flows.refers(&key.record_type, &link.flow))
        };
        for link in cluster.links.iter().filter(referred) {
            if !alive(&link.first) || !alive(&link.second) {
                continue;
            }
            for side in Side::BOTH {
                let through = Reference::Flow(link.flow.clone());
                let id = link.end(side).id.clone();
                let other = link.end(side.other()).id.clone();
                let asked = Referral { through, side, id };
                facts.to_mut().referrals.insert(asked, Referent::Linked(other));
            }
        }
        for (owner, record) in &cluster.records {
            for (role, companion) in &record.companions {
                let Some(id) = &companion.id else { continue };
                let through = Reference::Companion {
                    role: role.clone(),
                    of: owner.record_type.clone(),
                };
                let side = Side::First;
                let asked = Referral {
                    through,
                    side,
                    id: owner.id.clone(),
                };
                facts
                    .to_mut()
                    .referrals
                    .insert(asked, Referent::Linked(id.clone()));
            }
        }
        facts
    }
}

/// The record type of each side of each flow.
#[must_use]
pub fn types(flows: &Dataflow) -> Types {
    let ends = flows.flows.iter().flat_map(|flow| {
        Side::BOTH.map(|side| ((flow.name.clone(), side), flow.end(side).record_type.clone()))
    });
    Arc::new(ends.collect())
}
