//! Claims: a record that carries the identity of one that was deleted was made for that one, by a create of ours that arrived
//! once more, or copied from what was. A counterpart of its own would bring back what a person deleted (E16): it gets none
//! before a person says so.

use crate::cluster::{Parked, ParkedKind, Record};
use crate::dataflow::{CreatePolicy, Flow, Reference, Side};
use crate::facts::Referral;
use crate::fates::Became;
use crate::record::{RecordKey, Values};
use crate::work::Work;

/// What must be known of the record whose identity an unlinked one carries, where a flow would create it a counterpart.
pub(crate) fn referral(flow: &Flow, side: Side, values: &Values) -> Option<Referral> {
    let (end, target) = (flow.end(side), flow.end(side.other()));
    let identity = end.identity.as_ref()?;
    let creates = target.write && target.create != CreatePolicy::Off;
    let shown = values.get(&identity.property).filter(|_| creates)?.as_text()?;
    Some(Referral {
        through: Reference::Flow(flow.name.clone()),
        side: side.other(),
        id: shown.strip_prefix(identity.prefix.as_str())?.to_owned(),
    })
}

impl Work<'_> {
    /// Why a record gets no counterpart in a flow although it has none: it carries the identity of one that was deleted,
    /// whose counterpart it was not.
    pub(crate) fn claim(&mut self, key: &RecordKey, flow: &Flow, side: Side) -> Option<Parked> {
        let record = self.record(key)?;
        let referral = referral(flow, side, &record.shadow.values)?;
        let of = crate::fates::named(self.flows, &referral)?;
        let written = record.wrote_at.is_some();
        let became = self.facts.fates.get(&referral).map(|fate| &fate.became);
        let undecided = became == Some(&Became::Undecided) && self.record(&of).is_none();
        if !undecided && !self.was_deleted(&of, &referral) {
            return None;
        }
        let counterpart = self.counterpart_of_deleted(&of, flow, side.other(), &referral);
        let own = counterpart.as_ref() == Some(key) || (counterpart.is_none() && written);
        if own || self.are_apart(&flow.name, key, &of) {
            return None;
        }
        self.waits.on.insert(of.clone());
        if undecided {
            let reason = format!("carries the identity of {of}, which is decided first");
            let advice = "nothing to do: it follows by itself".to_owned();
            return Some(self.parked(ParkedKind::Deferred, 0, reason, advice));
        }
        let property = flow
            .end(side)
            .identity
            .as_ref()
            .map(|identity| &identity.property);
        let reason = format!("carries the identity of {of}, which was deleted");
        let advice = format!(
            "delete it too, or clear its {}, and it gets a counterpart of its own",
            property.map_or("identity", String::as_str)
        );
        Some(self.parked(ParkedKind::DuplicateKey, 0, reason, advice))
    }

    fn was_deleted(&self, of: &RecordKey, referral: &Referral) -> bool {
        let fate = self.facts.fates.get(referral);
        let told = || fate.is_some_and(|fate| fate.became.is_deleted());
        self.record(of).map_or_else(told, Record::is_deleted)
    }

    /// The counterpart that a deleted record has still, or had when it was deleted.
    fn counterpart_of_deleted(
        &self,
        of: &RecordKey,
        flow: &Flow,
        side: Side,
        referral: &Referral,
    ) -> Option<RecordKey> {
        let Some(record) = self.record(of) else {
            return self.facts.fates.get(referral)?.counterpart.clone();
        };
        let mut links = self.cluster.links.iter();
        let link = links.find(|link| link.flow == flow.name && link.end(side) == of);
        let linked = link.map(|link| link.end(side.other()));
        let former = || {
            record
                .former
                .get(&flow.name)
                .or_else(|| record.left.get(&flow.name))
        };
        linked.or_else(former).cloned()
    }
}
