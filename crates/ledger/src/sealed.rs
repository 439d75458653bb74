//! How values are stored: sealed where the state has a key, else with a sum that shows damage.
//!
//! Architecture invariant: whatever a system showed or a person gave is written through [`Db::body`] (or blinded), so
//! that a state with a key holds none of it in clear. A test compares the tables with [`ALL`].

use crate::db::{Db, Trouble};
use crate::hash;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt::Display;
use tandem_seal::Seal;

/// The first byte of a value in clear; behind it stand four bytes of its CRC-32.
const CLEAR: u8 = 0x03;
/// A reservation of more bytes stands in its index as a hash.
const LONG: usize = 500;
/// Bytes before a value in clear.
const CLEAR_HEAD: usize = 5;
/// Notes that hold nothing of the systems: read before the key is known, or by other programs.
const OPEN_NOTES: [&str; 5] = ["clock", "fence", "seal", "swept", "backup"];

/// A column of values.
pub(crate) struct Place {
    pub(crate) table: &'static str,
    /// The column that numbers the rows.
    pub(crate) row: &'static str,
    pub(crate) column: &'static str,
    /// A packed value; else bytes, which in clear stand as they are.
    pub(crate) packed: bool,
}

impl Place {
    const fn packed(table: &'static str, row: &'static str, column: &'static str) -> Self {
        Self {
            table,
            row,
            column,
            packed: true,
        }
    }

    const fn bytes(table: &'static str, row: &'static str, column: &'static str) -> Self {
        Self {
            packed: false,
            ..Self::packed(table, row, column)
        }
    }

    /// What a sealed value is bound to.
    pub(crate) fn name(&self) -> Vec<u8> {
        format!("{}.{}", self.table, self.column).into_bytes()
    }
}

pub(crate) const STATE: Place = Place::packed("body", "rid", "state");
pub(crate) const HEADS: Place = Place::packed("body", "rid", "heads");
pub(crate) const QUESTIONS: Place = Place::packed("body", "rid", "questions");
pub(crate) const KEYS: Place = Place::bytes("record", "rid", "keys");
pub(crate) const CURSOR: Place = Place::bytes("system", "number", "cursor");
pub(crate) const INBOX: Place = Place::packed("inbox", "seq", "body");
pub(crate) const INTENT: Place = Place::packed("intent", "id", "body");
pub(crate) const COMPANION: Place = Place::packed("companion", "number", "body");
pub(crate) const ITEM: Place = Place::packed("item", "number", "body");
pub(crate) const HISTORY: Place = Place::packed("history", "number", "body");

/// Every column of values.
pub(crate) const ALL: [&Place; 10] = [
    &STATE, &HEADS, &QUESTIONS, &KEYS, &CURSOR, &INBOX, &INTENT, &COMPANION, &ITEM, &HISTORY,
];

impl Db {
    /// A value as it is stored.
    pub(crate) fn body(&self, place: &Place, value: &impl Serialize) -> Result<Vec<u8>, Trouble> {
        self.shut(place, packed(value)?)
    }

    /// Bytes as they are stored.
    pub(crate) fn shut(&self, place: &Place, plain: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        shut(self.seal.as_deref(), place, plain)
    }

    /// What stored bytes say.
    pub(crate) fn opened(&self, place: &Place, stored: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        opened(self.seal.as_deref(), place, stored)
    }

    /// What stored bytes say, where there are any.
    pub(crate) fn opened_if(
        &self,
        place: &Place,
        stored: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        stored.map(|stored| self.opened(place, stored)).transpose()
    }

    /// A stored value.
    pub(crate) fn read<T: DeserializeOwned>(&self, place: &Place, stored: Vec<u8>) -> Result<T, Trouble> {
        unpacked(&self.opened(place, stored)?, place.table)
    }

    /// A number of a match key as the index holds it.
    pub(crate) fn blind(&self, key: i64) -> i64 {
        self.seal.as_ref().map_or(key, |seal| seal.blind(key))
    }

    /// A reservation as its index holds it.
    pub(crate) fn blind_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.seal {
            Some(seal) => Cow::Owned(seal.blind_text(text)),
            // An index takes no text of any length.
            None if text.len() > LONG => Cow::Owned(hash::of_text(text)),
            None => Cow::Borrowed(text),
        }
    }

    /// A small named value.
    pub(crate) fn note(&self, name: &str) -> Result<Option<String>, Trouble> {
        let sql = "SELECT value FROM note WHERE name = ?1";
        let stored: Option<Vec<u8>> = self.one(sql, [name], |row| row.get(0))?;
        let plain = match (stored, self.seal_of_note(name)) {
            (Some(stored), Some(seal)) => Some(unseal(seal, &note_place(name), &stored)?),
            (stored, _) => stored,
        };
        let text = plain.map(String::from_utf8).transpose();
        text.map_err(|_| Trouble::Unreadable(format!("the note {name}")))
    }

    /// Sets a small named value.
    pub(crate) fn set_note(&self, name: &str, value: &str) -> Result<(), Trouble> {
        let sql = "INSERT INTO note (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let value = match self.seal_of_note(name) {
            Some(seal) => sealed(seal, &note_place(name), value.as_bytes())?,
            None => value.as_bytes().to_vec(),
        };
        self.run(sql, (name, value)).map(drop)
    }

    fn seal_of_note(&self, name: &str) -> Option<&Seal> {
        self.seal.as_deref().filter(|_| !is_open(name))
    }
}

/// Whether a note is in clear always.
pub(crate) fn is_open(note: &str) -> bool {
    OPEN_NOTES.contains(&note)
}

/// What a sealed note is bound to.
pub(crate) fn note_place(name: &str) -> Vec<u8> {
    format!("note.{name}").into_bytes()
}

/// Bytes as they are stored under a key, or in clear.
pub(crate) fn shut(seal: Option<&Seal>, place: &Place, plain: Vec<u8>) -> Result<Vec<u8>, Trouble> {
    match seal {
        Some(seal) => sealed(seal, &place.name(), &plain),
        None if place.packed => {
            let mut stored = Vec::with_capacity(CLEAR_HEAD + plain.len());
            stored.push(CLEAR);
            stored.extend_from_slice(&crc32fast::hash(&plain).to_le_bytes());
            stored.extend_from_slice(&plain);
            Ok(stored)
        }
        None => Ok(plain),
    }
}

/// What stored bytes say.
pub(crate) fn opened(seal: Option<&Seal>, place: &Place, mut stored: Vec<u8>) -> Result<Vec<u8>, Trouble> {
    if let Some(seal) = seal {
        return unseal(seal, &place.name(), &stored);
    }
    if !place.packed {
        return Ok(stored);
    }
    let damaged = || Trouble::Unreadable(format!("a value of the table {}", place.table));
    let (Some(&CLEAR), Some(noted)) = (stored.first(), stored.get(1..CLEAR_HEAD)) else {
        return Err(damaged());
    };
    let noted = <[u8; 4]>::try_from(noted).map(u32::from_le_bytes);
    let noted = noted.map_err(|_| damaged())?;
    let plain = stored.split_off(CLEAR_HEAD);
    match crc32fast::hash(&plain) == noted {
        true => Ok(plain),
        false => Err(damaged()),
    }
}

/// A value as bytes (MessagePack with names): what is compared with what was there, before it is shut.
pub(crate) fn packed(value: &impl Serialize) -> Result<Vec<u8>, Trouble> {
    #[allow(clippy::disallowed_methods, reason = "this is the place that seals")]
    let packed = rmp_serde::to_vec_named(value);
    packed.map_err(|error| Trouble::Unreadable(error.to_string()))
}

/// Bytes as the value that they are; `what` it is, for complaints.
pub(crate) fn unpacked<T: DeserializeOwned>(packed: &[u8], what: impl Display) -> Result<T, Trouble> {
    #[allow(clippy::disallowed_methods, reason = "this is the place that opens")]
    let value = rmp_serde::from_slice(packed);
    value.map_err(|error| Trouble::Unreadable(format!("{what}: {error}")))
}

pub(crate) fn sealed(seal: &Seal, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, Trouble> {
    seal.close(place, plain)
        .map_err(|broken| Trouble::Unreadable(broken.to_string()))
}

pub(crate) fn unseal(seal: &Seal, place: &[u8], stored: &[u8]) -> Result<Vec<u8>, Trouble> {
    seal.open(place, stored).map_err(|broken| {
        let place = String::from_utf8_lossy(place);
        Trouble::Unreadable(format!("{place} ({broken})"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn damage_of_a_value_in_clear_shows() {
        let plain = br#"{"at":1}"#.to_vec();
        let stored = shut(None, &STATE, plain.clone()).unwrap();
        assert_eq!(opened(None, &STATE, stored.clone()).unwrap(), plain);
        for place in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[place] ^= 0x10;
            assert!(opened(None, &STATE, damaged).is_err(), "{place}");
        }
        assert!(opened(None, &STATE, Vec::new()).is_err());
    }

    /// Columns of text that name things, and hold nothing that people wrote; or are blinded, or sealed as notes.
    const NAMES: [&str; 33] = [
        "edited.flow",
        "note.name",
        "note.value",
        "system.name",
        "system.identity",
        "system.listed",
        "kind.system",
        "kind.name",
        "record.id",
        "link.flow",
        "link.grp",
        "link.verdict",
        "link.since",
        "intent.slot",
        "intent.system",
        "intent.reservation",
        "intent.handle",
        "companion.role",
        "companion.id",
        "item.slot",
        "item.area",
        "item.kind",
        "deletion.flow",
        "approval.flow",
        "approval.at",
        "tally.flow",
        "tally.what",
        "run.kind",
        "run_count.what",
        "hourly.what",
        "forgotten.hash",
        "lease.holder",
        "worker.name",
    ];

    #[test]
    fn every_column_that_may_hold_what_people_wrote_is_sealed() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::schema::TABLES).unwrap();
        let sql =
            "SELECT m.name || '.' || c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c
                   WHERE m.type = 'table'";
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let columns: Vec<(String, String)> = columns.unwrap().collect::<Result<_, _>>().unwrap();
        let sealed = |name: &str| {
            let name = name.as_bytes();
            ALL.iter().any(|place| place.name() == name)
        };
        for (name, kind) in &columns {
            let known = kind == "INTEGER" || sealed(name) || NAMES.contains(&name.as_str());
            assert!(
                known,
                "{name}: write it through Db::body and list it in ALL, or, if it names things only, in NAMES"
            );
        }
        for place in ALL {
            let name = String::from_utf8(place.name()).unwrap();
            assert!(
                columns.iter().any(|(column, _)| *column == name),
                "{name} is no column"
            );
        }
    }
}
