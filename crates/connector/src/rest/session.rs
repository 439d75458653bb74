//! Signing in, staying signed in, and signing out.

mod assertion;
mod cookies;
mod oauth;
mod oauth1;
mod seats;
mod sign_in;

use super::description::Description;
use super::description::session::Session as Written;
use super::description::template::Template;
use super::{Rest, RestConfig};
use crate::http::{Http, Reply, Request, Sign};
use crate::kept::Kept;
use crate::{Error, ErrorKind};
use cookies::Jar;
pub(super) use oauth::fingerprint;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tandem_merge::config::node::At;
use tokio::time::Instant;
use url::form_urlencoded::byte_serialize;

/// What a request carries.
#[derive(Default)]
pub(super) struct Ticket {
    /// Which session of ours it is.
    pub(super) number: u64,
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, String)>,
    until: Option<Instant>,
    /// It is given out by the ERP, so another one may be had.
    renewable: bool,
    /// What signs each request.
    signer: Option<Arc<dyn Sign>>,
    /// A token that is kept beyond this process, by its fingerprint.
    access: Option<String>,
}

/// How one is signed in.
pub(super) struct Session {
    written: Option<Written>,
    csrf_header: Option<HeaderName>,
    secrets: BTreeMap<String, SecretString>,
    /// Where tokens are given out, if not by the ERP itself.
    office: Option<Http>,
    ticket: tokio::sync::Mutex<(u64, Option<Arc<Ticket>>)>,
    csrf: tokio::sync::Mutex<Option<HeaderValue>>,
    jar: Mutex<Jar>,
    keeps_cookies: bool,
    /// Where what serves the next process is kept.
    kept: Option<Kept>,
    /// A token that was kept and is not accepted, by its fingerprint.
    refused: Mutex<Option<String>>,
    seats: seats::Seats,
}

impl Session {
    pub(super) fn new(description: &Description, config: &RestConfig, office: Option<Http>) -> Self {
        let kept = config.keep.as_ref().map(|keep| {
            let path = keep.folder.join(format!("{}.token", config.name));
            Kept::new(path, keep.files.clone())
        });
        let seats = description
            .limits
            .as_ref()
            .and_then(|limits| limits.seats.as_ref());
        let csrf = description.csrf.as_ref();
        let header = csrf.map(|csrf| {
            let name = csrf
                .header
                .as_ref()
                .map_or("x-csrf-token", |header| header.value.as_str());
            HeaderName::from_bytes(name.to_lowercase().as_bytes())
                .unwrap_or(HeaderName::from_static("x-csrf-token"))
        });
        Self {
            keeps_cookies: csrf.is_some() || matches!(description.session, Some(Written::Login(_))),
            written: description.session.clone(),
            csrf_header: header,
            secrets: config.secrets.clone(),
            office,
            seats: seats::Seats::new(seats.map(|seats| seats.value), kept.as_ref()),
            kept,
            refused: Mutex::default(),
            ticket: tokio::sync::Mutex::default(),
            csrf: tokio::sync::Mutex::default(),
            jar: Mutex::default(),
        }
    }

    /// The secret that a hole names.
    pub(super) fn secret(&self, hole: &str) -> Option<Json> {
        let secret = self.secrets.get(hole.strip_prefix("secret.")?)?;
        Some(Json::String(secret.expose_secret().to_owned()))
    }

    /// A text of the session.
    fn text(&self, http: &Http, written: Option<&At<Template>>, usual: &str) -> Result<String, Error> {
        let fill = |name: &str| self.secret(name);
        let text = match written {
            Some(template) => template.value.text(&fill),
            None => self
                .secrets
                .get(usual)
                .map(|secret| secret.expose_secret().to_owned()),
        };
        text.ok_or_else(|| {
            let what = "a secret that the description asks for is not there";
            let advice = "Add it to the connection's `secrets:` in the configuration";
            http.error(ErrorKind::SignIn, what, advice)
        })
    }

    /// What requests carry now; where nobody is signed in one signs in.
    pub(super) async fn ticket(&self, rest: &Rest) -> Result<Arc<Ticket>, Error> {
        let mut slot = self.ticket.lock().await;
        if let Some(ticket) = &slot.1
            && ticket.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(Arc::clone(ticket));
        }
        slot.0 += 1;
        let ticket = sign_in::sign_in(self, rest).await?;
        let ticket = Arc::new(Ticket {
            number: slot.0,
            ..ticket
        });
        slot.1 = Some(Arc::clone(&ticket));
        Ok(ticket)
    }

    /// The session is over. Whether another one may be had.
    pub(super) async fn end(&self, number: u64) -> bool {
        let mut slot = self.ticket.lock().await;
        match &slot.1 {
            Some(ticket) if ticket.number == number => {
                let renewable = ticket.renewable;
                if renewable {
                    self.refused().clone_from(&ticket.access);
                    slot.1 = None;
                    *self.csrf.lock().await = None;
                    self.jar().clear();
                }
                renewable
            }
            // Another request noticed before.
            _ => true,
        }
    }

    /// The token against forged requests, where one is wanted.
    pub(super) async fn csrf(&self, rest: &Rest, ticket: &Ticket) -> Result<Option<HeaderValue>, Error> {
        if self.csrf_header.is_none() {
            return Ok(None);
        }
        let mut slot = self.csrf.lock().await;
        if slot.is_none() {
            *slot = sign_in::fetch_csrf(self, rest, ticket).await?;
        }
        Ok(slot.clone())
    }

    pub(super) async fn forget_csrf(&self) -> bool {
        self.csrf.lock().await.take().is_some()
    }

    /// The request with what the session adds to it.
    pub(super) fn apply(&self, mut request: Request, ticket: &Ticket, csrf: Option<&HeaderValue>) -> Request {
        for (name, value) in &ticket.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &ticket.query {
            let sign = if request.target.contains('?') { '&' } else { '?' };
            request.target.push(sign);
            request.target.extend(byte_serialize(name.as_bytes()));
            request.target.push('=');
            request.target.extend(byte_serialize(value.as_bytes()));
        }
        if let (Some(name), Some(value)) = (&self.csrf_header, csrf) {
            request.headers.insert(name.clone(), value.clone());
        }
        request.signer.clone_from(&ticket.signer);
        if let Some(cookies) = self.jar().header() {
            request.headers.insert("cookie", cookies);
        }
        request
    }

    /// Takes over the cookies of a reply.
    pub(super) fn learn(&self, reply: &Reply) {
        if self.keeps_cookies {
            self.jar().learn(&reply.headers);
        }
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ERP did not accept this token.
    fn was_refused(&self, token: &str) -> bool {
        self.refused().as_ref() == Some(&oauth::fingerprint(token))
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session, where the description says how.
    pub(super) async fn sign_out(&self, rest: &Rest) -> Result<(), Error> {
        let mut slot = self.ticket.lock().await;
        let Some(ticket) = slot.1.take() else {
            return Ok(());
        };
        let done = sign_in::sign_out(self, rest, &ticket).await;
        self.jar().clear();
        self.seats.leave();
        done
    }
}
