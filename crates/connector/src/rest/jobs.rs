//! Writes that an ERP takes for later: the job is asked for until it says how it ended. While nobody knows that, the outcome
//! is unknown.

use super::Rest;
use super::ask::Errand;
use super::description::jobs::JobText;
use super::description::place::plain;
use super::errors::Answer;
use super::served::Served;
use crate::Outcome;
use crate::http::{Reply, Request};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use std::time::Duration;
use tandem_merge::config::written::Scalar;
use tokio::time::Instant;

/// How often a job is asked for where nothing is said.
const EVERY: Duration = Duration::from_secs(2);

/// How a job stands.
#[derive(Debug, PartialEq, Eq)]
enum Stand {
    Runs,
    Done,
    Failed,
}

/// Whether a reply tells of a job.
pub(super) fn is_told(job: &JobText, reply: &Reply) -> bool {
    match &job.status {
        Some(statuses) => statuses.contains(&u32::from(reply.status)),
        None => reply.status == 202,
    }
}

/// The address of the job that a reply tells of, where it names one.
pub(super) fn address(rest: &Rest, job: &JobText, reply: &Reply) -> Option<String> {
    let text = job.at.text(&reply.json(), &reply.headers)?;
    Some(located(rest, &text))
}

/// An address that stands in a reply, as it is asked.
fn located(rest: &Rest, text: &str) -> String {
    match text.contains("://") || text.starts_with('/') {
        true => text.to_owned(),
        false => format!("{}/{text}", rest.root),
    }
}

/// What the job at an address came to: the reply that shows its result.
///
/// # Errors
/// It failed, or nobody knows what became of it.
pub(super) async fn end(
    rest: &Rest,
    served: &Served,
    job: &JobText,
    address: &str,
    errand: Errand<'_>,
) -> Result<Reply, Outcome> {
    let patience = Duration::try_from(rest.config.request_deadline).unwrap_or_default();
    let until = Instant::now() + patience;
    let every = job
        .every
        .and_then(|every| Duration::try_from(every.0).ok())
        .unwrap_or(EVERY);
    let mut pause = every;
    loop {
        tokio::time::sleep(pause).await;
        // What cannot be asked now is asked for again: it says nothing of the job.
        if let Some((reply, fine)) = asked(rest, served, address).await {
            match stand(job, &reply.json()) {
                Stand::Runs if !fine => {}
                Stand::Runs => pause = reply.retry_after().unwrap_or(every).min(patience),
                Stand::Done => return result(rest, served, job, reply).await,
                Stand::Failed => {
                    let reply = Reply {
                        repeated: false,
                        ..reply
                    };
                    let answer = Answer::of_failure(&rest.description, &reply, errand);
                    return Err(answer.outcome(&rest.http, &reply, |named| served.property_of(named)));
                }
            }
        }
        if Instant::now() + pause > until {
            return Err(Outcome::Unknown("the ERP works on it still".to_owned()));
        }
    }
}

/// A reply, and whether it is a success. One that tells of a failure may be the job's own end.
async fn asked(rest: &Rest, served: &Served, address: &str) -> Option<(Reply, bool)> {
    let request = Request::get(address).reading();
    let sent = rest.send(request, Errand::reading(served.name(), "job")).await;
    let (reply, answer) = sent.ok()?;
    Some((reply, answer.means.is_none()))
}

async fn ask(rest: &Rest, served: &Served, address: &str) -> Option<Reply> {
    let (reply, fine) = asked(rest, served, address).await?;
    fine.then_some(reply)
}

fn stand(job: &JobText, body: &Json) -> Stand {
    let shown = job.state.of(body).and_then(plain).unwrap_or_default();
    let is = |words: &[Scalar]| words.iter().any(|word| word.text() == shown);
    match (is(&job.done), is(&job.failed)) {
        (true, _) => Stand::Done,
        (false, true) => Stand::Failed,
        _ => Stand::Runs,
    }
}

/// The reply that shows what a job that is done made.
async fn result(rest: &Rest, served: &Served, job: &JobText, reply: Reply) -> Result<Reply, Outcome> {
    let Some(place) = &job.result else {
        return Ok(reply);
    };
    let unknown = || Outcome::Unknown("it was carried out, and its result cannot be read".to_owned());
    let address = place.text(&reply.json(), &HeaderMap::new()).ok_or_else(unknown)?;
    ask(rest, served, &located(rest, &address))
        .await
        .ok_or_else(unknown)
}
