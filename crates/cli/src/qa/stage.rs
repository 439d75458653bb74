//! The stage: the engine, the systems as people use them, the cast, and the checklist that fills.

use super::cast::{Cast, Player, shown};
use super::checklist::{About, Checklist, Mismatch, Trial};
use super::consent::Site;
use super::people::People;
use super::promise::{PromisedFlow, Row};
use super::remains::Remains;
use super::script::{Part, RowAt, Script};
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use tandem_engine::Engine;
use tandem_ledger::{Item, LinkRow};
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::{Flow, Side};
use tandem_merge::record::{Observation, RecordKey};
use tandem_merge::value::Value;

/// Rows read from the store at once.
const PAGE: usize = 1_000;
/// Answers to approvals may ask again; not for ever.
const MOST_APPROVALS: usize = 4;

/// Everything a run works with.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) people: People,
    pub(crate) promised: Vec<PromisedFlow>,
    pub(crate) script: Script,
    pub(crate) cast: Cast,
    pub(crate) list: Checklist,
    /// What both systems showed of the run's records last.
    pub(crate) shown: BTreeMap<RecordKey, Observation>,
    /// What waits about the run's records.
    pub(crate) items: Vec<Item>,
    /// Every record that this run made or found for itself, in order.
    pub(crate) own: Vec<RecordKey>,
    /// Syncs so far.
    pub(crate) syncs: u64,
    /// What marks the run's records.
    pub(crate) run: String,
    /// The two systems.
    pub(crate) sites: [Site; 2],
    /// The file that lists what is left.
    pub(crate) remains: Remains,
}

impl Stage {
    /// A row of the promise.
    pub(crate) fn row(&self, at: RowAt) -> &Row {
        &self.promised[at.flow].rows[at.row]
    }

    /// The configured flow of a promised one.
    pub(crate) fn flow(&self, at: usize) -> Option<&Flow> {
        let name = self.promised[at].name.as_deref()?;
        self.engine.flows().flow(name)
    }

    /// Whether a type's records are kept from run to run: a counterpart of theirs cannot be deleted.
    pub(crate) fn is_kept(&self, of: &str) -> bool {
        let own = self
            .promised
            .iter()
            .filter(|flow| flow.types[0] == of && flow.name.is_some());
        own.into_iter()
            .any(|flow| !self.people.deletable(Side::Second, &flow.types[1]))
    }

    /// The key of a player on a side, in a flow.
    pub(crate) fn key(&self, part: &Part, side: Side, flow: usize) -> Option<RecordKey> {
        let player = self.cast.players.get(part)?;
        let id = player.id(side, flow)?;
        let name = &self.promised[flow].types[side.index()];
        Some(self.people.key(side, name, id))
    }

    /// All records of the run with a link, and those of the first side without.
    pub(crate) fn keys(&self) -> BTreeSet<RecordKey> {
        let mut keys = BTreeSet::new();
        for (part, player) in &self.cast.players {
            keys.insert(self.people.key(Side::First, &part.of, &player.first));
            for (flow, id) in &player.second {
                keys.insert(self.people.key(Side::Second, &self.promised[*flow].types[1], id));
            }
        }
        keys
    }

    /// Remembers a record as the run's own.
    pub(crate) fn owns(&mut self, key: RecordKey) {
        if !self.own.contains(&key) {
            self.own.push(key);
        }
    }

    /// Syncs, then reads the run's records on both sides and what waits about them.
    pub(crate) async fn sync(&mut self) -> Result<(), Failure> {
        self.syncs += 1;
        let summary = self.engine.sync().await?;
        if let Some(trouble) = summary.troubles.into_iter().next() {
            return Err(trouble.into());
        }
        self.items = self.own_items()?;
        self.shown = self.people.read(self.keys()).await?;
        Ok(())
    }

    /// Syncs, approving what waits for approval about the run's own records, until nothing does.
    pub(crate) async fn sync_and_approve(&mut self) -> Result<(), Failure> {
        for _ in 0..MOST_APPROVALS {
            self.sync().await?;
            if self.approve()? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Approves what waits for approval about the run's own records. Returns how much.
    pub(crate) fn approve(&mut self) -> Result<usize, Failure> {
        let waits =
            |item: &&Item| matches!(item.kind, Some(ParkedKind::Approval | ParkedKind::DeleteConflict));
        let waiting: Vec<Item> = self.items.iter().filter(waits).cloned().collect();
        for item in &waiting {
            // A conflict of delete and edit wants a word: the deletion is what is tried.
            let verdicts = tandem_engine::verdicts_for(self.engine.flows(), item);
            let verdict = verdicts.first().copied();
            self.engine.approve(item.number, verdict)?;
        }
        Ok(waiting.len())
    }

    fn own_items(&mut self) -> Result<Vec<Item>, Failure> {
        let own: BTreeSet<RecordKey> = self.keys().into_iter().chain(self.own.iter().cloned()).collect();
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let page = self.engine.store().items(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            found.extend(page.into_iter().filter(|item| own.contains(&item.record)));
        }
        Ok(found)
    }

    /// The live links of the run's first-side records, by flow name and first id.
    pub(crate) fn links(&mut self) -> Result<BTreeMap<(String, String), LinkRow>, Failure> {
        let firsts: BTreeSet<String> = self.cast.players.values().map(|it| it.first.clone()).collect();
        let (mut after, mut found) = (0, BTreeMap::new());
        loop {
            let page = self.engine.store().links(None, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            let own = page.into_iter().filter(|link| firsts.contains(&link.first.id));
            found.extend(own.map(|link| ((link.flow.clone(), link.first.id.clone()), link)));
        }
        Ok(found)
    }

    /// The value that a side shows of a row's property.
    pub(crate) fn seen(&self, part: &Part, side: Side, at: RowAt) -> Option<Value> {
        let key = self.key(part, side, at.flow)?;
        let property = &self.row(at).mapping.properties[side.index()];
        if property == "id" {
            return Some(Value::Text(key.id));
        }
        let shown = self.shown.get(&key)?;
        Some(shown.values.get(property).cloned().unwrap_or_default())
    }

    /// What Tandem says about a property of a record, or about the record as a whole.
    pub(crate) fn because(&self, part: &Part, at: RowAt) -> Option<String> {
        let names = &self.row(at).mapping.properties;
        let keys: Vec<RecordKey> = Side::BOTH
            .into_iter()
            .filter_map(|side| self.key(part, side, at.flow))
            .collect();
        let about = |item: &&Item| {
            keys.contains(&item.record)
                && item
                    .property
                    .as_ref()
                    .is_none_or(|property| names.contains(property))
        };
        let mut items: Vec<&Item> = self.items.iter().filter(about).collect();
        items.sort_by_key(|item| item.property.is_none());
        items.first().map(|item| item.reason.clone())
    }

    /// Ticks off that a side shows a canonical value in its own form.
    pub(crate) fn tick(
        &mut self,
        at: RowAt,
        part: &Part,
        to: Side,
        canonical: &Value,
        trial: Trial,
        done: &str,
    ) {
        let Some(flow) = self.flow(at.flow) else {
            return;
        };
        let form = self.cast.form(self.row(at), flow, to);
        let expected = form.encode(canonical);
        let seen = self.seen(part, to, at);
        let fits = seen.as_ref().is_some_and(|seen| form.fits(canonical, seen));
        let because = self.because(part, at);
        let evidence = self.list.about(About::Row(at));
        match (expected, seen) {
            _ if fits => evidence.holds(trial),
            (_, None) => evidence.cannot("it has no counterpart"),
            (Err(trouble), _) => evidence.cannot(super::cast::told(&trouble)),
            (Ok(expected), Some(seen)) => evidence.fails(Mismatch {
                done: done.to_owned(),
                expected: format!("{} in {}", shown(&expected), self.people.name(to)),
                seen: shown(&seen),
                because,
            }),
        }
    }

    /// The second side's ids of a player that are linked, by flow.
    pub(crate) fn linked(
        &self,
        of: &str,
        player: &Player,
        links: &BTreeMap<(String, String), LinkRow>,
    ) -> BTreeMap<usize, String> {
        let flows = self.promised.iter().enumerate();
        flows
            .filter(|(_, flow)| flow.types[0] == of)
            .filter_map(|(at, flow)| {
                let link = links.get(&(flow.name.clone()?, player.first.clone()))?;
                Some((at, link.second.id.clone()))
            })
            .collect()
    }
}
