//! `tandem verify`: compares every linked record of both systems in full.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::screen::{Cell, Screen, count_of, table, thousands};
use clap::Args;
use serde_json::{Value as Json, json};
use tandem_api::Masks;
use tandem_api::door;
use tandem_engine::{Difference, Engine, Verification};

/// Compare every linked record of both systems in full.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem verify
  tandem verify --json")]
pub(crate) struct Verify {}

impl Verify {
    /// Compares and tells.
    pub(crate) async fn compare(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = loading::configuration(common)?;
        let masks = common.masks(&configuration.dataflow);
        // A state that does not exist yet has nothing to compare: say so rather than make one.
        loading::existing_home(common, &configuration)?;
        let watcher = crate::progress::watcher(screen, true);
        let found = if door::knock(&common.state_folder()).await.is_some() {
            screen.note(
                "A process works with the state: what is on its way just now may be told as different.",
            );
            let (parts, _copy) = loading::parts_on_a_copy(common, &configuration, watcher).await?;
            Engine::open(parts).await?.verify().await?
        } else {
            loading::engine(common, &configuration, watcher)
                .await?
                .verify()
                .await?
        };
        screen.json(&as_json(&found, &masks));
        show(screen, &found, &masks);
        Ok(match clean(&found) {
            true => Exit::Done,
            false => Exit::Waits,
        })
    }
}

/// Whether nothing is wrong.
pub(crate) fn clean(found: &Verification) -> bool {
    found.different == 0 && found.duplicates == 0 && found.unlinked == 0
}

/// The comparison as JSON, with personal values masked.
pub(crate) fn as_json(found: &Verification, masks: &Masks) -> Json {
    let mut shown = serde_json::to_value(found).unwrap_or_default();
    let differences = found.differences.iter().map(|difference| {
        json!({
            "flow": difference.flow,
            "records": names(difference),
            "properties": difference.properties,
            "values": values(difference, masks),
            "what": difference.what,
        })
    });
    shown["differences"] = differences.collect::<Vec<_>>().into();
    shown
}

/// The comparison for people.
pub(crate) fn show(screen: &Screen, found: &Verification, masks: &Masks) {
    if !found.differences.is_empty() {
        let mut differences = table(["flow", "records", "properties", "values", "what"]);
        for difference in &found.differences {
            differences.add_row([
                Cell::new(&difference.flow),
                Cell::stacked(names(difference)),
                Cell::stacked(&difference.properties),
                Cell::stacked(values(difference, masks)),
                Cell::new(&difference.what),
            ]);
        }
        screen.result(differences);
    }
    screen.result(format!(
        "{} compared in {}: {} different.",
        count_of(found.compared, "value", "values"),
        count_of(found.pairs, "linked pair", "linked pairs"),
        thousands(found.different),
    ));
    if found.totals > 0 {
        screen.result(format!(
            "{} compared: {} unequal.",
            count_of(found.totals, "total", "totals"),
            thousands(found.unequal)
        ));
    }
    let asides = [
        (
            found.one_way_differs,
            "one-way property differs since the link",
            "one-way properties differ since the link",
        ),
        (
            found.filled_in,
            "property was filled in by the system at the create",
            "properties were filled in by the system at the create",
        ),
        (
            found.waiting,
            "property differs and waits, or stays as it is",
            "properties differ and wait, or stay as they are",
        ),
        (
            found.gone,
            "link has an end that is gone or out of sight",
            "links have an end that is gone or out of sight",
        ),
        (
            found.duplicates,
            "record carries the identity of a counterpart that it is not linked to",
            "records carry the identity of a counterpart that they are not linked to",
        ),
        (
            found.unlinked,
            "record without a link should have one",
            "records without a link should have one",
        ),
    ];
    for (count, one, many) in asides.into_iter().filter(|(count, ..)| *count > 0) {
        screen.result(format!("  {}", count_of(count, one, many)));
    }
    for (property, pairs) in &found.hidden {
        screen.result(format!(
            "  not compared: {property}, which is out of sight, in {}",
            count_of(*pairs, "linked pair", "linked pairs")
        ));
    }
}

fn names(difference: &Difference) -> Vec<String> {
    difference.records.iter().map(ToString::to_string).collect()
}

fn values(difference: &Difference, masks: &Masks) -> [String; 2] {
    [0, 1].map(|side| match difference.records.get(side) {
        None => String::new(),
        Some(record) => masks.show(
            &record.record_type,
            &difference.properties[side],
            &difference.values[side],
        ),
    })
}
