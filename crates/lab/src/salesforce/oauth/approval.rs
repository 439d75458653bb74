//! `/services/oauth2/authorize`: the page on which a person lets a client act in their name.

use std::fmt::Write;

use axum::body::Body;
use axum::http::{Response, header};

use super::grants::Code;
use super::{Form, Refusal};
use crate::salesforce::api::Call;
use crate::salesforce::browser::{check_same_site, escape};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

/// What a client asks for, of the fields that the page carries along.
const ASKED: [&str; 7] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
];
/// What a client is given that names no scope.
const SCOPE: &str = "refresh_token web api";

/// The page with the users to choose from.
pub(super) fn page(org: &Org, call: &Call) -> Response<Body> {
    let form = Form::of(call);
    match check(org, &form) {
        Ok(()) => html(200, &choice(org, &form)),
        Err(refusal) => refuse(org, &form, refusal),
    }
}

/// What the person decided.
pub(super) fn decide(org: &mut Org, call: &Call) -> Response<Body> {
    let form = Form::of(call);
    let user = RecordId::parse(form.text("user")).ok();
    let checked = check(org, &form);
    let decided = checked.and_then(|()| match (check_same_site(call), form.get("decision")) {
        (Ok(()), Some("allow")) => user
            .filter(|user| org.people().iter().any(|(known, _)| known == user))
            .ok_or(Refusal::AUTHENTICATION),
        _ => Err(Refusal::DENIED),
    });
    match decided {
        Ok(user) => {
            let code = code(org, &form, user);
            go_back(&form, &[("code", &code)])
        }
        Err(refusal) => refuse(org, &form, refusal),
    }
}

fn check(org: &Org, form: &Form) -> Result<(), Refusal> {
    let client = form.text("client_id");
    if !org.knows_client(client) {
        return Err(Refusal::CLIENT_ID);
    }
    if !callback_fits(org, client, form.text("redirect_uri")) {
        return Err(Refusal::REDIRECT);
    }
    if form.text("response_type") != "code" {
        return Err(Refusal::RESPONSE_TYPE);
    }
    Ok(())
}

/// A client that names its callback comes back there alone, any other to an address of this machine.
fn callback_fits(org: &Org, client: &str, given: &str) -> bool {
    let kept = org
        .client_options(client)
        .and_then(|user| user.redirect_uri.as_deref());
    if let Some(kept) = kept {
        return kept == given;
    }
    let Ok(address) = url::Url::parse(given) else {
        return false;
    };
    match address.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn code(org: &mut Org, form: &Form, user: RecordId) -> String {
    let challenge = form.get("code_challenge").filter(|text| !text.is_empty());
    let scope = form.get("scope").filter(|text| !text.is_empty());
    let now = org.now();
    org.grants.code(
        now,
        Code {
            code: String::new(),
            client: form.text("client_id").to_owned(),
            user,
            redirect: form.text("redirect_uri").to_owned(),
            scope: scope.unwrap_or(SCOPE).to_owned(),
            challenge: challenge.map(str::to_owned),
            expires: 0,
            redeemed: false,
        },
    )
}

/// Tells the client where that is safe, else the person.
fn refuse(org: &Org, form: &Form, refusal: Refusal) -> Response<Body> {
    let Refusal(error, description) = refusal;
    if org.knows_client(form.text("client_id"))
        && callback_fits(org, form.text("client_id"), form.text("redirect_uri"))
    {
        return go_back(form, &[("error", error), ("error_description", description)]);
    }
    html(
        400,
        &format!("<h1>Refused</h1><p>error={error}&amp;error_description={description}</p>"),
    )
}

fn go_back(form: &Form, tell: &[(&str, &str)]) -> Response<Body> {
    let Ok(mut to) = url::Url::parse(form.text("redirect_uri")) else {
        return html(400, "<h1>Refused</h1>");
    };
    to.query_pairs_mut().extend_pairs(tell);
    if let Some(state) = form.get("state") {
        to.query_pairs_mut().append_pair("state", state);
    }
    let response = Response::builder()
        .status(302)
        .header(header::LOCATION, to.as_str());
    response.body(Body::empty()).unwrap_or_default()
}

fn choice(org: &Org, form: &Form) -> String {
    let mut hidden = String::new();
    for name in ASKED {
        if let Some(value) = form.get(name) {
            let _ = write!(
                hidden,
                "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
                escape(value)
            );
        }
    }
    let mut people = String::new();
    for (id, name) in org.people() {
        let _ = write!(people, "<option value=\"{id}\">{}</option>", escape(&name));
    }
    format!(
        "<h1>Allow access?</h1><p>{} asks to act in {} with: {}.</p><form method=\"post\" \
         action=\"/services/oauth2/authorize\">{hidden}<p><label>Log in as <select name=\"user\">{people}</select>\
         </label></p><p><button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" \
         value=\"deny\">Deny</button></p></form>",
        escape(form.text("client_id")),
        escape(&org.options.name),
        escape(form.get("scope").unwrap_or(SCOPE)),
    )
}

fn html(status: u16, body: &str) -> Response<Body> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Log in</title></head><body><main>{body}</main></body></html>"
    );
    // Nobody may lay this page under another: a click here gives a token away.
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::X_FRAME_OPTIONS, "DENY");
    response.body(Body::from(page)).unwrap_or_default()
}
