//! Whether a session carries what it must, and which secrets it asks for.

use super::super::session::{Grant, Oauth, Session};
use super::super::template::Template;
use std::collections::BTreeSet;
use tandem_merge::config::node::At;
use tandem_merge::config::written::Reader;

/// What a session fills in: secrets, and what it says itself.
pub(super) fn session(reader: &mut Reader<'_>, at: &At<Session>, secrets: &mut BTreeSet<String>) {
    let mut names = |name: &str| {
        secrets.insert(name.to_owned());
    };
    let mut texts: Vec<&At<Template>> = Vec::new();
    match &at.value {
        Session::None(_) => {}
        Session::Bearer(bearer) => match &bearer.token {
            Some(token) => texts.push(token),
            None => names("token"),
        },
        Session::Basic(basic) => {
            for (text, name) in [(&basic.user, "user"), (&basic.password, "password")] {
                match text {
                    Some(text) => texts.push(text),
                    None => names(name),
                }
            }
        }
        Session::ApiKey(key) => {
            let tables = [&key.headers, &key.query].into_iter().flatten();
            texts.extend(tables.flat_map(|table| &table.0).map(|(_, text)| text));
            if texts.is_empty() {
                let help = "Add `headers: { X-API-Key: \"{secret.key}\" }`, or `query:` likewise.";
                reader.problem(at, "nothing carries the key", help);
            }
        }
        Session::Oauth(written) => texts.extend(oauth(reader, at, written, secrets)),
        Session::Oauth1(oauth1) => {
            for (text, name) in [
                (&oauth1.consumer_key, "consumer_key"),
                (&oauth1.consumer_secret, "consumer_secret"),
                (&oauth1.token_id, "token_id"),
                (&oauth1.token_secret, "token_secret"),
            ] {
                match text {
                    Some(text) => texts.push(text),
                    None => names(name),
                }
            }
            texts.extend(&oauth1.realm);
        }
        Session::Login(login) => {
            let call = login.call();
            for hole in call.holes() {
                secret(reader, at, hole, &["until"], secrets);
            }
            if let (true, None) = (call.takes("until"), login.lasts) {
                let help = "Add `lasts:`, such as `lasts: 24h`.";
                reader.problem(at, "nothing says when the session ends: `{until}`", help);
            }
            texts.extend(&login.basic_user);
            for (_, text) in login.carry.iter().flat_map(|carry| &carry.0) {
                let known = login.token.is_some().then_some("token");
                for hole in text.value.holes() {
                    secret(reader, text, hole, known.as_slice(), secrets);
                }
            }
            let carried = login.carry.is_some() || login.basic_user.is_some();
            if let (Some(_), false) = (&login.token, carried) {
                let help = "Add `carry: { Authorization: \"Bearer {token}\" }`, or `basic_user:`.";
                reader.problem(at, "nothing carries the token", help);
            }
        }
    }
    for text in texts {
        self::secrets(reader, text, secrets);
    }
}

/// What a token by OAuth is asked for with; its own texts.
fn oauth<'s>(
    reader: &mut Reader<'_>,
    at: &At<Session>,
    oauth: &'s Oauth,
    secrets: &mut BTreeSet<String>,
) -> Vec<&'s At<Template>> {
    let (mut texts, refreshes) = (Vec::new(), oauth.granted_by() == Grant::RefreshToken);
    for (text, name, usual) in [
        (&oauth.client_id, "client_id", true),
        (&oauth.client_secret, "client_secret", oauth.assertion.is_none()),
        (&oauth.refresh_token, "refresh_token", refreshes),
    ] {
        match text {
            Some(text) => texts.push(text),
            None if usual => drop(secrets.insert(name.to_owned())),
            None => {}
        }
    }
    if let (Some(token), false) = (&oauth.refresh_token, refreshes) {
        let help = "Write `grant: refresh-token`, or take `refresh_token` out.";
        reader.problem(token, "only one grant asks for a refresh token", help);
    }
    texts.extend(&oauth.scope);
    texts.extend(
        oauth
            .fields
            .iter()
            .flat_map(|fields| &fields.0)
            .map(|(_, text)| text),
    );
    let bearer = oauth.granted_by() == Grant::JwtBearer;
    let Some(assertion) = &oauth.assertion else {
        if bearer {
            let help = "Add `assertion: { claims: { sub: USER } }`, with the private key as the secret `private_key`.";
            reader.problem(
                at,
                "the grant `jwt-bearer` states who we are, and nothing says how",
                help,
            );
        }
        return texts;
    };
    match &assertion.value.key {
        Some(key) => texts.push(key),
        None => drop(secrets.insert("private_key".to_owned())),
    }
    texts.extend(&assertion.value.key_id);
    let claims = || assertion.value.claims.iter().flat_map(|claims| &claims.0);
    for (_, claim) in claims() {
        for hole in claim.value.texts().into_iter().flat_map(Template::holes) {
            secret(reader, claim, hole, &["client_id", "token_url"], secrets);
        }
    }
    if bearer && !claims().any(|(name, _)| name.value == "sub") {
        let help = "Add `sub:` with the user to `claims:`.";
        reader.problem(assertion, "nothing says for which user we speak", help);
    }
    texts
}

/// The secrets that a text names; nothing else is filled in there.
pub(super) fn secrets(reader: &mut Reader<'_>, text: &At<Template>, secrets: &mut BTreeSet<String>) {
    for hole in text.value.holes() {
        secret(reader, text, hole, &[], secrets);
    }
}

fn secret<T>(
    reader: &mut Reader<'_>,
    at: &At<T>,
    hole: &str,
    known: &[&str],
    secrets: &mut BTreeSet<String>,
) {
    match hole.strip_prefix("secret.") {
        Some(name) if !name.is_empty() => drop(secrets.insert(name.to_owned())),
        _ if known.contains(&hole) => {}
        _ => {
            let help = "Write `{secret.NAME}` with the name of one of the connection's secrets.";
            reader.problem(at, format!("nothing is filled in for `{{{hole}}}` here"), help);
        }
    }
}
