//! `/services/oauth2/...` and `/id/{org}/{user}`: signing in by the documented grants, and who one is.

mod approval;
mod assertion;
mod grants;
mod identity;
mod key;
mod token;

use axum::body::Body;
use axum::http::{Response, header};
use serde_json::{Value as Json, json};

use super::api::{Call, Reply};
use super::fault::Fault;
use super::id::RecordId;
use super::org::Org;
use super::server::respond;

pub(crate) use grants::Grants;
pub(crate) use key::public_key;

/// The client that Salesforce's own command line signs in as; every org knows it, and it has no secret.
pub(crate) const COMMAND_LINE: &str = "PlatformCLI";

/// A refusal of the token endpoint: a documented `error` and its description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal(&'static str, &'static str);

impl Refusal {
    const AUTHENTICATION: Refusal = Refusal("invalid_grant", "authentication failure");
    const ASSERTION: Refusal = Refusal("invalid_grant", "invalid assertion");
    const AUDIENCE: Refusal = Refusal("invalid_grant", "audience is invalid");
    const EXPIRED_CODE: Refusal = Refusal("invalid_grant", "expired authorization code");
    const INVALID_CODE: Refusal = Refusal("invalid_grant", "invalid authorization code");
    const VERIFIER: Refusal = Refusal("invalid_grant", "invalid code verifier");
    const NOT_APPROVED: Refusal = Refusal("invalid_grant", "user hasn't approved this consumer");
    const EXPIRED_TOKEN: Refusal = Refusal("invalid_grant", "expired access/refresh token");
    const CLIENT_ID: Refusal = Refusal("invalid_client_id", "client identifier invalid");
    const CLIENT: Refusal = Refusal("invalid_client", "invalid client credentials");
    const USER: Refusal = Refusal("inactive_user", "user is inactive");
    const REDIRECT: Refusal = Refusal("redirect_uri_mismatch", "redirect_uri must match configuration");
    const GRANT_TYPE: Refusal = Refusal("unsupported_grant_type", "grant type not supported");
    const RESPONSE_TYPE: Refusal = Refusal("unsupported_response_type", "response type not supported");
    const NO_GRANT_TYPE: Refusal = Refusal("invalid_request", "grant type is missing");
    const TOKEN: Refusal = Refusal("invalid_token", "invalid token");
    const DENIED: Refusal = Refusal("access_denied", "end-user denied authorization");
}

impl From<Refusal> for Reply {
    fn from(Refusal(error, description): Refusal) -> Reply {
        Reply {
            status: 400,
            ..Reply::ok(json!({ "error": error, "error_description": description }))
        }
        .with("Cache-Control", "no-store".to_owned())
    }
}

/// Answers the call; `url` is the address of this server.
pub(crate) fn answer(org: &mut Org, url: &str, call: &Call) -> Response<Body> {
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let reply = match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["services", "oauth2", "token"]) => token::grant(org, url, call).unwrap_or_else(Reply::from),
        ("GET", ["services", "oauth2", "authorize"]) => return approval::page(org, call),
        ("POST", ["services", "oauth2", "authorize"]) => return approval::decide(org, call),
        ("POST" | "GET", ["services", "oauth2", "userinfo"]) => identity::user_info(org, url, call),
        ("POST" | "GET", ["id", organization, user]) => {
            return identity::identity(org, url, call, organization, user);
        }
        ("POST" | "GET", ["services", "oauth2", "revoke"]) => revoke(org, call),
        ("POST", ["services", "oauth2", "introspect"]) => identity::introspect(org, call),
        (method, ["services", "oauth2", "token" | "introspect"]) => {
            Fault::method_not_allowed(method, "POST").into()
        }
        (method, ["services", "oauth2", "authorize" | "revoke" | "userinfo"]) => {
            Fault::method_not_allowed(method, "GET,POST").into()
        }
        _ => Fault::not_found().into(),
    };
    respond(reply)
}

/// The fields of a form, then those of the address.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(call: &Call) -> Form {
        let body = url::form_urlencoded::parse(&call.body).into_owned();
        Form(body.chain(call.parameters.iter().cloned()).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The field, or nothing at all where it is absent.
    fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

fn revoke(org: &mut Org, call: &Call) -> Reply {
    let form = Form::of(call);
    let token = form.text("token");
    let now = org.now();
    if org.sessions.user(token, now).is_some() {
        org.sessions.revoke(token);
        return Reply::empty(200);
    }
    match org.grants.revoke(token) {
        Some(access) => {
            for token in access {
                org.sessions.revoke(&token);
            }
            Reply::empty(200)
        }
        None => Refusal::TOKEN.into(),
    }
}

/// The address that names a user of the org.
pub(crate) fn identity_url(url: &str, organization: RecordId, user: RecordId) -> String {
    format!("{url}/id/{organization}/{user}")
}

/// A plain text reply, as the identity resources refuse.
fn plain(status: u16, text: &str) -> Response<Body> {
    let built = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=UTF-8");
    built.body(Body::from(text.to_owned())).unwrap_or_default()
}

impl Org {
    /// Whether clients of this name may sign in.
    fn knows_client(&self, client: &str) -> bool {
        client == COMMAND_LINE || self.client_options(client).is_some()
    }

    fn client_options(&self, client: &str) -> Option<&super::options::UserOptions> {
        let mut users = self.options.users.iter();
        users.find(|user| user.client_id.as_deref() == Some(client))
    }

    /// Whether the secret is the client's; a client without one needs none.
    fn secret_fits(&self, client: &str, secret: Option<&str>) -> bool {
        let kept = self
            .client_options(client)
            .and_then(|user| user.client_secret.as_deref());
        kept.is_none() || kept == secret
    }

    /// Whether this user lets the client act in its name: the client's own user does from the start.
    fn has_approved(&self, client: &str, user: RecordId) -> bool {
        let own = self
            .client_options(client)
            .and_then(|options| self.find_by_text("User", "Username", &options.username));
        own == Some(user) || self.grants.approved(client, user)
    }

    /// The value of a text field of a user as JSON.
    fn user_json(&self, user: RecordId, field: &str) -> Json {
        self.text_of(user, field).map_or(Json::Null, Json::String)
    }
}
