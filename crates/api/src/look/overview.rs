//! How everything stands.

use super::Looker;
use crate::view::{
    Budget, Flow, FlowPage, FlowState, HistorySize, Hold, Overview, PropertyRow, Share, System,
};
use crate::{Refused, words};
use jiff::Timestamp;
use tandem_connector::Allowance;
use tandem_engine::Held;
use tandem_ledger::{FlowStatus, Status};
use tandem_merge::dataflow::{self, Mapping, Side};

impl Looker<'_> {
    /// How everything stands at a moment.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn overview(&mut self, now: Timestamp) -> Result<Overview, Refused> {
        let status = self.store.status(self.flows)?;
        let names = &self.flows.systems;
        let holds = tandem_engine::holds(self.store)?;
        let budgets = tandem_engine::budgets(self.store, names)?;
        let clocks = tandem_engine::clocks(self.store, names)?;
        let apart = tandem_engine::apart(names, clocks, self.flows.clock_error_seconds);
        let notices = tandem_engine::notices(self.store, names)?;
        let strangers = tandem_engine::strangers(self.store, names)?;
        let notices = notices.iter().map(ToString::to_string);
        let notices = notices
            .chain(strangers.iter().map(ToString::to_string))
            .chain(apart);
        let system = |side: Side| {
            let name = &names[side.index()];
            let clock = clocks[side.index()].as_ref();
            let mut budgets = budgets.iter();
            let budget = budgets.find(|(system, _)| system == name);
            System {
                system: name.clone(),
                listed: status.listed.get(name).copied(),
                clock_ahead: clock.map(|clock| clock.ahead().as_secs_f64()),
                budget: budget.map(|(_, budget)| self::budget(budget)),
            }
        };
        let flows = words::order(self.flows);
        let flows = flows.iter().filter_map(|name| self.flows.flow(name));
        Ok(Overview {
            at: now,
            systems: Side::BOTH.map(system),
            flows: flows.map(|it| flow(it, &status, &holds)).collect(),
            holds: holds.iter().map(hold).collect(),
            notices: notices.collect(),
            records: status.records.clone(),
            to_decide: status.inbox,
            to_send: status.outbox.0,
            unanswered: status.outbox.1,
            bytes: status.bytes,
            history: HistorySize {
                lines: status.history.lines,
                bytes: status.history.bytes,
                oldest: status.history.oldest,
            },
        })
    }

    /// A flow with what it does; none where there is no such flow.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn flow(&mut self, name: &str) -> Result<Option<FlowPage>, Refused> {
        let Some(of) = self.flows.flow(name) else {
            return Ok(None);
        };
        let status = self.store.status(self.flows)?;
        let holds = tandem_engine::holds(self.store)?;
        let rows = of.mappings.iter().map(|mapping| self.row(mapping));
        let unserved = of.unserved.iter().map(|row| row.first.clone());
        Ok(Some(FlowPage {
            flow: flow(of, &status, &holds),
            objects: of.ends.each_ref().map(|end| end.object.clone()),
            conflict: words::policy(self.flows, of.conflict),
            on_delete: of
                .ends
                .each_ref()
                .map(|end| words::deleted(end.on_delete).to_owned()),
            create: of
                .ends
                .each_ref()
                .map(|end| words::created(end.create).to_owned()),
            properties: rows.collect(),
            unserved: unserved.collect(),
        }))
    }

    fn row(&self, mapping: &Mapping) -> PropertyRow {
        PropertyRow {
            properties: mapping.properties.clone(),
            types: mapping.data_types.clone(),
            direction: words::direction(mapping).to_owned(),
            conflict: mapping.conflict.map(|policy| words::policy(self.flows, policy)),
            personal: mapping.personal,
            note: mapping.note.clone(),
        }
    }
}

fn flow(flow: &dataflow::Flow, status: &Status, holds: &[tandem_engine::Hold]) -> Flow {
    let counts = status.flows.get(&flow.name).cloned().unwrap_or_default();
    let hold = holds.iter().find(|hold| hold.of == Held::Flow(flow.name.clone()));
    let state = match hold {
        Some(hold) if !hold.needs_approval() => FlowState::Paused,
        Some(_) => FlowState::Held,
        None if waits(&counts) => FlowState::Waits,
        None => FlowState::Fine,
    };
    Flow {
        flow: flow.name.clone(),
        types: flow.ends.each_ref().map(|end| end.record_type.name.clone()),
        state,
        why: hold.map(|hold| hold.words.clone()),
        since: hold.map(|hold| hold.since),
        linked: counts.linked,
        created: counts.created,
        updated: counts.updated,
        conflicts: counts.conflicts,
        questions: counts.questions,
        parked: counts.parked,
        deferred: counts.deferred,
        approvals: counts.approvals,
        not_created: counts.not_created,
        ignored: counts.ignored,
    }
}

fn waits(counts: &FlowStatus) -> bool {
    counts.parked + counts.questions + counts.approvals > 0
}

fn hold(hold: &tandem_engine::Hold) -> Hold {
    let (flow, system) = match &hold.of {
        Held::Flow(name) => (Some(name.clone()), None),
        Held::System(name) => (None, Some(name.clone())),
    };
    Hold {
        flow,
        system,
        stands: words::hold(hold).to_owned(),
        words: hold.words.clone(),
        advice: hold.advice(),
        needs_approval: hold.needs_approval(),
        since: hold.since,
    }
}

fn budget(budget: &tandem_connector::Budget) -> Budget {
    let share = |it: Allowance| Share {
        used: it.used,
        allowed: it.allowed,
    };
    Budget {
        spent: budget.spent,
        share: budget.share,
        long_work: budget.backfill,
        calls: budget.calls.map(share),
        bulk: budget.bulk.map(share),
        events: budget.events.map(share),
        long_work_waits: budget.backfill_waits,
        live_waits: budget.live_waits,
    }
}
