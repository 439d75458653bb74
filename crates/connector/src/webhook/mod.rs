//! Changes that a system tells of by itself, with messages over HTTP.
//!
//! A message is a hint and never a value: the record that it names is read from the system, or the system is asked what
//! changed. So neither the order of messages nor their repetition matters, and one that is lost is made up for by the
//! next question for changes. What is left to guard is that nobody else makes us ask: messages are signed (HMAC with
//! SHA-256 over time stamp and body), and one outside the window of time, or a second time inside it, has no effect.

mod notices;
mod proof;
#[cfg(test)]
mod tests;

use crate::http::wire;
use crate::rest::{Place, plain};
use jiff::Timestamp;
use notices::Notices;
use proof::Proof;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::config;
use tandem_merge::record::{RecordKey, RecordType};

/// What a system's messages are held against, and what they told.
#[derive(Debug)]
pub struct Webhook {
    system: String,
    proof: Proof,
    tells: Option<Tells>,
    echo: Option<String>,
    types: BTreeSet<RecordType>,
    notices: Notices,
    secret: SecretString,
}

/// Where a system is to post its messages, and the secret that proves them.
#[derive(Clone, Copy, Debug)]
pub struct Callback<'a> {
    /// The address that it is told.
    pub address: &'a str,
    /// The secret of its messages.
    pub secret: &'a SecretString,
}

/// Where a message names the records that changed.
#[derive(Debug)]
struct Tells {
    at: Place,
    record_type: Place,
    id: Place,
    address: Option<Place>,
    types: BTreeMap<String, String>,
}

impl Tells {
    fn read(of: &config::Tells) -> Result<Self, String> {
        let place = |text: &str| {
            Place::parse(text).map_err(|(what, _)| format!("{what} (`records` of its webhooks)"))
        };
        Ok(Self {
            at: place(&of.at)?,
            record_type: place(&of.record_type)?,
            id: place(&of.id)?,
            address: of.address.as_deref().map(place).transpose()?,
            types: of.types.clone(),
        })
    }
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not prove that the system sent it, just now.
    #[error("{0}")]
    Unproven(&'static str),
    /// It is signed, and not understood. That something changed is believed.
    #[error("{0}")]
    Unreadable(String),
}

impl Webhook {
    /// For a system whose record types are these.
    ///
    /// # Errors
    /// The secret cannot be one, or a place is none, in a sentence.
    pub fn new(
        system: &str,
        of: &config::Webhook,
        secret: &str,
        types: BTreeSet<RecordType>,
    ) -> Result<Self, String> {
        wire::hide(secret);
        let proof = Proof::new(of, secret)?;
        let tells = of.tells.as_ref().map(Tells::read).transpose()?;
        Ok(Self {
            system: system.to_owned(),
            proof,
            tells,
            echo: of.echo.clone(),
            types,
            notices: Notices::default(),
            secret: secret.trim().into(),
        })
    }

    /// The system that tells.
    #[must_use]
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The secret that proves its messages.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// The parameter that is sent back when the system asks whether somebody listens.
    #[must_use]
    pub fn echo(&self) -> Option<&str> {
        self.echo.as_deref()
    }

    /// Takes a message: what it names is looked at soon.
    ///
    /// # Errors
    /// It is not proven, and has no effect; or what it says is not understood.
    pub fn take(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Refused> {
        if !self.proof.accepts(headers, body, now)? {
            return Ok(());
        }
        let Some(tells) = &self.tells else {
            self.notices.add(Vec::new());
            return Ok(());
        };
        let named = named(tells, body);
        let keys = named.as_deref().unwrap_or_default().iter();
        let keys = keys.filter_map(|(name, id)| {
            let ours = tells.types.get(name).unwrap_or(name);
            let of = RecordType::new(&self.system, ours);
            self.types
                .contains(&of)
                .then(|| RecordKey::new(&self.system, ours, id))
        });
        self.notices.add(keys.collect());
        named.map(drop).map_err(Refused::Unreadable)
    }

    /// Resolves when messages came that nobody asked for yet; those that come together are told together.
    pub(crate) async fn changed(&self) {
        self.notices.changed().await;
    }

    /// The records of these types that messages named, for whoever asks for changes from a cursor on; the others are kept.
    /// Those that were handed out before come again where the page that they went with was not kept.
    pub(crate) fn told(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Vec<RecordKey> {
        self.notices.take(types, cursor)
    }

    /// These records went with a page that ends there.
    pub(crate) fn went_with(&self, keys: Vec<RecordKey>, cursor: &[u8]) {
        self.notices.went_with(keys, cursor);
    }

    /// Puts records back that could not be looked at.
    pub(crate) fn again(&self, keys: Vec<RecordKey>) {
        self.notices.add(keys);
    }
}

/// The record types and ids that a message names.
fn named(tells: &Tells, body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let message: Json = serde_json::from_slice(body).map_err(|error| format!("it is no JSON ({error})"))?;
    let at = tells
        .at
        .of(&message)
        .ok_or_else(|| format!("nothing stands at `{}`", tells.at))?;
    let records = match at {
        Json::Array(records) => records.iter().collect(),
        one => vec![one],
    };
    let text = |record: &Json, place: &Place| plain(place.of(record)?);
    if let Some(place) = &tells.address {
        // An address of a list names no record: the system is asked.
        let addresses = records.iter().filter_map(|record| text(record, place));
        return Ok(addresses.filter_map(|address| last_of(&address)).collect());
    }
    let pairs = records.iter().map(|record| {
        let pair = text(record, &tells.record_type).zip(text(record, &tells.id));
        pair.ok_or_else(|| {
            format!(
                "a record has no type at `{}` or no id at `{}`",
                tells.record_type, tells.id
            )
        })
    });
    pairs.collect()
}

/// Type and id of an address that ends with `customers(7)` or `customers('7')`.
fn last_of(address: &str) -> Option<(String, String)> {
    let end = address.rsplit('/').next()?;
    let (name, id) = end.strip_suffix(')')?.split_once('(')?;
    Some((name.to_owned(), id.trim_matches('\'').to_owned()))
}
