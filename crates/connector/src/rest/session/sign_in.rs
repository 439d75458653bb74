//! How one signs in, by the kind of session.

use super::super::Rest;
use super::super::ask::{Errand, Given, Otherwise};
use super::super::description::errors::Means;
use super::super::description::session::{ApiKey, Basic, Bearer, Login, Session as Written};
use super::super::errors::Answer;
use super::{Session, Ticket, oauth, oauth1};
use crate::http::{Failure, Http, Reply, Request, clock, wire};
use crate::{Error, ErrorKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::time::Instant;

/// A session that ends within this time is renewed before.
const MARGIN: Duration = Duration::from_secs(30);

/// A new ticket.
pub(super) async fn sign_in(session: &Session, rest: &Rest) -> Result<Ticket, Error> {
    match &session.written {
        None | Some(Written::None(_)) => Ok(Ticket::default()),
        Some(Written::Bearer(bearer)) => by_token(session, rest, bearer),
        Some(Written::Basic(basic)) => by_password(session, rest, basic),
        Some(Written::ApiKey(key)) => by_key(session, rest, key),
        Some(Written::Oauth(oauth)) => oauth::sign_in(session, rest, oauth).await,
        Some(Written::Oauth1(written)) => oauth1::sign_in(session, rest, written),
        Some(Written::Login(login)) => by_login(session, rest, login).await,
    }
}

pub(super) fn header(http: &Http, name: &str, text: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).ok();
    let parts = name.zip(HeaderValue::from_str(text).ok());
    let (name, mut value) = parts.ok_or_else(|| {
        let what = "a secret holds characters that no header can carry";
        http.error(ErrorKind::SignIn, what, "Write it without line breaks")
    })?;
    value.set_sensitive(true);
    wire::hide(text.rsplit(' ').next().unwrap_or(text));
    Ok((name, value))
}

pub(super) fn authorization(http: &Http, value: &str) -> Result<Ticket, Error> {
    Ok(Ticket {
        headers: vec![header(http, "authorization", value)?],
        ..Ticket::default()
    })
}

fn by_token(session: &Session, rest: &Rest, bearer: &Bearer) -> Result<Ticket, Error> {
    let token = session.text(&rest.http, bearer.token.as_ref(), "token")?;
    let scheme = bearer.scheme.as_deref().unwrap_or("Bearer");
    authorization(&rest.http, &format!("{scheme} {token}"))
}

fn by_password(session: &Session, rest: &Rest, basic: &Basic) -> Result<Ticket, Error> {
    let user = session.text(&rest.http, basic.user.as_ref(), "user")?;
    let password = session.text(&rest.http, basic.password.as_ref(), "password")?;
    let pair = STANDARD.encode(format!("{user}:{password}"));
    authorization(&rest.http, &format!("Basic {pair}"))
}

fn by_key(session: &Session, rest: &Rest, key: &ApiKey) -> Result<Ticket, Error> {
    let mut ticket = Ticket::default();
    for (name, text) in key.headers.iter().flat_map(|table| &table.0) {
        let value = session.text(&rest.http, Some(text), "")?;
        ticket.headers.push(header(&rest.http, &name.value, &value)?);
    }
    for (name, text) in key.query.iter().flat_map(|table| &table.0) {
        let value = session.text(&rest.http, Some(text), "")?;
        ticket.query.push((name.value.clone(), value));
    }
    Ok(ticket)
}

/// When a session that lasts so long is over for us.
pub(super) fn until(lasts: Option<Duration>) -> Option<Instant> {
    let lasts = lasts?;
    let margin = MARGIN.min(lasts / 10);
    Instant::now().checked_add(lasts.saturating_sub(margin))
}

/// Why nobody is signed in.
pub(super) fn refused(http: &Http, reply: &Reply, answer: &Answer) -> Error {
    if (400..500).contains(&reply.status) && !matches!(reply.status, 408 | 420 | 429) {
        let what = format!("it does not let us sign in (status {})", reply.status);
        let advice = "Check the secrets in the configuration and `session:` in the description";
        return http.error(ErrorKind::SignIn, what, advice);
    }
    answer.error(http, reply)
}

async fn by_login(session: &Session, rest: &Rest, login: &Login) -> Result<Ticket, Error> {
    session.seats.take(rest)?;
    session.jar().clear();
    let request = request_of(session, rest, login)?;
    let reply = rest
        .http
        .send(request.reading().signing_in())
        .await
        .map_err(Failure::into_error)?;
    let answer = Answer::of(&rest.description, &reply, Errand::reading("session", "sign in"));
    match answer.means {
        None => {}
        Some(Means::Seats) => return Err(session.seats.none_free(&reply, answer.error(&rest.http, &reply))),
        Some(_) => return Err(refused(&rest.http, &reply, &answer)),
    }
    session.jar().learn(&reply.headers);
    let body = reply.json();
    let mut ticket = Ticket {
        renewable: true,
        ..Ticket::default()
    };
    if let Some(place) = &login.token {
        let token = place.text(&body, &reply.headers).ok_or_else(|| {
            let what = format!("the reply to the sign-in shows no token at `{place}`");
            rest.http.error(
                ErrorKind::SignIn,
                what,
                "Correct `token:` in the description's session",
            )
        })?;
        let fill = |name: &str| match name {
            "token" => Some(Json::String(token.clone())),
            other => session.secret(other),
        };
        for (name, text) in login.carry.iter().flat_map(|carry| &carry.0) {
            if let Some(value) = text.value.text(&fill) {
                ticket.headers.push(header(&rest.http, &name.value, &value)?);
            }
        }
        if let Some(user) = &login.basic_user {
            let user = session.text(&rest.http, Some(user), "")?;
            let pair = STANDARD.encode(format!("{user}:{token}"));
            ticket
                .headers
                .push(header(&rest.http, "authorization", &format!("Basic {pair}"))?);
        }
    } else if session.jar().header().is_none() {
        let what = "the reply to the sign-in sets no cookies";
        let advice = "Write where the session's token stands: `token:` in the description's session";
        return Err(rest.http.error(ErrorKind::SignIn, what, advice));
    }
    let number = |place: Option<&super::super::description::place::Place>| {
        let text = place?.text(&body, &reply.headers)?;
        text.parse::<u64>().ok()
    };
    let seconds =
        number(login.seconds.as_ref()).or(number(login.minutes.as_ref()).map(|minutes| minutes * 60));
    let written = login.lasts.and_then(|span| Duration::try_from(span.0).ok());
    ticket.until = until(seconds.map(Duration::from_secs).or(written));
    Ok(ticket)
}

fn request_of(session: &Session, rest: &Rest, login: &Login) -> Result<Request, Error> {
    let call = login.call();
    let given = call.holes().into_iter().fold(Given::default(), |given, hole| {
        given.maybe(hole, session.secret(hole))
    });
    // The day on which a session that begins now is over.
    let ends = login
        .lasts
        .and_then(|lasts| clock::now().checked_add(lasts.0).ok());
    let day = ends.map(|ends| jiff::tz::TimeZone::UTC.to_datetime(ends).date().to_string());
    let given = given.maybe("until", day);
    rest.request(call, &given, &Otherwise(None))
}

/// Asks for a token against forged requests.
pub(super) async fn fetch_csrf(
    session: &Session,
    rest: &Rest,
    ticket: &Ticket,
) -> Result<Option<HeaderValue>, Error> {
    let (Some(csrf), Some(name)) = (&rest.description.csrf, &session.csrf_header) else {
        return Ok(None);
    };
    let wanted = csrf.fetch.as_deref().unwrap_or("Fetch");
    let mut request = rest.request(csrf.call(), &Given::default(), &Otherwise(None))?;
    if let Ok(value) = HeaderValue::from_str(wanted) {
        request.headers.insert(name.clone(), value);
    }
    let request = session.apply(request, ticket, None).reading().signing_in();
    let reply = rest.http.send(request).await.map_err(Failure::into_error)?;
    session.learn(&reply);
    let token = reply.headers.get(name).cloned();
    if token.is_none() && !reply.is_success() {
        let answer = Answer::of(&rest.description, &reply, Errand::reading("session", "csrf"));
        return Err(answer.error(&rest.http, &reply));
    }
    let token = token.ok_or_else(|| {
        let what = format!("it gives out no token in the header `{name}`");
        let advice = "Correct `csrf:` in the description: its request and its header";
        rest.http.error(ErrorKind::SignIn, what, advice)
    })?;
    wire::hide(token.to_str().unwrap_or_default());
    Ok(Some(token))
}

/// Ends a session that the ERP gave out.
pub(super) async fn sign_out(session: &Session, rest: &Rest, ticket: &Ticket) -> Result<(), Error> {
    let Some(Written::Login(login)) = &session.written else {
        return Ok(());
    };
    let Some(logout) = &login.logout else {
        return Ok(());
    };
    let request = rest.request(logout.call(), &Given::default(), &Otherwise(None))?;
    let request = session.apply(request, ticket, None);
    rest.http
        .send(request)
        .await
        .map(drop)
        .map_err(Failure::into_error)
}
