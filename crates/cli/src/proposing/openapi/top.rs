//! What holds for all of an interface: its address, how one signs in, what answers mean.

use super::super::names::{likeliest, means};
use super::super::picture::{Guess, Line, Topic};
use super::super::yaml::{scalar, table};
use super::document::{Document, Shape};
use super::lists::{found, joined};
use serde_json::Value as Json;
use url::Url;

/// Address and base path.
#[derive(Default)]
pub(super) struct Address {
    pub(super) url: Option<String>,
    pub(super) base: Option<Line>,
    /// What of the address the document leaves open.
    pub(super) open: Vec<String>,
}

/// Where the interface is, by what the document says of its servers and where it was read from.
pub(super) fn address(root: &Json, at: Option<&Url>) -> Address {
    let server = root.get("servers").and_then(|servers| servers.get(0));
    let written = server
        .and_then(|server| server.get("url"))
        .and_then(Json::as_str)
        .unwrap_or_default();
    let path_at = written
        .find("://")
        .and_then(|scheme| Some(written[scheme + 3..].find('/')? + scheme + 3));
    let (host, path) = match written.contains("://") {
        true => written.split_at(path_at.unwrap_or(written.len())),
        false => ("", written),
    };
    let (host, open) = filled(host, server);
    let (path, open_path) = filled(path, server);
    let whole = Url::parse(&format!("{host}{path}"))
        .ok()
        .or_else(|| at.and_then(|at| at.join(&path).ok()));
    let base = match &whole {
        Some(url) if !path.is_empty() => url.path().to_owned(),
        _ => path,
    };
    let base = base.trim_end_matches('/');
    let usable = base.starts_with('/') && !base.contains(['?', '#', '{']);
    let guess = (!open_path.is_empty()).then(|| {
        let ask = format!("what is {} here?", open_path.join(", "));
        Guess::new(Topic::SignIn, "what stands in capitals is ours", ask)
    });
    let known = whole.filter(|url| open.is_empty() && matches!(url.scheme(), "http" | "https"));
    Address {
        url: known.map(|url| url.origin().ascii_serialization()),
        base: usable.then(|| Line::new("base", scalar(base)).guessed(guess)),
        open,
    }
}

/// An address with its variables filled in: by what is usual, else by their names in capitals.
fn filled(written: &str, server: Option<&Json>) -> (String, Vec<String>) {
    let (mut text, mut open) = (String::new(), Vec::new());
    let mut rest = written;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else {
            break;
        };
        let known = server.and_then(|server| server.get("variables")?.get(name)?.get("default")?.as_str());
        text.push_str(before);
        match known.filter(|value| !value.is_empty()) {
            Some(value) => text.push_str(value),
            None => {
                text.push_str(&name.to_uppercase());
                open.push(name.to_owned());
            }
        }
        rest = after;
    }
    (text + rest, open)
}

/// How one signs in: the line, and the secrets that it takes.
pub(super) fn session(document: &Document) -> Option<(Line, Vec<String>)> {
    let root = document.root();
    let schemes = root.get("components")?.get("securitySchemes")?.as_object()?;
    let asked = root
        .get("security")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let asked: Vec<&String> = asked
        .filter_map(Json::as_object)
        .flat_map(|one| one.keys())
        .collect();
    let order = asked.into_iter().chain(schemes.keys());
    order
        .filter_map(|name| one(name, document.at(schemes.get(name)?)))
        .next()
}

fn one(_: &str, scheme: &Json) -> Option<(Line, Vec<String>)> {
    let word = |name: &str| scheme.get(name).and_then(Json::as_str).unwrap_or_default();
    let secrets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match (word("type"), word("scheme").to_lowercase().as_str(), word("in")) {
        ("http", "bearer", _) => Some((Line::new("session", "{ kind: bearer }"), secrets(&["token"]))),
        ("http", "basic", _) => Some((
            Line::new("session", "{ kind: basic }"),
            secrets(&["user", "password"]),
        )),
        ("apiKey", _, place @ ("header" | "query")) => {
            let carried = table(&[(word("name"), "\"{secret.key}\"")]);
            let key = if place == "header" { "headers" } else { "query" };
            let text = table(&[("kind", "api-key"), (key, &carried)]);
            Some((Line::new("session", text), secrets(&["key"])))
        }
        ("oauth2", ..) => {
            let flow = scheme.get("flows")?.get("clientCredentials")?;
            let url = flow.get("tokenUrl")?.as_str()?;
            let mut keys = vec![("kind", "oauth".to_owned()), ("token_url", scalar(url))];
            let scopes = flow.get("scopes").and_then(Json::as_object);
            let scopes: Vec<&str> = scopes
                .into_iter()
                .flatten()
                .map(|(scope, _)| scope.as_str())
                .collect();
            let guess = (scopes.len() > 1).then(|| {
                Guess::new(
                    Topic::SignIn,
                    "all scopes that the document names",
                    "which scopes are needed?",
                )
            });
            if !scopes.is_empty() {
                keys.push(("scope", scalar(&scopes.join(" "))));
            }
            let line = Line::new("session", table(&keys)).guessed(guess);
            Some((line, secrets(&["client_id", "client_secret"])))
        }
        _ => None,
    }
}

/// Who the ERP is, where a path answers with an id that is the company's.
pub(super) fn identity(document: &Document) -> Option<Line> {
    let paths = document.root().get("paths")?.as_object()?;
    let candidates = paths.iter().filter(|(path, _)| {
        let last = path.trim_matches('/').rsplit('/').next().unwrap_or_default();
        !path.contains('{')
            && matches!(
                last,
                "" | "company" | "me" | "whoami" | "info" | "organisation" | "organization" | "tenant"
            )
    });
    candidates.into_iter().find_map(|(path, node)| {
        let reply = document.body(document.success(node.get("get")?)?)?;
        let reply = document.shape(reply);
        let (id, _) = found(document, &reply, "company").or_else(|| found(document, &reply, "id"))?;
        let mut keys = vec![("request", scalar(&format!("GET {path}"))), ("id", scalar(&id))];
        keys.extend(
            reply
                .member("name")
                .map(|(name, _)| ("name", scalar(&joined(&[name])))),
        );
        let guess = Guess::new(
            Topic::SignIn,
            "by its name",
            "does this id never change, and is it the company's?",
        );
        Some(Line::new("identity", table(&keys)).guessed(Some(guess)))
    })
}

/// What answers mean: where the ERP's words and code stand, and what its codes mean that are known.
pub(super) fn errors(document: &Document) -> Option<Line> {
    let reply = refusal(document)?;
    let mut below = Vec::new();
    for what in ["code", "message"] {
        if let Some((place, _)) = found(document, &reply, what).filter(|(_, of)| of.kind() != "object") {
            below.push(Line::new(what, scalar(&place)));
        }
    }
    below.extend(faults(document, &reply));
    (!below.is_empty()).then(|| Line::over("errors", below))
}

/// The body of a refusal: the usual one, else the first that is described.
fn refusal(document: &Document) -> Option<Shape> {
    let paths = document.root().get("paths")?.as_object()?;
    let operations = paths.values().filter_map(Json::as_object).flat_map(|node| {
        ["post", "patch", "put", "get"]
            .into_iter()
            .filter_map(|method| node.get(method))
    });
    operations.into_iter().find_map(|operation| {
        let replies = operation.get("responses")?.as_object()?;
        let order = ["default", "4XX", "400", "422", "409", "404"];
        let body = order
            .iter()
            .find_map(|status| document.body(replies.get(*status)?))?;
        let shape = document.shape(body);
        (!shape.members.is_empty()).then_some(shape)
    })
}

/// Where single properties at fault are told.
fn faults(document: &Document, reply: &Shape) -> Option<Line> {
    let within = |shape: &Shape| -> Option<(String, Shape)> {
        let lists = shape.members.iter().filter_map(|(name, of)| {
            let of = document.shape(of);
            let entry = document.shape(of.words.get("items")?);
            (of.kind() == "array" && !entry.members.is_empty()).then(|| (name.clone(), entry))
        });
        likeliest(lists, |(name, _)| name.as_str(), "faults")
    };
    let (at, entry) = match within(reply) {
        Some((name, entry)) => (joined(&[&name]), entry),
        None => reply.members.iter().find_map(|(outer, of)| {
            let (inner, entry) = within(&document.shape(of))?;
            Some((joined(&[outer, &inner]), entry))
        })?,
    };
    let named = |what: &str| likeliest(entry.members.iter(), |(name, _)| name.as_str(), what);
    let (property, _) = named("faultproperty")?;
    let mut keys = vec![("at", scalar(&at)), ("property", scalar(property))];
    if let Some((code, of)) = named("code") {
        keys.push(("code", scalar(code)));
        let of = document.shape(of);
        let codes = of.words.get("enum").and_then(Json::as_array);
        let known = codes
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .filter_map(|code| {
                let classes = ["duplicate", "badreference", "locked", "invalid"];
                let class = classes.into_iter().find(|class| means(code, class))?;
                let class = if class == "badreference" {
                    "bad-reference"
                } else {
                    class
                };
                Some((code, class))
            });
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            keys.push(("means", table(&known)));
        }
    }
    Some(Line::new("fields", table(&keys)))
}
