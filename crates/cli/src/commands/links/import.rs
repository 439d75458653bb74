//! `tandem links import`: decisions of people about links, and the links of another tool.

use super::rows::{Rows, Word};
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Cell, Screen, number, table};
use crate::sheet::Sheet;
use clap::Args;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tandem_api::{Command, Done, door};
use tandem_engine::{Engine, Quiet};
use tandem_merge::config::{Configuration, Problem};
use tandem_merge::decisions::{Decision, Outcome};

/// Carry out decisions about links, or take over another tool's links, from CSV.
#[derive(Debug, Args)]
#[command(after_help = "\
A file with a column `decision` holds decisions, as `tandem plan --matches --export` writes it:
  link        the two records are counterparts
  different   they are not: they are never offered to each other again
  leave       the record is neither linked nor created on the other side
  (empty)     nothing is decided
A file without that column is an id map: every row is a link. Its columns are the systems' names, and `flow` unless
--flow names one. Without --yes it says what would happen and changes nothing.

Examples:
  tandem links import decisions.csv
  tandem links import decisions.csv --yes
  tandem links import ids-of-the-old-tool.csv --flow contact-contact --yes --json")]
pub(super) struct Import {
    /// The CSV file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The flow of rows that name none
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl Import {
    /// Weighs the file against what both systems show now, and carries it out where asked to.
    pub(super) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        if let Some(flow) = &self.flow {
            loading::known_flow(&configuration.dataflow, flow)?;
        }
        let sheet = Sheet::read(&self.file)?;
        let rows = Rows::read(&configuration, &sheet, self.flow.as_deref());
        let working = door::knock(&common.state_folder()).await.filter(|_| self.yes);
        let (mut engine, copy) = self.engine(common, &configuration, working.is_some()).await?;
        let looked = engine.look().await?;
        if let Some(trouble) = looked.troubles.into_iter().next() {
            return Err(trouble.into());
        }
        let decisions: Vec<Decision> = rows.decided.iter().map(|row| row.decision.clone()).collect();
        let outcomes = engine.weigh_links(&decisions)?;
        let mut problems = rows.problems.clone();
        problems.extend(refusals(&sheet, &rows, &outcomes));
        if !problems.is_empty() {
            problems.sort();
            return Err(Failure::Sheet(problems));
        }
        let outcomes = match working {
            Some(client) => match client.ask(Command::DecideLinks { decisions }).await? {
                Done::Decided { outcomes } => outcomes,
                _ => return Err(loading::misunderstood()),
            },
            None if self.yes => engine.decide_links(&decisions)?,
            None => outcomes,
        };
        drop(copy);
        let refused = refusals(&sheet, &rows, &outcomes);
        tell(&rows, &outcomes, self.yes, screen);
        match refused.is_empty() {
            true => Ok(Exit::Done),
            false => Err(Failure::Sheet(refused)),
        }
    }

    /// Over the state itself, or over a copy of it where nothing may change or another process works with it.
    async fn engine(
        &self,
        common: &Common,
        configuration: &Configuration,
        held: bool,
    ) -> Result<(Engine, Option<tempfile::TempDir>), Failure> {
        if self.yes && !held {
            return Ok((
                loading::engine(common, configuration, Arc::new(Quiet)).await?,
                None,
            ));
        }
        let (parts, copy) = loading::parts_on_a_copy(common, configuration, Arc::new(Quiet)).await?;
        Ok((Engine::open(parts).await?, Some(copy)))
    }
}

/// What is refused, at its line.
fn refusals(sheet: &Sheet, rows: &Rows, outcomes: &[Outcome]) -> Vec<Problem> {
    let all = rows.decided.iter().zip(outcomes);
    let refused = all.filter_map(|(row, outcome)| match outcome {
        Outcome::Refused(why) => Some(sheet.problem(
            row.line,
            rows.decision_column,
            why.as_str(),
            "Correct the ids, or leave the decision empty.",
        )),
        Outcome::Done | Outcome::Already => None,
    });
    refused.collect()
}

/// Counts per flow: what is decided, and what was so before.
fn tell(rows: &Rows, outcomes: &[Outcome], done: bool, screen: &Screen) {
    let mut flows: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for (row, outcome) in rows.decided.iter().zip(outcomes) {
        let counts = flows.entry(row.decision.flow()).or_default();
        let place = match (outcome, Word::of(&row.decision)) {
            (Outcome::Already | Outcome::Refused(_), _) => 3,
            (Outcome::Done, Word::Link) => 0,
            (Outcome::Done, Word::Different) => 1,
            (Outcome::Done, Word::Leave) => 2,
        };
        counts[place] += 1;
    }
    let mut shown = table(["flow", "linked", "different", "left alone", "so already"]);
    let mut list: Vec<Json> = Vec::new();
    for (flow, counts) in &flows {
        let mut row = vec![Cell::new(flow)];
        row.extend(counts.map(number));
        shown.add_row(row);
        let names = ["linked", "different", "left_alone", "already"];
        let counts = names.into_iter().zip(*counts);
        let mut object: Map<String, Json> = counts.map(|(name, n)| (name.to_owned(), n.into())).collect();
        object.insert("flow".to_owned(), (*flow).into());
        list.push(object.into());
    }
    screen.json(&json!({ "done": done, "flows": list, "undecided": rows.undecided }));
    screen.result(shown);
    screen.say(match done {
        true => "Done. The next `tandem sync` brings the linked records into step.".to_owned(),
        false => "Nothing was changed: `--yes` does it.".to_owned(),
    });
}
