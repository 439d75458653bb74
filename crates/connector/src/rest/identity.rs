//! Who an ERP is.

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::description::place::Place;
use super::description::requests::Call;
use super::read::{self, Asked};
use crate::http::Reply;
use crate::{Error, Identification};
use serde_json::Value as Json;

impl Rest {
    /// Asks who the ERP is; where it does not say, whether it answers at all.
    pub(super) async fn greet(&self) -> Result<Identification, Error> {
        let Some(identity) = &self.description.identity else {
            let mut version = None;
            if let Some(served) = self.served.values().next() {
                let asked = Asked::list(&served.of.list, "list");
                // Whether its records are as described is no matter of who it is.
                let reply = match asked.window {
                    Some(_) => {
                        let page = read::page(self, served, &asked, &Given::default(), None).await?;
                        page.reply
                    }
                    None => {
                        let (_, reply, _) = read::raw(self, served, &asked, &Given::default(), None).await?;
                        reply
                    }
                };
                version = told(&reply);
            }
            let id = format!("{}{}", crate::http::address::shown(&self.config.url), self.root);
            return Ok(Identification {
                name: self.description.name().to_owned(),
                id,
                user: String::new(),
                author: None,
                sandbox: None,
                instance: None,
                version,
            });
        };
        let (body, reply) = self.asked(identity.call()).await?;
        let text = |place: Option<&Place>| place.and_then(|place| place.text(&body, &reply.headers));
        let id = identity.id.value.text(&body, &reply.headers).ok_or_else(|| {
            let place = &identity.id.value;
            self.http
                .protocol(format!("it does not say who it is: nothing stands at `{place}`"))
        })?;
        let (mut user, mut author) = (text(identity.user.as_ref()), text(identity.author.as_ref()));
        if let Some(who) = &identity.who {
            let (body, reply) = self.asked(who.call()).await?;
            user = who.user.text(&body, &reply.headers);
            author = who
                .author
                .as_ref()
                .and_then(|place| place.text(&body, &reply.headers));
        }
        Ok(Identification {
            id,
            name: text(identity.name.as_ref()).unwrap_or_else(|| self.description.name().to_owned()),
            author: author.or_else(|| user.clone()),
            user: user.unwrap_or_default(),
            sandbox: None,
            instance: None,
            version: told(&reply),
        })
    }

    async fn asked(&self, call: Call<'_>) -> Result<(Json, Reply), Error> {
        let request = self.request(call, &Given::default(), &Otherwise(None))?;
        self.read(request, Errand::reading("identity", "read")).await
    }
}

/// What a reply says of the version of what answers.
fn told(reply: &Reply) -> Option<String> {
    const TELLING: [&str; 3] = ["OData-Version", "DataServiceVersion", "Server"];
    let of = |name: &&str| {
        let value = reply.headers.get(*name)?.to_str().ok()?.trim();
        let short: String = value.trim_end_matches(';').chars().take(80).collect();
        (!short.is_empty()).then(|| format!("{name}: {short}"))
    };
    let all: Vec<String> = TELLING.iter().filter_map(of).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
