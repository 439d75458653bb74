//! The command line as people type it.

#[cfg(feature = "lab")]
use crate::commands::sandbox;
use crate::commands::{
    approve, backup, check, conflicts, connector, console, customerp, document, explain, failures, forget,
    history, ignore, init, link, links, pause, plan, qa, rebind, resolve, restore, retry, run, salesforce,
    shell, status, sync, undo, verify, worker,
};
#[cfg(feature = "lab")]
use crate::{bench, demo};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;
use tandem_api::Masks;
use tandem_merge::dataflow::Dataflow;

/// Keeps the records of your own ERP and of your Salesforce org in step, whichever side is edited.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) common: Common,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(feature = "lab")]
macro_rules! demo {
    () => {
        "  tandem demo                 two local systems with sample data, kept in step before your eyes\n"
    };
}
#[cfg(not(feature = "lab"))]
macro_rules! demo {
    () => {
        ""
    };
}

const EXAMPLES: &str = concat!(
    "Examples:\n",
    demo!(),
    "  tandem init                 write a configuration for two systems
  tandem check                what can and what cannot be kept in step, and why
  tandem plan                 everything a sync would do, writing nothing
  tandem sync                 work until nothing is left to do

Exit codes:
  0  done
  1  a system is down or refuses us
  2  usage or configuration
  3  done, but conflicts, parked work or approvals wait"
);

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "tandem.yaml")]
    pub(crate) config: PathBuf,
    /// The folder of the state [default: `state` beside the configuration; demo: a temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and failures only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Show values of properties marked `personal`, which are masked else
    #[arg(long, global = true)]
    pub(crate) show_personal: bool,
    /// Log what is done; twice: every step; three times: each request and reply, with the values in them
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Common {
    /// The state folder of the commands that keep one.
    pub(crate) fn state_folder(&self) -> PathBuf {
        let beside = || self.config.with_file_name("state");
        self.state.clone().unwrap_or_else(beside)
    }

    /// What is masked: personal values, or nothing where a person asked to see them.
    pub(crate) fn masks(&self, flows: &Dataflow) -> Masks {
        match self.show_personal {
            true => Masks::none(),
            false => Masks::of(flows),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run both systems locally with sample data, keep all flows in step, and prove it
    #[cfg(feature = "lab")]
    Demo(demo::Demo),
    /// Run one local system alone
    #[cfg(feature = "lab")]
    Sandbox(sandbox::Sandbox),
    /// Write a configuration for two systems
    Init(Box<init::Init>),
    /// Compare configuration and systems: what can be kept in step, what cannot, and why
    Check(check::Check),
    /// Show everything a sync would do, record by record, writing nothing
    Plan(plan::Plan),
    /// Work until nothing is left to do
    Sync(sync::Sync),
    /// Keep in step for ever
    Run(run::Run),
    /// Keep in step as one of several: one works, the others stand by
    Worker(worker::Worker),
    /// Print a link that leads into the pages of the process that works
    Console(console::Console),
    /// Show how things stand, flow by flow
    Status(status::Status),
    /// List linked records
    Links(links::Links),
    /// List conflicts that wait for an answer
    Conflicts(conflicts::Conflicts),
    /// List what is parked, deferred or held, with reason and advice
    Failures(failures::Failures),
    /// Tell what happened, to all records or to one
    History(history::History),
    /// Tell how a record stands: what is held of it, what waits and why, and who can mend it
    Explain(explain::Explain),
    /// Take back one change, a record's, a run's, or those of a time span
    Undo(undo::Undo),
    /// Erase a person from state and history
    Forget(forget::Forget),
    /// Compare every linked record of both systems in full
    Verify(verify::Verify),
    /// Let go ahead what waits for a person: deletions, and what a guard holds
    Approve(approve::Approve),
    /// Answer a conflict
    Resolve(resolve::Resolve),
    /// Try again what is parked
    Retry(retry::Retry),
    /// Leave items out of what needs a person
    Ignore(ignore::Ignore),
    /// Link two records by hand
    Link(link::Link),
    /// End a record's link by hand
    Unlink(link::Unlink),
    /// Let a flow rest
    Pause(pause::Pause),
    /// Let a paused flow go on
    Resume(pause::Resume),
    /// Let the state go over to another org or ERP, such as a refreshed sandbox
    Rebind(rebind::Rebind),
    /// Copy the state into one file, also while `run` holds it
    Backup(backup::Backup),
    /// Put a backup in the place of the state
    Restore(restore::Restore),
    /// Tools for the ERP's side: what a database needs to be given
    Customerp(customerp::Customerp),
    /// Tools for whoever connects an ERP: try what it can do
    Connector(connector::Connector),
    /// Tools for the Salesforce side: what an org needs to be given
    Salesforce(salesforce::Salesforce),
    /// Print the dataflow document
    Document(document::Document),
    /// Tick off every sentence of the dataflow document against the two systems
    Qa(qa::Qa),
    /// Print completions for a shell, or write the manual
    Shell(shell::Shell),
    /// Measure Tandem against local systems
    #[cfg(feature = "lab")]
    Bench(bench::Bench),
}
