//! The cookies of a session.

use reqwest::header::{HeaderMap, HeaderValue};
use std::collections::BTreeMap;

/// Cookies by name. They go to the ERP alone, whatever paths they are meant for.
#[derive(Default)]
pub(super) struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes over what a reply sets; what it empties is forgotten.
    pub(super) fn learn(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all("set-cookie") {
            let Some((name, rest)) = cookie.to_str().ok().and_then(|text| text.split_once('=')) else {
                continue;
            };
            let value = rest.split(';').next().unwrap_or_default().trim();
            let over = rest
                .to_lowercase()
                .split(';')
                .any(|part| part.trim() == "max-age=0");
            if value.is_empty() || over {
                self.0.remove(name.trim());
            } else {
                self.0.insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }

    /// The header that carries them.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
