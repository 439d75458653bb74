//! `tandem qa`: ticks off every sentence of the dataflow document against the two systems.
//!
//! What is promised comes from a table that is independent of the flow files (`table`, `promise`). From it the
//! `script` is written, pure: records of the run's own, edits on each side, their expected arrival. The `stage`
//! plays it with the engine, and with connections to both systems as people use them (`people`), and fills the
//! `checklist`. At the end everything is deleted that can be (`leaving`).

mod births;
mod cast;
mod causes;
pub(crate) mod checklist;
mod companions;
mod counterparts;
mod deletions;
mod edits;
mod leaving;
mod levels;
mod people;
mod promise;
mod sample;
mod script;
mod stage;
mod table;

pub(crate) use leaving::Left;
pub(crate) use people::AsUser;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading;
use crate::screen::Screen;
use cast::Cast;
use checklist::{Checklist, Section};
use jiff::Timestamp;
use people::People;
use stage::Stage;
use std::collections::BTreeMap;
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::RecordType;

/// What a run is asked to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Users to edit as, instead of Tandem's own.
    pub(crate) users: Vec<AsUser>,
    /// The table of promises: its path and text; none: the one that comes with the program.
    pub(crate) table: Option<(String, String)>,
    /// The run's records stay.
    pub(crate) keep: bool,
}

/// What a run found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// What marks the run's records.
    pub(crate) run: String,
    /// The checklist.
    pub(crate) sections: Vec<Section>,
    /// What is left of the run.
    pub(crate) left: Left,
    /// How often was synced.
    pub(crate) syncs: u64,
}

/// Ticks everything off.
///
/// # Errors
/// A system is down or refuses us, the state cannot be opened, or the table cannot be read.
pub(crate) async fn tick_off(
    common: &Common,
    configuration: &Configuration,
    wanted: &Wanted,
    screen: &Screen,
) -> Result<Found, Failure> {
    let run = mark(Timestamp::now());
    let (file, text) = match &wanted.table {
        Some((file, text)) => (file.as_str(), text.as_str()),
        None => ("properties.csv", table::SHIPPED),
    };
    let rows = table::read(file, text)?;
    let mut promised = promise::promise(&rows, &configuration.dataflow);
    let people = People::connect(configuration, &promised, &wanted.users, &run).await?;
    promise::follow_describe(&mut promised, &people.schemas);
    let watcher = std::sync::Arc::new(tandem_engine::Quiet);
    let engine = loading::engine(common, configuration, watcher).await?;
    let script = script::script(&promised, &run, rank(engine.flows()));
    let mut stage = Stage {
        engine,
        people,
        promised,
        script,
        cast: Cast::default(),
        list: Checklist::default(),
        shown: BTreeMap::new(),
        items: Vec::new(),
        own: Vec::new(),
        syncs: 0,
    };
    let left = perform(&mut stage, wanted.keep, screen).await?;
    let policies = |at: usize, side: Side| {
        let policy = stage.flow(at)?.end(side).on_delete;
        Some(deletions::worded(policy).to_owned())
    };
    let systems = [Side::First, Side::Second].map(|side| stage.people.name(side).to_owned());
    let sections = stage.list.sections(&stage.promised, &systems, policies);
    Ok(Found {
        run,
        sections,
        left,
        syncs: stage.syncs,
    })
}

/// Plays the script from the first record to the last deletion.
async fn perform(stage: &mut Stage, keep: bool, screen: &Screen) -> Result<Left, Failure> {
    screen.note("Bringing both systems to rest ...");
    stage.sync().await?;
    let swept = stage.sweep().await?;
    if swept > 0 {
        screen.note(format!("Deleted {swept} records of a run that did not end."));
    }
    screen.note("Creating records of our own ...");
    stage.births().await?;
    stage.sync_and_approve().await?;
    stage.look_at_births().await?;
    let steps = stage.script.steps.clone();
    for (number, scene) in steps.iter().enumerate() {
        screen.note(format!(
            "Editing on both sides, {} of {} ...",
            number + 1,
            steps.len()
        ));
        stage.play(scene).await?;
    }
    screen.note("Editing read-only sides ...");
    let drift = stage.script.drift.clone();
    stage.play_drift(&drift).await?;
    stage.look_at_links()?;
    if keep {
        return Ok(Left::default());
    }
    screen.note("Deleting ...");
    stage.deletions().await?;
    stage.leave().await
}

/// Parents first.
fn rank(flows: &Dataflow) -> impl Fn(&str) -> usize + '_ {
    |name| flows.rank(&RecordType::new(&flows.systems[0], name))
}

/// A mark of a few letters that no other run of these years bears.
fn mark(now: Timestamp) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut left = u64::try_from(now.as_second()).unwrap_or(0);
    let mut text = Vec::new();
    // Six letters of five bits: 34 years of seconds.
    for _ in 0..6 {
        text.push(LETTERS[usize::try_from(left % 32).unwrap_or(0)]);
        left /= 32;
    }
    text.reverse();
    text.into_iter().map(char::from).collect()
}
