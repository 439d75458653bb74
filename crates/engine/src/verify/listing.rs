//! Complete listings of both systems: records that should be linked and are not.

use super::Verification;
use crate::{Engine, Error, numbers};
use std::sync::Arc;
use tandem_ledger::LinkRow;
use tandem_merge::dataflow::{Dataflow, End, Flow, Side};
use tandem_merge::record::{Observation, RecordKey};

/// One number per linked record and flow group.
#[derive(Default)]
pub(super) struct Linked(Vec<u64>);

impl Linked {
    pub(super) fn add(&mut self, flows: &Dataflow, links: &[LinkRow]) {
        for link in links {
            if let Some(flow) = flows.flow(&link.flow) {
                self.0.push(number(&flow.group, &link.first));
                self.0.push(number(&flow.group, &link.second));
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.0.sort_unstable();
    }

    fn has(&self, group: &str, record: &RecordKey) -> bool {
        self.0.binary_search(&number(group, record)).is_ok()
    }
}

fn number(group: &str, record: &RecordKey) -> u64 {
    numbers::of([group].into_iter().chain(numbers::parts_of(record)))
}

impl Engine {
    /// Lists both systems and reports records without a link that nothing explains.
    pub(super) async fn look_for_strays(
        &mut self,
        linked: &Linked,
        found: &mut Verification,
    ) -> Result<(), Error> {
        for index in 0..2 {
            for record_type in self.flows.types_of(&self.flows.systems[index]) {
                let system = Arc::clone(&self.systems[index]);
                let mut resume: Option<Vec<u8>> = None;
                loop {
                    let page = system.list(&record_type, resume.as_deref()).await?;
                    for row in &page.observations {
                        self.look_at(row, linked, found)?;
                    }
                    resume = page.resume;
                    if resume.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn look_at(&mut self, row: &Observation, linked: &Linked, found: &mut Verification) -> Result<(), Error> {
        let strays = self.flows.flows_of(&row.key.record_type);
        let strays = strays.filter(|(flow, side)| !is_veiled(&self.flows, flow.end(*side)));
        let strays = strays.filter(|(flow, side)| belongs(flow, *side, row));
        let strays = strays.filter(|(flow, _)| !linked.has(&flow.group, &row.key));
        let strays = strays.map(|(flow, side)| (flow.name.clone(), claims(flow, side, row)));
        let strays: Vec<(String, bool)> = strays.collect();
        if strays.is_empty() || self.store.is_forgotten(&row.key)? {
            return Ok(());
        }
        let known = self.store.cluster(&self.flows, &row.key)?;
        let record = known.as_ref().and_then(|cluster| cluster.records.get(&row.key));
        for (flow, claims) in strays {
            let explained = record.is_some_and(|record| {
                record.held.contains_key(&flow) || record.suppressed.contains(&flow) || !record.alive()
            });
            if explained {
                continue;
            }
            let records = vec![row.key.clone()];
            if claims {
                found.duplicates += 1;
                found.record_differs(&flow, records, "it names a counterpart that it is not linked to");
            } else {
                found.unlinked += 1;
                found.record_differs(&flow, records, "it has no counterpart, and nothing says why");
            }
        }
        Ok(())
    }
}

fn belongs(flow: &Flow, side: Side, row: &Observation) -> bool {
    tandem_merge::matching::belongs(flow, side, &row.values)
}

/// Whether what tells which records belong to a flow is out of sight: nobody can say then whether one is missing.
fn is_veiled(flows: &Dataflow, end: &End) -> bool {
    let filtered = end.filter.iter().flat_map(|filter| filter.properties());
    let mut told = end.only.keys().map(String::as_str).chain(filtered);
    told.any(|property| flows.hides(&end.record_type, property))
}

/// Whether a record carries the identity of a counterpart in the flow.
fn claims(flow: &Flow, side: Side, row: &Observation) -> bool {
    let identity = flow.end(side).identity.as_ref();
    identity.is_some_and(|identity| {
        let value = row.values.get(&identity.property);
        let text = value.and_then(|value| value.as_text());
        text.is_some_and(|text| text.starts_with(&identity.prefix))
    })
}
