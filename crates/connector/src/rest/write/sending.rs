//! Sending a write: under which condition it goes, and what its answer led to.

use super::super::ask::{Errand, Given};
use super::super::batch::Pack;
use super::super::description::jobs::JobText;
use super::super::description::requests::is_token;
use super::super::description::template::Template;
use super::super::errors::Answer;
use super::super::served::Served;
use super::super::{Rest, jobs};
use crate::http::{Failure, Reply, Request};
use crate::{Error, Outcome};
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;

/// Where a condition is sent, all of it must be there: one that is left out would be none.
pub(in super::super) fn whole_token(
    rest: &Rest,
    holes: Vec<&str>,
    given: &Given,
    conditional: bool,
) -> Result<(), Outcome> {
    let mut holes = holes.into_iter().filter(|hole| is_token(hole));
    match holes.find(|hole| conditional && given.get(hole).is_none()) {
        None => Ok(()),
        Some(hole) => {
            let what = format!(
                "the record shows nothing for `{{{hole}}}`, so that its state cannot be held against it"
            );
            Err(Outcome::NotSent(rest.http.protocol(what)))
        }
    }
}

/// A request whose condition makes it repeatable, or the headers of one without a condition.
pub(in super::super) fn unconditional(
    rest: &Rest,
    request: Request,
    conditional: bool,
    headers: Option<&Table<At<Template>>>,
) -> Result<Request, Error> {
    if conditional {
        return Ok(request.repeatable());
    }
    let mut request = request;
    for (name, value) in headers.into_iter().flat_map(|headers| &headers.0) {
        if let Some(value) = value.value.text(&|_: &str| None) {
            request = rest.header(request, &name.value, &value)?;
        }
    }
    Ok(request)
}

/// Sends a write, and waits for the job that carries it out where the answer tells of one. Anything but a success is its
/// outcome.
pub(in super::super) async fn carried_out(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Served,
    request: Request,
    errand: Errand<'_>,
    job: Option<&JobText>,
) -> Result<Reply, Outcome> {
    let told = told(rest, pack, request, errand).await?;
    settled(rest, served, errand, job, told).await
}

/// Sends a write by itself or with others.
pub(super) async fn told(
    rest: &Rest,
    pack: Option<&Pack>,
    request: Request,
    errand: Errand<'_>,
) -> Result<(Reply, Answer), Outcome> {
    let told = match pack {
        Some(pack) => pack.send(request, errand).await,
        None => rest.send(request, errand).await,
    };
    told.map_err(|failure| match failure {
        Failure::NotSent(error) => Outcome::NotSent(error),
        Failure::Lost(error) => Outcome::Unknown(error.message),
    })
}

/// What an answer led to, once the job that it may tell of has ended.
pub(super) async fn settled(
    rest: &Rest,
    served: &Served,
    errand: Errand<'_>,
    job: Option<&JobText>,
    (reply, answer): (Reply, Answer),
) -> Result<Reply, Outcome> {
    if let Some(job) = job.filter(|job| jobs::is_told(job, &reply)) {
        if let Some(address) = jobs::address(rest, job, &reply) {
            return jobs::end(rest, served, job, &address, errand).await;
        }
        if answer.means.is_none() {
            return Err(Outcome::Unknown(
                "the ERP works on it, and does not say where".to_owned(),
            ));
        }
    }
    match answer.means {
        None => Ok(reply),
        Some(_) => Err(answer.outcome(&rest.http, &reply, |named| served.property_of(named))),
    }
}
