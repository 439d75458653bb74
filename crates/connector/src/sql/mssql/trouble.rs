//! What SQL Server's errors mean, in one table.

use super::super::driver::{Class, Said, Trouble};
use crate::ErrorKind;
use tiberius::error::{Error, TokenError};

/// Numbers, and what each is about.
const CODES: [(u32, Class); 52] = [
    (207, Class::Missing),
    (208, Class::Missing),
    (213, Class::Missing),
    (220, Class::Range),
    (229, Class::Forbidden),
    (230, Class::Forbidden),
    (232, Class::Range),
    (241, Class::Type),
    (242, Class::Range),
    (245, Class::Type),
    (248, Class::Range),
    (262, Class::Forbidden),
    (271, Class::Check),
    (272, Class::Check),
    (273, Class::Check),
    (297, Class::Forbidden),
    (300, Class::Forbidden),
    (334, Class::Missing),
    (512, Class::Check),
    (515, Class::Null),
    (544, Class::Check),
    (547, Class::Foreign),
    (550, Class::Check),
    (701, Class::Limit),
    (802, Class::Limit),
    (916, Class::Forbidden),
    (1101, Class::Limit),
    (1105, Class::Limit),
    (1204, Class::Limit),
    (1205, Class::Busy),
    (1222, Class::Busy),
    (2601, Class::Unique),
    (2627, Class::Unique),
    (2628, Class::TooLong),
    (2812, Class::Missing),
    (3609, Class::Check),
    (3903, Class::Busy),
    (3906, Class::Forbidden),
    (3960, Class::Busy),
    (4405, Class::Missing),
    (8114, Class::Type),
    (8115, Class::Range),
    (8134, Class::Range),
    (8152, Class::TooLong),
    (8169, Class::Type),
    (8645, Class::Busy),
    (8651, Class::Limit),
    (9002, Class::Limit),
    (10_928, Class::Limit),
    (10_929, Class::Busy),
    (13_535, Class::Busy),
    (13_536, Class::Check),
];

/// The server is going down, or ended the session.
const LOST: [u32; 9] = [596, 6_005, 10_053, 10_054, 40_197, 40_501, 40_613, 49_918, 64];

/// What an error of a connection that stood says.
pub(super) fn of(error: Error) -> Trouble {
    match error {
        // Beyond this severity the server ends the session.
        Error::Server(said) if LOST.contains(&said.code()) || said.class() >= 20 => {
            Trouble::Lost(format!("{}: {}", said.code(), said.message()))
        }
        Error::Server(said) => Trouble::Said(read(&said)),
        other => Trouble::Lost(other.to_string()),
    }
}

/// Why no connection could be had.
pub(super) fn of_connecting(error: Error, place: &str) -> Trouble {
    let said = match error {
        Error::Server(said) => said,
        Error::Routing { host, port } => {
            let message = format!("{place} says that the database is at {host}:{port}: write that address");
            return Trouble::Away(ErrorKind::Missing, message);
        }
        other => return Trouble::Away(ErrorKind::Down, format!("{place} is not reached ({other})")),
    };
    let kind = match said.code() {
        4_060 => ErrorKind::Missing,
        18_451..=18_499 | 916 => ErrorKind::SignIn,
        _ => ErrorKind::Down,
    };
    Trouble::Away(
        kind,
        format!("{place} answers {}: {}", said.code(), said.message()),
    )
}

fn read(said: &TokenError) -> Said {
    let (code, message) = (said.code(), said.message());
    let known = CODES.iter().find(|(known, _)| *known == code);
    let class = match known.map(|(_, class)| *class) {
        // One number for references and conditions.
        Some(Class::Foreign) if message.contains("CHECK constraint") => Class::Check,
        Some(class) => class,
        // Numbers from here on are those of the database's own triggers and procedures.
        None if code >= 50_000 => Class::Check,
        None => Class::Other,
    };
    let column = match class {
        Class::Null | Class::TooLong => between(message, "column '", "'"),
        _ => None,
    };
    let constraint = match class {
        Class::Unique => between(message, "constraint '", "'").or_else(|| between(message, "index '", "'")),
        Class::Foreign | Class::Check => between(message, "constraint \"", "\""),
        _ => None,
    };
    Said {
        class,
        columns: column.map(str::to_owned).into_iter().collect(),
        constraint: constraint.map(str::to_owned),
        message: format!("{code}: {message}"),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}
