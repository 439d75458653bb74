//! `tandem undo`: takes back one change, one record's, a run's, or those of a time span.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::moment::moment;
use crate::screen::{Screen, count_of, table};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use tandem_api::view::{self, GoesBack, LeftAlone};
use tandem_api::{Command, Done, How, Selection, shorten};
use tandem_ledger::Store;
use tandem_merge::dataflow::Dataflow;

/// Take back one change, a record's, a run's, or those of a time span.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes it says what would go back and what is left alone, and changes nothing. What somebody edited since is
left alone and listed. An undo is a run of its own and can be undone likewise.

Examples:
  tandem undo 4711                                  one change, as `tandem history` numbers it
  tandem undo Contact:alice@example.com             the last change of a record
  tandem undo Contact:alice@example.com --run 12    what run 12 did to it
  tandem undo --run 12 --yes                        all of run 12
  tandem undo --since 2h --flow contact-contact     all changes of a flow in the last two hours")]
pub(crate) struct Undo {
    /// A change's number, or a record: TYPE:ID or TYPE:KEY, with SYSTEM/ before it where both systems have the type
    #[arg(value_name = "CHANGE|RECORD")]
    subject: Option<String>,
    /// All changes of this run, as `tandem history --runs` numbers it
    #[arg(long, value_name = "RUN")]
    run: Option<u64>,
    /// Changes not before: 2026-03-01T12:00:00Z, '2026-03-01 12:00' (UTC), or how long ago: 90m, 2h, 3d
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Changes not after, likewise
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// Only this flow's records
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Delete records that were created, where nobody has edited them since
    #[arg(long)]
    delete_created: bool,
    /// Overwrite what was edited since, too
    #[arg(long)]
    force: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// Show at most this many lines of each list; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl Undo {
    /// Shows what goes back, and takes it back where asked to.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let flows = configuration.dataflow.clone();
        if let Some(flow) = &self.flow {
            loading::known_flow(&flows, flow)?;
        }
        let selection = self.selection(&mut loading::look(common, &configuration)?, &flows)?;
        let mut hand = Hand::of(common, &configuration).await?;
        let how = How {
            overwrite: self.force,
            delete_created: self.delete_created,
            what: self.named(),
        };
        let done = hand.act(Command::Undo {
            selection,
            how,
            carry_out: self.yes,
        });
        let report = match done.await? {
            Done::Undone { report } => report,
            _ => return Err(loading::misunderstood()),
        };
        let undone = view::Undo::of(&report, self.yes, &common.masks(&flows));
        self.show(&undone, screen);
        if !self.yes {
            screen.json(&undone);
            screen.say("Nothing was changed; --yes does it.");
            return Ok(Exit::Done);
        }
        let Some(summary) = hand.finish().await? else {
            screen.json(&undone);
            screen.say("The process that works writes it.");
            return Ok(Exit::Done);
        };
        let mut shown = json!(undone);
        shown["sync"] = super::sync::as_json(&flows, &summary);
        screen.json(&shown);
        for trouble in &summary.troubles {
            screen.complain(&Failure::from(trouble.clone()));
        }
        let written: u64 = summary.written.values().sum();
        screen.say(format!("Taken back: {}.", count_of(written, "write", "writes")));
        Ok(Exit::from(summary.standing()))
    }

    fn selection(&self, store: &mut dyn Store, flows: &Dataflow) -> Result<Selection, Failure> {
        let now = Timestamp::now();
        let read = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        let mut selection = Selection {
            run: self.run,
            since: read(&self.since)?,
            until: read(&self.until)?,
            flow: self.flow.clone(),
            ..Selection::default()
        };
        match &self.subject {
            Some(text) if text.parse::<u64>().is_ok() => selection.line = text.parse().ok(),
            Some(text) => {
                let named = loading::records_named(store, flows, text)?;
                selection.records = loading::with_linked(store, flows, named)?;
            }
            None if self.run.is_none() && self.since.is_none() => {
                return Err(Failure::usage(
                    "nothing says what to take back",
                    "Name a change, a record, --run RUN or --since MOMENT; `tandem history` shows what there is",
                ));
            }
            None => {}
        }
        Ok(selection)
    }

    /// What is taken back, for the history.
    fn named(&self) -> String {
        match (&self.subject, self.run) {
            (Some(text), _) if text.parse::<u64>().is_ok() => format!("change {text}"),
            (_, Some(run)) => format!("run {run}"),
            (Some(_), None) => "a change".to_owned(),
            (None, None) => "a time span".to_owned(),
        }
    }

    fn show(&self, undone: &view::Undo, screen: &Screen) {
        let most = if self.limit == 0 { usize::MAX } else { self.limit };
        if !undone.back.is_empty() {
            let mut shown = table(["record", "goes back", "now", "then"]);
            for back in undone.back.iter().take(most) {
                shown.add_row(row(back));
            }
            screen.result(shown);
        }
        if !undone.left.is_empty() {
            let mut shown = table(["left alone", "why", "what to do"]);
            for left in undone.left.iter().take(most) {
                shown.add_row([about(left), left.why.clone(), left.advice.clone()]);
            }
            screen.result(shown);
        }
        let records: BTreeSet<&str> = undone.back.iter().map(GoesBack::record).collect();
        screen.result(format!(
            "{} to go back on {}; {} left alone.",
            count_of(undone.back.len() as u64, "value", "values"),
            count_of(records.len() as u64, "record", "records"),
            count_of(undone.left.len() as u64, "change is", "changes are"),
        ));
    }
}

fn about(left: &LeftAlone) -> String {
    match &left.property {
        Some(property) => format!("{}.{property}", left.record),
        None => left.record.clone(),
    }
}

fn row(back: &GoesBack) -> [String; 4] {
    let [what, now, then] = match back {
        GoesBack::Value {
            property,
            now,
            then,
            waits,
            ..
        } => {
            let show = |value: &Option<String>| value.as_deref().map_or("blank".to_owned(), shorten);
            let waits = waits.as_ref().map(|why| format!(" (waits: {why})"));
            let then = show(then) + waits.as_deref().unwrap_or_default();
            [property.clone(), show(now), then]
        }
        GoesBack::Delete { .. } => ["its create", "there", "deleted"].map(str::to_owned),
        GoesBack::Recreate { counterpart, .. } => [
            "its counterpart".to_owned(),
            format!("{counterpart} is deleted"),
            "created again".to_owned(),
        ],
    };
    [back.record().to_owned(), what, now, then]
}
