//! Undo: what people take back of the history, cluster by cluster, each as one unit of work. The plan is made by
//! the core on the records as they are right now; without a word to do so nothing of it is stored.

use crate::{Engine, Error, Round};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{Decided, Dirty, RunRow};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{Presence, RecordKey};
use tandem_merge::undo::{Back, How, Left, Line, Undoing, Wanted, undo};

/// Lines read at a time.
const PAGE: usize = 1_000;
/// Clusters taken back in one transaction.
const BATCH: usize = 200;
/// How often a batch that the store put back is decided again.
const ATTEMPTS: u32 = 5;

/// Which lines of the history are meant. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The line of this number.
    pub line: Option<u64>,
    /// The lines of this run.
    pub run: Option<u64>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Not after this moment.
    pub until: Option<Timestamp>,
    /// Lines of this flow's record types.
    pub flow: Option<String>,
    /// Lines of these records and of all that are linked with them.
    pub records: BTreeSet<RecordKey>,
}

/// What an undo comes to, or came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoReport {
    /// What goes back.
    pub back: Vec<Back>,
    /// What is left alone.
    pub left: Vec<Left>,
    /// Lines of the history that were meant.
    pub lines: u64,
    /// The first and the last of the runs that they belong to.
    pub runs: Option<(u64, u64)>,
}

impl Selection {
    fn takes(&self, engine: &Engine, number: u64, event: &Event) -> bool {
        let of_flow = |name: &String| {
            let mut ends = engine
                .flows
                .flow(name)
                .into_iter()
                .flat_map(|flow| flow.ends.iter());
            ends.any(|end| end.record_type == event.record.record_type)
        };
        self.line.is_none_or(|line| line == number)
            && self.run.is_none_or(|run| run == event.run)
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
            && self.flow.as_ref().is_none_or(of_flow)
            && (self.records.is_empty() || self.records.contains(&event.record))
    }
}

impl Engine {
    /// Takes back what a selection of the history tells: says what would go back and what is left alone, and
    /// does it where `carry_out`. Records are read by their ids first, so that edits nobody has seen yet count.
    /// What goes back is written by the rounds that follow.
    ///
    /// # Errors
    /// [`Error::System`] when a record cannot be read, [`Error::Command`] when nothing is selected.
    pub async fn undo(
        &mut self,
        selection: &Selection,
        how: &How,
        carry_out: bool,
    ) -> Result<UndoReport, Error> {
        let lines = self.selected(selection)?;
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return Err(Error::command(
                "the history has no such change",
                "Look with `tandem history`, or at the runs with `tandem history --runs`",
            ));
        };
        let mut report = UndoReport {
            lines: lines.len() as u64,
            runs: Some((first.1.run, last.1.run)),
            ..UndoReport::default()
        };
        let mut of: BTreeMap<RecordKey, Vec<Line>> = BTreeMap::new();
        for line in lines {
            of.entry(line.1.record.clone()).or_default().push(line);
        }
        if carry_out {
            self.store.begin_run("undo", self.clock.now())?;
        }
        let mut round = Round::default();
        while !of.is_empty() {
            let records: Vec<RecordKey> = of.keys().take(BATCH).cloned().collect();
            self.read_clusters(&records, &mut round).await?;
            self.undo_batch(&records, &mut of, how, carry_out, &mut report)?;
        }
        report.tidy();
        Ok(report)
    }

    /// The selected lines, in the order of their numbers.
    fn selected(&mut self, selection: &Selection) -> Result<Vec<Line>, Error> {
        if !selection.records.is_empty() {
            return self.selected_of_records(selection);
        }
        let (mut after, to) = self.range(selection)?;
        let mut found = Vec::new();
        loop {
            let page = self.store.history(None, after, PAGE)?;
            let Some((last, _)) = page.last() else {
                return Ok(found);
            };
            after = *last;
            let wanted = page
                .into_iter()
                .filter(|(number, event)| selection.takes(self, *number, event));
            found.extend(wanted);
            if after >= to {
                return Ok(found);
            }
        }
    }

    /// Numbers between which all selected lines are: behind the first, up to the second.
    fn range(&mut self, selection: &Selection) -> Result<(u64, u64), Error> {
        if let Some(line) = selection.line {
            return Ok((line.saturating_sub(1), line));
        }
        if let Some(run) = selection.run {
            let found = self.store.runs(run.saturating_sub(1), 1)?;
            let found = found.into_iter().find(|row| row.number == run);
            let (first, last) = found.map(|row| row.lines).ok_or_else(|| {
                Error::command(
                    format!("there is no run {run}"),
                    "`tandem history --runs` lists them",
                )
            })?;
            return Ok((first.saturating_sub(1), last));
        }
        let overlaps = |row: &RunRow| {
            selection.since.is_none_or(|since| row.ended >= since)
                && selection.until.is_none_or(|until| row.began <= until)
        };
        let (mut after, mut from, mut to) = (0, u64::MAX, 0);
        loop {
            let page = self.store.runs(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            for row in page.iter().filter(|row| overlaps(row)) {
                from = from.min(row.lines.0.saturating_sub(1));
                to = to.max(row.lines.1);
            }
        }
        Ok((from, to))
    }

    /// Of records: all that was selected of them; with nothing but their names, their last change.
    fn selected_of_records(&mut self, selection: &Selection) -> Result<Vec<Line>, Error> {
        let mut all = Vec::new();
        for record in &selection.records {
            let mut after = 0;
            loop {
                let page = self.store.history(Some(record), after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = *last;
                all.extend(
                    page.into_iter()
                        .filter(|(number, event)| selection.takes(self, *number, event)),
                );
            }
        }
        all.sort_by_key(|(number, _)| *number);
        let narrowed = selection.run.is_some() || selection.since.is_some() || selection.until.is_some();
        if !narrowed && selection.line.is_none() {
            let changes = all.iter().rev().find(|(_, event)| {
                event.epoch > 0 || matches!(event.what, EventKind::Created | EventKind::Deleted)
            });
            let run = changes.map(|(_, event)| event.run);
            all.retain(|(_, event)| Some(event.run) == run);
        }
        Ok(all)
    }

    /// Reads all records of the clusters of these again, into the inbox.
    async fn read_clusters(&mut self, records: &[RecordKey], round: &mut Round) -> Result<(), Error> {
        let mut keys = BTreeSet::new();
        for record in records {
            if let Some(cluster) = self.store.cluster(&self.flows, record)? {
                let alive = cluster.records.into_iter().filter(|(_, record)| record.alive());
                keys.extend(alive.map(|(key, _)| key));
            }
        }
        self.read_all_of(&keys, round).await?;
        match round.troubles.first() {
            Some(trouble) => Err(Error::System(trouble.clone())),
            None => Ok(()),
        }
    }

    /// Takes back what is selected in the clusters of these records; they are done then.
    fn undo_batch(
        &mut self,
        records: &[RecordKey],
        of: &mut BTreeMap<RecordKey, Vec<Line>>,
        how: &How,
        carry_out: bool,
        report: &mut UndoReport,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let taken = self.store.take_records(&self.flows, records, self.clock.now())?;
            let (mut decided, mut told) = (Vec::new(), UndoReport::default());
            let mut done: BTreeSet<RecordKey> = records.iter().cloned().collect();
            for dirty in taken {
                done.extend(dirty.cluster.records.keys().cloned());
                let (undoing, token) = self.undo_cluster(dirty, of, how)?;
                if !undoing.back.is_empty() {
                    let plan = undoing.plan;
                    decided.push(Decided { plan, token });
                }
                told.back.extend(undoing.back);
                told.left.extend(undoing.left);
            }
            let stored = !carry_out || self.commit(decided, &mut Round::default())?.put_back.is_empty();
            if stored {
                report.back.extend(told.back);
                report.left.extend(told.left);
                of.retain(|record, _| !done.contains(record));
                return Ok(());
            }
        }
        Err(Error::command(
            "some of it could not be stored, other records stand in its way",
            "What was taken back before stays so. Run `tandem sync`, then undo again",
        ))
    }

    fn undo_cluster(
        &mut self,
        dirty: Dirty,
        of: &BTreeMap<RecordKey, Vec<Line>>,
        how: &How,
    ) -> Result<(Undoing, tandem_ledger::Taken), Error> {
        let mut wanted = Wanted::default();
        let keys: Vec<RecordKey> = dirty.cluster.records.keys().cloned().collect();
        for key in &keys {
            wanted.lines.extend(of.get(key).into_iter().flatten().cloned());
        }
        wanted.lines.sort_by_key(|(number, _)| *number);
        let selected: BTreeSet<u64> = wanted.lines.iter().map(|(number, _)| *number).collect();
        let first = wanted.lines.first().map_or(u64::MAX, |(number, _)| *number);
        for key in &keys {
            let later = self.store.history(Some(key), first, PAGE)?;
            wanted
                .later
                .extend(later.into_iter().filter(|(number, _)| !selected.contains(number)));
        }
        wanted.later.sort_by_key(|(number, _)| *number);
        for (_, event) in &wanted.lines {
            if let EventKind::Unlinked { from } = &event.what
                && self.is_deleted(from)?
            {
                wanted.gone.insert(from.clone());
            }
        }
        let undoing = undo(
            &self.flows,
            dirty.cluster,
            dirty.inbox,
            &wanted,
            how,
            &dirty.facts,
        );
        Ok((undoing, dirty.token))
    }

    fn is_deleted(&mut self, record: &RecordKey) -> Result<bool, Error> {
        let cluster = self.store.cluster(&self.flows, record)?;
        let known = cluster.and_then(|cluster| cluster.records.get(record).cloned());
        Ok(known.is_some_and(|known| known.shadow.presence == Presence::Deleted))
    }
}

impl UndoReport {
    /// A record that is created again is not also told as deleted.
    fn tidy(&mut self) {
        let again = self.back.iter().filter_map(|back| match &back.what {
            tandem_merge::undo::Step::Recreate { counterpart } => Some(counterpart.clone()),
            _ => None,
        });
        let again: BTreeSet<RecordKey> = again.collect();
        self.left.retain(|left| !again.contains(&left.record));
    }
}
