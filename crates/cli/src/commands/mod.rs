//! The commands, one module each.

pub(crate) mod approve;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod conflicts;
pub(crate) mod connector;
pub(crate) mod console;
pub(crate) mod customerp;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod failures;
pub(crate) mod forget;
pub(crate) mod history;
pub(crate) mod ignore;
pub(crate) mod init;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod qa;
pub(crate) mod rebind;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod salesforce;
#[cfg(feature = "lab")]
pub(crate) mod sandbox;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod undo;
pub(crate) mod verify;
pub(crate) mod worker;

use crate::arguments::{Arguments, Command};
#[cfg(feature = "lab")]
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::screen::Screen;

/// How many rows of a list are shown at most: as many as were asked for, 0 for all; else a hundred, and as JSON all.
fn limit(asked: Option<usize>, screen: &Screen) -> usize {
    match asked.unwrap_or(if screen.json { 0 } else { 100 }) {
        0 => usize::MAX,
        limit => limit,
    }
}

/// Carries out what the arguments ask for.
#[allow(clippy::cognitive_complexity, reason = "one line for each command")]
pub(crate) async fn carry_out(arguments: Arguments, screen: &Screen) -> Result<Exit, Failure> {
    let common = &arguments.common;
    match arguments.command {
        #[cfg(feature = "lab")]
        Command::Demo(demo) => demo::show(&demo, common, screen).await,
        #[cfg(feature = "lab")]
        Command::Sandbox(sandbox) => sandbox.serve(screen).await,
        Command::Init(init) => init.write(common, screen).await,
        Command::Check(check) => check.compare(common, screen).await,
        Command::Plan(plan) => plan.rehearse(common, screen).await,
        Command::Sync(sync) => sync.work(common, screen).await,
        Command::Run(run) => run.keep_in_step(common, screen).await,
        Command::Worker(worker) => worker.work(common, screen).await,
        Command::Console(console) => console.print(common, screen).await,
        Command::Shell(shell) => shell.carry_out(),
        Command::Status(status) => status.show(common, screen),
        Command::Links(links) => links.carry_out(common, screen).await,
        Command::Conflicts(conflicts) => conflicts.list(common, screen),
        Command::Failures(failures) => failures.list(common, screen),
        Command::History(history) => history.tell(common, screen),
        Command::Explain(explain) => explain.tell(common, screen),
        Command::Undo(undo) => undo.carry_out(common, screen).await,
        Command::Forget(forget) => forget.carry_out(common, screen).await,
        Command::Verify(verify) => verify.compare(common, screen).await,
        Command::Approve(approve) => approve.carry_out(common, screen).await,
        Command::Resolve(resolve) => resolve.carry_out(common, screen).await,
        Command::Retry(retry) => retry.carry_out(common, screen).await,
        Command::Ignore(ignore) => ignore.carry_out(common, screen).await,
        Command::Link(link) => link.carry_out(common, screen).await,
        Command::Unlink(unlink) => unlink.carry_out(common, screen).await,
        Command::Pause(pause) => pause.carry_out(common, screen).await,
        Command::Resume(resume) => resume.carry_out(common, screen).await,
        Command::Rebind(rebind) => rebind.go_over(common, screen).await,
        Command::Backup(backup) => backup.make(common, screen),
        Command::Restore(restore) => restore.carry_out(common, screen).await,
        Command::Document(document) => document.print(common, screen),
        Command::Customerp(customerp) => customerp.carry_out(common, screen),
        Command::Connector(connector) => connector.carry_out(common, screen).await,
        Command::Salesforce(salesforce) => salesforce.carry_out(common, screen),
        Command::Qa(qa) => qa.tick_off(common, screen).await,
        #[cfg(feature = "lab")]
        Command::Bench(bench) => bench.measure(screen).await,
    }
}
