//! From an older form of the state to the one that this program reads.
//!
//! Architecture invariant: before its first step the state is kept as it was, in a backup that a program of its form
//! restores; all steps together are one transaction. The table `note` and what it holds in clear are the same in every form.

use crate::db::{Db, Trouble};
use crate::folder::{self, DATABASE};
use crate::home::Home;
use crate::keys::Keys;
use crate::postgres::Postgres;
use crate::schema::{self, FORM, HOURLY, LEASES, Shape, TABLES_9, TABLES_10};
use crate::sqlite::Sqlite;
use crate::storage::Storage;
use crate::{Error, backup};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// A step from one form to the next.
pub(crate) struct Step {
    /// The tables before it: [`schema::TABLES`] as it was.
    pub(crate) tables: &'static str,
    /// What becomes of the tables, in the words that they are written in.
    pub(crate) reshape: &'static str,
    /// What becomes of what they hold.
    pub(crate) rewrite: fn(&Db) -> Result<(), Trouble>,
}

/// Every step, the oldest first; the last one leads to [`FORM`]. Whoever raises that adds a step.
pub(crate) const STEPS: &[Step] = &[
    Step {
        tables: TABLES_9,
        reshape: HOURLY,
        rewrite: |_| Ok(()),
    },
    Step {
        tables: TABLES_10,
        reshape: LEASES,
        rewrite: |_| Ok(()),
    },
];

/// A state that was brought to the form of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Its form before.
    pub from: i64,
    /// Its form now.
    pub to: i64,
    /// The backup of it as it was before.
    pub kept: PathBuf,
}

/// The steps that a form is behind; none where there is no way from it.
fn behind(steps: &'static [Step], form: i64) -> Option<&'static [Step]> {
    let first = steps.len().checked_sub((FORM - form).try_into().ok()?)?;
    steps.get(first..)
}

/// Carries out `open`, and where it finds an older form once more after the steps from it. What is opened is held by nobody.
pub(crate) fn opened<T>(
    home: &Home,
    keys: &Keys,
    steps: &'static [Step],
    open: impl Fn() -> Result<T, Error>,
) -> Result<(T, Option<Migrated>), Error> {
    match open() {
        Err(Error::Older { found, .. } | Error::Behind { found, .. }) if behind(steps, found).is_some() => {
            let migrated = forward(home, keys, steps, found)?;
            Ok((open()?, Some(migrated)))
        }
        opened => Ok((opened?, None)),
    }
}

/// Keeps a state of an older form in a backup, and brings it to the form of this program.
fn forward(home: &Home, keys: &Keys, steps: &'static [Step], from: i64) -> Result<Migrated, Error> {
    let steps = behind(steps, from).unwrap_or_default();
    let tables = steps.first().map_or(schema::TABLES, |step| step.tables);
    let shape = Shape { form: from, tables };
    let now = Timestamp::now();
    let name = format!("form-{from}-{}.backup", now.strftime("%Y%m%dT%H%M%S%3fZ"));
    let kept = folder::make_where_missing(home.aside())?.join(name);
    match home {
        Home::Folder(folder) => {
            let _hold = folder::take_hold(folder)?;
            let state = Sqlite::open_form(&folder.join(DATABASE), from)?;
            backup::keep(home, &kept, shape, keys, now)?;
            carry_out(Box::new(state), keys, steps)?;
        }
        Home::Server(server) => {
            let state = Postgres::open_form(server, from)?;
            backup::keep(home, &kept, shape, keys, now)?;
            carry_out(Box::new(state), keys, steps)?;
        }
    }
    let to = FORM;
    Ok(Migrated { from, to, kept })
}

/// Brings a file that is no one's state to the form of this program, where it has an older one.
pub(crate) fn file(file: &Path, keys: &Keys, steps: &'static [Step]) -> Result<(), Error> {
    let form = Sqlite::form_of(file)?;
    match behind(steps, form) {
        Some(steps) if form < FORM => carry_out(Box::new(Sqlite::open_form(file, form)?), keys, steps),
        _ => Ok(()),
    }
}

fn carry_out(state: Box<dyn Storage>, keys: &Keys, steps: &[Step]) -> Result<(), Error> {
    let mut db = Db::new(state).map_err(|trouble| trouble.told("opened"))?;
    db.seal = crate::keys::found(&db, keys)?;
    let first = FORM.saturating_sub_unsigned(steps.len() as u64) + 1;
    db.unit("brought to the form of this program", |db| {
        for (form, step) in (first..).zip(steps) {
            db.storage.reshape(step.reshape, form)?;
            (step.rewrite)(db)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
