//! Matches as CSV for people to decide on: one row for each pair, each candidate of a tie, and each single.

use super::matches::value;
use crate::failure::Failure;
use crate::sheet::Writer;
use std::path::Path;
use tandem_api::Masks;
use tandem_engine::{Match, ScoredPair, Shown};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::similarity::compared;

/// The file on its way.
pub(super) struct Decisions {
    sheet: Writer,
    masks: Masks,
    /// The compared properties with their flow, in the order of their columns.
    columns: Vec<(String, [String; 2])>,
    ties: u64,
}

impl Decisions {
    /// Begins a new file with its headings.
    pub(super) fn create(
        file: &Path,
        flows: &Dataflow,
        only: Option<&str>,
        masks: Masks,
    ) -> Result<Self, Failure> {
        let mut sheet = Writer::create(file)?;
        let wanted = flows
            .flows
            .iter()
            .filter(|flow| only.is_none_or(|only| only == flow.name));
        let columns =
            wanted.flat_map(|flow| compared(flow).into_iter().map(|names| (flow.name.clone(), names)));
        let columns: Vec<(String, [String; 2])> = columns.collect();
        let [first, second] = &flows.systems;
        let fixed = [
            "decision", "match", "flow", "group", first, second, "alike", "why",
        ];
        let mut headings: Vec<String> = fixed.map(str::to_owned).into();
        for (flow, [one, two]) in &columns {
            headings.push(format!("{flow}: {first} {one}"));
            headings.push(format!("{flow}: {second} {two}"));
        }
        sheet.row(&headings);
        Ok(Self {
            sheet,
            masks,
            columns,
            ties: 0,
        })
    }

    /// Adds the rows of a match.
    pub(super) fn add(&mut self, found: &Match) {
        match found {
            Match::Pair(pair) => self.pair("pair", "", pair),
            Match::Tie(pairs) => {
                self.ties += 1;
                let group = format!("tie {}", self.ties);
                pairs.iter().for_each(|pair| self.pair("tie", &group, pair));
            }
            Match::Single {
                flow,
                side,
                record,
                why,
            } => {
                let (first, second) = match side {
                    Side::First => (Some(record), None),
                    Side::Second => (None, Some(record)),
                };
                self.write(["single", flow, "", "", why], first, second);
            }
            // Its records stand in rows of their own.
            Match::Duplicates { .. } => {}
        }
    }

    /// Everything is written, or not.
    pub(super) fn finish(self) -> Result<(), Failure> {
        self.sheet.finish()
    }

    fn pair(&mut self, kind: &str, group: &str, pair: &ScoredPair) {
        let score = pair.score.to_string();
        self.write(
            [kind, &pair.flow, group, &score, ""],
            Some(&pair.first),
            Some(&pair.second),
        );
    }

    fn write(
        &mut self,
        [kind, flow, group, score, why]: [&str; 5],
        first: Option<&Shown>,
        second: Option<&Shown>,
    ) {
        let id = |record: Option<&Shown>| record.map(|record| record.key.id.clone()).unwrap_or_default();
        let mut cells = vec![String::new(), kind.to_owned(), flow.to_owned(), group.to_owned()];
        cells.extend([id(first), id(second), score.to_owned(), why.to_owned()]);
        let show = |record: Option<&Shown>, name: &str| {
            let shown = record.map(|record| {
                self.masks
                    .whole(&record.key.record_type, name, value(record, name))
            });
            shown.unwrap_or_default()
        };
        for (of, [one, two]) in &self.columns {
            let mine = of == flow;
            let values = [
                show(first.filter(|_| mine), one),
                show(second.filter(|_| mine), two),
            ];
            cells.extend(values);
        }
        self.sheet.row(&cells);
    }
}
