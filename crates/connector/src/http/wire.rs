//! Requests and replies as they travel, told to whoever asks why a system answers as it does.
//!
//! Invariant: no secret is told. What is one by its name is masked, and so is what was named here as one, wherever it stands.

use super::Request;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use url::{Url, form_urlencoded};

/// So much of a body is told, in bytes.
const BODY: usize = 4 * 1024;
/// What stands for a body that holds secrets, and for one that is a file.
const SIGN_IN: &str = "(a sign-in is not shown)";
const FILE: &str = "(a file)";
/// What stands for a secret.
const MASK: &str = "***";
/// A shorter text is no secret that could be told from others.
const SHORTEST: usize = 4;
/// What holds a secret has one of these in its name.
const NAMES: [&str; 14] = [
    "authoriz",
    "authent",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "api_key",
    "api-key",
    "signature",
    "assertion",
    "session",
    "credential",
];

/// What is masked wherever it stands.
static SECRETS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());
static NUMBERS: AtomicU64 = AtomicU64::new(0);

fn tell(system: &str, number: u64, words: &str) {
    tracing::trace!(target: "tandem_connector::wire", system, "{system}: #{number} {words}");
}

fn is_told() -> bool {
    tracing::enabled!(target: "tandem_connector::wire", tracing::Level::TRACE)
}

/// Masks a text from now on.
pub(crate) fn hide(secret: &str) {
    let secret = secret.trim();
    if secret.len() < SHORTEST || !is_told() {
        return;
    }
    let mut all = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if all.iter().all(|known| known.expose_secret() != secret) {
        all.push(secret.into());
    }
}

/// Tells of a request; the number by which its reply is told, where anybody listens.
pub(super) fn sent(system: &str, request: &Request, url: &Url, headers: &HeaderMap) -> Option<u64> {
    if !is_told() {
        return None;
    }
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed) + 1;
    tell(system, number, &format!("> {} {}", request.method, address(url)));
    // Whatever a sign-in carries may be a secret, by any name.
    if request.signs_in {
        tell(system, number, &format!("> {SIGN_IN}"));
        return Some(number);
    }
    for line in lines(headers) {
        tell(system, number, &format!("> {line}"));
    }
    let body = match (&request.body, &request.from) {
        (Some(bytes), _) => body(bytes),
        (None, Some(_)) => FILE.to_owned(),
        (None, None) => return Some(number),
    };
    tell(system, number, &format!("> {body}"));
    Some(number)
}

/// Tells of the reply to a request of that number.
pub(super) fn answered(
    system: &str,
    number: u64,
    request: &Request,
    status: u16,
    headers: &HeaderMap,
    bytes: &[u8],
) {
    tell(system, number, &format!("< {status}"));
    // What is given out here comes again with each request.
    for cookie in headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap_or_default();
        let value = cookie.split(';').next().and_then(|pair| pair.split_once('='));
        hide(value.map_or("", |(_, value)| value));
    }
    if request.signs_in {
        tell(system, number, &format!("< {SIGN_IN}"));
        return;
    }
    for line in lines(headers) {
        tell(system, number, &format!("< {line}"));
    }
    let body = match &request.into {
        Some(_) if bytes.is_empty() => FILE.to_owned(),
        _ => body(bytes),
    };
    if !body.is_empty() {
        tell(system, number, &format!("< {body}"));
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let each = headers.iter();
    each.map(|(name, value)| {
        let value = match is_secret(name.as_str()) {
            true => Cow::Borrowed(MASK),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        // A header may hold an address with parameters.
        let value = match value.parse::<Url>() {
            Ok(url) if url.has_host() => address(&url),
            _ => masked(&value),
        };
        format!("{name}: {value}")
    })
    .collect()
}

fn address(url: &Url) -> String {
    let whole = match url.query() {
        Some(query) => format!("{}?{}", &url[..url::Position::AfterPath], pairs(query)),
        None => url.to_string(),
    };
    masked(&whole)
}

/// Parameters, or a form: those that hold secrets are masked, the others stay as they are.
fn pairs(text: &str) -> String {
    let shown = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

fn body(bytes: &[u8]) -> String {
    let text = match super::json::parse(bytes) {
        Some(mut json) => {
            mask_members(&mut json);
            json.to_string()
        }
        None => {
            let text = String::from_utf8_lossy(bytes);
            match text.contains(char::is_whitespace) {
                true => text.into_owned(),
                false => pairs(&text),
            }
        }
    };
    // What is cut before it is masked may end within a secret.
    cut(masked(&text))
}

fn cut(text: String) -> String {
    if text.len() <= BODY {
        return text;
    }
    let mut end = BODY;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}... ({} bytes)", &text[..end], text.len())
}

fn mask_members(json: &mut Json) {
    match json {
        Json::Array(entries) => entries.iter_mut().for_each(mask_members),
        Json::Object(members) => {
            for (name, value) in members {
                match is_secret(name) && !value.is_null() {
                    true => *value = Json::String(MASK.to_owned()),
                    false => mask_members(value),
                }
            }
        }
        _ => {}
    }
}

/// The text without what is hidden, in each form that it travels in.
fn masked(text: &str) -> String {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut forms: Vec<String> = secrets
        .iter()
        .flat_map(|secret| {
            let plain = secret.expose_secret();
            let quoted = Json::String(plain.to_owned()).to_string();
            let encoded: String = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
            [
                plain.to_owned(),
                quoted[1..quoted.len() - 1].to_owned(),
                encoded.replace('+', "%20"),
                encoded,
            ]
        })
        .collect();
    // A secret may be the beginning of another one.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
        .iter()
        .fold(text.to_owned(), |text, form| text.replace(form, MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_secret_by_its_name_or_was_named_as_one_is_masked_everywhere() {
        let hidden = "k\"ey+7/x";
        SECRETS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hidden.into());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer abc"),
            ("set-cookie", "sid=abc"),
            ("x-note", "k\"ey+7/x"),
            ("location", "https://erp.example/a?id=7&access_token=abc"),
            ("accept", "text/plain"),
        ] {
            if let Ok(value) = reqwest::header::HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        let shown = lines(&headers).join("\n");
        assert!(!shown.contains("abc") && !shown.contains("ey+7"), "{shown}");
        assert!(shown.contains("accept: text/plain") && shown.contains("?id=7&access_token=***"));
        let told = [
            body(
                br#"{"refresh_token":"abc","rows":[{"Password":"abc","name":"Ann","note":"see k\"ey+7/x"}]}"#,
            ),
            body(b"grant_type=x&client_secret=abc&note=k%22ey%2B7%2Fx"),
            body(b"plain k\"ey+7/x words"),
        ];
        assert_eq!(
            told[0],
            r#"{"refresh_token":"***","rows":[{"Password":"***","name":"Ann","note":"see ***"}]}"#
        );
        assert_eq!(told[1], "grant_type=x&client_secret=***&note=***");
        assert_eq!(told[2], "plain *** words");
    }

    #[test]
    fn a_long_body_is_cut_behind_its_secrets() {
        let long = body(format!("\"{}\"", "ä".repeat(BODY)).as_bytes());
        assert!(
            long.len() < BODY + 40 && long.ends_with("bytes)"),
            "{}",
            long.len()
        );
    }
}
