//! What is tried of an ERP beyond what its records need.

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::changes;
use super::description::operations::{ChangesText, FindText, ListText};
use super::description::place::Place;
use super::description::template::Body;
use super::served::Served;
use super::write::values::{encoded, with_also, with_values};
use super::write::{Judge, carry_out};
use super::{paging, read, shape};
use crate::http::{Failure, Request};
use crate::proof::told;
use crate::{Change, Error, ErrorKind, Outcome, Probe, Probed};
use jiff::Timestamp;
use tandem_merge::record::{RecordKey, Values};

/// Pages of changes that are looked through for one record.
const PAGES: usize = 3;

/// Tries it; none where the description knows of no such thing.
pub(super) async fn probe(rest: &Rest, probe: Probe<'_>) -> Result<Option<Probed>, Error> {
    if provoked(&probe).is_some_and(|errand| !rest.pace.spares(errand)) {
        let why = "what is left of the errors of an hour is for the work itself";
        return Ok(Some(Probed::Untried(why.to_owned())));
    }
    match probe {
        Probe::Shape(of) => {
            let served = rest.served(of)?;
            Ok(Some(Probed::Shape(shape::shape(rest, &served).await?)))
        }
        Probe::ChangedSince(of, moment, id) => {
            let served = rest.served(of)?;
            changed_since(rest, &served, moment, id).await
        }
        Probe::UnknownFilter(of) => {
            let served = rest.served(of)?;
            unknown_filter(rest, &served).await
        }
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
        Probe::Condition(write) => {
            let outcome = carry_out(rest, None, write, Judge::Erp).await;
            Ok(Some(Probed::Answered(outcome)))
        }
    }
}

/// What is asked so that it may be refused.
fn provoked<'p>(probe: &Probe<'p>) -> Option<Errand<'p>> {
    Some(match *probe {
        Probe::ChangesSince(of, _) | Probe::UnknownLink(of, _) => Errand::reading(&of.name, "changes"),
        Probe::UnknownFilter(of) => Errand::reading(&of.name, "find"),
        Probe::Unconditional(record, _) => Errand::writing(&record.record_type.name, "update"),
        Probe::Condition(write) => match &write.change {
            Change::Delete { record, .. } => Errand::writing(&record.record_type.name, "delete"),
            Change::Update { record, .. } => Errand::writing(&record.record_type.name, "update"),
            _ => return None,
        },
        Probe::Shape(_) | Probe::ChangedSince(..) => return None,
    })
}

/// How changes are asked for by a moment.
fn by_moment(served: &Served) -> Option<(&ListText, &ChangesText)> {
    let text = served.of.changes.as_ref();
    let by_moment = text.filter(|changes| changes.delta.is_none());
    served.changes.as_ref().zip(by_moment)
}

async fn changes_since(rest: &Rest, served: &Served, moment: Timestamp) -> Result<Option<Probed>, Error> {
    let Some((changes, text)) = by_moment(served) else {
        return Ok(None);
    };
    let given = changes::since_given(served, text.since.as_ref(), moment);
    let paging = changes.paging.as_ref().map(|paging| &paging.value);
    let given = served.given().and(given).and(paging::given(paging, None));
    let request = rest.request(changes.call(), &given, &Otherwise(None))?;
    changes_shown(rest, served, changes, request).await
}

/// Whether a record is among the changes since a moment; none where that cannot be told.
async fn changed_since(
    rest: &Rest,
    served: &Served,
    moment: Timestamp,
    id: &str,
) -> Result<Option<Probed>, Error> {
    let Some((changes, text)) = by_moment(served).filter(|_| served.of.record.modified.is_some()) else {
        return Ok(None);
    };
    let reach = text.since.as_ref().and_then(|since| since.reach);
    let age = crate::http::clock::now().duration_since(moment);
    if reach.is_some_and(|reach| age >= reach.0) {
        return Ok(None);
    }
    let asked = read::Asked {
        from: moment,
        ..read::Asked::list(changes, "changes")
    };
    let given = changes::since_given(served, text.since.as_ref(), moment);
    let mut at = None;
    for _ in 0..PAGES {
        let page = read::page(rest, served, &asked, &given, at.as_deref()).await?;
        if page.observations.iter().any(|shown| shown.key.id == id) {
            return Ok(Some(Probed::Shown(1)));
        }
        match page.next {
            Some(next) => at = Some(next),
            None => return Ok(Some(Probed::Shown(0))),
        }
    }
    Ok(None)
}

/// What searches show that nothing fits: by a value that nobody has, then by a property that there is not.
async fn unknown_filter(rest: &Rest, served: &Served) -> Result<Option<Probed>, Error> {
    let find = served.of.find.as_ref().filter(|_| served.of.inside.is_none());
    let Some(find) = find.filter(|find| find.ignores_unknown != Some(true)) else {
        return Ok(None);
    };
    let mut answer = None;
    for given in read::fitting_nobody(served, find) {
        let probed = searched(rest, served, find, &given).await?;
        let fine = matches!(probed, Probed::Shown(0) | Probed::Refused(_));
        answer = Some(probed);
        if !fine {
            break;
        }
    }
    Ok(answer)
}

async fn searched(rest: &Rest, served: &Served, find: &FindText, given: &Given) -> Result<Probed, Error> {
    let paging = find.paging.as_ref().map(|paging| &paging.value);
    let given = served.given().and(given.clone()).and(paging::given(paging, None));
    let request = rest.request(find.call(), &given, &Otherwise(None))?;
    // Some know of no better answer to what they do not know than a mistake of their own.
    let refuses = |status: u16| (400..600).contains(&status) && ![401, 403, 429, 503].contains(&status);
    shown_or_refused(rest, served, ("find", find.items.as_ref()), request, refuses).await
}

/// How many records a request shows, or that it is refused as one that makes no sense. `asked`: its operation, and where the
/// records stand. `refuses`: statuses that refuse it whatever stands there.
async fn shown_or_refused(
    rest: &Rest,
    served: &Served,
    asked: (&'static str, Option<&Place>),
    request: Request,
    refuses: impl Fn(u16) -> bool,
) -> Result<Probed, Error> {
    let (operation, items) = asked;
    let errand = Errand::reading(served.name(), operation);
    let sent = rest.send(request.reading(), errand).await;
    let (reply, answer) = sent.map_err(Failure::into_error)?;
    let Some(means) = answer.means else {
        let body = reply.json();
        return Ok(Probed::Shown(read::items(rest, served, items, &body)?.len()));
    };
    if refuses(reply.status) || changes::is_refused(means) {
        return Ok(Probed::Refused(format!("status {}", reply.status)));
    }
    match answer.error(&rest.http, &reply) {
        // Whatever it says, it did not take the question for another one.
        error if error.kind == ErrorKind::Protocol => Ok(Probed::Refused(error.message)),
        error => Err(error),
    }
}

async fn changes_shown(
    rest: &Rest,
    served: &Served,
    changes: &ListText,
    request: Request,
) -> Result<Option<Probed>, Error> {
    let asked = ("changes", changes.items.as_ref());
    let probed = shown_or_refused(rest, served, asked, request, |_| false).await?;
    Ok(Some(probed))
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
    changes_shown(rest, served, changes, request).await
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
        other => told(&other),
    };
    Ok(Some(Probed::Refused(format!("status {}: {words}", reply.status))))
}
