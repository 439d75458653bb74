//! What a row shows: whose it is, which state of it, with which values.

use super::catalogue::Kind;
use super::table::{Place, Table};
use super::value::{Cell, Shown, text};
use crate::key;
use crate::shown::{missing, token};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

impl Table {
    /// The id of a row; none where a part of its key is null.
    pub(super) fn id(&self, row: &[Cell]) -> Option<String> {
        if let [place] = self.key.as_slice() {
            return match &row[place.at] {
                Cell::Null | Cell::Odd(_) => None,
                cell => Some(key::alone(text(cell))),
            };
        }
        let parts = self.key.iter().map(|place| match &row[place.at] {
            Cell::Null | Cell::Odd(_) => None,
            cell => Some(text(cell)),
        });
        Some(key::join(&parts.collect::<Option<Vec<_>>>()?))
    }

    /// The id of a key.
    pub(super) fn id_of_key(&self, key: &[Cell]) -> Option<String> {
        let parts = key.iter().map(|cell| match cell {
            Cell::Null | Cell::Odd(_) => None,
            cell => Some(text(cell)),
        });
        Some(key::join(&parts.collect::<Option<Vec<_>>>()?))
    }

    /// The key of an id; none where no row can have it.
    pub(super) fn key_of(&self, id: &str) -> Option<Vec<Cell>> {
        let parts = key::split(id, self.key.len())?;
        let cells = parts.iter().zip(&self.key).map(|(part, place)| {
            if part.is_empty() {
                return matches!(place.codec.kind, Kind::Text | Kind::Other)
                    .then(|| Cell::Text(String::new()));
            }
            let value = tandem_merge::value::Value::text(part.as_str());
            let cell = place.codec.write(&value).ok()?;
            // `007` is another id than `7`, although the same number.
            (text(&cell) == *part).then_some(cell)
        });
        cells.collect()
    }

    /// Whether a row is marked as deleted.
    pub(super) fn is_deleted(&self, row: &[Cell]) -> bool {
        let Some(place) = &self.deleted else { return false };
        let is = self
            .record
            .deleted
            .as_ref()
            .and_then(|deleted| deleted.is.as_deref());
        match (is, &row[place.at]) {
            (_, Cell::Null) => false,
            (None, Cell::Boolean(yes)) => *yes,
            (None, Cell::Integer(number)) => *number != 0,
            (None, Cell::Text(held)) => !held.is_empty(),
            (None, _) => true,
            (Some(is), Cell::Boolean(yes)) => place.codec.write(&is.into()) == Ok(Cell::Boolean(*yes)),
            (Some(is), cell) => text(cell) == is,
        }
    }

    /// The state that a row shows; none where its key is null. `moment`: when it was read, by the database's clock. The row's
    /// texts are moved out of it.
    pub(super) fn observation(
        &self,
        row: &mut [Cell],
        began: Timestamp,
        moment: Timestamp,
    ) -> Option<Observation> {
        let id = self.id(row)?;
        let token = self.token(row);
        let at = |place: &Option<Place>| {
            place
                .as_ref()
                .and_then(|place| place.codec.moment(&row[place.at]))
        };
        let modified = at(&self.modified).or_else(|| self.modified.as_ref().and_then(|_| at(&self.created)));
        let coarse = modified.map_or(SignedDuration::ZERO, |_| self.coarse(row));
        let key = RecordKey {
            record_type: self.of.clone(),
            id,
        };
        let version = Version {
            order: self.order(row),
            modified: modified.unwrap_or(moment),
            firm: true,
            coarse,
            token,
        };
        let deleted = self.is_deleted(row);
        let author = self.author.as_ref().map(|place| text(&row[place.at]));
        let created = at(&self.created);
        let (mut read, mut unreadable) = (Vec::with_capacity(self.shown.len()), BTreeMap::new());
        if !deleted {
            let mut keep = |name: &String, value: Result<Value, String>| match value {
                Ok(value) => read.push((name.clone(), value)),
                Err(why) => drop(unreadable.insert(name.clone(), why)),
            };
            for (name, joined) in &self.joined {
                keep(name, joined.read(row));
            }
            for (name, place, last) in &self.shown {
                let value = match (place.codec.shown, &mut row[place.at]) {
                    (Shown::Text | Shown::Reference, Cell::Text(held)) if *last => {
                        Ok(Value::text(std::mem::take(held)))
                    }
                    (_, cell) => place.codec.read(cell),
                };
                keep(name, value);
            }
        }
        // They are in order already, but for references over several columns: so the map is made at once.
        let values: Values = read.into_iter().collect();
        Some(Observation {
            presence: if deleted {
                Presence::Deleted
            } else {
                Presence::Alive
            },
            values,
            version: Some(version),
            created,
            author: author.filter(|author| !author.is_empty()),
            unreadable,
            ..missing(key, began)
        })
    }

    /// How coarse the time of a row's last change is.
    fn coarse(&self, row: &[Cell]) -> SignedDuration {
        let said = self.record.modified.as_ref().map(|modified| modified.granularity);
        let place = self.modified.as_ref();
        let shown = place.map(|place| place.codec.coarse(&row[place.at]));
        said.unwrap_or_default().max(shown.unwrap_or_default())
    }

    /// The counter of a record's changes, where it is one that only grows.
    fn order(&self, row: &[Cell]) -> Option<i64> {
        match self.version.as_ref().map(|place| &row[place.at]) {
            Some(Cell::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// What tells the states of a record apart: its version, else all that is asked for.
    pub(super) fn token(&self, row: &[Cell]) -> String {
        if let Some(place) = &self.version
            && row[place.at] != Cell::Null
        {
            return text(&row[place.at]);
        }
        let mut said = Vec::with_capacity(256);
        row.iter().for_each(|cell| cell.tell(&mut said));
        token(&said)
    }

    /// A record that is not there.
    pub(super) fn absent(&self, id: &str, deleted: bool, began: Timestamp, moment: Timestamp) -> Observation {
        let key = RecordKey {
            record_type: self.of.clone(),
            id: id.to_owned(),
        };
        let bare = missing(key, began);
        if !deleted {
            return bare;
        }
        Observation {
            presence: Presence::Deleted,
            version: Some(Version {
                token: "absent".to_owned(),
                order: None,
                modified: moment,
                firm: true,
                coarse: SignedDuration::ZERO,
            }),
            ..bare
        }
    }
}
