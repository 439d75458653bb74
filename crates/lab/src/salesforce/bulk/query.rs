//! `/jobs/query`.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json};

use super::job::{Extract, Form, Job, State, Work, text};
use super::listing;
use crate::salesforce::api::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Org, Origin};
use crate::salesforce::soql::Prepared;

/// Rows of a page where the caller does not say.
const PAGE: usize = 50_000;
/// Rows that are put into the result under one hold of the org's lock.
const SLICE: usize = 1_000;

/// The result: CSV lines, and where each ends.
#[derive(Default)]
pub(super) struct Pages {
    header: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Pages {
    fn page(&self, from: usize, to: usize) -> Vec<u8> {
        let place = |row: usize| if row == 0 { 0 } else { self.ends[row - 1] };
        [&self.header[..], &self.text[place(from)..place(to)]].concat()
    }
}

/// Answers the resource.
pub(crate) fn query(org: &mut Org, caller: &Caller, call: &Call, rest: &[&str]) -> Outcome<Reply> {
    match (call.method.as_str(), rest) {
        ("POST", []) => create(org, caller, &call.object()?),
        ("GET", []) => listing::list(org, caller, call, true),
        ("GET", [id]) => Ok(Reply::ok(named(org, caller, id)?.info())),
        ("PATCH", [id]) => {
            let now = org.now();
            let job = named(org, caller, id)?;
            job.change_state(call, caller.actor.user, now)?;
            Ok(Reply::ok(job.head()))
        }
        ("DELETE", [id]) => {
            let job = named(org, caller, id)?;
            job.check_deletable()?;
            let id = job.id;
            org.jobs.jobs.remove(&id);
            Ok(Reply::empty(204))
        }
        ("GET", [id, "results"]) => results(org, caller, call, id),
        (method, []) => Err(Fault::method_not_allowed(method, "GET,POST")),
        (method, [_]) => Err(Fault::method_not_allowed(method, "GET,PATCH,DELETE")),
        (method, [_, "results"]) => Err(Fault::method_not_allowed(method, "GET")),
        _ => Err(Fault::not_found()),
    }
}

fn named<'o>(org: &'o mut Org, caller: &Caller, id: &str) -> Outcome<&'o mut Job> {
    let job = org.jobs.named(id, true)?;
    job.check_version(caller.version())?;
    Ok(job)
}

fn create(org: &mut Org, caller: &Caller, body: &Map<String, Json>) -> Outcome<Reply> {
    let form = Form::read(body)?;
    let all = match text(body, "operation")? {
        Some("query") => false,
        Some("queryAll") => true,
        other => {
            return Err(Fault::new(
                Code::InvalidJob,
                format!("InvalidJob : Unsupported operation: {}", other.unwrap_or("none")),
            ));
        }
    };
    let query = text(body, "query")?
        .ok_or_else(|| Fault::new(Code::InvalidJob, "InvalidJob : query is missing"))?
        .to_owned();
    let prepared = org.seen_as(caller.actor, |org| org.prepare(&query))?;
    if let Some(obstacle) = prepared.bulk_obstacle() {
        return Err(Fault::new(Code::ApiError, obstacle));
    }
    org.jobs.usage.begin_query()?;
    let number = org.jobs.draw();
    let now = org.now();
    let job = Job {
        id: org.numbered("750", number),
        user: caller.actor.user,
        object: prepared.object,
        object_name: org.schema.object(prepared.object).name.clone(),
        version: caller.version(),
        created: now,
        stamp: now,
        state: State::UploadComplete,
        form,
        processed: 0,
        failed: 0,
        active: 0,
        error: None,
        work: Work::Extract(Extract {
            query,
            all,
            pages: Pages::default(),
        }),
    };
    let head = job.head();
    org.jobs.keep(job);
    Ok(Reply::ok(head))
}

fn results(org: &mut Org, caller: &Caller, call: &Call, id: &str) -> Outcome<Reply> {
    let job = named(org, caller, id)?;
    job.check_results(job.state == State::JobComplete)?;
    let Work::Extract(extract) = &job.work else {
        return Err(Fault::not_found());
    };
    let rows = extract.pages.ends.len();
    let from = match call.parameter("locator").filter(|locator| !locator.is_empty()) {
        None => 0,
        Some(locator) => read_locator(locator)
            .filter(|from| *from < rows)
            .ok_or_else(|| Fault::new(Code::InvalidQueryLocator, "invalid query locator"))?,
    };
    let most = match call.parameter("maxRecords") {
        None => PAGE,
        Some(count) => count.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
            Fault::new(
                Code::ApiError,
                format!("maxRecords has to be a positive number: {count}"),
            )
        })?,
    };
    let to = rows.min(from.saturating_add(most));
    let locator = if to < rows {
        URL_SAFE_NO_PAD.encode(to.to_string())
    } else {
        "null".to_owned()
    };
    Ok(Reply::csv(extract.pages.page(from, to))
        .with("Sforce-Locator", locator)
        .with("Sforce-NumberOfRecords", (to - from).to_string()))
}

fn read_locator(locator: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(locator.trim_end_matches('=')).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// A query job being carried out.
pub(super) struct Extracting {
    id: RecordId,
    form: Form,
    prepared: Prepared,
    rows: Vec<RecordId>,
    at: usize,
}

impl Extracting {
    /// Begins a job, or lets it fail.
    pub(super) fn begin(org: &mut Org, id: RecordId) -> Option<Extracting> {
        let now = org.now();
        let job = org.jobs.get(id)?;
        let (form, user) = (job.form, job.user);
        let Work::Extract(extract) = &job.work else {
            return None;
        };
        let (text, all) = (extract.query.clone(), extract.all);
        let prepared = match org.seen_as(org.actor(user, Origin::Api), |org| org.prepare(&text)) {
            Ok(prepared) => prepared,
            Err(fault) => {
                org.jobs.get_mut(id)?.fail(fault.message, now);
                return None;
            }
        };
        let rows = org.select(org.actor(user, Origin::Api), &prepared, all);
        let mut writer = form.writer(Vec::new());
        let _ = writer.write_record(prepared.column_names(org));
        let job = org.jobs.get_mut(id)?;
        job.enter(State::InProgress, now);
        if let Work::Extract(extract) = &mut job.work {
            extract.pages.header = writer.into_inner().unwrap_or_default();
        }
        Some(Extracting {
            id,
            form,
            prepared,
            rows,
            at: 0,
        })
    }

    /// Puts the next rows into the result. Answers whether there are more.
    pub(super) fn step(&mut self, org: &mut Org) -> bool {
        let started = Instant::now();
        let now = org.now();
        let to = self.rows.len().min(self.at + SLICE);
        let (text, ends) = self.lines(org, to);
        let Some(job) = org
            .jobs
            .get_mut(self.id)
            .filter(|job| job.state == State::InProgress)
        else {
            return false;
        };
        job.processed += ends.len() as u64;
        job.active += u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        job.stamp = now;
        self.at = to;
        let over = to == self.rows.len();
        let mut bytes = text.len();
        if let Work::Extract(extract) = &mut job.work {
            let base = extract.pages.text.len();
            extract.pages.text.extend_from_slice(&text);
            extract.pages.ends.extend(ends.into_iter().map(|end| base + end));
            bytes += if over { extract.pages.header.len() } else { 0 };
        }
        if over {
            job.enter(State::JobComplete, now);
        }
        org.jobs.usage.result_bytes += bytes as u64;
        !over
    }

    fn lines(&self, org: &Org, to: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(to - self.at));
        for id in &self.rows[self.at..to] {
            let Some(cells) = org.cells(&self.prepared, *id) else {
                continue;
            };
            let mut writer = self.form.writer(text);
            let _ = writer.write_record(&cells);
            text = writer.into_inner().unwrap_or_default();
            ends.push(text.len());
        }
        (text, ends)
    }
}
