//! Where a page begins, as the paging link carries it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Page;
use crate::odata::model::{EntitySet, Version};
use crate::odata::query::Query;
use crate::odata::refusal::Refusal;
use crate::odata::render::compare;
use crate::odata::store::{Entity, Key};
use crate::odata::value::{Form, Value};

/// Where the next page begins, as the paging link carries it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    /// What the last entity shown holds where it is sorted by, then its key.
    pub(super) after: Vec<Json>,
    /// How many entities were shown: only where the link counts them.
    pub(super) offset: usize,
    /// How many of `$top` are left.
    pub(super) left: Option<usize>,
    /// The page size that was asked for.
    pub(super) size: usize,
    /// The change from which the delta link goes on.
    pub(super) track: Option<u64>,
}

/// Whether a row comes after the last one shown.
pub(super) fn comes_after(
    (key, entity): &(&Key, &Entity),
    sorted: &[Value],
    last: &Key,
    query: &Query,
) -> bool {
    let mut values = entity.values.clone();
    for ((property, _), value) in query.order.iter().zip(sorted) {
        values[*property] = value.clone();
    }
    compare(&entity.values, &values, &query.order)
        .then_with(|| (*key).cmp(last))
        .is_gt()
}

const PLAIN: Form = Form {
    version: Version::V4,
    numbers_as_text: false,
};

pub(super) fn next(set: &EntitySet, query: &Query, mark: &Mark, page: &Page<'_>, take: usize) -> Mark {
    let mut after = Vec::new();
    if let Some((_, entity)) = page.rows.last() {
        let sorted = query.order.iter().map(|(property, _)| property);
        for property in sorted.chain(&set.key) {
            after.push(entity.values[*property].write(set.properties[*property].kind, PLAIN));
        }
    }
    Mark {
        after,
        offset: mark.offset + page.rows.len(),
        left: mark.left.map(|left| left - take),
        size: mark.size,
        track: mark.track,
    }
}

/// What the last row held where it is sorted by, and its key.
pub(super) fn read_mark(set: &EntitySet, query: &Query, mark: &Mark) -> Result<(Vec<Value>, Key), Refusal> {
    let sorted = query.order.iter().map(|(property, _)| property);
    let properties: Vec<_> = sorted.chain(&set.key).collect();
    let wrong = || Refusal::bad("The $skiptoken belongs to another query.");
    if properties.len() != mark.after.len() {
        return Err(wrong());
    }
    let read = properties.iter().zip(&mark.after);
    let read = read.map(|(property, json)| Value::read(&set.properties[**property], json, PLAIN));
    let mut values = read.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    let key = values.split_off(query.order.len());
    Ok((values, key))
}

pub(super) fn sealed(mark: &Mark) -> String {
    // Plain data always becomes JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(mark).unwrap_or_default())
}

pub(super) fn opened(token: &str) -> Option<Mark> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
