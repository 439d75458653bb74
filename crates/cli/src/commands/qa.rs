//! `tandem qa`: ticks off every sentence of the dataflow document against the two systems.

use crate::arguments::Common;
use crate::commands::sync::seconds;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::qa::checklist::{self, Verdict};
use crate::qa::{self, AsUser, Consent, Found, Wanted, reports};
use crate::screen::{Lines, Screen, count_of};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tandem_api::view;
use tandem_merge::config::Configuration;

/// Tick off every sentence of the dataflow document against the two systems.
///
/// Works with records of its own, whose names begin with QA, and deletes them at the end. What cannot be deleted
/// is put out of use, listed, and used again by the next run; `--clean` removes what can be removed of it. Says what it
/// will write and where, and asks before it does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem qa                                             says what it will write, and asks
  tandem qa --yes --json
  tandem qa --yes --junit qa.xml --html qa.html         for a build server, and for people
  tandem qa --clean                                     remove what earlier runs left
  tandem qa --as-user customerp.token=ALICE_TOKEN       edit the ERP as another user
  tandem qa --promise my-properties.csv                 check against a table of your own

Exit codes: 0 nothing failed, 1 a system is down, 2 usage or configuration, 3 something failed")]
pub(crate) struct Qa {
    /// Take a secret of a connection from this environment variable: edits are then made as that user
    #[arg(long, value_name = "SYSTEM.SECRET=VARIABLE")]
    as_user: Vec<String>,
    /// A table of promised properties, in the form of properties.csv, instead of the one that comes with Tandem
    #[arg(long, value_name = "FILE")]
    promise: Option<PathBuf>,
    /// Leave the records of the run where they are; the next run deletes them
    #[arg(long)]
    keep: bool,
    /// Remove what earlier runs left, and do nothing else
    #[arg(long, conflicts_with_all = ["keep", "promise"])]
    clean: bool,
    /// Write the result as JUnit XML, for a build server
    #[arg(long, value_name = "FILE", conflicts_with = "clean")]
    junit: Option<PathBuf>,
    /// Write the result as a page
    #[arg(long, value_name = "FILE", conflicts_with = "clean")]
    html: Option<PathBuf>,
    /// Go ahead without asking
    #[arg(long)]
    yes: bool,
    /// Go ahead although a system may be a production system
    #[arg(long)]
    in_production: bool,
}

impl Qa {
    /// Ticks off and tells.
    pub(crate) async fn tick_off(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let began = Instant::now();
        let configuration = loading::configuration(common)?;
        let wanted = self.wanted()?;
        if self.clean {
            return clean(common, &configuration, &wanted, screen).await;
        }
        let found = qa::tick_off(common, &configuration, &wanted, screen).await?;
        let counts = checklist::counts(&found.sections);
        let count = |verdict| counts.get(&verdict).copied().unwrap_or(0);
        let report = as_json(&found, seconds(began), &count);
        keep(&common.state_folder(), &report, screen);
        screen.json(&report);
        screen.result(Lines(checklist::text(&found.sections)));
        let told = format!(
            "{} passed, {} failed, {} not served, {} could not be tried; {}, {:.0} seconds.",
            count(Verdict::Pass),
            count(Verdict::Fail),
            count(Verdict::NotServed),
            count(Verdict::CannotBeTried),
            count_of(found.syncs, "sync", "syncs"),
            began.elapsed().as_secs_f64()
        );
        if let Some(file) = &self.junit {
            reports::write(file, &reports::junit(&found.sections, seconds(began)))?;
        }
        if let Some(file) = &self.html {
            reports::write(
                file,
                &reports::page(&found.sections, &told, jiff::Timestamp::now()),
            )?;
        }
        screen.result(told);
        for (what, list) in [
            ("Kept for the next run", &found.left.kept),
            ("Could not be deleted", &found.left.stuck),
        ] {
            list_of(what, list, screen);
        }
        if found.file.exists() {
            screen.result(format!(
                "{} lists what is left; `tandem qa --clean` removes what can be removed of it.",
                found.file.display()
            ));
        }
        Ok(if count(Verdict::Fail) > 0 {
            Exit::Waits
        } else {
            Exit::Done
        })
    }

    fn wanted(&self) -> Result<Wanted, Failure> {
        let table = match &self.promise {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    Failure::usage(
                        format!("{} cannot be read ({error})", file.display()),
                        "Name a table in the form of flows/customerp-salesforce/properties.csv",
                    )
                })?;
                Some((file.display().to_string(), text))
            }
            None => None,
        };
        let users: Result<Vec<AsUser>, Failure> = self.as_user.iter().map(|text| user(text)).collect();
        Ok(Wanted {
            users: users?,
            table,
            keep: self.keep,
            consent: Consent {
                yes: self.yes,
                in_production: self.in_production,
            },
        })
    }
}

/// Keeps the report for the console. What was found is told all the same where that fails.
fn keep(folder: &Path, report: &Json, screen: &Screen) {
    let kept = match view::Qa::deserialize(report) {
        Ok(report) => qa::kept::keep(folder, &report),
        Err(error) => Err(Failure::trouble(
            format!("the report cannot be kept for the console ({error})"),
            "The console goes on showing the one before",
        )),
    };
    if let Err(failure) = kept {
        screen.complain(&failure);
    }
}

/// Removes what earlier runs left, and tells what stays.
async fn clean(
    common: &Common,
    configuration: &Configuration,
    wanted: &Wanted,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let left = qa::clean(common, configuration, wanted, screen).await?;
    screen.json(&json!({ "deleted": left.deleted, "kept": left.kept, "stuck": left.stuck }));
    screen.result(format!(
        "{} deleted.",
        count_of(left.deleted, "record", "records")
    ));
    list_of("Cannot be deleted", &left.kept, screen);
    list_of("Could not be deleted", &left.stuck, screen);
    Ok(match left.stuck.is_empty() {
        true => Exit::Done,
        false => Exit::Waits,
    })
}

fn list_of(what: &str, list: &[String], screen: &Screen) {
    if !list.is_empty() {
        screen.result(format!("{what}:"));
    }
    for line in list {
        screen.result(format!("  {line}"));
    }
}

/// `SYSTEM.SECRET=VARIABLE`.
fn user(text: &str) -> Result<AsUser, Failure> {
    let parts = text.split_once('=').and_then(|(place, variable)| {
        let (system, secret) = place.split_once('.')?;
        Some((system.to_owned(), secret.to_owned(), variable.to_owned()))
    });
    parts.ok_or_else(|| {
        Failure::usage(
            format!("`{text}` names no secret"),
            "Write SYSTEM.SECRET=VARIABLE, such as customerp.token=ALICE_TOKEN",
        )
    })
}

fn as_json(found: &Found, seconds: f64, count: &impl Fn(Verdict) -> u64) -> Json {
    json!({
        "at": jiff::Timestamp::now(),
        "run": found.run,
        "flows": found.sections,
        "counts": {
            "pass": count(Verdict::Pass),
            "fail": count(Verdict::Fail),
            "not_served": count(Verdict::NotServed),
            "cannot_be_tried": count(Verdict::CannotBeTried),
        },
        "deleted": found.left.deleted,
        "kept": found.left.kept,
        "stuck": found.left.stuck,
        "file": found.file.exists().then(|| found.file.display().to_string()),
        "syncs": found.syncs,
        "seconds": seconds,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_user_is_a_secret_and_its_variable() {
        let wanted = ("customerp", "token", "ALICE");
        let (system, secret, variable) = user("customerp.token=ALICE").unwrap();
        assert_eq!((system.as_str(), secret.as_str(), variable.as_str()), wanted);
        assert!(user("customerp=ALICE").is_err());
    }
}
