//! Who an ERP is.

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::description::operations::Call;
use super::description::place::Place;
use super::read::{self, Asked};
use crate::{Error, Identification};
use tandem_merge::config::written::Table;

impl Rest {
    /// Asks who the ERP is; where it does not say, whether it answers at all.
    pub(super) async fn greet(&self) -> Result<Identification, Error> {
        let Some(identity) = &self.description.identity else {
            if let Some(served) = self.served.values().next() {
                let asked = Asked::list(&served.of.list, "list");
                read::page(self, served, &asked, &Given::default(), None).await?;
            }
            let id = format!("{}{}", crate::http::address::shown(&self.config.url), self.root);
            return Ok(Identification {
                name: self.description.name().to_owned(),
                id,
                user: String::new(),
                author: None,
                sandbox: None,
                instance: None,
            });
        };
        let call = Call {
            line: &identity.request,
            query: &Table(Vec::new()),
            headers: &Table(Vec::new()),
            body: identity.body.as_ref(),
        };
        let request = self.request(call, &Given::default(), &Otherwise(None))?;
        let (body, reply) = self.read(request, Errand::reading("identity", "read")).await?;
        let text = |place: Option<&Place>| place.and_then(|place| place.text(&body, &reply.headers));
        let id = identity.id.value.text(&body, &reply.headers).ok_or_else(|| {
            let place = &identity.id.value;
            self.http
                .protocol(format!("it does not say who it is: nothing stands at `{place}`"))
        })?;
        let user = text(identity.user.as_ref());
        Ok(Identification {
            id,
            name: text(identity.name.as_ref()).unwrap_or_else(|| self.description.name().to_owned()),
            author: text(identity.author.as_ref()).or_else(|| user.clone()),
            user: user.unwrap_or_default(),
            sandbox: None,
            instance: None,
        })
    }
}
