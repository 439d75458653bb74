//! Both systems filled, a person in them, and processes of Tandem one after the other.

use super::line::{Clear, HOSTS, Lines, Shaky};
use super::oracle;
use super::people::People;
use super::time::{self, Simulated, pause};
use crate::loading::{self, Bindings, CREATED_IN_CUSTOMERP, Draft};
use std::path::Path;
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_connector::simulation::{Line, set_line};
use tandem_engine::{Engine, Quiet};
use tandem_fuzz::Dice;
use tandem_merge::config::Configuration;
use tandem_merge::record::{Observation, RecordKey, Values, Version};
use tandem_sandbox::{customerp, salesforce};
use tandem_store::SqliteStore;
use tempfile::TempDir;

pub(super) struct World {
    pub(super) lines: Arc<Lines>,
    pub(super) people: People,
    configuration: Configuration,
    folder: TempDir,
    /// What people do, apart from what befalls requests.
    dice: Dice,
}

impl World {
    pub(super) async fn new(seed: u64, traced: bool) -> Self {
        time::begin();
        let mut dice = Dice::new(seed);
        let customers = 2 + u32::try_from(dice.below(3)).unwrap();
        let erp = customerp::Inside::new(&customerp::Options {
            records: customers,
            seed,
            ..customerp::Options::default()
        });
        let preset = if dice.below(3) == 1 {
            "no-divisions"
        } else {
            "default"
        };
        let org = salesforce::Inside::new(salesforce::Options {
            seed: Some(seed),
            ..salesforce::Options::preset(preset).unwrap()
        });
        let chance = Dice::new(dice.below(u64::MAX));
        let lines = Lines::new(chance, erp.unwrap(), org.unwrap(), traced);
        let lines = Arc::new(lines);
        let folder = tempfile::tempdir().unwrap();
        let alice = ["customerp-alice-token", "alice", "alice-secret"];
        let ours = ["customerp-tandem-token", "tandem", "tandem-secret"];
        let line: Arc<dyn Line> = Arc::new(Clear(Arc::clone(&lines)));
        set_line(Some(line));
        let configuration = configuration(&folder, "alice", alice).await;
        let systems: [Arc<dyn Connector>; 2] = loading::connect(&configuration, None).unwrap();
        let people = People::new(systems, configuration.dataflow);
        let configuration = self::configuration(&folder, "tandem", ours).await;
        let line: Arc<dyn Line> = Arc::new(Shaky(Arc::clone(&lines)));
        set_line(Some(line));
        lines.say(|| format!("{customers} customers, preset {preset}"));
        Self {
            lines,
            people,
            configuration,
            folder,
            dice,
        }
    }

    pub(super) fn told(&self) -> String {
        self.lines.told()
    }

    /// Some processes with people and trouble, each of which may die at any await; then rest, and what must hold.
    pub(super) async fn run(&mut self) -> Result<(), String> {
        self.lines.state().trouble = true;
        for _ in 0..1 + self.dice.below(4) {
            self.process().await?;
            pause(self.dice.below(4_000)).await;
        }
        self.lines.say(|| "-- no more edits or faults --".to_owned());
        self.lines.calm();
        let mut engine = self.rest().await?;
        oracle::check(self, &mut engine).await
    }

    async fn process(&mut self) -> Result<(), String> {
        let life = match self.dice.below(3) {
            0 => u64::MAX >> 20,
            _ => self.dice.below(60_000),
        };
        let rounds = 1 + self.dice.below(4);
        let mut own = Dice::new(self.dice.below(u64::MAX));
        let mut theirs = Dice::new(self.dice.below(u64::MAX));
        let busy = 1_000 + self.dice.below(9_000);
        let (lines, people) = (&self.lines, &mut self.people);
        let (configuration, folder) = (&self.configuration, self.folder.path());
        let work = async {
            // A system that is not there when a process begins is no fault of Tandem's.
            let Ok(mut engine) = open(lines, configuration, folder).await else {
                return Ok(());
            };
            for _ in 0..rounds {
                let done = if own.one_in(2) {
                    engine.sync().await.map(drop)
                } else {
                    engine.round().await.map(drop)
                };
                done.map_err(|error| format!("the engine fails: {error}"))?;
                pause(own.below(4_000)).await;
            }
            Ok(())
        };
        let others = async {
            loop {
                pause(1 + theirs.below(busy)).await;
                let did = people.act(&mut theirs).await;
                let did = did.map_err(|failure| format!("people cannot work: {failure:?}"))?;
                lines.say(|| did);
            }
        };
        tokio::select! {
            biased;
            done = others => done,
            done = work => done,
            () = pause(life) => {
                lines.say(|| "-- the process dies --".to_owned());
                Ok(())
            }
        }
    }

    /// A process of Tandem begins.
    pub(super) async fn begin(&self) -> Result<Engine, String> {
        open(&self.lines, &self.configuration, self.folder.path()).await
    }

    /// Nobody edits and nothing goes wrong, until nothing changes any more.
    async fn rest(&mut self) -> Result<Engine, String> {
        pause(10_000).await;
        let mut engine = self.begin().await?;
        let mut before = Vec::new();
        for _ in 0..20 {
            pause(20_000).await;
            let summary = engine.sync().await.map_err(|error| error.to_string())?;
            if let Some(trouble) = summary.troubles.first() {
                return Err(format!("E8: trouble at rest: {trouble}"));
            }
            let after = self.states().await?;
            if after == before {
                return Ok(engine);
            }
            before = after;
        }
        Err("E8: it does not come to rest".to_owned())
    }

    /// Every record of both systems as a person sees it.
    pub(super) async fn records(&self) -> Result<Vec<Observation>, String> {
        let all = self.people.everything().await;
        all.map_err(|failure| format!("{failure:?}"))
    }

    /// The same as far as it changes with the records.
    pub(super) async fn states(&self) -> Result<Vec<(RecordKey, Option<Version>, Values)>, String> {
        let still = |record: Observation| {
            // Whether a version is firm changes with the clock alone.
            let version = record.version.map(|version| Version {
                firm: true,
                ..version
            });
            (record.key, version, record.values)
        };
        Ok(self.records().await?.into_iter().map(still).collect())
    }
}

/// An engine over the state in a folder, as a new process has it.
async fn open(lines: &Lines, configuration: &Configuration, folder: &Path) -> Result<Engine, String> {
    lines.say(|| "-- a process begins --".to_owned());
    let store = SqliteStore::open(folder).map_err(|error| error.to_string())?;
    let parts = loading::parts(configuration, Box::new(store), Arc::new(Quiet), None).await;
    let mut parts = parts.map_err(|failure| format!("{failure:?}"))?;
    parts.clock = Arc::new(Simulated);
    Engine::open(parts).await.map_err(|error| error.to_string())
}

/// The shipped flows between both systems, with somebody's secrets.
async fn configuration(folder: &TempDir, name: &str, secrets: [&str; 3]) -> Configuration {
    let place = |(index, secret): (usize, &str)| {
        let path = folder.path().join(format!("{name}-{index}"));
        std::fs::write(&path, secret).unwrap();
        format!("{{ file: {} }}", serde_json::json!(path.display().to_string()))
    };
    let places: Vec<String> = secrets.into_iter().enumerate().map(place).collect();
    let mut draft = Draft {
        customerp_url: HOSTS[0].to_owned(),
        salesforce_url: HOSTS[1].to_owned(),
        secrets: places.try_into().unwrap(),
        users: None,
        owner: None,
        accounts: None,
        pace: vec!["poll: 1s", "overlap: 5s", "request_deadline: 5s"],
        create_in_customerp: CREATED_IN_CUSTOMERP.to_vec(),
        bindings: Bindings::default(),
    };
    draft.bind().await.unwrap();
    draft.configuration().unwrap()
}
