//! The state folder.

use crate::arguments::Common;
use crate::failure::Failure;
use std::collections::BTreeSet;
use std::sync::Arc;
use tandem_engine::{Parts, Watcher};
use tandem_ledger::{Home, Keys, Ledger, Migrated, Store};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{RecordKey, RecordType};

/// A clock that was set back by less is not worth a word.
const NOTICED: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// Opens the state, new where there is none.
pub(crate) fn state(home: &Home, keys: &Keys) -> Result<Ledger, Failure> {
    let mut store = Ledger::open_at(home, keys)?;
    if let Some(Migrated { from, to, kept }) = store.migrated() {
        let kept = kept.display();
        tracing::warn!(
            "the state had form {from}, that of an older program, and has form {to} now. As it was it is kept in {kept}: the \
             older program goes on with it after `tandem restore {kept} --yes`"
        );
    }
    warn_of_clock(&mut store)?;
    Ok(store)
}

fn warn_of_clock(store: &mut Ledger) -> Result<(), Failure> {
    if let Some(moment) = tandem_engine::reached(store)?
        && let Some(behind) = tandem_connector::time::not_before(moment)
        && behind > NOTICED
    {
        let behind = jiff::SignedDuration::from_secs(behind.as_secs());
        tracing::warn!(
            "this machine's clock is {behind:#} behind the latest moment that the state knows: time goes on from there \
             until the clock has caught up. Set the clock if it is wrong"
        );
    }
    Ok(())
}

/// Opens a state that is there already to look at it, also while another process works with it.
pub(crate) fn look(common: &Common, configuration: &Configuration) -> Result<Ledger, Failure> {
    let home = super::home(common, configuration)?;
    let found = Ledger::open_to_look(&home, &super::keys(configuration)?)?;
    let mut store = found.ok_or_else(|| no_state(&home))?;
    warn_of_clock(&mut store)?;
    store.hear_again(jiff::Timestamp::now())?;
    Ok(store)
}

/// Brings a state of an older form forward, as whoever works with it does.
pub(crate) fn bring_forward(common: &Common, configuration: &Configuration) -> Result<(), Failure> {
    let (home, keys) = (super::home(common, configuration)?, super::keys(configuration)?);
    match Ledger::open_to_look(&home, &keys) {
        Err(tandem_ledger::Error::Behind { .. }) => state(&home, &keys).map(drop),
        // Whatever else is wrong is told by whoever looks.
        _ => Ok(()),
    }
}

/// Opens a state to look at it, if there is one.
pub(crate) fn look_if_there(
    common: &Common,
    configuration: &Configuration,
) -> Result<Option<Ledger>, Failure> {
    let home = super::home(common, configuration)?;
    Ok(Ledger::open_to_look(&home, &super::keys(configuration)?)?)
}

/// Opens a state that is there already.
pub(crate) fn existing_state(common: &Common, configuration: &Configuration) -> Result<Ledger, Failure> {
    state(
        &existing_home(common, configuration)?,
        &super::keys(configuration)?,
    )
}

/// Where a state is kept that is there already.
pub(crate) fn existing_home(common: &Common, configuration: &Configuration) -> Result<Home, Failure> {
    let home = super::home(common, configuration)?;
    if tandem_ledger::is_there(&home)? {
        return Ok(home);
    }
    Err(no_state(&home))
}

fn no_state(home: &Home) -> Failure {
    Failure::usage(
        format!("there is no state in {home}"),
        match home {
            Home::Folder(_) => "Run `tandem sync` first, or name its folder with --state",
            Home::Server(_) => "Run `tandem sync` first, or name its schema in the configuration",
        },
    )
}

/// What an engine is made of, over a copy of the state in a temporary folder, which lives as long as the folder
/// that is returned. Without a state the copy is empty.
pub(crate) async fn parts_on_a_copy(
    common: &Common,
    configuration: &Configuration,
    watcher: Arc<dyn Watcher>,
) -> Result<(Parts, tempfile::TempDir), Failure> {
    parts_on_a_copy_of(&super::home(common, configuration)?, configuration, watcher).await
}

/// The same, of the state that is kept there.
pub(crate) async fn parts_on_a_copy_of(
    home: &Home,
    configuration: &Configuration,
    watcher: Arc<dyn Watcher>,
) -> Result<(Parts, tempfile::TempDir), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("tandem-plan-")
        .tempdir()
        .map_err(|error| {
            Failure::trouble(
                format!("no temporary folder could be made ({error})"),
                "Free space, or set TMPDIR",
            )
        })?;
    let store = Ledger::open_copy(home, folder.path(), &super::keys(configuration)?)?;
    let parts = super::parts(configuration, Box::new(store), watcher, None).await?;
    Ok((parts, folder))
}

/// The records that a text names: `TYPE:ID`, `TYPE:KEY`, or either with `SYSTEM/` before it.
pub(crate) fn records_named(
    store: &mut dyn Store,
    flows: &Dataflow,
    text: &str,
) -> Result<Vec<RecordKey>, Failure> {
    let shape = || {
        Failure::usage(
            format!("`{text}` names no record"),
            "Write TYPE:ID or TYPE:KEY, such as Order:10248 or salesforce/Contact:003...",
        )
    };
    let (place, value) = text.split_once(':').ok_or_else(shape)?;
    // `customerp/Contact:17`, and `customerp Contact:17` as lists show records.
    let (system, name) = match place.split_once(['/', ' ']) {
        Some((system, name)) => (Some(system), name),
        None => (None, place),
    };
    let types = flows.systems.iter().flat_map(|system| flows.types_of(system));
    let types: Vec<RecordType> = types
        .filter(|it| it.name == name && system.is_none_or(|system| system == it.system))
        .collect();
    if types.is_empty() {
        return Err(shape());
    }
    let mut found: Vec<RecordKey> = Vec::new();
    for record_type in &types {
        for property in keys(flows, record_type) {
            found.extend(store.search(record_type, &property, value)?);
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(Failure::usage(
            format!("no record is known as `{text}`"),
            "Look for it with `tandem links`, or give its id",
        ));
    }
    Ok(found)
}

/// Records with all that are linked with them.
pub(crate) fn with_linked(
    store: &mut dyn Store,
    flows: &Dataflow,
    records: Vec<RecordKey>,
) -> Result<BTreeSet<RecordKey>, Failure> {
    let mut all: BTreeSet<RecordKey> = records.iter().cloned().collect();
    for record in &records {
        let cluster = store.cluster(flows, record)?;
        all.extend(
            cluster
                .into_iter()
                .flat_map(|cluster| cluster.records.into_keys()),
        );
    }
    Ok(all)
}

/// Properties that people know records of a type by: those of single match keys.
fn keys(flows: &Dataflow, record_type: &RecordType) -> Vec<String> {
    let mut names = vec!["id".to_owned()];
    for (flow, side) in flows.flows_of(record_type) {
        let rules = flow.match_rules.iter().filter(|rule| rule.parts.len() == 1);
        names.extend(rules.map(|rule| rule.parts[0].properties[Side::index(side)].clone()));
    }
    names.sort();
    names.dedup();
    names
}
