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

/// What the status of an answer to a write says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The record is another than the plan saw.
    Stale,
    /// There is no such record.
    Gone,
    /// The write is refused, with reasons.
    Refused,
    /// The ERP as a whole does not serve us now.
    System,
    /// Nobody knows whether it was carried out.
    Unknown,
    /// Nothing that the ERP's contract knows: the write is tried a few times, then its record is parked.
    Unclear,
}

/// The classes of statuses; any other is [`Class::Unclear`].
const CLASSES: [(u16, Class); 12] = [
    (400, Class::Refused),
    (401, Class::System),
    (403, Class::Refused),
    (404, Class::Gone),
    (407, Class::System),
    (408, Class::Unknown),
    (409, Class::Refused),
    (410, Class::Gone),
    (412, Class::Stale),
    (413, Class::Refused),
    (422, Class::Refused),
    (429, Class::System),
];

fn class(status: u16, creates: bool) -> Class {
    if status >= 500 {
        return Class::Unknown;
    }
    let known = CLASSES.iter().find(|(known, _)| *known == status);
    match known.map_or(Class::Unclear, |(_, class)| *class) {
        // There is no record yet that could have moved or gone.
        Class::Stale | Class::Gone if creates => Class::Unclear,
        class => class,
    }
}

/// What became of a write that was not answered with success.
pub(super) fn outcome(http: &Http, reply: &Reply, creates: bool) -> Outcome {
    let problem = problem(reply);
    match class(reply.status, creates) {
        // An earlier attempt of this very write may be what moved or removed the record.
        Class::Stale | Class::Gone if reply.repeated => {
            Outcome::Unknown("a repeated request found the record changed".to_owned())
        }
        Class::Stale => Outcome::Stale,
        Class::Gone => Outcome::Gone,
        Class::Refused => Outcome::Refused(refusal(reply.status, problem)),
        // Documented: what is not executed in time is not executed at all.
        Class::Unknown if reply.status == 503 && problem.code == "deadline" && !reply.repeated => {
            Outcome::NotSent(error(http, reply))
        }
        Class::Unknown => Outcome::Unknown(format!("status {}: {}", reply.status, problem.message)),
        Class::System => Outcome::NotSent(error(http, reply)),
        Class::Unclear => Outcome::Refused(Refusal {
            kind: RefusalKind::Unclear,
            properties: Vec::new(),
            message: format!("status {}: {}", reply.status, problem.message),
            advice: "Let an ERP administrator look why it answers so, then retry".to_owned(),
        }),
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

/// Why the ERP could not be asked: as a whole, or this once.
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
    error.as_answer()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_no_table_knows_is_the_trouble_of_one_record() {
        for status in [
            302, 402, 405, 406, 411, 415, 418, 423, 424, 425, 428, 431, 451, 499,
        ] {
            assert_eq!(class(status, false), Class::Unclear, "{status}");
        }
        assert_eq!(
            (class(412, false), class(412, true)),
            (Class::Stale, Class::Unclear)
        );
        assert_eq!(
            (class(404, false), class(404, true)),
            (Class::Gone, Class::Unclear)
        );
        assert_eq!(
            (class(410, false), class(410, true)),
            (Class::Gone, Class::Unclear)
        );
        for status in [500, 501, 502, 503, 507, 599] {
            assert_eq!(class(status, true), Class::Unknown, "{status}");
        }
    }

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
