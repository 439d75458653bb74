//! Links: which unlinked records are counterparts. Ties are reported, never guessed (R8, L1, L5).

use crate::cluster::{Action, Link, Parked, ParkedKind};
use crate::dataflow::{Flow, Side};
use crate::matching;
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::record::RecordKey;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// A possible link.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) first: RecordKey,
    pub(crate) second: RecordKey,
}

impl<'a> Work<'a> {
    /// Links what is unique, reports what ties, and duplicates of what is linked already.
    pub(crate) fn form_links(&mut self) {
        if !self.facts.listed {
            return;
        }
        let [open, taken] = self.open_and_taken();
        for pair in &taken {
            self.report_duplicate(pair);
        }
        let mut rivals: BTreeMap<(&str, &RecordKey), BTreeSet<&RecordKey>> = BTreeMap::new();
        for pair in &open {
            let group = pair.flow.group.as_str();
            rivals
                .entry((group, &pair.first))
                .or_default()
                .insert(&pair.second);
            rivals
                .entry((group, &pair.second))
                .or_default()
                .insert(&pair.first);
        }
        for pair in &open {
            let group = pair.flow.group.as_str();
            let unique = |key| {
                let alone = rivals.get(&(group, key)).is_none_or(|others| others.len() == 1);
                alone || removed(Mutation::SharedLink)
            };
            if unique(&pair.first) && unique(&pair.second) && !self.awaits_answer(pair) {
                if !self.awaits_approval(pair) {
                    self.link(pair.flow, &pair.first, &pair.second);
                }
            } else if !(unique(&pair.first) && unique(&pair.second)) {
                self.report_tie(
                    pair,
                    &rivals[&(group, &pair.first)],
                    &rivals[&(group, &pair.second)],
                );
            }
        }
    }

    /// Possible links: between records that are both free, and beside one that is linked already.
    pub(crate) fn open_and_taken(&self) -> [Vec<Pair<'a>>; 2] {
        let (open, taken): (Vec<_>, Vec<_>) = self.pairs().into_iter().partition(|pair| {
            removed(Mutation::SharedLink)
                || !self.linked_in_group(&pair.first, &pair.flow.group)
                    && !self.linked_in_group(&pair.second, &pair.flow.group)
        });
        [open, taken]
    }

    pub(crate) fn link(&mut self, flow: &Flow, first: &RecordKey, second: &RecordKey) {
        let link = Link {
            flow: flow.name.clone(),
            first: first.clone(),
            second: second.clone(),
            verdict: None,
            since: self.facts.now,
        };
        self.cluster.links.push(link);
        self.cluster.links.sort();
        for key in [first, second] {
            if let Some(record) = self.cluster.records.get_mut(key) {
                record.awaiting.remove(&flow.name);
                record.welcome.remove(&flow.name);
            }
        }
        self.withdraw_creates_of(first, &flow.name);
        self.withdraw_creates_of(second, &flow.name);
        self.note(
            first,
            None,
            Some(&flow.name),
            EventKind::Linked { with: second.clone() },
            String::new(),
        );
    }

    /// What has a counterpart needs none created.
    pub(crate) fn withdraw_creates_of(&mut self, key: &RecordKey, flow: &str) {
        let withdrawn = |action: &Action| matches!(action, Action::Create { flow: of, source, .. } if of == flow && source == key);
        self.cluster
            .creates
            .retain(|intent| intent.sent.is_some() || !withdrawn(&intent.action));
    }

    /// Alive, unlinked in the flow's group on at least one side, matching.
    fn pairs(&self) -> Vec<Pair<'a>> {
        let mut pairs = Vec::new();
        for flow in self
            .flows
            .flows
            .iter()
            .filter(|flow| !self.flows.rests(&flow.name))
        {
            for (first, a) in self.candidates(flow, Side::First) {
                for (second, b) in self.candidates(flow, Side::Second) {
                    let linked = |key| self.linked_in_group(key, &flow.group);
                    if linked(first) && linked(second) {
                        continue;
                    }
                    // Beside a linked record the natural key alone makes a duplicate (L5).
                    let beside = linked(first) || linked(second);
                    let (one, two) = ((first, a), (second, b));
                    let matches = self
                        .made_for(flow, first, second)
                        .unwrap_or_else(|| matching::matches(flow, one, two));
                    if !self.are_apart(&flow.name, first, second)
                        && (matches || (beside && matching::same_natural_key(flow, one, two)))
                    {
                        pairs.push(Pair {
                            flow,
                            first: first.clone(),
                            second: second.clone(),
                        });
                    }
                }
            }
        }
        pairs
    }

    /// Whether a record is the companion that was made for another before the flow was there; none where none was,
    /// or it is gone.
    fn made_for(&self, flow: &Flow, first: &RecordKey, second: &RecordKey) -> Option<bool> {
        let made = crate::companions::made_before(flow, self.record(first)?)?;
        let there = self.record(&made).is_some_and(crate::cluster::Record::alive);
        there.then(|| &made == second)
    }

    fn candidates<'w>(
        &'w self,
        flow: &'w Flow,
        side: Side,
    ) -> impl Iterator<Item = (&'w RecordKey, &'w crate::record::Values)> + 'w {
        let of_type = self
            .cluster
            .records
            .iter()
            .filter(move |(key, _)| key.record_type == flow.end(side).record_type);
        let fit = of_type.filter(move |(_, record)| {
            record.alive()
                && !record.suppressed.contains(&flow.name)
                && !record.left.contains_key(&flow.name)
                && matching::belongs(flow, side, &record.shadow.values)
        });
        fit.map(|(key, record)| (key, &record.shadow.values))
    }

    /// A sent create of one of the two waits for its answer: the other may be its own late effect.
    fn awaits_answer(&self, pair: &Pair<'_>) -> bool {
        let held = !removed(Mutation::NotHeldForCreate);
        held && self.cluster.creates.iter().any(|intent| {
            intent.sent.is_some()
                && matches!(&intent.action, Action::Create { source, target, .. }
                    if (source == &pair.first && *target == pair.second.record_type)
                        || (source == &pair.second && *target == pair.first.record_type))
        })
    }

    fn report_tie(
        &mut self,
        pair: &Pair<'_>,
        of_first: &BTreeSet<&RecordKey>,
        of_second: &BTreeSet<&RecordKey>,
    ) {
        for (key, others) in [(&pair.first, of_first), (&pair.second, of_second)] {
            let names: Vec<String> = others.iter().map(ToString::to_string).collect();
            let reason = if names.len() > 1 {
                format!("has {} candidates: {}", names.len(), names.join(", "))
            } else {
                format!("is one of several candidates for {}", names.join(", "))
            };
            let advice =
                "say which belong together (`tandem plan --matches --export`), or make the match keys differ"
                    .to_owned();
            let parked = self.parked(ParkedKind::Tie, 0, reason, advice);
            self.hold(key, &pair.flow.name, parked);
        }
    }

    fn report_duplicate(&mut self, pair: &Pair<'_>) {
        let taken = self.linked_in_group(&pair.first, &pair.flow.group);
        let (single, linked) = if taken {
            (&pair.second, &pair.first)
        } else {
            (&pair.first, &pair.second)
        };
        let parked: Parked = self.parked(
            ParkedKind::DuplicateKey,
            0,
            format!("has the same match key as {linked}, which is linked already"),
            "merge or delete the duplicate, or change its key".to_owned(),
        );
        self.hold(single, &pair.flow.name, parked);
    }
}
