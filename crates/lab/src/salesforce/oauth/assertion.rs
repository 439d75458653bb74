//! The assertion of the JWT bearer grant: signed with the client's key, by RS256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value as Json;

use super::{Refusal, public_key};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

/// How far ahead an assertion may expire, and how far clocks may differ, in seconds.
const LONGEST: i64 = 300;
const SKEW: i64 = 180;
/// From here on a number counts milliseconds, as Salesforce's own command line sends them: as seconds it were the year 5138.
const MILLISECONDS: i64 = 100_000_000_000;
/// The hosts that every org answers for.
const LOGIN_HOSTS: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];

/// Who speaks, and for whom.
pub(super) struct Bearer {
    pub(super) client: String,
    pub(super) user: RecordId,
}

/// Checks the assertion; `hosts` are the names that this server is called by, `clock` is the machine's.
pub(super) fn check(org: &Org, assertion: &str, hosts: &[&str], clock: i64) -> Result<Bearer, Refusal> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or(Refusal::ASSERTION)?;
    let (head, claims) = signed.split_once('.').ok_or(Refusal::ASSERTION)?;
    let (head, claims) = (part(head)?, part(claims)?);
    let claim = |name: &str| claims.get(name).and_then(Json::as_str);
    if head.get("alg").and_then(Json::as_str) != Some("RS256") {
        return Err(Refusal::ASSERTION);
    }
    let client = claim("iss").unwrap_or_default();
    if !org.knows_client(client) {
        return Err(Refusal::CLIENT_ID);
    }
    let certificate = org
        .client_options(client)
        .and_then(|user| user.certificate.as_deref());
    let key = certificate.and_then(public_key).ok_or(Refusal::ASSERTION)?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature.trim_end_matches('='))
        .map_err(|_| Refusal::ASSERTION)?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Refusal::ASSERTION)?;
    check_audience(&claims, hosts)?;
    check_time(&claims, clock)?;
    // Early clients name the user as `prn`.
    let name = claim("sub").or_else(|| claim("prn")).ok_or(Refusal::ASSERTION)?;
    let user = org
        .find_by_text("User", "Username", name)
        .filter(|user| org.has_approved(client, *user))
        .ok_or(Refusal::NOT_APPROVED)?;
    Ok(Bearer {
        client: client.to_owned(),
        user,
    })
}

fn part(text: &str) -> Result<Json, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    let bytes = bytes.map_err(|_| Refusal::ASSERTION)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::ASSERTION)
}

fn check_audience(claims: &Json, hosts: &[&str]) -> Result<(), Refusal> {
    let named: Vec<&str> = match claims.get("aud") {
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
        Some(Json::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let fits = |audience: &&str| {
        let host = audience.split_once("://").map_or(*audience, |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        LOGIN_HOSTS.contains(&host) || hosts.contains(&host)
    };
    if named.iter().any(fits) {
        return Ok(());
    }
    Err(Refusal::AUDIENCE)
}

fn check_time(claims: &Json, clock: i64) -> Result<(), Refusal> {
    // Some clients write the seconds as text, some with a fraction.
    let expires = match claims.get("exp") {
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::String(text)) => text.clone(),
        _ => return Err(Refusal::ASSERTION),
    };
    let whole = expires.split('.').next().unwrap_or_default();
    let mut expires: i64 = whole.parse().map_err(|_| Refusal::ASSERTION)?;
    if expires >= MILLISECONDS {
        expires /= 1_000;
    }
    if expires + SKEW <= clock {
        return Err(Refusal::EXPIRED_CODE);
    }
    if expires > clock + LONGEST + SKEW {
        return Err(Refusal::ASSERTION);
    }
    Ok(())
}
