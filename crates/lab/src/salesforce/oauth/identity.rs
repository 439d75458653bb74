//! Who one is: `/services/oauth2/userinfo`, `/id/{org}/{user}` and introspection.

use axum::body::Body;
use axum::http::Response;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{Form, Refusal, identity_url, plain, token};
use crate::salesforce::api::{Call, Reply};
use crate::salesforce::fault::{Code, Fault};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::server::respond;
use crate::salesforce::value::{Value, moment_text};

/// The user of the request's token: in the header, the form or the address.
fn bearer(org: &Org, call: &Call) -> Result<RecordId, &'static str> {
    let form = Form::of(call);
    let header = call
        .header("authorization")
        .and_then(|header| header.split_once(' '))
        .map(|(_, token)| token.trim());
    let token = header
        .or_else(|| form.get("access_token"))
        .or_else(|| form.get("oauth_token"))
        .ok_or("Missing_OAuth_Token")?;
    let user = org.sessions.user(token, org.now());
    user.filter(|user| org.is_active(*user)).ok_or("Bad_OAuth_Token")
}

/// The claims of OpenID Connect.
pub(super) fn user_info(org: &Org, url: &str, call: &Call) -> Reply {
    let user = match bearer(org, call) {
        Ok(user) => user,
        Err(refusal) => {
            return Reply {
                status: 403,
                ..Fault::new(Code::InvalidSession, refusal).into()
            };
        }
    };
    let own = identity_url(url, org.organization(), user);
    let text = |field: &str| org.user_json(user, field);
    let mut info = shared(org, url, user);
    info.extend(object(json!({
        "sub": own,
        "preferred_username": text("Username"),
        "nickname": text("CommunityNickname"),
        "name": text("Name"),
        "given_name": text("FirstName"),
        "family_name": text("LastName"),
        "zoneinfo": text("TimeZoneSidKey"),
        "profile": format!("{url}/{user}"),
        "picture": format!("{url}/profilephoto/005/F"),
        "address": {},
        "is_salesforce_integration_user": false,
        "updated_at": changed(org, user),
    })));
    if let Some(phone) = org.text_of(user, "Phone") {
        info.insert("phone_number".to_owned(), json!(phone));
    }
    Reply::ok(Json::Object(info))
}

/// The identity that a token reply's `id` leads to.
pub(super) fn identity(org: &Org, url: &str, call: &Call, organization: &str, user: &str) -> Response<Body> {
    let asked = RecordId::parse(user).ok();
    let here = RecordId::parse(organization).ok() == Some(org.organization());
    let caller = match bearer(org, call) {
        Ok(caller) => caller,
        Err(refusal) => return plain(403, refusal),
    };
    if !here || asked != Some(caller) {
        return plain(403, "Bad_Id");
    }
    let text = |field: &str| org.user_json(caller, field);
    let mut info = shared(org, url, caller);
    info.extend(object(json!({
        "id": identity_url(url, org.organization(), caller),
        "asserted_user": true,
        "username": text("Username"),
        "nick_name": text("CommunityNickname"),
        "display_name": text("Name"),
        "first_name": text("FirstName"),
        "last_name": text("LastName"),
        "timezone": text("TimeZoneSidKey"),
        "addr_street": text("Street"),
        "addr_city": text("City"),
        "addr_state": text("State"),
        "addr_country": text("Country"),
        "addr_zip": text("PostalCode"),
        "mobile_phone": text("MobilePhone"),
        "mobile_phone_verified": false,
        "is_lightning_login_user": false,
        "status": { "created_date": null, "body": null },
        "last_modified_date": changed(org, caller),
    })));
    let mut info = Json::Object(info);
    if let Some(version) = call.parameter("version") {
        let version = if version == "latest" {
            format!("{}.0", crate::salesforce::api::NEWEST)
        } else {
            version.to_owned()
        };
        if let Some(urls) = info["urls"].as_object_mut() {
            for address in urls.values_mut() {
                *address = json!(
                    address
                        .as_str()
                        .unwrap_or_default()
                        .replace("{version}", &version)
                );
            }
        }
    }
    respond(Reply::ok(info))
}

/// What both resources tell.
fn shared(org: &Org, url: &str, user: RecordId) -> Map<String, Json> {
    let text = |field: &str| org.user_json(user, field);
    object(json!({
        "user_id": user.to_string(),
        "organization_id": org.organization().to_string(),
        "email": text("Email"),
        "email_verified": true,
        "photos": {
            "picture": format!("{url}/profilephoto/005/F"),
            "thumbnail": format!("{url}/profilephoto/005/T"),
        },
        "urls": urls(org, url, user),
        "active": org.is_active(user),
        "user_type": "STANDARD",
        "language": text("LanguageLocaleKey"),
        "locale": text("LocaleSidKey"),
        "utcOffset": utc_offset(org),
        "is_app_installed": true,
    }))
}

/// `{version}` stands for a version such as 62.0.
fn urls(org: &Org, url: &str, user: RecordId) -> Json {
    let data = format!("{url}/services/data/v{{version}}");
    let organization = org.organization().short().to_owned();
    let soap = |kind: &str| format!("{url}/services/Soap/{kind}/{{version}}/{organization}");
    json!({
        "enterprise": soap("c"),
        "metadata": soap("m"),
        "partner": soap("u"),
        "tooling_soap": soap("T"),
        "rest": format!("{data}/"),
        "sobjects": format!("{data}/sobjects/"),
        "search": format!("{data}/search/"),
        "query": format!("{data}/query/"),
        "recent": format!("{data}/recent/"),
        "tooling_rest": format!("{data}/tooling/"),
        "profile": format!("{url}/{user}"),
        "custom_domain": url,
    })
}

fn utc_offset(org: &Org) -> i64 {
    let now = Timestamp::from_second(org.now()).unwrap_or_default();
    // Without the hour of summer, as the API says it: the smaller of winter's and summer's.
    let half_a_year = jiff::SignedDuration::from_hours(24 * 182);
    let offset = |at: Timestamp| i64::from(org.time_zone.to_offset(at).seconds()) * 1000;
    let other = now.checked_add(half_a_year).unwrap_or(now);
    offset(now).min(offset(other))
}

fn changed(org: &Org, user: RecordId) -> Json {
    match org.value_of(user, "LastModifiedDate") {
        Some(Value::Moment(at)) => Json::String(moment_text(at)),
        _ => Json::Null,
    }
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// Whether a token is good, for the client that asks.
pub(super) fn introspect(org: &Org, call: &Call) -> Reply {
    let form = Form::of(call);
    let client = match token::proven_client(org, call, &form) {
        Ok(client) => client,
        Err(refusal) => {
            return Reply {
                status: 401,
                ..Reply::from(refusal)
            };
        }
    };
    let Some(given) = form.get("token") else {
        return Refusal("invalid_request", "token is missing").into();
    };
    let described = |user: RecordId, scope: &str, kind: &str| {
        json!({
            "active": true,
            "scope": scope,
            "client_id": client,
            "username": org.user_json(user, "Username"),
            "sub": format!("{}/id/{}/{user}", "https://login.salesforce.com", org.organization()),
            "token_type": kind,
        })
    };
    if let Some((user, expires)) = org.sessions.session(given, org.now()) {
        let mut body = described(user, "api", "access_token");
        body["exp"] = json!(expires);
        body["iat"] = json!(expires - i64::from(org.options.token_lifetime_seconds));
        body["nbf"] = body["iat"].clone();
        return Reply::ok(body);
    }
    let refresh = org.grants.holder(given).filter(|(holder, ..)| *holder == client);
    Reply::ok(refresh.map_or_else(
        || json!({ "active": false }),
        |(_, user, scope)| described(user, scope, "refresh_token"),
    ))
}
