//! Subscriptions: the ERP posts messages of changes only while somebody asks it to.
//!
//! A subscription is renewed when half of its time is over, so that there is time to mend what keeps it from being renewed.
//! What is known of it is kept beside the state: the next process renews it rather than making another one.

use super::Rest;
use super::RestConfig;
use super::ask::{Errand, Given, Otherwise};
use super::description::errors::Means;
use super::description::place::Place;
use super::description::push::{ExistingText, PushText};
use super::description::requests::Call;
use super::served::Served;
use super::session::fingerprint;
use crate::http::{Failure, Reply, clock};
use crate::kept::Kept;
use crate::webhook::Callback;
use crate::{Error, ErrorKind};
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A subscription that the ERP holds for us.
#[derive(Clone, Serialize, Deserialize)]
struct Subscription {
    id: String,
    token: Option<String>,
    made: Timestamp,
    ends: Option<Timestamp>,
    /// What it was made for: another address or secret wants another one.
    by: String,
}

/// Those of all record types, by name.
type All = BTreeMap<String, Subscription>;

/// What is known of subscriptions.
pub(super) struct Subscriptions {
    kept: Option<Kept>,
    /// None: not read yet.
    all: tokio::sync::Mutex<Option<All>>,
}

impl Subscriptions {
    pub(super) fn new(config: &RestConfig) -> Self {
        let kept = config.keep.as_ref().map(|keep| {
            let path = keep.folder.join(format!("{}.subscriptions", config.name));
            Kept::new(path, keep.files.clone())
        });
        let all = tokio::sync::Mutex::default();
        Self { kept, all }
    }

    /// What an earlier process left; nothing where that cannot be read.
    fn earlier(&self) -> All {
        let read = self.kept.as_ref().and_then(|kept| kept.read().ok().flatten());
        let read = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.unwrap_or_default()
    }

    async fn keep(&self, all: &All) {
        let Some(kept) = &self.kept else {
            return;
        };
        let keep = async {
            let _turn = kept.turn().await?;
            kept.replace(&serde_json::to_vec(all)?)
        };
        if let Err(error) = keep.await {
            let path = kept.path().display();
            tracing::warn!(
                "subscriptions cannot be kept in {path} ({error}): the next process makes them anew"
            );
        }
    }
}

impl Subscription {
    /// When it is to be renewed.
    fn due(&self) -> Option<Timestamp> {
        let left = self.ends?.duration_since(self.made);
        self.made.checked_add(left / 2).ok()
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

/// Whether any record type in use is told of by messages that are asked for.
pub(super) fn wanted(rest: &Rest) -> bool {
    rest.served.values().any(|served| served.of.push.is_some())
}

/// Sees to the subscriptions of all types; when to come back.
pub(super) async fn see_to(
    rest: &Rest,
    to: Callback<'_>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let mut slot = rest.subscriptions.all.lock().await;
    let all = slot.get_or_insert_with(|| rest.subscriptions.earlier());
    let by = fingerprint(&format!("{}\n{}", to.address, to.secret.expose_secret()));
    let (mut next, mut failed) = (None, None);
    for (name, served) in &rest.served {
        let Some(push) = &served.of.push else {
            continue;
        };
        let errand = Turn {
            rest,
            served,
            push,
            to,
            by: &by,
            now,
        };
        match errand.see_to(all.get(name)).await {
            Ok(None) => {}
            Ok(Some(made)) => {
                all.insert(name.clone(), made);
                rest.subscriptions.keep(all).await;
            }
            Err(error) => failed = failed.or(Some(error)),
        }
        let due = all.get(name).and_then(Subscription::due);
        next = next.into_iter().chain(due).min();
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(next),
    }
}

/// One record type's turn.
struct Turn<'a> {
    rest: &'a Rest,
    served: &'a Served,
    push: &'a PushText,
    to: Callback<'a>,
    by: &'a str,
    now: Timestamp,
}

impl Turn<'_> {
    /// The subscription as it is now; none where the one that is held is good.
    async fn see_to(&self, held: Option<&Subscription>) -> Result<Option<Subscription>, Error> {
        let Some(held) = held.filter(|held| !held.is_over(self.now)) else {
            return self.subscribe().await.map(Some);
        };
        let fits = held.by == self.by;
        if fits && held.due().is_none_or(|due| self.now < due) {
            return Ok(None);
        }
        if fits && let Some(renewed) = self.renew(held).await? {
            return Ok(Some(renewed));
        }
        let made = self.subscribe().await?;
        self.unsubscribe(held).await;
        Ok(Some(made))
    }

    async fn subscribe(&self) -> Result<Subscription, Error> {
        self.clear().await?;
        let text = &self.push.subscribe.value;
        let reply = self.ask(text.call(), self.writing("subscribe"), None).await?;
        let reply =
            reply.ok_or_else(|| self.failure("the address that subscriptions are made at is not there"))?;
        let id = text.id.value.text(&reply.json(), &reply.headers);
        let id = id.ok_or_else(|| self.failure(&format!("the reply shows no id at `{}`", text.id.value)))?;
        let token = text
            .token
            .as_ref()
            .and_then(|at| at.text(&reply.json(), &reply.headers));
        Ok(self.made(id, token, text.expires.as_ref(), &reply))
    }

    /// The same subscription for longer; none where there is no such one, or no way to do that.
    async fn renew(&self, held: &Subscription) -> Result<Option<Subscription>, Error> {
        let Some(text) = self.push.renew.as_ref().map(|renew| &renew.value) else {
            return Ok(None);
        };
        let reply = self.ask(text.call(), self.writing("renew"), Some(held)).await?;
        Ok(reply.map(|reply| {
            let token = text
                .token
                .as_ref()
                .and_then(|at| at.text(&reply.json(), &reply.headers));
            let token = token.or_else(|| held.token.clone());
            self.made(held.id.clone(), token, text.expires.as_ref(), &reply)
        }))
    }

    /// Ends what the ERP holds for us already: an answer may have been lost, or what was kept of it.
    async fn clear(&self) -> Result<(), Error> {
        let Some(text) = self.push.existing.as_ref().map(|existing| &existing.value) else {
            return Ok(());
        };
        let reply = self.ask(text.call(), self.reading("existing"), None).await?;
        let Some(reply) = reply else {
            return Ok(());
        };
        let body = reply.json();
        let listed = match &text.items {
            Some(items) => items.of(&body),
            None => Some(&body),
        };
        let Some(Json::Array(listed)) = listed else {
            return Err(self.failure("the reply shows no list of subscriptions"));
        };
        for one in listed.iter().filter(|one| self.is_ours(text, one)) {
            let none = HeaderMap::new();
            let Some(id) = text.id.value.text(one, &none) else {
                continue;
            };
            let token = text.token.as_ref().and_then(|at| at.text(one, &none));
            let left = Subscription {
                id,
                token,
                made: self.now,
                ends: None,
                by: String::new(),
            };
            self.unsubscribe(&left).await;
        }
        Ok(())
    }

    fn is_ours(&self, text: &ExistingText, one: &Json) -> bool {
        let given = self.given();
        text.ours.value.0.iter().all(|(place, wanted)| {
            let shown = Place::parse(&place.value).ok();
            let shown = shown.and_then(|place| place.text(one, &HeaderMap::new()));
            shown.is_some() && shown == wanted.value.text(&|name| given.get(name))
        })
    }

    /// Ends one in whose place there is another; one that is not ended ends by itself.
    async fn unsubscribe(&self, held: &Subscription) {
        let Some(text) = self.push.unsubscribe.as_ref().map(|end| &end.value) else {
            return;
        };
        if let Err(error) = self
            .ask(text.call(), self.writing("unsubscribe"), Some(held))
            .await
        {
            tracing::info!(system = error.system, "{error}");
        }
    }

    fn made(
        &self,
        id: String,
        token: Option<String>,
        expires: Option<&Place>,
        reply: &Reply,
    ) -> Subscription {
        let body = reply.json();
        let shown = expires.and_then(|at| moment(&at.text(&body, &reply.headers)?));
        let lasts = self.push.lasts.and_then(|span| self.now.checked_add(span.0).ok());
        Subscription {
            id,
            token,
            made: self.now,
            ends: shown.or(lasts),
            by: self.by.to_owned(),
        }
    }

    fn reading(&self, operation: &'static str) -> Errand<'_> {
        Errand::reading(self.served.name(), operation)
    }

    fn writing(&self, operation: &'static str) -> Errand<'_> {
        Errand::writing(self.served.name(), operation)
    }

    fn given(&self) -> Given {
        let given = self.served.given().with("address", self.to.address);
        given.with("word", self.to.secret.expose_secret())
    }

    /// What is answered; none where there is no such subscription any more, or it is another one.
    async fn ask(
        &self,
        call: Call<'_>,
        errand: Errand<'_>,
        held: Option<&Subscription>,
    ) -> Result<Option<Reply>, Error> {
        let given = self
            .given()
            .maybe("subscription", held.map(|held| held.id.as_str()))
            .token(held.and_then(|held| held.token.as_deref()));
        let request = self.rest.request(call, &given, &Otherwise(None))?;
        let sent = self.rest.send(request, errand).await;
        let (reply, answer) = sent.map_err(Failure::into_error)?;
        match answer.means {
            None => Ok(Some(reply)),
            Some(Means::Gone | Means::Stale) if held.is_some() => Ok(None),
            Some(_) => Err(self.words(answer.error(&self.rest.http, &reply))),
        }
    }

    fn failure(&self, what: &str) -> Error {
        let advice = "Correct `push:` in the description";
        self.words(self.rest.http.error(ErrorKind::Protocol, what, advice))
    }

    fn words(&self, error: Error) -> Error {
        let what = format!(
            "it posts no messages of changes of {}, which are asked for every `poll` meanwhile: {}",
            self.served.name(),
            error.message
        );
        Error {
            message: what,
            ..error
        }
    }
}

/// A moment: as RFC 3339 or HTTP has it, or in seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    /// As seconds, that would be in the year 5138.
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    match text.parse::<i64>() {
        Ok(number) if number >= MILLISECONDS_FROM => Timestamp::from_millisecond(number).ok(),
        Ok(number) => Timestamp::from_second(number).ok(),
        Err(_) => text.parse().ok().or_else(|| clock::parse(text)),
    }
}
