//! An ingest job being carried out: slices of rows, read outside the org's lock and written under it.

use std::io::Cursor;
use std::time::Instant;

use bytes::Bytes;
use csv::StringRecord;

use super::column::columns;
use super::job::{Form, LineEnding, State};
use super::outcomes::Outcomes;
use super::rows::{Task, error_text};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Org, Origin};
use crate::salesforce::write::repeated;

/// Rows of a slice.
const SLICE: usize = 200;
/// Rows of an internal batch.
const BATCH: u64 = 10_000;

/// A job on its way.
pub(super) struct Loading {
    id: RecordId,
    form: Form,
    reader: csv::Reader<Cursor<Bytes>>,
    /// Where the reader's first byte stands in the uploaded data.
    base: usize,
    task: Task,
    rows: Vec<StringRecord>,
    broken: Option<String>,
    done: u64,
}

impl Loading {
    /// Begins a job, or lets it fail.
    pub(super) fn begin(org: &mut Org, id: RecordId) -> Option<Loading> {
        let now = org.now();
        let prepared = Loading::prepare(org, id)?;
        let job = org.jobs.get_mut(id)?;
        match prepared {
            Ok((loading, header)) => {
                job.enter(State::InProgress, now);
                let load = job.load()?;
                load.outcomes.set_header(&header);
                load.outcomes.resume_at = Some(loading.position());
                Some(loading)
            }
            Err(message) => {
                job.fail(message, now);
                None
            }
        }
    }

    fn prepare(org: &mut Org, id: RecordId) -> Option<Result<(Loading, StringRecord), String>> {
        let job = org.jobs.get_mut(id)?;
        let (form, object, user) = (job.form, job.object, job.user);
        let load = job.load()?;
        let (operation, external_id) = (load.operation, load.external_id.clone());
        let Some(data) = load.data.clone() else {
            return Some(Err("InvalidBatch : No data was uploaded".to_owned()));
        };
        let opened = check_lines(form, &data).and_then(|()| open(form, &data));
        let opened = opened.and_then(|(reader, base, header)| {
            let actor = org.actor(user, Origin::Api);
            let columns = org.seen_as(actor, |org| columns(org, object, &header))?;
            let task = Task {
                actor,
                object,
                operation,
                external_id,
                columns,
            };
            let loading = Loading {
                id,
                form,
                reader,
                base,
                task,
                rows: Vec::with_capacity(SLICE),
                broken: None,
                done: 0,
            };
            Ok((loading, header))
        });
        Some(opened)
    }

    fn position(&self) -> usize {
        self.base + usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX)
    }

    /// Reads the next slice; no lock is needed.
    pub(super) fn read(&mut self) {
        self.rows.clear();
        while self.rows.len() < SLICE {
            let mut row = StringRecord::new();
            match self.reader.read_record(&mut row) {
                Ok(true) => self.rows.push(row),
                Ok(false) => return,
                Err(error) => {
                    self.broken = Some(format!(
                        "ClientInputError : the data cannot be read as CSV: {error}"
                    ));
                    return;
                }
            }
        }
    }

    /// Writes the slice that was read. Answers whether there is more to do.
    pub(super) fn write(&mut self, org: &mut Org) -> bool {
        let started = Instant::now();
        let Some(mut outcomes) = self.take_outcomes(org) else {
            return false;
        };
        let now = org.now();
        if let Err(message) = self.count(org) {
            if let Some(job) = org.jobs.get_mut(self.id) {
                job.fail(message, now);
            }
            self.give_back(org, outcomes);
            return false;
        }
        let (mut failed, mut written) = (0, 0);
        org.faults.begin_job();
        if let Some(version) = org.jobs.get(self.id).map(|job| job.version) {
            org.events
                .set_origin(format!("com/salesforce/api/bulk/{version}.0;client="));
        }
        let mut resume_at = self.position();
        let keys = self.rows.iter().filter_map(|row| self.task.key_of(org, row));
        let twice = repeated(keys.map(str::to_owned));
        for row in &self.rows {
            if org.job_breaks(self.task.object) {
                let before = row.position().map_or(0, csv::Position::byte);
                resume_at = self.base + usize::try_from(before).unwrap_or(usize::MAX);
                self.broken = Some("InternalServerError : the job broke off".to_owned());
                break;
            }
            written += 1;
            let key = self.task.key_of(org, row).filter(|key| twice.contains(*key));
            let carried_out = match key {
                Some(key) => Err(self.task.repeated(key)),
                None => self.task.carry_out(org, row),
            };
            match carried_out {
                Ok((id, created)) => outcomes.success(self.form, id, created, row),
                Err(fault) => {
                    failed += 1;
                    outcomes.failure(self.form, self.task.id_of(row), &error_text(&fault), row);
                }
            }
            org.commit();
        }
        outcomes.resume_at = Some(resume_at);
        let over = self.rows.len() < SLICE;
        self.done += written;
        let broken = self.broken.take();
        self.give_back(org, outcomes);
        let Some(job) = org.jobs.get_mut(self.id) else {
            return false;
        };
        job.processed += written;
        job.failed += failed;
        job.active += u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        job.stamp = now;
        match broken {
            Some(message) => job.fail(message, now),
            None if over => {
                job.enter(State::JobComplete, now);
                if let Some(load) = job.load() {
                    load.data = None;
                }
            }
            None => return true,
        }
        false
    }

    /// Counts the rows, and a batch where one begins.
    fn count(&self, org: &mut Org) -> Result<(), String> {
        if !self.rows.is_empty() && self.done.is_multiple_of(BATCH) {
            org.jobs.usage.begin_batch()?;
        }
        org.jobs.usage.add_rows(self.rows.len() as u64)
    }

    /// The outcomes so far; none where the job was aborted or deleted meanwhile.
    fn take_outcomes(&self, org: &mut Org) -> Option<Outcomes> {
        let job = org.jobs.get_mut(self.id)?;
        if job.state != State::InProgress {
            return None;
        }
        job.load().map(|load| std::mem::take(&mut load.outcomes))
    }

    fn give_back(&self, org: &mut Org, outcomes: Outcomes) {
        if let Some(load) = org.jobs.get_mut(self.id).and_then(|job| job.load()) {
            load.outcomes = outcomes;
        }
    }
}

/// Refuses data whose first line ends otherwise than the job says.
fn check_lines(form: Form, data: &[u8]) -> Result<(), String> {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return Ok(());
    };
    let carriage = end > 0 && data[end - 1] == b'\r';
    if carriage == (form.lines == LineEnding::CrLf) {
        return Ok(());
    }
    Err(format!(
        "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {}",
        form.lines.as_str()
    ))
}

type Opened = (csv::Reader<Cursor<Bytes>>, usize, StringRecord);

/// A reader after the header, where it begins, and the header.
fn open(form: Form, data: &Bytes) -> Result<Opened, String> {
    const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];
    let base = if data.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(form.delimiter)
        .from_reader(Cursor::new(data.slice(base..)));
    let mut header = StringRecord::new();
    match reader.read_record(&mut header) {
        Ok(true) => Ok((reader, base, header)),
        Ok(false) => Err("InvalidBatch : The data has no header".to_owned()),
        Err(error) => Err(format!(
            "ClientInputError : the header cannot be read as CSV: {error}"
        )),
    }
}
