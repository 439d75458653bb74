//! What an ERP can do, by what its description says of all types in use.

use super::RestConfig;
use super::description::inside::Inside;
use super::description::operations::UpdateText;
use super::served::Served;
use crate::Capabilities;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest job where nothing is said.
const JOB: SignedDuration = SignedDuration::from_mins(10);

/// What the ERP can do: what all types in use can.
pub(super) fn of(config: &RestConfig, served: &BTreeMap<String, Arc<Served>>) -> Capabilities {
    let types = || served.values().map(|served| &served.of);
    // What stands inside another record is written with it.
    let updates = || {
        types().filter_map(|of| {
            of.inside
                .as_ref()
                .map_or(of, |inside| &inside.holder)
                .update
                .as_ref()
        })
    };
    let parts = || types().filter_map(|of| of.inside.as_ref());
    let safely = |inside: &Inside| inside.holder.update.as_ref().is_some_and(UpdateText::sends_token);
    let creates = || types().filter_map(|of| of.create.as_ref());
    // How long each create is known again; none where one is not.
    let known = creates().map(|create| create.safe.as_ref()?.value.lasts());
    let known: Option<Vec<SignedDuration>> = known.collect();
    let known = known.filter(|_| !parts().any(|inside| inside.creates));
    let find = types().filter_map(|of| of.find.as_ref());
    let find = find.filter_map(|find| find.at_most).max().unwrap_or(100) as usize;
    let fetch = types()
        .filter_map(|of| of.read.as_ref()?.many.as_ref()?.at_most)
        .max();
    // A job may take longer than a request.
    let created = creates().map(|create| create.job.as_ref());
    let changed = updates().map(|update| update.job.as_ref());
    let deleted = types()
        .filter_map(|of| of.delete.as_ref())
        .map(|delete| delete.job.as_ref());
    let jobs = created.chain(changed).chain(deleted).flatten();
    let longest = jobs.map(|job| job.lasts.map_or(JOB, |lasts| lasts.0)).max();
    let deadline = longest.map_or(config.request_deadline, |job| job.max(config.request_deadline));
    Capabilities {
        conditional_write: updates().all(UpdateText::sends_token),
        conditional_delete: types()
            .filter_map(|of| of.delete.as_ref())
            .all(|delete| delete.call().sends_token())
            && parts().filter(|inside| inside.deletes).all(safely),
        idempotent_create: known.is_some(),
        idempotency_life: known.into_iter().flatten().min().unwrap_or(SignedDuration::MAX),
        request_deadline: deadline,
        commit_delay: config.overlap.max(deadline),
        write_batch: 200,
        find_batch: find,
        fetch_batch: fetch.map_or(100, |most| most as usize * 5),
        answers_with_state: updates().all(UpdateText::shows_state),
        load: None,
        asks_by_type: false,
    }
}
