//! What the model knows of other clusters.

use super::books::Books;
use crate::outbox::{slot, subject};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use tandem_merge::absent;
use tandem_merge::cluster::{Action, Link};
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::facts::{Facts, Needs, Referent, Referral, Removals};
use tandem_merge::record::{Presence, RecordKey, RecordType};

/// Answers what a cluster needs to know.
pub(super) fn answer(
    books: &Books,
    flows: &Dataflow,
    members: &BTreeSet<RecordKey>,
    needs: Needs,
    now: Timestamp,
) -> Facts {
    let listed_at = listed_at(books, flows);
    let mut facts = Facts {
        listed: listed_at.is_some(),
        listed_at,
        now,
        types: tandem_merge::facts::types(flows),
        ..Facts::default()
    };
    for referral in needs.referrals {
        let referent = referent(books, flows, members, &referral);
        facts.referrals.insert(referral, referent);
    }
    for (target, key) in needs.reservations {
        if let Some(holder) = holder(books, &target, &key).filter(|holder| !members.contains(holder)) {
            facts.reserved.insert((target, key), holder);
        }
    }
    for of in needs.parts {
        let parts = books.parts(flows, members, &of);
        facts.parts.insert(of, parts);
    }
    for referral in needs.parents {
        if let Some(parent) = books.parent(flows, &referral) {
            facts.parents.insert(referral, parent);
        }
    }
    for referral in needs.fates {
        let mut look = |key: &RecordKey| Ok::<_, std::convert::Infallible>(books.stored(members, key));
        let Ok(fate) = tandem_merge::fates::fate(flows, &referral, &mut look);
        facts.fates.extend(fate.map(|fate| (referral, fate)));
    }
    for key in needs.named {
        let losses = books.losses(flows, &key);
        facts.named.insert(key, losses);
    }
    for flow in needs.guards {
        let approved = books.approvals.get(&flow);
        let last = last_gone(books, members, &flow);
        if approved.is_some_and(|at| last.is_none_or(|gone| gone <= *at)) {
            facts.approved.insert(flow.clone());
        }
        let counts = deletions(books, flows, &flow, now);
        facts.deletions.insert(flow, counts);
    }
    facts
}

fn listed_at(books: &Books, flows: &Dataflow) -> Option<Timestamp> {
    let of = |system: &String| books.systems.get(system).and_then(|system| system.listed);
    let [first, second] = flows.systems.each_ref().map(of);
    Some(first?.max(second?))
}

fn referent(books: &Books, flows: &Dataflow, members: &BTreeSet<RecordKey>, referral: &Referral) -> Referent {
    let of = match (&referral.through, referral.side) {
        (Reference::Flow(flow), side) => match flows.flow(flow) {
            Some(flow) => &flow.end(side).record_type,
            None => return Referent::Unlinked,
        },
        (Reference::Companion { of, .. }, Side::First) => of,
        (Reference::Companion { role, of }, Side::Second) => return owner(books, role, of, &referral.id),
    };
    let key = RecordKey {
        record_type: of.clone(),
        id: referral.id.clone(),
    };
    if books.forgotten.contains(&key) {
        return Referent::Forgotten;
    }
    let Some(entry) = books.records.get(&key) else {
        return Referent::Unknown;
    };
    let undecided = books.has_inbox(&key) || books.dirty.get(&key).is_some_and(|mark| mark.own);
    match entry.state.as_ref().map(|record| record.shadow.presence) {
        Some(Presence::Deleted | Presence::Missing) => return Referent::Gone,
        None if !undecided => return Referent::Unknown,
        _ => {}
    }
    let (id, coming) = match &referral.through {
        Reference::Flow(flow) => {
            let mut links = books.links.values().map(|(_, link)| link);
            let link = links.find(|link| &link.flow == flow && link.end(referral.side) == &key);
            if let Some(link) = link {
                // One that was deleted is no counterpart that a reference could name.
                let other = link.end(referral.side.other());
                return if books.is_deleted(other) {
                    Referent::Unlinked
                } else {
                    Referent::Linked(other.id.clone())
                };
            }
            (None, open(books, &key, &crate::outbox::create_slot(flow)))
        }
        Reference::Companion { role, .. } => {
            let companion = entry.companions.get(role);
            let id = companion.and_then(|companion| companion.id.clone());
            let wanted = companion.is_some_and(|companion| companion.parked.is_none());
            let slot = crate::outbox::companion_slot(role);
            (id, wanted || open(books, &key, &slot))
        }
    };
    match id {
        Some(id) => Referent::Linked(id),
        None if coming || (undecided && !members.contains(&key)) => Referent::Pending,
        None => why_never(books, flows, referral, &key).map_or(Referent::Unlinked, Referent::Never),
    }
}

/// Why a record that was decided gets no counterpart in a flow by itself.
fn why_never(books: &Books, flows: &Dataflow, referral: &Referral, key: &RecordKey) -> Option<String> {
    let Reference::Flow(flow) = &referral.through else {
        return None;
    };
    let record = books.records.get(key)?.state.as_ref()?;
    let links = books.links.values().map(|(_, link)| link);
    let links: Vec<Link> = links
        .filter(|link| &link.first == key || &link.second == key)
        .cloned()
        .collect();
    absent::why_never(flows, flows.flow(flow)?, referral.side, key, record, &links)
}

fn owner(books: &Books, role: &str, of: &RecordType, id: &str) -> Referent {
    let mut owners = books.records.iter().filter(|(key, entry)| {
        let companion = entry.companions.get(role);
        &key.record_type == of && companion.is_some_and(|companion| companion.id.as_deref() == Some(id))
    });
    let first = owners.next();
    first.map_or(Referent::Unlinked, |(key, _)| Referent::Linked(key.id.clone()))
}

fn open(books: &Books, key: &RecordKey, place: &str) -> bool {
    let mut all = books.intents.values();
    all.any(|intent| subject(&intent.action) == key && slot(&intent.action) == place)
}

fn holder(books: &Books, of: &RecordType, key: &str) -> Option<RecordKey> {
    books.intents.values().find_map(|intent| match &intent.action {
        Action::Create {
            target,
            reservation,
            source,
            ..
        } if target == of && reservation == key => Some(source.clone()),
        _ => None,
    })
}

/// Links of the flow one end of which is gone, and deletions carried on within the guard's window; links.
fn deletions(books: &Books, flows: &Dataflow, flow: &str, now: Timestamp) -> Removals {
    let hours = flows.flow(flow).map_or(0, |flow| flow.guard.hours);
    let from = now.saturating_sub(SignedDuration::from_hours(hours));
    let from = from.unwrap_or(Timestamp::MIN).as_microsecond();
    let links: Vec<&Link> = books.links.values().map(|(_, link)| link).collect();
    let of = links.iter().filter(|link| link.flow == flow);
    let waiting = of
        .clone()
        .filter(|link| is_gone(books, &link.first) || is_gone(books, &link.second));
    let carried_on = books
        .deletions
        .iter()
        .filter(|(of, at)| of == flow && at.as_microsecond() > from);
    Removals {
        waiting: waiting.count() as u64,
        carried_on: carried_on.count() as u64,
        links: of.count() as u64,
    }
}

fn is_gone(books: &Books, key: &RecordKey) -> bool {
    gone_at(books, key).next().is_some()
}

/// When the record was seen to be deleted, in its shadow and in its inbox rows.
fn gone_at<'a>(books: &'a Books, key: &'a RecordKey) -> impl Iterator<Item = Timestamp> + 'a {
    let state = books.records.get(key).and_then(|entry| entry.state.as_ref());
    let shadow = state.filter(|record| record.shadow.presence == Presence::Deleted);
    let rows = books.inbox.values();
    let rows = rows.filter(move |seen| &seen.key == key && seen.presence == Presence::Deleted);
    let shadow = shadow.map(|record| record.shadow.seen).into_iter();
    shadow.chain(rows.map(|seen| seen.read_began))
}

fn last_gone(books: &Books, members: &BTreeSet<RecordKey>, flow: &str) -> Option<Timestamp> {
    let linked = |key: &&RecordKey| {
        let mut links = books.links.values().map(|(_, link)| link);
        links.any(|link| link.flow == flow && (&link.first == *key || &link.second == *key))
    };
    let shown = |key: &RecordKey, at: &Timestamp| {
        // Rows of a record whose own write is under way are held back.
        let state = books.records.get(key).and_then(|entry| entry.state.as_ref());
        !books.in_flight(key) || state.is_some_and(|record| &record.shadow.seen == at && !record.alive())
    };
    let of = members.iter().filter(linked);
    of.flat_map(|key| gone_at(books, key).filter(move |at| shown(key, at)))
        .max()
}
