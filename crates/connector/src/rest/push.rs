//! Subscriptions: an ERP is asked to send messages of changes, and asked again before it ends to. A message is a hint, so
//! all that a subscription that is lost costs is time.

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::description::errors::Means;
use super::description::place::{Place, plain};
use super::description::push::PushText;
use super::description::requests::Call;
use super::errors::Answer;
use crate::http::{Failure, Reply};
use crate::kept::Kept;
use crate::webhook::Listener;
use crate::{Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The subscriptions of an earlier time, by record type.
#[derive(Default, Serialize, Deserialize)]
struct Past(BTreeMap<String, Held>);

/// A subscription.
#[derive(Clone, Serialize, Deserialize)]
struct Held {
    id: String,
    /// What it is about, and where its messages go.
    resource: String,
    listener: String,
    /// When it was made, or went on last.
    since: Timestamp,
    ends: Option<Timestamp>,
}

impl Held {
    /// When it is to go on: a third of its time is left then, for whatever comes in between.
    fn due(&self) -> Option<Timestamp> {
        let ends = self.ends?;
        let left = ends.duration_since(self.since) / 3;
        Some(ends.checked_sub(left).unwrap_or(ends))
    }
}

/// One resource to be subscribed to.
struct Wanted<'a> {
    rest: &'a Rest,
    push: &'a PushText,
    listener: &'a Listener,
    of: &'a str,
    resource: &'a str,
}

/// Makes what subscriptions there are not, and lets those go on that would end soon; when to look again.
pub(super) async fn keep(
    rest: &Rest,
    push: &PushText,
    listener: &Listener,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let file = rest.config.keep.as_ref().map(|keep| {
        let path = keep.folder.join(format!("{}.subscriptions", rest.config.name));
        Kept::new(path, keep.files.clone())
    });
    // Whoever else keeps them here has its turn first; where there is none, the ERP's own list tells.
    let _turn = match &file {
        Some(file) => file.turn().await.map_err(|error| unkept(rest, file, &error))?,
        None => None,
    };
    // What cannot be read any more is made anew.
    let read = file.as_ref().and_then(|file| file.read().ok().flatten());
    let mut past: Past = read
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut next = None;
    for (of, resource) in &push.resources.0 {
        if !rest.served.contains_key(&of.value) {
            continue;
        }
        let wanted = Wanted {
            rest,
            push,
            listener,
            of: &of.value,
            resource: &resource.value,
        };
        let earlier = past.0.get(&of.value).filter(|held| wanted.is_of(held));
        let due = |held: &Held| held.due().is_some_and(|due| due <= now);
        let held = match earlier {
            Some(held) if !due(held) => held.clone(),
            earlier => {
                let held = wanted.held(earlier.cloned(), now).await?;
                past.0.insert(of.value.clone(), held.clone());
                put(rest, file.as_ref(), &past)?;
                held
            }
        };
        next = match (next, held.due()) {
            (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    Ok(next)
}

fn put(rest: &Rest, file: Option<&Kept>, past: &Past) -> Result<(), Error> {
    let Some(file) = file else { return Ok(()) };
    let bytes = serde_json::to_vec(past).unwrap_or_default();
    file.replace(&bytes).map_err(|error| unkept(rest, file, &error))
}

fn unkept(rest: &Rest, file: &Kept, error: &std::io::Error) -> Error {
    let what = format!(
        "its subscriptions cannot be kept in {} ({error})",
        file.path().display()
    );
    rest.http.error(
        ErrorKind::Protocol,
        what,
        "See that the folder of the state can be written",
    )
}

impl Wanted<'_> {
    /// Whether a subscription is about this resource, and its messages come here.
    fn is_of(&self, held: &Held) -> bool {
        held.resource == self.resource && held.listener == self.listener.address
    }

    /// A subscription that lasts from now on: the earlier one, one that the ERP knows, else a new one.
    async fn held(&self, earlier: Option<Held>, now: Timestamp) -> Result<Held, Error> {
        let alive = earlier.filter(|held| held.ends.is_none_or(|ends| now < ends));
        let known = match alive {
            Some(held) => Some(held.id),
            None => self.found().await?,
        };
        let renewed = match known {
            Some(id) => self.renewed(&id, now).await?,
            None => None,
        };
        match renewed {
            Some(held) => Ok(held),
            None => self.made(now).await,
        }
    }

    async fn made(&self, now: Timestamp) -> Result<Held, Error> {
        let subscribe = &self.push.subscribe.value;
        let (reply, answer) = self.send(subscribe.call(), Given::default(), "subscribe").await?;
        if answer.means.is_some() {
            return Err(answer.error(&self.rest.http, &reply));
        }
        let id = subscribe.id.text(&reply.json(), &reply.headers).ok_or_else(|| {
            let what = format!("the reply to a subscription names none at `{}`", subscribe.id);
            self.rest.http.error(
                ErrorKind::Protocol,
                what,
                "Correct `id` under `push: subscribe` in the description",
            )
        })?;
        Ok(self.holds(id, subscribe.expires.as_ref(), &reply, now))
    }

    /// A subscription that goes on; none where there is none any more, or nothing says how.
    async fn renewed(&self, id: &str, now: Timestamp) -> Result<Option<Held>, Error> {
        let Some(renew) = &self.push.renew else {
            return Ok(None);
        };
        let given = Given::default().with("id", id);
        let (reply, answer) = self.send(renew.value.call(), given, "renew").await?;
        match answer.means {
            Some(Means::Gone) => Ok(None),
            Some(_) => Err(answer.error(&self.rest.http, &reply)),
            None => Ok(Some(self.holds(
                id.to_owned(),
                renew.value.expires.as_ref(),
                &reply,
                now,
            ))),
        }
    }

    /// One of an earlier time that is not remembered here.
    async fn found(&self) -> Result<Option<String>, Error> {
        let Some(find) = self.push.find.as_ref().map(|find| &find.value) else {
            return Ok(None);
        };
        let request = self
            .rest
            .request(find.call(), &self.given(Given::default()), &Otherwise(None))?;
        let (body, _) = self
            .rest
            .read(request, Errand::reading(self.of, "subscriptions"))
            .await?;
        let items = match &find.items {
            Some(place) => place.of(&body),
            None => Some(&body),
        };
        let items = items.and_then(Json::as_array).into_iter().flatten();
        let text = |item: &Json, place: &Place| place.of(item).and_then(plain);
        let mut ours = items.filter(|item| {
            text(item, &find.listener).as_deref() == Some(self.listener.address.as_str())
                && text(item, &find.resource)
                    .is_some_and(|shown| shown.trim_matches('/').ends_with(self.resource.trim_matches('/')))
        });
        Ok(ours.find_map(|item| text(item, &find.id)))
    }

    fn given(&self, given: Given) -> Given {
        given
            .with("listener", self.listener.address.as_str())
            .with("word", self.listener.secret.expose_secret())
            .with("resource", self.resource)
    }

    async fn send(
        &self,
        call: Call<'_>,
        given: Given,
        operation: &'static str,
    ) -> Result<(Reply, Answer), Error> {
        let request = self.rest.request(call, &self.given(given), &Otherwise(None))?;
        let sent = self.rest.send(request, Errand::writing(self.of, operation)).await;
        sent.map_err(Failure::into_error)
    }

    fn holds(&self, id: String, expires: Option<&Place>, reply: &Reply, now: Timestamp) -> Held {
        let body = reply.json();
        let shown = expires.and_then(|place| place.shown(&body, &reply.headers));
        let moments = self
            .rest
            .served
            .get(self.of)
            .map(|served| &served.of.moments.moments);
        let said = shown
            .zip(moments)
            .and_then(|(shown, moments)| moments.moment(&shown));
        let lasts = self.push.lasts.map(|span| span.0);
        let ends = said.or_else(|| now.checked_add(lasts?).ok());
        Held {
            id,
            resource: self.resource.to_owned(),
            listener: self.listener.address.clone(),
            since: now,
            // One that is over at once would be made without end.
            ends: ends.map(|ends| ends.max(now + SignedDuration::from_secs(60))),
        }
    }
}
