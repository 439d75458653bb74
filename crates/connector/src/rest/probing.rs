//! What is tried of an ERP beyond what its records need.

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::changes;
use super::description::operations::ListText;
use super::description::template::Body;
use super::served::Served;
use super::write::values::{encoded, with_also, with_values};
use super::{paging, read};
use crate::http::{Failure, Request};
use crate::{Error, Outcome, Probe, Probed};
use jiff::Timestamp;
use tandem_merge::record::{RecordKey, Values};

/// Tries it; none where the description knows of no such thing.
pub(super) async fn probe(rest: &Rest, probe: Probe<'_>) -> Result<Option<Probed>, Error> {
    let errand = match probe {
        Probe::ChangesSince(of, _) | Probe::UnknownLink(of, _) => Errand::reading(&of.name, "changes"),
        Probe::Unconditional(record, _) => Errand::writing(&record.record_type.name, "update"),
    };
    if !rest.pace.spares(errand) {
        let why = "not tried: what is left of the errors of an hour is for the work itself";
        return Ok(Some(Probed::Untried(why.to_owned())));
    }
    match probe {
        Probe::ChangesSince(of, moment) => {
            let served = rest.served(of)?;
            changes_since(rest, &served, moment).await
        }
        Probe::UnknownLink(of, cursor) => {
            let served = rest.served(of)?;
            match changes::link(&of.name, cursor) {
                Some(link) => unknown_link(rest, &served, &link).await,
                None => Ok(None),
            }
        }
        Probe::Unconditional(record, values) => {
            let served = rest.served(&record.record_type)?;
            unconditional(rest, &served, record, values).await
        }
    }
}

async fn changes_since(rest: &Rest, served: &Served, moment: Timestamp) -> Result<Option<Probed>, Error> {
    let by_time = served
        .of
        .changes
        .as_ref()
        .filter(|changes| changes.delta.is_none());
    let Some((changes, text)) = served.changes.as_ref().zip(by_time) else {
        return Ok(None);
    };
    let given = changes::since_given(served, text.since.as_ref(), moment);
    let paging = changes.paging.as_ref().map(|paging| &paging.value);
    let given = served.given().and(given).and(paging::given(paging, None));
    let request = rest.request(changes.call(), &given, &Otherwise(None))?;
    shown_or_refused(rest, served, changes, request).await.map(Some)
}

/// How many records a request for changes shows, or that it is refused as one that makes no sense.
async fn shown_or_refused(
    rest: &Rest,
    served: &Served,
    changes: &ListText,
    request: Request,
) -> Result<Probed, Error> {
    let errand = Errand::reading(served.name(), "changes");
    let sent = rest.send(request.reading(), errand).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    Ok(match answer.means {
        Some(means) if changes::is_refused(means) => Probed::Refused(format!("status {}", reply.status)),
        Some(_) => return Err(answer.error(&rest.http, &reply)),
        None => {
            let body = reply.json();
            Probed::Shown(read::items(rest, served, changes.items.as_ref(), &body)?.len())
        }
    })
}

async fn unknown_link(rest: &Rest, served: &Served, link: &str) -> Result<Option<Probed>, Error> {
    let Some((before, _)) = link.rsplit_once('=') else {
        return Ok(None);
    };
    let Some(changes) = &served.changes else {
        return Ok(None);
    };
    let mut request = rest.request(changes.call(), &served.given(), &Otherwise(None))?;
    request.target = format!("{before}=tandem-no-such-link-0");
    shown_or_refused(rest, served, changes, request).await.map(Some)
}

async fn unconditional(
    rest: &Rest,
    served: &Served,
    record: &RecordKey,
    values: &Values,
) -> Result<Option<Probed>, Error> {
    let update = served.of.update.as_ref().filter(|update| update.sends_token());
    let Some(update) = update.filter(|update| update.style.is_none()) else {
        return Ok(None);
    };
    let Ok(body) = encoded(served, values, false) else {
        return Ok(None);
    };
    let given: Given = with_values(served, served.named(&record.id), values);
    let body = with_also(body, update.also.as_ref(), &given);
    let given = given.with("values", body);
    let request = rest.request(update.call(), &given, &Otherwise(Some(&Body::hole("values"))))?;
    let sent = rest.send(request, Errand::writing(served.name(), "update")).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    if answer.means.is_none() {
        return Ok(Some(Probed::Taken));
    }
    let words = match answer.outcome(&rest.http, &reply, |named| served.property_of(named)) {
        Outcome::Refused(refusal) => refusal.message,
        other => format!("{other:?}"),
    };
    Ok(Some(Probed::Refused(format!("status {}: {words}", reply.status))))
}
