//! Two local systems as processes of their own, with a configuration and the org's own counter of calls.

use super::SERVER;
use super::process::{Taken, Watched};
use crate::commands::sandbox::Filling;
use crate::demo::local::Local;
use crate::demo::people::People;
use crate::demo::sample;
use crate::failure::Failure;
use crate::screen::Screen;
use serde_json::Value as Json;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use tandem_ledger::{Home, Keys, Ledger, Store};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::Dataflow;

/// Both systems, by the names of their commands.
const SYSTEMS: [&str; 2] = ["customerp", "salesforce"];

/// Nothing is young any more after so many seconds.
const PAST: u32 = 600;

/// What a measurement is set up with.
pub(super) struct Lab {
    /// Generated customers; the other types follow in a fixed ratio.
    pub(super) customers: u32,
    /// The generator's seed.
    pub(super) seed: u64,
    /// How many milliseconds every request is on its way.
    pub(super) latency: u32,
    /// Every request is recorded, in the files that [`Scene::records`] names.
    pub(super) record: bool,
    /// The org's own arguments.
    pub(super) org: Vec<String>,
}

impl Lab {
    /// So many customers, no latency, nothing recorded.
    pub(super) fn of(customers: u32, org: &[String]) -> Self {
        Self {
            customers,
            seed: 1,
            latency: 0,
            record: false,
            org: org.to_vec(),
        }
    }

    /// The same, with every request recorded.
    pub(super) fn recorded(self) -> Self {
        Self { record: true, ..self }
    }
}

/// What a measurement runs on.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) salesforce: Local,
    pub(super) customerp: Local,
    pub(super) configuration: Configuration,
    client: reqwest::Client,
}

impl Scene {
    /// Starts both systems.
    pub(super) async fn start(lab: &Lab, screen: &Screen) -> Result<Self, Failure> {
        let made = tempfile::Builder::new().prefix("tandem-bench-").tempdir();
        let folder = made.map_err(|error| {
            Failure::trouble(
                format!("no temporary folder could be made ({error})"),
                "Free space, or set TMPDIR",
            )
        })?;
        let filling = Filling {
            records: Some(lab.customers),
            seed: Some(lab.seed),
            ..Filling::default()
        };
        let (mut erp, mut org) = (filling.arguments(), lab.org.clone());
        org.extend(["--seed".to_owned(), lab.seed.to_string()]);
        // So that moving it on brings it to the present.
        org.extend(["--clock-behind".to_owned(), PAST.to_string()]);
        for (system, arguments) in SYSTEMS.into_iter().zip([&mut erp, &mut org]) {
            arguments.extend(["--latency".to_owned(), lab.latency.to_string()]);
            if lab.record {
                let file = record(folder.path(), system).display().to_string();
                arguments.extend(["--record".to_owned(), file]);
            }
        }
        let (customerp, salesforce) =
            futures::try_join!(Local::start(SYSTEMS[0], &erp), Local::start(SYSTEMS[1], &org))?;
        let mut configuration =
            sample::configuration(folder.path(), &customerp.url, &salesforce.url, screen).await?;
        lift_guards(&mut configuration.dataflow);
        keep_on_server(folder.path())?;
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Failure::trouble(format!("no client ({error})"), ""))?;
        Ok(Self {
            folder,
            salesforce,
            customerp,
            configuration,
            client,
        })
    }

    /// What was asked of both systems, and answered: the ERP's file, and the org's.
    pub(super) fn records(&self) -> [PathBuf; 2] {
        SYSTEMS.map(|system| record(self.folder(), system))
    }

    /// What both systems have taken of the machine by now.
    pub(super) fn taken(&self) -> [Taken; 2] {
        [&self.customerp, &self.salesforce].map(|system| system.id().map_or_else(Taken::default, Taken::of))
    }

    /// The folder of configuration and state.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration's file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder().join("tandem.yaml")
    }

    /// What both systems have taken since an earlier look, the ERP first.
    pub(super) fn taken_since(&self, before: [Taken; 2]) -> [Taken; 2] {
        let now = self.taken();
        [now[0].since(before[0]), now[1].since(before[1])]
    }

    /// How many bytes the state takes: its files, or its tables on a server.
    pub(super) fn state_bytes(&self) -> Result<u64, Failure> {
        if let home @ Home::Server(_) = self.home()? {
            return Ok(Ledger::open_at(&home, &Keys::default())?
                .status(&self.configuration.dataflow)?
                .bytes);
        }
        let files = std::fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let of_state = files.filter(|file| file.file_name().to_string_lossy().starts_with("tandem.db"));
        let bytes = of_state
            .filter_map(|file| file.metadata().ok())
            .map(|data| data.len())
            .sum();
        Ok(bytes)
    }

    /// Where its processes keep their state.
    pub(super) fn home(&self) -> Result<Home, Failure> {
        super::home(self.folder(), "scene")
    }

    /// A first sync in a process of its own. Answers how many links there are.
    pub(super) async fn first_sync(&self) -> Result<u64, Failure> {
        let ended = Watched::start(self.command("sync"))?.end().await?;
        Ok(linked(&ended.result()?))
    }

    /// The arguments of a command in a process of its own.
    pub(super) fn command(&self, name: &str) -> [OsString; 7] {
        let words = [name, "--json", "--quiet", "--config"].map(OsString::from);
        let [name, json, quiet, config] = words;
        let (file, folder) = (self.config().into(), self.folder().into());
        [name, json, quiet, config, file, "--state".into(), folder]
    }

    /// Somebody who works in both systems, and is not the user that syncs.
    pub(super) async fn people(&self) -> Result<People, Failure> {
        People::sign_in(&self.customerp.url, &self.salesforce.url, &self.configuration).await
    }

    /// API calls that the org has counted so far.
    pub(super) async fn calls(&self) -> Result<u64, Failure> {
        let counted = self.org("/_local/calls").await?;
        Ok(counted["total"].as_u64().unwrap_or_default())
    }

    /// What the org shows of itself.
    pub(super) async fn org(&self, resource: &str) -> Result<Json, Failure> {
        let request = self.client.get(format!("{}{resource}", self.salesforce.url));
        let reply = request.send().await.map_err(broken)?;
        let body = reply.bytes().await.map_err(broken)?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Moves the org's clock on, so that nothing is read again because it is young.
    pub(super) async fn age(&self) -> Result<(), Failure> {
        let request = self.client.post(format!("{}/_local/clock", self.salesforce.url));
        let request = request
            .header("content-type", "application/json")
            .body(format!(r#"{{"advance":{PAST}}}"#));
        let reply = request.send().await.map_err(broken)?;
        reply.error_for_status().map_err(broken).map(drop)
    }
}

/// Lets the processes keep their state on a server, where one is named.
fn keep_on_server(folder: &Path) -> Result<(), Failure> {
    let Home::Server(server) = super::home(folder, "scene")? else {
        return Ok(());
    };
    let state = format!(
        "\nstate: {{ postgres: {{ env: {SERVER} }}, schema: {} }}\n",
        server.schema()
    );
    let file = OpenOptions::new().append(true).open(folder.join("tandem.yaml"));
    file.and_then(|mut file| file.write_all(state.as_bytes()))
        .map_err(|error| {
            Failure::trouble(
                format!("the configuration cannot be written ({error})"),
                "Free space",
            )
        })
}

/// So many edits are what is measured: none is held because they are many.
pub(super) fn lift_guards(flows: &mut Dataflow) {
    for flow in &mut flows.flows {
        flow.guard.edits = None;
        flow.guard.first_links = None;
    }
}

/// How many links a sync has told of.
pub(super) fn linked(said: &Json) -> u64 {
    let flows = said["flows"].as_array().into_iter().flatten();
    flows.filter_map(|flow| flow["linked"].as_u64()).sum()
}

fn record(folder: &Path, system: &str) -> PathBuf {
    folder.join(format!("{system}.jsonl"))
}

fn broken(error: reqwest::Error) -> Failure {
    Failure::trouble(format!("the local org does not answer ({error})"), "Run it again")
}
