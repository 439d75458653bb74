//! What an org's error codes mean, in one table, and what a person can do about each.

use crate::http::json::{text, texts};
use crate::http::{Http, Reply};
use crate::{Error, ErrorKind, Refusal, RefusalKind, Scope};
use RefusalKind::{BadReference, Busy, Duplicate, Forbidden, Invalid, Limit, Locked, Unclear};
use jiff::SignedDuration;
use serde_json::Value as Json;

/// How long to leave an org alone whose calls of the day are used up: the day is a moving window.
const QUOTA_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// Characters of an org's own words that are worth showing.
const WORDS_MAX: usize = 500;

/// Codes by their beginning; the first that fits counts.
const CODES: &[(&str, RefusalKind, &str)] = &[
    (
        "REQUIRED_FIELD_MISSING",
        Invalid,
        "Give the property a value, or declare a default in the flow",
    ),
    (
        "STRING_TOO_LONG",
        Invalid,
        "Shorten the value on the side it comes from",
    ),
    (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        Invalid,
        "A validation rule of the org refuses it: change the value or the rule",
    ),
    (
        "FIELD_FILTER_VALIDATION_EXCEPTION",
        Invalid,
        "A lookup filter of the org refuses it: change the value or the filter",
    ),
    (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        Invalid,
        "Choose an entry that the picklist has for the record's record type, or add it there and to the flow's values",
    ),
    ("INVALID_EMAIL_ADDRESS", Invalid, "Correct the e-mail address"),
    (
        "NUMBER_OUTSIDE_VALID_RANGE",
        Invalid,
        "Use a number or a date that the field can hold (dates from the year 1700 to 4000)",
    ),
    (
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        Invalid,
        "The org keeps this field itself or hides it: map it in the other direction only, or give Tandem's user the right to edit it",
    ),
    (
        "INVALID_FIELD",
        Invalid,
        "The org has no such field, or hides it from Tandem's user: correct the mapping or the field's visibility",
    ),
    (
        "FIELD_INTEGRITY_EXCEPTION",
        Invalid,
        "The values contradict each other or their parents: correct the record",
    ),
    (
        "INACTIVE_OWNER_OR_USER",
        Invalid,
        "Give the record an owner who is active",
    ),
    (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        Invalid,
        "An automation of the org failed on it: see the message, and correct the automation or the record",
    ),
    (
        "CANNOT_EXECUTE_FLOW_TRIGGER",
        Invalid,
        "A flow of the org failed on it: see the message, and correct the flow or the record",
    ),
    (
        "MALFORMED_ID",
        BadReference,
        "Let it refer to a record that exists",
    ),
    (
        "INVALID_CROSS_REFERENCE_KEY",
        BadReference,
        "Let it refer to a record that exists and that Tandem's user can see",
    ),
    (
        "ENTITY_IS_DELETED",
        BadReference,
        "The record that it refers to was deleted: restore it, or choose another",
    ),
    (
        "DUPLICATE_VALUE",
        Duplicate,
        "Another record holds the value: link to that one, or change one of the two",
    ),
    (
        "DUPLICATE_USERNAME",
        Duplicate,
        "The user name is taken, perhaps in another org: choose another",
    ),
    (
        "DUPLICATE_COMM_NICKNAME",
        Duplicate,
        "The nickname is taken: give another, or `CommunityNickname: derive:nickname`, which is never taken",
    ),
    (
        "DUPLICATES_DETECTED",
        Duplicate,
        "A duplicate rule of the org found a similar record: link to that one, or change the rule",
    ),
    (
        "INSUFFICIENT_ACCESS",
        Forbidden,
        "Give Tandem's user access to the record and to those it refers to",
    ),
    (
        "INVALID_TYPE_FOR_OPERATION",
        Forbidden,
        "The object does not allow this: change the flow's policy",
    ),
    (
        "INVALID_OPERATION",
        Forbidden,
        "The org does not allow this for such a record: see the message, or leave the record out by the flow's filter",
    ),
    (
        "METHOD_NOT_ALLOWED",
        Forbidden,
        "The object does not allow this: change the flow's policy",
    ),
    (
        "CANNOT_DEACTIVATE_DIVISION",
        Locked,
        "Move what uses the division first",
    ),
    (
        "DELETE_FAILED",
        Locked,
        "Other records depend on it: delete or change those first",
    ),
    (
        "ENTITY_IS_LOCKED",
        Locked,
        "The record is locked in its state (activated, posted, in approval): unlock it and run `tandem retry`, or leave \
         the property alone",
    ),
    (
        "FAILED_ACTIVATION",
        Locked,
        "The record cannot be activated as it is: an order needs at least one product line",
    ),
    ("LICENSE_LIMIT_EXCEEDED", Limit, "Free or buy a user licence"),
    ("STORAGE_LIMIT_EXCEEDED", Limit, "Free or buy storage"),
    (
        "LIMIT_EXCEEDED",
        Limit,
        "A limit of the org is reached: see the message",
    ),
    (
        "UNABLE_TO_LOCK_ROW",
        Busy,
        "Others kept the record or its parent locked through several attempts: let their job or automation end, then retry",
    ),
    (
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        Busy,
        "It was taken back with another: it is tried again",
    ),
];

/// What an answer to a write says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The record is another than the plan saw.
    Stale,
    /// There is no such record.
    Gone,
    /// The org as a whole does not serve us now.
    System,
    /// Nobody knows whether it was carried out.
    Unknown,
    /// The write is refused: by a code, or by an answer that is none of the above.
    Refused,
}

/// What the org said of one failed request, subrequest or row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) status: u64,
    pub(super) code: String,
    message: String,
    fields: Vec<String>,
}

impl Said {
    /// Reads an array of errors, or one error; REST calls the code `errorCode`, collections `statusCode`.
    pub(super) fn read(status: u64, body: &Json) -> Self {
        let first = body.get(0).unwrap_or(body);
        let code = text(first, "errorCode").or_else(|| text(first, "statusCode"));
        Self {
            status,
            code: code.unwrap_or_default().to_owned(),
            message: text(first, "message")
                .unwrap_or_default()
                .chars()
                .take(WORDS_MAX)
                .collect(),
            fields: texts(first, "fields"),
        }
    }

    /// Reads what a Bulk job says of a row: `CODE:message:FIELD,FIELD --`.
    pub(super) fn of_row(error: &str) -> Self {
        let whole = error.trim().trim_end_matches("--").trim();
        let (code, rest) = match whole.split_once(':') {
            Some((code, rest)) if is_code(code) => (code, rest),
            _ => ("", whole),
        };
        let is_name = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let names = |list: &str| -> Option<Vec<String>> {
            let names = list.split([',', ' ']).filter(|name| !name.is_empty());
            let names: Vec<&str> = names.collect();
            let all = names.iter().all(is_name);
            all.then(|| names.into_iter().map(str::to_owned).collect())
        };
        let parted = rest
            .rsplit_once(':')
            .and_then(|(message, list)| Some((message, names(list)?)));
        let (message, fields) = parted.unwrap_or((rest, Vec::new()));
        Self {
            status: 400,
            code: code.to_owned(),
            message: message.chars().take(WORDS_MAX).collect(),
            fields,
        }
    }

    /// The row itself is not there (any more), as opposed to one that it refers to.
    pub(super) fn is_gone(&self) -> bool {
        let by_status = matches!(self.status, 404 | 410);
        let by_code = self.code == "ENTITY_IS_DELETED" || self.message == "invalid cross reference id";
        self.fields.is_empty() && (by_status || by_code)
    }

    /// The org's calls of the day are used up.
    pub(super) fn is_quota(&self) -> bool {
        self.status == 429 || self.code == "REQUEST_LIMIT_EXCEEDED"
    }

    /// Nobody knows whether it was carried out.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.status, 408 | 420 | 500..) && self.code != "FUNCTIONALITY_NOT_ENABLED"
    }

    /// What it says of a write; a create has no record yet that could have moved or gone.
    pub(super) fn class(&self, creates: bool) -> Class {
        match self.status {
            412 if !creates => Class::Stale,
            _ if !creates && self.is_gone() => Class::Gone,
            401 => Class::System,
            _ if self.is_quota() => Class::System,
            _ if self.is_unknown() => Class::Unknown,
            _ => Class::Refused,
        }
    }

    /// The code with the org's own words.
    pub(super) fn shown(&self) -> String {
        match (self.code.is_empty(), self.message.is_empty()) {
            (true, true) => format!("status {}", self.status),
            (true, false) => format!("status {}: {}", self.status, self.message),
            (false, _) => format!("{}: {}", self.code, self.message),
        }
    }

    /// Why a row was refused.
    pub(super) fn refusal(&self) -> Refusal {
        let row = CODES.iter().find(|(code, ..)| self.code.starts_with(code));
        // Whatever no code explains is tried a few times more; then its record is parked.
        let otherwise = if self.code.is_empty() && self.fields.is_empty() && self.status != 400 {
            Unclear
        } else {
            Invalid
        };
        let unknown = ("", otherwise, "See the message, correct the record, then retry");
        let (_, kind, advice) = row.unwrap_or(&unknown);
        let properties = if self.fields.is_empty() {
            self.mentioned()
        } else {
            self.fields.clone()
        };
        Refusal {
            kind: *kind,
            properties,
            message: self.shown(),
            advice: (*advice).to_owned(),
        }
    }

    /// Properties that only the message names: some codes come without fields.
    fn mentioned(&self) -> Vec<String> {
        const BEFORE: [(&str, &str); 4] = [
            ("duplicate value found: ", " "),
            ("No such column '", "'"),
            ("Unable to create/update fields: ", ". "),
            ("Required fields are missing: [", "]"),
        ];
        let found = BEFORE.iter().find_map(|(before, end)| {
            let (_, after) = self.message.split_once(before)?;
            after.split(end).next()
        });
        let names = found.into_iter().flat_map(|names| names.split(','));
        names
            .map(|name| name.trim().to_owned())
            .filter(|name| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
            .collect()
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Why the org could not be asked: as a whole, or this once.
pub(super) fn error(http: &Http, reply: &Reply) -> Error {
    let said = Said::read(u64::from(reply.status), &reply.json());
    let mut error = of_said(http, &said);
    let wait = reply
        .retry_after()
        .and_then(|wait| SignedDuration::try_from(wait).ok());
    let wait = wait.or_else(|| said.is_quota().then_some(QUOTA_PAUSE));
    error.retry_at = wait.and_then(|wait| reply.began.checked_add(wait).ok());
    if error.scope == Scope::Answer {
        error.as_answer()
    } else {
        error
    }
}

/// Why a request or subrequest failed.
pub(super) fn of_said(http: &Http, said: &Said) -> Error {
    let message = format!(
        "it answered {} ({})",
        said.status,
        said.shown().trim_end_matches('.')
    );
    let error = match (said.status, said.code.as_str()) {
        (401, _) => http.error(
            ErrorKind::SignIn,
            "it does not accept the token it gave",
            "Check the session policies of the connected app",
        ),
        _ if said.is_quota() => http.error(
            ErrorKind::Refused,
            "the API calls of the day are used up",
            "Wait until the org allows calls again, or raise its limit",
        ),
        (410, _) => http.error(
            ErrorKind::Refused,
            "it no longer answers the version of its API that Tandem asks for",
            "Use a newer version of Tandem",
        ),
        (400 | 404, "INVALID_FIELD" | "INVALID_TYPE" | "NOT_FOUND") => http.error(
            ErrorKind::Missing,
            message,
            "Compare the mapping with the org, and the rights of Tandem's user (`tandem check` does)",
        ),
        (403, _) => http.error(
            ErrorKind::Refused,
            message,
            "Give Tandem's user the right to do this",
        ),
        (420 | 500.., _) => http.down(message),
        _ => http.protocol(message),
    };
    // Used-up calls are the org's as a whole.
    if said.is_quota() { error } else { error.as_answer() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn refusal(code: &str, message: &str, fields: &[&str]) -> Refusal {
        Said::read(
            400,
            &json!([{"errorCode": code, "message": message, "fields": fields}]),
        )
        .refusal()
    }

    #[test]
    fn every_code_leads_to_a_kind_and_advice() {
        let cases = [
            ("STRING_TOO_LONG", Invalid),
            ("INVALID_FIELD_FOR_INSERT_UPDATE", Invalid),
            ("DUPLICATES_DETECTED", Duplicate),
            ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", Forbidden),
            ("INVALID_CROSS_REFERENCE_KEY", BadReference),
            ("FAILED_ACTIVATION", Locked),
            ("LICENSE_LIMIT_EXCEEDED", Limit),
            ("UNABLE_TO_LOCK_ROW", Busy),
            ("SOMETHING_NEW", Invalid),
        ];
        for (code, kind) in cases {
            let refusal = refusal(code, "said", &["Name"]);
            assert_eq!(refusal.kind, kind, "{code}");
            assert_eq!(refusal.properties, ["Name"]);
            assert_eq!(refusal.message, format!("{code}: said"));
            assert!(!refusal.advice.is_empty());
        }
    }

    #[test]
    fn properties_are_found_in_words_where_fields_are_not_named() {
        let cases = [
            (
                "duplicate value found: Customerp_Id__c duplicates value on record with id: 003",
                vec!["Customerp_Id__c"],
            ),
            (
                "No such column 'Foo__c' on sobject of type Contact",
                vec!["Foo__c"],
            ),
            (
                "Unable to create/update fields: OwnerId, Name. Please check the security",
                vec!["OwnerId", "Name"],
            ),
            ("Something is wrong", vec![]),
        ];
        for (message, properties) in cases {
            assert_eq!(refusal("X", message, &[]).properties, properties, "{message}");
        }
    }

    #[test]
    fn rows_of_a_job_are_refused_with_the_same_words() {
        let cases = [
            (
                "FIELD_CUSTOM_VALIDATION_EXCEPTION:Fax: no such number:Fax --",
                "FIELD_CUSTOM_VALIDATION_EXCEPTION: Fax: no such number",
                vec!["Fax"],
            ),
            (
                "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
                "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]",
                vec!["LastName"],
            ),
            (
                "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--",
                "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access",
                vec![],
            ),
            (
                "Something: is wrong here!",
                "status 400: Something: is wrong here!",
                vec![],
            ),
        ];
        for (error, message, properties) in cases {
            let refusal = Said::of_row(error).refusal();
            assert_eq!(refusal.message, message);
            assert_eq!(refusal.properties, properties, "{error}");
        }
        assert_eq!(Said::of_row("UNABLE_TO_LOCK_ROW:x:--").refusal().kind, Busy);
        assert!(Said::of_row("ENTITY_IS_DELETED:entity is deleted:--").is_gone());
    }

    #[test]
    fn a_row_is_gone_only_if_no_field_is_meant() {
        let said = |fields: &[&str]| {
            Said::read(
                404,
                &json!([{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted", "fields": fields}]),
            )
        };
        assert!(said(&[]).is_gone());
        assert!(!said(&["AccountId"]).is_gone());
    }
}
