//! What MySQL's and MariaDB's errors mean, in one table.

use super::super::driver::{Class, Said, Trouble};
use crate::ErrorKind;
use mysql_async::{Error, ServerError};

/// Codes, and what each is about.
const CODES: [(u16, Class); 40] = [
    (1021, Class::Limit),
    (1041, Class::Limit),
    (1044, Class::Forbidden),
    (1048, Class::Null),
    (1054, Class::Missing),
    (1062, Class::Unique),
    (1114, Class::Limit),
    (1142, Class::Forbidden),
    (1143, Class::Forbidden),
    (1146, Class::Missing),
    (1153, Class::TooLong),
    (1169, Class::Unique),
    (1205, Class::Busy),
    (1213, Class::Busy),
    (1216, Class::Foreign),
    (1217, Class::Foreign),
    (1227, Class::Forbidden),
    (1264, Class::Range),
    (1265, Class::Type),
    (1290, Class::Forbidden),
    (1292, Class::Type),
    (1364, Class::Null),
    (1366, Class::Type),
    (1369, Class::Check),
    (1370, Class::Forbidden),
    (1406, Class::TooLong),
    (1451, Class::Foreign),
    (1452, Class::Foreign),
    (1557, Class::Unique),
    (1586, Class::Unique),
    (1644, Class::Check),
    (1690, Class::Range),
    (1761, Class::Foreign),
    (1792, Class::Forbidden),
    (1906, Class::Check),
    (3024, Class::Busy),
    (3572, Class::Busy),
    (3819, Class::Check),
    (4025, Class::Check),
    (4078, Class::Type),
];

/// The server is going down, or ended the session.
const LOST: [u16; 6] = [1053, 1077, 1317, 1927, 2006, 2013];

/// What an error of a connection that stood says.
pub(super) fn of(error: Error) -> Trouble {
    match error {
        Error::Server(said) if LOST.contains(&said.code) => {
            Trouble::Lost(format!("{}: {}", said.code, said.message))
        }
        Error::Server(said) => Trouble::Said(read(&said)),
        other => Trouble::Lost(other.to_string()),
    }
}

/// Why no connection could be had.
pub(super) fn of_connecting(error: Error, place: &str) -> Trouble {
    let Error::Server(said) = error else {
        return Trouble::Away(ErrorKind::Down, format!("{place} is not reached ({error})"));
    };
    let kind = match said.code {
        1044 | 1045 | 1130 | 1698 | 1820 | 1862 | 4151 => ErrorKind::SignIn,
        1049 => ErrorKind::Missing,
        _ => ErrorKind::Down,
    };
    Trouble::Away(kind, format!("{place} answers {}: {}", said.code, said.message))
}

fn read(said: &ServerError) -> Said {
    let class = CODES
        .iter()
        .find(|(code, _)| *code == said.code)
        .map_or(Class::Other, |(_, class)| *class);
    let message = said.message.as_str();
    let columns: Option<Vec<&str>> = match class {
        Class::Foreign => {
            between(message, "FOREIGN KEY (`", "`)").map(|columns| columns.split("`, `").collect())
        }
        // `Column 'x' cannot be null`, `Data too long for column 'x'`, and with the table's name in front.
        Class::Null | Class::TooLong | Class::Range | Class::Type => between(message, "olumn '", "'")
            .or_else(|| between(message, "Field '", "'"))
            .or_else(|| between(message, "for column `", "` at row"))
            .map(|column| column.rsplit("`.`").take(1).collect()),
        _ => None,
    };
    let constraint = match class {
        // `Duplicate entry 'a' for key 'contacts.email'`: with the table in front, or without.
        Class::Unique => message
            .rsplit("for key '")
            .next()
            .map(|key| key.trim_end_matches('\'')),
        Class::Check => {
            between(message, "onstraint '", "'").or_else(|| between(message, "CONSTRAINT `", "` failed"))
        }
        _ => None,
    };
    let constraint = constraint.map(|name| name.rsplit('.').next().unwrap_or(name).to_owned());
    Said {
        class,
        columns: columns
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        constraint,
        message: format!("{}: {message}", said.code),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_their_columns() {
        let told = |code, message: &str| {
            let said = read(&ServerError {
                code,
                message: message.to_owned(),
                state: String::new(),
            });
            (
                said.class,
                said.columns.join(","),
                said.constraint.unwrap_or_default(),
            )
        };
        let of = |class, columns: &str, constraint: &str| (class, columns.to_owned(), constraint.to_owned());
        assert_eq!(
            told(1048, "Column 'last_name' cannot be null"),
            of(Class::Null, "last_name", "")
        );
        assert_eq!(
            told(1406, "Data too long for column 'name' at row 1"),
            of(Class::TooLong, "name", "")
        );
        assert_eq!(
            told(1364, "Field 'name' doesn't have a default value"),
            of(Class::Null, "name", "")
        );
        let wrong = "Incorrect date value: 'x' for column `erp`.`t`.`born` at row 1";
        assert_eq!(told(1292, wrong), of(Class::Type, "born", ""));
        let twice = "Duplicate entry 'for key '' for key 'contacts.external_id'";
        assert_eq!(told(1062, twice), of(Class::Unique, "", "external_id"));
        let nobody = "Cannot add or update a child row: a foreign key constraint fails (`e`.`c`, CONSTRAINT `c_1` \
                      FOREIGN KEY (`reports_to`) REFERENCES `c` (`id`))";
        assert_eq!(told(1452, nobody), of(Class::Foreign, "reports_to", ""));
        assert_eq!(
            told(4025, "CONSTRAINT `t.amount` failed for `e`.`t`"),
            of(Class::Check, "", "amount")
        );
        assert_eq!(told(1213, "Deadlock found"), of(Class::Busy, "", ""));
        assert_eq!(told(9999, "?"), of(Class::Other, "", ""));
    }
}
