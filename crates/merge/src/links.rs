//! Links: which unlinked records are counterparts. Ties are reported, never guessed (R8, L1, L5).

use crate::agreement::{Fit, Pairing};
use crate::cluster::{Action, Link, ParkedKind};
use crate::dataflow::{Flow, Side};
use crate::form::Trouble;
use crate::matching;
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::record::RecordKey;
use crate::unreadable::hides_identity;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// A possible link.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) first: RecordKey,
    pub(crate) second: RecordKey,
    /// How the two stand to one another; never [`Fit::Strangers`].
    pub(crate) fit: Fit,
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
        let (sound, unsound): (Vec<_>, Vec<_>) = open.into_iter().partition(|pair| pair.fit == Fit::Same);
        let mut rivals: BTreeMap<(&str, &RecordKey), BTreeSet<&RecordKey>> = BTreeMap::new();
        for pair in &sound {
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
        let unique = |pair: &Pair<'_>| {
            let alone = |key| rivals[&(pair.flow.group.as_str(), key)].len() == 1;
            alone(&pair.first) && alone(&pair.second) || removed(Mutation::SharedLink)
        };
        for pair in sound.iter().filter(|pair| unique(pair)) {
            if self.awaits_answer(pair) {
                // Whatever the create comes to, the other one is decided anew.
                self.waits.on.extend([pair.first.clone(), pair.second.clone()]);
            } else if !self.awaits_approval(pair) {
                self.link(pair.flow, &pair.first, &pair.second);
            }
        }
        // What ties by sound keys is told rather than what is doubtful besides.
        self.report_unsound(&unsound);
        for pair in sound.iter().filter(|pair| !unique(pair)) {
            let group = pair.flow.group.as_str();
            self.report_tie(
                pair,
                &rivals[&(group, &pair.first)],
                &rivals[&(group, &pair.second)],
            );
        }
    }

    /// Pairs of equal keys that something speaks against, or that wait for what tells: neither linked, nor is a
    /// counterpart created beside them.
    fn report_unsound(&mut self, pairs: &[Pair<'_>]) {
        for pair in pairs {
            let linked = |key| self.linked_in_group(key, &pair.flow.group);
            match (linked(&pair.first), linked(&pair.second)) {
                (true, true) => {}
                (false, false) => self.report_doubt(pair),
                _ => self.report_duplicate(pair),
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
            self.withdraw_creates_of(key, &flow.name);
            self.forget_refused_create(key, &flow.name);
        }
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
                    if self.are_apart(&flow.name, first, second) {
                        continue;
                    }
                    let pairing = Pairing {
                        flows: self.flows,
                        facts: self.facts,
                        flow,
                        first: (first, a),
                        second: (second, b),
                    };
                    let mut fit = pairing.fit();
                    // Beside a linked record the natural key alone makes a duplicate (L5).
                    fit = match self.made_for(flow, first, second) {
                        Some(true) => Fit::Same,
                        Some(false) => Fit::Strangers,
                        None => fit,
                    };
                    if fit == Fit::Strangers && (linked(first) || linked(second)) {
                        fit = pairing.natural_fit();
                    }
                    if fit != Fit::Strangers {
                        pairs.push(Pair {
                            flow,
                            first: first.clone(),
                            second: second.clone(),
                            fit,
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

    /// Two records of the cluster as a possible pair.
    pub(crate) fn pairing<'w>(
        &'w self,
        flow: &'w Flow,
        first: &'w RecordKey,
        second: &'w RecordKey,
    ) -> Option<Pairing<'w>> {
        Some(Pairing {
            flows: self.flows,
            facts: self.facts,
            flow,
            first: (first, &self.record(first)?.shadow.values),
            second: (second, &self.record(second)?.shadow.values),
        })
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
                && !hides_identity(record, flow, side)
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

    /// A pair of equal keys that a person decides about, or that waits for what tells.
    fn report_doubt(&mut self, pair: &Pair<'_>) {
        let why = match &pair.fit {
            Fit::Doubtful(why) => why,
            Fit::Waits(wait) => {
                if let Some(parked) = self.trouble(Trouble::Waits(wait.clone()), 0, None) {
                    self.hold(&pair.first, &pair.flow.name, parked.clone());
                    self.hold(&pair.second, &pair.flow.name, parked);
                }
                return;
            }
            Fit::Same | Fit::Strangers => return,
        };
        let named = |key: &RecordKey| format!("{}:{}", key.record_type.name, key.id);
        let link = format!(
            "tandem link {} {} {}",
            pair.flow.name,
            named(&pair.first),
            named(&pair.second)
        );
        for (key, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
            let reason = format!("has the same match key as {other}, but {why}");
            let advice =
                format!("if they belong together, `{link} --yes`; if not, `{link} --different --yes`");
            let parked = self.parked(ParkedKind::Tie, 0, reason, advice);
            self.hold(key, &pair.flow.name, parked);
        }
    }

    fn report_duplicate(&mut self, pair: &Pair<'_>) {
        if matches!(pair.fit, Fit::Waits(_)) {
            return;
        }
        let taken = self.linked_in_group(&pair.first, &pair.flow.group);
        let (single, linked) = if taken {
            (&pair.second, &pair.first)
        } else {
            (&pair.first, &pair.second)
        };
        let (but, advice) = match &pair.fit {
            Fit::Doubtful(why) => (
                format!(", but {why}"),
                "`tandem link ... --different` gives it a counterpart of its own. What always tells such records apart belongs \
                 under the key's `within` in the flow",
            ),
            _ => (
                String::new(),
                "merge or delete the duplicate, or change its key; `tandem link ... --different` says that it is none",
            ),
        };
        let reason = format!("has the same match key as {linked}, which is linked already{but}");
        let parked = self.parked(ParkedKind::DuplicateKey, 0, reason, advice.to_owned());
        self.hold(single, &pair.flow.name, parked);
    }
}
