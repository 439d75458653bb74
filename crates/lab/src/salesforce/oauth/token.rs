//! `/services/oauth2/token`: an access token for what proves that one may have it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Form, Refusal, assertion, identity_url};
use crate::salesforce::api::{Call, Reply};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::session::signature;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The client of a request, and what the token is to be for.
struct Permit {
    client: String,
    user: RecordId,
    scope: String,
    /// A refresh token for the reply.
    refresh: Option<String>,
}

/// Answers the request by its grant type.
pub(super) fn grant(org: &mut Org, url: &str, call: &Call) -> Result<Reply, Refusal> {
    let form = Form::of(call);
    match form.get("grant_type") {
        Some("client_credentials") => {
            let permit = client_credentials(org, call, &form)?;
            issue(org, url, &permit, None)
        }
        Some(JWT_BEARER) => {
            let permit = jwt_bearer(org, url, call, &form)?;
            issue(org, url, &permit, None)
        }
        Some("authorization_code") => {
            let permit = authorization_code(org, call, &form)?;
            let family = permit.refresh.clone();
            issue(org, url, &permit, family.as_deref())
        }
        Some("refresh_token") => {
            let permit = refresh_token(org, call, &form)?;
            let family = permit.refresh.clone();
            let family = family.unwrap_or_else(|| form.text("refresh_token").to_owned());
            issue(org, url, &permit, Some(&family))
        }
        // The flow exists, and orgs block it.
        Some("password") => Err(Refusal::AUTHENTICATION),
        Some(_) => Err(Refusal::GRANT_TYPE),
        None => Err(Refusal::NO_GRANT_TYPE),
    }
}

/// The client and its secret, from the header or the form.
pub(super) fn credentials(call: &Call, form: &Form) -> (String, Option<String>) {
    let basic = call.header("authorization").and_then(|header| {
        let text = STANDARD.decode(header.strip_prefix("Basic ")?.trim()).ok()?;
        let text = String::from_utf8(text).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((id.to_owned(), Some(secret.to_owned())))
    });
    basic.unwrap_or_else(|| {
        let secret = form.get("client_secret").filter(|secret| !secret.is_empty());
        (form.text("client_id").to_owned(), secret.map(str::to_owned))
    })
}

/// The known client whose secret fits.
pub(super) fn proven_client(org: &Org, call: &Call, form: &Form) -> Result<String, Refusal> {
    let (client, secret) = credentials(call, form);
    if !org.knows_client(&client) {
        return Err(Refusal::CLIENT_ID);
    }
    if !org.secret_fits(&client, secret.as_deref()) {
        return Err(Refusal::CLIENT);
    }
    Ok(client)
}

fn client_credentials(org: &Org, call: &Call, form: &Form) -> Result<Permit, Refusal> {
    let (client, secret) = credentials(call, form);
    if !org.knows_client(&client) {
        return Err(Refusal::CLIENT_ID);
    }
    let user = org
        .client(&client, secret.as_deref().unwrap_or_default())
        .ok_or(Refusal::CLIENT)?;
    Ok(Permit {
        client,
        user,
        scope: "api".to_owned(),
        refresh: None,
    })
}

fn jwt_bearer(org: &Org, url: &str, call: &Call, form: &Form) -> Result<Permit, Refusal> {
    let own = url.split_once("://").map_or(url, |(_, host)| host);
    let hosts = [own, call.header("host").unwrap_or(own)];
    // Assertions are judged by the machine's clock: a test that moves the org's does not make clients' clocks wrong.
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let clock = i64::try_from(clock).unwrap_or(i64::MAX);
    let bearer = assertion::check(org, form.text("assertion"), &hosts, clock)?;
    Ok(Permit {
        client: bearer.client,
        user: bearer.user,
        scope: form.get("scope").unwrap_or("api web").to_owned(),
        refresh: None,
    })
}

fn authorization_code(org: &mut Org, call: &Call, form: &Form) -> Result<Permit, Refusal> {
    let client = proven_client(org, call, form)?;
    let code = org
        .grants
        .redeem(form.text("code"))
        .filter(|code| code.client == client)
        .ok_or(Refusal::INVALID_CODE)?;
    if code.redeemed || code.expires <= org.now() {
        return Err(Refusal::EXPIRED_CODE);
    }
    if form.text("redirect_uri") != code.redirect {
        return Err(Refusal::REDIRECT);
    }
    if let Some(challenge) = &code.challenge {
        let digest = Sha256::digest(form.text("code_verifier").as_bytes());
        if URL_SAFE_NO_PAD.encode(digest) != challenge.trim_end_matches('=') {
            return Err(Refusal::VERIFIER);
        }
    }
    let refreshable = ["refresh_token", "offline_access", "full"];
    let refresh = code.scope.split(' ').any(|scope| refreshable.contains(&scope));
    let refresh = refresh.then(|| org.grants.open(&client, code.user, &code.scope));
    Ok(Permit {
        client,
        user: code.user,
        scope: code.scope,
        refresh,
    })
}

fn refresh_token(org: &mut Org, call: &Call, form: &Form) -> Result<Permit, Refusal> {
    let client = proven_client(org, call, form)?;
    match org.grants.refresh(&client, form.text("refresh_token")) {
        Ok(refreshed) => Ok(Permit {
            client,
            user: refreshed.user,
            scope: refreshed.scope,
            refresh: refreshed.rotated,
        }),
        Err(stolen) => {
            for token in stolen {
                org.sessions.revoke(&token);
            }
            Err(Refusal::EXPIRED_TOKEN)
        }
    }
}

/// The reply; `family` is the refresh token that the access token belongs to.
fn issue(org: &mut Org, url: &str, permit: &Permit, family: Option<&str>) -> Result<Reply, Refusal> {
    if !org.is_active(permit.user) {
        return Err(Refusal::USER);
    }
    let now = org.now();
    let organization = org.organization();
    let token = org.sessions.open(organization, permit.user, now);
    if let Some(family) = family {
        org.grants.note_access(family, &token);
    }
    let identity = identity_url(url, organization, permit.user);
    let issued_at = format!("{now}000");
    let secret = org
        .client_options(&permit.client)
        .and_then(|user| user.client_secret.clone())
        .unwrap_or_default();
    let mut body = json!({
        "access_token": token,
        "instance_url": url,
        "id": identity,
        "token_type": "Bearer",
        "scope": permit.scope,
        "issued_at": issued_at,
        "signature": signature(&secret, &format!("{identity}{issued_at}")),
    });
    if let Some(refresh) = &permit.refresh {
        body["refresh_token"] = json!(refresh);
    }
    Ok(Reply::ok(body).with("Cache-Control", "no-store".to_owned()))
}
