//! A plan as people are shown it: masked for whoever looks, with the names of its records, a page at a time.

use super::{Looker, no_cursor};
use crate::rehearsed::Rehearsed;
use crate::view::{Made, Page, PlanLine, PlanValue, RecordName};
use crate::{Masks, Refused, words};
use std::collections::{BTreeMap, BTreeSet};
use tandem_engine::PlannedWrite;
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// Which lines of a plan are wanted: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct LinesOf {
    /// About this flow.
    pub flow: Option<String>,
    /// What would be done, such as `create`.
    pub action: Option<String>,
}

impl Looker<'_> {
    /// A plan that somebody asked for, with a page of its lines. Names come from the state as it is now; personal values are
    /// masked unless whoever looks may see them.
    ///
    /// # Errors
    /// A flow that is not there, or a cursor that is none; a state that cannot be read.
    pub fn plan(
        &mut self,
        plan: &Rehearsed,
        (by, personal): (&str, bool),
        of: &LinesOf,
        (cursor, limit): (Option<&str>, usize),
    ) -> Result<Made, Refused> {
        // The files may call personal what the configuration in force does not know, and the other way round.
        let masks = match personal {
            true => Masks::none(),
            false => self.masks.and(&Masks::of(&plan.dataflow)),
        };
        let mut looker = Looker {
            store: self.store,
            flows: &plan.dataflow,
            masks: &masks,
        };
        looker.of_plan(plan, by, of, (cursor, limit))
    }

    fn of_plan(
        &mut self,
        plan: &Rehearsed,
        by: &str,
        of: &LinesOf,
        (cursor, limit): (Option<&str>, usize),
    ) -> Result<Made, Refused> {
        let begin: usize = cursor.map_or(Ok(0), |text| text.parse().map_err(|_| no_cursor(text)))?;
        let flow = match &of.flow {
            Some(name) => Some(self.flows.flow(name).ok_or_else(|| {
                Refused::usage(
                    format!("no flow is called `{name}`"),
                    "Name one of those that the plan lists under `flows`",
                )
            })?),
            None => None,
        };
        let wanted = |write: &&PlannedWrite| {
            flow.is_none_or(|flow| write.is_about(flow))
                && of
                    .action
                    .as_deref()
                    .is_none_or(|name| name == write.action.name())
        };
        let report = &plan.report;
        let mut lines = report.writes.iter().filter(wanted).skip(begin);
        let rows: Vec<&PlannedWrite> = lines.by_ref().take(limit).collect();
        let next = lines.next().map(|_| (begin + rows.len()).to_string());
        let rows = self.lines_of_plan(&rows)?;
        let done = &report.summary;
        let moved = |count: u64| words::count_of(count, "value would move", "values would move");
        let changes = report.changes.iter();
        Ok(Made {
            at: plan.at,
            by: by.to_owned(),
            configuration: plan.configuration,
            seconds: plan.seconds,
            calls: plan.calls.clone(),
            since: self.newest_line()?.saturating_sub(plan.line),
            line: words::kinds(&done.done),
            nothing: done.done.is_nothing() && plan.lines == 0,
            waiting: report.waiting,
            changes: changes
                .map(|(change, values)| match values {
                    0 => change.to_string(),
                    values => format!("{change}; {}", moved(*values)),
                })
                .collect(),
            notes: notes(plan),
            troubles: done.troubles.iter().map(ToString::to_string).collect(),
            flows: plan.flows.clone(),
            actions: plan.actions.clone(),
            lines: plan.lines,
            kept: report.writes.len() as u64,
            page: Page { rows, next },
        })
    }

    fn lines_of_plan(&mut self, lines: &[&PlannedWrite]) -> Result<Vec<PlanLine>, Refused> {
        let about = lines
            .iter()
            .flat_map(|line| [Some(&line.record), line.with.as_ref()]);
        let named = lines.iter().flat_map(|line| {
            let values = line.values.iter().chain(&line.before);
            let named = values.filter_map(|(name, value)| self.names_planned(line, name, value));
            named.collect::<Vec<RecordKey>>()
        });
        let keys: BTreeSet<RecordKey> = about.flatten().cloned().chain(named).collect();
        let known = self.known(keys)?;
        let name = |key: &RecordKey| known.of(Some(key)).unwrap_or_else(|| RecordName::of(key));
        let row = |line: &&PlannedWrite| PlanLine {
            flow: line.flow.clone(),
            action: line.action.name().to_owned(),
            system: line.target.system.clone(),
            record_type: line.target.name.clone(),
            record: name(&line.record),
            with: line.with.as_ref().map(name),
            property: line.property.clone(),
            role: line.role.clone(),
            values: self.values_of_line(line, &known),
            why: line.reason.clone(),
            follows: line.follows,
        };
        Ok(lines.iter().map(row).collect())
    }

    fn names_planned(&self, line: &PlannedWrite, property: &str, value: &Value) -> Option<RecordKey> {
        let text = self.masks.text(&line.target, property, value);
        self.referred_by(&line.target, property, text.as_deref())
    }

    /// What would stand there beside what does; what is blank and stays so is left out.
    fn values_of_line(&self, line: &PlannedWrite, known: &super::refers::Named) -> Vec<PlanValue> {
        let blank = Value::Blank;
        let of = &line.target;
        let each = line.values.iter().filter_map(|(property, after)| {
            let before = line.before.get(property).unwrap_or(&blank);
            if before.is_blank() && after.is_blank() {
                return None;
            }
            let names = |value: &Value| known.of(self.names_planned(line, property, value).as_ref());
            Some(PlanValue {
                property: property.clone(),
                before: self.masks.text(of, property, before),
                after: self.masks.text(of, property, after),
                before_names: names(before),
                after_names: names(after),
            })
        });
        each.collect()
    }
}

/// What is to be known beside the lines.
fn notes(plan: &Rehearsed) -> Vec<String> {
    let done = &plan.report.summary;
    let holds = done.holds.iter().map(ToString::to_string);
    let notices = done.notices.iter().map(ToString::to_string);
    let strangers = done.strangers.iter().map(ToString::to_string);
    holds
        .chain(notices)
        .chain(strangers)
        .chain(done.clocks_apart.clone())
        .collect()
}

/// How many there are of each, the most first.
#[must_use]
pub fn most_first(counts: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut all: Vec<(&str, u64)> = counts
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}
