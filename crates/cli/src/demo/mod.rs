//! `tandem demo`: both systems locally with sample data, all flows, first sync, edits on both sides, proof.

mod births;
mod budget;
pub(crate) mod edits;
mod ledger;
pub(crate) mod local;
mod pairs;
pub(crate) mod people;
mod report;
pub(crate) mod sample;

use crate::arguments::Common;
use crate::commands::run::{Live, Telling, Told, Troubles, schedule};
use crate::commands::sandbox::Filling;
use crate::commands::verify;
use crate::failure::{Exit, Failure};
use crate::interrupt::interrupted;
use crate::loading;
use crate::screen::{Lines, Screen, Sentence, thousands};
use crate::serving::{self, Console, Wanted, Work};
use clap::Args;
use ledger::Ledger;
use local::Local;
use people::People;
use report::Report;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tandem_api::{Asks, Masks};
use tandem_engine::{Engine, Summary};
use tandem_ledger::Home;
use tandem_merge::config::Configuration;

/// Customers generated where nothing is said.
const CUSTOMERS: u32 = 25;
/// With more customers than this, the org has no Divisions: a real one holds few of them.
const MANY: u32 = 1_000;

/// Run both systems locally with sample data, keep all flows in step, and prove it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem demo                              stays up: edit either side in a browser and watch
  tandem demo --once --json                proves itself and ends; the last line is the result
  tandem demo --once --northwind northwind.sql
  tandem demo --once --records 10000       with the budget of API calls")]
pub(crate) struct Demo {
    /// End when everything is quiet and proven
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    filling: Filling,
    /// What kind of org: default, no-divisions or billing
    #[arg(long, value_name = "NAME", value_parser = ["default", "no-divisions", "billing"])]
    preset: Option<String>,
}

/// The folder that everything of a demo is in.
enum Folder {
    /// Goes away with the demo.
    Temporary(tempfile::TempDir),
    /// Stays.
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

/// A demo that is set up: systems, configuration, engine.
struct Stage {
    customerp: Local,
    salesforce: Local,
    configuration: Configuration,
    engine: Engine,
    ledger: Arc<Ledger>,
}

/// Shows the demo.
pub(crate) async fn show(demo: &Demo, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let folder = folder(common)?;
    tokio::select! {
        biased;
        () = crate::interrupt::interrupted(), if demo.once => {
            Err(Failure::trouble("the demo was interrupted", ""))
        }
        done = perform(demo, folder.path(), screen) => done,
    }
}

async fn perform(demo: &Demo, folder: &Path, screen: &Screen) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut stage = set_up(demo, folder, screen).await?;
    // Who watches sees the first sync as well.
    let asks = loading::listen(&mut stage.engine);
    let _door = loading::open_door(folder, asks.clone(), None);
    let live = Arc::new(Live::new(*screen, Troubles::default()));
    let console = match demo.once {
        true => None,
        false => Some(open_console(&stage, folder, &live, asks).await?),
    };
    if let Some(console) = &console {
        screen.say(format!("  Tandem      {}", console.link()));
    }
    let people = People::sign_in(&stage.customerp.url, &stage.salesforce.url, &stage.configuration).await?;
    let mut report = Report::new(&stage.configuration.dataflow);
    let first = first_sync(&mut stage, screen).await?;
    report.first_sync(&first, &stage.ledger);
    screen.say(report.first_sync_table());
    for line in report.budget_lines() {
        screen.say(Sentence(line));
    }

    screen.say("");
    screen.say("Now people edit records on both sides, through the systems' own interfaces:");
    report.edits = edits::make(&mut stage.engine, &people, screen).await?;
    report.births = births::make(&mut stage.engine, &people, screen).await?;
    let activations = edits::activate_each_way(&mut stage.engine, &people).await?;
    report.edits.extend(activations);
    screen.say(report.edit_table());

    let verification = stage.engine.verify().await?;
    let status = stage.engine.status()?;
    report.finish(&stage.engine, &status, &verification, began);
    let masks = Masks::of(stage.engine.flows());
    screen.say(report.flow_table());
    verify::show(screen, &verification, &masks);
    screen.say(Sentence(report.closing_line()));
    if !demo.once {
        stay(&mut stage, &people, live, folder, screen).await?;
    }
    if let Some(console) = console {
        console.close().await;
    }
    screen.json(&report.as_json());
    Ok(match verify::clean(&verification) && report.all_arrived() {
        true => Exit::Done,
        false => Exit::Trouble,
    })
}

/// Starts both systems, writes a configuration and opens an engine over a new state.
async fn set_up(demo: &Demo, folder: &Path, screen: &Screen) -> Result<Stage, Failure> {
    let mut filling = demo.filling.clone();
    if filling.northwind.is_none() && filling.records.is_none() {
        filling.records = Some(CUSTOMERS);
    }
    let many = filling.records.is_some_and(|count| count > MANY);
    let preset = match &demo.preset {
        Some(preset) => preset.as_str(),
        None if many => "no-divisions",
        None => "default",
    };
    screen.say("Starting a local Customerp and a local Salesforce org ...");
    let mut org = vec!["--preset".to_owned(), preset.to_owned()];
    if preset == "billing" {
        org = vec!["--options".to_owned(), sample::billing_org(folder, &filling)?];
    }
    let erp = filling.arguments();
    let (customerp, salesforce) =
        futures::try_join!(Local::start("customerp", &erp), Local::start("salesforce", &org),)?;
    screen.say(format!("  Customerp   {}", customerp.url));
    screen.say(format!("  Salesforce  {}", salesforce.url));
    let configuration = sample::configuration(folder, &customerp.url, &salesforce.url, screen).await?;
    let ledger = Arc::new(Ledger::new(crate::progress::watcher(screen, true)));
    let store = loading::state(&Home::Folder(folder.to_owned()), &loading::keys(&configuration)?)?;
    let parts = loading::parts(&configuration, Box::new(store), ledger.clone(), Some(folder)).await?;
    let engine = Engine::open(parts).await?;
    Ok(Stage {
        customerp,
        salesforce,
        configuration,
        engine,
        ledger,
    })
}

/// The console, which leads to the systems' own pages as well.
async fn open_console(
    stage: &Stage,
    folder: &Path,
    live: &Arc<Live>,
    asks: Asks,
) -> Result<Console, Failure> {
    let troubles = live.troubles().clone();
    let file = folder.join(sample::FILE);
    let work = Work {
        folder,
        file: &file,
        home: Home::Folder(folder.to_owned()),
        configuration: &stage.configuration,
        engine: &stage.engine,
        asks,
        troubles: Arc::new(move || troubles.sentences()),
    };
    let wanted = Wanted {
        address: None,
        names: Vec::new(),
        homes: [&stage.customerp, &stage.salesforce].map(|system| Some(system.url.clone())),
    };
    serving::open(work, wanted).await
}

async fn first_sync(stage: &mut Stage, screen: &Screen) -> Result<Summary, Failure> {
    screen.say("");
    screen.say("First sync:");
    let began = Instant::now();
    let summary = stage.engine.sync().await?;
    if let Some(trouble) = summary.troubles.first() {
        return Err(trouble.clone().into());
    }
    stage.ledger.quiet();
    let linked: u64 = summary.flows.values().map(|flow| flow.linked).sum();
    screen.say(format!(
        "{} links in {:.1} seconds.",
        thousands(linked),
        began.elapsed().as_secs_f64()
    ));
    Ok(summary)
}

/// Stays up until interrupted, showing each change as it travels.
async fn stay(
    stage: &mut Stage,
    people: &People,
    live: Arc<Live>,
    folder: &Path,
    screen: &Screen,
) -> Result<(), Failure> {
    pairs::show(&mut stage.engine, people, screen).await?;
    let (customerp, salesforce) = (&stage.customerp.url, &stage.salesforce.url);
    let kept = format!(
        "The state and configuration are in {}. Ctrl-C ends the demo.",
        folder.display()
    );
    screen.say(Lines(vec![
        String::new(),
        "Open Tandem's console (the first link above, or `tandem console --state .`".to_owned(),
        "below for another) and either side in a browser, edit a record, and watch it".to_owned(),
        "arrive on the other:".to_owned(),
        format!("  Customerp   {customerp}"),
        format!("  Salesforce  {salesforce}"),
        String::new(),
        "Look and act meanwhile, in another terminal:".to_owned(),
        format!("  cd {}; tandem status --state .", folder.display()),
        String::new(),
        kept,
        String::new(),
    ]));
    let home = Home::Folder(folder.to_owned());
    let window = serving::window_on(home, &stage.configuration, stage.engine.flows().clone())?;
    let told = window.look(false, |looker| Ok(Told::all_of(looker.store)?))?;
    let telling = Telling::begin(window, &live, *screen, told);
    stage.ledger.hand_over(live);
    let schedule = schedule(&stage.configuration);
    let done = stage.engine.run(&schedule, interrupted()).await;
    telling.end().await;
    Ok(done?)
}

fn folder(common: &Common) -> Result<Folder, Failure> {
    let Some(path) = &common.state else {
        let made = tempfile::Builder::new().prefix("tandem-demo-").tempdir();
        return made.map(Folder::Temporary).map_err(|error| {
            Failure::trouble(
                format!("no temporary folder could be made ({error})"),
                "Free space, set TMPDIR, or name a folder with --state",
            )
        });
    };
    if path.join("tandem.db").exists() {
        return Err(Failure::usage(
            format!("{} already holds a state", path.display()),
            "A demo begins with a new one: name another folder, or delete this one",
        ));
    }
    // The state makes the folder again where need be, and closes it to others.
    std::fs::create_dir_all(path).map_err(|error| {
        Failure::usage(
            format!("{} cannot be made ({error})", path.display()),
            "Name another folder",
        )
    })?;
    Ok(Folder::Kept(path.clone()))
}
