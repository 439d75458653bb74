//! Requests made out of what a description says, sent under a session.

use super::Rest;
use super::description::errors::Means;
use super::description::requests::Call;
use super::description::template::{Body, Template};
use super::errors::Answer;
use super::served::PARTS;
use crate::http::{Failure, Reply, Request};
use crate::{Error, ErrorKind};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use url::form_urlencoded::byte_serialize;

/// What is filled in, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(BTreeMap<String, Json>);

impl Given {
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// With what there may be.
    pub(super) fn maybe(self, name: &str, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With all of another one.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// With the token of the state that was seen, and its parts.
    pub(super) fn token(self, token: Option<&str>) -> Self {
        let parts = token.into_iter().flat_map(|token| token.split(PARTS)).enumerate();
        let parts = parts.filter(|(_, part)| !part.is_empty());
        let given = parts.fold(self, |given, (index, part)| {
            given.with(&format!("token.{}", index + 1), part)
        });
        given.maybe("token", token)
    }

    pub(super) fn get(&self, name: &str) -> Option<Json> {
        self.0.get(name).cloned()
    }
}

/// What a request is for: how its answer is understood, and whose errors it counts among.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errand<'a> {
    /// The record type, or what else it is about.
    pub(super) of: &'a str,
    /// The operation.
    pub(super) operation: &'static str,
    /// It changes something.
    pub(super) writes: bool,
    /// There is no record yet that it could be about.
    pub(super) creates: bool,
    /// Its address holds a key, so that a condition that fails says that there is a record of that key.
    pub(super) keyed: bool,
}

impl<'a> Errand<'a> {
    /// A read.
    pub(super) fn reading(of: &'a str, operation: &'static str) -> Self {
        Self {
            of,
            operation,
            writes: false,
            creates: false,
            keyed: false,
        }
    }

    /// A write.
    pub(super) fn writing(of: &'a str, operation: &'static str) -> Self {
        Self {
            of,
            operation,
            writes: true,
            creates: operation == "create",
            keyed: false,
        }
    }

    /// A create.
    pub(super) fn creating(of: &'a str, keyed: bool) -> Self {
        Self {
            keyed,
            ..Self::writing(of, "create")
        }
    }
}

/// What is sent where a description says nothing of a body.
pub(super) struct Otherwise<'b>(pub(super) Option<&'b Body>);

impl Rest {
    /// The request that a description says.
    pub(super) fn request(
        &self,
        call: Call<'_>,
        given: &Given,
        body: &Otherwise<'_>,
    ) -> Result<Request, Error> {
        let fill = |name: &str| given.get(name);
        let path = call.line.value.path.path(&fill).ok_or_else(|| {
            let what = "a request cannot be addressed: a value that its path needs is blank";
            self.http
                .error(ErrorKind::Protocol, what, "Correct the path in the description")
                .as_answer()
        })?;
        let mut target = match path.as_str() {
            // The address itself, with a slash behind it where it is written with one.
            "/" => format!("{}{}", self.root, self.description.slash),
            path => format!("{}{path}", self.root),
        };
        let mut sign = '?';
        for (name, value) in &call.query.0 {
            // A name may have holes, too; it was read when the description was checked.
            let name = Template::parse(&name.value)
                .ok()
                .and_then(|name| name.text(&fill));
            if let Some((name, value)) = name.zip(value.value.text(&fill)) {
                target.push(sign);
                target.extend(byte_serialize(name.as_bytes()).map(|part| part.replace("%24", "$")));
                target.push('=');
                // A plus is a blank to some, and a plus to others.
                target.extend(byte_serialize(value.as_bytes()).map(|part| part.replace('+', "%20")));
                sign = '&';
            }
        }
        let mut request = Request::new(call.line.value.method.clone(), target);
        let tables = self.description.headers.0.iter().chain(&call.headers.0);
        for (name, value) in tables {
            let fill = |name: &str| self.session.secret(name).or_else(|| given.get(name));
            if let Some(value) = value.value.text(&fill) {
                request = self.header(request, &name.value, &value)?;
            }
        }
        let body = call.body.map(|body| &body.value).or(body.0);
        if let Some(body) = body.and_then(|body| body.json(&fill)) {
            let typed = request.headers.contains_key("content-type");
            let kept = request.headers.get("content-type").cloned();
            request = request.json(&body);
            if let (true, Some(kept)) = (typed, kept) {
                request.headers.insert("content-type", kept);
            }
        }
        Ok(request)
    }

    /// The request with another header.
    ///
    /// # Errors
    /// No header can carry it.
    pub(super) fn header(&self, mut request: Request, name: &str, value: &str) -> Result<Request, Error> {
        let parts = HeaderName::from_bytes(name.to_lowercase().as_bytes())
            .ok()
            .zip(HeaderValue::from_str(value).ok());
        let (name, mut value) = parts.ok_or_else(|| {
            let what = format!("the header `{name}` cannot carry what the description puts into it");
            self.http
                .error(ErrorKind::SignIn, what, "Write secrets without line breaks")
        })?;
        value.set_sensitive(name == "authorization");
        request.headers.insert(name, value);
        Ok(request)
    }

    /// Sends a request under the session. Where that is over one signs in again, once.
    pub(super) async fn send(
        &self,
        request: Request,
        errand: Errand<'_>,
    ) -> Result<(Reply, Answer), Failure> {
        let mut renewed = false;
        loop {
            self.pace
                .admit(&self.http, errand)
                .await
                .map_err(Failure::NotSent)?;
            let ticket = self.session.ticket(self).await.map_err(Failure::NotSent)?;
            let forged = match errand.writes {
                true => self.session.csrf(self, &ticket).await.map_err(Failure::NotSent)?,
                false => None,
            };
            let sent = self.session.apply(request.clone(), &ticket, forged.as_ref());
            let reply = self.http.send(sent).await?;
            self.session.learn(&reply);
            let answer = Answer::of(&self.description, &reply, errand);
            self.pace.learn(errand, &reply, answer.means.is_some()).await;
            let over = match answer.means {
                Some(Means::SignIn) => self.session.end(ticket.number).await,
                Some(Means::Csrf) => self.session.forget_csrf().await,
                _ => false,
            };
            // What was refused at the door was not carried out.
            if over && !renewed && !reply.repeated {
                renewed = true;
                continue;
            }
            return Ok((reply, answer));
        }
    }

    /// A read that must succeed; its body.
    pub(super) async fn read(&self, request: Request, errand: Errand<'_>) -> Result<(Json, Reply), Error> {
        let sent = self.send(request.reading(), errand).await;
        let (reply, answer) = sent.map_err(Failure::into_error)?;
        if answer.means.is_some() {
            return Err(answer.error(&self.http, &reply));
        }
        match reply.json() {
            Json::Null => Err(self.http.protocol("a reply is not JSON")),
            body => Ok((body, reply)),
        }
    }
}
