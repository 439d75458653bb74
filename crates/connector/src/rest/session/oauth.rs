//! Tokens by OAuth. What an ERP gives out once alone is kept for the next process: a refresh token that replaces the one
//! before is durable before the token beside it is used, and a token that is given out seldom serves until it is over.

use super::super::Rest;
use super::super::ask::Errand;
use super::super::description::session::{ClientPlace, Grant, Oauth};
use super::super::errors::Answer;
use super::sign_in::{authorization, header, refused, until};
use super::{Session, Ticket, assertion};
use crate::http::{Failure, Http, Reply, Request, clock, json};
use crate::kept::Kept;
use crate::{Error, ErrorKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::time::Duration;
use url::form_urlencoded::Serializer;

/// Clocks further apart than this make a statement worthless.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(60);
/// How a statement stands in for a client's secret.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What is kept of a sign-in.
#[derive(Default, Serialize, Deserialize)]
struct Past {
    /// By which secrets it was had: with others it is worth nothing.
    by: String,
    /// The refresh token in force.
    refresh: Option<String>,
    access: Option<Access>,
}

/// A token that was given out.
#[derive(Clone, Serialize, Deserialize)]
struct Access {
    token: String,
    given: Timestamp,
    ends: Option<Timestamp>,
}

/// Signs in, with what is kept where something is.
pub(super) async fn sign_in(session: &Session, rest: &Rest, oauth: &Oauth) -> Result<Ticket, Error> {
    let http = session.office.as_ref().unwrap_or(&rest.http);
    if !oauth.is_kept() {
        let (access, _) = ask(session, rest, http, oauth, None).await?;
        return ticket(http, &access, true);
    }
    let file = session.kept.as_ref().ok_or_else(|| {
        let what = "its token is to be kept for the next process, and no folder is named for it";
        http.error(
            ErrorKind::SignIn,
            what,
            "Name the folder of the state with --state",
        )
    })?;
    let _turn = match file.turn().await {
        Ok(Some(turn)) => turn,
        Ok(None) => {
            let what = format!(
                "another process does not end to sign in with {}",
                file.path().display()
            );
            let advice = "Look for a second Tandem with the same state, and stop it";
            return Err(http.error(ErrorKind::SignIn, what, advice));
        }
        Err(error) => return Err(unkept(http, file, &error)),
    };
    let first = first_token(session, http, oauth)?;
    let mut past = past(session, http, oauth, file, first.as_deref())?;
    let now = clock::now();
    if let Some(held) = held(session, http, oauth, &past, now)? {
        return ticket(http, &held, false);
    }
    let refresh = past.refresh.clone().or(first);
    let (access, next) = ask(session, rest, http, oauth, refresh.as_deref()).await?;
    past.refresh = next.or(refresh);
    past.access = oauth.every.map(|_| access.clone());
    let bytes = serde_json::to_vec(&past).unwrap_or_default();
    file.replace(&bytes).map_err(|error| unkept(http, file, &error))?;
    ticket(http, &access, true)
}

/// The refresh token that people put there, where one is needed.
fn first_token(session: &Session, http: &Http, oauth: &Oauth) -> Result<Option<String>, Error> {
    match oauth.granted_by() {
        Grant::RefreshToken => {
            let text = session.text(http, oauth.refresh_token.as_ref(), "refresh_token")?;
            Ok(Some(text.trim().to_owned()))
        }
        _ => Ok(None),
    }
}

/// What is kept; nothing where it was had by other secrets than those of today.
fn past(
    session: &Session,
    http: &Http,
    oauth: &Oauth,
    file: &Kept,
    first: Option<&str>,
) -> Result<Past, Error> {
    let client = session.text(http, oauth.client_id.as_ref(), "client_id")?;
    let url = &oauth.token_url.value;
    let by = fingerprint(&format!("{url}\n{client}\n{}", first.unwrap_or_default()));
    let read = file.read().map_err(|error| unkept(http, file, &error))?;
    let past: Option<Past> = match read {
        None => None,
        Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|_| {
            let what = format!(
                "what is kept of its sign-in in {} cannot be read",
                file.path().display()
            );
            let advice = "Remove the file, and sign in anew where a refresh token is asked for";
            http.error(ErrorKind::SignIn, what, advice)
        })?),
    };
    let past = past.filter(|past| past.by == by);
    Ok(past.unwrap_or(Past {
        by,
        ..Past::default()
    }))
}

/// The token of before, while it holds.
///
/// # Errors
/// It does not hold, and it is too early for another one.
fn held(
    session: &Session,
    http: &Http,
    oauth: &Oauth,
    past: &Past,
    now: Timestamp,
) -> Result<Option<Access>, Error> {
    let (Some(access), Some(every)) = (&past.access, oauth.every) else {
        return Ok(None);
    };
    let next = access.given.checked_add(every.0).unwrap_or(Timestamp::MAX);
    let over = access.ends.is_some_and(|ends| ends <= now);
    let refused = session.was_refused(&access.token);
    if now >= next {
        // From then on one that is nearly over is replaced.
        let margin = SignedDuration::from_secs(30);
        let near = access
            .ends
            .is_none_or(|ends| ends <= now.saturating_add(margin).unwrap_or(ends));
        return Ok((!near && !refused).then(|| access.clone()));
    }
    if !over && !refused {
        return Ok(Some(access.clone()));
    }
    let why = if refused {
        "is not accepted any more"
    } else {
        "is over"
    };
    let what = format!(
        "its token of {} {why}, and the next one is given out at {next}",
        access.given
    );
    let advice =
        "It goes on by itself then; look who else asks for tokens of this client, for each ends ours";
    let mut error = http.error(ErrorKind::Refused, what, advice);
    error.retry_at = Some(next);
    Err(error)
}

fn ticket(http: &Http, access: &Access, fresh: bool) -> Result<Ticket, Error> {
    let left = access.ends.map(|ends| ends.duration_since(clock::now()));
    let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
    Ok(Ticket {
        // One that is kept serves to its very end: whoever asks for the next looks first whether it is time.
        until: match fresh {
            true => until(left),
            false => left.and_then(|left| tokio::time::Instant::now().checked_add(left)),
        },
        renewable: true,
        access: Some(fingerprint(&access.token)),
        ..authorization(http, &format!("Bearer {}", access.token))?
    })
}

/// Asks for a token; the refresh token that comes with it, if one does.
async fn ask(
    session: &Session,
    rest: &Rest,
    http: &Http,
    oauth: &Oauth,
    refresh: Option<&str>,
) -> Result<(Access, Option<String>), Error> {
    let mut known: Option<Timestamp> = None;
    loop {
        let now = known.unwrap_or_else(clock::wall);
        let request = request(session, rest, http, oauth, refresh, now)?;
        // A refresh token may have ended with a request whose reply was lost: it is not shown twice in a row.
        let request = match refresh {
            Some(_) => request,
            None => request.reading(),
        };
        let given = clock::now();
        let reply = http.send(request).await.map_err(Failure::into_error)?;
        let body = reply.json();
        if let Some(token) = json::text(&body, "access_token").filter(|_| reply.is_success()) {
            let ends = seconds(&body).and_then(|seconds| given.checked_add(seconds).ok());
            let (token, next) = (token.to_owned(), json::text(&body, "refresh_token"));
            return Ok((Access { token, given, ends }, next.map(str::to_owned)));
        }
        // The refusal shows the ERP's clock: where ours is wrong, the statement is made anew by theirs.
        let theirs = http
            .reached()
            .filter(|_| known.is_none() && oauth.assertion.is_some());
        match theirs {
            Some(theirs) if theirs.duration_since(now).abs() > CLOCKS_APART => known = Some(theirs),
            _ => return Err(not_given(rest, http, oauth, &reply)),
        }
    }
}

fn seconds(body: &Json) -> Option<SignedDuration> {
    let seconds = match body.get("expires_in")? {
        Json::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    };
    seconds.map(SignedDuration::from_secs)
}

/// The request for a token.
fn request(
    session: &Session,
    rest: &Rest,
    http: &Http,
    oauth: &Oauth,
    refresh: Option<&str>,
    now: Timestamp,
) -> Result<Request, Error> {
    let client = session.text(http, oauth.client_id.as_ref(), "client_id")?;
    let secret = match (&oauth.client_secret, &oauth.assertion) {
        (None, Some(_)) => None,
        (written, _) => Some(session.text(http, written.as_ref(), "client_secret")?),
    };
    let target = match oauth.token_url.value.starts_with('/') {
        true => format!("{}{}", rest.root, oauth.token_url.value),
        false => oauth.token_url.value.clone(),
    };
    let mut fields = Serializer::new(String::new());
    fields.append_pair(
        "grant_type",
        match oauth.granted_by() {
            Grant::ClientCredentials => "client_credentials",
            Grant::RefreshToken => "refresh_token",
            Grant::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        },
    );
    if let Some(refresh) = refresh {
        fields.append_pair("refresh_token", refresh);
    }
    if let Some(written) = &oauth.assertion {
        let url = http
            .door()
            .join(&target)
            .map_or_else(|_| target.clone(), String::from);
        let signed = assertion::signed(session, http, &written.value, [&client, &url], now)?;
        match oauth.granted_by() {
            Grant::JwtBearer => fields.append_pair("assertion", &signed),
            _ => fields
                .append_pair("client_assertion_type", ASSERTION)
                .append_pair("client_assertion", &signed),
        };
    }
    let in_header = oauth.client == Some(ClientPlace::Header);
    if let (false, Some(secret)) = (in_header, &secret) {
        fields
            .append_pair("client_id", &client)
            .append_pair("client_secret", secret);
    }
    if let Some(scope) = &oauth.scope {
        fields.append_pair("scope", &session.text(http, Some(scope), "")?);
    }
    for (name, text) in oauth.fields.iter().flat_map(|table| &table.0) {
        fields.append_pair(&name.value, &session.text(http, Some(text), "")?);
    }
    let mut request = Request::new(Method::POST, target)
        .signing_in()
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json");
    request.body = Some(fields.finish().into_bytes());
    if let (true, Some(secret)) = (in_header, &secret) {
        let pair = STANDARD.encode(format!("{client}:{secret}"));
        let (name, value) = header(http, "authorization", &format!("Basic {pair}"))?;
        request.headers.insert(name, value);
    }
    Ok(request)
}

/// Why no token was given out.
fn not_given(rest: &Rest, http: &Http, oauth: &Oauth, reply: &Reply) -> Error {
    let said = json::text(&reply.json(), "error").map(str::to_owned);
    let over = match said.as_deref() {
        Some(code) => code == "invalid_grant",
        None => matches!(reply.status, 400 | 401),
    };
    if oauth.granted_by() == Grant::RefreshToken && over {
        let what = format!("it does not take our refresh token (status {})", reply.status);
        let advice = "It was replaced, revoked, or not used for too long: sign in in the browser again, and put the new \
                      token where the secret `refresh_token` is";
        return http.error(ErrorKind::SignIn, what, advice);
    }
    let answer = Answer::of(&rest.description, reply, Errand::reading("session", "sign in"));
    refused(http, reply, &answer)
}

fn unkept(http: &Http, file: &Kept, error: &std::io::Error) -> Error {
    let what = format!("a token cannot be kept in {} ({error})", file.path().display());
    let advice = "Let Tandem read and write there: the ERP replaces the token, and the old one ends";
    http.error(ErrorKind::SignIn, what, advice)
}

/// Tells tokens apart without telling them.
pub(in super::super) fn fingerprint(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
