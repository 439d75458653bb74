//! Who else creates the same: reservations of open creates, asked for together, of all clusters that are taken at once.

use crate::db::{Db, Rid, Trouble};
use crate::named::asked_for;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::facts::Needs;
use tandem_merge::record::{RecordKey, RecordType};

/// Who holds reservations.
#[derive(Default)]
pub(crate) struct Reserved<'a>(BTreeMap<&'a (RecordType, String), (Rid, RecordKey)>);

impl<'a> Reserved<'a> {
    /// Looks up who holds what is asked for.
    pub(crate) fn look_up(db: &Db, needs: &'a [Needs]) -> Result<Self, Trouble> {
        let asked: BTreeSet<_> = needs.iter().flat_map(|needs| &needs.reservations).collect();
        let asked: Vec<&(RecordType, String)> = asked.into_iter().collect();
        let mut rows = Vec::new();
        for (place, (target, key)) in asked.iter().enumerate() {
            if let Some(kind) = db.kind(target)? {
                rows.push(json!([place, kind, db.blind_text(key)]));
            }
        }
        let mut held = Self::default();
        if rows.is_empty() {
            return Ok(held);
        }
        let sql = "SELECT CAST(asked.value ->> 0 AS BIGINT), record.rid, record.kind, record.id
                   FROM json_each(?1) AS asked
                   CROSS JOIN intent ON intent.target = CAST(asked.value ->> 1 AS BIGINT)
                       AND intent.reservation = asked.value ->> 2
                   JOIN record ON record.rid = intent.record";
        db.each(sql, [Json::from(rows).to_string()], |row| {
            let holder = RecordKey {
                record_type: db.record_type(row.get(2)?)?,
                id: row.get(3)?,
            };
            held.0.insert(asked_for(&asked, row)?, (row.get(1)?, holder));
            Ok(())
        })?;
        Ok(held)
    }

    /// Who holds a reservation.
    pub(crate) fn holder(&self, of: &(RecordType, String)) -> Option<&(Rid, RecordKey)> {
        self.0.get(of)
    }
}
