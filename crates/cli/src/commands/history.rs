//! `tandem history`: what happened, to all records or to one with all that is linked with it.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::moment::moment;
use crate::screen::{Screen, count_of, named, shown_of, table};
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_api::Trace;
use tandem_api::look::Looker;
use tandem_api::view::{Change, Run};
use tandem_ledger::{RunRow, Store};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::plan::Event;
use tandem_merge::record::RecordKey;

/// Lines read at a time.
const PAGE: usize = 1_000;

/// Tell what happened, to all records or to one.
#[derive(Debug, Args)]
#[command(after_help = "\
A record's history is that of all records that are linked with it. Values of properties marked `personal` are
masked unless --show-personal is given.

Examples:
  tandem history
  tandem history Contact:alice@example.com
  tandem history Order:10248 --property description
  tandem history --runs                           syncs, rounds and commands in which something happened
  tandem history --run 12 --json
  tandem history --trace 3f2a90c417d5be01         one change, from the look that showed it to the last answer
  tandem history --since 2h --flow order-order")]
pub(crate) struct History {
    /// A record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    /// List runs instead of lines: what each was, when, and what happened in it
    #[arg(long, conflicts_with_all = ["record", "run", "property", "trace"])]
    runs: bool,
    /// Only this run
    #[arg(long, value_name = "RUN")]
    run: Option<u64>,
    /// Only lines of this change: 16 digits, as `--json`, the console and the log show them
    #[arg(long, value_name = "TRACE")]
    trace: Option<Trace>,
    /// Only lines about this property
    #[arg(long, value_name = "PROPERTY")]
    property: Option<String>,
    /// Only this flow's records
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Not before: 2026-03-01T12:00:00Z, '2026-03-01 12:00' (UTC), or how long ago: 90m, 2h, 3d
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Not after, likewise
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// At most this many lines, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Only what is older than this change, or with --runs than this run: where a list before began
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
}

/// Which lines are told.
struct Filter<'a> {
    flows: &'a Dataflow,
    wants: &'a History,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    records: BTreeSet<RecordKey>,
}

impl History {
    /// Tells the history, newest last; as JSON one object per line.
    pub(crate) fn tell(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = &configuration.dataflow;
        if let Some(flow) = &self.flow {
            loading::known_flow(flows, flow)?;
        }
        let mut store = loading::look(common, &configuration)?;
        let now = Timestamp::now();
        let read = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        let mut filter = Filter {
            flows,
            wants: self,
            since: read(&self.since)?,
            until: read(&self.until)?,
            records: BTreeSet::new(),
        };
        if self.runs {
            return self.tell_runs(&mut store, &filter, screen);
        }
        if let Some(text) = &self.record {
            let named = loading::records_named(&mut store, flows, text)?;
            filter.records = loading::with_linked(&mut store, flows, named)?;
        }
        let masks = common.masks(flows);
        let lines = self.lines(&mut store, &filter)?;
        let mut changes: Vec<Change> = lines
            .iter()
            .map(|(number, event)| Change::of(*number, event, &masks))
            .collect();
        let looker = &mut Looker {
            store: &mut store,
            flows,
            masks: &masks,
        };
        looker.name_changes(&mut changes)?;
        let mut shown = table(["change", "run", "when", "record", "what", "why"]);
        for change in &changes {
            screen.json(change);
            shown.add_row([
                change.number.to_string(),
                change.run.to_string(),
                format!("{:.0}", change.at),
                named(change.key(), change.name.as_ref()),
                change.what.clone(),
                change.why.clone(),
            ]);
        }
        screen.result(shown);
        let all = store.status(flows)?.history.lines;
        let chosen = !filter.records.is_empty() || self.chooses();
        let whole = !chosen && changes.len() as u64 == all;
        let older = lines.first().filter(|_| lines.len() == self.limit && !whole);
        let older = older.map(|(number, _)| format!("--before {number}"));
        screen.say(match chosen {
            // How many others fit would take reading all of them.
            true => going_on(count_of(changes.len() as u64, "line", "lines"), older),
            false => shown_of(
                changes.len(),
                store.status(flows)?.history.lines,
                ["line", "lines"],
                older,
            ),
        });
        Ok(Exit::Done)
    }

    /// Whether not all lines are asked for.
    fn chooses(&self) -> bool {
        let some = [&self.property, &self.flow, &self.since, &self.until];
        self.run.is_some() || some.into_iter().any(Option::is_some)
    }

    /// The newest lines that are wanted, in the order of their numbers.
    fn lines(&self, store: &mut dyn Store, filter: &Filter<'_>) -> Result<Vec<(u64, Event)>, Failure> {
        let of = filter.records.iter().map(Some);
        let of: Vec<Option<&RecordKey>> = if filter.records.is_empty() {
            vec![None]
        } else {
            of.collect()
        };
        let mut lines: Vec<(u64, Event)> = Vec::new();
        for record in of {
            let (mut before, mut found) = (self.before.unwrap_or(u64::MAX), 0);
            while found < self.limit {
                // What is shown is the newest, so what is old is not even read.
                let page = store.latest(record, before, PAGE)?;
                let last = page.len() < PAGE || filter.is_past(&page);
                before = page.last().map_or(0, |(number, _)| *number);
                let wanted = page.into_iter().filter(|(_, event)| filter.takes(event));
                let kept = lines.len();
                lines.extend(wanted.take(self.limit - found));
                found += lines.len() - kept;
                if last {
                    break;
                }
            }
        }
        lines.sort_by_key(|(number, _)| *number);
        lines.drain(..lines.len().saturating_sub(self.limit));
        Ok(lines)
    }

    fn tell_runs(
        &self,
        store: &mut dyn Store,
        filter: &Filter<'_>,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let mut newest: Vec<RunRow> = Vec::new();
        let (mut read, mut all, mut older) = (u64::MAX, 0, None);
        let before = self.before.unwrap_or(u64::MAX);
        loop {
            let page = store.latest_runs(read, PAGE)?;
            let last = page.len() < PAGE || page.iter().all(|run| filter.is_older(run));
            read = page.last().map_or(0, |run| run.number);
            for run in page.into_iter().filter(|run| filter.takes_run(run)) {
                all += 1;
                match run.number < before {
                    true if newest.len() < self.limit => newest.push(run),
                    true => older = newest.last().map(|run| format!("--before {}", run.number)),
                    false => {}
                }
            }
            if last {
                break;
            }
        }
        newest.reverse();
        let mut shown = table(["run", "what", "began", "last line", "happened"]);
        for run in &newest {
            screen.json(&Run::from(run.clone()));
            let counts: Vec<String> = run.counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
            shown.add_row([
                run.number.to_string(),
                run.kind.clone(),
                format!("{:.0}", run.began),
                format!("{:.0}", run.ended),
                counts.join(", "),
            ]);
        }
        screen.result(shown);
        screen.say(shown_of(newest.len(), all, ["run", "runs"], older));
        Ok(Exit::Done)
    }
}

/// What is shown, and how the list goes on.
fn going_on(shown: String, next: Option<String>) -> String {
    match next {
        Some(option) => format!("{shown}; `{option}` goes on"),
        None => shown,
    }
}

impl Filter<'_> {
    fn takes(&self, event: &Event) -> bool {
        let wants = self.wants;
        let of_flow = |name: &String| {
            let mut ends = self
                .flows
                .flow(name)
                .into_iter()
                .flat_map(|flow| flow.ends.iter());
            ends.any(|end| end.record_type == event.record.record_type)
        };
        wants.run.is_none_or(|run| run == event.run)
            && wants.trace.is_none_or(|trace| trace == event.trace)
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
            && wants.flow.as_ref().is_none_or(of_flow)
            && wants
                .property
                .as_ref()
                .is_none_or(|wanted| event.property.as_ref() == Some(wanted))
    }

    /// Whether all of a page is older than what is asked for: time never goes back in a state.
    fn is_past(&self, page: &[(u64, Event)]) -> bool {
        self.since
            .is_some_and(|since| page.iter().all(|(_, event)| event.at < since))
    }

    /// Whether a run is older than what is asked for.
    fn is_older(&self, run: &RunRow) -> bool {
        self.since.is_some_and(|since| run.ended < since)
    }

    fn takes_run(&self, run: &RunRow) -> bool {
        self.since.is_none_or(|since| run.ended >= since) && self.until.is_none_or(|until| run.began <= until)
    }
}
