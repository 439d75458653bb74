//! From arguments, files and environment to what commands work with: configuration, state, systems, engine.

mod chosen;
mod described;
mod fields;
mod files;
mod hand;
mod kinds;
mod leaving;
mod proven;
mod provider;
mod secret;
mod state;
mod systems;
mod written;

pub(crate) use chosen::{Chosen, Conflicts, FirstSync, Policies, Way, file_names, sections};
pub(crate) use described::{hold_against, keep_described, kept_described};
pub(crate) use files::{configuration, configuration_in, configuration_to_ask};
pub(crate) use hand::{AGAIN, Hand, PATIENCE, Restores, listen, misunderstood, open_door};
pub(crate) use kinds::sql_triggers;
pub(crate) use leaving::leave_all;
pub(crate) use proven::{Proofs, keep_proofs};
pub(crate) use provider::console_provider;
pub(crate) use secret::{alert_address, console_tokens, home, keys, trace_headers};
pub(crate) use state::{
    bring_forward, existing_home, existing_state, look, look_if_there, parts_on_a_copy, parts_on_a_copy_of,
    records_named, state, with_linked,
};
#[cfg(feature = "lab")]
pub(crate) use systems::collection;
pub(crate) use systems::connect;
pub(crate) use written::{Bindings, CREATED_IN_CUSTOMERP, Draft, Users, shipped};

use crate::arguments::Common;
use crate::clock::SystemClock;
use crate::commands::check::compare::{self, Finding, Weight};
use crate::failure::Failure;
use crate::following::following;
use std::path::Path;
use std::sync::Arc;
use tandem_connector::{Connector, Schema};
use tandem_engine::{Engine, Parts, Watcher};
use tandem_ledger::Store;
use tandem_merge::config::{Configuration, pass_over};
use tandem_merge::dataflow::{Dataflow, Side};

/// The dataflow as both systems can serve it: rows marked `if_present` whose property a system lacks are passed
/// over. Returns it with a remark for each.
pub(crate) fn served(configuration: &Configuration, schemas: &[Schema; 2]) -> (Dataflow, Vec<String>) {
    let mut flows = configuration.dataflow.clone();
    let mut remarks = Vec::new();
    for flow in &mut flows.flows {
        let absent: Vec<(String, String)> = flow
            .mappings
            .iter()
            .filter(|mapping| {
                let row = (flow.name.clone(), mapping.property(Side::First).to_owned());
                configuration.if_present.contains(&row)
            })
            .filter_map(|mapping| {
                let lacking = Side::BOTH.into_iter().find(|side| {
                    let schema = &schemas[side.index()];
                    let described = schema.types.get(&flow.end(*side).record_type.name);
                    described.is_some_and(|it| !it.properties.contains_key(mapping.property(*side)))
                })?;
                let object = &flow.end(lacking).object;
                let why = format!("{object} has no {} in this system", mapping.property(lacking));
                Some((mapping.property(Side::First).to_owned(), why))
            })
            .collect();
        for (property, why) in absent {
            remarks.push(format!("{}: {property} is passed over, {why}", flow.name));
            pass_over(flow, &property, &why);
        }
    }
    (flows, remarks)
}

/// Describes both systems at once.
pub(crate) async fn describe(systems: &[Arc<dyn Connector>; 2]) -> Result<[Schema; 2], Failure> {
    let [first, second] = systems;
    let (first, second) = futures::join!(first.describe(), second.describe());
    Ok([first?, second?])
}

/// How many misfits a refusal names.
const NAMED: usize = 3;

/// Refuses a configuration that `check` calls wrong. What a system described otherwise when it fitted is no fault of the
/// configuration: the engine leaves it out of sight and says so.
fn refuse_misfits(flows: &Dataflow, schemas: &[Schema; 2], store: &mut dyn Store) -> Result<(), Failure> {
    let mut schemas = schemas.clone();
    for (schema, fitted) in schemas
        .iter_mut()
        .zip(tandem_engine::fitted(store, &flows.systems)?)
    {
        for (record_type, properties) in fitted {
            if let Some(described) = schema.types.get_mut(&record_type) {
                described.properties.extend(properties);
            }
        }
    }
    let findings = flows.flows.iter().flat_map(|flow| compare::flow(flow, &schemas));
    let wrong: Vec<Finding> = findings
        .filter(|finding| finding.weight == Weight::Wrong)
        .collect();
    let Some(first) = wrong.first() else {
        return Ok(());
    };
    let named = wrong.iter().take(NAMED).map(|finding| {
        let flow = finding.flow.as_deref().unwrap_or_default();
        format!("{flow}: {}", finding.what)
    });
    let more = match wrong.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let named = named.collect::<Vec<_>>().join("; ");
    Err(Failure::usage(
        format!("the configuration does not fit the systems: {named}{more}"),
        format!(
            "{}; `tandem check` shows all that is to correct",
            capitalised(&first.why)
        ),
    ))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What an engine is made of, over a store and the folder that it is in; without a folder nothing is written
/// in bulk.
pub(crate) async fn parts(
    configuration: &Configuration,
    mut store: Box<dyn Store>,
    watcher: Arc<dyn Watcher>,
    folder: Option<&Path>,
) -> Result<Parts, Failure> {
    let systems = connect(configuration, folder).await?;
    tandem_engine::restore_budgets(store.as_mut(), &systems)?;
    let schemas = describe(&systems).await?;
    let missing = schemas.iter().flat_map(|schema| schema.missing.values());
    if let Some(sentence) = missing.into_iter().next() {
        return Err(Failure::usage(
            sentence.trim_end_matches('.').to_owned(),
            "Run `tandem check` to see what the systems can serve, and correct the bindings",
        ));
    }
    let (flows, remarks) = served(configuration, &schemas);
    refuse_misfits(&flows, &schemas, store.as_mut())?;
    for remark in remarks {
        tracing::info!("{remark}");
    }
    Ok(Parts {
        flows,
        store,
        systems,
        clock: Arc::new(SystemClock),
        watcher,
        described: Some(schemas),
    })
}

/// An engine over the state, ready to work.
pub(crate) async fn engine(
    common: &Common,
    configuration: &Configuration,
    watcher: Arc<dyn Watcher>,
) -> Result<Engine, Failure> {
    let mut store = state(&home(common, configuration)?, &keys(configuration)?)?;
    store.look_over()?;
    let folder = common.state_folder();
    let watcher = following(configuration, watcher)?;
    let parts = parts(configuration, Box::new(store), watcher, Some(&folder)).await?;
    let mut engine = Engine::open(parts).await?;
    engine.keep_history(jiff::SignedDuration::from_millis(configuration.keep_history_ms));
    Ok(engine)
}

/// Refuses a flow that the configuration does not have.
pub(crate) fn known_flow(flows: &Dataflow, name: &str) -> Result<(), Failure> {
    if flows.flow(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = flows.flows.iter().map(|flow| flow.name.as_str()).collect();
    Err(Failure::usage(
        format!("no flow is called `{name}`"),
        format!("Write one of {}", known.join(", ")),
    ))
}
