//! The record browser: plain pages on which a person looks at records and changes them, as one of the org's users.
//! What it writes passes the same checks as the API's writes, and counts no API calls.

mod bin;
mod form;
mod html;
mod pages;

pub(crate) use html::escape;

use axum::body::Body;
use axum::http::{Response, header};

use super::api::Call;
use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org, Origin};
use super::schema::ObjectIndex;

/// The cookie that remembers as whom the person acts.
const AS: &str = "local_org_as";

/// What a page request comes to.
enum Answer {
    Page(u16, String),
    /// To another page, with a cookie perhaps.
    Go(String, Option<String>),
}

/// Answers a page request.
pub(crate) fn answer(org: &mut Org, call: &Call) -> Response<Body> {
    let actor = acting_user(org, call);
    let routed = if call.method == "GET" {
        org.seen_as(actor, |org| route(org, actor, call))
    } else {
        route(org, actor, call)
    };
    let answer = routed.unwrap_or_else(|fault| {
        let title = if fault.code == Code::NotFound {
            "Not found"
        } else {
            "Refused"
        };
        let body = html::refusal(&fault.message);
        Answer::Page(fault.code.status(), html::page(org, actor, title, &body))
    });
    org.commit();
    let mut response = Response::builder();
    let text = match answer {
        Answer::Page(status, text) => {
            response = response
                .status(status)
                .header(header::CONTENT_TYPE, "text/html; charset=utf-8");
            text
        }
        Answer::Go(to, cookie) => {
            response = response.status(303).header(header::LOCATION, to);
            if let Some(cookie) = cookie {
                response = response.header(header::SET_COOKIE, cookie);
            }
            String::new()
        }
    };
    response.body(Body::from(text)).unwrap_or_default()
}

fn acting_user(org: &Org, call: &Call) -> Actor {
    let people = org.people();
    let chosen = call.header("cookie").and_then(|cookies| {
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let id = pairs
            .filter(|(name, _)| *name == AS)
            .find_map(|(_, id)| RecordId::parse(id).ok())?;
        people.iter().find(|(person, _)| *person == id)
    });
    // Without a choice: the first who is a person, that is has a first name.
    let person = people
        .iter()
        .find(|(id, _)| org.text_of(*id, "FirstName").is_some());
    let user = chosen
        .or(person)
        .or(people.first())
        .map_or(RecordId::MIN, |(id, _)| *id);
    org.actor(user, Origin::Browser)
}

fn route(org: &mut Org, actor: Actor, call: &Call) -> Outcome<Answer> {
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let page = |text: String| Ok(Answer::Page(200, text));
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", []) => page(pages::home(org, actor)),
        ("GET", ["browse", object]) => {
            let object = org.object_named(object)?;
            page(pages::list(org, actor, object, call))
        }
        ("GET", ["browse", object, "new"]) => {
            let object = org.object_named(object)?;
            page(form::new(org, actor, object, &[], None))
        }
        ("GET", ["browse", object, id]) => {
            let (object, id) = locate(org, object, id)?;
            page(pages::record(org, actor, object, id)?)
        }
        ("GET", ["recycle-bin"]) => page(bin::list(org, actor, None)),
        ("GET", ["browse", object, id, "merge"]) => {
            let at = locate(org, object, id)?;
            page(bin::merge_page(org, actor, at, call, None)?)
        }
        ("GET", ["browse", object, id, "edit"]) => {
            let (object, id) = locate(org, object, id)?;
            page(form::edit(org, actor, object, id, &[], None)?)
        }
        ("POST", _) => {
            check_same_site(call)?;
            post(org, actor, call, &parts)
        }
        // As in an org, an id alone leads to its record.
        ("GET", [id]) => {
            let id = RecordId::parse(id).map_err(|_| Fault::not_found())?;
            let (object, _) = org.row(id).ok_or_else(Fault::not_found)?;
            Ok(Answer::Go(html::address(org, object, id), None))
        }
        _ => Err(Fault::not_found()),
    }
}

fn locate(org: &Org, object: &str, id: &str) -> Outcome<(ObjectIndex, RecordId)> {
    let object = org.object_named(object)?;
    let id = RecordId::parse(id).map_err(|_| Fault::not_found())?;
    org.table(object)
        .get(id)
        .map(|row| (object, row.id))
        .ok_or_else(Fault::not_found)
}

/// Forms of other sites are refused.
pub(crate) fn check_same_site(call: &Call) -> Outcome<()> {
    let site = call
        .header("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none");
    let origin = call.header("origin").is_none_or(|origin| {
        let host = call.header("host").unwrap_or_default();
        origin.split_once("://").is_some_and(|(_, from)| from == host)
    });
    if site && origin {
        return Ok(());
    }
    Err(Fault::new(
        Code::InsufficientAccess,
        "a form of another site cannot write here",
    ))
}

fn post(org: &mut Org, actor: Actor, call: &Call, parts: &[&str]) -> Outcome<Answer> {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let answer = match parts {
        ["as"] => {
            let user = fields
                .iter()
                .find(|(name, _)| name == "user")
                .map_or("", |(_, id)| id);
            let id = RecordId::parse(user).map_err(|_| Fault::not_found())?;
            let back = call.header("referer").and_then(|from| url::Url::parse(from).ok());
            let back = back.map_or_else(|| "/".to_owned(), |from| from.path().to_owned());
            let cookie = format!("{AS}={id}; Path=/; HttpOnly; SameSite=Strict");
            return Ok(Answer::Go(back, Some(cookie)));
        }
        ["browse", object, "new"] => {
            let object = org.object_named(object)?;
            form::create(org, actor, object, &fields)
        }
        ["browse", object, id, "edit"] => {
            let (object, id) = locate(org, object, id)?;
            form::update(org, actor, object, id, &fields)?
        }
        ["recycle-bin", id] => bin::restore(org, actor, id)?,
        ["browse", object, id, "merge"] => {
            let at = locate(org, object, id)?;
            bin::merge(org, actor, at, call, &fields)?
        }
        ["browse", object, id, "delete"] => {
            let (object, id) = locate(org, object, id)?;
            org.attempt(|org| org.delete(actor, object, id, None))?;
            Answer::Go(html::list_address(org, object), None)
        }
        ["browse", object, id, "confirm"] => {
            let (object, id) = locate(org, object, id)?;
            org.confirm_email(id)?;
            Answer::Go(html::address(org, object, id), None)
        }
        _ => return Err(Fault::not_found()),
    };
    Ok(answer)
}
