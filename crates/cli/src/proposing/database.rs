//! A database's tables as a picture of record types.

use super::names::{likeliest, means, pascal, singular};
use super::picture::{Guess, Kind, Line, Picture, Property, RecordType, Topic, Way};
use super::source::Access;
use super::yaml::{list, scalar, table};
use crate::failure::Failure;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::ErrorKind;
use tandem_connector::sql::{Description, SeenColumn, SeenTable, Sql, SqlConfig};

/// What to do where the database does not let us in.
const SIGN_IN: &str =
    "Give --user-env and --password-env with the names of environment variables that hold user and password";

/// Reads the tables of a database.
pub(crate) async fn picture(url: &str, access: &Access) -> Result<Picture, Failure> {
    let connector = Sql::connect(SqlConfig {
        name: "the database".to_owned(),
        url: url.to_owned(),
        user: access.user.clone(),
        password: access.password.clone(),
        certificate_authority: None,
        description: Description::empty(),
        request_deadline: SignedDuration::from_mins(1),
        overlap: SignedDuration::ZERO,
        read_only: true,
        fields: BTreeMap::new(),
        computed: BTreeMap::new(),
    })?;
    let tables = connector.catalogue().await.map_err(|mut error| {
        // There is no configuration yet that could be corrected.
        if error.kind == ErrorKind::SignIn {
            SIGN_IN.clone_into(&mut error.advice);
        }
        error
    })?;
    let shown = without_secrets(url);
    if tables.is_empty() {
        return Err(Failure::usage(
            format!("{shown} has no table that this user may read"),
            "Let a database administrator grant SELECT, or name another database",
        ));
    }
    let mut secrets = Vec::new();
    let within = |part: fn(&url::Url) -> bool| url::Url::parse(url).is_ok_and(|url| part(&url));
    let user = access.user.is_some() || within(|url| !url.username().is_empty());
    let password = access.password.is_some() || within(|url| url.password().is_some());
    secrets.extend(user.then(|| "user".to_owned()));
    secrets.extend(password.then(|| "password".to_owned()));
    let mut picture = Picture {
        way: Way::Sql,
        from: shown.clone(),
        url: Some(shown),
        secrets,
        top: Vec::new(),
        types: Vec::new(),
        open: Vec::new(),
    };
    let names = type_names(&tables);
    for seen in &tables {
        let of = record_type(seen, &names, &tables, &mut picture);
        picture.types.push(of);
    }
    Ok(picture)
}

/// An address without user and password: those never stand in a configuration. It may name several hosts.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (place, query) = rest
        .split_once('?')
        .map_or((rest, None), |(place, query)| (place, Some(query)));
    let (hosts, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    // A password may hold the sign that ends it.
    let hosts = place
        .rfind('@')
        .filter(|at| *at < place.len())
        .map_or((hosts, path), |at| {
            let behind = &place[at + 1..];
            behind.split_at(behind.find('/').unwrap_or(behind.len()))
        });
    let (hosts, path) = hosts;
    let secret = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_lowercase();
        !matches!(name.as_str(), "user" | "username" | "password" | "pwd" | "passwd")
    };
    let query: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(secret)
        .collect();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    format!("{scheme}://{hosts}{path}{query}")
}

/// What the record type of each table is called.
fn type_names(tables: &[SeenTable]) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for seen in tables {
        let plain = seen.name.rsplit('.').next().unwrap_or(&seen.name);
        let words: Vec<&str> = plain
            .split(|sign: char| !sign.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let own = match words.split_last() {
            Some((last, before)) => pascal(&[before, &[singular(last).as_str()][..]].concat().join("_")),
            None => pascal(plain),
        };
        let (mut name, mut number) = (own.clone(), 2);
        while !taken.insert(name.clone()) {
            name = format!("{own}{number}");
            number += 1;
        }
        names.insert(seen.name.clone(), name);
    }
    names
}

fn record_type(
    seen: &SeenTable,
    names: &BTreeMap<String, String>,
    tables: &[SeenTable],
    picture: &mut Picture,
) -> RecordType {
    let name = names.get(&seen.name).cloned().unwrap_or_default();
    let mut lines = vec![Line::new("table", scalar(&seen.name))];
    let (key, key_guess) = key(seen);
    lines.push(match key.as_slice() {
        [one] => Line::new("key", scalar(one)).guessed(key_guess),
        several => Line::new("key", list(several)),
    });
    let marks = Marks::of(seen, &name, picture);
    lines.extend(marks.lines.iter().cloned());
    let hidden: Vec<&str> = seen
        .columns
        .iter()
        .filter(|column| column.data_type.is_none())
        .map(|column| column.name.as_str())
        .collect();
    if !hidden.is_empty() {
        lines.push(Line::new("hide", list(&hidden)));
    }
    let [insert, update, _] = seen.may;
    let writes = (insert || update) && !seen.is_view;
    if !writes {
        let guess = seen.is_view.then(|| {
            Guess::new(
                Topic::Creates,
                "it is a view",
                "which table may be written (`write_to`), if any?",
            )
        });
        lines.push(Line::new("write", "read_only").guessed(guess));
    }
    let properties = seen.columns.iter().filter(|column| column.data_type.is_some());
    let properties = properties
        .map(|column| property(column, seen, &key, &marks.kept, names, tables))
        .collect();
    RecordType {
        name,
        lines,
        properties,
        creates: insert && writes,
        updates: update && writes,
        not: key
            .is_empty()
            .then(|| "it has no key: no column, nor several, are unique and never null".to_owned()),
    }
}

/// The key, and whether it is a guess: a view says of no column that it is unique.
fn key(seen: &SeenTable) -> (Vec<String>, Option<Guess>) {
    if !seen.key.is_empty() {
        return (seen.key.clone(), None);
    }
    let plain = seen.name.rsplit('.').next().unwrap_or(&seen.name);
    let own = format!("{}id", super::names::plain(&singular(plain)));
    let named = seen
        .columns
        .iter()
        .find(|column| super::names::plain(&column.name) == own);
    let named = named.or_else(|| likeliest(seen.columns.iter(), |column| column.name.as_str(), "id"));
    let guess = |_: &SeenColumn| Guess::new(Topic::Values, "by its name", "is it unique, and never changed?");
    match named {
        Some(column) => (vec![column.name.clone()], Some(guess(column))),
        None => (Vec::new(), None),
    }
}

/// The columns that tell of changes.
struct Marks {
    lines: Vec<Line>,
    kept: BTreeSet<String>,
}

impl Marks {
    fn of(seen: &SeenTable, name: &str, picture: &mut Picture) -> Self {
        let mut marks = Self {
            lines: Vec::new(),
            kept: BTreeSet::new(),
        };
        let by = |what: &str, kinds: &[&str]| {
            let fits = |column: &&SeenColumn| {
                column.data_type.is_some_and(|of| kinds.contains(&of)) && !column.unique
            };
            likeliest(
                seen.columns.iter().filter(fits),
                |column| column.name.as_str(),
                what,
            )
        };
        let modified = by("modified", &["datetime", "date"]);
        let created = by("created", &["datetime", "date"]);
        match modified {
            Some(column) => {
                let text = match (column.data_type, created.filter(|_| column.nullable)) {
                    (Some("date"), _) => {
                        table(&[("column", scalar(&column.name).as_str()), ("granularity", "1d")])
                    }
                    (_, Some(created)) => table(&[("column", list(&[&column.name, &created.name]))]),
                    _ => scalar(&column.name),
                };
                let guess = Guess::new(
                    Topic::Changes,
                    "by its name and type",
                    "does every change set it, and in which zone?",
                );
                marks.keep("modified", text, &column.name, guess);
            }
            None => picture.ask(
                Topic::Changes,
                name,
                "Which column says when a row was changed? Without one all rows are compared, every minute.",
            ),
        }
        let version = seen.columns.iter().find(|column| {
            let native = column.native.to_lowercase();
            native == "rowversion" || means(&column.name, "version") && column.data_type == Some("integer")
        });
        match version {
            Some(column) if column.native.to_lowercase() == "rowversion" => {
                let guess = Guess::new(Topic::Versions, "by its type", "is it this table's own?");
                marks.keep("version", scalar(&column.name), &column.name, guess);
            }
            // One that does not move with each change would let an edit be overwritten; without any, all values are compared.
            Some(column) => picture.ask(
                Topic::Versions,
                name,
                format!(
                    "Does every change of a row count `{0}` up? If so, write `version: {0}`; until then all that a row shows is compared.",
                    column.name
                ),
            ),
            None => {}
        }
        let deleted = by("deletedat", &["datetime", "date"])
            .or_else(|| by("deleted", &["boolean", "integer", "datetime"]));
        match deleted {
            Some(column) => {
                let guess = Guess::new(Topic::Deletions, "by its name and type", "does it mark deleted rows, and do they stay?");
                marks.keep("deleted", scalar(&column.name), &column.name, guess);
            }
            None if seen.is_view => picture.ask(Topic::Deletions, name, "It is a view: a row that it does not show any more is out of sight, and deletes nothing. Write `absent: deleted` if it means that."),
            None => {}
        }
        if let Some(column) = created {
            let guess = Guess::new(
                Topic::Values,
                "by its name and type",
                "is it when a row was made?",
            );
            marks.keep("created", scalar(&column.name), &column.name, guess);
        }
        if let Some(column) = by("author", &["string", "integer"]) {
            let guess = Guess::new(Topic::Values, "by its name", "is it who changed a row last?");
            marks.keep("author", scalar(&column.name), &column.name, guess);
        }
        marks
    }

    fn keep(&mut self, key: &str, text: String, column: &str, guess: Guess) {
        self.kept.insert(column.to_owned());
        self.lines.push(Line::new(key, text).guessed(Some(guess)));
    }
}

fn property(
    column: &SeenColumn,
    seen: &SeenTable,
    key: &[String],
    kept: &BTreeSet<String>,
    names: &BTreeMap<String, String>,
    tables: &[SeenTable],
) -> Property {
    let kind = match column.data_type.unwrap_or_default() {
        _ if !column.values.is_empty() => Kind::Enum(column.values.clone()),
        _ if !column.checked.is_empty() => Kind::Enum(column.checked.clone()),
        "integer" => Kind::Integer,
        "decimal" => Kind::Decimal(
            column
                .digits
                .map(|(digits, scale)| (u64::from(digits), u64::from(scale))),
        ),
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        _ => Kind::Text(column.max_length.and_then(|length| u64::try_from(length).ok())),
    };
    let mut property = Property::new(&column.name, kind);
    property.required = !column.nullable && !column.filled;
    property.unique = column.unique;
    property.read_only = column.generated || kept.contains(&column.name);
    property.create_only = key.contains(&column.name) && !property.read_only;
    property.filled = column.filled || column.generated;
    if !column.checked.is_empty() {
        property.form = Some(format!("values: {}", list(&column.checked)));
    }
    let alone = seen
        .foreign
        .iter()
        .find(|(columns, ..)| matches!(columns.as_slice(), [one] if *one == column.name));
    let to_key = alone.and_then(|(_, to, there)| {
        let other = tables.iter().find(|other| other.name == *to)?;
        let whole = there.is_empty() && other.key.len() == 1 || *there == other.key;
        whole.then(|| names.get(to)).flatten()
    });
    if let Some(to) = to_key {
        property.kind = Kind::Reference(to.clone());
    }
    property
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn user_and_password_never_stand_in_an_address() {
        for (given, kept) in [
            ("postgres://ann:pw@db.example/erp", "postgres://db.example/erp"),
            (
                "postgres://ann:p/w@h@db.example:5432/erp?sslmode=require",
                "postgres://db.example:5432/erp?sslmode=require",
            ),
            (
                "postgres://ann:pw@h1:5432,h2:5432/erp",
                "postgres://h1:5432,h2:5432/erp",
            ),
            (
                "mysql://db.example/erp?user=ann&password=pw&ssl=1",
                "mysql://db.example/erp?ssl=1",
            ),
            ("sqlite:erp.db", "sqlite:erp.db"),
            ("postgres://db.example/erp", "postgres://db.example/erp"),
        ] {
            assert_eq!(without_secrets(given), kept);
        }
    }
}
