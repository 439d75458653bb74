//! What a Customerp's refusals mean, in one table.

use crate::http::json::text;
use crate::http::{Http, Reply};
use crate::{Error, ErrorKind, Outcome, Refusal, RefusalKind};
use serde_json::Value as Json;

/// A property's code, the kind it stands for, and what to do about it.
const PROPERTIES: [(&str, RefusalKind, &str); 9] = [
    ("too_long", RefusalKind::Invalid, "Shorten the value"),
    ("required", RefusalKind::Invalid, "Give it a value"),
    (
        "unknown_property",
        RefusalKind::Invalid,
        "Take the property out of the mapping, or have it added to the ERP",
    ),
    (
        "read_only",
        RefusalKind::Invalid,
        "The ERP keeps this property itself: map it in the other direction only",
    ),
    (
        "wrong_type",
        RefusalKind::Invalid,
        "Correct the type in the mapping",
    ),
    (
        "unknown_value",
        RefusalKind::Invalid,
        "Choose a value that the ERP knows, or add it to the mapping's values",
    ),
    (
        "out_of_range",
        RefusalKind::Invalid,
        "Correct the number to one that the ERP takes",
    ),
    (
        "no_such_record",
        RefusalKind::BadReference,
        "Let it refer to a record that exists",
    ),
    (
        "duplicate",
        RefusalKind::Duplicate,
        "Another record holds the value: link to that one, or change one of the two",
    ),
];

struct Problem {
    code: String,
    message: String,
    /// Property and code.
    fields: Vec<(String, String)>,
}

fn problem(reply: &Reply) -> Problem {
    let body = reply.json();
    let error = body.get("error").unwrap_or(&Json::Null);
    let fields = error.get("fields").and_then(Json::as_array);
    let fields = fields.into_iter().flatten().filter_map(|field| {
        let code = text(field, "code").unwrap_or_default();
        Some((text(field, "property")?.to_owned(), code.to_owned()))
    });
    Problem {
        code: text(error, "code").unwrap_or("unknown").to_owned(),
        message: text(error, "message").map_or_else(|| format!("status {}", reply.status), str::to_owned),
        fields: fields.collect(),
    }
}

/// What became of a write that was not answered with success.
pub(super) fn outcome(http: &Http, reply: &Reply) -> Outcome {
    let problem = problem(reply);
    match (reply.status, problem.code.as_str()) {
        // An earlier attempt of this very write may be what moved or removed the record.
        (404 | 410 | 412, _) if reply.repeated => {
            Outcome::Unknown("a repeated request found the record changed".to_owned())
        }
        (412, _) => Outcome::Stale,
        (404 | 410, "not_found" | "deleted") => Outcome::Gone,
        (400 | 403 | 409 | 413 | 422, _) => Outcome::Refused(refusal(reply.status, problem)),
        // Documented: what is not executed in time is not executed at all.
        (503, "deadline") if !reply.repeated => Outcome::NotSent(error(http, reply)),
        (500.., _) => Outcome::Unknown(format!("status {}: {}", reply.status, problem.message)),
        _ => Outcome::NotSent(error(http, reply)),
    }
}

fn refusal(status: u16, problem: Problem) -> Refusal {
    let rows: Vec<_> = problem
        .fields
        .iter()
        .filter_map(|(_, code)| PROPERTIES.iter().find(|(known, ..)| known == code))
        .collect();
    let (kind, advice) = match (rows.split_first(), problem.code.as_str()) {
        (Some((first, rest)), _) if rest.iter().all(|row| row.1 == first.1) => (first.1, first.2),
        (Some((first, _)), _) => (RefusalKind::Invalid, first.2),
        (None, "duplicate") => (RefusalKind::Duplicate, PROPERTIES[8].2),
        (None, "in_use") => (
            RefusalKind::Locked,
            "Other records refer to it: delete or change those first",
        ),
        (None, _) if status == 403 => (
            RefusalKind::Forbidden,
            "Let an ERP administrator give Tandem's user the right to do this",
        ),
        (None, _) => (RefusalKind::Invalid, "Correct the record, then retry"),
    };
    Refusal {
        kind,
        properties: problem.fields.into_iter().map(|(property, _)| property).collect(),
        message: format!("{}: {}", problem.code, problem.message),
        advice: advice.to_owned(),
    }
}

/// Why the ERP as a whole could not be asked.
pub(super) fn error(http: &Http, reply: &Reply) -> Error {
    let problem = problem(reply);
    let said = format!(
        "it answered {} ({})",
        reply.status,
        problem.message.trim_end_matches('.')
    );
    let mut error = match reply.status {
        401 => http.error(
            ErrorKind::SignIn,
            "it does not accept the token",
            "Check the token in the configuration",
        ),
        403 | 429 => http.error(
            ErrorKind::Refused,
            said,
            "Let an ERP administrator allow it, or wait",
        ),
        500.. => http.down(said),
        _ => http.protocol(said),
    };
    error.retry_at = reply
        .retry_after()
        .and_then(|wait| reply.began.checked_add(wait).ok());
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(fields: &[(&str, &str)], code: &str) -> Refusal {
        let fields = fields.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned()));
        refusal(
            422,
            Problem {
                code: code.to_owned(),
                message: "said".to_owned(),
                fields: fields.collect(),
            },
        )
    }

    #[test]
    fn kinds_follow_the_properties() {
        let one = refused(&[("email", "too_long")], "validation");
        assert_eq!(
            (one.kind, one.properties),
            (RefusalKind::Invalid, vec!["email".to_owned()])
        );
        assert_eq!(one.message, "validation: said");
        let reference = refused(&[("contactId", "no_such_record")], "validation");
        assert_eq!(reference.kind, RefusalKind::BadReference);
        let mixed = refused(&[("sku", "duplicate"), ("name", "required")], "validation");
        assert_eq!(mixed.kind, RefusalKind::Invalid);
        assert_eq!(mixed.properties.len(), 2);
        assert_eq!(refused(&[], "in_use").kind, RefusalKind::Locked);
        assert_eq!(
            refused(&[("sku", "duplicate")], "duplicate").kind,
            RefusalKind::Duplicate
        );
    }
}
