//! What answers mean, in the words of the contract.

use super::ask::Errand;
use super::description::Description;
use super::description::errors::{FailedText, Means, RuleText};
use super::description::place::{Places, plain};
use crate::http::{Http, Reply};
use crate::{Error, ErrorKind, Outcome, Refusal, RefusalKind};
use reqwest::header::HeaderMap;
use serde_json::Value as Json;
use tandem_merge::config::written::Scalar;

/// So much of what an ERP says is told.
const SAID: usize = 600;

/// What helps where a condition is missing.
const CONDITION: &str =
    "Say in the description where a record shows its `token`, and send it: `If-Match: \"{token}\"`";

/// What an answer says.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What is wrong; nothing where it is a success.
    pub(super) means: Option<Means>,
    /// The ERP's own words, with its code.
    message: String,
    /// Properties that are at fault, and what each is.
    fields: Vec<(String, Option<Means>)>,
    /// What to do about it, where the description says so.
    advice: Option<String>,
    /// It is about a create whose address holds a key.
    keyed: bool,
    /// The condition of such a create failed: there is a record of that key.
    pub(super) taken: bool,
}

impl Answer {
    /// What a reply says.
    pub(super) fn of(description: &Description, reply: &Reply, errand: Errand<'_>) -> Self {
        let errors = description.errors.as_ref();
        let failed = errors.and_then(|errors| errors.failed.as_ref());
        let success = reply.is_success();
        if success && failed.is_none() {
            return Self::success();
        }
        let body = reply.json();
        if success && !failed.is_some_and(|failed| has_failed(&failed.value, &body, &reply.headers)) {
            return Self::success();
        }
        Self::of_failure(description, reply, errand)
    }

    /// What a reply says of something that failed, whatever its status.
    pub(super) fn of_failure(description: &Description, reply: &Reply, errand: Errand<'_>) -> Self {
        let errors = description.errors.as_ref();
        let (body, success) = (reply.json(), reply.is_success());
        let text = |places: Option<&Places>| places.and_then(|places| places.text(&body, &reply.headers));
        let code = text(errors.and_then(|errors| errors.code.as_ref())).unwrap_or_default();
        let message = text(errors.and_then(|errors| errors.message.as_ref()));
        let said = message.as_deref().unwrap_or_default();
        let rule = errors
            .and_then(|errors| errors.rules.as_ref())
            .into_iter()
            .flatten()
            .map(|rule| &rule.value)
            .find(|rule| fits(rule, reply, &code, said, errand));
        let means = rule.map_or_else(|| usual(description, reply, success), |rule| rule.means.value);
        let taken = means == Means::Stale && errand.keyed;
        let message: String = match (code.is_empty(), message) {
            (true, Some(message)) => message,
            (false, Some(message)) => format!("{code}: {message}"),
            (true, None) => format!("status {}", reply.status),
            (false, None) => code,
        };
        Self {
            means: Some(about(means, errand)),
            message: message.chars().take(SAID).collect(),
            fields: fields(description, &body),
            advice: rule.and_then(|rule| rule.advice.clone()),
            keyed: errand.keyed,
            taken,
        }
    }

    fn success() -> Self {
        Self {
            means: None,
            message: String::new(),
            fields: Vec::new(),
            advice: None,
            keyed: false,
            taken: false,
        }
    }

    /// What became of a write that was not answered with success.
    pub(super) fn outcome(&self, http: &Http, reply: &Reply, property: impl Fn(&str) -> String) -> Outcome {
        let means = self.means.unwrap_or(Means::Unclear);
        let kind = match means {
            // An earlier attempt of this very write may be what moved or removed the record.
            Means::Stale | Means::Gone if reply.repeated => {
                return Outcome::Unknown("a repeated request found the record changed".to_owned());
            }
            // So may be what a repeated create of a key finds.
            Means::Duplicate if reply.repeated && self.keyed => {
                return Outcome::Unknown("a repeated create found a record of its key".to_owned());
            }
            Means::Stale => return Outcome::Stale,
            Means::Gone => return Outcome::Gone,
            Means::Later if reply.repeated => return Outcome::Unknown(self.message.clone()),
            Means::SignIn | Means::Csrf | Means::Quota | Means::Seats | Means::Later => {
                return Outcome::NotSent(self.error(http, reply));
            }
            Means::Unknown => {
                return Outcome::Unknown(format!("status {}: {}", reply.status, self.message));
            }
            Means::Duplicate => RefusalKind::Duplicate,
            Means::BadReference => RefusalKind::BadReference,
            Means::Invalid => RefusalKind::Invalid,
            Means::Forbidden => RefusalKind::Forbidden,
            Means::Locked => RefusalKind::Locked,
            Means::Limit => RefusalKind::Limit,
            Means::Busy => RefusalKind::Busy,
            Means::Unclear | Means::Condition | Means::Expired => RefusalKind::Unclear,
        };
        let kind = self.kind_of_fields().unwrap_or(kind);
        let message = match kind {
            RefusalKind::Unclear => format!("status {}: {}", reply.status, self.message),
            _ => self.message.clone(),
        };
        Outcome::Refused(Refusal {
            kind,
            properties: self.fields.iter().map(|(name, _)| property(name)).collect(),
            message,
            advice: self.advice.clone().unwrap_or_else(|| match means {
                Means::Condition => CONDITION.to_owned(),
                _ => advice(kind).to_owned(),
            }),
        })
    }

    /// What single properties say together; a mixture is invalid.
    fn kind_of_fields(&self) -> Option<RefusalKind> {
        let kinds: Vec<RefusalKind> = self
            .fields
            .iter()
            .filter_map(|(_, means)| refusal(*means))
            .collect();
        let head = *kinds.first()?;
        match kinds.iter().all(|kind| *kind == head) {
            true => Some(head),
            false => Some(RefusalKind::Invalid),
        }
    }

    /// Why the ERP could not be asked: as a whole, or this once.
    pub(super) fn error(&self, http: &Http, reply: &Reply) -> Error {
        let said = format!(
            "it answered {} ({})",
            reply.status,
            self.message.trim_end_matches('.')
        );
        let advice = |usual: &str| self.advice.clone().unwrap_or_else(|| usual.to_owned());
        let mut error = match self.means {
            Some(Means::SignIn | Means::Csrf) => http.error(
                ErrorKind::SignIn,
                format!(
                    "it does not accept how we sign in ({})",
                    self.message.trim_end_matches('.')
                ),
                advice("Check the secrets in the configuration and `session:` in the description"),
            ),
            Some(Means::Seats) => http.error(
                ErrorKind::Refused,
                format!(
                    "every seat that it has for us is taken ({})",
                    self.message.trim_end_matches('.')
                ),
                advice(
                    "Log others out, or let an ERP administrator add seats; one is asked for again by itself",
                ),
            ),
            Some(Means::Forbidden | Means::Quota | Means::Limit) => http.error(
                ErrorKind::Refused,
                said,
                advice("Let an ERP administrator allow it, or wait"),
            ),
            Some(Means::Unknown | Means::Later | Means::Busy) => http.down(said),
            _ => http.protocol(said),
        };
        error.retry_at = reply
            .retry_after()
            .and_then(|wait| reply.began.checked_add(wait).ok());
        error.as_answer()
    }
}

/// There is no record yet that could have moved or gone; a read changes nothing that could be stale.
fn about(means: Means, errand: Errand<'_>) -> Means {
    match means {
        Means::Stale if errand.keyed => Means::Duplicate,
        Means::Stale | Means::Gone if errand.creates => Means::Unclear,
        means => means,
    }
}

/// What an answer usually means.
fn usual(description: &Description, reply: &Reply, success: bool) -> Means {
    let required = || {
        let value = reply
            .headers
            .get("x-csrf-token")
            .and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.eq_ignore_ascii_case("required"))
    };
    match reply.status {
        _ if success => Means::Unclear,
        403 if description.csrf.is_some() && required() => Means::Csrf,
        401 => Means::SignIn,
        403 => Means::Forbidden,
        404 | 410 => Means::Gone,
        400 | 409 | 413 | 422 => Means::Invalid,
        407 => Means::Later,
        408 => Means::Unknown,
        412 => Means::Stale,
        428 => Means::Condition,
        420 | 429 => Means::Quota,
        500.. => Means::Unknown,
        _ => Means::Unclear,
    }
}

fn has_failed(failed: &FailedText, body: &Json, headers: &HeaderMap) -> bool {
    let Some(shown) = failed.at.shown(body, headers) else {
        return false;
    };
    match &failed.equals {
        Some(words) => {
            plain(&shown).is_some_and(|text| words.iter().map(Scalar::text).any(|word| word == text))
        }
        None => match shown.as_ref() {
            Json::Null | Json::Bool(false) => false,
            Json::Array(entries) => !entries.is_empty(),
            Json::String(text) => !text.is_empty(),
            _ => true,
        },
    }
}

fn fits(rule: &RuleText, reply: &Reply, code: &str, said: &str, errand: Errand<'_>) -> bool {
    let status = rule
        .status
        .as_ref()
        .is_none_or(|all| all.contains(&u32::from(reply.status)));
    let code = rule
        .code
        .as_ref()
        .is_none_or(|all| all.iter().any(|one| one == code));
    let text = rule.contains.as_ref().is_none_or(|text| {
        let body = String::from_utf8_lossy(&reply.body).to_lowercase();
        said.to_lowercase().contains(&text.to_lowercase()) || body.contains(&text.to_lowercase())
    });
    let header = |(name, wanted): &(tandem_merge::config::node::At<String>, String)| {
        let value = reply
            .headers
            .get(name.value.to_lowercase())
            .and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.to_lowercase().contains(&wanted.to_lowercase()))
    };
    let headers = rule.header.as_ref().is_none_or(|all| all.0.iter().all(header));
    let kind = rule.writes.is_none_or(|writes| writes == errand.writes);
    status && code && text && headers && kind
}

fn fields(description: &Description, body: &Json) -> Vec<(String, Option<Means>)> {
    let Some(text) = description
        .errors
        .as_ref()
        .and_then(|errors| errors.fields.as_ref())
    else {
        return Vec::new();
    };
    let none = HeaderMap::new();
    let meaning = |code: Option<String>| {
        let means = text.means.as_ref()?;
        means.get(&code?).copied()
    };
    match text.at.of(body) {
        Some(Json::Array(entries)) => entries
            .iter()
            .filter_map(|entry| {
                let at = text.property.as_ref();
                let name = at.map_or_else(|| plain(entry), |at| at.text(entry, &none))?;
                let code = text.code.as_ref().and_then(|code| code.text(entry, &none));
                Some((name, meaning(code)))
            })
            .collect(),
        // A table by property.
        Some(Json::Object(members)) => members
            .iter()
            .map(|(name, entry)| {
                let code = text.code.as_ref().and_then(|code| code.text(entry, &none));
                (name.clone(), meaning(code))
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn refusal(means: Option<Means>) -> Option<RefusalKind> {
    Some(match means? {
        Means::Duplicate => RefusalKind::Duplicate,
        Means::BadReference => RefusalKind::BadReference,
        Means::Invalid => RefusalKind::Invalid,
        Means::Forbidden => RefusalKind::Forbidden,
        Means::Locked => RefusalKind::Locked,
        Means::Limit => RefusalKind::Limit,
        _ => return None,
    })
}

fn advice(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Invalid => "Correct the record, then retry",
        RefusalKind::Duplicate => {
            "Another record holds the value: link to that one, or change one of the two"
        }
        RefusalKind::BadReference => "Let it refer to a record that exists",
        RefusalKind::Forbidden => "Let an ERP administrator give Tandem's user the right to do this",
        RefusalKind::Locked => "The record's state or other records forbid it: change those, then retry",
        RefusalKind::Limit => "Let an ERP administrator make room, then retry",
        RefusalKind::Busy => "It is tried again by itself",
        RefusalKind::Unclear => "Let an ERP administrator look why it answers so, then retry",
    }
}
