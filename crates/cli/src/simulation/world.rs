//! Both systems filled, a person in them, and processes of Tandem one after the other.

use super::administrator::{ADMIN_TOKEN, Administrator};
use super::line::{Clear, HOSTS, Lines, Shaky};
use super::oracle;
use super::people::People;
use super::references::References;
use super::time::{self, Simulated, pause};
use crate::loading::{self, Bindings, CREATED_IN_CUSTOMERP, Chosen, Draft, Policies};
use jiff::SignedDuration;
use std::path::Path;
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_connector::simulation::{Line, set_line};
use tandem_engine::{Engine, Held, Quiet, Schedule};
use tandem_fuzz::Dice;
use tandem_lab::{customerp, salesforce};
use tandem_ledger::Ledger;
use tandem_merge::cluster::{ParkedKind, Verdict};
use tandem_merge::config::Configuration;
use tandem_merge::record::{Observation, RecordKey, Values, Version};
use tempfile::TempDir;

/// Record types whose changes may come as events.
const EVENTS: [&str; 4] = ["Contact", "Product2", "Order", "Task"];

/// The longest time that a sync may take which nothing disturbs, in milliseconds.
const LONGEST: u64 = 3_600_000;

/// More requests than this one process with troubles has no reason to send.
const MOST_BY_PROCESS: u64 = 4_000;

/// More requests than this one undisturbed sync has no reason to send.
const MOST_REQUESTS: u64 = 1_000;

pub(super) struct World {
    pub(super) lines: Arc<Lines>,
    pub(super) people: People,
    /// What the ERP's references named in the beginning.
    pub(super) references: References,
    administrator: Administrator,
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
            admin_token: Some(ADMIN_TOKEN.to_owned()),
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
        let systems: [Arc<dyn Connector>; 2] = loading::connect(&configuration, None).await.unwrap();
        let people = People::new(systems, configuration.dataflow);
        let mut configuration = self::configuration(&folder, "tandem", ours).await;
        if dice.one_in(3) {
            // Few creates are worth a job of the Bulk API already.
            configuration.connections[1].writes.bulk_above = 1 + u32::try_from(dice.below(4)).unwrap();
        }
        if dice.one_in(3) {
            // Changes of these come as events.
            let changes = &mut configuration.connections[1].changes;
            changes.events = EVENTS.iter().map(|name| (*name).to_owned()).collect();
            changes.pubsub = Some(HOSTS[1].to_owned());
        }
        let references = References::read(&people).await.unwrap();
        let administrator = Administrator::new(Arc::clone(&lines)).await;
        let line: Arc<dyn Line> = Arc::new(Shaky(Arc::clone(&lines)));
        set_line(Some(line));
        lines.say(|| format!("{customers} customers, preset {preset}"));
        Self {
            lines,
            people,
            references,
            administrator,
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
        if self.dice.one_in(2) {
            let told = self.administrator.relax().await;
            self.lines.say(|| told);
        }
        let mut engine = self.rest().await?;
        let events = self.administrator.events().await;
        self.lines.state().counts.events = events;
        oracle::check(self, &mut engine).await
    }

    async fn process(&mut self) -> Result<(), String> {
        self.lines.allow(MOST_BY_PROCESS);
        let life = match self.dice.below(3) {
            0 => u64::MAX >> 20,
            _ => self.dice.below(60_000),
        };
        let rounds = 1 + self.dice.below(4);
        let mut own = Dice::new(self.dice.below(u64::MAX));
        let mut theirs = Dice::new(self.dice.below(u64::MAX));
        let busy = 1_000 + self.dice.below(9_000);
        let (lines, people, administrator) = (&self.lines, &mut self.people, &self.administrator);
        let (configuration, folder) = (&self.configuration, self.folder.path());
        let work = async {
            // A system that is not there when a process begins is no fault of Tandem's.
            let Ok(mut engine) = open(lines, configuration, folder).await else {
                return Ok(());
            };
            for _ in 0..rounds {
                let done = match own.below(3) {
                    0 => engine.sync().await.map(drop),
                    1 => engine.round().await.map(drop),
                    _ => run_for(&mut engine, own.below(20_000)).await,
                };
                done.map_err(|error| format!("the engine fails: {error}"))?;
                pause(own.below(4_000)).await;
            }
            Ok(())
        };
        let others = async {
            loop {
                pause(1 + theirs.below(busy)).await;
                let did = match theirs.below(12) {
                    0 => administrator.act(people, &mut theirs).await,
                    _ => people.act(&mut theirs).await,
                };
                let did = did.map_err(|failure| format!("people cannot work: {failure:?}"))?;
                lines.say(|| did);
            }
        };
        tokio::select! {
            biased;
            done = others => done,
            done = work => done,
            () = lines.exhausted() => Err(format!("E17: more than {MOST_BY_PROCESS} requests by one process")),
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

    /// Nobody edits and nothing goes wrong, until nothing changes any more and nobody is asked.
    async fn rest(&mut self) -> Result<Engine, String> {
        pause(10_000).await;
        self.lines.allow(MOST_REQUESTS);
        let mut engine = self.begin().await?;
        let mut before = Vec::new();
        for _ in 0..30 {
            pause(20_000).await;
            self.sync(&mut engine).await?;
            let after = self.states().await?;
            let answered = self.answer(&mut engine)?;
            if after == before && !answered {
                return Ok(engine);
            }
            before = after;
        }
        Err("E8: it does not come to rest".to_owned())
    }

    /// A sync that nothing disturbs: it ends, and is told of no trouble.
    pub(super) async fn sync(&self, engine: &mut Engine) -> Result<(), String> {
        self.lines.allow(MOST_REQUESTS);
        let summary = tokio::select! {
            summary = engine.sync() => summary.map_err(|error| error.to_string())?,
            () = self.lines.exhausted() => return Err(format!("E17: more than {MOST_REQUESTS} requests by one sync")),
            () = pause(LONGEST) => return Err("E17: a sync does not end within an hour".to_owned()),
        };
        if let Some(trouble) = summary.troubles.first() {
            return Err(format!("E8: trouble at rest: {trouble}"));
        }
        Ok(())
    }

    /// People decide about deletions that wait for them, and about flows that a guard stopped. Whether they did.
    fn answer(&mut self, engine: &mut Engine) -> Result<bool, String> {
        let items = engine
            .store()
            .items(0, 1_000)
            .map_err(|error| error.to_string())?;
        let mut any = self.let_go_on(engine)?;
        for item in items {
            if !matches!(item.kind, Some(ParkedKind::Approval | ParkedKind::DeleteConflict)) {
                continue;
            }
            if item.kind == Some(ParkedKind::DeleteConflict) && !self.people.edited(&item.record) {
                return Err(format!(
                    "E18: asked about an edit of {} that nobody made: {}",
                    item.record, item.reason
                ));
            }
            let verdicts = [Verdict::Recreate, Verdict::Unlink, Verdict::Propagate];
            let verdict = verdicts[usize::try_from(self.dice.below(3)).unwrap()];
            let outcome = engine.approve(item.number, Some(verdict));
            any |= outcome.is_ok();
            self.lines
                .say(|| format!("a person decides {verdict:?} about {}: {outcome:?}", item.record));
        }
        Ok(any)
    }

    /// People approve the edits of flows that a guard stopped. Whether there were any.
    fn let_go_on(&self, engine: &mut Engine) -> Result<bool, String> {
        let held = engine.holds().iter().filter_map(|hold| match &hold.of {
            Held::Flow(flow) => Some(flow.clone()),
            Held::System(_) => None,
        });
        let held: Vec<String> = held.collect();
        for flow in &held {
            let outcome = engine.approve_flow(flow, None);
            let outcome = outcome.map_err(|error| error.to_string())?;
            self.lines
                .say(|| format!("a person lets {flow} go on: {outcome:?}"));
        }
        Ok(!held.is_empty())
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

/// Rounds as the systems tell of changes, for so many milliseconds.
async fn run_for(engine: &mut Engine, millis: u64) -> Result<(), tandem_engine::Error> {
    let schedule = Schedule {
        every: SignedDuration::from_secs(1),
        ..Schedule::default()
    };
    engine.run(&schedule, pause(millis)).await
}

/// An engine over the state in a folder, as a new process has it.
async fn open(lines: &Lines, configuration: &Configuration, folder: &Path) -> Result<Engine, String> {
    lines.say(|| "-- a process begins --".to_owned());
    let store = Ledger::open(folder).map_err(|error| error.to_string())?;
    let parts = loading::parts(configuration, Box::new(store), Arc::new(Quiet), Some(folder)).await;
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
        flows: Chosen::all(),
        policies: Policies::default(),
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
