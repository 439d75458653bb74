//! What the two systems said of themselves, kept beside the state: names in the configuration are held against it, also
//! where a system does not answer.

use crate::arguments::Common;
use crate::beside;
use crate::failure::Failure;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tandem_connector::{PropertySchema, Schema};
use tandem_merge::config::{Configuration, Described};

/// The file beside the state.
const FILE: &str = "described.json";

/// What a system said of itself, and when.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) at: Timestamp,
    pub(crate) schema: Schema,
}

/// Keeps what the systems say now.
pub(crate) fn keep_described(common: &Common, configuration: &Configuration, schemas: &[Schema; 2]) {
    let at = Timestamp::now();
    let folder = common.state_folder();
    let before = beside::kept::<BTreeMap<String, Known>>(&folder, FILE);
    let mut known = before.ok().flatten().unwrap_or_default();
    for (name, schema) in configuration.dataflow.systems.iter().zip(schemas) {
        // Only what is used is described: what was used before may be meant where a name is misspelled now.
        let before = known.remove(name).map(|known| known.schema.types);
        let mut schema = schema.clone();
        for (of, described) in before.into_iter().flatten() {
            schema.types.entry(of).or_insert(described);
        }
        known.insert(name.clone(), Known { at, schema });
    }
    if let Err(error) = beside::keep(&folder, FILE, &known) {
        tracing::warn!("{} cannot be written: {error}", folder.join(FILE).display());
    }
}

/// What the systems said when they were asked last, the first one first.
pub(crate) fn kept_described(common: &Common, configuration: &Configuration) -> Result<[Known; 2], Failure> {
    let kept = beside::kept::<BTreeMap<String, Known>>(&common.state_folder(), FILE);
    let mut kept = kept.ok().flatten().unwrap_or_default();
    let mut one = |name: &String| {
        kept.remove(name).ok_or_else(|| {
            Failure::usage(
                format!("nothing is known yet of how {name} describes itself"),
                "Run `tandem check` once while both systems answer",
            )
        })
    };
    let [first, second] = &configuration.dataflow.systems;
    Ok([one(first)?, one(second)?])
}

/// A property's type, of numbers with their digits: `decimal(12,4)`.
fn typed(property: &PropertySchema) -> String {
    let of = &property.data_type;
    let exact = ["decimal", "currency", "double", "percent"].contains(&of.as_str());
    match (property.precision, property.scale) {
        (Some(all), Some(behind)) if exact => format!("{of}({all},{behind})"),
        _ => of.clone(),
    }
}

/// Holds the names of the configuration's files against what the systems say: what is not there is told with file, line and
/// what to write instead.
pub(crate) fn hold_against(
    common: &Common,
    configuration: &Configuration,
    schemas: [&Schema; 2],
) -> Result<(), Failure> {
    let systems = configuration.dataflow.systems.iter().zip(schemas);
    let described = systems
        .zip(&configuration.bindings)
        .map(|((name, schema), bindings)| {
            let types = schema.types.iter().flat_map(|(name, of)| {
                let properties: BTreeMap<String, String> = of
                    .properties
                    .iter()
                    .map(|(name, property)| {
                        let target = property.references.first();
                        let of = target.map(|target| format!("reference({target})"));
                        (name.clone(), of.unwrap_or_else(|| typed(property)))
                    })
                    .collect();
                let bound = bindings.get(name).cloned();
                let names = [Some(name.clone()), bound];
                names
                    .into_iter()
                    .flatten()
                    .map(move |name| (name, properties.clone()))
            });
            (name.clone(), types.collect::<Described>())
        });
    super::files::held_against(&common.config, &described.collect())
}
