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
mod cleaning;
mod companions;
mod consent;
mod counterparts;
mod deletions;
mod edits;
pub(crate) mod kept;
mod leaving;
mod levels;
mod people;
mod promise;
mod remains;
pub(crate) mod reports;
mod sample;
mod script;
mod stage;
mod table;

pub(crate) use consent::Consent;
pub(crate) use leaving::Left;
pub(crate) use people::AsUser;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading;
use crate::screen::Screen;
use cast::Cast;
use checklist::{Checklist, Section};
use consent::Site;
use jiff::Timestamp;
use people::People;
use promise::PromisedFlow;
use remains::Remains;
use script::Script;
use stage::Stage;
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    /// What a person allows beforehand.
    pub(crate) consent: Consent,
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
    /// The file that lists what is left.
    pub(crate) file: PathBuf,
}

/// Ticks everything off.
///
/// # Errors
/// A system is down or refuses us, the state cannot be opened, the table cannot be read, or nobody consents.
pub(crate) async fn tick_off(
    common: &Common,
    configuration: &Configuration,
    wanted: &Wanted,
    screen: &Screen,
) -> Result<Found, Failure> {
    let cast = rehearse(configuration, wanted).await?;
    let file = remains::path(&common.state_folder());
    let told = consent::of_run(&cast.sites, &file, wanted.keep);
    wanted.consent.ask(&told, &cast.sites, screen)?;
    let mut stage = open(common, configuration, cast).await?;
    let left = perform(&mut stage, wanted.keep, screen).await?;
    let policies = |at: usize, side: Side| {
        let policy = stage.flow(at)?.end(side).on_delete;
        Some(deletions::worded(policy).to_owned())
    };
    let systems = [Side::First, Side::Second].map(|side| stage.people.name(side).to_owned());
    let sections = stage.list.sections(&stage.promised, &systems, policies);
    Ok(Found {
        run: stage.run,
        sections,
        left,
        syncs: stage.syncs,
        file,
    })
}

/// Removes what earlier runs left.
///
/// # Errors
/// As [`tick_off`], or what was left is in other systems.
pub(crate) async fn clean(
    common: &Common,
    configuration: &Configuration,
    wanted: &Wanted,
    screen: &Screen,
) -> Result<Left, Failure> {
    let rehearsed = rehearse(configuration, wanted).await?;
    // What is opened is synced and written to only after a person's word.
    let sites = rehearsed.sites.clone();
    loading::existing_home(common, configuration)?;
    let mut stage = open(common, configuration, rehearsed).await?;
    let remnants = stage.remnants()?;
    if remnants.is_empty() {
        screen.say("Nothing is left of earlier runs.");
        return Ok(Left::default());
    }
    let told = consent::of_cleaning(&sites, &remnants);
    wanted.consent.ask(&told, &sites, screen)?;
    stage.clean(remnants).await
}

/// What a run would do, before anything is written.
struct Rehearsed {
    run: String,
    people: People,
    promised: Vec<PromisedFlow>,
    script: Script,
    sites: [Site; 2],
}

async fn rehearse(configuration: &Configuration, wanted: &Wanted) -> Result<Rehearsed, Failure> {
    let run = mark(Timestamp::now());
    let (file, text) = match &wanted.table {
        Some((file, text)) => (file.as_str(), text.as_str()),
        None => ("properties.csv", table::SHIPPED),
    };
    let rows = table::read(file, text)?;
    let mut promised = promise::promise(&rows, &configuration.dataflow);
    let people = People::connect(configuration, &promised, &wanted.users, &run).await?;
    promise::follow_describe(&mut promised, &people.schemas);
    let script = script::script(&promised, &run, rank(&configuration.dataflow));
    let sites = consent::sites(&people, &promised, &script).await?;
    Ok(Rehearsed {
        run,
        people,
        promised,
        script,
        sites,
    })
}

async fn open(common: &Common, configuration: &Configuration, cast: Rehearsed) -> Result<Stage, Failure> {
    let Rehearsed {
        run,
        people,
        promised,
        script,
        sites,
    } = cast;
    let watcher = std::sync::Arc::new(tandem_engine::Quiet);
    let engine = loading::engine(common, configuration, watcher).await?;
    Ok(Stage {
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
        remains: Remains::read(&common.state_folder(), &sites)?,
        run,
        sites,
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
        stage.note_own()?;
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
