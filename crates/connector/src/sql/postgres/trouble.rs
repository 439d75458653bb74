//! What PostgreSQL's errors mean, in one table.

use super::super::driver::{Class, Said, Trouble};
use crate::ErrorKind;
use tokio_postgres::Error;

/// The beginning of a code, and what it is about. The longest that fits counts.
const CODES: [(&str, Class); 27] = [
    ("22", Class::Type),
    ("22001", Class::TooLong),
    ("22003", Class::Range),
    ("23", Class::Check),
    ("23502", Class::Null),
    ("23503", Class::Foreign),
    ("23001", Class::Foreign),
    ("23505", Class::Unique),
    ("23P01", Class::Unique),
    ("40", Class::Busy),
    ("42501", Class::Forbidden),
    ("25006", Class::Forbidden),
    ("42P01", Class::Missing),
    ("42703", Class::Missing),
    ("3F000", Class::Missing),
    ("42804", Class::Type),
    ("44000", Class::Check),
    ("428C9", Class::Check),
    ("53", Class::Limit),
    ("54", Class::Limit),
    ("55P03", Class::Busy),
    ("55006", Class::Busy),
    ("57014", Class::Busy),
    ("57", Class::System),
    ("58", Class::System),
    ("XX", Class::System),
    ("P0001", Class::Check),
];

fn class(code: &str) -> Class {
    let fits = CODES.iter().filter(|(begin, _)| code.starts_with(begin));
    fits.max_by_key(|(begin, _)| begin.len())
        .map_or(Class::Other, |(_, class)| *class)
}

/// What an error of a connection that stood says.
pub(super) fn of(error: &Error) -> Trouble {
    let Some(said) = error.as_db_error() else {
        let text = whole(error);
        // What cannot even be put into the form of its column was not sent.
        return match text.contains("error serializing parameter") {
            true => Trouble::Said(Said {
                class: Class::Range,
                message: text,
                constraint: None,
                columns: Vec::new(),
            }),
            false => Trouble::Lost(text),
        };
    };
    let code = said.code().code();
    // It is going down, or closed the session: what was under way is rolled back, and nothing tells how a commit ended.
    if matches!(code, "57P01" | "57P02" | "57P03" | "25P03" | "08006" | "08003") {
        return Trouble::Lost(format!("{code}: {}", said.message()));
    }
    // A column became another one since the statement was prepared: another connection prepares it anew.
    if code == "0A000" && said.message().contains("cached plan") {
        return Trouble::Lost(format!("{code}: {}", said.message()));
    }
    let detail = said
        .detail()
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default();
    Trouble::Said(Said {
        class: class(code),
        message: format!("{code}: {}{detail}", said.message()),
        constraint: said.constraint().map(str::to_owned),
        columns: said.column().map(str::to_owned).into_iter().collect(),
    })
}

/// Why no connection could be had.
pub(super) fn of_connecting(error: &Error, place: &str) -> Trouble {
    let Some(said) = error.as_db_error() else {
        return Trouble::Away(
            ErrorKind::Down,
            format!("{place} is not reached ({})", whole(error)),
        );
    };
    let code = said.code().code();
    let kind = match code {
        code if code.starts_with("28") => ErrorKind::SignIn,
        "3D000" => ErrorKind::Missing,
        "42501" => ErrorKind::SignIn,
        _ => ErrorKind::Down,
    };
    Trouble::Away(kind, format!("{place} answers {code}: {}", said.message()))
}

/// An error with what it came from.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        for (code, expected) in [
            ("22001", Class::TooLong),
            ("22007", Class::Type),
            ("23505", Class::Unique),
            ("23514", Class::Check),
            ("40001", Class::Busy),
            ("40P01", Class::Busy),
            ("55P03", Class::Busy),
            ("57014", Class::Busy),
            ("57P05", Class::System),
            ("42501", Class::Forbidden),
            ("P0001", Class::Check),
            ("0A000", Class::Other),
        ] {
            assert_eq!(class(code), expected, "{code}");
        }
    }
}
