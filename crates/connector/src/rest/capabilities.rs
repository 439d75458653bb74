//! What an ERP can do, by what its description says of all types in use.

use super::RestConfig;
use super::description::Type;
use super::description::operations::{CreateText, Style, UpdateText};
use super::served::Served;
use super::write::members;
use crate::{Capabilities, Protection};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest job where nothing is said.
const JOB: SignedDuration = SignedDuration::from_mins(10);

/// What protects records of a type. Those that stand inside others are written with them.
fn protection(of: &Type) -> Protection {
    let inside = of.inside.as_ref();
    let update = inside.map_or(of, |inside| &inside.holder).update.as_ref();
    let tells = update.is_some_and(UpdateText::sends_token);
    let safe = |create: &CreateText| lasts(create).is_some();
    Protection {
        conditional_write: update.is_none() || tells,
        conditional_delete: match inside {
            Some(inside) => !inside.deletes || tells,
            None => of
                .delete
                .as_ref()
                .is_none_or(|delete| delete.call().sends_token()),
        },
        idempotent_create: match inside {
            Some(inside) => !inside.creates,
            None => of.create.as_ref().is_none_or(safe),
        },
        compares: inside.is_some() || of.update.as_ref().is_some_and(reads),
    }
}

/// For how long a create that is sent again makes nothing new.
fn lasts(create: &CreateText) -> Option<SignedDuration> {
    create.safe.as_ref()?.value.lasts()
}

/// Whether a record is read before it is changed: something that is not written goes along.
fn reads(update: &UpdateText) -> bool {
    let style = update.style.as_ref().map_or(Style::Partial, |style| style.value);
    style != Style::Partial || !members(update.holes()).is_empty()
}

/// What the ERP can do: type by type, and what all types in use can.
pub(super) fn of(config: &RestConfig, served: &BTreeMap<String, Arc<Served>>) -> Capabilities {
    let types = || served.values().map(|served| &served.of);
    let protections = served.iter();
    let of_types: BTreeMap<String, Protection> = protections
        .map(|(name, served)| (name.clone(), protection(&served.of)))
        .collect();
    let all = |how: fn(&Protection) -> bool| of_types.values().all(how);
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
    let creates = || types().filter_map(|of| of.create.as_ref());
    let lives = creates().filter_map(lasts);
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
        usual: Protection {
            conditional_write: all(|of| of.conditional_write),
            conditional_delete: all(|of| of.conditional_delete),
            idempotent_create: all(|of| of.idempotent_create),
            compares: of_types.values().any(|of| of.compares),
        },
        of_types,
        idempotency_life: lives.min().unwrap_or(SignedDuration::MAX),
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
