//! Whether a session carries what it must, and which secrets it asks for.

use super::super::session::Session;
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
        Session::Oauth(oauth) => {
            for (text, name) in [
                (&oauth.client_id, "client_id"),
                (&oauth.client_secret, "client_secret"),
            ] {
                match text {
                    Some(text) => texts.push(text),
                    None => names(name),
                }
            }
            texts.extend(&oauth.scope);
            texts.extend(
                oauth
                    .fields
                    .iter()
                    .flat_map(|fields| &fields.0)
                    .map(|(_, text)| text),
            );
        }
        Session::Login(login) => {
            let call = login.call();
            for hole in call.holes() {
                secret(reader, at, hole, &[], secrets);
            }
            for (_, text) in login.carry.iter().flat_map(|carry| &carry.0) {
                let known = login.token.is_some().then_some("token");
                for hole in text.value.holes() {
                    secret(reader, text, hole, known.as_slice(), secrets);
                }
            }
            if let (Some(_), None) = (&login.token, &login.carry) {
                let help = "Add `carry: { Authorization: \"Bearer {token}\" }`.";
                reader.problem(at, "nothing carries the token", help);
            }
        }
    }
    for text in texts {
        self::secrets(reader, text, secrets);
    }
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
