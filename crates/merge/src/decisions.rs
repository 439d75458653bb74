//! What people decide about links: which records are counterparts, which are not, which are left alone.

use crate::cluster::{Action, Record};
use crate::dataflow::{Flow, Side};
use crate::matching;
use crate::record::RecordKey;
use crate::work::Work;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The two are counterparts.
    Link {
        /// The flow.
        flow: String,
        /// The first-side record.
        first: RecordKey,
        /// The second-side record.
        second: RecordKey,
    },
    /// The two are not counterparts, whatever their keys: never offered again.
    Different {
        /// The flow.
        flow: String,
        /// The first-side record.
        first: RecordKey,
        /// The second-side record.
        second: RecordKey,
    },
    /// The record is neither linked nor gets a counterpart created.
    Leave {
        /// The flow.
        flow: String,
        /// The record.
        record: RecordKey,
    },
}

impl Decision {
    /// The flow that it is about.
    #[must_use]
    pub fn flow(&self) -> &str {
        match self {
            Self::Link { flow, .. } | Self::Different { flow, .. } | Self::Leave { flow, .. } => flow,
        }
    }

    /// The records that it is about.
    #[must_use]
    pub fn records(&self) -> Vec<&RecordKey> {
        match self {
            Self::Link { first, second, .. } | Self::Different { first, second, .. } => vec![first, second],
            Self::Leave { record, .. } => vec![record],
        }
    }

    /// The side that each of the records must be of, in their order.
    fn sides(&self, flow: &Flow) -> Vec<Side> {
        match self {
            Self::Link { .. } | Self::Different { .. } => Side::BOTH.to_vec(),
            Self::Leave { record, .. } => vec![flow.side_of(&record.record_type).unwrap_or(Side::First)],
        }
    }
}

/// What came of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was so before.
    Already,
    /// It cannot be done; why.
    Refused(String),
}

impl Work<'_> {
    pub(crate) fn carry_out(&mut self, decision: &Decision) -> Outcome {
        let flows = self.flows;
        let Some(flow) = flows.flow(decision.flow()) else {
            return Outcome::Refused(format!("there is no flow {}", decision.flow()));
        };
        for (key, side) in decision.records().into_iter().zip(decision.sides(flow)) {
            if let Err(why) = self.takes_part_in(flow, key, side) {
                return Outcome::Refused(why);
            }
        }
        match decision {
            Decision::Link { first, second, .. } => self.link_decided(flow, first, second),
            Decision::Different { first, second, .. } => self.keep_apart(flow, first, second),
            Decision::Leave { record, .. } => self.leave_alone(flow, record),
        }
    }

    fn takes_part_in(&self, flow: &Flow, key: &RecordKey, side: Side) -> Result<(), String> {
        let Some(own) = flow.side_of(&key.record_type) else {
            return Err(format!("{} is no record type of {}", key.record_type, flow.name));
        };
        if own != side {
            let wanted = &flow.end(side).record_type;
            let (name, system) = (&wanted.name, &wanted.system);
            return Err(format!(
                "{key} is no {name} of {system}, as {} wants it",
                flow.name
            ));
        }
        let Some(record) = self.record(key) else {
            return Err(format!("{key} is not known"));
        };
        if !record.alive() {
            return Err(format!("{key} is deleted or out of sight"));
        }
        if !matching::belongs(flow, side, &record.shadow.values) {
            return Err(format!("{key} does not belong to {}: see its `only`", flow.name));
        }
        Ok(())
    }

    /// Whether the two are linked in the flow.
    fn are_linked(&self, flow: &Flow, first: &RecordKey, second: &RecordKey) -> bool {
        let mut links = self.cluster.links.iter();
        links.any(|link| link.flow == flow.name && &link.first == first && &link.second == second)
    }

    fn link_decided(&mut self, flow: &Flow, first: &RecordKey, second: &RecordKey) -> Outcome {
        if self.are_linked(flow, first, second) {
            return Outcome::Already;
        }
        for key in [first, second] {
            if let Some(other) = self.counterpart_in_group(key, &flow.group) {
                return Outcome::Refused(format!("{key} is linked with {other} already"));
            }
            if self.is_being_created(key, flow) {
                return Outcome::Refused(format!("a counterpart of {key} is being created"));
            }
        }
        for (key, other) in [(first, second), (second, first)] {
            self.forget_partings(flow, key, other);
        }
        self.link(flow, first, second);
        Outcome::Done
    }

    /// A link decided by a person ends what kept the record from being linked in the flow.
    fn forget_partings(&mut self, flow: &Flow, key: &RecordKey, other: &RecordKey) {
        if let Some(former) = self
            .record(key)
            .and_then(|record| record.left.get(&flow.name))
            .cloned()
        {
            self.forget_left(&former, &flow.name);
        }
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        record.left.remove(&flow.name);
        record.suppressed.remove(&flow.name);
        record.held.remove(&flow.name);
        record.former.remove(&flow.name);
        if let Some(apart) = record.apart.get_mut(&flow.name) {
            apart.remove(other);
        }
        record.apart.retain(|_, records| !records.is_empty());
    }

    fn keep_apart(&mut self, flow: &Flow, first: &RecordKey, second: &RecordKey) -> Outcome {
        if self.are_linked(flow, first, second) {
            return Outcome::Refused(format!("{first} and {second} are linked; end the link first"));
        }
        if self.are_apart(&flow.name, first, second) {
            return Outcome::Already;
        }
        for (key, other) in [(first, second), (second, first)] {
            if let Some(record) = self.cluster.records.get_mut(key) {
                let apart = record.apart.entry(flow.name.clone()).or_default();
                apart.insert(other.clone());
            }
        }
        Outcome::Done
    }

    fn leave_alone(&mut self, flow: &Flow, key: &RecordKey) -> Outcome {
        if let Some(other) = self.counterpart_in_group(key, &flow.group) {
            return Outcome::Refused(format!("{key} is linked with {other}; end the link first"));
        }
        if self.is_being_created(key, flow) {
            return Outcome::Refused(format!("a counterpart of {key} is being created"));
        }
        let record = self.cluster.records.get_mut(key);
        let news = record.is_some_and(|record| record.suppressed.insert(flow.name.clone()));
        self.withdraw_creates_of(key, &flow.name);
        if news { Outcome::Done } else { Outcome::Already }
    }

    pub(crate) fn counterpart_in_group(&self, key: &RecordKey, group: &str) -> Option<RecordKey> {
        let grouped = |flow: &str| self.flows.flow(flow).is_some_and(|flow| flow.group == group);
        let mut links = self.cluster.links.iter().filter(|link| grouped(&link.flow));
        links.find_map(|link| match key {
            key if key == &link.first => Some(link.second.clone()),
            key if key == &link.second => Some(link.first.clone()),
            _ => None,
        })
    }

    /// A create that was sent cannot be taken back: its outcome is settled first.
    fn is_being_created(&self, key: &RecordKey, flow: &Flow) -> bool {
        self.cluster.creates.iter().any(|intent| {
            intent.sent.is_some()
                && matches!(&intent.action, Action::Create { flow: of, source, .. } if *of == flow.name && source == key)
        })
    }

    /// Whether a person said that the two are not counterparts.
    pub(crate) fn are_apart(&self, flow: &str, a: &RecordKey, b: &RecordKey) -> bool {
        let says = |key: &RecordKey, other: &RecordKey| {
            let apart = self.record(key).and_then(|record| record.apart.get(flow));
            apart.is_some_and(|apart| apart.contains(other))
        };
        says(a, b) || says(b, a)
    }

    /// The ids of the records that a person said are not a record's counterpart.
    pub(crate) fn told_apart(&self, key: &RecordKey, flow: &Flow) -> BTreeSet<String> {
        let apart = self
            .record(key)
            .and_then(|record: &Record| record.apart.get(&flow.name));
        apart
            .into_iter()
            .flatten()
            .map(|other| other.id.clone())
            .collect()
    }
}
