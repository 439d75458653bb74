//! What an ERP can do, by what its description says of all types in use.

use super::RestConfig;
use super::description::operations::{Safety, UpdateText};
use super::served::Served;
use crate::Capabilities;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the ERP can do: what all types in use can.
pub(super) fn of(config: &RestConfig, served: &BTreeMap<String, Arc<Served>>) -> Capabilities {
    let types = || served.values().map(|served| &served.of);
    let updates = || types().filter_map(|of| of.update.as_ref());
    let creates = || types().filter_map(|of| of.create.as_ref());
    let safe = |safety: Option<Safety>| matches!(safety, Some(Safety::IdempotencyKey | Safety::KeyInUrl));
    let find = types().filter_map(|of| of.find.as_ref());
    let find = find.filter_map(|find| find.at_most).max().unwrap_or(100) as usize;
    let fetch = types()
        .filter_map(|of| of.read.as_ref()?.many.as_ref()?.at_most)
        .max();
    Capabilities {
        conditional_write: updates().all(UpdateText::sends_token),
        conditional_delete: types()
            .filter_map(|of| of.delete.as_ref())
            .all(|delete| delete.call().sends_token()),
        idempotent_create: creates().all(|create| safe(create.safe.as_ref().map(|safe| safe.value))),
        request_deadline: config.request_deadline,
        commit_delay: config.overlap.max(config.request_deadline),
        write_batch: 200,
        find_batch: find,
        fetch_batch: fetch.map_or(100, |most| most as usize * 5),
        answers_with_state: updates().all(UpdateText::shows_state),
        load: None,
        asks_by_type: false,
    }
}
