//! Carrying out a bound statement.

use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use super::bind::{Prepared, Selection, SortKey};
use super::filter::order;
use super::path::attributes;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::Source;
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

impl Org {
    /// The ids of all rows that fit, in order. `with_deleted` is `queryAll`.
    pub(crate) fn select(&self, actor: Actor, query: &Prepared, with_deleted: bool) -> Vec<RecordId> {
        self.select_where(actor, query, with_deleted, &|_| true)
    }

    /// The same of those rows only that `wanted` says.
    pub(crate) fn select_where(
        &self,
        actor: Actor,
        query: &Prepared,
        with_deleted: bool,
        wanted: &dyn Fn(&Row) -> bool,
    ) -> Vec<RecordId> {
        let mut rows = self.fitting(actor, query, with_deleted);
        rows.retain(|row| wanted(row));
        self.sort(query, &mut rows);
        let limit = query.limit.unwrap_or(usize::MAX);
        rows.into_iter()
            .skip(query.offset)
            .take(limit)
            .map(|row| row.id)
            .collect()
    }

    /// The rows that fit, in no order.
    pub(super) fn fitting(&self, actor: Actor, query: &Prepared, with_deleted: bool) -> Vec<&Row> {
        let with_deleted = with_deleted || query.all_rows;
        let object = self.schema.object(query.object);
        let wanted = |row: &&Row| {
            (with_deleted || !row.deleted)
                && !self.bin.is_purged(row.id)
                && self.sees(actor, object, row)
                && query
                    .filter
                    .as_ref()
                    .is_none_or(|filter| filter.holds(self, query.object, row))
        };
        self.candidate_rows(query, with_deleted).filter(wanted).collect()
    }

    fn candidate_rows<'o>(
        &'o self,
        query: &Prepared,
        with_deleted: bool,
    ) -> Box<dyn Iterator<Item = &'o Row> + 'o> {
        let rows = self.committed_rows(query, with_deleted);
        self.veiled(query.object, rows)
    }

    fn committed_rows<'o>(
        &'o self,
        query: &Prepared,
        with_deleted: bool,
    ) -> Box<dyn Iterator<Item = &'o Row> + 'o> {
        let table = self.table(query.object);
        if let Some(filter) = &query.filter {
            if let Some(known) = filter.candidates(self, query.object, with_deleted) {
                return Box::new(known.into_iter().filter_map(|id| table.get(id)));
            }
            if let Some(moment) = filter.earliest(self) {
                return Box::new(table.since(moment));
            }
        }
        Box::new(table.since(i64::MIN))
    }

    pub(super) fn sort(&self, query: &Prepared, rows: &mut [&Row]) {
        // Without ORDER BY the API promises no order; the order of creation is the least surprising.
        let by_stamp = matches!(query.order.as_slice(), [first, second]
            if !first.descending && !second.descending
                && first.path.is_own(Source::Stamp, self) && second.path.is_own(Source::Id, self));
        if by_stamp {
            rows.sort_unstable_by_key(|row| (row.stamp, row.id));
            return;
        }
        let mut keyed: Vec<(Vec<Option<Value>>, &Row)> =
            rows.iter().map(|row| (self.keys(query, row), *row)).collect();
        keyed.sort_by(|(left, first), (right, second)| {
            let keys = query.order.iter().zip(left.iter().zip(right));
            keys.map(|(key, (left, right))| {
                by_key(key.descending, key.nulls_last, left.as_ref(), right.as_ref())
            })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| first.id.cmp(&second.id))
        });
        for (slot, (_, row)) in rows.iter_mut().zip(keyed) {
            *slot = row;
        }
    }

    fn keys(&self, query: &Prepared, row: &Row) -> Vec<Option<Value>> {
        let key = |sort: &SortKey| {
            let value = sort.path.value(self, query.object, row)?;
            Some(sort.path.sortable(self, &value))
        };
        query.order.iter().map(key).collect()
    }

    /// One record of the reply; `base` is `/services/data/vNN.0`.
    pub(crate) fn render(&self, actor: Actor, base: &str, query: &Prepared, id: RecordId) -> Option<Json> {
        let row = self.seen(query.object, id)?;
        let mut record = Map::new();
        record.insert(
            "attributes".to_owned(),
            attributes(base, self.schema.object(query.object), id),
        );
        if let Selection::Columns(columns) = &query.selection {
            for path in columns {
                path.place(self, base, query.object, row, &mut record);
            }
        }
        record.extend(
            query
                .children
                .iter()
                .map(|child| self.nest(actor, base, child, id)),
        );
        Some(Json::Object(record))
    }
}

impl Prepared {
    /// Whether a row satisfies the condition, whatever order and limit say.
    pub(crate) fn fits(&self, org: &Org, row: &Row) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.holds(org, self.object, row))
    }
}

/// The order of two values under one key of the order; none is null.
pub(super) fn by_key(
    descending: bool,
    nulls_last: bool,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) if descending => order(right, left),
        (Some(left), Some(right)) => order(left, right),
        (None, None) => Ordering::Equal,
        (None, Some(_)) if nulls_last => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) if nulls_last => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
    }
}
