//! What the console asks the program for: its configuration with the files, a rehearsal beside the work, the newest report of
//! `tandem qa`.

use super::Work;
use crate::failure::Failure;
use crate::{loading, qa};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tandem_api::configured::InForce;
use tandem_api::rehearsed::{Circumstances, Rehearsed};
use tandem_api::view::{self, ByConfiguration, FileProblem};
use tandem_api::{Blame, Refused};
use tandem_connector::Connector;
use tandem_console::Wanted;
use tandem_engine::PlanReport;
use tandem_ledger::Home;
use tandem_merge::config::Configuration;

/// What the program knows and can do beside the work.
pub(super) struct Backstage {
    file: PathBuf,
    folder: PathBuf,
    home: Home,
    in_force: InForce,
    /// The connectors of the process at work: what a rehearsal spends is theirs.
    systems: [Arc<dyn Connector>; 2],
}

impl Backstage {
    /// Of a process that works.
    pub(super) fn of(work: &Work<'_>) -> Self {
        Self {
            file: work.file.to_owned(),
            folder: work.folder.to_owned(),
            home: work.home.clone(),
            in_force: InForce {
                file: work.file.display().to_string(),
                since: jiff::Timestamp::now(),
                says: work.configuration.clone(),
            },
            systems: work.engine.systems().clone(),
        }
    }

    /// Rehearses by a configuration, and counts its calls where the process counts its own.
    async fn rehearsed(&self, configuration: &Configuration, wanted: &Wanted) -> Result<Rehearsed, Failure> {
        let began = Instant::now();
        let spent = Spent::by(&self.systems);
        let (mut parts, copy) =
            loading::parts_on_a_copy_of(&self.home, configuration, wanted.progress.clone()).await?;
        spent.read_by(&parts.systems);
        let line = parts.store.latest(None, u64::MAX, 1)?;
        let report: PlanReport = tandem_engine::plan(parts).await?;
        drop(copy);
        let of = Circumstances {
            dataflow: configuration.dataflow.clone(),
            configuration: wanted.configuration,
            seconds: (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            calls: spent.calls(),
            line: line.first().map_or(0, |(number, _)| *number),
        };
        Ok(Rehearsed::keep(report, of))
    }
}

impl tandem_console::Backstage for Backstage {
    fn configuration(&self) -> view::Configuration {
        self.in_force
            .shown(loading::configuration_in(&self.file, &self.folder).map_err(problems))
    }

    fn rehearse(&self, wanted: &Wanted) -> Result<Rehearsed, Refused> {
        let read;
        let configuration = match wanted.configuration {
            ByConfiguration::InForce => &self.in_force.says,
            ByConfiguration::Files => {
                read = loading::configuration_in(&self.file, &self.folder).map_err(refused)?;
                &read
            }
        };
        let mut stop = wanted.stop.clone();
        let work = async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(Failure::trouble(
                    "the console closed before the plan was made",
                    "Make it again",
                )),
                done = self.rehearsed(configuration, wanted) => done,
            }
        };
        tokio::runtime::Handle::current().block_on(work).map_err(refused)
    }

    fn qa(&self) -> Result<Option<view::Qa>, Refused> {
        qa::kept::read(&self.folder).map_err(refused)
    }
}

/// The calls of a rehearsal, which are counted as the process's own however it ends.
struct Spent<'a> {
    ours: &'a [Arc<dyn Connector>; 2],
    theirs: OnceLock<[Arc<dyn Connector>; 2]>,
}

impl<'a> Spent<'a> {
    fn by(ours: &'a [Arc<dyn Connector>; 2]) -> Self {
        Self {
            ours,
            theirs: OnceLock::new(),
        }
    }

    fn read_by(&self, systems: &[Arc<dyn Connector>; 2]) {
        // Once for each rehearsal.
        let _again = self.theirs.set(systems.clone());
    }

    fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        let theirs = self.theirs.get().into_iter().flatten();
        theirs
            .map(|system| (system.system().to_owned(), system.calls()))
            .collect()
    }
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        for (system, calls) in self.calls() {
            let ours = self.ours.iter().filter(|ours| ours.system() == system);
            ours.for_each(|ours| ours.also_spent(calls));
        }
    }
}

/// What is wrong with the files.
fn problems(failure: Failure) -> Vec<FileProblem> {
    match failure {
        Failure::Configuration(problems) | Failure::Sheet(problems) => {
            problems.into_iter().map(FileProblem::from).collect()
        }
        Failure::One { what, advice, .. } => vec![FileProblem {
            file: String::new(),
            line: None,
            column: None,
            what,
            instead: advice,
        }],
    }
}

/// A failure as whoever asked is told it.
fn refused(failure: Failure) -> Refused {
    match failure {
        Failure::One {
            exit, what, advice, ..
        } => match exit {
            crate::failure::Exit::Usage => Refused::usage(what, advice),
            _ => Refused::trouble(what, advice),
        },
        Failure::Configuration(problems) | Failure::Sheet(problems) => Refused {
            blame: Blame::Usage,
            what: match problems.first() {
                Some(first) if problems.len() == 1 => format!("the files cannot be used: {first}"),
                Some(first) => format!(
                    "the files cannot be used: {first} There are {} more",
                    problems.len() - 1
                ),
                None => "the files cannot be used".to_owned(),
            },
            advice: "Correct them; the page of the configuration lists what is wrong".to_owned(),
            full: false,
        },
    }
}
