//! Where an ERP is described: a file, an address, or a database. What it is is found by looking, not by its name.

use crate::failure::Failure;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use std::path::Path;
use std::time::Duration;
use tandem_connector::is_loopback;
use url::Url;

/// No description of an interface that means something is larger, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;
/// A server that is silent for longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What else can be named.
const SOURCES: &str = "Name an OpenAPI 3 document, an OData $metadata document, a file or address of either, or a database: \
                       postgres://, mysql:// or sqlite:FILE";

/// Who asks, where the source wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) user: Option<SecretString>,
    pub(crate) password: Option<SecretString>,
    pub(crate) token: Option<SecretString>,
}

impl Access {
    /// The kind of session that signs in the same way, with the names of its secrets.
    pub(super) fn session(&self) -> Option<(&'static str, &'static [&'static str])> {
        match (&self.token, &self.user, &self.password) {
            (Some(_), ..) => Some(("bearer", &["token"])),
            (None, Some(_), Some(_)) => Some(("basic", &["user", "password"])),
            _ => None,
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// A document of OpenAPI, or of what may be mistaken for one.
    Document { json: Json, at: Option<Url> },
    /// XML.
    Xml { text: String, at: Option<Url> },
    /// A database, by its address.
    Database(String),
}

/// Looks what there is.
pub(crate) async fn look(from: &str, access: &Access) -> Result<Found, Failure> {
    let scheme = from.split(':').next().unwrap_or_default();
    match scheme {
        "postgres" | "postgresql" | "mysql" | "mariadb" | "sqlite" | "mssql" | "sqlserver" => {
            Ok(Found::Database(from.to_owned()))
        }
        "http" | "https" => {
            let url = Url::parse(from).map_err(|error| {
                Failure::usage(
                    format!("`{from}` is no address ({error})"),
                    "Write it as a browser takes it",
                )
            })?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(Failure::usage(
                    "the address holds a user or a password",
                    "Leave them out of it, and name the environment variables that hold them with --user-env and --password-env",
                ));
            }
            let bytes = fetched(&url, access).await?;
            told(from, bytes, Some(url))
        }
        _ => read(from),
    }
}

fn read(from: &str) -> Result<Found, Failure> {
    let path = Path::new(from);
    let unreadable =
        |error: std::io::Error| Failure::usage(format!("{from} cannot be read ({error})"), SOURCES);
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        return Err(Failure::usage(format!("{from} is a folder"), SOURCES));
    }
    if is_sqlite(path) {
        return Ok(Found::Database(format!("sqlite:{from}")));
    }
    if about.len() > LARGEST as u64 {
        return Err(too_large(from));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    told(from, bytes, None)
}

fn is_sqlite(path: &Path) -> bool {
    use std::io::Read;
    let mut begin = [0; 15];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && &begin == b"SQLite format 3"
}

fn too_large(from: &str) -> Failure {
    let most = LARGEST / 1024 / 1024;
    Failure::usage(
        format!("{from} is larger than {most} MiB, which no description of an interface is"),
        SOURCES,
    )
}

async fn fetched(url: &Url, access: &Access) -> Result<Vec<u8>, Failure> {
    let trouble = |what: String| {
        Failure::trouble(
            what,
            "Look whether the address opens in a browser, or save the document as a file and name that",
        )
    };
    let secret = access.token.is_some() || access.password.is_some();
    if secret && url.scheme() == "http" && !is_loopback(url) {
        return Err(Failure::usage(
            format!("{url} would carry the secret in clear"),
            "Write https://, or save the document as a file and name that",
        ));
    }
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::limited(5))
        .build()
        .map_err(|error| trouble(format!("no connection can be made ({error})")))?;
    let mut request = client.get(url.clone()).header(
        "Accept",
        "application/json, application/yaml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5",
    );
    if let Some(token) = &access.token {
        request = request.bearer_auth(token.expose_secret());
    } else if let Some(user) = &access.user {
        let password = access.password.as_ref().map(ExposeSecret::expose_secret);
        request = request.basic_auth(user.expose_secret(), password);
    }
    let reply = request.send().await;
    let mut reply = reply.map_err(|error| trouble(format!("{url} does not answer ({})", reason(&error))))?;
    let status = reply.status();
    if matches!(status.as_u16(), 401 | 403) {
        return Err(Failure::usage(
            format!("{url} wants to know who asks ({status})"),
            "Name the environment variables of user and password with --user-env and --password-env, or of a token with --token-env",
        ));
    }
    if !status.is_success() {
        return Err(trouble(format!("{url} answers {status}")));
    }
    let mut bytes = Vec::new();
    loop {
        let chunk = reply.chunk().await;
        let chunk = chunk.map_err(|error| trouble(format!("{url} broke off ({})", reason(&error))))?;
        let Some(chunk) = chunk else {
            return Ok(bytes);
        };
        if bytes.len() + chunk.len() > LARGEST {
            return Err(too_large(url.as_str()));
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// The innermost cause: the others only wrap it.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What a text is, by how it begins.
pub(super) fn told(from: &str, bytes: Vec<u8>, at: Option<Url>) -> Result<Found, Failure> {
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{from} is no text in UTF-8"), SOURCES))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.is_empty() {
        return Err(Failure::usage(format!("{from} is empty"), SOURCES));
    }
    if text.starts_with('<') {
        let begin: String = text.chars().take(2_000).collect::<String>().to_lowercase();
        if begin.starts_with("<!doctype html") || begin.contains("<html") {
            return Err(Failure::usage(
                format!("{from} is a web page, not a description of an interface"),
                "Name the document behind it: often .../openapi.json, .../v3/api-docs, .../swagger/v1/swagger.json or .../$metadata",
            ));
        }
        return Ok(Found::Xml {
            text: text.to_owned(),
            at,
        });
    }
    let json = match text.starts_with(['{', '[']) {
        true => serde_json::from_str(text).map_err(|error| {
            // The library ends with its own account of the place.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_owned();
            let place = format!("{from}:{}:{}", error.line(), error.column());
            Failure::usage(format!("{place}: this is no JSON ({what})"), SOURCES)
        })?,
        false => yaml(from, text)?,
    };
    Ok(Found::Document { json, at })
}

fn yaml(from: &str, text: &str) -> Result<Json, Failure> {
    let read = serde_saphyr::from_str::<Json>(text);
    let json = read.map_err(|error| {
        let place = error.location();
        let (line, column) = place.map_or((1, 1), |at| (at.line(), at.column()));
        Failure::usage(
            format!("{from}:{line}:{column}: this is neither JSON nor YAML nor XML"),
            SOURCES,
        )
    })?;
    match json.is_object() {
        true => Ok(json),
        false => Err(Failure::usage(
            format!("{from} is no description of an interface"),
            SOURCES,
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(text: &str) -> String {
        match told("it", text.as_bytes().to_vec(), None).unwrap_err() {
            Failure::One { what, .. } => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_it_is_is_found_by_looking() {
        let found = |text: &str| told("it", text.as_bytes().to_vec(), None).unwrap();
        assert!(matches!(
            found("\u{feff} {\"openapi\": \"3.0.0\"}"),
            Found::Document { .. }
        ));
        assert!(matches!(
            found("openapi: 3.0.0\npaths: {}\n"),
            Found::Document { .. }
        ));
        assert!(matches!(found("<?xml version=\"1.0\"?><a/>"), Found::Xml { .. }));
    }

    #[test]
    fn what_is_no_description_is_told_with_its_place() {
        assert_eq!(said(""), "it is empty");
        assert_eq!(
            said("<!DOCTYPE html><html>"),
            "it is a web page, not a description of an interface"
        );
        assert!(
            said("{\"a\":\n 1,}").starts_with("it:2:4: this is no JSON"),
            "{}",
            said("{\"a\":\n 1,}")
        );
        assert_eq!(said("CREATE TABLE x;"), "it is no description of an interface");
        assert!(
            said("a: [1\nb").contains("neither JSON nor YAML"),
            "{}",
            said("a: [1\nb")
        );
        assert!(told("it", vec![0xff, 0xfe, 0], None).is_err());
    }
}
