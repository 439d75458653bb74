//! `tandem plan --matches`: which records would be linked, which tie, which stand alone, which are there twice.

use super::Plan;
use super::decisions::Decisions;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Cell, CountTable, Screen, count_of, table, table_of};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use tandem_api::Masks;
use tandem_engine::{Match, MatchCounts, MatchReport, ScoredPair, Shown};
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::similarity::compared;
use tandem_merge::value::Value;

/// Columns of compared properties on a screen: those of the match keys, and where candidates differ.
const COLUMNS: usize = 5;

impl Plan {
    pub(super) async fn show_matches(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(&configuration.dataflow, flow)?;
        }
        let masks = common.masks(&configuration.dataflow);
        let flows = configuration.dataflow.clone();
        let mut sheet = match &self.export {
            Some(file) => Some(Decisions::create(
                file,
                &flows,
                self.flow.as_deref(),
                masks.clone(),
            )?),
            None => None,
        };
        let limit = match self.limit.unwrap_or(if screen.json { 0 } else { 20 }) {
            0 => usize::MAX,
            limit => limit,
        };
        let mut kept = Kept::new(screen, flows.clone(), masks, limit);
        let watcher = crate::progress::rehearsal(screen);
        let (parts, copy) = loading::parts_on_a_copy(common, &configuration, watcher).await?;
        let mut see = |found: &Match| {
            if let Some(sheet) = &mut sheet {
                sheet.add(found);
            }
            kept.see(found);
        };
        let report = tandem_engine::matches(parts, self.flow.as_deref(), &mut see).await?;
        drop(copy);
        if let Some(trouble) = report.troubles.first() {
            return Err(trouble.clone().into());
        }
        if let Some(sheet) = sheet {
            sheet.finish()?;
        }
        kept.show();
        conclude(screen, &flows, &report);
        if let Some(file) = &self.export {
            let name = file.display();
            screen.say(format!(
                "Fill in `decision` in {name}, then: tandem links import {name}"
            ));
        }
        let waits = report.flows.values().any(|counts| counts.ties > 0);
        Ok(if waits { Exit::Waits } else { Exit::Done })
    }
}

/// What is shown: as JSON at once, on a screen at most so many of each kind and flow.
struct Kept<'a> {
    screen: &'a Screen,
    flows: Dataflow,
    masks: Masks,
    limit: usize,
    ties: BTreeMap<String, Vec<Vec<ScoredPair>>>,
    pairs: Vec<ScoredPair>,
    singles: Vec<[Cell; 4]>,
    duplicates: Vec<[Cell; 3]>,
    /// How many are not shown.
    more: u64,
}

impl<'a> Kept<'a> {
    fn new(screen: &'a Screen, flows: Dataflow, masks: Masks, limit: usize) -> Self {
        Self {
            screen,
            flows,
            masks,
            limit,
            ties: BTreeMap::new(),
            pairs: Vec::new(),
            singles: Vec::new(),
            duplicates: Vec::new(),
            more: 0,
        }
    }

    fn see(&mut self, found: &Match) {
        if self.screen.json {
            self.screen.json(&self.as_json(found));
            return;
        }
        let full = |kept: usize| kept >= self.limit;
        match found {
            Match::Pair(pair) if !full(self.pairs.len()) => self.pairs.push(pair.clone()),
            Match::Tie(pairs) if !full(self.ties.values().map(Vec::len).sum()) => {
                let flow = pairs.first().map(|pair| pair.flow.clone()).unwrap_or_default();
                self.ties.entry(flow).or_default().push(pairs.clone());
            }
            Match::Single {
                flow,
                side,
                record,
                why,
            } if !full(self.singles.len()) => {
                let values = self.keys(flow, *side, record);
                let name = record.key.to_string();
                self.singles
                    .push([flow.into(), name.into(), values.into(), why.into()]);
            }
            Match::Duplicates { flow, side, records } if !full(self.duplicates.len()) => {
                let names: Vec<String> = records.iter().map(|record| record.key.to_string()).collect();
                let values = records.first().map(|record| self.keys(flow, *side, record));
                let row = [
                    flow.into(),
                    Cell::stacked(names),
                    values.unwrap_or_default().into(),
                ];
                self.duplicates.push(row);
            }
            _ => self.more += 1,
        }
    }

    /// The values of a record's match keys.
    fn keys(&self, flow: &str, side: Side, record: &Shown) -> String {
        let rules = self
            .flows
            .flow(flow)
            .into_iter()
            .flat_map(|flow| &flow.match_rules);
        let mut shown: Vec<String> = Vec::new();
        for part in rules.flat_map(|rule| &rule.parts) {
            let name = &part.properties[side.index()];
            let value = record.values.get(name).unwrap_or(&Value::Blank);
            let text = format!("{name}={}", self.masks.show(&record.key.record_type, name, value));
            if !value.is_blank() && !shown.contains(&text) {
                shown.push(text);
            }
        }
        shown.join(", ")
    }

    fn show(&self) {
        for (name, ties) in &self.ties {
            if let Some(flow) = self.flows.flow(name) {
                self.show_ties(flow, ties);
            }
        }
        if !self.duplicates.is_empty() {
            let mut shown = table(["there twice in", "records", "key"]);
            self.duplicates.iter().for_each(|row| shown.add_row(row.clone()));
            self.screen.result(shown);
        }
        if !self.singles.is_empty() {
            let mut shown = table(["alone in", "record", "key", "what becomes of it"]);
            self.singles.iter().for_each(|row| shown.add_row(row.clone()));
            self.screen.result(shown);
        }
        if !self.pairs.is_empty() {
            let [first, second] = &self.flows.systems;
            let mut shown = table(["pairs of", first, second, "alike"]);
            for pair in &self.pairs {
                let ids = [&pair.first, &pair.second].map(|record| record.key.id.clone());
                let [one, two] = ids;
                shown.add_row([pair.flow.clone(), one, two, pair.score.to_string()]);
            }
            self.screen.result(shown);
        }
        if self.more > 0 {
            let more = count_of(self.more, "more", "more");
            self.screen.say(format!(
                "... and {more}: --limit 0 shows all, --export writes them."
            ));
        }
    }

    /// The candidates of each tie below each other, the compared properties in columns, both sides in a cell.
    fn show_ties(&self, flow: &Flow, ties: &[Vec<ScoredPair>]) {
        let columns = self.columns(flow, ties);
        let [first, second] = &self.flows.systems;
        let headings = [
            format!("tie in {}", flow.name).into(),
            first.into(),
            second.into(),
            Cell::from("alike"),
        ];
        let names = columns.iter().map(Cell::stacked);
        let mut shown = table_of(headings.into_iter().chain(names));
        for (place, tie) in ties.iter().enumerate() {
            for pair in tie {
                let mut row = vec![
                    (place + 1).to_string().into(),
                    Cell::new(&pair.first.key.id),
                    Cell::new(&pair.second.key.id),
                    pair.score.to_string().into(),
                ];
                row.extend(columns.iter().map(|names| self.side_by_side(pair, names)));
                shown.add_row(row);
            }
        }
        self.screen.result(shown);
    }

    fn columns(&self, flow: &Flow, ties: &[Vec<ScoredPair>]) -> Vec<[String; 2]> {
        let keyed = |pair: &[String; 2]| {
            let mut parts = flow.match_rules.iter().flat_map(|rule| &rule.parts);
            parts.any(|part| &part.properties == pair)
        };
        let differing = |names: &[String; 2]| {
            let all = ties.iter().flatten();
            all.filter(|pair| {
                value(&pair.first, &names[0]).to_string() != value(&pair.second, &names[1]).to_string()
            })
            .count()
        };
        let (mut keys, mut rest): (Vec<_>, Vec<_>) = compared(flow).into_iter().partition(keyed);
        rest.retain(|names| differing(names) > 0);
        rest.sort_by_key(|names| std::cmp::Reverse(differing(names)));
        keys.extend(rest);
        keys.truncate(COLUMNS);
        keys
    }

    fn side_by_side(&self, pair: &ScoredPair, names: &[String; 2]) -> Cell {
        let [one, two] = self.values(pair, names);
        if one == two {
            one.into()
        } else {
            Cell::stacked([one, two])
        }
    }

    fn values(&self, pair: &ScoredPair, names: &[String; 2]) -> [String; 2] {
        let show = |record: &Shown, name: &String| {
            self.masks
                .show(&record.key.record_type, name, value(record, name))
        };
        [show(&pair.first, &names[0]), show(&pair.second, &names[1])]
    }

    fn as_json(&self, found: &Match) -> Json {
        match found {
            Match::Pair(pair) => {
                let mut shown = self.pair_as_json(pair);
                shown["match"] = "pair".into();
                shown
            }
            Match::Tie(pairs) => json!({
                "match": "tie",
                "flow": pairs.first().map(|pair| &pair.flow),
                "candidates": pairs.iter().map(|pair| self.pair_as_json(pair)).collect::<Vec<_>>(),
            }),
            Match::Single {
                flow,
                side,
                record,
                why,
            } => json!({
                "match": "single",
                "flow": flow,
                "system": self.flows.systems[side.index()],
                "record": record.key.to_string(),
                "id": record.key.id,
                "why": why,
            }),
            Match::Duplicates { flow, side, records } => json!({
                "match": "duplicates",
                "flow": flow,
                "system": self.flows.systems[side.index()],
                "ids": records.iter().map(|record| &record.key.id).collect::<Vec<_>>(),
            }),
        }
    }

    fn pair_as_json(&self, pair: &ScoredPair) -> Json {
        let names = self.flows.flow(&pair.flow).map(compared).unwrap_or_default();
        let values = names
            .iter()
            .map(|names| (names[0].clone(), json!(self.values(pair, names))));
        let mut shown = json!({
            "flow": pair.flow,
            "score": pair.score,
            "values": values.collect::<Map<_, _>>(),
        });
        for (system, record) in self.flows.systems.iter().zip([&pair.first, &pair.second]) {
            shown[system] = record.key.id.clone().into();
        }
        shown
    }
}

/// A record's value of a compared property; its own id for `id`.
pub(super) fn value<'a>(record: &'a Shown, name: &str) -> &'a Value {
    record.values.get(name).unwrap_or(&Value::Blank)
}

fn conclude(screen: &Screen, flows: &Dataflow, report: &MatchReport) {
    let [first, second] = &flows.systems;
    let headings = [
        "linked",
        "pairs",
        "ties",
        &format!("alone in {first}"),
        &format!("alone in {second}"),
        &format!("twice in {first}"),
        &format!("twice in {second}"),
    ];
    let mut shown = CountTable::new("flow", headings);
    let mut list: Vec<Json> = Vec::new();
    for (name, counts) in &report.flows {
        let MatchCounts {
            linked,
            pairs,
            ties,
            singles,
            duplicates,
        } = *counts;
        let all = [
            linked,
            pairs,
            ties,
            singles[0],
            singles[1],
            duplicates[0],
            duplicates[1],
        ];
        shown.add_row(name, all);
        let mut object = json!({ "flow": name, "linked": linked, "pairs": pairs, "ties": ties });
        for (at, system) in flows.systems.iter().enumerate() {
            object[format!("alone_in_{system}")] = singles[at].into();
            object[format!("twice_in_{system}")] = duplicates[at].into();
        }
        list.push(object);
    }
    screen.json(&json!({ "matches": list }));
    screen.result(shown);
    screen.say("Nothing was written.");
}
