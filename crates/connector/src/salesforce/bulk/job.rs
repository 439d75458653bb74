//! One job: uploaded, begun, watched, told.

use super::results::{self, Telling};
use super::spool::{Spool, Stage};
use super::{rows::Target, unprocessed};
use crate::http::json::text;
use crate::http::{Failure, Reply, Request, clock};
use crate::salesforce::Salesforce;
use crate::salesforce::refusal::{self, Said};
use crate::{Error, Outcome, Resumed};
use jiff::SignedDuration;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// With more jobs running than this, one call asks for the states of all.
const ASKED_ALONE: usize = 2;
/// The longest pause between two questions for a job.
const LONGEST_PAUSE: u64 = 60;
/// Rows that an org processes in a second, about: earlier it is not asked for them.
const PACE: u64 = 4_000;
/// The longest pause before the first question.
const LONGEST_FIRST: u64 = 30;
/// A job that runs longer is ended, and what it did not come to is sent again.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);
/// Rows told at once.
const PAGE: usize = 2_000;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    Insert,
    Update,
}

/// A job that is not over.
pub(super) struct Job {
    pub(super) spool: Spool,
    /// It was opened by whoever asks now: what is in it was accepted.
    ours: bool,
    /// No more rows are taken.
    sealed: bool,
    /// How often its state was asked for.
    asked: u32,
    telling: Option<Telling>,
}

/// Opens a job with the org; returns its id.
pub(super) async fn create(org: &Salesforce, operation: Operation, object: &str) -> Result<String, Error> {
    let job = json!({
        "object": object,
        "operation": operation,
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    });
    let request = Request::new(Method::POST, "/jobs/ingest").json(&job);
    let reply = org.session.send(request).await.map_err(Failure::into_error)?;
    let body = successful(org, &reply)?;
    let id = text(&body, "id").filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let id = id.ok_or_else(|| org.session.http.protocol("a Bulk job has no id"))?;
    Ok(id.to_owned())
}

/// The body of a reply that must be a success.
fn successful(org: &Salesforce, reply: &Reply) -> Result<Json, Error> {
    match reply.is_success() {
        true => Ok(reply.json()),
        false => Err(refusal::error(&org.session.http, reply)),
    }
}

/// A handle whose rows are not here (any more): its outcomes are unknown, once nothing of it can take effect.
pub(super) async fn without_rows(org: &Salesforce, handle: &str) -> Result<Resumed, Error> {
    let done = Ok(Resumed::Done(Vec::new()));
    if !handle.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return done;
    }
    let reply = org.session.send(Request::get(address(handle))).await;
    let reply = reply.map_err(Failure::into_error)?;
    if matches!(reply.status, 400 | 404) {
        return done;
    }
    let body = successful(org, &reply)?;
    match text(&body, "state") {
        Some("UploadComplete" | "InProgress") => Ok(Resumed::NotYet(pause(0, 0))),
        Some("Open") => {
            end(org, handle).await;
            done
        }
        _ => done,
    }
}

fn address(id: &str) -> String {
    format!("/jobs/ingest/{id}")
}

/// How long to leave a job of so many rows alone that was asked for so often.
fn pause(rows: u64, asked: u32) -> SignedDuration {
    let first = (rows / PACE).clamp(1, LONGEST_FIRST);
    let seconds = first << asked.min(6);
    SignedDuration::from_secs(seconds.min(LONGEST_PAUSE).cast_signed())
}

/// Ends a job, as far as that can be done.
async fn end(org: &Salesforce, id: &str) {
    let request = Request::new(Method::PATCH, address(id)).json(&json!({"state": "Aborted"}));
    if let Err(failure) = org.session.send(request.repeatable()).await {
        tracing::debug!("a Bulk job is not ended: {}", failure.into_error());
    }
}

impl Job {
    pub(super) fn new(spool: Spool, ours: bool) -> Self {
        Self {
            spool,
            ours,
            sealed: !ours,
            asked: 0,
            telling: None,
        }
    }

    /// Whether more rows of this kind may be added.
    pub(super) fn takes(&self, operation: Operation, target: &Target, limit: u64) -> bool {
        let ledger = &self.spool.ledger;
        !self.sealed
            && ledger.operation == operation
            && ledger.object == target.object
            && ledger.key == target.key
            // A batch of 5,000 rows is far smaller than what the limit leaves free below the org's own.
            && self.spool.bytes < limit
    }

    /// Whether the org is at work on it.
    pub(super) fn is_running(&self) -> bool {
        self.spool.ledger.stage == Stage::Submitted
    }

    /// Goes on from where it is.
    pub(super) async fn resume(
        &mut self,
        org: &Salesforce,
        running: usize,
        seen: &mut Option<(Instant, BTreeMap<String, String>)>,
    ) -> Result<Resumed, Error> {
        self.sealed = true;
        if self.spool.ledger.stage == Stage::Open {
            if !self.ours {
                return self.give_up(org).await;
            }
            if let Some(refused) = self.upload(org).await? {
                tracing::warn!("a Bulk job is not accepted: {refused}");
                return self.give_up(org).await;
            }
        }
        if self.spool.ledger.stage == Stage::Uploaded {
            self.begin(org).await?;
            return Ok(Resumed::NotYet(self.next_pause()));
        }
        if self.spool.ledger.stage == Stage::Submitted && !self.look(org, running, seen).await? {
            return Ok(Resumed::NotYet(self.next_pause()));
        }
        self.tell(org).await
    }

    fn next_pause(&mut self) -> SignedDuration {
        self.asked += 1;
        pause(self.spool.count(), self.asked - 1)
    }

    fn id(&self) -> &str {
        self.spool.ledger.job.as_deref().unwrap_or_default()
    }

    fn note(&self, org: &Salesforce) -> Result<(), Error> {
        let noted = self.spool.note();
        noted.map_err(|error| org.session.http.unkept(&self.spool.path(""), &error))
    }

    /// Uploads the rows. Returns why the org does not take them, if so.
    ///
    /// An upload without a clear answer is given up with its job, which stays Open: another job gets the rows.
    async fn upload(&mut self, org: &Salesforce) -> Result<Option<String>, Error> {
        let (operation, object) = (self.spool.ledger.operation, self.spool.ledger.object.clone());
        if self.spool.ledger.job.is_none() {
            self.spool.ledger.job = Some(create(org, operation, &object).await?);
            self.note(org)?;
        }
        let ordered = self.spool.order();
        let (path, size) = ordered.map_err(|error| org.session.http.unkept(&self.spool.path(""), &error))?;
        let request = Request::new(Method::PUT, format!("{}/batches", address(self.id())))
            .header("content-type", "text/csv")
            .file(path, &self.spool.files, size);
        let failed = match org.session.send(request).await {
            Ok(reply) if reply.is_success() => {
                self.spool.ledger.stage = Stage::Uploaded;
                self.note(org)?;
                return Ok(None);
            }
            Ok(reply) if reply.may_pass() || reply.status == 401 => refusal::error(&org.session.http, &reply),
            Ok(reply) => {
                let said = Said::read(u64::from(reply.status), &reply.json());
                if said.is_quota() {
                    return Err(refusal::error(&org.session.http, &reply));
                }
                return Ok(Some(said.shown()));
            }
            Err(Failure::NotSent(error)) => return Err(error),
            Err(Failure::Lost(error)) => error,
        };
        end(org, self.id()).await;
        self.spool.ledger.job = None;
        self.note(org)?;
        Err(failed)
    }

    /// Tells the org to begin, once: whether an earlier attempt arrived is asked for first.
    async fn begin(&mut self, org: &Salesforce) -> Result<(), Error> {
        let request = Request::new(Method::PATCH, address(self.id()));
        let request = request.json(&json!({"state": "UploadComplete"}));
        // A job that has begun cannot begin again: the org refuses the second time.
        let sent = org.session.send(request.repeatable()).await;
        let reply = sent.map_err(Failure::into_error)?;
        if !reply.is_success() {
            let body = self.ask(org).await?;
            if text(&body, "state") == Some("Open") {
                return Err(refusal::error(&org.session.http, &reply));
            }
        }
        self.spool.ledger.stage = Stage::Submitted;
        self.spool.ledger.submitted = Some(clock::now());
        self.note(org)
    }

    async fn ask(&self, org: &Salesforce) -> Result<Json, Error> {
        let (body, _) = org.session.read(Request::get(address(self.id()))).await?;
        Ok(body)
    }

    /// Looks whether the job has ended, and fetches its results then.
    async fn look(
        &mut self,
        org: &Salesforce,
        running: usize,
        seen: &mut Option<(Instant, BTreeMap<String, String>)>,
    ) -> Result<bool, Error> {
        if running > ASKED_ALONE && !self.may_have_ended(org, seen).await? {
            return Ok(false);
        }
        let body = self.ask(org).await?;
        match text(&body, "state") {
            Some("JobComplete" | "Failed" | "Aborted") => {}
            _ => {
                let since = self.spool.ledger.submitted.unwrap_or_else(clock::now);
                if clock::now().duration_since(since) > LONGEST_RUN {
                    end(org, self.id()).await;
                }
                return Ok(false);
            }
        }
        if text(&body, "state") != Some("JobComplete") {
            let why = text(&body, "errorMessage").unwrap_or("no reason given");
            tracing::warn!("a Bulk job of {} ended early: {why}", self.spool.ledger.object);
        }
        results::fetch(org, &self.spool, self.id(), &body).await?;
        self.spool.ledger.stage = Stage::Over;
        self.note(org)?;
        Ok(true)
    }

    /// Whether the job is among those that run no more, by one call for all jobs.
    async fn may_have_ended(
        &self,
        org: &Salesforce,
        seen: &mut Option<(Instant, BTreeMap<String, String>)>,
    ) -> Result<bool, Error> {
        // What was seen a moment ago serves the other jobs that are asked for in the same breath.
        let pause = pause(self.spool.count(), self.asked.saturating_sub(1));
        let fresh = Duration::try_from(pause).unwrap_or_default() / 2;
        if seen.as_ref().is_none_or(|(at, _)| at.elapsed() > fresh) {
            let (body, _) = org
                .session
                .read(Request::get("/jobs/ingest?jobType=V2Ingest"))
                .await?;
            let records = body.get("records").and_then(Json::as_array);
            let states = records
                .into_iter()
                .flatten()
                .filter_map(|job| Some((text(job, "id")?.to_owned(), text(job, "state")?.to_owned())));
            *seen = Some((Instant::now(), states.collect()));
        }
        let state = seen.as_ref().and_then(|(_, states)| states.get(self.id()));
        Ok(!matches!(
            state.map(String::as_str),
            Some("UploadComplete" | "InProgress")
        ))
    }

    /// Tells the next outcomes; the last call tells none.
    async fn tell(&mut self, org: &Salesforce) -> Result<Resumed, Error> {
        let unkept = |spool: &Spool, error| org.session.http.unkept(&spool.path(""), &error);
        if self.telling.is_none() {
            let telling = Telling::new(&self.spool).map_err(|error| unkept(&self.spool, error))?;
            self.telling = Some(telling);
        }
        let Some(telling) = self.telling.as_mut() else {
            return Ok(Resumed::Done(Vec::new()));
        };
        let told = telling
            .next(org, PAGE)
            .map_err(|error| unkept(&self.spool, error))?;
        Ok(match told.is_empty() {
            true => Resumed::Done(told),
            false => Resumed::Some(told),
        })
    }

    /// The job is never to begin: every row is to be sent again.
    async fn give_up(&mut self, org: &Salesforce) -> Result<Resumed, Error> {
        if self.spool.ledger.job.is_some() {
            end(org, self.id()).await;
        }
        let mut intents = Vec::new();
        let all = self.spool.each_row(|row, _, _| intents.push(row.intent));
        all.map_err(|error| org.session.http.unkept(&self.spool.path(""), &error))?;
        let unsent = Outcome::NotSent(unprocessed(org));
        Ok(Resumed::Done(
            intents
                .into_iter()
                .map(|intent| (intent, unsent.clone()))
                .collect(),
        ))
    }
}
