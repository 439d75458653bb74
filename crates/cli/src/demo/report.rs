//! What a demo came to: tables for people, one JSON object for programs.

use super::births::Birth;
use super::budget::Budget;
use super::edits::Edit;
use super::ledger::Ledger;
use crate::commands::sync;
use crate::screen::{Cell, CountTable, Table, count_of, table, thousands};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::time::Instant;
use tandem_engine::{Engine, FlowSummary, Summary, Verification};
use tandem_ledger::Status;
use tandem_merge::dataflow::Dataflow;

/// What is gathered while a demo goes on.
pub(crate) struct Report {
    flows: Dataflow,
    first: BTreeMap<String, FlowSummary>,
    budgets: BTreeMap<String, Budget>,
    /// The edits made.
    pub(crate) edits: Vec<Edit>,
    /// The records born in Salesforce.
    pub(crate) births: Vec<Birth>,
    last: BTreeMap<String, FlowSummary>,
    calls: BTreeMap<String, u64>,
    records: u64,
    verify: [u64; 4],
    seconds: f64,
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(flows: &Dataflow) -> Self {
        Self {
            flows: flows.clone(),
            first: BTreeMap::new(),
            budgets: BTreeMap::new(),
            edits: Vec::new(),
            births: Vec::new(),
            last: BTreeMap::new(),
            calls: BTreeMap::new(),
            records: 0,
            verify: [0; 4],
            seconds: 0.0,
        }
    }

    /// Notes the first sync.
    pub(crate) fn first_sync(&mut self, summary: &Summary, ledger: &Ledger) {
        self.first.clone_from(&summary.flows);
        // A call to the ERP is the company's own affair: only those to the second system are counted out to us.
        let [_, system] = &self.flows.systems;
        let of = |counts: &BTreeMap<String, u64>| counts.get(system).copied().unwrap_or_default();
        let budget = Budget::new(
            of(&summary.api_calls),
            ledger.written(system),
            of(&summary.keys_looked_up),
            of(&summary.rows_read),
        );
        self.budgets.insert(system.clone(), budget);
    }

    /// Notes how everything ended.
    pub(crate) fn finish(&mut self, engine: &Engine, status: &Status, verify: &Verification, began: Instant) {
        for (name, flow) in &status.flows {
            let end = FlowSummary {
                linked: flow.linked,
                created_first: flow.created[0],
                created_second: flow.created[1],
                updated: flow.updated,
                conflicts: flow.conflicts,
                questions: flow.questions,
                parked: flow.parked,
                deferred: flow.deferred,
                approvals: flow.approvals,
                failed: 0,
                not_created: flow.not_created,
            };
            self.last.insert(name.clone(), end);
        }
        // A write without an answer is nobody's but the run's: it counts where there is a flow to name.
        if let Some(flow) = self.last.values_mut().next() {
            flow.failed = status.outbox.1;
        }
        self.calls = engine
            .systems()
            .iter()
            .map(|system| (system.system().to_owned(), system.calls()))
            .collect();
        self.records = status.records.values().sum();
        self.verify = [verify.compared, verify.different, verify.totals, verify.unequal];
        self.seconds = sync::seconds(began);
    }

    /// Whether every edit and every new record arrived.
    pub(crate) fn all_arrived(&self) -> bool {
        self.edits.iter().all(|edit| edit.seconds.is_some())
            && self.births.iter().all(|birth| birth.seconds.is_some())
    }

    /// The first sync for people.
    pub(crate) fn first_sync_table(&self) -> CountTable {
        sync::flow_table(&self.flows, &self.first)
    }

    /// The end for people.
    pub(crate) fn flow_table(&self) -> CountTable {
        sync::flow_table(&self.flows, &self.last)
    }

    /// The edits for people.
    pub(crate) fn edit_table(&self) -> Table {
        let mut shown = table(["flow", "edited in", "property", "seconds"]);
        let took = |seconds: Option<f64>| {
            let text = seconds.map_or("never arrived".to_owned(), |seconds| format!("{seconds:.1}"));
            Cell::new(text).right()
        };
        for edit in &self.edits {
            let row = [&edit.flow, &edit.side, &edit.property].map(Cell::new);
            shown.add_row(row.into_iter().chain([took(edit.seconds)]));
        }
        for birth in &self.births {
            let row = [birth.flow.as_str(), "salesforce", "(a new record)"].map(Cell::new);
            shown.add_row(row.into_iter().chain([took(birth.seconds)]));
        }
        shown
    }

    /// The call budgets of the first sync for people.
    pub(crate) fn budget_lines(&self) -> Vec<String> {
        let each = self.budgets.iter().map(|(system, budget)| {
            format!(
                "API calls to {system}: {} (allowed {:.0}: {}, {}, {}, {}){}",
                thousands(budget.calls),
                budget.allowed,
                count_of(budget.creates, "create", "creates"),
                count_of(budget.updates, "update", "updates"),
                count_of(budget.keys_looked_up, "key looked up", "keys looked up"),
                count_of(budget.rows_read, "row read", "rows read"),
                if budget.kept() { "" } else { " - OVER BUDGET" },
            )
        });
        each.collect()
    }

    /// The last line for people.
    pub(crate) fn closing_line(&self) -> String {
        let memory = peak_memory().map_or("unknown".to_owned(), |bytes| {
            format!("{} MiB", thousands(bytes >> 20))
        });
        let calls: Vec<String> = self
            .calls
            .iter()
            .map(|(system, calls)| format!("{} to {system}", thousands(*calls)))
            .collect();
        format!(
            "{} in {:.1} seconds; API calls: {}; peak memory of Tandem itself: {memory}.",
            count_of(self.records, "record", "records"),
            self.seconds,
            calls.join(", "),
        )
    }

    /// Everything for programs.
    pub(crate) fn as_json(&self) -> Json {
        let flows = tandem_api::words::order(&self.flows).into_iter().map(|name| {
            let of = |counts: &BTreeMap<String, FlowSummary>| {
                let flow = counts.get(name).copied().unwrap_or_default();
                sync::counts(&self.flows, flow)
            };
            let mut flow = of(&self.last);
            flow["flow"] = name.into();
            flow["first_sync"] = of(&self.first);
            flow
        });
        let budgets: Map<String, Json> = self
            .budgets
            .iter()
            .map(|(system, budget)| {
                let mut shown = json!(budget);
                shown["kept"] = budget.kept().into();
                (system.clone(), shown)
            })
            .collect();
        json!({
            "flows": flows.collect::<Vec<_>>(),
            "edits": self.edits,
            "births": self.births,
            "api_calls": self.calls,
            "first_sync_calls": budgets,
            "records": self.records,
            "seconds": self.seconds,
            "peak_memory_bytes": peak_memory(),
            "verify": {
                "compared": self.verify[0],
                "different": self.verify[1],
                "totals": self.verify[2],
                "unequal": self.verify[3],
            },
        })
    }
}

/// The most memory this process ever held, in bytes, where the machine tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
