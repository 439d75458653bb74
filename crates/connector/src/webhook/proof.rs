//! Whether a message comes from the system, just now, and for the first time.

use super::Refused;
use crate::rest::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use ring::hmac;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tandem_merge::config::{self, Encoding, SignedPart};

/// A header names no more signatures than that: one is enough, two stand there while secrets change.
const SIGNATURES: usize = 8;
/// So many messages of a window are remembered; a busier system is asked again for some.
const REMEMBERED: usize = 100_000;
/// A secret that is shorter is guessed.
const SHORTEST: usize = 16;

/// What a message must carry.
pub(super) struct Proof {
    key: hmac::Key,
    of: config::Webhook,
    /// Where each entry shows the secret, and the secret.
    word: Option<(Place, hmac::Tag)>,
    /// The signatures of the window, and when each is forgotten.
    seen: Mutex<BTreeMap<Vec<u8>, Timestamp>>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proof").finish_non_exhaustive()
    }
}

impl Proof {
    /// With the secret as it is kept.
    pub(super) fn new(of: &config::Webhook, secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        let bytes = match secret.strip_prefix("whsec_") {
            Some(coded) => STANDARD
                .decode(coded)
                .map_err(|_| "the secret of its webhooks begins with `whsec_`, and no base64 follows")?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST {
            return Err(
                "the secret of its webhooks has fewer than 16 bytes, which can be guessed".to_owned(),
            );
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let place = of.word.as_deref().map(Place::parse).transpose();
        let place = place.map_err(|(what, _)| format!("{what} (`word` of its webhooks)"))?;
        Ok(Self {
            word: place.map(|place| (place, hmac::sign(&key, secret.as_bytes()))),
            key,
            of: of.clone(),
            seen: Mutex::default(),
        })
    }

    /// Whether a message is proven and new; one that came before is proven and not new.
    pub(super) fn accepts(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<bool, Refused> {
        if let Some((place, tag)) = &self.word {
            return match self.shows_word(place, tag, body) {
                // Nothing tells a repetition from another message that says the same.
                true => Ok(true),
                false => Err(Refused::Unproven("it does not show the shared word")),
            };
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let written = header(&self.of.signature).ok_or(Refused::Unproven("it has no signature"))?;
        let stamp = self.of.timestamp.as_deref().map(|name| {
            let text = header(name).ok_or(Refused::Unproven("it has no time stamp"))?;
            moment(text)
                .ok_or(Refused::Unproven("its time stamp is none"))
                .map(|at| (text, at))
        });
        let stamp = stamp.transpose()?;
        let signed = self.signed(header(&self.of.id), stamp.map(|(text, _)| text), body)?;
        let valid = written
            .split(' ')
            .filter_map(|text| text.strip_prefix(self.of.prefix.as_str()))
            .take(SIGNATURES)
            .filter_map(|text| self.decoded(text))
            .find(|signature| hmac::verify(&self.key, &signed, signature).is_ok());
        let signature = valid.ok_or(Refused::Unproven("its signature does not fit"))?;
        let Some((_, at)) = stamp else {
            // Nothing tells a repetition from another message that says the same.
            return Ok(true);
        };
        let window = SignedDuration::from_millis(self.of.window_ms);
        if now.duration_since(at).abs() > window {
            return Err(Refused::Unproven(
                "its time stamp is too far from now: it is old, or the clocks differ",
            ));
        }
        Ok(self.is_new(signature, now, window))
    }

    /// Whether every entry shows the secret. They are compared by their tags, so that time tells nothing.
    fn shows_word(&self, place: &Place, tag: &hmac::Tag, body: &[u8]) -> bool {
        let message: Json = serde_json::from_slice(body).unwrap_or_default();
        let words = place.each(&message).unwrap_or_default();
        let fits = |word: &&Json| {
            let word = word.as_str().unwrap_or_default();
            hmac::verify(&self.key, word.as_bytes(), tag.as_ref()).is_ok()
        };
        !words.is_empty() && words.iter().all(fits)
    }

    fn is_new(&self, signature: Vec<u8>, now: Timestamp, window: SignedDuration) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, until| *until >= now);
        }
        if seen.len() >= REMEMBERED {
            return true;
        }
        let until = now.saturating_add(window * 2).unwrap_or(Timestamp::MAX);
        // What came before is forgotten when its time stamp is refused anyway.
        seen.insert(signature, until).is_none_or(|before| before < now)
    }

    fn signed(&self, id: Option<&str>, stamp: Option<&str>, body: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut signed = Vec::with_capacity(body.len() + 64);
        for part in &self.of.signs {
            match part {
                SignedPart::Text(text) => signed.extend_from_slice(text.as_bytes()),
                SignedPart::Body => signed.extend_from_slice(body),
                SignedPart::Timestamp => signed.extend_from_slice(stamp.unwrap_or_default().as_bytes()),
                SignedPart::Id => {
                    let id = id.ok_or(Refused::Unproven("it has no id"))?;
                    signed.extend_from_slice(id.as_bytes());
                }
            }
        }
        Ok(signed)
    }

    fn decoded(&self, text: &str) -> Option<Vec<u8>> {
        match self.of.encoding {
            Encoding::Base64 => STANDARD.decode(text).ok(),
            Encoding::Hex => hex(text),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|sign| sign.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes = digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok());
    bytes.collect()
}

/// A moment: seconds or milliseconds since 1970, or as RFC 3339 has it.
fn moment(text: &str) -> Option<Timestamp> {
    /// As seconds, that would be in the year 5138.
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    match text.trim().parse::<i64>() {
        Ok(number) if number.abs() >= MILLISECONDS_FROM => Timestamp::from_millisecond(number).ok(),
        Ok(number) => Timestamp::from_second(number).ok(),
        Err(_) => text.trim().parse().ok(),
    }
}
