//! Who is there already: look-ups before creates, and what a create of unknown outcome has left behind.

use crate::apart::Doubt;
use crate::engine::FENCE;
use crate::pack::{Found, Search, find_all, loose, target};
use crate::patience::{Answered, Then};
use crate::{Engine, Error, Round};
use std::collections::BTreeMap;
use std::sync::Arc;
use tandem_ledger::Page;
use tandem_merge::cluster::{Action, Intent, Lookup, ParkedKind};
use tandem_merge::dataflow::{CompanionRule, Flow, Side};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::reconcile::{Settlement, recognises};
use tandem_merge::record::{Observation, RecordKey, RecordType};
use tandem_merge::value::Value;

impl Engine {
    /// Looks for the records that creates would make (L3). Creates whose record is there are settled as
    /// found; the others are returned. When the system cannot be asked, none is.
    pub(crate) async fn look_up(
        &mut self,
        index: usize,
        intents: Vec<Intent>,
        round: &mut Round,
    ) -> Result<Vec<Intent>, Error> {
        if removed(Mutation::NoLookUp) {
            return Ok(intents);
        }
        let Some(found) = self.find_counterparts(index, &intents, round).await? else {
            return Ok(Vec::new());
        };
        let mut settlements = BTreeMap::new();
        let mut free = Vec::new();
        for intent in intents {
            if let Some(error) = round.unsought.get(&intent.id).cloned() {
                // Nobody knows whether it is there: it is looked for again, and never made unlooked.
                let said = format!("a search for it fails: {}", error.message);
                if let Then::GiveUp(reason) = self.strain(index, &intent, Answered::Same, &said, round) {
                    settlements.insert(intent.id, self.given_up(reason));
                }
                continue;
            }
            match found.get(&intent.id).map(Vec::as_slice) {
                None | Some([]) => match self.not_found(&intent) {
                    Some(settlement) => drop(settlements.insert(intent.id, settlement)),
                    None => free.push(intent),
                },
                Some(rows) => {
                    settlements.insert(intent.id, self.found_other(&intent, rows)?);
                }
            }
        }
        round.found += settlements.len() as u64;
        self.settle(settlements, round)?;
        Ok(free)
    }

    /// What a companion comes to that is only looked for and was not found.
    fn not_found(&self, intent: &Intent) -> Option<Settlement> {
        let Action::Companion {
            key,
            target,
            only_find: true,
            ..
        } = &intent.action
        else {
            return None;
        };
        let (role, owner) = (&key.role, &key.owner);
        Some(Settlement::Refused {
            kind: ParkedKind::ReferenceToNothing,
            properties: Vec::new(),
            reason: format!("its {role} was deleted in {}", target.system),
            advice: format!(
                "Restore it there, or make another by hand, then `tandem retry {owner}`: what it finds is taken, else another \
                 is made"
            ),
            at: self.clock.now(),
        })
    }

    /// The records that answer to creates by a natural key, in one pass per step of their searches. Creates whose search
    /// fails for its own sake are named in the round.
    pub(crate) async fn find_counterparts(
        &mut self,
        index: usize,
        intents: &[Intent],
        round: &mut Round,
    ) -> Result<Option<Found>, Error> {
        let mut found = Found::new();
        let mut step = 0;
        loop {
            let open = |intent: &&Intent| {
                let failed = step > 0 && round.unsought.contains_key(&intent.id);
                !failed && !found.contains_key(&intent.id)
            };
            let open: Vec<&Intent> = intents.iter().filter(open).collect();
            let open = open.into_iter();
            let searches: Vec<Search<'_>> = open.filter_map(|intent| search(intent, step)).collect();
            if searches.is_empty() {
                return Ok(Some(found));
            }
            let Some(rows) = self.find(index, &searches, round).await? else {
                return Ok(None);
            };
            for intent in intents {
                let rows = rows.get(&intent.id).into_iter().flatten();
                let fits: Vec<_> = rows.filter(|row| self.answers(intent, row)).cloned().collect();
                if !fits.is_empty() {
                    found.insert(intent.id, fits);
                }
            }
            step += 1;
        }
    }

    /// The records that carry the identities of creates. Those whose search fails for its own sake are named in the round.
    pub(crate) async fn find_identities(
        &mut self,
        index: usize,
        intents: &[&Intent],
        round: &mut Round,
    ) -> Result<Option<Found>, Error> {
        let by_identity = |intent: &&Intent| {
            let (property, value) = identity(intent)?;
            Some((intent.id, property.clone(), value.clone()))
        };
        let wanted: Vec<_> = intents.iter().map(by_identity).collect();
        let searches = intents.iter().zip(wanted).filter_map(|(intent, wanted)| {
            let (id, property, value) = wanted?;
            Some(Search {
                intent: id,
                record_type: target(intent),
                lookup: Lookup {
                    properties: vec![property],
                    values: vec![value],
                },
            })
        });
        let searches: Vec<Search<'_>> = searches.collect();
        self.find(index, &searches, round).await
    }

    /// What creates of unknown outcome made and others deleted since, by the identities they carry (E16). Records
    /// that were counterparts before are none of theirs.
    pub(crate) async fn find_deleted(
        &mut self,
        index: usize,
        intents: &[Intent],
        round: &mut Round,
    ) -> Result<Option<Found>, Error> {
        let system = Arc::clone(&self.systems[index]);
        let mut wanted: BTreeMap<(&RecordType, &str), Vec<Value>> = BTreeMap::new();
        for intent in intents {
            if let Some((property, value)) = identity(intent) {
                let values = wanted.entry((target(intent), property)).or_default();
                values.push(value.clone());
            }
        }
        let mut found = Found::new();
        for ((record_type, property), values) in wanted {
            let rows = match system.find_deleted(record_type, property, &values).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.trouble(round, error);
                    return Ok(None);
                }
            };
            for row in rows {
                let shown = row.values.get(property).map(loose);
                let own = |intent: &&Intent| {
                    let carried = identity(intent).filter(|(name, _)| name == property);
                    target(intent) == record_type && carried.map(|(_, value)| loose(value)) == shown
                };
                let Some(intent) = intents.iter().find(own) else {
                    continue;
                };
                if !self.was_counterpart(intent, &row.key)? {
                    found.entry(intent.id).or_default().push(row);
                }
            }
        }
        Ok(Some(found))
    }

    /// Whether a record was linked before in the flow of a create.
    fn was_counterpart(&mut self, intent: &Intent, record: &RecordKey) -> Result<bool, Error> {
        let Action::Create { flow, .. } = &intent.action else {
            return Ok(false);
        };
        let cluster = self.store.cluster(&self.flows, record)?;
        let known = cluster.and_then(|mut cluster| cluster.records.remove(record));
        Ok(known.is_some_and(|known| known.suppressed.contains(flow)))
    }

    async fn find(
        &mut self,
        index: usize,
        searches: &[Search<'_>],
        round: &mut Round,
    ) -> Result<Option<Found>, Error> {
        let system = Arc::clone(&self.systems[index]);
        let name = self.flows.systems[index].clone();
        *self.tally.keys_looked_up.entry(name).or_default() += searches.len() as u64;
        for search in searches {
            round.unsought.remove(&search.intent);
        }
        let mut doubt = Doubt::default();
        let mut sought = self
            .meanwhile(find_all(system.as_ref(), searches, &mut doubt))
            .await?;
        let found = sought.iter_mut().flat_map(|sought| sought.found.values_mut());
        self.take_described(index, doubt.described, found.map(Vec::as_mut_slice))?;
        Ok(match sought {
            Ok(sought) => {
                round.unsought.extend(sought.failed);
                Some(sought.found)
            }
            Err(error) => {
                self.trouble(round, error);
                None
            }
        })
    }

    /// Whether a record that a search showed answers to a create, by the match rules' own comparison. Whom
    /// the record names as its counterpart is left out of this.
    fn answers(&self, intent: &Intent, row: &Observation) -> bool {
        match (&intent.action, identity(intent)) {
            // An account that names another customer is that customer's, whatever its name.
            (Action::Companion { .. }, Some(_)) if names_another(intent, row) => false,
            (Action::Create { .. }, Some((property, _))) => {
                let mut nameless = row.clone();
                nameless.values.remove(property);
                recognises(&self.flows, intent, &nameless)
            }
            _ => recognises(&self.flows, intent, row),
        }
    }

    /// What a create comes to whose record is somebody's: a candidate for the link, unless it is spoken for.
    pub(crate) fn found_other(&mut self, intent: &Intent, rows: &[Observation]) -> Result<Settlement, Error> {
        let first = &rows[0];
        let mut forgotten = false;
        for row in rows {
            forgotten |= self.store.is_forgotten(&row.key)?;
        }
        let refused = match &intent.action {
            _ if forgotten => Some((
                ParkedKind::DuplicateKey,
                format!("a {} that was forgotten has the same key", first.key.record_type),
            )),
            Action::Companion { key, .. } if rows.len() > 1 => Some((
                ParkedKind::Tie,
                format!(
                    "{} records of {} could be its {}",
                    rows.len(),
                    first.key.record_type,
                    key.role
                ),
            )),
            Action::Create { flow, source, .. } => self.spoken_for(intent, flow, source, rows)?,
            _ => None,
        };
        if !forgotten && matches!(intent.action, Action::Create { .. }) {
            // So that the cluster is taken together with the candidate's; and what was seen counts, whatever a later look
            // shows of one that is spoken for.
            self.keep_found(rows)?;
        }
        Ok(match refused {
            None => Settlement::FoundOther { state: first.clone() },
            Some((kind, reason)) => Settlement::Refused {
                kind,
                properties: Vec::new(),
                reason,
                advice: "Tell the records apart in their systems, or link them by hand, then retry"
                    .to_owned(),
                at: self.clock.now(),
            },
        })
    }

    fn keep_found(&mut self, rows: &[Observation]) -> Result<(), Error> {
        let mut observations = rows.to_vec();
        self.leave_out(&mut observations);
        let page = Page {
            system: rows[0].key.record_type.system.clone(),
            observations,
            cursor: None,
        };
        self.store.commit_page(FENCE, &self.flows, &page)?;
        Ok(())
    }

    /// Why a record found by its key cannot be linked: its flow group has a link for it, or the link was
    /// offered before and did not come about.
    fn spoken_for(
        &mut self,
        intent: &Intent,
        flow: &str,
        source: &RecordKey,
        rows: &[Observation],
    ) -> Result<Option<(ParkedKind, String)>, Error> {
        for row in rows {
            if names_another(intent, row) || self.linked_in_group(flow, &row.key)? {
                let reason = format!("{} has the same key and belongs to another record", row.key);
                return Ok(Some((ParkedKind::DuplicateKey, reason)));
            }
            let offer = (flow.to_owned(), source.clone(), row.key.clone());
            if !self.offered.insert(offer) {
                let reason = format!("{} has the same key and cannot be linked", row.key);
                return Ok(Some((ParkedKind::DuplicateKey, reason)));
            }
        }
        Ok(None)
    }

    fn linked_in_group(&mut self, flow: &str, record: &RecordKey) -> Result<bool, Error> {
        let Some(cluster) = self.store.cluster(&self.flows, record)? else {
            return Ok(false);
        };
        let group = |name: &str| self.flows.flow(name).map(|flow| flow.group.clone());
        let mine = group(flow);
        let ends = |link: &tandem_merge::cluster::Link| &link.first == record || &link.second == record;
        Ok(cluster
            .links
            .iter()
            .any(|link| ends(link) && group(&link.flow) == mine))
    }

    /// Whether the system refuses a second record with the identity that a create carries.
    pub(crate) fn unique_identity(&self, intent: &Intent) -> bool {
        match &intent.action {
            Action::Create {
                flow,
                target,
                identity: Some(_),
                ..
            } => {
                let flow = self.flows.flow(flow);
                flow.is_some_and(|flow| end_is_unique(flow, target))
            }
            Action::Companion {
                key,
                identity: Some(_),
                ..
            } => {
                let rules = self.flows.flows.iter().flat_map(|flow| flow.companions.iter());
                let mut rules = rules.filter(|rule| rule.role == key.role);
                rules.any(|rule: &CompanionRule| rule.identity.as_ref().is_some_and(|id| id.unique))
            }
            _ => false,
        }
    }
}

fn end_is_unique(flow: &Flow, target: &RecordType) -> bool {
    Side::BOTH.into_iter().any(|side| {
        let end = flow.end(side);
        &end.record_type == target && end.identity.as_ref().is_some_and(|identity| identity.unique)
    })
}

/// The external id of a create: property and value.
pub(crate) fn identity(intent: &Intent) -> Option<&(String, Value)> {
    match &intent.action {
        Action::Create { identity, .. } | Action::Companion { identity, .. } => identity.as_ref(),
        Action::Update { .. } | Action::Delete { .. } => None,
    }
}

/// Whether a record carries the identity of another counterpart.
fn names_another(intent: &Intent, row: &Observation) -> bool {
    identity(intent).is_some_and(|(property, value)| {
        let shown = row.values.get(property);
        shown.is_some_and(|shown| !shown.is_blank() && loose(shown) != loose(value))
    })
}

/// The n-th search of a create; a record's own create has one, a companion's several.
fn search(intent: &Intent, step: usize) -> Option<Search<'_>> {
    let lookup = match &intent.action {
        Action::Create { lookup, .. } if step == 0 => lookup.as_ref(),
        Action::Companion { find, .. } => find.get(step),
        _ => None,
    }?;
    Some(Search {
        intent: intent.id,
        record_type: target(intent),
        lookup: lookup.clone(),
    })
}

/// Whether a record is exactly what a create sent.
pub(crate) fn as_sent(intent: &Intent, state: &Observation) -> bool {
    let shown = |property: &String| state.values.get(property).map(loose).unwrap_or_default();
    let mut sent = intent.values.iter();
    sent.all(|(property, planned)| {
        // What cannot be read speaks neither for it nor against it.
        state.unreadable.contains_key(property) || loose(&planned.value) == shown(property)
    })
}
