//! A request and its answer, whether they travel alone or inside a batch.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value as Json;

use super::model::Version;
use super::refusal::Refusal;

/// One request to a service.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path below the service's root, still percent-encoded, without a slash at its beginning.
    pub(crate) path: String,
    /// Still percent-encoded; empty where there is none.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// A header's text; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Every word of the `Prefer` header that begins with this name, without `odata.` before it: what follows `=`.
    pub(crate) fn preference(&self, name: &str) -> Option<String> {
        let all = self.headers.get_all("prefer").iter();
        let words = all
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']));
        let mut words = words.map(|word| word.trim().trim_start_matches("odata."));
        words.find_map(|word| {
            let (found, value) = word.split_once('=').unwrap_or((word, ""));
            let same = found.trim().eq_ignore_ascii_case(name);
            same.then(|| value.trim().trim_matches('"').to_owned())
        })
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// 415 for another media type, 400 for anything but an object.
    pub(crate) fn object(&self) -> Result<serde_json::Map<String, Json>, Refusal> {
        let media = self.header("content-type");
        if !media.is_empty() && !media.to_ascii_lowercase().starts_with("application/json") {
            let message = format!("The body must be application/json, not {media}.");
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                message,
            ));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(Refusal::bad("The body must be a JSON object.")),
            Err(error) => Err(Refusal::bad(format!("The body is no JSON: {error}."))),
        }
    }
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn text(status: StatusCode, media: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let mut answer = Self::empty(status);
        answer
            .headers
            .insert("content-type", HeaderValue::from_static(media));
        answer.body = body.into();
        answer
    }

    pub(crate) fn json(status: StatusCode, body: &Json) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    pub(crate) fn refused(refusal: &Refusal, version: Version) -> Self {
        let answer = if refusal.plain {
            Self::text(
                refusal.status,
                "text/plain;charset=utf-8",
                refusal.message.clone(),
            )
        } else {
            Self::json(refusal.status, &refusal.body(version))
        };
        let headers = refusal.headers.iter();
        headers.fold(answer, |answer, (name, value)| answer.with(name, value))
    }

    /// With a header more.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }
}

/// A part of an address without its percent-encoding.
///
/// # Errors
/// 400 where it is none.
pub(crate) fn decoded(text: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let wrong = || Refusal::bad(format!("`{text}` is not percent-encoded as it should be."));
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = digit(rest.next()).zip(digit(rest.next())).ok_or_else(wrong)?;
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// A text as part of an address: what could be taken for a separator is percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~'()=,$:*".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
