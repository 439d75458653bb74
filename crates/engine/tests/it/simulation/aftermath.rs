//! What must be true at rest of what systems did by themselves (E17, E18, E20).

use super::log::plain;
use super::oracle::Found;
use super::setting::references;
use tandem_ledger::LinkRow;
use tandem_merge::cluster::{Base, ParkedKind};
use tandem_merge::dataflow::{Flow, Kind, Mapping, Reference, Side};
use tandem_merge::record::RecordKey;

impl Found<'_> {
    /// E20: of a link whose end left no trace somebody is told, and of edits that wait for it.
    pub fn dead_links_are_told(&mut self) {
        let mut untold = Vec::new();
        for link in &self.links {
            let flow = self.world.setting.flows.flow(&link.flow).unwrap();
            let ends = [&link.first, &link.second];
            for side in Side::BOTH {
                let (gone, there) = (ends[side.index()], ends[side.other().index()]);
                let dead = self.rows.get(gone).is_some_and(|row| row.purged);
                if dead && self.rows.get(there).is_some_and(|row| row.alive) {
                    untold.extend(self.untold(flow, side, gone, there));
                }
            }
        }
        self.broken.extend(untold);
    }

    /// What nobody is told of a link whose end on a side is gone without a trace.
    fn untold(&self, flow: &Flow, side: Side, gone: &RecordKey, there: &RecordKey) -> Vec<String> {
        let cluster = self.clusters.get(there);
        let known = cluster.and_then(|cluster| cluster.records.get(there));
        let (Some(cluster), Some(known)) = (cluster, known) else {
            return vec![format!("E20: {there} is not known")];
        };
        let held = known.held.get(&flow.name);
        if held.is_none_or(|parked| parked.kind != ParkedKind::OutOfSight) {
            return vec![format!(
                "E20: {there} is linked with {gone}, which left no trace, and nobody is told"
            )];
        }
        let waits = |mapping: &&Mapping| {
            let lost = cluster.records.get(gone);
            let base = lost.and_then(|lost| lost.bases.get(mapping.property(side)));
            let own = self.rows[there].values.get(mapping.property(side.other()));
            let own = own.map(plain).unwrap_or_default();
            let edited = base.is_some_and(|base| plain(&base.value) != own);
            let travels = flow.end(side).write && mapping.travels_to(side);
            // What never was anything but blank is written over nothing on the other side of a one-way property.
            let never = own.is_empty() && !mapping.travels_to(side.other());
            let edited = edited && !(never && base.is_some_and(|base| base.epoch == 0));
            // What the policy had overruled before the other end was gone waits for nothing.
            let shown = known.bases.get(mapping.property(side.other()));
            let overruled = base
                .zip(shown)
                .is_some_and(|(lost, shown)| shown.epoch < lost.epoch);
            let edited = edited && !overruled;
            // What a one-way property held before the link goes nowhere, as long as nobody edits it.
            let held = |shown: &Base| shown.epoch == 0 && plain(&shown.value) == own;
            let edited = edited && (mapping.travels_to(side.other()) || !shown.is_some_and(held));
            edited && travels && matches!(mapping.kind, Kind::String)
        };
        let waiting = flow.mappings.iter().filter(waits);
        let untold = waiting.filter(|mapping| {
            let told = known.parked.contains_key(mapping.property(side.other()));
            !told && cluster.questions.is_empty()
        });
        untold
            .map(|mapping| {
                let property = mapping.property(side.other());
                format!(
                    "E20: {property} of {there} waits for {gone}, which left no trace, and nobody is told"
                )
            })
            .collect()
    }

    /// E18: linked records name records that are linked, and nobody's reference is gone while what it named is there on
    /// both sides.
    pub fn references_agree(&mut self) {
        let mut differ = Vec::new();
        for link in &self.links {
            let flow = self.world.setting.flows.flow(&link.flow).unwrap();
            for mapping in &flow.mappings {
                let Kind::Reference(Reference::Flow(through)) = &mapping.kind else {
                    continue;
                };
                if let Some(wrong) = self.odd_reference(link, mapping, through) {
                    differ.push(wrong);
                }
            }
        }
        self.broken.extend(differ);
    }

    fn odd_reference(&self, link: &LinkRow, mapping: &Mapping, through: &str) -> Option<String> {
        let (first, second) = (self.rows.get(&link.first)?, self.rows.get(&link.second)?);
        if !first.alive || !second.alive || self.excused(link, mapping) {
            return None;
        }
        let named = |side: Side| {
            let row = [first, second][side.index()];
            let id = row.values.get(mapping.property(side))?.as_text()?.to_owned();
            let of = &self.world.setting.flows.flow(through)?.end(side).record_type;
            let key = RecordKey {
                record_type: of.clone(),
                id,
            };
            self.rows.get(&key).filter(|row| row.alive)?;
            // Only what has a counterpart could be named on the other side.
            let mut links = self.links.iter().filter(|link| link.flow == through);
            let own = links.find(|link| [&link.first, &link.second][side.index()] == &key)?;
            let other = [&own.first, &own.second][side.other().index()];
            self.rows.get(other).filter(|row| row.alive)?;
            Some((key, own.number))
        };
        let (a, b) = (named(Side::First), named(Side::Second));
        let blank = |side: Side| {
            let row = [first, second][side.index()];
            row.values
                .get(mapping.property(side))
                .is_none_or(tandem_merge::value::Value::is_blank)
        };
        let odd = match (&a, &b) {
            (Some((_, a)), Some((_, b))) => a != b,
            (Some(_), None) => blank(Side::Second),
            (None, Some(_)) => blank(Side::First),
            (None, None) => false,
        };
        let words =
            |named: Option<(RecordKey, u64)>| named.map_or("nobody".to_owned(), |it| it.0.to_string());
        odd.then(|| {
            format!(
                "E18: {} names {}, {} names {}",
                link.first,
                words(a),
                link.second,
                words(b)
            )
        })
    }

    /// E18: Tandem took no reference to a record that is still there, where nobody ever pointed it elsewhere.
    pub fn no_reference_is_taken(&mut self) {
        let mut taken = Vec::new();
        for (key, row) in self.alive() {
            let all = self
                .links
                .iter()
                .filter(|link| &link.first == key || &link.second == key);
            let pointed = all
                .flat_map(|link| [&link.first, &link.second])
                .filter_map(|end| self.rows.get(end))
                .map(|row| row.fate.pointed)
                .max();
            for (property, kind) in references(&key.record_type) {
                let Some(id) = row.fate.taken.get(*property).filter(|_| pointed == Some(1)) else {
                    continue;
                };
                let named = RecordKey::new(&key.record_type.system, *kind, id);
                if self.rows.get(&named).is_some_and(|row| row.alive) {
                    taken.push(format!(
                        "E18: {key} named {named}, which is there; Tandem blanked it, and nobody asked for that"
                    ));
                }
            }
        }
        self.broken.extend(taken);
    }
}
