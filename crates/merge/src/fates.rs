//! Fates: what became of a record that a reference named before it went blank. A system that deletes a record blanks
//! what names it by itself, so a blank reference is an edit only where the record that it named is known to live (E18).

use crate::cluster::{Action, Cluster, Intent, Record};
use crate::dataflow::{Dataflow, Reference, Side};
use crate::facts::Referral;
use crate::record::{Presence, RecordKey};

/// Mergers of mergers that are followed; more would be a circle.
const CHAIN: usize = 20;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The record.
    pub of: RecordKey,
    /// What became of it.
    pub became: Became,
    /// Its counterpart before it was deleted, where there was one.
    pub counterpart: Option<RecordKey>,
}

/// What becomes of a record that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is to be read again, which was not done yet; or it was, and did not show what we made a moment ago.
    Unread,
    /// Something seen of it was not decided yet.
    Undecided,
    /// Nothing proves that it is there, nor that it was deleted.
    Unseen,
    /// It is there.
    Alive,
    /// It is about to be deleted, or its counterpart is: a system may delete nothing that others name, so what names it is
    /// released first.
    Going,
    /// It was deleted, and what becomes of its counterpart is not settled.
    Open,
    /// It was deleted or merged, and this record of its side stands in its place.
    Replaced(String),
    /// It was deleted, and its counterpart stays as it is, without one.
    Kept,
    /// It was deleted, and its counterpart is gone too, or there was none.
    Over,
}

impl Became {
    /// Whether it says that the record was deleted, or is about to be.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(
            self,
            Self::Going | Self::Open | Self::Replaced(_) | Self::Kept | Self::Over
        )
    }
}

/// What is stored of a record that is asked about.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Its cluster.
    pub cluster: Cluster,
    /// Something seen of it was not decided yet.
    pub undecided: bool,
    /// It is to be read again, which was not done yet.
    pub unread: bool,
    /// A person had it forgotten.
    pub forgotten: bool,
}

/// The record that a reference through a flow names.
#[must_use]
pub fn named(flows: &Dataflow, referral: &Referral) -> Option<RecordKey> {
    let Reference::Flow(flow) = &referral.through else {
        return None;
    };
    Some(RecordKey {
        record_type: flows.flow(flow)?.end(referral.side).record_type.clone(),
        id: referral.id.clone(),
    })
}

/// What became of the record that a reference named; none of a reference that leads to no flow. `look` finds what is
/// stored of a record, none where nothing is.
///
/// # Errors
/// What `look` answers.
pub fn fate<E>(
    flows: &Dataflow,
    referral: &Referral,
    look: &mut dyn FnMut(&RecordKey) -> Result<Option<Stored>, E>,
) -> Result<Option<Fate>, E> {
    let (Reference::Flow(flow), Some(of)) = (&referral.through, named(flows, referral)) else {
        return Ok(None);
    };
    let mut key = of.clone();
    for _ in 0..CHAIN {
        let stored = look(&key)?.unwrap_or_default();
        let record = stored.cluster.records.get(&key);
        if let Some(next) = record.and_then(|record| record.survivor(&key)) {
            key = next;
            continue;
        }
        let own = key == of;
        let (became, counterpart) = match presence(&stored, &key) {
            Err(became) if own => (became, None),
            // It was merged into one that is not known yet.
            Err(_) => (Became::Open, None),
            Ok(Presence::Alive) if own && record.is_some_and(is_going) => (Became::Going, None),
            Ok(Presence::Alive) if own => (Became::Alive, None),
            Ok(Presence::Alive) => (Became::Replaced(key.id.clone()), None),
            Ok(_) => after_deletion(flow, referral.side, &key, &stored.cluster, look)?,
        };
        return Ok(Some(Fate {
            of,
            became,
            counterpart,
        }));
    }
    Ok(Some(Fate {
        of,
        became: Became::Over,
        counterpart: None,
    }))
}

/// Whether it is there or was deleted, or why that is not known.
fn presence(stored: &Stored, key: &RecordKey) -> Result<Presence, Became> {
    if stored.forgotten {
        return Err(Became::Over);
    }
    let record = stored.cluster.records.get(key);
    match record.map(|record| record.shadow.presence) {
        _ if stored.undecided => Err(Became::Undecided),
        // A tombstone is proof whatever is read again.
        Some(Presence::Deleted) => Ok(Presence::Deleted),
        _ if stored.unread => Err(Became::Unread),
        None | Some(Presence::Missing) => Err(Became::Unseen),
        Some(Presence::Alive) if record.is_some_and(Record::may_be_gone) => Err(Became::Unread),
        Some(Presence::Alive) => Ok(Presence::Alive),
    }
}

/// What becomes of the counterpart of a record that was deleted.
fn after_deletion<E>(
    flow: &str,
    side: Side,
    key: &RecordKey,
    cluster: &Cluster,
    look: &mut dyn FnMut(&RecordKey) -> Result<Option<Stored>, E>,
) -> Result<(Became, Option<RecordKey>), E> {
    let mut links = cluster.links.iter();
    if let Some(link) = links.find(|link| link.flow == flow && link.end(side) == key) {
        let other = link.end(side.other()).clone();
        let goes = cluster.records.get(&other).is_some_and(is_going);
        let became = if goes { Became::Going } else { Became::Open };
        return Ok((became, Some(other)));
    }
    let record = cluster.records.get(key);
    let former = record.and_then(|record| record.former.get(flow).or_else(|| record.left.get(flow)));
    let Some(other) = former.cloned() else {
        return Ok((Became::Over, None));
    };
    let Some(stored) = look(&other)? else {
        return Ok((Became::Over, Some(other)));
    };
    let Some(record) = stored.cluster.records.get(&other) else {
        return Ok((Became::Over, Some(other)));
    };
    let mut links = stored.cluster.links.iter();
    let link = links.find(|link| link.flow == flow && link.end(side.other()) == &other);
    let became = match (record.shadow.presence, link) {
        (Presence::Deleted, _) => Became::Over,
        (Presence::Alive, Some(link)) => {
            let heir = link.end(side);
            let there = stored.cluster.records.get(heir).is_some_and(Record::alive);
            if there {
                Became::Replaced(heir.id.clone())
            } else {
                Became::Open
            }
        }
        (Presence::Alive, None)
            if record.suppressed.contains(flow) && !is_created(&stored.cluster, flow, &other) =>
        {
            Became::Kept
        }
        (Presence::Alive | Presence::Missing, _) => Became::Open,
    };
    Ok((became, Some(other)))
}

/// It is to be deleted, or its deletion is under way.
fn is_going(record: &Record) -> bool {
    let deletes = |intent: &Intent| matches!(intent.action, Action::Delete { .. });
    record.intent.as_ref().is_some_and(deletes)
}

/// A counterpart of it is on its way.
fn is_created(cluster: &Cluster, flow: &str, key: &RecordKey) -> bool {
    cluster.creates.iter().any(|intent| {
        matches!(&intent.action, Action::Create { flow: of, source, .. } if of == flow && source == key)
    })
}
