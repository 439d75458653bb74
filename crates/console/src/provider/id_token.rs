//! What a provider says of somebody, and whether it says that to us, now (OpenID Connect Core 1.0, 3.1.3.7).

use super::signature;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// So far may two clocks be apart, in seconds.
const APART: i64 = 120;
/// So long after it was made is an ID token taken that comes by way of a sign-in, in seconds.
const FRESH: i64 = 600;

/// What an ID token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// How it is signed.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// What must be understood besides; we understand nothing of that kind.
    crit: Option<Json>,
}

/// What an ID token says, once it is believed.
///
/// # Errors
/// Why it is not, as part of a sentence.
pub(super) fn read(token: &str, keys: &Json, expected: &Expected<'_>) -> Result<Map<String, Json>, String> {
    let (signed, sign) = token.rsplit_once('.').ok_or("its ID token is none")?;
    let (head, said) = signed.split_once('.').ok_or("its ID token is none")?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "its ID token is none");
    let head: Head = serde_json::from_slice(&bytes(head)?).map_err(|_| "its ID token is none")?;
    if head.crit.is_some() {
        return Err("its ID token asks for more than we know".to_owned());
    }
    signature::verify(&head, keys, signed.as_bytes(), &bytes(sign)?)?;
    let said: Map<String, Json> =
        serde_json::from_slice(&bytes(said)?).map_err(|_| "its ID token is none")?;
    check(&said, expected)?;
    Ok(said)
}

fn check(said: &Map<String, Json>, expected: &Expected<'_>) -> Result<(), String> {
    let text = |claim: &str| said.get(claim).and_then(Json::as_str).unwrap_or_default();
    if text("iss") != expected.issuer {
        return Err("its ID token is another provider's (`iss`)".to_owned());
    }
    let ours = |one: &Json| one.as_str() == Some(expected.client_id);
    let (ours, others) = match said.get("aud") {
        Some(Json::Array(all)) => (all.iter().any(ours), all.iter().any(|one| !ours(one))),
        Some(one) => (ours(one), false),
        None => (false, false),
    };
    let party = said.get("azp");
    if !ours || party.is_some_and(|party| party.as_str() != Some(expected.client_id)) {
        return Err("its ID token is for another application (`aud`, `azp`)".to_owned());
    }
    // For several, it is for whom it says that it was given to.
    if others && party.is_none() {
        return Err(
            "its ID token is for several applications (`aud`) and does not say which (`azp`)".to_owned(),
        );
    }
    if text("nonce") != expected.nonce {
        return Err("its ID token is of another sign-in (`nonce`)".to_owned());
    }
    let subject = text("sub");
    if subject.is_empty() || subject.chars().count() > 255 {
        return Err("its ID token names nobody (`sub`)".to_owned());
    }
    times(said, expected.now.as_second())
}

fn times(said: &Map<String, Json>, now: i64) -> Result<(), String> {
    let moment = |claim: &str| {
        let number = said.get(claim)?;
        // Fractions of a second say nothing here.
        number
            .as_i64()
            .or_else(|| number.to_string().split_once('.')?.0.parse().ok())
    };
    let (Some(until), Some(made)) = (moment("exp"), moment("iat")) else {
        return Err("its ID token does not say from when until when it holds (`iat`, `exp`)".to_owned());
    };
    if until.saturating_add(APART) <= now {
        return Err("its ID token has expired (`exp`)".to_owned());
    }
    let late = now.saturating_sub(made) > FRESH + APART;
    let early = [Some(made), moment("nbf")]
        .into_iter()
        .flatten()
        .any(|from| from.saturating_sub(APART) > now);
    if late || early || (said.contains_key("nbf") && moment("nbf").is_none()) {
        return Err(
            "its ID token is not of this moment (`iat`, `nbf`): see that both clocks are right".to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
