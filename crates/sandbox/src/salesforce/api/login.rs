//! Tokens, and who one is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::{Call, Reply};
use crate::salesforce::fault::{Code, Fault};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::session::signature;

/// Answers `/services/oauth2/...` and `/id/{org}/{user}`; `url` is the address of this server.
pub(crate) fn oauth(org: &mut Org, url: &str, call: &Call) -> Reply {
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["services", "oauth2", "token"]) => token(org, url, call),
        ("POST" | "GET", ["services", "oauth2", "userinfo"]) | ("GET", ["id", _, _]) => {
            user_info(org, url, call)
        }
        ("POST", ["services", "oauth2", "revoke"]) => {
            if let Some(token) = form(call).iter().find(|(name, _)| name == "token") {
                org.sessions.revoke(&token.1);
            }
            Reply::empty(200)
        }
        (method, ["services", "oauth2", "token" | "revoke"]) => {
            Fault::method_not_allowed(method, "POST").into()
        }
        _ => Fault::not_found().into(),
    }
}

fn form(call: &Call) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&call.body)
        .into_owned()
        .chain(call.parameters.iter().cloned())
        .collect()
}

fn refuse(error: &str, description: &str) -> Reply {
    Reply {
        status: 400,
        ..Reply::ok(json!({ "error": error, "error_description": description }))
    }
}

fn token(org: &mut Org, url: &str, call: &Call) -> Reply {
    let form = form(call);
    let field = |name: &str| {
        form.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return refuse("unsupported_grant_type", "grant type not supported"),
        None => return refuse("invalid_request", "grant type is missing"),
    }
    let basic = call.header("authorization").and_then(basic);
    let (id, secret) = basic.unwrap_or_else(|| {
        (
            field("client_id").unwrap_or_default(),
            field("client_secret").unwrap_or_default(),
        )
    });
    let known = org
        .options
        .users
        .iter()
        .any(|user| user.client_id.as_deref() == Some(id.as_str()));
    if !known {
        return refuse("invalid_client_id", "client identifier invalid");
    }
    let Some(user) = org.client(&id, &secret) else {
        return refuse("invalid_client", "invalid client credentials");
    };
    if !org.is_active(user) {
        return refuse("inactive_user", "user is inactive");
    }
    let now = org.now();
    let organization = org.organization();
    let token = org.sessions.open(organization, user, now);
    let identity = identity(url, organization, user);
    let issued_at = format!("{now}000");
    Reply::ok(json!({
        "access_token": token,
        "instance_url": url,
        "id": identity,
        "token_type": "Bearer",
        "scope": "api",
        "issued_at": issued_at,
        "signature": signature(&secret, &format!("{identity}{issued_at}")),
    }))
    .with("Cache-Control", "no-store".to_owned())
}

fn basic(header: &str) -> Option<(String, String)> {
    let text = STANDARD.decode(header.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.split_once(':')
        .map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

fn identity(url: &str, organization: RecordId, user: RecordId) -> String {
    format!("{url}/id/{organization}/{user}")
}

fn user_info(org: &Org, url: &str, call: &Call) -> Reply {
    let token = call
        .header("authorization")
        .and_then(|header| header.split_once(' '))
        .map(|(_, token)| token.trim());
    let Some(user) = token.and_then(|token| org.sessions.user(token, org.now())) else {
        return Reply {
            status: 403,
            ..Fault::new(Code::InvalidSession, "Bad_OAuth_Token").into()
        };
    };
    let text = |field: &str| org.text_of(user, field).map_or(Json::Null, Json::String);
    let organization = org.organization();
    Reply::ok(json!({
        "sub": identity(url, organization, user),
        "id": identity(url, organization, user),
        "user_id": user.to_string(),
        "organization_id": organization.to_string(),
        "preferred_username": text("Username"),
        "username": text("Username"),
        "display_name": text("Name"),
        "nickname": text("CommunityNickname"),
        "name": text("Name"),
        "email": text("Email"),
        "email_verified": true,
        "given_name": text("FirstName"),
        "family_name": text("LastName"),
        "zoneinfo": text("TimeZoneSidKey"),
        "locale": text("LocaleSidKey"),
        "language": text("LanguageLocaleKey"),
        "user_type": "STANDARD",
        "active": true,
        "urls": {
            "rest": format!("{url}/services/data/v{{version}}/"),
            "sobjects": format!("{url}/services/data/v{{version}}/sobjects/"),
            "query": format!("{url}/services/data/v{{version}}/query/"),
        },
    }))
}
