//! `tandem salesforce`: what an org needs to be given.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading;
use crate::metadata::{self, Contents};
use crate::screen::{Lines, Screen, count_of};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use tandem_merge::config::Configuration;

/// Tools for the Salesforce side.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem salesforce metadata salesforce/")]
pub(crate) struct Salesforce {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Write what the org needs beyond its standard objects, as a source tree for Salesforce's own tools
    Metadata(Metadata),
}

/// Write what the org needs beyond its standard objects, as a source tree for Salesforce's own tools.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem salesforce metadata salesforce/
  tandem --config prod/tandem.yaml salesforce metadata salesforce/ --force
  cd salesforce && sf project deploy start --source-dir force-app

The tree follows the configuration's flows and bindings. Without a configuration it is the one for an org without
Divisions and without Billing: what `tandem init` can be run with afterwards.")]
struct Metadata {
    /// The folder to write, new or empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write into a folder that holds something: files of the tree are replaced, others stay
    #[arg(long)]
    force: bool,
}

impl Salesforce {
    /// Carries out the tool.
    pub(crate) fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        match &self.tool {
            Tool::Metadata(metadata) => metadata.write(common, screen),
        }
    }
}

impl Metadata {
    fn write(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let configuration = configuration(common, screen)?;
        if !self.force && holds_something(&self.folder) {
            return Err(Failure::usage(
                format!("{} is not empty", self.folder.display()),
                "Name a new folder, or write into this one with --force",
            ));
        }
        let contents = metadata::contents(&configuration);
        for (path, text) in &contents.tree {
            store(&self.folder.join(path), text)?;
        }
        self.tell(&contents, screen);
        Ok(Exit::Done)
    }

    fn tell(&self, contents: &Contents, screen: &Screen) {
        let folder = self.folder.display().to_string();
        screen.json(&json!({
            "folder": folder,
            "files": contents.tree.keys().collect::<Vec<_>>(),
            "objects": contents.objects,
            "fields": contents.fields,
            "events": contents.events,
            "permissionSet": metadata::PERMISSION_SET,
            "remarks": contents.remarks,
        }));
        screen.result(format!(
            "Wrote {} to {folder}: {}, {}, {}, 1 permission set.",
            count_of(contents.tree.len() as u64, "file", "files"),
            count_of(contents.objects.len() as u64, "object", "objects"),
            count_of(contents.fields.len() as u64, "field", "fields"),
            count_of(contents.events.len() as u64, "change event", "change events"),
        ));
        for remark in &contents.remarks {
            screen.say(format!("{remark}."));
        }
        screen.say(Lines(vec![
            format!("Next: cd {folder} && sf project deploy start --source-dir force-app"),
            format!("      sf org assign permset --name {}", metadata::PERMISSION_SET),
        ]));
    }
}

/// The configuration, or where there is none the shipped flows bound to our own objects.
fn configuration(common: &Common, screen: &Screen) -> Result<Configuration, Failure> {
    if common.config.exists() {
        return loading::configuration(common);
    }
    screen.say(format!(
        "There is no {}: this is the tree for an org without Divisions and Billing.",
        common.config.display()
    ));
    loading::shipped("Division__c", "Invoice__c")
}

fn holds_something(folder: &Path) -> bool {
    folder
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
}

fn store(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| {
            Failure::usage(
                format!("{} cannot be written ({error})", path.display()),
                "Choose another folder",
            )
        })
}
